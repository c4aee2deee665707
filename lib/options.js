'use strict'

// Every option of `open` and of single calls: defaults, limits, the name the
// core knows it by. Unknown keys throw, and each message names the field.

const { statSync } = require('node:fs')
const path = require('node:path')
const { fileURLToPath } = require('node:url')
const { UndercroftError, expected, describe } = require('./errors')
const { INTEGERS } = require('./codec/cell')

const MiB = 1024 * 1024
const DAY = 24 * 60 * 60 * 1000

// name -> type, default, bounds, and the core's name for it (`wire`).
// Times are milliseconds and end in Ms, sizes are bytes and end in Bytes.
const table = Object.freeze({
  __proto__: null,
  readonly: { type: 'boolean', value: false, wire: 'readonly' },
  create: { type: 'boolean', value: true, wire: 'create' },
  readers: { type: 'integer', value: 0, min: 0, max: 64, wire: 'readers' },
  cursors: { type: 'integer', value: 8, min: 1, max: 256, wire: 'cursors' },
  synchronous: { type: 'choice', value: 'full', of: ['off', 'normal', 'full', 'extra'], wire: 'synchronous' },
  busyTimeoutMs: { type: 'integer', value: 5000, min: 0, max: DAY, wire: 'busy_ms' },
  transactionTimeoutMs: { type: 'integer', value: 10000, min: 1, max: DAY, wire: 'tx_ms' },
  turnSnapshotMs: { type: 'integer', value: 10, min: 0, max: 10000, wire: 'snapshot_turn_ms' },
  maxQueue: { type: 'integer', value: 10000, min: 1, max: 1000000, wire: 'max_queue' },
  statementCache: { type: 'integer', value: 512, min: 1, max: 32768, wire: 'stmt_cache' },
  maxRows: { type: 'integer', value: 1000000, min: 1, max: 0xffffffff, wire: 'max_rows' },
  maxReplyBytes: { type: 'integer', value: 256 * MiB, min: 1024, max: 2048 * MiB - 1, wire: 'max_bytes' },
  walCapBytes: { type: 'integer', value: 1024 * MiB, min: MiB, max: Number.MAX_SAFE_INTEGER, wire: 'wal_cap' },
  walCheckpointBytes: { type: 'integer', value: 4 * MiB, min: 4096, max: Number.MAX_SAFE_INTEGER, wire: 'wal_checkpoint' },
  pageBytes: { type: 'integer', value: 32768, min: 512, max: 16 * MiB, wire: 'page_bytes' },
  onceTtlMs: { type: 'integer', value: DAY, min: 1, max: 365 * DAY, wire: 'once_ttl_ms' },
  timeoutMs: { type: 'integer', value: 30000, min: 0, max: DAY, wire: 'timeout_ms' },
  pragmas: { type: 'pragmas', value: null, wire: 'pragmas' },
  attach: { type: 'attach', value: null, wire: 'attach' },
  integers: { type: 'choice', value: 'number', of: INTEGERS, wire: null },
  stacks: { type: 'boolean', value: false, wire: null }
})

const defaults = Object.freeze(Object.fromEntries(
  Object.entries(table).map(([name, row]) => [name, row.value])))

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Checks the options of `open` and fills in the defaults.
 *
 * @param {object} [options]
 * @returns {object} every option of the table; a fresh object
 * @throws {UndercroftError} UC_OPTION, UC_OPTIONS_CONFLICT
 */
function normalise (options) {
  const out = { ...defaults }
  if (options === undefined) return out
  if (!isPlain(options)) throw expected('UC_OPTION', 'options', 'an object', options)
  for (const name of Object.keys(options)) {
    const row = table[name]
    if (row === undefined) {
      throw new UndercroftError('UC_OPTION',
        `unknown option ${describe(name)}; known are ${Object.keys(table).join(', ')}`)
    }
    if (options[name] !== undefined) out[name] = check(name, row, options[name])
  }
  if (out.readonly && options.create === true) {
    throw new UndercroftError('UC_OPTIONS_CONFLICT', 'options readonly and create exclude each other')
  }
  if (out.readonly) out.create = false
  return out
}

function check (name, row, value) {
  switch (row.type) {
    case 'boolean':
      if (typeof value === 'boolean') return value
      throw expected('UC_OPTION', `option ${name}`, 'true or false', value)
    case 'integer':
      if (Number.isInteger(value) && value >= row.min && value <= row.max) return value
      throw expected('UC_OPTION', `option ${name}`,
        `an integer from ${row.min} to ${row.max}`, value)
    case 'choice':
      if (row.of.includes(value)) return value
      throw expected('UC_OPTION', `option ${name}`, `one of ${row.of.join(', ')}`, value)
    case 'pragmas':
      return dictionary(name, value, 'a string, an integer or a boolean', (v) => {
        if (typeof v === 'boolean') return v ? 1 : 0
        return typeof v === 'string' || Number.isSafeInteger(v) ? v : undefined
      })
    default:
      return dictionary(name, value, 'a path', (v) => {
        if (v instanceof URL && v.protocol === 'file:') return fileURLToPath(v)
        if (typeof v !== 'string' || v.includes('\0')) return undefined
        return v === '' || v === ':memory:' ? v : path.resolve(v)
      })
  }
}

