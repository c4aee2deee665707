'use strict'

// The option log of `open`: defaults, limits, and what of it the core is told.
// Unknown keys throw, and each message names the field.

const { builtin } = require('../base/builtin')
const path = builtin('node:path')
const { fileURLToPath } = builtin('node:url')
const { UndercroftError, expected, describe } = require('../base/errors')
const { known } = require('../base/did-you-mean')
const { levelOf, levelsWith } = require('./levels')
const { compile } = require('./redact')
const { readTimestamp, readKey, readNestedKey, readFunction, readFormatters, readSerializers } = require('./style')

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB
const HOUR = 60 * 60 * 1000
const MAX = Number.MAX_SAFE_INTEGER

// name -> how it is read, its default, and the core's name for it (`wire`).
const table = Object.freeze({
  __proto__: null,
  dir: { read: readDir, value: null, wire: 'dir' },
  file: { read: readFile, value: null, wire: 'name' },
  name: { read: readText, value: null },
  // Its names are known when customLevels has been read.
  level: { read: (v) => v, value: 'info' },
  customLevels: { read: (v, what) => { levelsWith(v, TAKEN, what); return v }, value: null },
  ringBytes: { read: whole(64 * KiB, GiB), value: 8 * MiB, wire: 'ring_bytes' },
  overflow: { read: oneOf('block', 'drop', 'grow'), value: 'block', wire: 'overflow' },
  growBytes: { read: whole(64 * KiB, 64 * GiB), value: 64 * MiB, wire: 'grow_bytes' },
  blockMs: { read: whole(0, HOUR), value: 1000, wire: 'block_ms' },
  rotate: {
    read: group({
      bytes: { read: whole(0, MAX), value: 64 * MiB, wire: 'rotate_bytes' },
      daily: { read: flag, value: true, wire: 'daily' }
    })
  },
  compress: { read: readCompress, value: 'gzip', wire: 'compress' },
  keep: {
    read: group({
      days: { read: whole(0, 100 * 366), value: 60 },
      bytes: { read: whole(0, MAX), value: 10 * GiB, wire: 'keep_bytes' }
    })
  },
  syncMs: { read: whole(0, HOUR), value: 1000, wire: 'sync_ms' },
  redact: { read: compile, value: null },
  base: { read: readBase, value: undefined },
  serializers: { read: readSerializers, value: null },
  timestamp: { read: readTimestamp, value: true },
  messageKey: { read: readKey, value: 'msg' },
  errorKey: { read: readKey, value: 'err' },
  nestedKey: { read: readNestedKey, value: null },
  mixin: { read: readFunction, value: null },
  formatters: { read: readFormatters, value: Object.freeze({}) },
  msgPrefix: { read: (v, what) => v === '' ? v : readText(v, what), value: '' },
  pretty: { read: oneOf(true, false, 'auto'), value: 'auto' },
  maxLineBytes: { read: whole(KiB, 16 * MiB), value: 256 * KiB },
  slowMs: { read: whole(0, 24 * HOUR), value: 0 },
  reopenOnHup: { read: flag, value: undefined },
  sync: { read: oneOf('turn', 'line'), value: 'turn' },
  bufferBytes: { read: whole(64 * KiB, GiB), value: 8 * MiB },
  destination: { read: readDestination, value: null }
})

// What a logger has by its name, which no level can have.
const TAKEN = Object.freeze(Object.fromEntries(['child', 'bindings', 'setBindings', 'flush', 'span', 'http', 'bun', 'level', 'levelVal', 'levels', 'isLevelEnabled',
  'flushSync', 'reopen', 'rotate', 'destination', 'stats', 'setLevel', 'close'].map((name) => [name, true])))

const NOWHERE = Object.freeze({ write () {} })

/**
 * Checks the option log and fills in the defaults.
 *
 * @param {object|boolean} [value] false: no log at all
 * @returns {object} every option of the table, and `levels`; a fresh object
 * @throws {UndercroftError} UC_OPTION, UC_OPTIONS_CONFLICT
 */
