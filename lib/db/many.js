'use strict'

// One statement, any number of rows, one transaction. A small set of rows is
// one request, which may share a group commit. A larger one is a stream of
// chunks, of which a few are under way at a time: while the core runs one, the
// next is written, and between two of them the event loop turns.

const { ops } = require('../wire/ops')
const { want } = require('../client/call')
const { UndercroftError, expected } = require('../base/errors')
const { readCall } = require('../base/options')

const CHUNK_ROWS = 1000
const CHUNK_BYTES = 64 * 1024
// Chunks sent and not yet acknowledged.
const WINDOW = 2

/**
 * @param {Client} client
 * @param {object|null} scope
 * @param {string} sql
 * @param {Iterable|AsyncIterable} rows of arrays or objects; an array must not
 *   change before the promise settles
 * @param {object} [opts]
 * @returns {Promise<{ changes, lastInsertRowid }>}
 */
function many (client, scope, sql, rows, opts) {
  let source
  try {
    source = sourceOf(rows)
    if (source.full) {
      const first = sendChunk(client, scope, sql, source, null, opts)
      if (!source.more) return first
      return follow(client, scope, sql, source, opts, first)
    }
  } catch (err) {
    if (err instanceof UndercroftError) err.sql ??= sql
    return Promise.reject(err)
  }
  return follow(client, scope, sql, source, opts, null)
}

async function follow (client, scope, sql, source, opts, first) {
  client.enter()
  if (scope !== null) scope.enter()
  if (first !== null) first.catch(ignore)
  const waiting = []
  let token = null
  let epoch
  let prepared = null
  try {
    const { timeoutMs, signal } = readCall(opts, 0, false, true)
    const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity
    const left = () => deadline === Infinity
      ? opts
      : { ...opts, timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())) }
    if (first === null) {
      await source.fill()
      first = sendChunk(client, scope, sql, source, null, opts)
      if (!source.more) return await first
    }
    // The session may give the number of the statement to another one only
    // when the stream is over.
    prepared = client.prepared(sql)
    prepared.pins++
    client.flush()
    token = await first
    epoch = client.epoch
    for (;;) {
      if (waiting.length >= WINDOW) await waiting.shift()
      if (!source.full) await source.fill()
      if (signal !== null && signal.aborted) throw signal.reason
      const chunk = sendChunk(client, scope, sql, source, token, left(), epoch)
      chunk.catch(ignore)
      client.flush()
      if (!source.more) {
        // An earlier chunk that failed is the reason; ask it first.
        for (const earlier of waiting) await earlier
        const result = await chunk
        token = null
        return result
      }
      waiting.push(chunk)
    }
  } catch (err) {
    if (token !== null) await abandon(client, scope, prepared, token, epoch)
    throw err
  } finally {
    if (prepared !== null) prepared.pins--
    source.stop()
    client.leave()
    if (scope !== null) scope.leave()
  }
}

// Tells the core to roll the stream back; returns when it has.
function abandon (client, scope, prepared, token, epoch) {
  return client.send({
    op: ops.MANY,
    want: want.VALUE,
    scope,
    going: true,
    epoch,
    sql: prepared.sql,
    fields: 4,
    write (w) {
      w.uint(prepared.sid)
      w.any(token)
      w.flag(false)
      w.nil()
    }
  }).catch(ignore)
}

function sendChunk (client, scope, sql, source, token, opts, epoch = scope?.epoch) {
  return client.send({
    op: ops.MANY,
    want: want.RUN,
    opts,
    scope,
    going: token !== null,
    epoch,
    sql,
    fields: 4,
    subject: () => client.prepared(sql),
    write: (w, prepared) => writeChunk(w, prepared, source, token)
  })
}

/**
 * The arguments of a `many` request with as many rows as a chunk takes.
 * Returns where the flag stands that says whether there are more.
 */
function writeChunk (w, prepared, source, token) {
  w.uint(prepared.sid)
  w.any(token)
  // Whether there is more, and how many rows, is known afterwards.
  const flagAt = w.flag(true)
  const countAt = w.openArray()
  const stop = w.pos + CHUNK_BYTES
  const { rows } = source
  const first = source.at
  const last = Math.min(rows.length, first + CHUNK_ROWS)
  let i = first
  while (i < last && w.pos < stop) {
    writeRow(w, rows[i], source.base + i)
    i++
  }
  source.at = i
  w.closeArray(countAt, i - first)
  if (!source.more) w.flag(false, flagAt)
  return flagAt
}

function writeRow (w, row, index) {
  try {
    if (row === null || typeof row !== 'object') {
      throw expected('UC_PARAM_TYPE', 'parameters', 'an array of values, or an object of named ones', row)
    }
    w.params(row)
  } catch (err) {
    if (err instanceof UndercroftError) {
      err.message = `row ${index + 1}: ${err.message}`
      err.index = index
    }
    throw err
  }
}

/**
 * @param {boolean} [sync] only what can be read without waiting
 */
function sourceOf (rows, sync = false) {
  if (Array.isArray(rows)) return new Source(rows, null)
  if (rows !== null && typeof rows === 'object') {
    const made = (sync ? undefined : rows[Symbol.asyncIterator]) ?? rows[Symbol.iterator]
    if (typeof made === 'function' && !ArrayBuffer.isView(rows)) {
      return new Source([], made.call(rows))
    }
  }
  throw expected('UC_PARAM_TYPE', 'rows', 'an array or an iterable of arrays or objects', rows)
}

// The rows not yet sent. `rows[at..]` are at hand; `iterator` has the others.
class Source {
  constructor (rows, iterator) {
    this.rows = rows
    this.at = 0
    // Rows dropped from the front so far, so that messages count from 1.
    this.base = 0
    this.iterator = iterator
  }

  /** Whether a chunk can be written without asking the iterator. */
  get full () {
    return this.iterator === null || this.rows.length - this.at > CHUNK_ROWS
  }

  get more () {
    return this.iterator !== null || this.at < this.rows.length
  }

  #drop () {
    this.base += this.at
    this.rows = this.rows.slice(this.at)
    this.at = 0
  }

  /** The same as fill, for an iterator that is known to be synchronous. */
  fillSync () {
    this.#drop()
    while (this.iterator !== null && this.rows.length <= CHUNK_ROWS) {
      const step = this.iterator.next()
      if (step.done) this.iterator = null
      else this.rows.push(step.value)
    }
  }

  // One row more than a chunk: whether a chunk is the last one must be known.
  async fill () {
    this.#drop()
    while (this.iterator !== null && this.rows.length <= CHUNK_ROWS) {
      let step = this.iterator.next()
      if (typeof step?.then === 'function') step = await step
      if (step.done) this.iterator = null
      else this.rows.push(step.value)
    }
  }

  // Ends an iterator that was left in the middle.
  stop () {
    const { iterator } = this
    this.iterator = null
    if (iterator === null || typeof iterator.return !== 'function') return
    try {
      const ended = iterator.return()
      if (typeof ended?.then === 'function') ended.then(ignore, ignore)
    } catch {
      // The reason why the stream ends is the error that counts.
    }
  }
}

function ignore () {}

module.exports = { many, sourceOf, writeChunk }
