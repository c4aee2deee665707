'use strict'

// Every field of deploy.config.js: what it may be and what it is when it is not given. config.js puts
// them together; the table in deploy/README.md is compared with this one by a test.

const os = require('node:os')
const path = require('node:path')
const { Patterns } = require('./files/glob')
const { userName } = require('./who')
const { choice, flag, isPlain, list, map, object, or, text, whole } = require('./schema')

const MINUTE = 60_000
const HOUR = 60 * MINUTE

// A unix socket's name has room for 107 bytes (unix(7)); the longest one that is made there is
// <folder>/run/20261123-112839-0123abcd-99.65535.sock.
const FOLDER_BYTES = 107 - '/run/20261123-112839-0123abcd-99.65535.sock'.length

// Hosts on the way to a host.
const JUMPS = 8

// What the deployment itself tells a service; see deploy/README.md.
const GIVEN = /^(PORT|HOST|UNDERCROFT_.*)$/

// So long a hook may take, unless a command says otherwise.
const HOOK_MS = 10 * MINUTE

const HOOKS = ['beforeUpload', 'afterUpload', 'beforeStart', 'afterSwitch', 'afterStart']

// ---- checks of single values ------------------------------------------------------------------

const filled = text('text', /./)

/** An absolute path without detours on a host; not the root itself. */
function absolute (value, at) {
  if (typeof value !== 'string' || !/^\/[^\0\r\n]+$/.test(value)) return at.expected('an absolute path such as "/srv/shop"', value)
  const clean = path.posix.normalize(value).replace(/\/$/, '')
  if (value.split('/').includes('..') || clean === '') return at.expected('an absolute path without ".."', value)
  return clean
}

function folder (value, at) {
  const clean = absolute(value, at)
  if (clean === undefined) return undefined
  const bytes = Buffer.byteLength(clean)
  if (bytes > FOLDER_BYTES) {
    return at.wrong(`expected a path of at most ${FOLDER_BYTES} bytes, as unix sockets are made in it; it has ${bytes}`)
  }
  return clean
}

/** A command: a list of arguments, run without a shell, or a line for sh -c. */
function command (value, at) {
  if (typeof value === 'string' && value.trim() !== '' && !value.includes('\0')) return value
  if (Array.isArray(value) && value.length > 0 && value[0] !== '' && Array.from(value).every((part) => typeof part === 'string' && !part.includes('\0'))) return [...value]
  return at.expected("a command: a list such as ['npm', 'ci'], or a line for the shell", value)
}

/** A command alone, or an object with it and more about it. */
function work (fields, { functions = false } = {}) {
  const full = object({ command: { check: command, required: "a list such as ['npm', 'ci'], or a line for the shell" }, ...fields })
  return (value, at) => {
    if (functions && typeof value === 'function') return value
    return isPlain(value) ? full(value, at) : full({ command: value }, wrapped(at))
  }
}

// A command given alone is named by the field itself, not by a member it does not have.
function wrapped (at) {
  return { in: () => at }
}

const where = (value) => ({ check: choice('here', 'there'), value })
const timeout = (value) => ({ check: whole(1, 24 * HOUR), value })

/** '~/x' is in the home of who deploys. */
function local (value, at) {
  const name = filled(value, at)
  return name === undefined ? undefined : name.replace(/^~(?=\/|$)/, os.homedir())
}

/** A pattern of `include` or `ignore`: what is wrong with it is told here, not after the build. */
function pattern (value, at) {
  const found = filled(value, at)
  if (found === undefined) return undefined
  try {
    return new Patterns([found], at.path) && found
  } catch (err) {
    return at.wrong(`${JSON.stringify(found)}: ${err.details.why}`)
  }
}

// ---- ssh --------------------------------------------------------------------------------------

// Host names as resolvers take them, IPv4 and IPv6, and the aliases that people write into /etc/hosts.
const HOST = /^(?!-)[A-Za-z0-9._:%-]{1,255}$/
const USER = /^(?!-)[A-Za-z0-9._@\\$-]{1,64}$/

const fingerprint = text('a fingerprint such as "SHA256:…" (ssh-keygen -lf), or a public key "ssh-ed25519 AAAA…"',
  /^(SHA256:[A-Za-z0-9+/]{43}=?|(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}( .*)?)$/)

