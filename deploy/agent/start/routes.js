'use strict'

// The routes of a release, which the daemon answers over HTTP. It reads them from run/routes, a link to the
// folder of the release that serves. So the daemon is not replaced, and the database keeps its owner, when
// routes change: the link is renamed, and the daemon reads them again, in one step for all requests.
//
// A mistake in them is told before the gateway reaches the release: the daemon goes on with those before.

const fs = require('node:fs')
const disk = require('../host/disk')
const proc = require('../host/proc')
const processes = require('../launcher/process')
const { DeployError } = require('../../errors')
const { linkAtomic, linkOf, readState } = require('../host/state')
const { linkRoutes } = require('../host/switch')
const { within } = require('../host/wait')

const READ_MS = 30_000
// What the daemon says (csrc/doors/http/front.c).
const OVER = /: (read again|the routes that were there go on)$/m

/** Before a daemon is started that reads them. */
function prepare (app) {
  if (linkOf(app.routes) === null) linkRoutes(app, null)
}

/**
 * The daemon answers by the routes of that side, if it has some.
 * @param {object} ctx
 * @param {object|null} side  of state.js; null: no release serves
 * @throws UC_DEPLOY_DAEMON; it goes on with those before, and so does the link
 */
async function lead (ctx, side) {
  const { app } = ctx
  if (side === null && linkOf(app.routes) === null) return
  const before = linkRoutes(app, side)
  if (before === null) return
  try {
    await reread(readState(app.state).daemon)
  } catch (err) {
    linkAtomic(before, app.routes)
    throw err
  }
}

/** The same for a release that serves already, or again: it does so with what the daemon has, too. */
async function leadBack (ctx, side) {
  await lead(ctx, side).catch((err) => ctx.event({ warning: `the routes of ${side?.release ?? 'no release'} are not served: ${err.message}` }))
}

async function reread (daemon) {
  const slot = daemon?.slot
  const pid = slot === undefined ? null : processes.look(slot).pid
  // It reads them when its supervisor starts it again.
  if (pid === null) return
  const { out } = disk.readJson(slot)
  const from = fs.statSync(out).size
  let text = ''
  proc.signal({ pid, born: proc.birth(pid) }, 'SIGHUP')
  const isOver = () => OVER.test(text = since(out, from))
  if (!await within(READ_MS, isOver)) throw new DeployError('UC_DEPLOY_DAEMON', `the daemon did not read the routes within ${READ_MS} ms`)
  if (OVER.exec(text)[1] === 'read again') return
  throw new DeployError('UC_DEPLOY_DAEMON', 'the routes of the release cannot be served', {
    lines: text.trimEnd().split('\n').slice(-20),
    hint: "npx undercroft routes check finds it here, before anything is sent: hooks: { beforeUpload: 'npx undercroft routes check' }"
  })
}

// What has been written behind that byte.
function since (file, from) {
  const fd = fs.openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(Math.max(0, fs.fstatSync(fd).size - from))
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, bytes.length, from)).toString()
  } finally {
    fs.closeSync(fd)
  }
}

module.exports = { lead, leadBack, prepare }
