'use strict'

// npx undercroft deploy status: one line for each instance, and what is unusual below.

const { bytes, duration, table } = require('../lib/base/format')
const { eachHost } = require('./hosts')
const { printable } = require('./report')

const ASK_MS = 30_000

const HEAD = ['host', 'release', 'port', 'pid', 'uptime', 'health', 'memory', 'launcher', 'kept', 'disk free']

/**
 * @param {object} config of load()
 * @param {object} options { host }
 * @param {object} io { report, … } as eachHost takes it
 * @returns {Promise<{ hosts: object[], failed: boolean }>} failed: a host could not be asked, or is not well
 */
async function status (config, options, io) {
  const found = await eachHost(config, { host: options.host, lock: false, goOn: true }, io, ({ call }) => call('status', {}, { timeoutMs: ASK_MS }))
  const hosts = found.map(({ host, value, error }) => ({ host, ...(error ? { error: error.toJSON?.() ?? { message: error.message } } : value) }))
  const failed = hosts.some((one) => !isWell(one))
  io.report.answer({ hosts, ok: !failed }, text(hosts))
  return { hosts, failed }
}

function isWell ({ error, active, damage }) {
  return error === undefined && damage === null && active !== null && (active.reached ?? 'all') === 'all' &&
    active.instances.every(({ alive, health }) => alive && health.ok)
}

function text (hosts) {
  return [table(HEAD, hosts.flatMap(rows)), ...hosts.flatMap(notes)].map(line => line.split('\n').map(printable).join('\n')).join('\n')
}

function rows (one) {
  const { host, error, active, releases, disk } = one
  if (error !== undefined) return [[host, 'no answer', ...Array(HEAD.length - 2).fill('–')]]
  const kept = releases.length
  const free = bytes(disk.free)
  if (active === null) return [[host, 'nothing runs', ...Array(HEAD.length - 4).fill('–'), kept, free]]
  return active.instances.map(({ port, pid, uptimeMs, health, memory, alive }) => [
    host, active.release, port, pid ?? '–', uptimeMs === null ? '–' : duration(uptimeMs),
    health.ok ? `ok, ${health.ms} ms` : alive ? 'FAILS' : 'DOWN', memory === 0 ? '–' : bytes(memory), active.launcher, kept, free
  ])
}

function notes ({ host, error, active, releases, deploying, interrupted, damage, daemon, draining, incomplete, audit }) {
  const out = []
  const note = (line) => out.push(`${host}: ${line}`)
  if (error !== undefined) {
    note(`${error.message} (${error.code ?? 'UC_DEPLOY_INTERNAL'})`)
    if (error.hint) note(`  -> ${error.hint}`)
    return out
  }
  if (damage !== null) note(damage)
  for (const { port, health, restarts } of active?.instances ?? []) {
    if (!health.ok) note(`port ${port} is not well: ${health.reason}`)
    if (restarts > 0) note(`port ${port} has been restarted ${restarts} ${restarts === 1 ? 'time' : 'times'} after it ended by itself`)
  }
  if (active !== null && active.reached !== null && active.reached !== 'all') note('the gateway\'s sockets do not lead to this release: start it again (deploy:start)')
  if (daemon !== null) note(daemon.alive ? `undercroftd runs (pid ${daemon.pid}, ${bytes(daemon.memory)})` : 'undercroftd does NOT run')
  if (deploying !== null) note(`${deploying.who} deploys since ${deploying.since} (${[deploying.action, deploying.stage].filter(Boolean).join(', ')})`)
  if (interrupted !== null) note(`a deployment of ${interrupted.release} was interrupted${interrupted.stage ? ` at '${interrupted.stage}'` : ''}: the next one ${interrupted.switched ? 'finishes' : 'undoes'} it`)
  if (draining.length > 0) {
    note(deploying !== null ? `still draining: ${draining.join(', ')}` : `an interrupted deployment has left ${draining.join(', ')}, which runs idle: the next one ends it`)
  }
  const kept = releases.map(({ id }) => id).filter((id) => id !== active?.release)
  if (kept.length > 0) note(`kept, for deploy:rollback -- <release>: ${kept.join(', ')}`)
  if (incomplete.length > 0) note(`incomplete: ${incomplete.join(', ')}; the same upload again completes it`)
  if (audit !== null) note(`last: ${audit.action} ${audit.result ?? ''} by ${audit.who} at ${audit.at}${audit.release ? `, release ${audit.release}` : ''}`)
  return out
}

module.exports = { status }