/** 'user@host:port', 'user@[::1]:22' or an object -> an object. */
function address (value, at) {
  if (typeof value !== 'string') return isPlain(value) ? value : at.expected('"user@host", "user@host:port" or an object such as { host, user, port }', value)
  const match = /^(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^:\s]+)|([0-9A-Fa-f:.]*::[0-9A-Fa-f:.]*))(?::(\d+))?$/.exec(value)
  if (match === null) return at.expected('"user@host", "user@host:port" or an object such as { host, user, port }', value)
  const [, user, inBrackets, plain, ipv6, port] = match
  return { host: inBrackets ?? plain ?? ipv6, ...(user && { user }), ...(port && { port: Number(port) }) }
}

const way = {
  user: { check: text('the name of a user', USER), value: userName },
  port: { check: whole(1, 65535), value: 22 },
  key: { check: or(local, null), value: null },
  hostKey: { check: or((value, at) => Array.isArray(value) ? list(fingerprint, { min: 1 })(value, at) : fingerprint(value, at), null), value: null }
}

const host = { check: text('the name or the address of a host', HOST), required: 'the name or the address of a host' }

// What a host on the way does not say of itself is as for the host behind it.
const jumpFields = object({ host, ...way, user: { ...way.user, value: null } })

/** One host on the way or several, in the order in which they are passed; as text with commas as ssh -J has them. */
function jump (value, at) {
  const parts = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value
  if (Array.isArray(parts) && parts.length > 0 && parts.length <= JUMPS) {
    return parts.map((part, i) => hop(part, typeof value === 'string' ? at : at.in(i)))
  }
  return isPlain(value) ? [hop(value, at)] : at.expected(`a host such as "deploy@bastion.example.com", or a list of one to ${JUMPS}`, value)
}

function hop (value, at) {
  const parts = address(value, at)
  return parts === undefined ? undefined : jumpFields(parts, at)
}

/** What can be said of all hosts in `ssh` and of one in its entry. */
const ssh = {
  ...way,
  agent: { check: (value, at) => typeof value === 'boolean' ? value : local(value, at), value: true },
  knownHosts: { check: local, value: () => path.join(os.homedir(), '.ssh/known_hosts') },
  jump: { check: or(jump, null), value: null },
  connectTimeoutMs: { check: whole(100, 10 * MINUTE), value: 10_000 },
  keepaliveMs: { check: whole(1000, 10 * MINUTE), value: 10_000 }
}

// ---- the service ------------------------------------------------------------------------------

function ports (value, at) {
  const found = list(whole(1, 65535), { min: 2, max: 256, what: 'a list of ports' })(value, at)
  if (found !== undefined && new Set(found).size < found.length) return at.wrong('the same port is in it twice')
  return found
}

function start (value, at) {
  if (isPlain(value)) return object({ command: { check: list(filled, { min: 1, what: "a list such as ['./server', '--quiet']" }), required: 'the program and its arguments' } })(value, at)
  return list(filled, { min: 1, what: "a list such as ['server.js'], the arguments of the runtime, or { command: [program, …] }" })(value, at)
}

const runtimeFields = object({
  name: { check: choice('node', 'bun'), required: "'node' or 'bun'" },
  path: { check: absolute, value: (out) => out.name }
})

/** 'node', 'bun' or { name, path } -> { name, path }; a path that is a mere name is looked up in PATH. */
function runtime (value, at) {
  if (isPlain(value)) return runtimeFields(value, at)
  const name = choice('node', 'bun')(value, at)
  return name === undefined ? undefined : { name, path: name }
}

const health = object({
  path: { check: text('a path such as "/health"', /^\/[\x21-\x7e]*$/), value: '/health' },
  status: { check: whole(100, 599), value: 200 },
  timeoutMs: { check: whole(100, HOUR), value: 30_000 },
  everyMs: { check: whole(10, MINUTE), value: 250 },
  successes: { check: whole(1, 100), value: 2 }
})

const gateway = object({
  file: { check: local, required: 'the configuration of the gateway, here' },
  to: { check: absolute, required: 'where it belongs on the host' },
  test: { check: command, value: () => ['sudo', '-n', 'nginx', '-t'] },
  reload: { check: command, value: () => ['sudo', '-n', 'nginx', '-s', 'reload'] }
})

const migrations = work({
  when: { check: choice('before-start', 'before-switch'), value: 'before-start' },
  once: { check: choice('per-host', 'first-host'), value: 'per-host' },
  timeoutMs: timeout(10 * MINUTE)
})

