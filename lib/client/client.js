'use strict'

// The client of one session with a core, whatever the door.
//
//   query() ──> writer ──turn ends, or 64 calls──> native.submit()
//     │ slot in calls[]                                 │
//   promise <── settle <── inbox <── native.take() <── wake()
//
// Invariants:
//  - calls[slot] is the record of the call in flight with that slot; its id is
//    0 while the slot is free.
//  - a record is released exactly once, by settle or fail; the promise it held
//    can then only be settled with what they passed on.
//  - requests reach the core in the order in which the verbs were called.
//  - promises are only resolved here, never rejected: a failure resolves with
//    an async function that throws, made only then, which is how the stack of
//    the error names the awaiting caller at no cost to the calls that succeed.

const { ops, names, isRead } = require('../wire/ops')
const { Writer } = require('../wire/encode')
const { SLOT_MASK } = require('../wire/id')
const { NO_SHAPE } = require('../wire/shape')
const { Inbox } = require('./inbox')
const { Call, want, blame, fail } = require('./call')
const { Statements } = require('./statements')
const { INTEGERS, defaults, readCall } = require('../base/options')
const { UndercroftError, expected } = require('../base/errors')
const { listen, unlisten } = require('../base/abort')
const { tracing } = require('../base/trace')
const { Look, isWorthwhile } = require('./poll')
const { Desk } = require('./buffers')

// A batch leaves at this many calls or bytes even before the turn ends. Reads
// leave early, so that the core is at work on them while more are written;
// writes that leave together share one commit.
const BATCH_READS = 32
const BATCH_CALLS = 64
const BATCH_BYTES = 48 * 1024
// Over a socket nothing leaves before the turn ends: one write a turn.
const WHOLE_TURN = 0x3fffffff
// SQL text that could be more than a daemon takes is measured.
const LONG_SQL = 1024 * 1024
const WRITER_BYTES = 64 * 1024

// States of a client.
const OPEN = 0
const CLOSING = 1
const CLOSED = 2

// A static executor: no closure per call.
let resolveOfLast = null
function executor (resolve) {
  resolveOfLast = resolve
}

const done = Promise.resolve()

// Equal to no SQL that a caller may pass, wrong as it may be.
const NONE = Object.freeze({})
// In the place of a statement, for calls that have none.
const NO_STATEMENT = Object.freeze({ sql: undefined, shape: NO_SHAPE })

class Client {
  #native
  #desk = null
  // The core is in another process.
  #isRemote
  // What the session writes in front of each request takes so many bytes.
  #head
  #batchReads
  #batchCalls
  // Null where looking for replies does not help.
  #look
  // What a call without a deadline of its own is given, -1: the core knows.
  #timeoutMs
  #statements
  #lastSql = NONE
  #lastPrepared = null
  #calls = []
  #free = -1
  #writer = new Writer(WRITER_BYTES)
  #count = 0
  #write = false
  #batch = 1
  // A request is being written. What runs then, getters of the parameters, may
  // make calls itself: they wait until it stands in the buffer.
  #writing = false
  #scheduled = false
  #onTurn
  #turnOpen = false
  #endTurn
  #inbox
  #held = false
  #hold = { client: null }
  #closing = null
  #activities = 0
  #quiet = null
  #guard = null
  #inside = null
  #gate = false
  #state = OPEN
  #inFlight = 0
  #kept = 0
  #maxQueue
  #stacks
  #integers

