'use strict'

// Every option of `open` and of single calls: defaults, limits, the name the
// core knows it by. Unknown keys throw, and each message names the field.

const { builtin } = require('./builtin')
const { statSync } = builtin('node:fs')
const { UndercroftError, expected, describe } = require('./errors')
const { isAddress } = require('./address')
const { isFileUrl, readPlace } = require('./place')
const { known } = require('./did-you-mean')
const { options: core } = require('./tables')

const MiB = 1024 * 1024
const DAY = 24 * 60 * 60 * 1000

// Where an option counts: FILE (no `where` in the table): it belongs to the
// database and whoever opens the file, which is the daemon for an ipc:// target;
// HANDLE: to this end, with either kind of target; IPC: to the connection.
const FILE = 'file'
const HANDLE = 'handle'
const IPC = 'ipc'

// What integers of SQL become in JavaScript: calls carry the index.
const INTEGERS = Object.freeze(['number', 'bigint', 'string', 'auto'])

// The first level of the cache that a handle has unless it says otherwise.
const FIRST_LEVEL = Object.freeze({ bytes: 8 * MiB, entries: 10000 })

// name -> type, default, bounds, and the core's name for it (`wire`): the core's own, and those that end
// here. Times are milliseconds and end in Ms, sizes are bytes and end in Bytes.
const table = Object.freeze({
  __proto__: null,
  ...core,
  integers: { type: 'choice', value: 'number', of: INTEGERS, wire: null, where: HANDLE },
  stacks: { type: 'boolean', value: false, wire: null, where: HANDLE },
  cache: { type: 'cache', value: Object.freeze({ firstLevel: FIRST_LEVEL }), wire: null, where: HANDLE },
  log: { type: 'log', value: null, wire: null, where: HANDLE },
  db: { type: 'name', value: null, wire: null, where: IPC },
  connectTimeoutMs: { type: 'integer', value: 5000, min: 1, max: DAY, wire: null, where: IPC },
  spawn: { type: 'spawn', value: null, wire: null, where: IPC }
})

// Of the option spawn: how long the daemon stays without a connection.
const IDLE_EXIT_MS = 60000

const defaults = Object.freeze(Object.fromEntries(
  Object.entries(table).map(([name, row]) => [name, row.value])))

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Checks the options of `open` and fills in the defaults.
 *
 * @param {object} [options]
 * @param {boolean} [ipc] the target is a daemon
 * @returns {object} every option of the table, `log` as it was given; a fresh object
 * @throws {UndercroftError} UC_OPTION, UC_OPTIONS_CONFLICT
 */
function normalise (options, ipc = false) {
  const out = { ...defaults }
  if (options === undefined) return Object.assign(out, readCache(undefined))
  if (!isPlain(options)) throw expected('UC_OPTION', 'options', 'an object', options)
  for (const name of Object.keys(options)) {
    const row = table[name]
    if (row === undefined) {
      throw new UndercroftError('UC_OPTION',
        `unknown option ${describe(name)}; ${known(name, Object.keys(table))}`)
    }
    checkPlace(name, row, ipc)
    if (options[name] !== undefined) out[name] = check(name, row, options[name])
  }
  if (out.readonly && options.create === true) {
    throw new UndercroftError('UC_OPTIONS_CONFLICT', 'options readonly and create exclude each other')
  }
  if (out.readonly) out.create = false
  Object.assign(out, readCache(options.cache, options, ipc))
  return out
}

const CACHE_OPTIONS = ['bytes', 'maxValueBytes', 'firstLevel']
// The core's own least, below which nothing fits.
const LEAST_CACHE = MiB

/**
 * The option cache: false, or { bytes, maxValueBytes, firstLevel }.
 *
 * @returns {object} cache: { firstLevel: { bytes, entries } or null }, or null
 *   where it is switched off; cacheBytes and cacheValueBytes for the core
 */
function readCache (value, { cacheBytes, cacheValueBytes } = {}, ipc = false) {
  if (value === false) return { cache: null, cacheBytes: 0, cacheValueBytes: defaults.cacheValueBytes }
  if (value !== undefined && value !== true && !isPlain(value)) {
    throw expected('UC_OPTION', 'option cache', 'an object such as { bytes: 67108864 }, or false', value)
  }
  const given = isPlain(value) ? value : {}
  for (const name of Object.keys(given)) {
    if (!CACHE_OPTIONS.includes(name)) {
      throw new UndercroftError('UC_OPTION', `unknown option ${describe(`cache.${name}`)}; ${known(name, CACHE_OPTIONS)}`)
    }
    if (ipc && name !== 'firstLevel' && given[name] !== undefined) {
      const own = name === 'bytes' ? 'cacheBytes' : 'cacheValueBytes'
      throw new UndercroftError('UC_OPTION', `option cache.${name} belongs to the daemon: start it with --set ${own}=VALUE`)
    }
  }
  const bytes = given.bytes === undefined
    ? cacheBytes ?? defaults.cacheBytes
    : check('cache.bytes', { ...table.cacheBytes, min: LEAST_CACHE }, given.bytes)
  const quarter = Math.floor(bytes / 4)
  let most = given.maxValueBytes ?? cacheValueBytes
  if (most === undefined) {
    most = Math.max(table.cacheValueBytes.min, Math.min(defaults.cacheValueBytes, quarter))
  } else if (bytes > 0 && check('cache.maxValueBytes', table.cacheValueBytes, most) > quarter) {
    throw expected('UC_OPTION', 'option cache.maxValueBytes', `at most a quarter of cache.bytes, ${quarter}`, most)
  }
  return { cache: { firstLevel: readFirstLevel(given.firstLevel) }, cacheBytes: bytes, cacheValueBytes: most }
}

