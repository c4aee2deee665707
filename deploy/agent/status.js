'use strict'

// How an application is on this host. Reads only, and takes no lock: it answers during a deployment, too.

const fs = require('node:fs')
const { readHolder, readLast } = require('./host/lock')
const releases = require('./host/releases')

const ASK_MS = 3000
const AUDIT_BYTES = 64 * 1024
// Of a second: USER_HZ, in which /proc counts for programs whatever the kernel's own clock is (proc(5)).
const TICKS = 100

/**
 * @param {object} ctx
 * @returns {Promise<object>} what deploy/status.js shows
 */
async function status (ctx) {
  const { app, config, facts } = ctx
  const complete = releases.complete(app)
  const holder = readHolder(app)
  const { state, damage } = readState(app)
  const { pending } = state
  // Between the switch and the end of the watching the traffic is with the new one.
  const serving = pending?.switched === true ? pending : state.active
  return {
    hostname: facts.hostname,
    runtime: facts.runtime,
    systemd: facts.systemd,
    releases: complete.map(({ id, at, who, files, bytes }) => ({ id, at, who, files, bytes })),
    incomplete: releases.all(app).filter((id) => !complete.some((mark) => mark.id === id)),
    current: linkOf(app.current),
    previous: state.previous,
    active: serving && await sideOf(app, serving, config.health),
    draining: state.draining.map((side) => side.release),
    deploying: holder,
    // Nobody has the lock, and what was begun is not over: the next deployment finishes or undoes it.
    interrupted: pending && holder === null ? { release: pending.release, stage: readLast(app)?.stage ?? null, switched: pending.switched === true } : null,
    damage,
    daemon: state.daemon && daemonOf(state.daemon),
    disk: diskOf(app),
    audit: lastLine(app.audit)
  }
}

// A journal that cannot be read is something to be told of, not a reason to tell nothing.
function readState (app) {
  try {
    return { state: require('./host/state').readState(app.state), damage: null }
  } catch (err) {
    if (err.code !== 'UC_DEPLOY_STATE' && err.code !== 'EACCES') throw err
    return { state: { active: null, pending: null, draining: [], previous: null, daemon: null }, damage: err.message }
  }
}

async function sideOf (app, side, health) {
  const { reached } = require('./host/switch')
  const instances = await Promise.all(side.instances.map((instance) => instanceOf(app, side, instance, health)))
  return { release: side.release, since: side.at, launcher: side.launcher, mode: side.mode, reached: side.mode === 'socket' ? reached(app, side) : null, instances }
}

async function instanceOf (app, side, { index, port, socket, slot }, { path, status }) {
  const { ask } = require('./start/health')
  const { launcherOf } = require('./launcher')
  const { alive, pid, pids, restarts } = launcherOf(side).look(slot)
  const began = performance.now()
  const answer = await ask({ port }, path, ASK_MS)
  const ms = Math.round(10 * (performance.now() - began)) / 10
  let reason = reasonOf(answer, status)
  // The gateway asks by the socket, which the port knows nothing of.
  if (reason === null && side.mode === 'socket') {
    reason = reasonOf(await ask({ socket: app.upstream(index) }, path, ASK_MS), status)
    if (reason !== null) reason = `by the gateway's way, ${app.upstream(index)}: ${reason}`
  }
  const isWell = reason === null
  return {
    index, port, socket, pid, alive, restarts, uptimeMs: uptimeOf(pid), memory: memoryOf(pids), health: { ok: isWell, reason, ms }
  }
}

function reasonOf (answer, status) {
  return answer.status === status ? null : answer.reason ?? `status ${answer.status}, expected ${status}`
}

function daemonOf ({ launcher, slot, port, release }) {
  const { launcherOf } = require('./launcher')
  if (slot === undefined) return null
  const { alive, pid, pids, restarts } = launcherOf({ launcher }).look(slot)
  return { pid, alive, restarts, release, port, uptimeMs: uptimeOf(pid), memory: memoryOf(pids) }
}

function memoryOf (pids) {
  const { memory, tree } = require('./host/proc')
  return memory(tree(pids))
}

/** Milliseconds since a process began; null when it has ended. */
function uptimeOf (pid) {
  const { statOf } = require('./host/proc')
  const stat = pid === null ? null : statOf(pid)
  if (stat === null) return null
  const seconds = Number(fs.readFileSync('/proc/uptime', 'latin1').split(' ')[0])
  return Math.max(0, Math.round(1000 * (seconds - Number(stat.ticks) / TICKS)))
}

function linkOf (file) {
  try {
    return fs.readlinkSync(file).replace(/^.*\//, '')
  } catch (err) {
    if (err.code === 'ENOENT' || err.code === 'EINVAL') return null
    throw err
  }
}

/** Free and whole bytes of the disk; of the nearest folder that is there. */
function diskOf (app) {
  for (const folder of [app.releases, app.folder, '/']) {
    try {
      const { bsize, bavail, blocks } = fs.statfsSync(folder)
      return { folder, free: bsize * bavail, total: bsize * blocks }
    } catch (err) {
      if (err.code !== 'ENOENT') throw err
    }
  }
}

/** The last entry of the audit log, or null. */
function lastLine (file) {
  let fd
  try {
    fd = fs.openSync(file, 'r')
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw err
  }
  try {
    const { size } = fs.fstatSync(fd)
    const bytes = Buffer.alloc(Math.min(size, AUDIT_BYTES))
    fs.readSync(fd, bytes, 0, bytes.length, size - bytes.length)
    return JSON.parse(bytes.toString('utf8').trimEnd().split('\n').pop())
  } catch {
    // The line was cut off by a full disk, or is being written.
    return null
  } finally {
    fs.closeSync(fd)
  }
}

const ops = { status: (args, ctx) => status(ctx) }

module.exports = { ops, status }
