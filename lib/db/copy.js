'use strict'

// copy - COPY of PostgreSQL: rows or bytes into a table, and what a query gives as bytes.
//
//   source ──encode──> chunks ──copy_put, a few under way──> server
//   server ──copy_get, a few under way──> chunks ──> whoever reads
//
// A COPY runs within a transaction, on a handle in one of its own: an aborted one changes nothing.
// Back-pressure is in the answers: a chunk that was put is answered when the socket has taken it, and
// a server is not read from while nobody asks for its bytes.

const { builtin } = require('../base/builtin')
const { ops } = require('../wire/ops')
const { UndercroftError, describe, expected } = require('../base/errors')
const { instead } = require('../base/did-you-mean')
const { dialectOf } = require('./dialect')
const { quote } = require('./dialect/names')
const { Lines, isRow } = require('./copy-rows')
const { isPlain, readCall } = require('../base/options')

// Calls sent and not yet answered.
const WINDOW = 4
// The most that goes into one call.
const CHUNK_BYTES = 64 * 1024

const FORMATS = ['csv', 'text', 'binary']
const CALL = ['timeoutMs', 'signal']
const FORM = ['format', 'header', 'delimiter', 'null', 'encoding']

function usage (message) {
  return new UndercroftError('UC_OPTION', message, { outcome: 'not-sent' })
}

// The options of each call of a COPY, which has one deadline for all of them.
class CopyLimits {
  #deadline
  #timeoutMs

  constructor (timeoutMs, signal) {
    this.#timeoutMs = timeoutMs
    this.#deadline = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity
    this.signal = signal
  }

  get call () {
    const timeoutMs = this.#deadline === Infinity ? this.#timeoutMs : Math.max(1, Math.ceil(this.#deadline - performance.now()))
    return { timeoutMs, signal: this.signal }
  }
}

function readOptions (options = {}, what) {
  if (!isPlain(options)) throw expected('UC_OPTION', `${what}: options`, 'an object', options)
  const allowed = [...FORM, ...CALL]
  for (const name of Object.keys(options)) {
    if (!allowed.includes(name)) throw usage(`${what}: unknown option ${describe(name)}; ${instead(name, allowed)}`)
  }
  const { format, header, timeoutMs, signal } = options
  if (format !== undefined && !FORMATS.includes(format)) throw usage(`${what}: format: expected ${FORMATS.join(', ')}, got ${describe(format)}`)
  if (header !== undefined && typeof header !== 'boolean') throw usage(`${what}: header: expected true or false, got ${describe(header)}`)
  for (const name of ['delimiter', 'null', 'encoding']) {
    if (options[name] !== undefined && typeof options[name] !== 'string') throw usage(`${what}: ${name}: expected a string, got ${describe(options[name])}`)
  }
  readCall({ timeoutMs, signal }, 0)
  return { form: options, limits: new CopyLimits(timeoutMs, signal) }
}

// (format csv, header true)
function optionsSql ({ format, header, delimiter, null: nil, encoding }) {
  const list = [`format ${format}`]
  if (header !== undefined) list.push(`header ${header}`)
  for (const [name, value] of [['delimiter', delimiter], ['null', nil], ['encoding', encoding]]) {
    if (value !== undefined) list.push(`${name} '${value.replaceAll("'", "''")}'`)
  }
  return `(${list.join(', ')})`
}

function checkText (value, what) {
  if (typeof value !== 'string' || value.trim() === '') throw expected('UC_PARAM_TYPE', what, 'a text', value)
  if (!value.isWellFormed()) throw new UndercroftError('UC_PARAM_TYPE', `${what}: expected well-formed text, got text with a lone surrogate`)
}

function notHere (what) {
  return new UndercroftError('UC_NOT_HERE', `${what} is not there on SQLite; use ${what === 'copyFrom' ? 'insertMany' : 'iterate'}`, { outcome: 'not-run' })
}

async function checkHere (client, what) {
  if ((await dialectOf(client)).name !== 'postgres') throw notHere(what)
}

// ---- in --------------------------------------------------------------------------------

// "user"(name, "a b") -> ['name', 'a b']; null without a list.
function columnsOf (target) {
  const match = /\(([^()]*)\)\s*$/.exec(target)
  if (match === null) return null
  const names = []
  for (const [, quoted, plain] of match[1].matchAll(/\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)/g)) {
    names.push(quoted !== undefined ? quoted.replaceAll('""', '"') : plain.toLowerCase())
  }
  return names
}

