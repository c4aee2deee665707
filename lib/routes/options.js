'use strict'

// The options of store.routes, checked; each message names the field.

const { UndercroftError, expected, describe } = require('../base/errors')
const { known } = require('../base/did-you-mean')
const { ProxyTrust, isProxy } = require('../base/peer')

const MiB = 1024 * 1024
const DAY = 24 * 60 * 60 * 1000
const ORIGINS_MOST = 1000

const table = Object.freeze({
  __proto__: null,
  statuses: { value: 'plain', read: readStatuses },
  bodyMost: { value: MiB, read: whole(0, 64 * MiB) },
  origins: { value: Object.freeze([]), read: readOrigins },
  cacheBytes: { value: 8 * MiB, read: whole(0, 1024 * MiB) },
  check: { value: false, read: flag },
  inline: { value: true, read: flag },
  timeoutMs: { value: undefined, read: whole(1, DAY) },
  trustProxy: { value: readTrust('unix'), read: readTrust },
  user: { value: null, read: readFunction },
  log: { value: null, read: readLogger },
  audit: { value: true, read: flag },
  watch: { value: false, read: flag }
})

/**
 * @param {object} [options]
 * @returns {object} every option of the table; a fresh object
 * @throws {UndercroftError} UC_OPTION
 */
function readOptions (options = {}) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw expected('UC_OPTION', 'routes: options', 'an object', options)
  for (const name of Object.keys(options)) {
    if (table[name] === undefined) throw new UndercroftError('UC_OPTION', `routes: unknown option ${describe(name)}; ${known(name, Object.keys(table))}`)
  }
  const out = {}
  for (const [name, { value, read }] of Object.entries(table)) {
    out[name] = options[name] === undefined ? value : read(options[name], `routes: option ${name}`)
  }
  return out
}

function readStatuses (v, what) {
  if (v === 'plain' || v === 'fine') return v
  throw expected('UC_OPTION', what, "'plain' or 'fine'", v)
}

function whole (min, max) {
  return (v, what) => {
    if (Number.isInteger(v) && v >= min && v <= max) return v
    throw expected('UC_OPTION', what, `an integer from ${min} to ${max}`, v)
  }
}

function flag (v, what) {
  if (typeof v === 'boolean') return v
  throw expected('UC_OPTION', what, 'true or false', v)
}

function readTrust (v, what) {
  const names = v === false ? [] : [v].flat()
  const wrong = names.findIndex((name) => !isProxy(name))
  if (wrong < 0) return new ProxyTrust(names)
  throw expected('UC_OPTION', what, "'loopback', 'unix', a network such as '10.0.0.0/8', a list of them, or false", names[wrong])
}

function readFunction (v, what) {
  if (typeof v === 'function' || v === null) return v
  throw expected('UC_OPTION', what, 'a function: (request) => ({ user, roles })', v)
}

function readLogger (v, what) {
  if (v === null || v === false) return null
  if (v === true || (typeof v?.info === 'function' && typeof v.warn === 'function' && typeof v.error === 'function')) return v
  throw expected('UC_OPTION', what, 'a logger, such as store.log, or true', v)
}

// As browsers write them: scheme, host, and a port that is not the scheme's own.
function readOrigins (v, what) {
  if (!Array.isArray(v) || v.length > ORIGINS_MOST) throw expected('UC_OPTION', what, `a list of at most ${ORIGINS_MOST} origins`, v)
  return v.map((origin, i) => {
    if (typeof origin === 'string' && originOf(origin) === origin) return origin
    throw expected('UC_OPTION', `${what}[${i}]`, "an origin such as 'https://shop.example' (never '*')", origin)
  })
}

function originOf (text) {
  if (!/^https?:\/\//.test(text)) return null
  try {
    return new URL(text).origin
  } catch {
    return null
  }
}

module.exports = { readOptions }
