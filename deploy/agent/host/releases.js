'use strict'

// The releases of a host: which are complete, which are in use, which go.
//
//   const releases = require('../host/releases')
//   releases.complete(app)          -> [mark, …], the newest first
//   releases.newest(app)            -> mark or null
//   releases.find(app, id)          -> mark or null: null is "not complete"
//   await releases.verify(app, id)  -> { files, bytes, bad: [{ path, why }] }
//   releases.quick(app, id)         -> the same by size and mode only
//   releases.inUse(app)             -> Set of ids that must not go
//   releases.envOf(app, id)         -> its environment file, which may be missing
//
// `app` are the paths of paths.js. A mark is { id, manifest (hash), at (ISO time),
// who, files, bytes, installed }.

const fs = require('node:fs')
const path = require('node:path')
const manifests = require('./manifest')
const { check, stat } = require('./verify')
const { DeployError } = require('../../errors')
const { readJson, removeTree, sweepTemporary, syncDirectory } = require('./disk')

const ID = /^\d{8}-\d{6}-[0-9a-f]{8}(?:-\d{1,4})?$/
const IDS = /\b\d{8}-\d{6}-[0-9a-f]{8}(?:-\d{1,4})?\b/g
const ABANDONED_MS = 24 * 3600 * 1000 // an incomplete release that nobody resumed

// The environment file that came with a release; it becomes `env` when that is
// started, so that a step one that fails leaves the old one for the old release.
const envOf = (app, id) => path.join(app.marks, `${id}.env`)

// What is being received; beside the releases, so that a rename stays within one
// file system.
const partsOf = (app, id) => path.join(app.releases, `.parts-${id}`)

const isId = text => typeof text === 'string' && ID.test(text)

/** An id that no release of this host has: YYYYMMDD-HHMMSS-<8 hex>, UTC. */
function newId (app, hash, now = new Date()) {
  const [day, time] = now.toISOString().replace(/[-:]/g, '').split(/[T.]/)
  const base = `${day}-${time}-${hash.slice(0, 8)}`
  for (let n = 1; n < 10_000; n++) {
    const id = n === 1 ? base : `${base}-${n}`
    if (!fs.existsSync(app.release(id)) && !fs.existsSync(app.manifest(id))) return id
  }
  throw new DeployError('UC_DEPLOY_LIMIT', 'there are 10,000 releases of this second')
}

/** Ids of all releases that have a manifest or a folder, complete or not. */
function all (app) {
  const ids = new Set()
  for (const name of namesIn(app.marks)) {
    const id = name.replace(/(\.manifest)?\.json$/, '')
    if (isId(id)) ids.add(id)
  }
  for (const name of namesIn(app.releases)) if (isId(name)) ids.add(name)
  return [...ids].sort().reverse()
}

/** The mark of a complete release, null of any other. */
function find (app, id) {
  if (!isId(id)) return null
  const mark = readJson(app.mark(id))
  return mark && mark.id === id && fs.existsSync(app.release(id)) ? mark : null
}

/** The marks of all complete releases, the one completed last first. */
function complete (app) {
  return all(app).map(id => find(app, id)).filter(Boolean)
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.id < b.id ? 1 : -1))
}

function newest (app) {
  return complete(app)[0] || null
}

/** The manifest that a release was made from; throws when it is damaged. */
function manifestOf (app, id) {
  let text
  try {
    text = fs.readFileSync(app.manifest(id), 'utf8')
  } catch (err) {
    if (err.code !== 'ENOENT') throw err
    throw new DeployError('UC_DEPLOY_MANIFEST', `release ${id} has no manifest`)
  }
  return manifests.parse(text)
}

/**
 * Compares a release with its manifest by content.
 *
 * @returns {Promise<{ files, bytes, bad: { path: string, why: string }[] }>}
 */
async function verify (app, id) {
  return check(app.release(id), manifestOf(app, id))
}

/** The same by size, type and mode, which costs no reading. */
function quick (app, id) {
  return stat(app.release(id), manifestOf(app, id))
}

