'use strict'

// The door over a socket: what the client sees as its session, in JavaScript
// alone. It has the methods of the addon's session (see addon.js), but for
// those that block, and keeps going when the connection does not:
//
//   submit ──> sender ──end of the turn, within the window──> connection ──> daemon
//                 │                                              │
//   take <── answers <── deadlines, losses, cancels           receiver
//
// send.js has what goes out, dial.js the connection. What is known of a call is
// its flight, see flights.js: it waits until it is on the wire and is sent from
// then on, and ends by a reply or by an answer of our own, which reads like an
// error of the daemon.

const { ops, kinds } = require('../wire/ops')
const { codes } = require('../base/errors')
const { NO_SHAPE } = require('../wire/shape')
const { Writer } = require('../wire/encode')
const { BODY, KIND, valueAt } = require('../wire/decode')
const { HEAD, seal, endOf } = require('./sp')
const { refused } = require('./connection')
const { Dialer } = require('./dial')
const { Sender } = require('./send')
const { lostError } = require('./trouble')
const { Flights } = require('./flights')
const { Alarm } = require('./alarm')
const request = require('./request')

// The daemon watches deadlines too and knows what has become of the call: it may
// answer first, also when the machine is busy.
const GRACE_MS = 500
// A read that was under way this often when a connection broke may be the reason.
const MAX_REPEATS = 3

// Why a call is cancelled, as the daemon is told.
const TIMED_OUT = 1

// How long a daemon may take to say goodbye, once nothing else is under way.
const CLOSE_MS = 5000

// Until the daemon has told its own.
const MAX_REQUEST = 64 * 1024 * 1024

// A client that was collected without being closed leaves a session behind.
const collected = new FinalizationRegistry((session) => session.destroy())

class IpcSession {
  #options
  #wake
  #calls
  #statements
  #flights = new Flights()
  #sender
  #dialer
  #isClosed = false
  // The call that closes the session.
  #closing = null
  // Answers of our own, and the writer of those that are being read.
  #answers = new Writer(4096)
  #spare = new Writer(4096)
  #receiver = null
  #lossPending = false
  #lossCause = null
  // The daemon's word before it hangs up.
  #farewell = null
  #alarm = new Alarm(() => this.#expire())
  #scheduled = false
  #onTurn = () => this.#turn()

  isRemote = true
  lends = true
  head = HEAD
  /** No request may be longer than so many bytes. */
  maxRequest = MAX_REQUEST
  /** Counts connections: what belongs to an earlier one is gone. */
  epoch = 1
  // What the database is served by, as the daemon says it; null until there was a connection.
  engine = null
  /** Where what take() found stands. */
  buf = null
  view = null
  at = 0

