'use strict'

// The door over a socket: what the client sees as its session, in JavaScript
// alone. It has the methods of the addon's session (see addon.js), but for
// those that block, and keeps going when the connection does not:
//
//   submit ──> outbox ──end of the turn, within the window──> link ──> daemon
//                 │                                            │
//   take <── answers <── deadlines, losses, cancels        receiver
//
// A call is WAITING until it is on the wire and SENT from then on. What is
// known of it is a Flight, found by the slot in its id. A flight ends by a
// reply or by an answer of our own, which reads like an error of the daemon.
//
//   IDLE ──> CONNECTING ──> READY        IDLE: not connected, nobody wants it
//    ^           │  ^         │
//    │           v  │ time    │ lost
//    └────────  BACKOFF  <────┘

const { ops, kinds } = require('../wire/ops')
const { codes } = require('../base/errors')
const { SLOT_MASK } = require('../wire/id')
const { NO_SHAPE } = require('../wire/shape')
const { Writer } = require('../wire/encode')
const { BODY, KIND, valueAt } = require('../wire/decode')
const { HEAD, seal, lengthOf, endOf } = require('./sp')
const { Link, refused } = require('./link')
const { Outbox } = require('./outbox')
const { Spawner } = require('./spawn')
const { lostError, connectError, isFinal } = require('./trouble')
const { Flights } = require('./flights')
const { Alarm } = require('./alarm')
const request = require('./request')

const IDLE = 0
const CONNECTING = 1
const READY = 2
const BACKOFF = 3
const CLOSED = 4

// Between two attempts to connect: doubled from one to the other, with jitter.
const BACKOFF_MS = 10
const BACKOFF_MAX_MS = 1000

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
const WINDOW = 256
const MAX_WINDOW = 65536
const MAX_REQUEST = 64 * 1024 * 1024

// A client that was collected without being closed leaves a session behind.
const collected = new FinalizationRegistry((session) => session.destroy())

