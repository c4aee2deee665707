'use strict'

// What an agent finds that came after one that was killed: a gateway's file that was not tested, a release
// that was half started, one that was not ended, processes that nobody knows of, files that are half written.

const fs = require('node:fs')
const path = require('node:path')
const daemon = require('./daemon')
const disk = require('../host/disk')
const gateway = require('./gateway')
const slots = require('../launcher/slots')
const { isRunning, stopSlot } = require('../launcher/index')
const { affirm, drain, settle, undo } = require('./drain')
const { illness } = require('./health')
const { readState } = require('../host/state')
const { reached } = require('../host/switch')
const { placesOf } = require('./watch')

/**
 * Brings the host into a state in which one release serves and nothing is pending. Idempotent: it may
 * itself be killed at any point.
 * @param {object} ctx with the lock held
 * @returns {Promise<string[]>} what was done, in words
 */
async function recover (ctx) {
  const { app } = ctx
  for (const dir of [app.deploy, app.slots]) disk.sweepTemporary(dir)
  sweepLinks(app)
  const state = readState(app.state)
  const orphans = strangers(app, state)
  const isClean = state.gateway === null && !state.daemon?.pending && state.pending === null && state.draining.length === 0 && orphans.length === 0
  if (isClean) {
    if (state.active !== null) await affirm(ctx, state.active)
    return []
  }
  await ctx.stage('recover')
  const done = []
  if (state.gateway !== null) {
    await gateway.recover(ctx)
    done.push(`put ${state.gateway.to} back`)
  }
  if (state.daemon?.pending) done.push(await daemon.recover(ctx))
  if (state.pending !== null) {
    const { release } = state.pending
    if (await serves(ctx, state.pending)) {
      await settle(ctx)
      done.push(`finished the start of ${release}`)
    } else {
      await undo(ctx)
      done.push(`undid the start of ${release}`)
    }
  }
  for (const { release } of await drain(ctx)) done.push(`ended ${release}`)
  for (const slot of strangers(app, readState(app.state))) {
    await stopSlot(slot, { drainMs: 0, killMs: ctx.config.killMs })
    done.push(`ended ${path.basename(slot, '.json')}, which nobody knew of`)
  }
  sweepSockets(app, readState(app.state))
  const { active } = readState(app.state)
  if (active !== null) await affirm(ctx, active)
  await ctx.audit('recover', 'ok', { done })
  return done
}

// The gateway has reached it, and can go on doing so.
async function serves (ctx, pending) {
  const isSwitched = pending.mode === 'socket' ? reached(ctx.app, pending) === 'all' : pending.switched === true
  return isSwitched && isRunning(pending) && await illness(placesOf(ctx.app, pending), ctx.config.health) === null
}

// Slots on the disk that are of no release that the journal has.
function strangers (app, { active, pending, draining, daemon }) {
  const known = new Set([active, pending, ...draining].flatMap((side) => side?.instances.map(({ slot }) => slot) ?? []))
  for (const one of [daemon, daemon?.pending]) if (one) known.add(one.slot)
  return slots.all(app).filter((slot) => !known.has(slot))
}

// Links that were not renamed to what they are: of `current`, and of systemd's names of the slots.
function sweepLinks (app) {
  for (const [dir, what] of [[app.folder, /^current\.\d+\.part$/], [app.slots, /^\d+\.\d+\.part$/]]) {
    if (!fs.existsSync(dir)) continue
    for (const name of fs.readdirSync(dir)) if (what.test(name)) fs.rmSync(path.join(dir, name), { force: true })
  }
}

// Sockets and parts of links that a kill has left; those of the active release stay.
function sweepSockets (app, { active }) {
  if (!fs.existsSync(app.run)) return
  const kept = new Set(active?.instances.map(({ socket }) => path.basename(socket)))
  for (const name of fs.readdirSync(app.run)) {
    const isOld = /^\d{8}-\d{6}-[0-9a-f]{8}(-\d+)?\.\d+\.sock$/.test(name) && !kept.has(name)
    if (isOld || /^app(-\d+)?\.sock\.\d+\.part$/.test(name)) fs.rmSync(path.join(app.run, name), { force: true })
  }
}

module.exports = { recover }
