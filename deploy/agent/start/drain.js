'use strict'

// The ends of a start, for the agent that began it and for one that finds it half done.

const routes = require('./routes')
const sources = require('../launcher/sources')
const { keep, stop } = require('../launcher/index')
const { linkAtomic, linkOf, readState, writeState } = require('../host/state')
const { reached, switchTo, unlink } = require('../host/switch')

/**
 * The pending release becomes the active one; the one before begins to drain.
 * @returns {object} the state
 */
async function settle (ctx) {
  const { app } = ctx
  const state = readState(app.state)
  const { switched, ...active } = state.pending
  const old = state.active
  const next = {
    ...state,
    active,
    pending: null,
    draining: old === null ? state.draining : [...state.draining, old],
    previous: old === null || old.release === active.release ? state.previous : old.release
  }
  writeState(app.state, next)
  await affirm(ctx, active, old)
  return next
}

/**
 * What follows from a release being the active one: `current`, and what is started after a reboot. Idempotent;
 * an agent that was killed behind the journal's entry has left it to the next one.
 * @param {object} ctx
 * @param {object} active  the side that serves
 * @param {object|null} [old]  the one before it
 */
async function affirm (ctx, active, old = null) {
  const { app } = ctx
  const target = `releases/${active.release}`
  if (linkOf(app.current) !== target) linkAtomic(target, app.current)
  await routes.leadBack(ctx, active)
  sources.installBoot(ctx)
  await keep(ctx, active, old)
}

/**
 * Ends what drains: SIGTERM, the time for requests to end, SIGKILL.
 * @returns {Promise<object[]>} how each instance ended: { release, port, how, ms, open? }
 */
async function drain (ctx) {
  const { drainMs, killMs } = ctx.config
  const reports = []
  for (const side of readState(ctx.app.state).draining) {
    for (const report of await stop(side, { drainMs, killMs })) reports.push({ release: side.release, ...report })
    const state = readState(ctx.app.state)
    writeState(ctx.app.state, { ...state, draining: state.draining.filter((one) => one.at !== side.at) })
  }
  for (const report of reports.filter(({ how }) => how === 'killed')) {
    const { release, port, ms, open } = report
    const text = `release ${release} on port ${port} was killed ${ms} ms after SIGTERM` +
      (open === undefined ? '' : `; open were ${open.tcp} connections to its port and ${open.unix} to its socket`)
    ctx.event({ warning: text })
  }
  return reports
}

/** Gives the pending release up: what served before serves, the new one ends. */
async function undo (ctx) {
  const { app, config } = ctx
  const state = readState(app.state)
  const { pending, active } = state
  if (pending === null) return
  // With both ports in the gateway's upstream it is reached as soon as it listens.
  const hadTraffic = pending.mode === 'ports' || pending.switched === true || reached(app, pending) !== 'none'
  if (reached(app, pending) !== 'none') {
    if (active !== null && active.mode === 'socket') switchTo(app, active)
    else unlink(app, pending)
  }
  await routes.leadBack(ctx, active)
  // Requests that have come to it are answered; without any there is nothing to wait for.
  await stop(pending, { drainMs: hadTraffic ? config.drainMs : 0, killMs: config.killMs })
  writeState(app.state, { ...readState(app.state), pending: null })
  if (active !== null) await affirm(ctx, active, pending)
}

module.exports = { affirm, drain, settle, undo }
