'use strict'

// The client of one session with a core, whatever the door: its calls.
//
//   query() ──> pipeline ──turn ends, or 64 calls──> session.submit()
//     │ slot in calls                                   │
//   promise <── settle <── inbox <── session.take() <── wake()
//
// pipeline.js has the requests, calls.js what waits for a reply, inbox.js the
// replies, life.js how it all ends. Requests reach the core in the order in which
// the verbs were called.

const { ops, names, isRead } = require('../wire/ops')
const { NO_SHAPE } = require('../wire/shape')
const { Inbox } = require('./inbox')
const { want, blame } = require('./call')
const { Calls } = require('./calls')
const { Pipeline } = require('./pipeline')
const { Life, CLOSER } = require('./life')
const { Statements } = require('./statements')
const { INTEGERS, defaults, readCall } = require('../base/options')
const { UndercroftError, expected } = require('../base/errors')
const { listen } = require('../base/abort')
const { tracing } = require('../base/trace')
const { answerOf } = require('../wire/decode')
const { ReplyPoll, isWorthwhile } = require('./poll')
const { SyncBuffers } = require('./sync-buffers')

const done = Promise.resolve()

// Of what is answered at once; those of the calls are never this small.
const NOW_ID = 1

// In the place of a statement, for calls that have none.
const NO_STATEMENT = Object.freeze({ sql: undefined, shape: NO_SHAPE })

