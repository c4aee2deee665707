'use strict'

// Services as instances of a unit template: shop@4000.service runs whatever slots/4000 leads to, with the
// environment of slots/4000.env. systemd starts them again and after a reboot; the unit itself is the
// administrator's (`deploy init` writes one). See systemctl(1), systemd.exec(5), org.freedesktop.systemd1(5).

const fs = require('node:fs')
const path = require('node:path')
const { constants: { signals } } = require('node:os')
const { execFileSync } = require('node:child_process')
const disk = require('../host/disk')
const proc = require('../host/proc')
const { DeployError } = require('../../errors')
const { connectionsOf } = require('../host/listeners')
const { linkAtomic } = require('../host/state')
const { within } = require('../host/wait')

const COMMAND_MS = 30_000 // one systemctl
const EXTRA_MS = 5000 // for systemd to see that a service is gone
const BYTES = 4 * 1024 * 1024 // of a command's output

/** The unit of one port. */
function unitOf ({ systemd, port }) {
  return systemd.unit.replace('@.', `@${port}.`)
}

/** Runs systemctl, or another of systemd's programs. -> its output. @throws UC_DEPLOY_SYSTEMD */
function call ({ scope, sudo }, args, program = 'systemctl') {
  const [file, ...rest] = [...(sudo ? ['sudo', '-n'] : []), program, ...(scope === 'user' ? ['--user'] : []), ...args]
  // Sessions without PAM do not say where the user's own systemd is.
  const env = { XDG_RUNTIME_DIR: `/run/user/${process.getuid()}`, ...process.env, LC_ALL: 'C', SYSTEMD_PAGER: '' }
  try {
    return execFileSync(file, rest, { env, encoding: 'utf8', timeout: COMMAND_MS, maxBuffer: BYTES, stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (cause) {
    const lines = String(cause.stderr ?? '').split('\n').filter(Boolean).slice(-20)
    throw new DeployError('UC_DEPLOY_SYSTEMD', `${[file, ...rest].join(' ')} failed: ${lines[0] ?? cause.message}`, {
      lines,
      hint: scope === 'system' && !sudo && process.getuid() !== 0
        ? 'systemd: { sudo: true } and a line of sudoers that allows these commands, or scope: \'user\''
        : undefined,
      cause
    })
  }
}

/** @returns {object} properties of a unit, as text */
function show (spec, names) {
  const text = call(spec.systemd.scope === 'system' ? { ...spec.systemd, sudo: false } : spec.systemd, ['show', unitOf(spec), ...names.flatMap((name) => ['-p', name])])
  return Object.fromEntries(text.trim().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

/** Whether `launcher: 'auto'` means systemd: it runs this host, has our unit, and keeps it without a login. */
function isUsable ({ config, facts }) {
  if (!fs.existsSync('/run/systemd/system')) return false
  const { systemd } = config
  if (systemd.scope === 'user' && !fs.existsSync(`/var/lib/systemd/linger/${facts.user}`)) return false
  try {
    return show({ systemd, port: 0 }, ['LoadState']).LoadState === 'loaded'
  } catch {
    return false
  }
}

/** Starts the unit of a slot. */
async function start (ctx, slot) {
  const spec = disk.readJson(slot)
  const unit = unitOf(spec)
  const found = show(spec, ['LoadState', 'ExecStart', 'TimeoutStopUSec'])
  if (found.LoadState !== 'loaded') {
    throw new DeployError('UC_DEPLOY_SYSTEMD', `systemd has no unit ${spec.systemd.unit} (${spec.systemd.scope})`, {
      hint: 'npx undercroft deploy init writes one; its first lines say where it goes. Then: systemctl daemon-reload'
    })
  }
  for (const warning of differences(spec, found)) ctx.event?.({ warning })
  disk.writeAtomic(portFile(slot, spec, '.env'), environmentFile(spec.env), { mode: 0o600 })
  linkAtomic(spec.cwd, portFile(slot, spec, ''))
  forget(spec)
  try {
    call(spec.systemd, ['start', unit])
  } catch (err) {
    throw new DeployError(err.code, err.message, { hint: err.hint, lines: lines(slot), cause: err })
  }
}

// The unit was written once, and the configuration has been changed since.
function differences ({ systemd: { unit }, command, drainMs, killMs }, { ExecStart, TimeoutStopUSec }) {
  const again = 'deploy init --force writes the unit anew; install it, systemctl daemon-reload'
  const args = command.slice(1).join(' ')
  const started = /argv\[\]=(.*?) ;/.exec(ExecStart)?.[1]
  const out = []
  if (started !== undefined && !started.replace(/["']/g, '').endsWith(args.replace(/["']/g, ''))) out.push(`${unit} starts '${started}', and deploy.config.js says '${args}': ${again}`)
  if (milliseconds(TimeoutStopUSec) < drainMs + killMs) out.push(`${unit} is killed ${TimeoutStopUSec} after SIGTERM, and drainMs and killMs are ${drainMs + killMs} ms: ${again}`)
  return out
}

const UNITS = { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** '1min 40s' -> 100000; what is no time, such as infinity, is one that does not end. */
function milliseconds (text = '') {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|min|h|d)\b/g)]
  return parts.length === 0 ? Infinity : parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit], 0)
}

function portFile (slot, { port }, suffix) {
  return path.join(path.dirname(slot), `${port}${suffix}`)
}

/** In double quotes nothing but these four signs has a meaning (systemd.exec(5), EnvironmentFile). */
function environmentFile (env) {
  return Object.entries(env)
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    .map(([name, value]) => `${name}="${value.replace(/["\\`$]/g, '\\$&')}"\n`).join('')
}

const STATE = ['ActiveState', 'MainPID', 'NRestarts', 'ControlGroup', 'Result', 'ExecMainCode', 'ExecMainStatus',
  'ExecMainStartTimestamp', 'ExecMainStartTimestampMonotonic', 'ExecMainExitTimestampMonotonic']

/** As in process.js. */
function look (slot) {
  const spec = disk.readJson(slot)
  if (spec === null) return { alive: false, supervised: false, pid: null, pids: [], restarts: 0, exit: null, since: null }
  const found = show(spec, STATE)
  const pid = Number(found.MainPID)
  const alive = pid > 0 && proc.birth(pid) !== null && ['active', 'reloading', 'deactivating'].includes(found.ActiveState)
  return {
    alive,
    supervised: true,
    pid: alive ? pid : null,
    pids: alive ? [...new Set([...proc.tree([pid]), ...groupOf(found.ControlGroup)])] : [],
    restarts: Number(found.NRestarts),
    exit: alive ? null : exitOf(found),
    since: found.ExecMainStartTimestamp
  }
}

// Codes of si_code: CLD_EXITED, CLD_KILLED, CLD_DUMPED (sigaction(2)).
function exitOf ({ ExecMainCode: how, ExecMainStatus: status, ExecMainStartTimestampMonotonic: from, ExecMainExitTimestampMonotonic: to }) {
  if (how === '0') return null
  const ranMs = Math.round((Number(to) - Number(from)) / 1000)
  if (how === '1') return { code: Number(status), signal: null, ranMs }
  return { code: null, signal: Object.keys(signals).find((name) => signals[name] === Number(status)) ?? `signal ${status}`, ranMs }
}

/** The processes of the service's control group, also those that left its tree. */
function groupOf (group) {
  for (const root of ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']) {
    try {
      return fs.readFileSync(path.join(root, group, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean).map(Number)
    } catch {
      // Another version of control groups, or the service has ended.
    }
  }
  return []
}

/** As in process.js. The unit's own TimeoutStopSec holds as well, should this agent be gone. */
async function stop (slot, { drainMs, killMs }) {
  const began = Date.now()
  const spec = disk.readJson(slot)
  if (spec === null) return { how: 'gone', ms: 0 }
  const unit = unitOf(spec)
  const before = look(slot)
  // Without the unit nothing can have been started from it.
  if (show(spec, ['LoadState']).LoadState !== 'loaded') return over(slot, spec, { how: 'gone', ms: 0 })
  call(spec.systemd, ['stop', '--no-block', unit])
  const isOver = () => ['inactive', 'failed'].includes(show(spec, ['ActiveState']).ActiveState)
  let how = before.alive ? 'exited' : 'gone'
  let open
  if (!await within(drainMs + killMs, isOver)) {
    how = 'killed'
    open = connectionsOf(look(slot).pids, spec.port, spec.socket)
    call(spec.systemd, ['kill', '--kill-who=all', '--signal=SIGKILL', unit])
    if (!await within(EXTRA_MS, isOver)) throw new DeployError('UC_DEPLOY_STUCK', `${unit} did not end after SIGKILL`)
  }
  const found = show(spec, STATE)
  if (found.Result === 'timeout') how = 'killed'
  const exit = exitOf(found)
  // What failed is forgotten: the port is the next release's.
  forget(spec)
  return over(slot, spec, { how, ms: Date.now() - began, code: exit?.code, signal: exit?.signal, open })
}

function over (slot, spec, result) {
  for (const file of [slot, portFile(slot, spec, '.env'), portFile(slot, spec, '')]) fs.rmSync(file, { force: true })
  return result
}

function forget (spec) {
  try {
    call(spec.systemd, ['reset-failed', unitOf(spec)])
  } catch {
    // The unit has not been loaded yet, and so has not failed.
  }
}

/** The last lines of the journal since the unit was started. */
function lines (slot, count = 20) {
  const spec = disk.readJson(slot)
  if (spec === null) return []
  try {
    const { InvocationID: id } = show(spec, ['InvocationID'])
    // What a member of systemd-journal may read needs no sudo, and sudo does not allow it.
    const text = call({ ...spec.systemd, sudo: false }, ['--no-pager', '--quiet', '-o', 'cat', '-n', String(count), `_SYSTEMD_INVOCATION_ID=${id}`], 'journalctl')
    return text.trimEnd() === '' ? [] : text.trimEnd().split('\n').map((line) => line.slice(0, 2000))
  } catch {
    return [`the journal of ${unitOf(spec)} cannot be read by this user`]
  }
}

/** systemd starts the units of a side after a reboot, too. */
async function enable (ctx, side) {
  await rearrange(ctx, [], portsOf(side))
}

/**
 * After a reboot systemd starts the units of the release that serves, and none on the other ports.
 * @param {object} ctx
 * @param {object} active
 * @param {object|null} old  whose ports may not be in the configuration any more
 */
async function keep (ctx, active, old) {
  const mine = portsOf(active)
  const others = new Set([...ctx.config.ports, ...portsOf(old)].filter((port) => !mine.includes(port)))
  await rearrange(ctx, [...others], mine)
}

function portsOf (side) {
  return side?.launcher === 'systemd' ? side.instances.map(({ port }) => port) : []
}

// One by one, and only what has to change: what sudo has to allow names one unit each.
async function rearrange (ctx, without, withIt) {
  const { systemd } = ctx.config
  const isEnabled = (port) => show({ systemd, port }, ['UnitFileState']).UnitFileState === 'enabled'
  const tell = (verb, port) => call(systemd, [verb, '--quiet', unitOf({ systemd, port })])
  try {
    for (const port of withIt) if (!isEnabled(port)) tell('enable', port)
    for (const port of without) if (isEnabled(port)) tell('disable', port)
  } catch (err) {
    ctx.event({ warning: `after a reboot the service will not be started as it is now: ${err.message}` })
  }
}

module.exports = { enable, isUsable, keep, lines, look, start, stop }