function inside (example) {
  return text(`a path in the folder such as "${example}"`, /^(?!\/)(?!.*(^|\/)\.\.(\/|$))./)
}

const daemon = object({
  db: { check: filled, required: 'the database that it serves, such as "$SHARED/app.db"' },
  args: { check: list(filled), value: () => [] },
  socket: { check: inside('run/undercroft.sock'), value: 'run/undercroft.sock' },
  routes: { check: or(inside('routes'), null), value: null },
  http: { check: inside('run/http.sock'), value: 'run/http.sock' }
})

const env = object({
  file: { check: or(local, null), value: null },
  set: { check: variables, value: () => ({}) }
})

function variables (value, at) {
  const out = map(/^[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and _', (item, at) =>
    ['string', 'number', 'boolean'].includes(typeof item) && !String(item).includes('\0') ? String(item) : at.expected('text, a number or a boolean', item))(value, at)
  for (const name of Object.keys(out ?? {})) {
    if (GIVEN.test(name)) at.in(name).wrong('is given to each instance by the deployment')
  }
  return out
}

function socketMode (value, at) {
  const mode = typeof value === 'string' && /^0?[0-7]{3}$/.test(value) ? parseInt(value, 8) : value
  return Number.isInteger(mode) && mode >= 0o600 && mode <= 0o777 ? mode : at.expected('a mode such as "0660"', value)
}

const hooks = object(Object.fromEntries(HOOKS.map((name) =>
  [name, { check: or(work({ where: where('here'), timeoutMs: timeout(HOOK_MS) }, { functions: true }), null), value: null }])))

const places = (value, at) => Array.isArray(value) ? list(filled, { min: 1 })(value, at) : [filled(value, at)]

const logs = object({
  application: { check: or(places, null), value: () => ['shared/logs'] },
  gateway: { check: or(places, null), value: null },
  to: { check: local, value: './server-logs' }
})

// Without a name of its own the unit is called after the app.
const systemd = object({
  scope: { check: choice('user', 'system'), value: 'user' },
  sudo: { check: flag, value: false },
  unit: { check: or(text('the name of a template such as "shop@.service"', /^[A-Za-z0-9_.-]+@\.service$/), null), value: null }
})

const build = { where: where('here'), timeoutMs: timeout(30 * MINUTE) }

/** What is the same for all hosts. `hosts` and `install`, which depend on more, are config.js's. */
const common = {
  app: { check: text('a name of small letters, digits and "-"', /^[a-z0-9][a-z0-9-]{0,40}$/), required: 'a name such as "shop"' },
  source: { check: local, value: '.' },
  include: { check: list(pattern, { min: 1, what: "a list of patterns such as ['dist/**']" }), value: () => ['**'] },
  ignore: { check: list(pattern, { what: "a list of patterns such as ['test/**']" }), value: () => [] },
  build: { check: or(work(build), null), value: null },
  migrations: { check: or(migrations, null), value: null },
  order: { check: choice('one', 'all'), value: 'one' },
  hooks: { check: hooks, value: () => hooks({}, null) }
}

/** What a host's own entry may say otherwise. */
const perHost = {
  folder: { check: folder },
  env: { check: env, value: () => env({}, null) },
  ports: { check: ports },
  instances: { check: whole(1, 64), value: 1 },
  start: { check: start, required: "such as ['server.js'], the arguments of the runtime" },
  runtime: { check: runtime, value: () => ({ name: 'node', path: 'node' }) },
  launcher: { check: choice('auto', 'systemd', 'process'), value: 'auto' },
  systemd: { check: systemd, value: () => systemd({}, null) },
  health: { check: health, value: () => health({}, null) },
  switch: { check: choice('socket', 'ports'), value: 'socket' },
  socketMode: { check: socketMode, value: 0o666 },
  watchMs: { check: whole(0, HOUR), value: 10_000 },
  drainMs: { check: whole(0, HOUR), value: 30_000 },
  killMs: { check: whole(0, 10 * MINUTE), value: 5_000 },
  gateway: { check: or(gateway, null), value: null },
  daemon: { check: or(daemon, null), value: null },
  keep: { check: whole(1, 1000), value: 5 },
  logs: { check: logs, value: () => logs({}, null) }
}

const install = work({ timeoutMs: timeout(10 * MINUTE) })

module.exports = { HOOK_MS, address, common, host, install, perHost, ssh }
