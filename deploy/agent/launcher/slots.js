'use strict'

// A slot is what one instance of a release is started from: its program, folder and environment, in a
// file that only the user may read. It outlives the deployment: a supervisor starts the service from it
// again, after a crash and after a reboot, as it was started first.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const disk = require('../host/disk')

// Of the session that brought the agent, and of nobody else.
const SESSION = /^(SSH_|XDG_SESSION|UNDERCROFT_|BASH_FUNC|OLDPWD$|PWD$|SHLVL$|_$|MAIL$|TERM$)/

/**
 * A release as it is about to run.
 * @param {object} ctx
 * @param {string} release id
 * @param {number[]} ports one for each instance
 * @param {'process'|'systemd'} launcher
 * @param {object} variables of the environment file
 * @returns {object} the Side of state.js
 */
function sideOf (ctx, release, ports, launcher, variables) {
  const { app, config } = ctx
  return {
    release,
    launcher,
    mode: config.switch,
    settings: settingsOf(ctx, release, launcher, variables),
    at: new Date().toISOString(),
    ...(config.daemon?.routes && { routes: config.daemon.routes }),
    instances: ports.map((port, index) => ({
      index,
      port,
      socket: app.socket(release, port),
      slot: path.join(app.slots, `${release}.${port}.json`)
    }))
  }
}

/**
 * What a release would be started with, as a hash: two that differ mean that it has to be started anew. What
 * the session of the deployment has in its environment is left out: it may be another person's.
 */
function settingsOf (ctx, release, launcher, variables) {
  const { instances, ports, switch: mode, socketMode, killMs, systemd, daemon, start } = ctx.config
  const what = [
    launcher, launcher === 'systemd' ? systemd : null, mode, socketMode, instances, ports, killMs, daemon,
    start, commandOf(ctx.config, ctx.app.release(release)), given(ctx, release, variables)
  ]
  return crypto.createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 16)
}

/**
 * The environment of an instance. Without an instance: that of a command that runs for the release.
 * @param {object} ctx
 * @param {string} release
 * @param {object} variables of the environment file, { NAME: value }
 */
function environment (ctx, release, variables, instance = null) {
  return {
    ...inherited(),
    ...given(ctx, release, variables),
    ...(instance !== null && {
      HOST: '127.0.0.1',
      PORT: String(instance.port),
      UNDERCROFT_SOCKET: instance.socket,
      UNDERCROFT_SOCKET_MODE: ctx.config.socketMode.toString(8).padStart(4, '0'),
      UNDERCROFT_INSTANCE: String(instance.index)
    })
  }
}

// What the configuration, the environment file and we say, for all instances.
function given ({ app, config }, release, variables) {
  const { daemon, drainMs } = config
  return {
    ...config.env?.set,
    ...variables,
    UNDERCROFT_SHARED: app.shared,
    UNDERCROFT_RELEASE: release,
    UNDERCROFT_DRAIN_MS: String(drainMs),
    ...(daemon && { UNDERCROFT_TARGET: `ipc://${path.join(app.folder, daemon.socket)}` })
  }
}

/** What the deployment's user has in the environment, as far as it is not of one session. */
function inherited () {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !SESSION.test(name)))
  // The runtime is found by its name, too, where shells of SSH commands have a short PATH.
  return { ...own, PATH: [path.dirname(process.execPath), own.PATH ?? '/usr/local/bin:/usr/bin:/bin'].join(':') }
}

/** Writes the slots of a side; nothing is started yet. */
function write (ctx, side, variables) {
  const { app, config } = ctx
  fs.mkdirSync(app.slots, { recursive: true, mode: 0o700 })
  for (const folder of [app.out, app.shared]) fs.mkdirSync(folder, { recursive: true })
  // The gateway has to get to the sockets, whatever the umask says.
  if (fs.mkdirSync(app.run, { recursive: true }) !== undefined) fs.chmodSync(app.run, 0o755)
  for (const instance of side.instances) {
    const cwd = app.release(side.release)
    put(instance.slot, {
      name: config.app,
      port: instance.port,
      socket: instance.socket,
      command: commandOf(config, cwd),
      cwd,
      env: { ...environment(ctx, side.release, variables, instance), UNDERCROFT_SLOT: instance.slot },
      out: path.join(app.out, `${side.release}.${instance.port}.log`),
      launcher: side.launcher,
      ...(side.launcher === 'systemd' && { systemd: config.systemd }),
      drainMs: config.drainMs,
      killMs: config.killMs
    })
  }
}

/** A slot with what follows from its name. */
function put (slot, spec) {
  disk.writeAtomic(slot, JSON.stringify({
    ...spec,
    outFrom: fs.statSync(spec.out, { throwIfNoEntry: false })?.size ?? 0,
    status: slot.replace(/\.json$/, '.status')
  }), { mode: 0o600 })
}

// The agent runs on the configured runtime: its own path is the one that the name was found at.
function commandOf ({ start, runtime }, cwd) {
  if (Array.isArray(start)) return [runtime.path.includes('/') ? runtime.path : process.execPath, ...start]
  const [file, ...args] = start.command
  return [file.includes('/') ? path.resolve(cwd, file) : file, ...args]
}

/** The slots that are on the disk. @returns {string[]} paths */
function all (app) {
  try {
    return fs.readdirSync(app.slots).filter((name) => name.endsWith('.json')).map((name) => path.join(app.slots, name))
  } catch (err) {
    if (err.code === 'ENOENT') return []
    throw err
  }
}

module.exports = { all, environment, inherited, put, settingsOf, sideOf, write }