  /**
   * @param {Function} connect (wake, calls, statements, client) -> session, see
   *   transport/addon.js and transport/ipc.js
   * @param {object} options normalised options of `open`
   */
  constructor (connect, options) {
    this.options = options
    // The database lives in memory, where one connection serves everything.
    this.memory = false
    // Called before a blocking call that may change something, for the cache.
    this.wrote = null
    // Notes how long statements take, where they are logged; see log/slow.js.
    this.slow = null
    this.#maxQueue = options.maxQueue
    this.#stacks = options.stacks
    this.#integers = INTEGERS.indexOf(options.integers)
    this.#statements = new Statements(options.statementCache)
    this.#onTurn = () => {
      this.#scheduled = false
      if (this.#count > 0) this.flush()
    }
    this.#endTurn = () => this.endTurn()
    this.#native = connect(Client.#waker(this, this.#hold), this.#calls, this.#statements, this)
    const { isRemote = false, head = 0 } = this.#native
    this.#isRemote = isRemote
    this.#head = head
    this.#batchReads = isRemote ? WHOLE_TURN : BATCH_READS
    this.#batchCalls = isRemote ? WHOLE_TURN : BATCH_CALLS
    // Replies of a socket are there when the event loop says so.
    this.#look = isRemote || !isWorthwhile ? null : new Look(() => this.#lookNow())
    // A daemon has a default of its own.
    this.#timeoutMs = isRemote && options.timeoutMs !== defaults.timeoutMs ? options.timeoutMs : -1
    this.#inbox = new Inbox(this.#native, this.#calls, {
      settle: (call, value) => this.#settle(call, value),
      fail: (call, make) => this.#fail(call, make),
      abandon: (cursor) => this.post(ops.CURSOR_CLOSE, [cursor]),
      broken: (err) => this.destroy(err),
      arrived: () => { if (this.#look !== null) this.#look.answered() },
      drained: () => { if (this.#inFlight === 0 && this.#kept === 0) this.#idle() }
    })
  }

  // The core keeps this function for as long as the session lives. It must not
  // keep an idle client that nobody else holds, and must keep a busy one. Made
  // here because a closure of the constructor would hold `this`.
  static #waker (client, hold) {
    const weak = new WeakRef(client)
    return function wake () {
      const awake = hold.client !== null ? hold.client : weak.deref()
      if (awake !== undefined) awake.#inbox.wake()
    }
  }

  get native () { return this.#native }
  /** Where blocking calls are written; only where the session has them. */
  get desk () {
    if (this.#desk === null) this.#desk = new Desk(this.#native)
    return this.#desk
  }

  get integers () { return this.#integers }
  get inFlight () { return this.#inFlight }
  get writing () { return this.#writing }
  /** Counts the connections of the session: what is bound to an earlier one is gone. */
  get epoch () { return this.#native.epoch }
  get closed () { return this.#state !== OPEN }

  /**
   * Asked for each call of the handle while one of its transactions is open; null: none is.
   *
   * @param {((op: number, sql?: string) => Error|null)|null} guard why it may not be made
   * @param {(() => { key: number, id: number }|null)|null} inside what is written into it, so that
   *   it does not wait for the transaction that waits for it
   */
  setGuard (guard, inside = null) {
    this.#guard = guard
    this.#inside = inside
    this.#gate = guard !== null || this.#state !== OPEN
  }

  /**
   * Runs one statement. Never throws: everything that is wrong rejects.
   *
   * @param {number} op GET, ALL, RUN or JSON
   * @param {number} wanted what of `want` the promise brings
   * @param {string} sql
   * @param {Array|object} [params]
   * @param {{ timeoutMs?, signal?, integers? }} [opts]
   * @param {object|null} scope transaction or snapshot, null for the handle
   */
  query (op, wanted, sql, params, opts, scope) {
    if (this.#writing) return done.then(() => this.query(op, wanted, sql, params, opts, scope))
    if (this.#gate || this.#inFlight >= this.#maxQueue || scope !== null) {
      const err = this.refusal(op, sql, scope)
      if (err !== null) return Promise.reject(err)
    }
    const w = this.#writer
    if (w.pos > BATCH_BYTES) this.flush()
    let call = null
    let start = w.pos
    try {
      // What the request says of where it belongs.
      let place = scope
      if (scope === null && this.#inside !== null) place = this.#inside()
      let integers = this.#integers
      let timeoutMs = this.#timeoutMs
      let signal = null
      let once = null
      // A daemon has lines of its own, which name the work that they belong to.
      const trace = this.#isRemote ? tracing() : null
      if (opts !== undefined || (scope !== null && scope.limited)) {
        const o = readCall(opts, integers, false, op === ops.RUN)
        integers = o.integers
        if (o.timeoutMs >= 0) timeoutMs = o.timeoutMs
        signal = o.signal
        once = o.once
        if (once !== null && scope !== null) throw notInScope()
        if (scope !== null && scope.limited) {
          timeoutMs = scope.timeLeft(timeoutMs)
          if (signal === null) signal = scope.signal
        }
        if (signal !== null && signal.aborted) return Promise.reject(signal.reason)
      }
      const prepared = sql === this.#lastSql ? this.#lastPrepared : this.prepared(sql)
      start = w.pos
      const shape = prepared.shape
      call = this.#take()
      this.#writing = true
      if (this.#head > 0) w.skip(this.#head)
      if (timeoutMs < 0 && place === null && once === null && trace === null) {
        w.query(op, call.id, prepared.sid, shape.id, params)
      } else {
        w.head(6, op, call.id, timeoutMs, place, once, trace)
        w.statement(prepared.sid, shape.id)
        w.params(params)
      }
      if (this.#head > 0) this.#native.seal(w, start, call.id)
      this.#writing = false
      call.op = op
      call.want = wanted
      call.integers = integers
      call.prepared = prepared
      call.shape = shape
      if (signal !== null) listen(this, call, signal)
    } catch (err) {
      this.#writing = false
      w.pos = start
      if (call !== null) this.#release(call)
      return Promise.reject(blame(err, sql, op))
    }
    if (this.slow !== null) call.timing = this.slow.begin(op, call.prepared, params)
    return this.#enqueue(call)
  }

  /**
   * Runs any operation of the table whose arguments are plain values.
   *
   * @param {number|string} op number, or name as in the core's table
   * @param {Array} [args]
   * @param {{ timeoutMs?, signal? }} [opts]
   * @param {object|null} [scope]
   * @param {number} [epoch] the connection that the arguments belong to
   * @returns {Promise} the value of the reply
   */
  call (op, args = [], opts = undefined, scope = null, epoch = undefined) {
    if (typeof op === 'string') {
      const number = names.indexOf(op)
      if (number < 0) {
        return Promise.reject(new UndercroftError('UC_OP', `unknown operation ${op}`))
      }
      op = number
    }
    return this.send({
      op,
      want: op === ops.EXEC ? want.RUN : want.VALUE,
      opts,
      scope,
      epoch,
      sql: op === ops.EXEC ? args[0] : undefined,
      fields: args.length,
      write (w) {
        for (const arg of args) w.any(arg)
      }
    })
  }

  /** Runs a script of any number of statements. */
  exec (sql, opts, scope) {
    if (typeof sql !== 'string') {
      return Promise.reject(expected('UC_PARAM_TYPE', 'sql', 'a string', sql))
    }
    if (!sql.isWellFormed()) {
      return Promise.reject(new UndercroftError('UC_PARAM_TYPE',
        'sql: expected well-formed text, got text with a lone surrogate'))
    }
    return this.call(ops.EXEC, [sql], opts, scope)
  }

  /**
   * The general form of a call, for everything that is not the hot path.
   *
   * @param {object} request
   *   op, want, opts, scope; fields and write(w, subject): the arguments;
   *   sql: named by errors; subject: what the reply's shape belongs to, made
   *   by subject() just before the request is written; going: part of
   *   something begun earlier, which a closing client lets finish; epoch: the
   *   connection that it was begun on; quiet: it stands for as long as it
   *   takes, and counts for nothing meanwhile
   */
  send (request) {
    if (this.#writing) return done.then(() => this.send(request))
    const { op, want: wanted, opts, scope, sql, fields, write, subject, going, epoch, quiet } = request
    const err = this.refusal(op, sql, scope, going, epoch)
    if (err !== null) return Promise.reject(err)
    const w = this.#writer
    if (w.pos > BATCH_BYTES) this.flush()
    let start = w.pos
    let call = null
    try {
      const o = readCall(opts, this.#integers, false, op === ops.MANY || op === ops.BATCH)
      const { integers, once } = o
      let { signal } = o
      let timeoutMs = o.timeoutMs >= 0 ? o.timeoutMs : this.#timeoutMs
      if (once !== null && scope !== null) throw notInScope()
      if (scope !== null && scope.limited && op !== ops.TX_END) {
        timeoutMs = scope.timeLeft(timeoutMs)
        if (signal === null) signal = scope.signal
      }
      if (signal !== null && signal.aborted) return Promise.reject(signal.reason)
      const about = subject !== undefined ? subject() : { sql, shape: NO_SHAPE }
      start = w.pos
      call = this.#take()
      if (this.#head > 0) w.skip(this.#head)
      // The key of a stream of rows goes with its first chunk.
      let place = scope === CLOSER ? null : scope
      if (scope === null && this.#inside !== null && !going) place = this.#inside()
      w.head(3 + fields, op, call.id, timeoutMs, place, going ? null : once,
        this.#isRemote && quiet !== true ? tracing() : null)
      this.#writing = true
      write(w, about)
      if (this.#head > 0) this.#native.seal(w, start, call.id)
      this.#writing = false
      call.op = op
      call.want = wanted
      call.integers = integers
      call.prepared = about
      call.shape = about.shape
      if (signal !== null) listen(this, call, signal)
    } catch (err) {
      this.#writing = false
      w.pos = start
      if (call !== null) this.#release(call)
      return Promise.reject(blame(err, sql, op))
    }
    if (this.slow !== null) call.timing = this.slow.begin(op, call.prepared)
    return this.#enqueue(call, quiet)
  }

  /**
   * The cached value of a key, or undefined: the hot path of the cache.
   *
   * @param {string} key checked by the caller
   */
  cached (key) {
    if (this.#writing) return done.then(() => this.cached(key))
    if (this.#gate || this.#inFlight >= this.#maxQueue) {
      const err = this.refusal(ops.CACHE_GET, undefined, null)
      if (err !== null) return Promise.reject(err)
    }
    const w = this.#writer
    if (w.pos > BATCH_BYTES) this.flush()
    const call = this.#take()
    const start = w.pos
    if (this.#head > 0) w.skip(this.#head)
    w.head(4, ops.CACHE_GET, call.id, this.#timeoutMs, null)
    w.text(key, 0)
    if (this.#head > 0) this.#native.seal(w, start, call.id)
    call.op = ops.CACHE_GET
    call.want = want.CACHED
    call.prepared = NO_STATEMENT
    call.shape = NO_SHAPE
    return this.#enqueue(call)
  }

  /** Sends a request that wants no reply. Ignored once the client is closed. */
  post (op, args) {
    if (this.#state === CLOSED) return
    const w = this.#writer
    const start = w.pos
    if (this.#head > 0) w.skip(this.#head)
    w.head(3 + args.length, op, 0, -1, null)
    for (const arg of args) w.any(arg)
    if (this.#head > 0) this.#native.seal(w, start, 0)
    this.#written(op)
  }

  /**
   * The session's record of `sql`; a new one is announced to the core in front
   * of what is written next. Throws for what is not SQL text.
   */
  prepared (sql) {
    if (sql === this.#lastSql) return this.#lastPrepared
    let prepared = this.#statements.find(sql)
    if (prepared === undefined) {
      prepared = this.#statements.make(sql, this.#lastPrepared)
      if (sql.length > LONG_SQL && this.#isRemote) this.#checkLength(sql)
      const w = this.#writer
      const start = w.pos
      if (this.#head > 0) w.skip(this.#head)
      w.head(5, ops.DEFINE, 0, -1, null)
      w.uint(prepared.sid)
      w.text(sql, 0)
      if (this.#head > 0) this.#native.seal(w, start, 0)
      this.#statements.add(prepared)
      this.#written(ops.DEFINE)
    }
    this.#lastSql = sql
    this.#lastPrepared = prepared
    return prepared
  }

  #checkLength (sql) {
    const max = this.#native.maxRequest
    if (Buffer.byteLength(sql) + 64 <= max) return
    throw new UndercroftError('UC_REQUEST_TOO_LARGE',
      `the SQL text is longer than what the daemon takes at once (its max-request-bytes, ${max})`, { outcome: 'not-sent' })
  }

  /** Why a call may not start now, or null. */
  refusal (op, sql, scope, going = scope !== null, epoch = scope?.epoch) {
    if (this.#state === CLOSED || (this.#state === CLOSING && !going)) {
      return new UndercroftError('UC_CLOSED', 'the handle is closed',
        { sql, op: names[op], outcome: 'not-sent' })
    }
    if (epoch !== undefined && epoch !== this.#native.epoch) {
      return new UndercroftError('UC_CONNECTION_LOST',
        'the connection that this was begun on has been lost, and it with it; begin it again',
        { sql, op: names[op], outcome: 'not-sent' })
    }
    if (scope !== null) {
      const err = scope.refusal(op)
      if (err !== null) return err
    } else if (this.#guard !== null && !going) {
      const err = this.#guard(op, sql)
      if (err !== null) return err
    }
    // What ends a transaction or a cursor frees room: it is always let in.
    if (this.#inFlight >= this.#maxQueue && (op < ops.CURSOR_OPEN || op === ops.TX_BEGIN)) {
      return new UndercroftError('UC_BUSY',
        `${this.#inFlight} calls are in flight, as many as the option maxQueue allows`,
        { sql, op: names[op], outcome: 'not-run', retryable: true })
    }
    return null
  }

  /** Hands what was written over to the core. */
  flush () {
    const w = this.#writer
    const count = this.#count
    if (count === 0 || this.#state === CLOSED || this.#writing) return
    const write = this.#write
    if (write && this.#turnOpen) this.endTurn()
    const length = w.pos
    this.#count = 0
    this.#write = false
    this.#batch++
    w.pos = 0
    try {
      this.#native.submit(w.buf, length, count, write)
    } catch (err) {
      this.destroy(err)
      return
    }
    if (!write && this.#look !== null) this.#look.soon()
    // One huge blob must not stay allocated for ever.
    if (w.cap > 16 * WRITER_BYTES) w.adopt(Buffer.allocUnsafeSlow(WRITER_BYTES))
  }

  // Whether there is more to look for.
  #lookNow () {
    if (this.#state === CLOSED) return false
    this.#inbox.wake()
    return this.#inFlight > 0
  }

  /** Called before a blocking read: its snapshot ends with the turn. */
  openTurn () {
    if (this.#turnOpen) return
    this.#turnOpen = true
    done.then(this.#endTurn)
  }

  endTurn () {
    if (!this.#turnOpen) return
    this.#turnOpen = false
    if (this.#state !== CLOSED) this.#native.endTurn()
  }

  /** Asks the core to stop the call with this id, if it is still in flight. */
  cancel (id) {
    const call = this.#calls[id & SLOT_MASK]
    if (call === undefined || call.id !== id) return
    // A call that is still here goes out together with its end and never runs;
    // otherwise the cancel overtakes, alone, whatever the core is busy with.
    if (call.batch !== this.#batch) this.flush()
    this.post(ops.CANCEL, [id, 0])
    this.flush()
  }

  /**
   * Something of several calls (a transaction, a stream of rows) begins; it
   * may go on while the client closes. Each is ended by `leave`.
   */
  enter () {
    this.#activities++
  }

  leave () {
    if (--this.#activities === 0 && this.#quiet !== null) this.#quiet()
  }

  /** Somebody waits for more than calls; each is ended by `letGo`. */
  keepAlive () {
    this.#kept++
    if (!this.#held && this.#state !== CLOSED) this.#busy()
  }

  letGo () {
    if (--this.#kept === 0 && this.#inFlight === 0) this.#idle()
  }

  /** Waits for what is in flight, then ends the session. Idempotent. */
  close () {
    if (this.#closing === null) this.#closing = this.#close()
    return this.#closing
  }

  async #close () {
    if (this.#state === CLOSED) return
    this.#state = CLOSING
    this.#gate = true
    if (this.#activities > 0) {
      await new Promise((resolve) => { this.#quiet = resolve })
    }
    if (this.#state === CLOSED) return
    try {
      await this.call(ops.CLOSE, [], { timeoutMs: 0 }, CLOSER)
    } catch (err) {
      // destroy() overtook it, or the database never opened: nothing to wait for.
    }
    this.destroy()
  }

  /**
   * Ends the session at once: what is in flight rejects with UC_CLOSED.
   *
   * @param {Error} [cause]
   */
  destroy (cause) {
    if (this.#state === CLOSED) return
    this.#state = CLOSED
    this.#gate = true
    const unsent = this.#batch
    this.#count = 0
    this.#writer.pos = 0
    this.#inbox.end()
    const waiting = new Set(this.#isRemote ? this.#calls.filter((call) => this.#native.isWaiting(call.id)) : [])
    this.#native.destroy()
    for (const call of this.#calls) {
      if (call.id === 0) continue
      const outcome = call.batch === unsent || waiting.has(call) ? 'not-sent' : 'unknown'
      const { sql } = call.prepared
      const op = names[call.op]
      this.#fail(call, () => new UndercroftError('UC_CLOSED',
        'the handle was closed while the call was in flight', { sql, op, outcome, cause }))
    }
    this.#idle()
    if (this.#quiet !== null) this.#quiet()
  }

  #take () {
    let call
    if (this.#free >= 0) {
      call = this.#calls[this.#free]
      this.#free = call.next
    } else {
      call = new Call(this.#calls.length)
      this.#calls.push(call)
    }
    call.begin()
    this.#inFlight++
    return call
  }

  #release (call) {
    if (call.signal !== null) unlisten(call)
    call.id = 0
    call.resolve = null
    call.prepared = null
    call.trace = null
    call.next = this.#free
    this.#free = call.slot
    if (call.quiet) call.quiet = false
    else this.#inFlight--
  }

  #enqueue (call, quiet = false) {
    const promise = new Promise(executor)
    call.resolve = resolveOfLast
    call.batch = this.#batch
    if (this.#stacks) call.trace = new Error('trace')
    if (quiet) {
      call.quiet = true
      this.#inFlight--
    } else if (!this.#held) {
      this.#busy()
    }
    this.#written(call.op)
    return promise
  }

  #written (op) {
    if (!isRead[op]) this.#write = true
    // A define is followed by its statement: it would only make two batches.
    if (++this.#count >= (this.#write ? this.#batchCalls : this.#batchReads) && op !== ops.DEFINE) {
      this.flush()
    } else if (!this.#scheduled) {
      this.#scheduled = true
      done.then(this.#onTurn)
    }
  }

  // Calls are in flight: the process stays alive, and so does this object.
  #busy () {
    this.#held = true
    this.#hold.client = this
    this.#native.ref()
  }

  #idle () {
    if (!this.#held) return
    this.#held = false
    this.#hold.client = null
    if (this.#state !== CLOSED) this.#native.unref()
  }

  #settle (call, value) {
    const { resolve, prepared, timing } = call
    const isTaken = call.want === want.TAKEN
    this.#release(call)
    if (timing !== null) this.#timed(call, timing, value)
    if (isTaken) {
      try {
        value = prepared.arrived(value)
      } catch (err) {
        resolve(fail(() => err, null))
        return
      }
    }
    resolve(value)
  }

  #fail (call, make) {
    const { resolve, trace, timing } = call
    this.#release(call)
    if (timing !== null) {
      const err = make()
      this.#timed(call, timing, undefined, err)
      make = () => err
    }
    resolve(fail(make, trace))
  }

  #timed (call, timing, value, err) {
    call.timing = null
    this.slow.over(timing, value, err)
  }
}

function notInScope () {
  return new UndercroftError('UC_OPTION',
    'option once: not inside a transaction or snapshot, which is repeated as a whole or not at all',
    { outcome: 'not-sent' })
}

// While a client closes, this scope lets its own last request through.
const CLOSER = {
  key: 0,
  id: 0,
  limited: false,
  signal: null,
  refusal () { return null }
}

module.exports = { Client }