function iteratorOf (source) {
  if (typeof source === 'object' && source !== null) {
    const make = source[Symbol.asyncIterator] ?? source[Symbol.iterator]
    if (typeof make === 'function' && !ArrayBuffer.isView(source)) return make.call(source)
    if (ArrayBuffer.isView(source)) return [source][Symbol.iterator]()
  }
  throw expected('UC_PARAM_TYPE', 'copyFrom: source', 'rows, or bytes in chunks, from anything that iterates', source)
}

function bytesOf (value) {
  if (typeof value === 'string') return Buffer.from(value)
  if (Buffer.isBuffer(value)) return value
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw new UndercroftError('UC_PARAM_TYPE', `copyFrom: expected bytes, as the ones before, got ${describe(value)}`)
}

// The chunks of a source that gives bytes, each of a size that goes into a call.
async function * slices (first, iterator) {
  for (let step = { value: first }; !step.done; step = await iterator.next()) {
    const bytes = bytesOf(step.value)
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES)
  }
}

// What is copied: the statement, and its bytes.
async function planOf (target, form, iterator) {
  const { value: first, done } = await iterator.next()
  if (done) return null
  if (!isRow(first)) {
    return { sql: `copy ${target} from stdin ${optionsSql({ format: 'csv', ...form })}`, chunks: slices(first, iterator) }
  }
  for (const name of FORM) {
    if (form[name] !== undefined) throw usage(`copyFrom: option ${name}: it is for a source of bytes, and this one gives rows`)
  }
  let columns = columnsOf(target)
  let list = ''
  if (columns === null && !Array.isArray(first)) {
    columns = Object.keys(first)
    list = `(${columns.map(quote).join(', ')})`
  }
  return { sql: `copy ${target}${list} from stdin (format text)`, chunks: new Lines(columns, first, iterator, 'copyFrom').chunks() }
}

function turn () {
  return new Promise((resolve) => setImmediate(resolve))
}

async function put (client, scope, chunks, limits) {
  const waiting = []
  for await (const chunk of chunks) {
    if (waiting.length >= WINDOW) await waiting.shift()
    limits.signal?.throwIfAborted()
    if (scope.isEnded()) throw scope.refusal(ops.COPY_PUT)
    const sent = client.call(ops.COPY_PUT, [chunk], limits.call, scope)
    sent.catch(ignore)
    client.flush()
    waiting.push(sent)
    // A source that is always ready, and a server that is, would keep timers from running.
    await turn()
  }
  for (const sent of waiting) await sent
}

/**
 * Runs a COPY of chunks within a transaction.
 *
 * @param {Scope} scope of the transaction
 * @param {string} sql
 * @param {AsyncIterable<Buffer>} chunks
 * @param {{ timeoutMs?, signal? }} limits
 * @returns {Promise<number>} the rows
 */
async function copyIn (client, scope, sql, chunks, limits) {
  client.enter()
  scope.enter()
  try {
    await client.call(ops.COPY_OPEN, [sql], limits.call, scope)
    try {
      await put(client, scope, chunks, limits)
      return await client.call(ops.COPY_END, [true], limits.call, scope)
    } catch (err) {
      if (!scope.isEnded()) await client.call(ops.COPY_END, [false], undefined, scope).catch(ignore)
      // Whatever the server was at: the transaction is not committed.
      if (err instanceof UndercroftError && err.outcome === 'unknown') err.outcome = 'not-run'
      throw err
    }
  } finally {
    scope.leave()
    client.leave()
  }
}

/**
 * Copies rows or bytes into a table; on a handle in a transaction of its own.
 *
 * @param {object} verbs a handle or a transaction
 * @param {Client} client
 * @param {Scope|null} scope
 * @param {string} target as COPY has it: '"user"(name, age)'
 * @param {Iterable|AsyncIterable} source arrays or objects, a row each; or bytes in chunks
 * @param {object} [options] format ('csv'), header, delimiter, null, encoding: of bytes; timeoutMs, signal
 * @returns {Promise<{ changes: number }>}
 */
