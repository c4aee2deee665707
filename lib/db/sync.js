'use strict'

// The verbs that block: the request is run on this thread while the event loop
// stands still. Reads of one turn of the event loop share a snapshot.

const { ops, names, isRead, kinds } = require('../wire/ops')
const { OBJECTS, ARRAYS } = require('../wire/shape')
const decode = require('../wire/decode')
const { Scope } = require('./scope')
const { Statement } = require('./statement')
const { sourceOf, writeChunk } = require('./many')
const batches = require('../client/batch')
const { addFunction, addAggregate } = require('./functions')
const { readCall } = require('../base/options')
const { UndercroftError, expected, fromWire } = require('../base/errors')

// Blocking requests are answered one at a time, so they share an id; those of
// the client are never this small.
const ID = 1

const SAVEPOINT_BEGIN = 0
const SAVEPOINT_RELEASE = 1
const SAVEPOINT_ROLLBACK = 2

const FREE = Object.freeze({ signal: null, deadline: Infinity })

class Sync {
  #client
  #native
  #integers
  #buffers
  #scope = null
  // The innermost transaction or savepoint that is open: { ended }.
  #level = null
  // Functions of the user were registered: they could call back into here.
  #functions = false
  // The call that was slow and is not told yet, since its rows are not decoded.
  #late = null

  constructor (client) {
    if (typeof client.native.sync !== 'function') {
      throw new UndercroftError('UC_SYNC_UNAVAILABLE',
        'blocking calls need the database in this process; open the file itself')
    }
    if (client.engine === 'postgres') {
      throw new UndercroftError('UC_SYNC_UNAVAILABLE',
        'blocking calls are for SQLite: over a network they would hold the event loop; await the calls of db')
    }
    this.#client = client
    this.#native = client.native
    this.#integers = client.integers
    this.#buffers = client.syncBuffers
  }

