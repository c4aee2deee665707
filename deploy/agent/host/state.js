'use strict'

// The journal of a host: what serves, what is about to, what drains. It is written before each step
// that another agent would have to know of, so that kill -9 at any point leaves enough to go on.

const fs = require('node:fs')
const path = require('node:path')
const { syncDirectory, writeAtomic } = require('./disk')

/**
 * @typedef {object} Instance
 * @property {number} index     the instance's number, from 0
 * @property {number} port
 * @property {string} socket    path of its unix socket
 * @property {string} slot      path of the file that says how it is started
 *
 * @typedef {object} Side       a release as it runs
 * @property {string} release
 * @property {string} launcher  'process' or 'systemd'
 * @property {string} mode      'socket' or 'ports'
 * @property {Instance[]} instances
 * @property {string} at        since when, ISO 8601
 * @property {string} settings  a hash of what it was started with, see slots.js
 * @property {string} [routes]  of its folder, what the daemon serves over HTTP
 * @property {boolean} [back]   a rollback has brought it
 * @property {boolean} [switched]  of a pending one: the gateway may reach it
 *
 * @typedef {object} State
 * @property {Side|null} active   what serves
 * @property {Side|null} pending  what is being started
 * @property {Side[]} draining    what is being stopped
 * @property {string|null} previous  the release that served before; where a rollback goes
 * @property {object|null} gateway   a change of the gateway's file that is not over
 * @property {object|null} daemon    the daemon beside the service
 */

const empty = { version: 1, active: null, pending: null, draining: [], previous: null, gateway: null, daemon: null }

/**
 * @param {string} file
 * @returns {State}
 * @throws when there is a file that cannot be understood: guessing would stop what serves
 */
function readState (file) {
  let text
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (err) {
    if (err.code === 'ENOENT') return { ...empty, draining: [] }
    throw err
  }
  let state
  try {
    state = JSON.parse(text)
  } catch {
    state = null
  }
  if (state === null || typeof state !== 'object' || state.version !== 1 || !Array.isArray(state.draining)) {
    throw Object.assign(new Error(`${file} is not a journal of this version of undercroft: deploy with the version that wrote it, or move it away when nothing of the application runs`), { code: 'UC_DEPLOY_STATE' })
  }
  return { ...empty, ...state }
}

function writeState (file, state) {
  writeAtomic(file, `${JSON.stringify(state, null, 1)}\n`, { mode: 0o600 })
}

/** A symlink in place of whatever was there, without a moment in which there is none. */
function linkAtomic (target, file) {
  const part = `${file}.${process.pid}.part`
  fs.rmSync(part, { force: true })
  fs.symlinkSync(target, part)
  fs.renameSync(part, file)
  syncDirectory(path.dirname(file))
}

/** @returns {string|null} where a symlink points; null when there is none */
function linkOf (file) {
  try {
    return fs.readlinkSync(file)
  } catch (err) {
    if (err.code === 'ENOENT' || err.code === 'EINVAL') return null
    throw err
  }
}

module.exports = { linkAtomic, linkOf, readState, writeState }