/**
 * Ids that somebody uses: `current`, what the state names, the targets of
 * sockets, and the folders in which processes of this machine stand.
 */
function inUse (app) {
  const used = new Set()
  const take = text => { for (const id of text.match(IDS) || []) used.add(id) }
  take(targetOf(app.current))
  try {
    take(fs.readFileSync(app.state, 'utf8'))
  } catch (err) {
    if (err.code !== 'ENOENT') throw err
  }
  for (const name of namesIn(app.run)) take(`${name} ${targetOf(path.join(app.run, name))}`)
  const inside = `${app.releases}/`
  for (const pid of namesIn('/proc').filter(name => /^\d+$/.test(name))) {
    const cwd = targetOf(`/proc/${pid}/cwd`)
    if (cwd.startsWith(inside)) take(cwd.slice(inside.length))
  }
  return used
}

/**
 * Removes complete releases beyond the newest `keep`, and incomplete ones that
 * nobody has resumed for a day.
 *
 * @param {{ keep: number, except?: string[], now?: number }} options
 * @param {function(string): void} [warn] is told of what could not be removed
 * @returns {string[]} what was removed
 */
function prune (app, { keep, except = [], now = Date.now() }, warn = () => {}) {
  const used = inUse(app)
  for (const id of except) used.add(id)
  const marks = complete(app)
  const whole = new Set(marks.map(({ id }) => id))
  const old = marks.slice(keep).map(({ id }) => id)
  const abandoned = all(app).filter(id => !whole.has(id) && now - touched(app, id) > ABANDONED_MS)
  const gone = [...old, ...abandoned].filter(id => !used.has(id))
  for (const id of gone) remove(app, id)
  sweep(app, warn)
  return gone
}

/** When something last arrived for an incomplete release. */
function touched (app, id) {
  return Math.max(0, ...[app.release(id), app.manifest(id), partsOf(app, id)].map(file =>
    fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0))
}

/**
 * The folder goes first, at once and on the disk: a release without one is not complete. Its mark goes last:
 * where that is alone somebody was interrupted, and sweep() goes on. So are the files left to sweep().
 */
function remove (app, id) {
  const moved = [[app.release(id), `.trash-${id}`], [partsOf(app, id), `.trash-parts-${id}`]]
  for (const [from, name] of moved) {
    const trash = freeName(path.join(app.releases, name))
    try {
      fs.renameSync(from, trash)
    } catch (err) {
      if (err.code !== 'ENOENT') throw err
    }
  }
  syncDirectory(app.releases)
  forget(app, id)
}

function forget (app, id) {
  for (const file of [app.manifest(id), envOf(app, id), app.mark(id)]) fs.rmSync(file, { force: true })
}

// A tree that could not be removed keeps its name.
function freeName (file) {
  for (let n = 1; ; n++) {
    const name = n === 1 ? file : `${file}.${n}`
    if (!fs.existsSync(name)) return name
  }
}

/**
 * Removes what was put aside. A command of a release may have made what its user cannot remove, such as
 * a folder of root's: that stays, and stops nobody.
 */
function sweep (app, warn = () => {}) {
  sweepTemporary(app.marks)
  for (const id of all(app)) {
    if (fs.existsSync(app.mark(id)) && !fs.existsSync(app.release(id))) forget(app, id)
  }
  for (const name of namesIn(app.releases)) {
    if (!name.startsWith('.trash-')) continue
    try {
      removeTree(path.join(app.releases, name))
    } catch (err) {
      warn(`${path.join(app.releases, name)} cannot be removed (${err.code ?? err.message}); remove it as root`)
    }
  }
}

function namesIn (dir) {
  try {
    return fs.readdirSync(dir)
  } catch (err) {
    if (err.code === 'ENOENT') return []
    throw err
  }
}

function targetOf (link) {
  try {
    return fs.readlinkSync(link)
  } catch {
    return '' // none, no link, or of a process that is another's or gone
  }
}

module.exports = { isId, envOf, partsOf, newId, all, find, complete, newest, manifestOf, verify, quick, inUse, prune, remove, sweep }