  get (sql, params, opts) {
    const { integers, prepared, shape, end } = this.#query(ops.GET, sql, params, opts)
    const { reply: b, view: dv } = this.#buffers
    if (b[decode.KIND] !== kinds.ROWS) throw this.#error(end, sql, ops.GET)
    try {
      const row = decode.row(b, dv, 0, end, end, shape, integers)
      if (decode.head.shape !== shape) prepared.shape = decode.head.shape
      if (this.#late !== null) this.#tellLate(row)
      return row
    } catch (err) {
      throw this.#blame(err, sql, ops.GET)
    }
  }

  all (sql, params, opts) {
    return this.#rows(sql, params, opts, OBJECTS)
  }

  values (sql, params, opts) {
    return this.#rows(sql, params, opts, ARRAYS)
  }

  json (sql, params, opts) {
    return this.#simple(ops.JSON, sql, this.#query(ops.JSON, sql, params, opts))
  }

  run (sql, params, opts) {
    return this.#simple(ops.RUN, sql, this.#query(ops.RUN, sql, params, opts))
  }

  exec (sql, opts) {
    if (typeof sql !== 'string') throw expected('UC_PARAM_TYPE', 'sql', 'a string', sql)
    return this.#call(ops.EXEC, opts, sql, 1, (w) => w.any(sql))
  }

  many (sql, rows, opts) {
    const source = sourceOf(rows, true)
    try {
      if (!source.full) source.fillSync()
      const first = this.#chunk(sql, source, opts, true)
      if (first !== null) return first
      return this.transaction(() => {
        const sum = { changes: 0, lastInsertRowid: 0 }
        do {
          if (!source.full) source.fillSync()
          const part = this.#chunk(sql, source, opts, false)
          sum.changes += part.changes
          if (Number(part.lastInsertRowid) !== 0) sum.lastInsertRowid = part.lastInsertRowid
        } while (source.more)
        return sum
      })
    } finally {
      source.stop()
    }
  }

  batch (statements, opts) {
    const parts = batches.read(statements)
    const about = batches.prepareAll(this.#begin(), parts)
    return this.#call(ops.BATCH, opts, about, 1, (w) => batches.writeParts(w, about))
  }

  prepare (sql) {
    return new Statement(this, sql)
  }

  /**
   * The rows one by one, a page of them in memory at a time. Ends with the transaction that it was
   * begun in: what it read there may have been rolled back.
   */
  iterate (sql, params, opts) {
    return this.#iterate(sql, params, opts, this.#level)
  }

  * #iterate (sql, params, opts, level) {
    if (level !== null && level.ended) throw ended(sql)
    const prepared = this.#begin().prepared(sql)
    let page = this.#page(ops.CURSOR_OPEN, prepared, opts, 4, (w) => {
      w.statement(prepared.sid, prepared.shape.id)
      w.params(params)
      w.uint(0)
    })
    // The cursor's own view of the statement, whose shape may change meanwhile.
    const subject = { sql, shape: page.shape }
    try {
      for (;;) {
        for (const row of page.rows) {
          yield row
          if (level !== null && level.ended) throw ended(sql)
        }
        if (page.cursor === 0) return
        const { cursor } = page
        page = this.#page(ops.CURSOR_NEXT, subject, opts, 2, (w) => {
          w.uint(cursor)
          w.uint(subject.shape.id)
        })
        subject.shape = page.shape
      }
    } finally {
      if (page.cursor !== 0 && !this.#client.closed) this.#closeCursor(page.cursor)
    }
  }

  #closeCursor (cursor) {
    try {
      this.#call(ops.CURSOR_CLOSE, undefined, undefined, 1, (w) => w.uint(cursor))
    } catch {
      // It has ended by itself. What the loop came to must not be lost for that.
    }
  }

  /**
   * Runs fn(sync) in a transaction, in which every blocking call of this
   * handle takes part until it returns. Within another: a savepoint.
   */
  transaction (fn) {
    if (typeof fn !== 'function') throw expected('UC_OPTION', 'transaction', 'a function', fn)
    const outer = this.#scope
    if (outer !== null) {
      const point = (kind) => this.#call(ops.SAVEPOINT, undefined, undefined, 3, (w) => {
        w.uint(outer.id)
        w.uint(kind)
        w.uint(outer.depth)
      })
      outer.depth++
      try {
        point(SAVEPOINT_BEGIN)
        return this.#within(fn, () => point(SAVEPOINT_RELEASE), () => point(SAVEPOINT_ROLLBACK))
      } finally {
        outer.depth--
      }
    }
    const id = this.#call(ops.TX_BEGIN, undefined, undefined, 0, nothing)
    const scope = new Scope('x', id, FREE)
    const end = (commit) => this.#call(ops.TX_END, undefined, undefined, 2, (w) => {
      w.uint(id)
      w.flag(commit)
    })
    this.#scope = scope
    try {
      return this.#within(fn, () => end(true), () => end(false))
    } finally {
      this.#scope = null
    }
  }

  #within (fn, commit, rollback) {
    const outer = this.#level
    const level = this.#level = { ended: false }
    let value
    try {
      value = fn(this)
      if (typeof value?.then === 'function') {
        value.then(nothing, nothing)
        throw new UndercroftError('UC_OPTION',
          'transaction: the callback returned a promise, but a blocking transaction ends when it returns; ' +
          'use db.transaction for an async callback')
      }
    } catch (err) {
      try {
        rollback()
      } catch {
        // It was rolled back already, or the handle is closed.
      }
      throw err
    } finally {
      level.ended = true
      this.#level = outer
    }
    commit()
    return value
  }

  /**
   * Makes fn callable from the SQL of this handle's blocking calls, under
   * `name`. Options: deterministic, directOnly, varargs.
   */
  function (name, opts, fn) {
    this.#begin()
    this.#functions = true
    addFunction(this.#native, name, opts, fn)
    return this
  }

  /** Makes an aggregate callable: { start, step, result } and the options. */
  aggregate (name, opts) {
    this.#begin()
    this.#functions = true
    addAggregate(this.#native, name, opts)
    return this
  }

  // The client, with everything sent that was called before.
  #begin () {
    const client = this.#client
    if (client.closed || this.#buffers.busy || client.writing) this.#refuse()
    client.flush()
    return client
  }

  #refuse () {
    throw this.#client.closed
      ? new UndercroftError('UC_CLOSED', 'the handle is closed', { outcome: 'not-sent' })
      : new UndercroftError('UC_SYNC_UNAVAILABLE',
        'a function of the user, or a getter of the parameters, cannot block on the handle that calls it',
        { outcome: 'not-sent' })
  }

  // Runs one statement; its reply stands at the front of #reply.
  #query (op, sql, params, opts) {
    const client = this.#client
    if (client.closed || this.#buffers.busy || client.writing) this.#refuse()
    const prepared = client.prepared(sql)
    client.flush()
    const w = this.#buffers.writer
    const found = result
    found.prepared = prepared
    found.shape = prepared.shape
    found.integers = this.#integers
    this.#buffers.busy = true
    w.pos = 0
    try {
      let timeoutMs = -1
      if (opts !== undefined) {
        const o = readCall(opts, this.#integers, true)
        timeoutMs = o.timeoutMs
        found.integers = o.integers
      }
      if (timeoutMs < 0 && this.#scope === null) {
        w.query(op, ID, prepared.sid, found.shape.id, params)
      } else {
        w.head(6, op, ID, timeoutMs, this.#scope)
        w.statement(prepared.sid, found.shape.id)
        w.params(params)
      }
    } catch (err) {
      this.#buffers.busy = false
      throw this.#blame(err, sql, op)
    }
    this.#buffers.busy = false
    if (client.wrote !== null && !(isRead[op] && prepared.selects)) client.wrote()
    if (this.#scope === null && isRead[op]) client.openTurn()
    found.end = this.#run(op, prepared, params)
    return found
  }

  // Hands the request over; returns the length of the reply.
  #run (op, about, params = undefined) {
    const { slow } = this.#client
    if (slow === null) return this.#exchange()
    const timing = slow.begin(op, about, params)
    this.#late = null
    const length = this.#exchange()
    if (timing !== null && slow.ended(timing)) this.#late = timing
    return length
  }

  #tellLate (value, err) {
    const timing = this.#late
    this.#late = null
    this.#client.slow.tell(timing, value, err)
  }

  #exchange () {
    const buffers = this.#buffers
    const { pos } = buffers.writer
    buffers.ready()
    decode.forgetText()
    const n = this.#functions ? this.#runGuarded(pos) : this.#native.sync(pos)
    if (n > 0) return n
    if (n === 0) this.#refuse()
    return buffers.takeLarge(-n)
  }

  // What a function throws comes out of native.sync as it is.
  #runGuarded (length) {
    this.#buffers.busy = true
    try {
      return this.#native.sync(length)
    } finally {
      this.#buffers.busy = false
    }
  }

  #rows (sql, params, opts, form) {
    const { integers, prepared, shape, end } = this.#query(ops.ALL, sql, params, opts)
    const { reply: b, view } = this.#buffers
    if (b[decode.KIND] !== kinds.ROWS) throw this.#error(end, sql, ops.ALL)
    try {
      decode.rowsHeader(b, view, 0, end, shape)
      if (decode.head.shape !== shape) prepared.shape = decode.head.shape
      const rows = decode.allRows(b, view, end, form, integers)
      if (this.#late !== null) this.#tellLate(rows)
      return rows
    } catch (err) {
      throw this.#blame(err, sql, ops.ALL)
    } finally {
      this.#buffers.shrink()
    }
  }

  #simple (op, sql, { end, integers }, parts = undefined) {
    const kind = this.#buffers.reply[decode.KIND]
    if (kind === kinds.ERROR) throw this.#error(end, sql, op, parts)
    try {
      const value = decode.simple(this.#buffers.reply, this.#buffers.view, 0, end, kind, integers)
      if (this.#late !== null) this.#tellLate(value)
      return value
    } catch (err) {
      throw this.#blame(err, sql, op)
    } finally {
      this.#buffers.shrink()
    }
  }

  // Any operation but the hot ones. `about` is the SQL or, for a batch, the
  // record that knows the SQL of its parts.
  #call (op, opts, about, fields, write) {
    const sql = typeof about === 'string' ? about : undefined
    this.#send(op, opts, sql, fields, write, about?.parts)
    return this.#simple(op, sql, result, about?.parts)
  }

  #send (op, opts, sql, fields, write, parts = undefined) {
    const client = this.#begin()
    if (client.wrote !== null && !isRead[op]) client.wrote()
    const w = this.#buffers.writer
    this.#buffers.busy = true
    w.pos = 0
    try {
      const { timeoutMs, integers } = readCall(opts, this.#integers, true)
      result.integers = integers
      w.head(3 + fields, op, ID, timeoutMs, this.#scope)
      write(w)
    } catch (err) {
      throw this.#blame(err, sql, op)
    } finally {
      this.#buffers.busy = false
    }
    result.end = this.#run(op, { sql, parts })
  }

  #page (op, subject, opts, fields, write) {
    const { sql } = subject
    this.#send(op, opts, sql, fields, write)
    const { end, integers } = result
    const { reply: b, view } = this.#buffers
    if (b[decode.KIND] !== kinds.ROWS) throw this.#error(end, sql, op)
    try {
      decode.rowsHeader(b, view, 0, end, subject.shape)
      const { shape, cursor } = decode.head
      const rows = decode.allRows(b, view, end, OBJECTS, integers)
      if (this.#late !== null) this.#tellLate(rows)
      return { shape, cursor, rows }
    } catch (err) {
      throw this.#blame(err, sql, op)
    }
  }

  // One chunk of `many` as a request of its own. With `whole`, null when the
  // rows do not fit into one: nothing has been sent then.
  #chunk (sql, source, opts, whole) {
    const client = this.#begin()
    if (client.wrote !== null) client.wrote()
    const prepared = client.prepared(sql)
    client.flush()
    const w = this.#buffers.writer
    this.#buffers.busy = true
    w.pos = 0
    try {
      const { timeoutMs, integers } = readCall(opts, this.#integers, true)
      result.integers = integers
      w.head(7, ops.MANY, ID, timeoutMs, this.#scope)
      const from = source.at
      const moreAt = writeChunk(w, prepared, source, null)
      if (source.more) {
        if (whole) {
          source.at = from
          return null
        }
        // To the core each chunk is complete; the transaction around them
        // makes them one.
        w.flag(false, moreAt)
      }
    } catch (err) {
      throw this.#blame(err, sql, ops.MANY)
    } finally {
      this.#buffers.busy = false
    }
    result.end = this.#run(ops.MANY, prepared)
    return this.#simple(ops.MANY, sql, result)
  }

  #error (end, sql, op, parts) {
    try {
      if (this.#buffers.reply[decode.KIND] !== kinds.ERROR) throw decode.badFrame('unexpected kind of reply')
      const map = decode.valueAt(this.#buffers.reply, this.#buffers.view, decode.BODY, end)
      const err = fromWire(map, parts?.[map?.index] ?? sql, names[op])
      if (this.#late !== null) this.#tellLate(undefined, err)
      return err
    } catch (err) {
      return this.#blame(err, sql, op)
    }
  }

  #blame (err, sql, op) {
    const made = decode.frameError(err)
    if (made instanceof UndercroftError) {
      if (made.sql === undefined && typeof sql === 'string') made.sql = sql
      if (made.op === undefined) made.op = names[op]
    }
    return made
  }
}

function ended (sql) {
  return new UndercroftError('UC_TX_CLOSED', 'the transaction that this iterator was begun in has ended',
    { sql, op: names[ops.CURSOR_NEXT], outcome: 'not-sent' })
}

// What #query found: one object, read at once by its caller.
const result = { prepared: null, shape: null, integers: 0, end: 0 }

function nothing () {}

module.exports = { Sync }
