'use strict'

// The first time of a release with traffic: it has to stay as it was when it was let in.

const { launcherOf } = require('../launcher/index')
const { illness } = require('./health')
const { refuseExposed } = require('./ports')
const { DeployError } = require('../../errors')
const { pause, within } = require('../host/wait')

const EVERY_MS = 1000
const WORD_MS = 1000 // for who looks after a service to say how it ended
const BAD = 2 // answers in a row: a single one may be late on a busy host

/** The service of an instance ended although it should run. @throws UC_DEPLOY_DIED */
async function refuseDead (side) {
  const launcher = launcherOf(side)
  for (const { slot, port } of side.instances) {
    const { alive, restarts } = launcher.look(slot)
    if (alive && restarts === 0) continue
    await within(WORD_MS, () => launcher.look(slot).exit !== null)
    const how = howItEnded(launcher.look(slot).exit)
    throw new DeployError('UC_DEPLOY_DIED', `the release on port ${port} ${how}`, { lines: launcher.lines(slot), details: { port } })
  }
}

function howItEnded (exit) {
  if (exit === null) return 'does not run'
  if (exit.error) return `could not be started: ${exit.error}`
  return `ended with ${exit.signal ?? `code ${exit.code}`} after ${exit.ranMs} ms`
}

/** Looks after every TCP listener of a side. @throws UC_DEPLOY_EXPOSED, UC_DEPLOY_PORT_TAKEN */
function refuseListeners (side) {
  const launcher = launcherOf(side)
  for (const instance of side.instances) refuseExposed(instance, launcher.look(instance.slot).pids)
}

/**
 * Where a side is asked for its health: its ports, and in the mode `socket` its sockets too.
 * @param {boolean} [switched] through the names that the gateway uses
 */
function placesOf (app, side, switched = false) {
  return side.instances.flatMap(({ index, port, socket }) => side.mode === 'socket'
    ? [{ port }, { socket: switched ? app.upstream(index) : socket }]
    : [{ port }])
}

/**
 * Watches for config.watchMs. It goes on without the deployer: the gateway reaches the release already.
 * @throws UC_DEPLOY_DIED, UC_DEPLOY_UNHEALTHY, UC_DEPLOY_EXPOSED
 */
async function watch (ctx, side) {
  const { watchMs, health } = ctx.config
  const deadline = Date.now() + watchMs
  let bad = 0
  for (;;) {
    await refuseDead(side)
    const reason = await illness(placesOf(ctx.app, side, true), health)
    bad = reason === null ? 0 : bad + 1
    await refuseDead(side)
    if (bad >= BAD) throw new DeployError('UC_DEPLOY_UNHEALTHY', `the release was healthy and is not any more: ${reason}`)
    const left = deadline - Date.now()
    // It may have begun to listen later than it answered.
    if (left <= 0 && bad === 0) return refuseListeners(side)
    await pause(Math.min(EVERY_MS, Math.max(left, 50)))
  }
}

module.exports = { placesOf, refuseDead, refuseListeners, watch }