async function copyFrom (verbs, client, scope, target, source, options) {
  checkText(target, 'copyFrom: target')
  const { form, limits } = readOptions(options, 'copyFrom')
  const iterator = iteratorOf(source)
  limits.signal?.throwIfAborted()
  await checkHere(client, 'copyFrom')
  try {
    const plan = await planOf(target, form, iterator)
    if (plan === null) return { changes: 0 }
    const run = (scope) => copyIn(client, scope, plan.sql, plan.chunks, limits)
    return { changes: scope === null ? await within(verbs, run, limits) : await run(scope) }
  } catch (err) {
    letGo(iterator)
    throw err
  }
}

/**
 * Copies rows whose columns are known.
 *
 * @param {object} verbs a handle or a transaction
 * @param {string} target the table with its columns, quoted
 * @param {string[]} columns for errors
 * @param {Iterator|AsyncIterator} iterator of arrays
 * @returns {Promise<number>}
 */
async function copyRows (verbs, client, target, columns, iterator, { timeoutMs, signal }) {
  const limits = new CopyLimits(timeoutMs, signal)
  const { value: first, done } = await iterator.next()
  if (done) return 0
  const chunks = new Lines(columns, first, iterator, 'insertMany').chunks()
  const run = (scope) => copyIn(client, scope, `copy ${target} from stdin (format text)`, chunks, limits)
  return verbs[SCOPE] !== undefined ? await verbs[SCOPE](run) : await within(verbs, run, limits)
}

// Not waited for: a source may be busy with its next row.
function letGo (iterator) {
  try {
    iterator.return?.()?.then?.(ignore, ignore)
  } catch {
    // Why it is let go is the error that counts.
  }
}

/** Runs fn(scope) in a transaction of the handle. */
function within (verbs, fn, limits) {
  return verbs.transaction((tx) => tx[SCOPE](fn), limits.call)
}

const SCOPE = Symbol('scope')

// ---- out -------------------------------------------------------------------------------

const QUERY = /^\s*(?:select|with|values|table|insert|update|delete|\()/i

function outSql (what, form) {
  const query = QUERY.test(what) ? `(${what.replace(/;\s*$/, '')})` : what
  return `copy ${query} to stdout ${optionsSql({ format: 'csv', ...form })}`
}

async function * get (client, scope, sql, limits) {
  let isOver = false
  scope.enter()
  const next = () => {
    const got = client.call(ops.COPY_GET, [], limits.call, scope)
    got.catch(ignore)
    client.flush()
    return got
  }
  try {
    await client.call(ops.COPY_OPEN, [sql], limits.call, scope)
    const waiting = [next(), next()]
    for (;;) {
      const bytes = await waiting.shift()
      if (bytes === null) break
      waiting.push(next())
      yield bytes
    }
    isOver = true
    await client.call(ops.COPY_END, [true], limits.call, scope)
  } finally {
    if (!isOver && !scope.isEnded()) await client.call(ops.COPY_END, [false], undefined, scope).catch(ignore)
    scope.leave()
  }
}

// The bytes of a COPY in a transaction of its own, which lasts until they are read or given up. What
// is read outside of the callback is handed through a pair of promises.
async function * getAlone (verbs, client, sql, limits) {
  let give
  let end
  const given = new Promise((resolve) => { give = resolve })
  const ended = new Promise((resolve) => { end = resolve })
  const running = verbs.transaction((tx) => tx[SCOPE]((scope) => {
    give(scope)
    return ended
  }), limits.call)
  running.catch(() => give(null))
  const scope = await given
  if (scope === null) return await running
  try {
    yield * get(client, scope, sql, limits)
  } finally {
    end()
    await running.catch(ignore)
  }
}

/**
 * What a query or a table holds, as a Readable of bytes.
 *
 * @param {string} what a query, or a table as COPY has it
 * @param {object} [options] format ('csv'), header, delimiter, null, encoding, timeoutMs, signal
 * @returns {Readable}
 */
function copyTo (verbs, client, scope, what, options) {
  const { Readable } = builtin('node:stream')
  async function * bytes () {
    checkText(what, 'copyTo')
    const { form, limits } = readOptions(options, 'copyTo')
    limits.signal?.throwIfAborted()
    await checkHere(client, 'copyTo')
    const sql = outSql(what, form)
    if (scope !== null) yield * get(client, scope, sql, limits)
    else yield * getAlone(verbs, client, sql, limits)
  }
  return Readable.from(bytes(), { objectMode: false, highWaterMark: CHUNK_BYTES })
}

function ignore () {}

module.exports = { SCOPE, copyFrom, copyRows, copyTo }