function readLog (value) {
  const given = value === undefined || value === true ? {} : value === false ? { level: 'silent', destination: NOWHERE } : value
  const out = readGroup('log', table, given)
  if (out.dir !== null && out.destination !== null) {
    throw new UndercroftError('UC_OPTIONS_CONFLICT', 'options log.dir and log.destination exclude each other')
  }
  out.levels = levelsWith(out.customLevels, TAKEN, 'option log.customLevels')
  out.level = out.levels.names[levelOf(out.level, 'option log.level', out.levels)]
  out.file ??= fileOf(out)
  if (out.overflow === 'grow' && out.growBytes < out.ringBytes) {
    throw expected('UC_OPTION', 'option log.growBytes', `at least log.ringBytes, ${out.ringBytes}`, out.growBytes)
  }
  if (out.maxLineBytes > out.ringBytes / 4) {
    throw expected('UC_OPTION', 'option log.maxLineBytes', `at most a quarter of log.ringBytes, ${out.ringBytes / 4}`, out.maxLineBytes)
  }
  return out
}

let hasWarned = false

// Until there was `file`, the name was that of the files.
function fileOf ({ dir, name }) {
  if (dir === null || name === null) return 'app'
  if (!FILE.test(name)) throw expected('UC_OPTION', 'option log.name', `${FILE_TEXT}, or log.file to name the files`, name)
  if (!hasWarned) {
    hasWarned = true
    process.emitWarning(`log.name is a field of each line, and without log.file it names the files, too: say log.file: '${name}' as well`, { type: 'UndercroftWarning' })
  }
  return name
}

function readGroup (what, rows, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw expected('UC_OPTION', `option ${what}`, `an object such as { ${Object.keys(rows)[0]}: … }`, value)
  }
  for (const name of Object.keys(value)) {
    if (rows[name] === undefined) {
      throw new UndercroftError('UC_OPTION', `unknown option ${describe(`${what}.${name}`)}; ${known(name, Object.keys(rows))}`)
    }
  }
  const out = {}
  for (const [name, row] of Object.entries(rows)) {
    const given = value[name]
    if (given !== undefined) out[name] = row.read(given, `option ${what}.${name}`)
    else out[name] = 'value' in row ? row.value : row.read({}, `option ${what}.${name}`)
  }
  return out
}

function group (rows) {
  const read = (value, what) => readGroup(what.slice('option '.length), rows, value)
  read.rows = Object.freeze({ __proto__: null, ...rows })
  return read
}

function whole (min, max) {
  return (v, what) => {
    if (Number.isInteger(v) && v >= min && v <= max) return v
    throw expected('UC_OPTION', what, `an integer from ${min} to ${max}`, v)
  }
}

function oneOf (...values) {
  return (v, what) => {
    if (values.includes(v)) return v
    throw expected('UC_OPTION', what, `one of ${values.join(', ')}`, v)
  }
}

function flag (v, what) {
  if (typeof v === 'boolean') return v
  throw expected('UC_OPTION', what, 'true or false', v)
}

function readDir (v, what) {
  if (v === null) return null
  if (v instanceof URL && v.protocol === 'file:') return fileURLToPath(v)
  if (typeof v === 'string' && v !== '' && !v.includes('\0')) return path.resolve(v)
  throw expected('UC_OPTION', what, 'the path of a directory', v)
}

const FILE = /^[A-Za-z0-9_-]{1,64}$/
const FILE_TEXT = '1 to 64 letters, digits, _ and -'

function readFile (v, what) {
  if (typeof v === 'string' && FILE.test(v)) return v
  throw expected('UC_OPTION', what, FILE_TEXT, v)
}

function readText (v, what) {
  if (typeof v === 'string' && v !== '' && v.length <= 1000) return v
  throw expected('UC_OPTION', what, 'a text of 1 to 1000 characters', v)
}

function readCompress (v, what) {
  if (v === false || v === 'gzip' || v === 'zstd') return v
  throw expected('UC_OPTION', what, "'gzip', 'zstd' or false", v)
}

function readBase (v, what) {
  if (v === null || (typeof v === 'object' && !Array.isArray(v))) return v
  throw expected('UC_OPTION', what, 'an object of fields for every line, or null', v)
}

function readDestination (v, what) {
  if (v === null || (Number.isInteger(v) && v >= 0)) return v
  if (typeof v === 'object' && typeof v.write === 'function') return v
  throw expected('UC_OPTION', what, 'a stream or the number of an open file', v)
}

const DAY = 24 * HOUR

/** What the core is told: the fields of uc_log_options by their names there. */
function toCore (options) {
  const out = { keep_ms: options.keep.days * DAY }
  const add = (rows, values) => {
    for (const [name, row] of Object.entries(rows)) {
      if (row.read.rows !== undefined) add(row.read.rows, values[name])
      else if (row.wire !== undefined && values[name] !== null) out[row.wire] = values[name]
    }
  }
  add(table, options)
  if (out.compress === false) out.compress = 'none'
  return out
}

module.exports = { table, TAKEN, readLog, toCore }