function readFirstLevel (value) {
  if (value === false) return null
  if (value === undefined || value === true) return FIRST_LEVEL
  if (!isPlain(value)) throw expected('UC_OPTION', 'option cache.firstLevel', 'an object such as { bytes: 8388608, entries: 10000 }, or false', value)
  const { bytes = FIRST_LEVEL.bytes, entries = FIRST_LEVEL.entries, ...others } = value
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw new UndercroftError('UC_OPTION', `unknown option ${describe(`cache.firstLevel.${unknown}`)}; ${known(unknown, ['bytes', 'entries'])}`)
  }
  return {
    bytes: check('cache.firstLevel.bytes', { type: 'integer', min: 65536, max: 4096 * MiB }, bytes),
    entries: check('cache.firstLevel.entries', { type: 'integer', min: 1, max: 10000000 }, entries)
  }
}

// What means something to a file alone, and to no server.
const OF_FILES = ['create', 'pragmas', 'attach']

/**
 * Refuses what the engine of the target has not.
 *
 * @param {object} [options] of open, checked
 * @throws {UndercroftError} UC_OPTION
 */
function refuseOfFiles (options) {
  for (const name of OF_FILES) {
    if (options?.[name] === undefined) continue
    throw new UndercroftError('UC_OPTION', `option ${name} is for a file of SQLite; the target is a database of PostgreSQL`)
  }
}

function checkPlace (name, row, ipc) {
  const where = row.where ?? FILE
  if (ipc && where === FILE) {
    throw new UndercroftError('UC_OPTION',
      `option ${name} belongs to the daemon, which has the file open: start it with --set ${name}=VALUE, ` +
      'or give it in the options of the option spawn')
  }
  if (!ipc && where === IPC) {
    throw new UndercroftError('UC_OPTION',
      `option ${name} is for a daemon; the target is a file, not an ipc:// URL`)
  }
}

function check (name, row, value) {
  switch (row.type) {
    case 'name':
      if (typeof value === 'string' && value !== '' && value.length <= 100) return value
      throw expected('UC_OPTION', `option ${name}`, 'the name of one of its databases', value)
    case 'spawn': return readSpawn(value)
    // The log has a reader of its own; the cache is read together with the rest.
    case 'log':
    case 'cache': return value
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
      return dictionary(name, value, 'a path', (v, key) => {
        const isText = typeof v === 'string'
        if (!isText && !(v instanceof URL && isFileUrl(v))) return undefined
        return isText && v.includes('\0') ? undefined : readPlace(v, `option ${name}.${key}`)
      })
  }
}

// What the daemon is to be started with: { db, idleExitMs?, options? }.
function readSpawn (value) {
  if (!isPlain(value)) throw expected('UC_OPTION', 'option spawn', 'an object such as { db: \'app.db\' }', value)
  const { db, idleExitMs = IDLE_EXIT_MS, options = {}, ...others } = value
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw new UndercroftError('UC_OPTION', `unknown option ${describe(`spawn.${unknown}`)}; ${known(unknown, ['db', 'idleExitMs', 'options'])}`)
  }
  const wanted = 'the path of a database or its address, or an object of names and these'
  const file = (v) => {
    if (v instanceof URL ? !isFileUrl(v) : typeof v !== 'string' || v === '' || v.includes('\0')) return undefined
    if (isAddress(v)) return v
    return readPlace(v, 'option spawn.db')
  }
  const only = file(db)
  const dbs = only !== undefined ? { '': only } : dictionary('spawn.db', isPlain(db) ? db : null, 'a path', file, wanted)
  if (Object.keys(dbs).length === 0) throw expected('UC_OPTION', 'option spawn.db', wanted, db)
  return {
    db: dbs,
    idleExitMs: check('spawn.idleExitMs', { type: 'integer', min: 1000, max: DAY }, idleExitMs),
    options: readFileOptions(options)
  }
}

