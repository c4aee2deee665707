'use strict'

// What graceful() is told: by its options, else by the environment that a deployment
// sets, else the defaults of a laptop.

const { UndercroftError, expected } = require('../base/errors')
const { known: instead } = require('../base/did-you-mean')

// sun_path of unix(7) has 108 bytes, the last of them NUL.
const SOCKET_BYTES = 107

const known = new Set(['store', 'log', 'port', 'host', 'socket', 'socketMode', 'drainMs', 'acceptMs', 'idleMs', 'health', 'signals', 'exit'])

/**
 * @param {object} given see lib/types/graceful.d.ts
 * @param {{ port?: number, host?: string }} own of the target: weaker than the environment, which a
 *   deployment sets, stronger than the defaults
 * @throws {UndercroftError} UC_OPTION, naming the option or the variable
 */
function readOptions (given, own, env = process.env) {
  if (typeof given !== 'object' || given === null) throw expected('UC_OPTION', 'graceful', 'an object of options', given)
  const wrong = Object.keys(given).find(name => !known.has(name))
  if (wrong !== undefined) {
    throw new UndercroftError('UC_OPTION', `graceful: there is no option '${wrong}'; ${instead(wrong, [...known])}`)
  }
  const drainMs = pick(given.drainMs, 'drainMs', env, 'UNDERCROFT_DRAIN_MS', whole(0, 86_400_000)) ?? 30_000
  return {
    port: pick(given.port, 'port', env, 'PORT', whole(0, 65_535)) ?? own.port ?? 4000,
    host: pick(given.host, 'host', env, 'HOST', text) ?? own.host ?? '127.0.0.1',
    socket: given.socket === null ? null : pick(given.socket, 'socket', env, 'UNDERCROFT_SOCKET', socketPath) ?? null,
    // By the environment too: a service that crashed is started again without its deployment, which would set it.
    socketMode: pick(given.socketMode, 'socketMode', env, 'UNDERCROFT_SOCKET_MODE', mode) ?? 0o666,
    drainMs,
    acceptMs: check(given.acceptMs, 'acceptMs', whole(0, drainMs)) ?? Math.floor(drainMs / 2),
    idleMs: check(given.idleMs, 'idleMs', whole(0, 86_400_000)) ?? 6000,
    health: check(given.health, 'health', urlPath) ?? null,
    signals: given.signals === undefined ? ['SIGTERM', 'SIGINT'] : signals(given.signals),
    exit: check(given.exit, 'exit', flag) ?? true,
    log: check(given.log, 'log', logger) ?? null,
    stores: [given.store ?? []].flat().map(store => check(store, 'store', closable))
  }
}

function pick (value, name, env, variable, kind) {
  if (value !== undefined && value !== null) return check(value, name, kind)
  if (env[variable] === undefined || env[variable] === '') return undefined
  return check(kind.fromText ? kind.fromText(env[variable]) : env[variable], `the environment variable ${variable}`, { ...kind, what: kind.asText ?? kind.what })
}

function check (value, name, kind) {
  if (value === undefined || value === null) return undefined
  if (!kind.is(value)) throw expected('UC_OPTION', `graceful: ${name}`, kind.what, value)
  return value
}

function whole (min, max) {
  return {
    what: `a whole number from ${min} to ${max}`,
    is: value => Number.isInteger(value) && value >= min && value <= max,
    // What is no number stays what it was, for the message.
    fromText: value => /^\d+$/.test(value) ? Number(value) : value
  }
}

// Octal as text, as chmod(1) has it; as a number it is one.
const mode = {
  ...whole(0, 0o777),
  asText: 'an octal mode such as 0660',
  fromText: value => /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : value
}
const text = { what: 'a name or an address', is: value => typeof value === 'string' && value !== '' }
const flag = { what: 'true or false', is: value => typeof value === 'boolean' }
const urlPath = { what: "a path such as '/health'", is: value => typeof value === 'string' && value.startsWith('/') }
const logger = {
  what: 'a logger with info() and warn(), such as store.log',
  is: value => typeof value.info === 'function' && typeof value.warn === 'function'
}
const closable = { what: 'something with close(), such as what open() returns', is: value => typeof value?.close === 'function' }
const socketPath = {
  what: `the path of a unix socket, of at most ${SOCKET_BYTES} bytes`,
  is: value => typeof value === 'string' && value !== '' && !value.includes('\0') && Buffer.byteLength(value) <= SOCKET_BYTES
}

function signals (value) {
  if (value === false) return []
  if (Array.isArray(value) && value.every(name => /^SIG[A-Z0-9]+$/.test(name))) return value
  throw expected('UC_OPTION', 'graceful: signals', "false, or an array such as ['SIGTERM', 'SIGINT']", value)
}

module.exports = { readOptions }