  /**
   * @param {object} target path, url, db
   * @param {object} options normalised
   * @param {Function} wake called when there is something to take
   * @param {CallRecord[]} calls of the client, by slot
   * @param {Statements} statements of the client
   */
  constructor (target, options, wake, calls, statements) {
    this.#options = options
    this.#wake = wake
    this.#calls = calls
    this.#statements = statements
    this.#sender = new Sender(this.#flights, calls)
    this.#dialer = new Dialer(target, options, {
      isWanted: () => this.#flights.areWaiting,
      up: (info) => this.#up(info),
      message: (id, from, end) => this.#message(id, from, end),
      replies: () => this.#wake(),
      writable: () => this.#soon(),
      down: (cause) => this.#down(cause),
      hopeless: (err) => this.#rejectWaiting(err)
    })
  }

  // ---- the session's methods -------------------------------------------------

  /** `length` bytes of whole messages; copied. */
  submit (buf, length) {
    if (this.#isClosed) return
    const now = performance.now()
    const { connection } = this.#dialer
    const isFirst = !this.#flights.areWaiting
    const chunk = this.#sender.add(buf, length, connection === null || connection.flushed)
    const { buf: b, view } = chunk
    const end = chunk.pos
    let due = Infinity
    for (let p = end - length; p < end;) {
      const id = view.getUint32(p + request.ID)
      if (id !== 0) due = Math.min(due, this.#register(chunk, p, id, now))
      else if (b[p + request.OP] === ops.CANCEL) this.#cancel(chunk, p)
      else if (b[p + request.OP] === ops.DEFINE) this.#sender.define(chunk, p)
      p = endOf(view, p)
    }
    if (this.#dialer.isReady) {
      if (length > this.maxRequest) this.#refuseLarge()
    } else {
      due = Math.min(due, now + this.#options.connectTimeoutMs)
      this.#dialer.wake(now, isFirst)
    }
    this.#alarm.set(due, now)
    this.#soon()
  }

  /**
   * Lends what there is to read: whole messages, `n` bytes at `at` in `buf`,
   * which stay there until the next call. 0: nothing.
   */
  take () {
    if (this.#answers.pos > 0) {
      // New answers may be given while these are read.
      const full = this.#answers
      this.#answers = this.#spare
      this.#answers.pos = 0
      this.#spare = full
      this.buf = full.buf
      this.view = full.view
      this.at = 0
      return full.pos
    }
    const receiver = this.#receiver
    if (receiver === null) return 0
    const n = receiver.take()
    this.buf = receiver.buf
    this.view = receiver.view
    this.at = receiver.at
    if (n > 0) return n
    const { connection } = this.#dialer
    if (this.#lossPending) setImmediate(() => this.#lost())
    else if (connection !== null) connection.resume()
    return 0
  }

  ref () { this.#dialer.ref() }
  unref () { this.#dialer.unref() }

  destroy () {
    this.#isClosed = true
    collected.unregister(this)
    this.#dialer.destroy()
    this.#receiver = null
    this.#alarm.clear()
    this.#flights.clear()
    this.#sender.clear()
  }

  /** Whether the call has never been on the wire. */
  isWaiting (id) {
    const flight = this.#flights.find(id)
    return flight !== null && !flight.again && this.#flights.isWaiting(flight)
  }

  /** Puts the envelope of a message in front of the frame that begins `head` behind `start`. */
  seal (w, start, id) {
    seal(w, start, id)
  }

  /** Where the message at `p` ends that take() has lent. */
  endOf (view, p) {
    return endOf(view, p)
  }

  // ---- flights ---------------------------------------------------------------

  // Returns when the time of the call is over.
  #register (chunk, p, id, now) {
    const flight = this.#flights.add(chunk, p, id, now, this.#options.timeoutMs)
    if (flight.op === ops.CLOSE) this.#goodbye(flight, now)
    return flight.due
  }

  #goodbye (flight, now) {
    const flights = this.#flights
    this.#closing = flight
    flight.due = now + CLOSE_MS
    // There may be nobody to say it to, and nothing to wait for.
    if (!this.#dialer.isReady && flights.waiting === 1 && flights.again.length === 0) this.#answer(flight, null)
  }

  /** Ends a flight from this side: with an error, or null as its value. */
  #answer (flight, err) {
    const { id } = flight
    const w = this.#answers
    const start = w.pos
    const retryable = err?.outcome === 'unknown' ? flight.isHarmless && codes[err.code]?.retryable === true : err?.retryable
    this.#flights.release(flight)
    w.skip(HEAD)
    w.arrayHeader(3)
    w.uint32(id)
    w.uint(err === null ? kinds.VALUE : kinds.ERROR)
    w.any(err === null ? null : { code: err.code, message: err.message, kind: err.kind, retryable, outcome: err.outcome })
    seal(w, start, id)
    this.#soon()
  }

  #cancel (chunk, p) {
    const { buf: b, view } = chunk
    const id = request.uintAt(b, view, p + request.META + 1)
    this.#flights.dropped++
    const flight = this.#flights.find(id)
    if (flight === null) return
    if (this.#flights.isWaiting(flight)) {
      this.#answer(flight, { code: 'UC_ABORTED', message: 'the call was aborted before it was sent', outcome: 'not-sent' })
    } else {
      this.#sender.urge(Buffer.from(b.subarray(p, endOf(view, p))))
    }
  }

  // What is larger than the daemon takes would cost the connection.
  #refuseLarge () {
    for (const [flight, length] of this.#sender.larger(this.maxRequest)) {
      this.#answer(flight, {
        code: 'UC_REQUEST_TOO_LARGE',
        message: `the call is ${length} bytes long, more than the daemon takes at once (its max-request-bytes, ${this.maxRequest})`,
        outcome: 'not-sent'
      })
    }
  }

  // ---- deadlines -------------------------------------------------------------

  #expire () {
    if (this.#isClosed) return
    const now = performance.now()
    // The client has replies that it has not come to read.
    const isBehind = this.#receiver !== null && this.#receiver.lent
    let next = isBehind ? now + GRACE_MS : Infinity
    for (const flight of isBehind ? [] : this.#flights) {
      const due = flight === this.#closing && this.#flights.areBusyBut(flight) ? now + CLOSE_MS : this.#dueOf(flight)
      if (due <= now) this.#giveUp(flight)
      else if (due < next) next = due
    }
    if (next < Infinity) this.#alarm.set(next, now)
  }

  #dueOf (flight) {
    if (!this.#flights.isWaiting(flight)) return flight.due + GRACE_MS
    if (this.#dialer.isReady) return flight.due
    return Math.min(flight.due, flight.since + this.#options.connectTimeoutMs)
  }

  #giveUp (flight) {
    if (!this.#flights.isWaiting(flight)) this.#sender.urge(request.cancel(flight.id, TIMED_OUT))
    this.#answer(flight, this.#late(flight))
  }

  #late (flight) {
    if (!this.#flights.isWaiting(flight)) {
      return { code: 'UC_TIMEOUT', message: 'the daemon did not answer before the deadline', outcome: 'unknown' }
    }
    const outcome = flight.again ? 'unknown' : 'not-sent'
    if (!this.#dialer.isReady) return { ...this.#dialer.error, outcome }
    return { code: 'UC_TIMEOUT', message: 'the deadline passed before the call was sent: as many others were waiting for the daemon as it allows', outcome }
  }

  // ---- the turn --------------------------------------------------------------

  // Once a turn, when all that runs in it has run.
  #soon () {
    if (this.#scheduled) return
    this.#scheduled = true
    process.nextTick(this.#onTurn)
  }

  #turn () {
    this.#scheduled = false
    if (this.#isClosed) return
    const { isReady, connection } = this.#dialer
    if (isReady && this.#farewell === null && !connection.full) this.#sender.send(connection)
    if (this.#answers.pos > 0) this.#wake()
  }

  #message (id, from, end) {
    if (id === 0) {
      const { buf, view } = this.#receiver
      if (buf[from + KIND] === kinds.ERROR) this.#farewell = refused(valueAt(buf, view, from + BODY, end))
      return
    }
    this.#sender.answered()
    const flight = this.#flights.find(id)
    if (flight !== null) this.#flights.release(flight)
    if (this.#flights.areWaiting) this.#soon()
  }

  // ---- the connection, up and lost -------------------------------------------

  #up (info) {
    const { connection } = this.#dialer
    this.#receiver = connection.receiver
    this.#farewell = null
    this.engine = info.engine ?? 'sqlite'
    if (info.max_request >= 1) this.maxRequest = info.max_request
    this.#refuseLarge()
    this.#sender.up(connection, info.window)
    this.#soon()
  }

  // First what has arrived is read: those calls were answered.
  #down (cause) {
    this.#lossCause = cause
    this.#lossPending = true
    if (!this.#receiver.lent) this.#lost()
  }

  // There will be no connection for those who wait.
  #rejectWaiting (err) {
    for (const flight of this.#flights) {
      if (!this.#flights.isWaiting(flight)) continue
      this.#answer(flight, { ...err, outcome: flight.again ? 'unknown' : 'not-sent' })
    }
  }

  // The connection is gone, and with it all that lived on it.
  #lost () {
    if (!this.#lossPending || this.#isClosed) return
    const err = lostError(this.#farewell ?? this.#lossCause)
    const now = performance.now()
    // The last word of a daemon that ends in order: what it has taken it has
    // answered, and the rest was never run.
    const isClean = this.#farewell !== null && this.#farewell.code === 'UC_CLOSED'
    const unread = []
    this.#lossPending = false
    this.#receiver = null
    this.#dialer.lost()
    this.#epochEnds()
    for (const flight of this.#flights) {
      if (this.#flights.isWaiting(flight)) continue
      if (flight.op === ops.CLOSE) this.#answer(flight, null)
      else if (isClean && this.#sender.mayMove(flight)) unread.push(flight)
      else if (flight.isRead && flight.tries < MAX_REPEATS) this.#flights.repeat(flight, now)
      else this.#answer(flight, { ...err, outcome: isClean ? 'not-run' : 'unknown' })
    }
    unread.sort((a, b) => a.seq - b.seq)
    this.#sender.requeue(unread, (flight) => this.#answer(flight, { ...err, outcome: 'not-sent' }), now)
    if (this.#dialer.again(now)) this.#alarm.set(now, now)
  }

  #epochEnds () {
    this.epoch++
    this.#sender.lost()
    this.#statements.forgetShapes()
    for (const call of this.#calls) call.shape = NO_SHAPE
  }
}

/**
 * @param {object} target path, url, db: see parseTarget
 * @param {object} options normalised
 * @returns {Function} (wake, calls, statements, client) -> session
 */
function connector (target, options) {
  return (wake, calls, statements, client) => {
    const session = new IpcSession(target, options, wake, calls, statements)
    collected.register(client, session, session)
    return session
  }
}

module.exports = { connector, IpcSession }