// A map of names to values, each passed through `convert`.
function dictionary (name, value, wanted, convert) {
  if (!isPlain(value)) throw expected('UC_OPTION', `option ${name}`, 'an object', value)
  const out = {}
  for (const key of Object.keys(value)) {
    if (!NAME.test(key)) throw expected('UC_OPTION', `option ${name}`, 'a plain name as key', key)
    const made = convert(value[key])
    if (made === undefined) throw expected('UC_OPTION', `option ${name}.${key}`, wanted, value[key])
    out[key] = made
  }
  return out
}

/** The map the core's `open` reads, from normalised options. */
function toWire (options) {
  const out = {}
  for (const name of Object.keys(table)) {
    const { wire } = table[name]
    const value = options[name]
    if (wire === null || value === null) continue
    out[wire] = value
  }
  return out
}

/**
 * What `open` was pointed at.
 *
 * @param {string|URL} target a path, ':memory:' or a file URL
 * @returns {{ path: string, memory: boolean }} the path absolute
 * @throws {UndercroftError} UC_OPTION, UC_NO_IPC
 */
function parseTarget (target) {
  if (target instanceof URL) target = target.href
  if (typeof target !== 'string') {
    if (isPlain(target)) {
      throw new UndercroftError('UC_OPTION',
        'open: the first argument is the database: a path, \':memory:\' or a file URL; options come second')
    }
    throw expected('UC_OPTION', 'open', "a path, ':memory:' or a file URL", target)
  }
  if (target === '') {
    throw new UndercroftError('UC_OPTION', "open: the path is empty; use ':memory:' for a database in memory")
  }
  if (target.includes('\0')) throw new UndercroftError('UC_OPTION', 'open: the path holds a NUL character')
  if (target === ':memory:') return { path: target, memory: true }
  if (target.startsWith('ipc:')) {
    throw new UndercroftError('UC_NO_IPC',
      'open: ipc:// targets are not available in this version; open the database file itself')
  }
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(target)
  if (scheme !== null && scheme[1].toLowerCase() !== 'file') {
    throw new UndercroftError('UC_OPTION', `open: ${scheme[1]}:// is not a kind of target; use a path`)
  }
  const file = path.resolve(scheme !== null ? fromFileUrl(target) : target)
  if (isDirectory(file)) {
    throw new UndercroftError('UC_OPTION', `open: ${describe(target)} is a directory; name a file in it`)
  }
  return { path: file, memory: false }
}

function isDirectory (file) {
  try {
    return statSync(file).isDirectory()
  } catch {
    // Whatever is wrong with the path, the core says it better.
    return false
  }
}

function fromFileUrl (target) {
  try {
    return fileURLToPath(target)
  } catch (cause) {
    throw new UndercroftError('UC_OPTION', `open: ${describe(target)} is not a usable file URL`, { cause })
  }
}

// What readCall found. One object, read at once by its caller.
const call = { timeoutMs: -1, signal: null, integers: 0, once: null }

const ONCE_BYTES = 200

/**
 * Checks the options of one call into the shared object it returns:
 * `timeoutMs` is -1 when not given, `signal` and `once` null, `integers` an
 * index of INTEGERS.
 *
 * @param {object} opts
 * @param {number} integers the handle's
 * @param {boolean} [sync] a blocking call, which no signal can reach
 * @param {boolean} [keyed] a verb that takes `once`
 */
function readCall (opts, integers, sync, keyed) {
  let timeoutMs = -1
  let signal = null
  let once = null
  if (opts !== undefined && opts !== null) {
    if (!isPlain(opts)) throw expected('UC_OPTION', 'options of the call', 'an object', opts)
    for (const name of Object.keys(opts)) {
      const value = opts[name]
      if (value === undefined) continue
      if (name === 'timeoutMs') {
        timeoutMs = check(name, table.timeoutMs, value)
      } else if (name === 'integers') {
        integers = INTEGERS.indexOf(check(name, table.integers, value))
      } else if (name === 'signal' && sync !== true) {
        signal = checkSignal(value)
      } else if (name === 'once' && keyed === true) {
        once = checkOnce(value)
      } else {
        throw new UndercroftError('UC_OPTION', REFUSED[name] !== undefined
          ? `option ${name}: ${REFUSED[name]}`
          : `unknown option ${describe(name)} of the call; known are timeoutMs, signal, integers, once`)
      }
    }
  }
  // Only now: a getter among the options may have made a call itself.
  call.timeoutMs = timeoutMs
  call.signal = signal
  call.integers = integers
  call.once = once
  return call
}

// Options of a call that not every verb takes.
const REFUSED = Object.freeze({
  __proto__: null,
  signal: 'a blocking call cannot be aborted; use timeoutMs',
  once: 'only run, many and batch of a handle take it, and no blocking call: what reads may simply be repeated'
})

// Bytes, because the core counts them.
function checkOnce (value) {
  if (typeof value === 'string' && value !== '' && value.isWellFormed() &&
    Buffer.byteLength(value) <= ONCE_BYTES) return value
  throw expected('UC_OPTION', 'option once', `a key of 1 to ${ONCE_BYTES} bytes`, value)
}

function checkSignal (value) {
  if (value !== null && typeof value === 'object' && typeof value.aborted === 'boolean' &&
    typeof value.addEventListener === 'function') return value
  throw expected('UC_OPTION', 'option signal', 'an AbortSignal', value)
}

function isPlain (value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) &&
    !ArrayBuffer.isView(value)
}

module.exports = { table, defaults, normalise, toWire, parseTarget, readCall, isPlain }
