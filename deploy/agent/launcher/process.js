'use strict'

// Services as processes of a supervisor of ours (supervisor.js), for hosts without systemd.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const disk = require('../host/disk')
const proc = require('../host/proc')
const sources = require('./sources')
const { DeployError } = require('../../errors')
const { within } = require('../host/wait')

const START_MS = 15_000 // for the supervisor itself, which only has to load
const EXTRA_MS = 3000 // for a supervisor to do what its deadline says

/**
 * Starts the supervisor of a slot whose file is there. Returns when the service has been started once.
 * @param {object} ctx { app, source }
 */
async function start (ctx, slot) {
  const spec = disk.readJson(slot)
  fs.rmSync(spec.status, { force: true })
  const file = path.join(sources.install(ctx), sources.SUPERVISOR)
  const fd = fs.openSync(spec.out, 'a', 0o640)
  let failed = null
  const child = spawn(process.execPath, [file, slot], { cwd: ctx.app.deploy, stdio: ['ignore', fd, fd], detached: true, env: spec.env })
  fs.closeSync(fd)
  child.once('error', (err) => { failed = `it could not be started: ${err.message}` })
  child.once('exit', (code, signal) => { failed ??= `it ended with ${signal ?? `code ${code}`}` })
  child.unref()
  const isRunning = () => {
    const status = statusOf(slot)
    return status !== null && (status.child !== null || status.exit !== null)
  }
  if (await within(START_MS, () => failed !== null || isRunning()) && failed === null) return
  throw new DeployError('UC_DEPLOY_LAUNCH', `the supervisor of port ${spec.port} does not run: ${failed ?? `nothing was heard of it for ${START_MS} ms`}`, { lines: lines(slot) })
}

/**
 * How the service is.
 * @returns {{ alive: boolean, pid: number|null, pids: number[], restarts: number, exit: object|null, since: string|null }}
 */
function look (slot) {
  const status = statusOf(slot)
  const child = proc.isAlive(status?.child) ? status.child : null
  return {
    alive: child !== null,
    supervised: proc.isAlive(status),
    pid: child?.pid ?? null,
    // Reads all of /proc, and most callers do not ask for it.
    get pids () { return child === null ? [] : proc.tree([child.pid]) },
    restarts: status?.restarts ?? 0,
    exit: status?.exit ?? null,
    since: status?.since ?? null
  }
}

/**
 * Ends the service and everything it has started, and returns when nothing of it is left.
 * @param {string} slot
 * @param {object} limits
 * @param {number} limits.drainMs from SIGTERM on, for requests to end
 * @param {number} limits.killMs  after that, to close; then SIGKILL
 * @returns {Promise<{ how: 'gone'|'exited'|'killed', ms: number, code?, signal?, why?, open?: { tcp, unix } }>}
 */
async function stop (slot, { drainMs, killMs }) {
  const began = Date.now()
  const found = proc.ofSlot(slot)
  const status = statusOf(slot)
  // From now on nothing starts it again, whatever becomes of this agent.
  fs.rmSync(slot, { force: true })
  const supervisor = found.find((one) => one.supervisor)
  // Without its supervisor the service is told by us.
  const told = supervisor ?? (proc.isAlive(status?.child) ? status.child : found[0])
  if (told !== undefined) proc.signal(told, 'SIGTERM')
  const isOver = () => found.every((one) => !proc.isAlive(one)) && proc.ofSlot(slot).length === 0
  let how = found.length === 0 ? 'gone' : 'exited'
  // The supervisor has limits of its own, of when it was started; those of now may be shorter.
  if (!await within(drainMs + killMs, isOver)) {
    how = 'killed'
    if (supervisor !== undefined) proc.signal(supervisor, 'SIGTERM')
    if (!await within(EXTRA_MS, isOver)) {
      for (const one of proc.ofSlot(slot)) proc.signal(one, 'SIGKILL')
      if (!await within(EXTRA_MS, isOver)) {
        throw new DeployError('UC_DEPLOY_STUCK', `a process of ${path.basename(slot, '.json')} did not end after SIGKILL`, { details: { pids: proc.ofSlot(slot).map(({ pid }) => pid) } })
      }
    }
  }
  const end = statusOf(slot)?.end ?? null
  fs.rmSync(statusFile(slot), { force: true })
  if (end?.how === 'killed') how = 'killed'
  return { how, ms: Date.now() - began, code: end?.code, signal: end?.signal, why: end?.why, open: end?.open }
}

/** The last lines of what the service wrote since it was launched. */
function lines (slot, count = 20) {
  const spec = disk.readJson(slot)
  return spec === null ? [] : tail(spec.out, count, spec.outFrom)
}

const TAIL_BYTES = 64 * 1024

function tail (file, count, from = 0) {
  let fd
  try {
    fd = fs.openSync(file, 'r')
  } catch {
    return []
  }
  try {
    const { size } = fs.fstatSync(fd)
    const start = Math.max(from > size ? 0 : from, size - TAIL_BYTES)
    const bytes = Buffer.alloc(size - start)
    const read = fs.readSync(fd, bytes, 0, bytes.length, start)
    const text = bytes.subarray(0, read).toString('utf8').trimEnd()
    return text === '' ? [] : text.split('\n').slice(-count).map((line) => line.slice(0, 2000))
  } finally {
    fs.closeSync(fd)
  }
}

function statusOf (slot) {
  return disk.readJson(statusFile(slot))
}

function statusFile (slot) {
  return slot.replace(/\.json$/, '.status')
}

module.exports = { lines, look, start, stop, tail }
