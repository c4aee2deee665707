'use strict'

// What the gateway reaches: run/app.sock, app-1.sock … are symlinks to the sockets of the release that
// serves. A rename replaces one in a single step, so at any moment connect(2) finds the one or the other.

const fs = require('node:fs')
const path = require('node:path')
const { linkAtomic, linkOf } = require('./state')

/**
 * Points the gateway at these instances. Names beyond their number, of a release that had more, lead to
 * them too: the gateway may not have been told.
 */
function switchTo (app, { instances }) {
  const count = Math.max(instances.length, countOf(app))
  for (let index = 0; index < count; index++) {
    linkAtomic(path.basename(instances[index % instances.length].socket), app.upstream(index))
  }
}

function countOf (app) {
  let count = 0
  while (linkOf(app.upstream(count)) !== null) count++
  return count
}

/** Which of a side's instances the gateway reaches: 'all', 'some', 'none'. */
function reached (app, { instances }) {
  const count = instances.filter(({ index, socket }) => linkOf(app.upstream(index)) === path.basename(socket)).length
  return count === instances.length ? 'all' : count === 0 ? 'none' : 'some'
}

/** Takes the names away that lead to a side which is given up without another to go back to. */
function unlink (app, { instances }) {
  const own = new Set(instances.map(({ socket }) => path.basename(socket)))
  for (let index = 0, count = countOf(app); index < count; index++) {
    if (own.has(linkOf(app.upstream(index)))) fs.rmSync(app.upstream(index), { force: true })
  }
}

// ---- routes ---------------------------------------------------------------------------------------

// The daemon reads a folder from its start on: before the first release one without a route.
const NO_ROUTES = 'no-routes'

/** Where run/routes leads for a side; null: it has none. @param {object|null} side null: no release serves */
function routesOf (side) {
  if (side === null) return NO_ROUTES
  return side.routes === undefined ? null : path.join('..', 'releases', side.release, side.routes)
}

/**
 * Points run/routes at the routes of a side, in a single step.
 * @returns {string|null} where it led before; null: nothing has changed
 */
function linkRoutes (app, side) {
  const target = routesOf(side)
  const before = linkOf(app.routes)
  if (target === null || target === before) return null
  if (target === NO_ROUTES) {
    fs.mkdirSync(path.join(app.run, NO_ROUTES), { recursive: true })
    fs.writeFileSync(path.join(app.run, NO_ROUTES, 'none.sql'), '-- No release serves.\n')
  }
  linkAtomic(target, app.routes)
  return before ?? NO_ROUTES
}

module.exports = { linkRoutes, reached, switchTo, unlink }