class IpcSession {
  #target
  #options
  #wake
  #calls
  #statements
  #state = IDLE
  #link = null
  #owner
  #refed = false
  #outbox = new Outbox()
  #flights = new Flights()
  #closing = null
  // Cancels overtake what waits.
  #urgent = []
  // Calls on the wire, answered or not by us; no more than the window.
  #onWire = 0
  #window = WINDOW
  // The statements that this connection knows: number -> message. Those of
  // requests that wait are added when they are sent.
  #defined = new Map()
  // Where a number was last given to another text: requests before that may mean
  // the earlier one.
  #redefined = 0
  #defines = []
  #answers = new Writer(4096)
  #spare = new Writer(4096)
  #from = null
  #lossPending = false
  #lossCause = null
  #farewell = null
  #attempt = 0
  #backoff = null
  #notBefore = 0
  #trouble = null
  #spawner = null
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
    this.#target = target
    this.#options = options
    this.#wake = wake
    this.#calls = calls
    this.#statements = statements
    if (options.spawn !== null) this.#spawner = new Spawner(target, options.spawn, (err) => this.#spawned(err))
    this.#owner = {
      up: (info) => this.#ready(info),
      message: (id, from, end) => this.#message(id, from, end),
      replies: () => this.#wake(),
      writable: () => this.#soon(),
      down: (cause) => this.#down(cause)
    }
    this.#connect()
  }

  // ---- the session's methods -------------------------------------------------

  /** `length` bytes of whole messages; copied. */
  submit (buf, length) {
    if (this.#state === CLOSED) return
    const now = performance.now()
    const isFirst = !this.#flights.areWaiting
    const chunk = this.#outbox.add(buf, 0, length, this.#link === null || this.#link.flushed)
    const { buf: b, view } = chunk
    const end = chunk.pos
    let due = Infinity
    for (let p = end - length; p < end;) {
      const id = view.getUint32(p + request.ID)
      if (id !== 0) due = Math.min(due, this.#register(chunk, p, id, now))
      else if (b[p + request.OP] === ops.CANCEL) this.#cancel(chunk, p)
      else if (b[p + request.OP] === ops.DEFINE) this.#defines.push({ chunk, at: p })
      p = endOf(view, p)
    }
    if (length > this.maxRequest && this.#state === READY) this.#refuseLarge()
    if (this.#state !== READY) {
      due = Math.min(due, now + this.#options.connectTimeoutMs)
      if (this.#state === IDLE) this.#reconnect(now)
      else if (this.#state === BACKOFF && isFirst) this.#hurry(now)
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
    const receiver = this.#from
    if (receiver === null) return 0
    const n = receiver.take()
    this.buf = receiver.buf
    this.view = receiver.view
    this.at = receiver.at
    if (n > 0) return n
    if (this.#lossPending) setImmediate(() => this.#lost())
    else if (this.#link !== null) this.#link.resume()
    return 0
  }

  ref () {
    this.#refed = true
    if (this.#link !== null) this.#link.ref()
    this.#backoff?.ref()
  }

  unref () {
    this.#refed = false
    if (this.#link !== null) this.#link.unref()
    this.#backoff?.unref()
  }

  destroy () {
    this.#state = CLOSED
    collected.unregister(this)
    if (this.#link !== null) this.#link.destroy()
    this.#link = this.#from = null
    clearTimeout(this.#backoff)
    this.#alarm.clear()
    if (this.#spawner !== null) this.#spawner.end()
    this.#flights.clear()
    this.#outbox.clear()
  }

  /** Whether the call has never been on the wire. */
  isWaiting (id) {
    const flight = this.#flights.find(id)
    return flight !== null && !flight.again && this.#flights.isWaiting(flight)
  }

  /** Puts the envelope of a message around the request that begins `head` behind `start`. */
  seal (w, start, id) {
    seal(w, start, id)
  }

  /** Where the message at `p` ends that take() has lent. */
  endOf (view, p) {
    return endOf(view, p)
  }

  // ---- flights -----------------------------------------------------------------

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
    if (this.#state !== READY && flights.waiting === 1 && flights.again.length === 0) this.#answer(flight, null)
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
      this.#urgent.push(Buffer.from(b.subarray(p, endOf(view, p))))
    }
  }

  // ---- deadlines -----------------------------------------------------------------

  #expire () {
    if (this.#state === CLOSED) return
    const now = performance.now()
    // The client has replies that it has not come to read.
    const isBehind = this.#from !== null && this.#from.lent
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
    if (this.#state === READY) return flight.due
    return Math.min(flight.due, flight.since + this.#options.connectTimeoutMs)
  }

  #giveUp (flight) {
    if (!this.#flights.isWaiting(flight)) {
      const w = new Writer(64)
      w.skip(HEAD)
      w.head(5, ops.CANCEL, 0, -1, null)
      w.uint(flight.id)
      w.uint(TIMED_OUT)
      seal(w, 0, 0)
      this.#urgent.push(w.buf.subarray(0, w.pos))
    }
    this.#answer(flight, this.#late(flight))
  }

  #late (flight) {
    if (!this.#flights.isWaiting(flight)) {
      return { code: 'UC_TIMEOUT', message: 'the daemon did not answer before the deadline', outcome: 'unknown' }
    }
    const outcome = flight.again ? 'unknown' : 'not-sent'
    if (this.#state !== READY) return { ...connectError(this.#trouble, this.#target, this.#link, this.#spawner !== null), outcome }
    return { code: 'UC_TIMEOUT', message: 'the deadline passed before the call was sent: as many others were waiting for the daemon as it allows', outcome }
  }

  // ---- sending -----------------------------------------------------------------

  // Once a turn, when all that runs in it has run.
  #soon () {
    if (this.#scheduled) return
    this.#scheduled = true
    process.nextTick(this.#onTurn)
  }

  #turn () {
    this.#scheduled = false
    if (this.#state === CLOSED) return
    if (this.#state === READY) this.#send()
    if (this.#answers.pos > 0) this.#wake()
  }

  #send () {
    const link = this.#link
    if (this.#farewell !== null || link.full) return
    const { queue } = this.#outbox
    if (this.#flights.again.length === 0 && this.#urgent.length === 0 && this.#flights.dropped === 0 &&
      queue.length === 1 && this.#onWire + this.#flights.waiting <= this.#window) {
      // The usual case: all of it.
      const [chunk] = queue
      this.#onWire += this.#flights.waiting
      link.write(chunk.buf.subarray(chunk.sent, chunk.pos))
      chunk.sent = chunk.pos
      this.#flights.waiting = 0
      queue.length = 0
    } else if (this.#flights.again.length > 0 || this.#urgent.length > 0 || queue.length > 0) {
      link.cork()
      for (const bytes of this.#urgent.splice(0)) link.write(bytes)
      this.#repeat(link)
      this.#sendSome(link)
      link.uncork()
    }
    this.#flights.sentTo = this.#outbox.head
    if (this.#defines.length > 0) this.#define()
  }

  // As much as the window allows, in order, leaving out what is over.
  #sendSome (link) {
    const { queue } = this.#outbox
    while (queue.length > 0 && !link.full) {
      const chunk = queue[0]
      const { buf: b, view } = chunk
      let from = chunk.sent
      let p = from
      let isFull = false
      while (p < chunk.pos) {
        const id = view.getUint32(p + request.ID)
        const next = endOf(view, p)
        const isOut = id !== 0 ? this.#flights.find(id) === null : b[p + request.OP] === ops.CANCEL
        if (isOut) {
          if (from < p) link.write(b.subarray(from, p))
          this.#flights.dropped--
          from = next
        } else if (id !== 0) {
          if (this.#onWire >= this.#window) {
            isFull = true
            break
          }
          this.#onWire++
          this.#flights.waiting--
        }
        p = next
      }
      if (from < p) link.write(b.subarray(from, p))
      chunk.sent = p
      if (isFull) return
      queue.shift()
    }
  }

  // The definitions among what has been sent are those of this connection.
  #define () {
    const { queue } = this.#outbox
    const chunks = new Set(queue)
    let n = 0
    for (const { chunk, at } of this.#defines) {
      if (chunks.has(chunk) && at >= chunk.sent) break
      const message = Buffer.from(chunk.buf.subarray(at, endOf(chunk.view, at)))
      const number = request.uintAt(chunk.buf, chunk.view, at + request.META + 1)
      if (this.#defined.has(number)) this.#redefined = chunk.base + at
      this.#defined.set(number, message)
      n++
    }
    this.#defines.splice(0, n)
  }

  #repeat (link) {
    if (this.#flights.again.length === 0) return
    const now = performance.now()
    const w = new Writer(4096)
    const rest = []
    for (const flight of this.#flights.again) {
      if (this.#onWire >= this.#window) {
        rest.push(flight)
        continue
      }
      const { chunk, at, due, id } = flight
      const left = due === Infinity ? 0 : Math.max(1, Math.ceil(due - now))
      request.repeat(w, chunk.buf, chunk.view, at, this.#calls[id & SLOT_MASK].prepared.sql, left)
      flight.again = false
      this.#onWire++
    }
    this.#flights.again = rest
    link.write(w.buf.subarray(0, w.pos))
  }

  // What is larger than the daemon takes would cost the connection.
  #refuseLarge () {
    for (const chunk of this.#outbox.queue) {
      const { view } = chunk
      for (let p = chunk.sent; p < chunk.pos;) {
        const length = lengthOf(view, p)
        const flight = length > this.maxRequest ? this.#flights.find(view.getUint32(p + request.ID)) : null
        if (flight !== null) {
          this.#answer(flight, {
            code: 'UC_REQUEST_TOO_LARGE',
            message: `the call is ${length} bytes long, more than the daemon takes at once (its max-request-bytes, ${this.maxRequest})`,
            outcome: 'not-sent'
          })
        }
        p = endOf(view, p)
      }
    }
  }

  // ---- receiving -----------------------------------------------------------------

  #message (id, from, end) {
    if (id === 0) {
      const { buf, view } = this.#link.receiver
      if (buf[from + KIND] === kinds.ERROR) this.#farewell = refused(valueAt(buf, view, from + BODY, end))
      return
    }
    this.#onWire--
    const flight = this.#flights.find(id)
    if (flight !== null) this.#flights.release(flight)
    if (this.#flights.waiting > 0 || this.#flights.again.length > 0) this.#soon()
  }

  // ---- the connection --------------------------------------------------------------

  #connect () {
    const { db, path } = this.#target
    const { readonly } = this.#options
    this.#state = CONNECTING
    this.#farewell = null
    this.#link = new Link(path, {
      ...(db !== null ? { db } : {}),
      ...(readonly ? { readonly } : {})
    }, this.#owner)
    if (!this.#refed) this.#link.unref()
  }

  // Connects again: at once, or when it is not too soon.
  #reconnect (now) {
    this.#state = BACKOFF
    this.#backoff = setTimeout(() => {
      this.#backoff = null
      if (this.#flights.areWaiting) {
        this.#connect()
      } else {
        this.#state = IDLE
        this.#attempt = 0
      }
    }, Math.max(0, this.#notBefore - now))
    if (!this.#refed) this.#backoff.unref()
  }

  // Somebody has come who does not know of the attempts so far.
  #hurry (now) {
    clearTimeout(this.#backoff)
    this.#attempt = 0
    this.#notBefore = 0
    this.#reconnect(now)
  }

  #ready (info) {
    this.#state = READY
    this.#from = this.#link.receiver
    this.#attempt = 0
    this.#notBefore = 0
    this.#trouble = null
    this.#onWire = 0
    if (info.window >= 1) this.#window = Math.min(info.window, MAX_WINDOW)
    if (info.max_request >= 1) this.maxRequest = info.max_request
    this.#refuseLarge()
    if (this.#defined.size > 0) this.#link.write(Buffer.concat([...this.#defined.values()]))
    this.#soon()
  }

  #down (cause) {
    if (this.#state !== READY) {
      this.#failed(cause)
    } else {
      // First what has arrived is read: those calls were answered.
      this.#lossCause = cause
      this.#lossPending = true
      if (!this.#from.lent) this.#lost()
    }
  }

  // An attempt to connect has failed.
  #failed (cause) {
    this.#link = null
    this.#trouble = cause
    this.#notBefore = performance.now() + this.#delay()
    if (isFinal(cause)) {
      this.#rejectWaiting(cause)
      this.#state = IDLE
      return
    }
    if (this.#spawner !== null && (this.#flights.areWaiting || !this.#spawner.hasRun)) this.#spawner.start(cause)
    this.#reconnect(performance.now())
  }

  #delay () {
    const whole = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempt++)
    return whole / 2 + Math.random() * whole / 2
  }

  // The daemon that was to be started has ended, with an error or without.
  #spawned (err) {
    if (this.#state === CLOSED || this.#state === READY) return
    this.#trouble = err ?? this.#trouble
    if (err !== null) this.#rejectWaiting(err)
  }

  #rejectWaiting (cause) {
    const err = connectError(cause, this.#target, null)
    for (const flight of this.#flights) {
      if (!this.#flights.isWaiting(flight)) continue
      this.#answer(flight, { ...err, outcome: flight.again ? 'unknown' : 'not-sent' })
    }
  }

  // The connection is gone, and with it all that lived on it.
  #lost () {
    if (!this.#lossPending || this.#state === CLOSED) return
    const err = lostError(this.#farewell ?? this.#lossCause)
    const now = performance.now()
    // The last word of a daemon that ends in order: what it has taken it has
    // answered, and the rest was never run.
    const isClean = this.#farewell !== null && this.#farewell.code === 'UC_CLOSED'
    const unread = []
    this.#lossPending = false
    this.#link = this.#from = null
    this.#state = IDLE
    this.#epochEnds()
    for (const flight of this.#flights) {
      if (this.#flights.isWaiting(flight)) continue
      if (flight.op === ops.CLOSE) this.#answer(flight, null)
      else if (isClean && this.#mayMove(flight)) unread.push(flight)
      else if (flight.isRead && flight.tries < MAX_REPEATS) this.#flights.repeat(flight, now)
      else this.#answer(flight, { ...err, outcome: isClean ? 'not-run' : 'unknown' })
    }
    unread.sort((a, b) => a.seq - b.seq)
    this.#requeue(unread, err, now)
    this.#notBefore = now + this.#delay()
    if (!this.#flights.areWaiting) return
    this.#reconnect(now)
    this.#alarm.set(now, now)
  }

  #epochEnds () {
    this.epoch++
    this.#onWire = 0
    this.#urgent = []
    this.#statements.forgetShapes()
    for (const call of this.#calls) call.shape = NO_SHAPE
  }

  // Whether a request means the same on the next connection, where statements
  // have the numbers that they had last.
  #mayMove ({ chunk, at, seq }) {
    return seq >= this.#redefined && !request.isBound(chunk.buf, chunk.view, at)
  }

  // What waits is written for a connection that is no more: what is bound to it
  // ends, the other requests lose what they know of it. In front of them comes
  // what was sent and not read.
  #requeue (unread, err, now) {
    const chunks = this.#outbox.clear()
    this.#flights.restart(this.#outbox.tail)
    this.#defines = []
    for (const flight of unread) {
      const { chunk: { buf, view }, at: p } = flight
      this.#moveOn(flight, null, { buf, view, p, length: endOf(view, p) - p, now })
    }
    for (const { buf, view, sent, pos } of chunks) {
      for (let p = sent; p < pos;) {
        const id = view.getUint32(p + request.ID)
        const length = endOf(view, p) - p
        const isBound = request.isBound(buf, view, p)
        if (id === 0) {
          if (buf[p + request.OP] === ops.DEFINE) {
            const chunk = this.#outbox.add(buf, p, length, true)
            this.#defines.push({ chunk, at: chunk.pos - length })
          }
        } else {
          const flight = this.#flights.find(id)
          if (flight !== null && !flight.again) this.#moveOn(flight, isBound ? err : null, { buf, view, p, length, now })
        }
        p += length
      }
    }
  }

  #moveOn (flight, err, { buf, view, p, length, now }) {
    if (err !== null) {
      this.#flights.detach(flight)
      this.#answer(flight, { ...err, outcome: 'not-sent' })
      return
    }
    request.forgetShape(buf, view, p)
    const chunk = this.#outbox.add(buf, p, length, true)
    this.#flights.move(flight, chunk, chunk.pos - length, now)
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
