'use strict'

// What a call on the cache may be given: keys, lifetimes, and what an entry
// belongs to. Each mistake is a sentence that names it.

const { known: instead } = require('../base/did-you-mean')
const { UndercroftError, expected, describe } = require('../base/errors')
const { isPlain } = require('../base/options')

const KEY_BYTES = 512
// This many characters never take more bytes than that.
const KEY_SAFE = 170
// Between the names of namespaces, and in front of the key.
const SEPARATOR = '\x1f'
// A hundred years.
const MAX_MS = 100 * 365 * 24 * 60 * 60 * 1000
const MAX_LOAD_MS = 24 * 60 * 60 * 1000
const DOMAINS = 64
const NAME_BYTES = 200

const NONE = Object.freeze([])

/** The key itself. Throws UC_CACHE_KEY for what is none. */
function checkKey (key) {
  if (typeof key !== 'string') throw expected('UC_CACHE_KEY', 'key', 'a string', key, UNSENT)
  if (key.length <= KEY_SAFE && key !== '' && key.isWellFormed()) return key
  if (key === '') throw expected('UC_CACHE_KEY', 'key', `a string of 1 to ${KEY_BYTES} bytes`, key, UNSENT)
  if (!key.isWellFormed()) {
    throw new UndercroftError('UC_CACHE_KEY', 'key: expected well-formed text, got text with a lone surrogate', UNSENT)
  }
  const bytes = Buffer.byteLength(key)
  if (bytes > KEY_BYTES) {
    throw new UndercroftError('UC_CACHE_KEY',
      `key: expected a string of 1 to ${KEY_BYTES} bytes, the namespace included, got one of ${bytes}`, UNSENT)
  }
  return key
}

const UNSENT = Object.freeze({ outcome: 'not-sent' })

/** The domains of the namespaces that a key lies in: users␟7 in n:users. */
function namespacesOf (key) {
  let at = key.indexOf(SEPARATOR)
  if (at < 0) return NONE
  const out = []
  for (; at >= 0; at = key.indexOf(SEPARATOR, at + 1)) out.push(`n:${key.slice(0, at)}`)
  return out
}

// name -> how it is read. What a verb takes is a list of these names.
const readers = {
  __proto__: null,
  ttlMs: (v) => whole('ttlMs', v, 1, MAX_MS),
  idleMs: (v) => whole('idleMs', v, 1, MAX_MS),
  staleMs: (v) => whole('staleMs', v, 0, MAX_MS),
  staleIfErrorMs: (v) => whole('staleIfErrorMs', v, 0, MAX_MS),
  errorTtlMs: (v) => whole('errorTtlMs', v, 0, MAX_MS),
  timeoutMs: (v) => whole('timeoutMs', v, 0, MAX_LOAD_MS),
  loadTimeoutMs: (v) => whole('timeoutMs', v, 1, MAX_LOAD_MS),
  tags: (v) => namesOf('tags', v),
  tables: (v) => namesOf('tables', v),
  rows: rowsOf,
  copy: (v) => {
    if (typeof v === 'boolean') return v
    throw expected('UC_OPTION', 'option copy', 'true or false', v)
  },
  signal: (v) => {
    if (v !== null && typeof v === 'object' && typeof v.aborted === 'boolean' &&
      typeof v.addEventListener === 'function') return v
    throw expected('UC_OPTION', 'option signal', 'an AbortSignal', v)
  }
}

const READ = ['copy', 'timeoutMs', 'signal']
const WRITE = ['ttlMs', 'idleMs', 'staleMs', 'staleIfErrorMs', 'tags', 'tables', 'rows', 'timeoutMs', 'signal']
const LOAD = ['ttlMs', 'idleMs', 'staleMs', 'staleIfErrorMs', 'errorTtlMs', 'tags', 'tables', 'rows', 'timeoutMs', 'signal', 'copy']
const CALL = ['timeoutMs', 'signal']

const EMPTY = Object.freeze({ __proto__: null })

/**
 * The options of a call, checked: a fresh object with what was given, or one
 * that is empty.
 *
 * @param {object} [opts]
 * @param {string[]} known one of READ, WRITE, LOAD and CALL
 * @throws {UndercroftError} UC_OPTION
 */
function readOptions (opts, known) {
  if (opts === undefined || opts === null) return EMPTY
  if (!isPlain(opts)) throw expected('UC_OPTION', 'options of the call', 'an object', opts)
  const out = { __proto__: null }
  for (const name of Object.keys(opts)) {
    if (!known.includes(name)) {
      throw new UndercroftError('UC_OPTION', `unknown option ${describe(name)} of the call; ${instead(name, known)}`)
    }
    const value = opts[name]
    if (value === undefined) continue
    out[name] = readers[name === 'timeoutMs' && known === LOAD ? 'loadTimeoutMs' : name](value)
  }
  return out
}