// Those of the options that name a value which can stand on a command line.
function readFileOptions (options) {
  if (!isPlain(options)) throw expected('UC_OPTION', 'option spawn.options', 'an object', options)
  const out = {}
  for (const [name, value] of Object.entries(options)) {
    const row = table[name]
    if (value === undefined) continue
    if (row === undefined || row.wire === null || row.type === 'pragmas' || row.type === 'attach') {
      throw new UndercroftError('UC_OPTION', `option spawn.options: ${describe(name)} cannot be given to a daemon that is started this way`)
    }
    out[name] = check(`spawn.options.${name}`, row, value)
  }
  return out
}

// A map of names to values, each passed through `convert`.
function dictionary (name, value, wanted, convert, whole = 'an object') {
  if (!isPlain(value)) throw expected('UC_OPTION', `option ${name}`, whole, value)
  const out = {}
  for (const key of Object.keys(value)) {
    if (!NAME.test(key)) throw expected('UC_OPTION', `option ${name}`, 'a plain name as key', key)
    const made = convert(value[key], key)
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
 * @param {string|URL} target a path, ':memory:', a file URL, the address of a
 *   server's database, or an ipc:// URL
 * @returns {{ path: string, ipc: boolean, url: string, db: string|null }} the
 *   path absolute: of the file, or of the socket; the address as it is; url and
 *   db of an ipc target
 * @throws {UndercroftError} UC_OPTION
 */
function parseTarget (target) {
  if (target instanceof URL) target = target.href
  if (typeof target !== 'string') {
    if (isPlain(target)) {
      throw new UndercroftError('UC_OPTION',
        'open: the first argument is the database: a path, \':memory:\', a file URL, a postgres:// or an ipc:// URL; options come second')
    }
    throw expected('UC_OPTION', 'open', "a path, ':memory:', a file URL, a postgres:// or an ipc:// URL", target)
  }
  if (target === '') {
    throw new UndercroftError('UC_OPTION', "open: the path is empty; use ':memory:' for a database in memory")
  }
  if (target.includes('\0')) throw new UndercroftError('UC_OPTION', 'open: the path holds a NUL character')
  if (/^ipc:/i.test(target)) return parseIpc(target)
  // What stands in it the core knows, and whoever printed it would print a password.
  if (isAddress(target)) return { path: target, ipc: false, url: null, db: null }
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(target)
  if (scheme !== null && scheme[1].toLowerCase() !== 'file') {
    throw new UndercroftError('UC_OPTION', `open: ${scheme[1]}:// is not a kind of target; use a path, a postgres:// or an ipc:// URL`)
  }
  const file = readPlace(target, 'open')
  if (file === ':memory:') return { path: file, ipc: false, url: null, db: null }
  if (isDirectory(file)) {
    throw new UndercroftError('UC_OPTION', `open: ${describe(target)} is a directory; name a file in it`)
  }
  return { path: file, ipc: false, url: null, db: null }
}

// The name of a unix socket has room for this many bytes.
const SOCKET_BYTES = 107

// ipc:///absolute/path/of.sock?db=name. Taken apart by hand: the path is one of
// the file system, in which % and # are letters like others.
function parseIpc (target) {
  const match = /^ipc:\/\/(\/[^?]*)(?:\?(.*))?$/is.exec(target)
  if (match === null || match[1].endsWith('/')) {
    throw new UndercroftError('UC_OPTION',
      `open: ${describe(target)}: expected ipc:// and the absolute path of a socket, such as ipc:///run/app/undercroft.sock`)
  }
  const [, file, query = ''] = match
  const bytes = Buffer.byteLength(file)
  if (bytes > SOCKET_BYTES) {
    throw new UndercroftError('UC_OPTION',
      `open: the path of the socket is ${bytes} bytes long, and a unix socket has room for ${SOCKET_BYTES}; use a shorter one`)
  }
  let db = null
  for (const [name, value] of new URLSearchParams(query)) {
    if (name !== 'db' || value === '') {
      throw new UndercroftError('UC_OPTION', `open: ${describe(`?${query}`)}: expected ?db= and the name of a database`)
    }
    db = value
  }
  return { path: file, ipc: true, url: `ipc://${file}`, db }
}

function isDirectory (file) {
  try {
    return statSync(file).isDirectory()
  } catch {
    // Whatever is wrong with the path, the core says it better.
    return false
  }
}

// What readCall found. One object, read at once by its caller.
const call = { timeoutMs: -1, signal: null, integers: 0, once: null }

const ONCE_BYTES = 200
const CALL_OPTIONS = ['timeoutMs', 'signal', 'integers', 'once']

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
    if (!isPlain(opts)) {
      throw new UndercroftError('UC_OPTION', `options of the call: expected an object, got ${describe(opts)}; ` +
        'parameters go in one array: get(sql, [1, 2])')
    }
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
          : `unknown option ${describe(name)} of the call; ${known(name, CALL_OPTIONS)}`)
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

module.exports = { INTEGERS, table, defaults, normalise, toWire, parseTarget, refuseOfFiles, readCall, isPlain }
