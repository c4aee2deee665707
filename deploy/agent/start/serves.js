'use strict'

// Whether there is anything to do: the release serves, from the same settings, and so does its daemon.

const env = require('./env')
const slots = require('../launcher/slots')
const { choose, isRunning } = require('../launcher/index')
const { look } = require('../launcher/process')
const { readState } = require('../host/state')

/**
 * @param {object} ctx
 * @param {string} release id
 * @returns {boolean} whether starting it would bring what is there already
 */
function serves (ctx, release) {
  const { app, config } = ctx
  const { active, daemon } = readState(app.state)
  if (active?.release !== release || !isRunning(active)) return false
  if (active.settings !== slots.settingsOf(ctx, release, choose(ctx), env.of(app, release))) return false
  return !config.daemon || (daemon?.slot !== undefined && look(daemon.slot).alive)
}

module.exports = { serves }
