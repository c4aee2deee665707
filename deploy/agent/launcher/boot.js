#!/usr/bin/env node
'use strict'

// After a reboot, from a crontab: starts what served before (see deploy/README.md). It runs under the lock,
// as `@reboot flock <folder>/.deploy/lock <full path of node or bun> <folder>/.deploy/agent/boot.js`.

const fs = require('node:fs')
const path = require('node:path')
const processes = require('./process')
const { audit } = require('../host/audit')
const { isRunning, launch } = require('./index')
const { paths } = require('../host/paths')
const { readState, writeState } = require('../host/state')
const { linkRoutes, switchTo } = require('../host/switch')

/**
 * @param {string} folder of the application
 * @returns {Promise<boolean>} whether something was started
 */
async function boot (folder) {
  const app = paths(folder)
  const root = path.join(__dirname, '../..')
  const ctx = { app, source: (name) => fs.readFileSync(path.join(root, name), 'utf8') }
  const state = readState(app.state)
  const { active, daemon } = state
  if (active !== null) linkRoutes(app, active)
  // The service waits for its daemon by itself, as it does when that is replaced.
  if (daemon?.slot !== undefined && !processes.look(daemon.slot).alive) await processes.start(ctx, daemon.slot)
  if (active === null || isRunning(active)) return false
  await launch(ctx, active)
  // The power may have gone between a switch and its entry in the journal.
  if (active.mode === 'socket') switchTo(app, active)
  writeState(app.state, { ...state, active: { ...active, at: new Date().toISOString() } })
  await audit(app, { who: 'boot', action: 'boot', result: 'ok', release: active.release })
  return true
}

/** For <folder>/.deploy/agent/boot.js. */
function main (folder) {
  boot(folder).catch((err) => {
    console.error(`undercroft: ${err.message}`)
    process.exitCode = 1
  })
}

module.exports = { boot, main }