function whole (name, v, min, max) {
  if (Number.isInteger(v) && v >= min && v <= max) return v
  throw expected('UC_OPTION', `option ${name}`, `an integer from ${min} to ${max}`, v)
}

/** A name, or an array of names, as an array. */
function namesOf (what, v) {
  const list = typeof v === 'string' ? [v] : v
  if (!Array.isArray(list) || list.length > DOMAINS) {
    throw expected('UC_OPTION', what, `a name, or an array of at most ${DOMAINS}`, v)
  }
  for (const name of list) checkName(what, name)
  return list
}

const MIN_ROWID = -(2n ** 63n)
const MAX_ROWID = 2n ** 63n - 1n

/** { table: rowid or array of them }, as pairs of a table and an array. */
function rowsOf (v) {
  if (!isPlain(v)) throw expected('UC_OPTION', 'rows', 'an object from tables to rowids', v)
  return Object.entries(v).map(([table, ids]) => {
    const what = `rows.${checkName('rows', table)}`
    const list = Array.isArray(ids) ? ids : [ids]
    if (list.length > DOMAINS) throw expected('UC_OPTION', what, `a rowid, or an array of at most ${DOMAINS}`, ids)
    return [table, list.map((id) => checkRowid(what, id))]
  })
}

function checkRowid (what, id) {
  if (Number.isSafeInteger(id)) return id
  if (typeof id === 'bigint' && id >= MIN_ROWID && id <= MAX_ROWID) return id
  throw expected('UC_OPTION', what, 'a rowid, which is a safe integer or a bigint of 64 bits', id)
}

function checkName (what, name) {
  if (typeof name === 'string' && name !== '' && name.isWellFormed() && Buffer.byteLength(name) <= NAME_BYTES) return name
  throw expected('UC_OPTION', what, `a name of 1 to ${NAME_BYTES} bytes`, name)
}

/** What an entry belongs to, as the wire names it: #tag, t:table, r:table:rowid, n:namespace. */
function domainsOf (key, { tags = NONE, tables = NONE, rows = NONE }) {
  const spaces = namespacesOf(key)
  if (tags.length === 0 && tables.length === 0 && rows.length === 0) return spaces
  const out = new Set(spaces)
  for (const tag of tags) out.add(`#${tag}`)
  for (const table of tables) out.add(`t:${folded(table)}`)
  // A table whose rows are named counts as well.
  const size = addRows(out, rows) + out.size
  if (size > DOMAINS) {
    throw new UndercroftError('UC_OPTION', `an entry may belong to ${DOMAINS} tags, tables, rows and namespaces, not to ${size}`)
  }
  return [...out]
}

// SQLite takes the ASCII letters of names for the same in either case, and only those.
function folded (name) {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** Returns how many tables these are. */
function addRows (out, rows) {
  const tables = new Set()
  for (const [table, ids] of rows) {
    const name = folded(table)
    if (ids.length > 0) tables.add(name)
    for (const id of ids) out.add(`r:${name}:${id}`)
  }
  return tables.size
}

/**
 * Writes the map of an entry's lifetimes and domains, or nil.
 *
 * @param {Writer} w
 * @param {object} o what readOptions made
 * @param {string[]} domains
 * @param {boolean} [isPassing] for those who wait, and not to be kept
 */
function writeEntry (w, { ttlMs, idleMs, staleMs, staleIfErrorMs }, domains, isPassing = false) {
  const n = isGiven(ttlMs) + isGiven(idleMs) + isGiven(staleMs) + isGiven(staleIfErrorMs) +
    (domains.length > 0 ? 1 : 0) + (isPassing ? 1 : 0)
  if (n === 0) {
    w.nil()
    return
  }
  w.mapHeader(n)
  field(w, 't', ttlMs)
  field(w, 'i', idleMs)
  field(w, 's', staleMs)
  field(w, 'e', staleIfErrorMs)
  if (isPassing) {
    w.text('n', 0)
    w.flag(true)
  }
  if (domains.length > 0) {
    w.text('d', 0)
    w.arrayHeader(domains.length)
    for (const domain of domains) w.text(domain, 0)
  }
}

function isGiven (ms) {
  return ms !== undefined && ms > 0 ? 1 : 0
}

function field (w, name, ms) {
  if (isGiven(ms) === 0) return
  w.text(name, 0)
  w.number(ms)
}

module.exports = {
  READ, WRITE, LOAD, CALL, EMPTY, SEPARATOR, checkKey, checkName, namesOf, namespacesOf, readOptions, whole, domainsOf, writeEntry, MAX_MS
}