class Client {
  #session
  #calls
  #pipeline
  #inbox
  #life
  #syncBuffers = null
  // The core is in another process.
  #isRemote
  // What a call without a deadline of its own is given, -1: the core knows.
  #timeoutMs
  #maxQueue
  #stacks
  #integers
  #guard = null
  #inside = null

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
    this.#maxQueue = options.maxQueue
    this.#stacks = options.stacks
    this.#integers = INTEGERS.indexOf(options.integers)
    const hold = { client: null }
    const statements = new Statements(options.statementCache)
    const calls = this.#calls = new Calls()
    const session = this.#session = connect(Client.#waker(this, hold), calls.records, statements, this)
    const isRemote = this.#isRemote = session.isRemote === true
    // A daemon has a default of its own.
    this.#timeoutMs = isRemote && options.timeoutMs !== defaults.timeoutMs ? options.timeoutMs : -1
    // Replies of a socket are there when the event loop says so.
    const poll = isRemote || !isWorthwhile ? null : new ReplyPoll(() => this.#readNow())
    const pipeline = this.#pipeline = new Pipeline(session, statements, poll, (err) => this.destroy(err))
    const inbox = this.#inbox = new Inbox(session, calls.records, {
      settle: (call, value) => calls.settle(call, value),
      fail: (call, make) => calls.fail(call, make),
      abandon: (cursor) => this.post(ops.CURSOR_CLOSE, [cursor]),
      broken: (err) => this.destroy(err),
      arrived: () => { if (poll !== null) poll.answered() },
      drained: () => this.#life.drained()
    })
    this.#life = new Life(this, hold, { session, calls, pipeline, inbox })
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

  get native () { return this.#session }
  /** Where blocking calls are written; only where the session has them. */
  get syncBuffers () {
    if (this.#syncBuffers === null) this.#syncBuffers = new SyncBuffers(this.#session)
    return this.#syncBuffers
  }

  /** Whether requestNow may have an answer. */
  get answersNow () { return this.#session.requestNow !== undefined && !this.memory }
  get integers () { return this.#integers }
  get inFlight () { return this.#calls.inFlight }
  get writing () { return this.#pipeline.writing }
  /** Counts the connections of the session: what is bound to an earlier one is gone. */
  get epoch () { return this.#session.epoch }
  /** What serves the database, 'sqlite' or 'postgres'; null until the daemon has said so. */
  get engine () { return this.#session.engine ?? null }
  get closed () { return !this.#life.isOpen }
  /** Notes how long statements take, where they are logged; see log/slow.js. */
  get slow () { return this.#calls.slow }
  set slow (slow) { this.#calls.slow = slow }

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
  }

  // ---- calls -----------------------------------------------------------------

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
    const pipeline = this.#pipeline
    const calls = this.#calls
    if (pipeline.writing) return this.#later('query', op, wanted, sql, params, opts, scope)
    // First of all: when the core does not take what is there, the client is at its end.
    pipeline.makeRoom()
    if (scope !== null || this.#guard !== null || !this.#life.isOpen || calls.inFlight >= this.#maxQueue) {
      const err = this.refusal(op, sql, scope)
      if (err !== null) return Promise.reject(err)
    }
    const w = pipeline.writer
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
      const prepared = sql === pipeline.lastSql ? pipeline.lastPrepared : pipeline.prepared(sql)
      start = w.pos
      const shape = prepared.shape
      call = calls.take()
      pipeline.writing = true
      pipeline.begin()
      if (timeoutMs < 0 && place === null && once === null && trace === null) {
        w.query(op, call.id, prepared.sid, shape.id, params)
      } else {
        w.head(6, op, call.id, timeoutMs, place, once, trace)
        w.statement(prepared.sid, shape.id)
        w.params(params)
      }
      pipeline.seal(start, call.id)
      pipeline.writing = false
      call.op = op
      call.want = wanted
      call.integers = integers
      call.prepared = prepared
      call.shape = shape
      if (signal !== null) listen(this, call, signal)
    } catch (err) {
      pipeline.takeBack(start)
      if (call !== null) calls.release(call)
      return Promise.reject(blame(err, sql, op))
    }
    if (calls.slow !== null) call.timing = calls.slow.begin(op, call.prepared, params)
    return this.#await(call, false)
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
    const pipeline = this.#pipeline
    const calls = this.#calls
    if (pipeline.writing) return this.#later('send', request)
    const { op, want: wanted, opts, scope, sql, fields, write, subject, going, epoch, quiet = false } = request
    pipeline.makeRoom()
    const err = this.refusal(op, sql, scope, going, epoch)
    if (err !== null) return Promise.reject(err)
    const w = pipeline.writer
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
      call = calls.take()
      pipeline.begin()
      // The key of a stream of rows goes with its first chunk.
      let place = scope === CLOSER ? null : scope
      if (scope === null && this.#inside !== null && !going) place = this.#inside()
      w.head(3 + fields, op, call.id, timeoutMs, place, going ? null : once,
        this.#isRemote && quiet !== true ? tracing() : null)
      pipeline.writing = true
      write(w, about)
      pipeline.seal(start, call.id)
      pipeline.writing = false
      call.op = op
      call.want = wanted
      call.integers = integers
      call.prepared = about
      call.shape = about.shape
      if (signal !== null) listen(this, call, signal)
    } catch (err) {
      pipeline.takeBack(start)
      if (call !== null) calls.release(call)
      return Promise.reject(blame(err, sql, op))
    }
    if (calls.slow !== null) call.timing = calls.slow.begin(op, call.prepared)
    return this.#await(call, quiet)
  }

  /**
   * The cached value of a key, or undefined: the hot path of the cache.
   *
   * @param {string} key checked by the caller
   */
  cached (key) {
    const pipeline = this.#pipeline
    const calls = this.#calls
    if (pipeline.writing) return this.#later('cached', key)
    pipeline.makeRoom()
    if (this.#guard !== null || !this.#life.isOpen || calls.inFlight >= this.#maxQueue) {
      const err = this.refusal(ops.CACHE_GET, undefined, null)
      if (err !== null) return Promise.reject(err)
    }
    const w = pipeline.writer
    const call = calls.take()
    const start = w.pos
    pipeline.begin()
    w.head(4, ops.CACHE_GET, call.id, this.#timeoutMs, null)
    w.text(key, 0)
    pipeline.seal(start, call.id)
    call.op = ops.CACHE_GET
    call.want = want.CACHED
    call.prepared = NO_STATEMENT
    call.shape = NO_SHAPE
    return this.#await(call, false)
  }

  /**
   * What a route answers: the hot path of HTTP.
   *
   * @param {Array} args of the operation: set, method, target, headers, body, facts
   * @param {{ timeoutMs?: number, signal?: AbortSignal }} opts
   * @param {number} [epoch] the connection that the set belongs to
   * @returns {Promise<{ status, type, headers, body }>}
   */
  request (args, opts, epoch) {
    const pipeline = this.#pipeline
    const calls = this.#calls
    if (pipeline.writing) return this.#later('request', args, opts, epoch)
    pipeline.makeRoom()
    const err = this.refusal(ops.REQUEST, undefined, null, false, epoch)
    if (err !== null) return Promise.reject(err)
    const { signal = null, timeoutMs = this.#timeoutMs } = opts
    if (signal !== null && signal.aborted) return Promise.reject(signal.reason)
    const w = pipeline.writer
    const call = calls.take()
    const start = w.pos
    try {
      pipeline.begin()
      const place = this.#inside === null ? null : this.#inside()
      w.head(3 + args.length, ops.REQUEST, call.id, timeoutMs, place, null, this.#isRemote ? tracing() : null)
      w.request(args)
      pipeline.seal(start, call.id)
    } catch (err) {
      pipeline.takeBack(start)
      calls.release(call)
      return Promise.reject(blame(err, undefined, ops.REQUEST))
    }
    call.op = ops.REQUEST
    call.want = want.VALUE
    call.prepared = NO_STATEMENT
    call.shape = NO_SHAPE
    if (signal !== null) listen(this, call, signal)
    return this.#await(call, false, args[1] === 'GET')
  }

  /**
   * The same, where the core has the answer at once: see uc_request_now.
   *
   * @param {Array} args of the operation, see request
   * @param {number|undefined} timeoutMs
   * @param {Function} takeBody (buffer, from, to) -> the answer's body, whose bytes are overwritten afterwards
   * @returns {{ status, type, headers, body }|null} null: request() is to be asked
   */
  requestNow (args, timeoutMs = this.#timeoutMs, epoch, takeBody) {
    const session = this.#session
    if (this.#guard !== null || this.#inside !== null || !this.#life.isOpen) return null
    const pipeline = this.#pipeline
    const buffers = this.syncBuffers
    if (pipeline.writing || !pipeline.isEmpty || buffers.busy || epoch !== session.epoch) return null
    const w = buffers.writer
    w.pos = 0
    try {
      w.head(9, ops.REQUEST, NOW_ID, timeoutMs, null)
      w.request(args)
    } catch {
      return null
    }
    buffers.ready()
    let n = session.requestNow(w.pos)
    if (n === 0) return null
    if (n < 0) n = buffers.takeLarge(-n)
    try {
      return answerOf(buffers.reply, buffers.view, n, takeBody)
    } finally {
      buffers.shrink()
    }
  }

  /** Sends a request that wants no reply. Ignored once the client is closed. */
  post (op, args) {
    if (this.#life.isClosed) return
    const pipeline = this.#pipeline
    const w = pipeline.writer
    const start = w.pos
    pipeline.begin()
    w.head(3 + args.length, op, 0, -1, null)
    for (const arg of args) w.any(arg)
    pipeline.seal(start, 0)
    pipeline.written(op)
  }

  // A call that was made while the request of another was being written. Not in its place, where
  // a closure would cost every call a context.
  #later (verb, ...args) {
    return done.then(() => this[verb](...args))
  }

  // The promise of a call whose request stands in the buffer.
  #await (call, quiet, reads = isRead[call.op]) {
    const pipeline = this.#pipeline
    const promise = this.#calls.promise(call, pipeline.batch, quiet)
    // Made here, near the caller: a stack has room for ten frames.
    if (this.#stacks) call.trace = new Error('trace')
    if (!quiet) this.#life.busy()
    pipeline.written(call.op, reads)
    return promise
  }

  /** Why a call may not start now, or null. */
  refusal (op, sql, scope, going = scope !== null, epoch = scope?.epoch) {
    const life = this.#life
    if (life.isClosed || (!life.isOpen && !going)) {
      return new UndercroftError('UC_CLOSED', 'the handle is closed',
        { sql, op: names[op], outcome: 'not-sent' })
    }
    if (epoch !== undefined && epoch !== this.#session.epoch) {
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
    const { inFlight } = this.#calls
    // What ends a transaction or a cursor frees room: it is always let in.
    if (inFlight >= this.#maxQueue && (op < ops.CURSOR_OPEN || op === ops.TX_BEGIN)) {
      return new UndercroftError('UC_BUSY',
        `${inFlight} calls are in flight, as many as the option maxQueue allows`,
        { sql, op: names[op], outcome: 'not-run', retryable: true })
    }
    return null
  }

  /** Asks the core to stop the call with this id, if it is still in flight. */
  cancel (id) {
    const call = this.#calls.find(id)
    if (call === null) return
    const pipeline = this.#pipeline
    // A call that is still here goes out together with its end and never runs;
    // otherwise the cancel overtakes, alone, whatever the core is busy with.
    if (call.batch !== pipeline.batch) pipeline.flush()
    this.post(ops.CANCEL, [id, 0])
    pipeline.flush()
  }

  // ---- requests and replies --------------------------------------------------

  /** See Pipeline.prepared. */
  prepared (sql) { return this.#pipeline.prepared(sql) }

  /** Hands what was written over to the core. */
  flush () { this.#pipeline.flush() }

  /** Called before a blocking read: its snapshot ends with the turn. */
  openTurn () { this.#pipeline.openTurn() }

  // Whether there is more to look for.
  #readNow () {
    if (this.#life.isClosed) return false
    this.#inbox.wake()
    return this.#calls.inFlight > 0
  }

  // ---- life: see life.js -----------------------------------------------------

  enter () { this.#life.enter() }
  leave () { this.#life.leave() }
  keepAlive () { this.#life.keepAlive() }
  letGo () { this.#life.letGo() }

  /** Waits for what is in flight, then ends the session. Idempotent. */
  close () { return this.#life.close() }

  /**
   * Ends the session at once: what is in flight rejects with UC_CLOSED.
   *
   * @param {Error} [cause]
   */
  destroy (cause) { this.#life.destroy(cause) }
}

function notInScope () {
  return new UndercroftError('UC_OPTION',
    'option once: not inside a transaction or snapshot, which is repeated as a whole or not at all',
    { outcome: 'not-sent' })
}

module.exports = { Client }
