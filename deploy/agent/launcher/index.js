'use strict'

// Two ways of keeping a service running, with one interface: start, look, stop, lines (process.js).
// What starts it after a reboot is systemd's, or boot.js from a crontab.

const fs = require('node:fs')
const path = require('node:path')
const disk = require('../host/disk')
const processes = require('./process')
const systemd = require('./systemd')

const launchers = { process: processes, systemd }

/** The launcher of a side. */
function launcherOf (side) {
  return launchers[side.launcher]
}

/** What `launcher: 'auto'` means on this host, or what is configured. @returns {'process'|'systemd'} */
function choose (ctx) {
  const { launcher } = ctx.config
  return launcher !== 'auto' ? launcher : systemd.isUsable(ctx) ? 'systemd' : 'process'
}

/** Launches all instances of a side whose slots are written. */
async function launch (ctx, side) {
  const launcher = launcherOf(side)
  for (const { slot, socket } of side.instances) {
    fs.mkdirSync(path.dirname(socket), { recursive: true })
    await launcher.start(ctx, slot)
  }
}

/** Whether every instance of a side runs. */
function isRunning (side) {
  const launcher = launcherOf(side)
  return side.instances.every(({ slot }) => launcher.look(slot).alive)
}

/**
 * Ends all instances at once and takes their sockets away.
 * @param {{ drainMs: number, killMs: number }} limits
 * @returns {Promise<object[]>} what launcher.stop said of each, with its port
 */
async function stop (side, limits) {
  const launcher = launcherOf(side)
  return Promise.all(side.instances.map(async ({ port, socket, slot }) => {
    const result = await launcher.stop(slot, limits)
    fs.rmSync(socket, { force: true })
    return { port, ...result }
  }))
}

/** After a reboot systemd starts a side as well as what served before: which of them serves is not decided yet. */
async function announce (ctx, side) {
  if (side.launcher === 'systemd') await systemd.enable(ctx, side)
}

/** After a reboot the active side is started, and no other. */
async function keep (ctx, active, old) {
  if (active.launcher === 'systemd' || old?.launcher === 'systemd') await systemd.keep(ctx, active, old)
}

/** Ends what was started from a slot that belongs to no side any more. */
async function stopSlot (slot, limits) {
  return launchers[disk.readJson(slot)?.launcher ?? 'process'].stop(slot, limits)
}

module.exports = { announce, choose, isRunning, keep, launch, launcherOf, stop, stopSlot }
