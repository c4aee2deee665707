'use strict'

// What goes over a connection, a turn at a time: cancels, which overtake what
// waits; then what is repeated; then what waits, in order. No more calls are on
// the wire than the daemon's window allows.

const { ops } = require('../wire/ops')
const { SLOT_MASK } = require('../wire/id')
const { Writer } = require('../wire/encode')
const { lengthOf, endOf } = require('./sp')
const { Outbox } = require('./outbox')
const { Definitions } = require('./definitions')
const request = require('./request')

// Until the daemon has told its own.
const WINDOW = 256
const MAX_WINDOW = 65536

class Sender {
  #flights
  #calls
  #outbox = new Outbox()
  #definitions = new Definitions()
  #urgent = []
  // Calls on the wire, answered or not by us; no more than the window.
  #onWire = 0
  #window = WINDOW

  /**
   * @param {Flights} flights
   * @param {CallRecord[]} calls of the client, by slot
   */
  constructor (flights, calls) {
    this.#flights = flights
    this.#calls = calls
  }

  // ---- what waits ------------------------------------------------------------

  /**
   * Copies whole requests behind the others.
   *
   * @param {boolean} flushed nothing of what was sent is still in this process
   * @returns {Chunk} they are its last `length` bytes
   */
  add (buf, length, flushed) {
    return this.#outbox.add(buf, 0, length, flushed)
  }

  /** The request at `at` in `chunk` announces a statement. */
  define (chunk, at) {
    this.#definitions.add(chunk, at)
  }

  /** A message that overtakes what waits. */
  urge (bytes) {
    this.#urgent.push(bytes)
  }

  /** The flights that wait with a request of more than `max` bytes: [flight, bytes]. */
  larger (max) {
    const found = []
    for (const { view, sent, pos } of this.#outbox.queue) {
      for (let p = sent; p < pos; p = endOf(view, p)) {
        const length = lengthOf(view, p)
        const flight = length > max ? this.#flights.find(view.getUint32(p + request.ID)) : null
        if (flight !== null) found.push([flight, length])
      }
    }
    return found
  }

  clear () {
    this.#outbox.clear()
  }

  // ---- sending ---------------------------------------------------------------

  /** A connection is up, whose daemon takes so many calls at once. */
  up (connection, window) {
    this.#onWire = 0
    if (window >= 1) this.#window = Math.min(window, MAX_WINDOW)
    const known = this.#definitions.messages
    if (known.length > 0) connection.write(known)
  }

  /** A reply has come. */
  answered () {
    this.#onWire--
  }

  /** Writes what may be on the wire. */
  send (connection) {
    const flights = this.#flights
    const { queue } = this.#outbox
    if (flights.again.length === 0 && this.#urgent.length === 0 && flights.dropped === 0 &&
      queue.length === 1 && this.#onWire + flights.waiting <= this.#window) {
      // The usual case: all of it.
      const [chunk] = queue
      this.#onWire += flights.waiting
      connection.write(chunk.buf.subarray(chunk.sent, chunk.pos))
      chunk.sent = chunk.pos
      flights.waiting = 0
      queue.length = 0
    } else if (flights.again.length > 0 || this.#urgent.length > 0 || queue.length > 0) {
      connection.cork()
      for (const bytes of this.#urgent.splice(0)) connection.write(bytes)
      this.#repeat(connection)
      this.#sendSome(connection)
      connection.uncork()
    }
    flights.sentTo = this.#outbox.head
    this.#definitions.sent(queue)
  }

  // As much as the window allows, in order, leaving out what is over.
  #sendSome (connection) {
    const { queue } = this.#outbox
    while (queue.length > 0 && !connection.full) {
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
          if (from < p) connection.write(b.subarray(from, p))
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
      if (from < p) connection.write(b.subarray(from, p))
      chunk.sent = p
      if (isFull) return
      queue.shift()
    }
  }

  #repeat (connection) {
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
    connection.write(w.buf.subarray(0, w.pos))
  }

  // ---- after a loss ----------------------------------------------------------

  /** The connection is gone. */
  lost () {
    this.#onWire = 0
    this.#urgent = []
  }

  /** Whether a request that was sent means the same on the next connection. */
  mayMove ({ chunk, at, seq }) {
    return this.#definitions.areSame(seq) && !request.isBound(chunk.buf, chunk.view, at)
  }

  /**
   * What waits is written for a connection that is no more: what is bound to it
   * ends, the other requests lose what they know of it. In front of them comes
   * what was sent and not read.
   *
   * @param {RequestFlight[]} unread in order
   * @param {(flight: RequestFlight) => void} refuse ends one that was bound
   */
  requeue (unread, refuse, now) {
    const chunks = this.#outbox.clear()
    this.#flights.restart(this.#outbox.tail)
    this.#definitions.restart()
    for (const flight of unread) {
      const { chunk: { buf, view }, at: p } = flight
      this.#moveOn(flight, { buf, view, p, length: endOf(view, p) - p, now })
    }
    for (const { buf, view, sent, pos } of chunks) {
      for (let p = sent; p < pos;) {
        const id = view.getUint32(p + request.ID)
        const length = endOf(view, p) - p
        const isBound = request.isBound(buf, view, p)
        if (id === 0) {
          if (buf[p + request.OP] === ops.DEFINE) {
            const chunk = this.#outbox.add(buf, p, length, true)
            this.#definitions.add(chunk, chunk.pos - length)
          }
        } else {
          const flight = this.#flights.find(id)
          if (flight !== null && !flight.again) {
            if (isBound) {
              this.#flights.detach(flight)
              refuse(flight)
            } else {
              this.#moveOn(flight, { buf, view, p, length, now })
            }
          }
        }
        p += length
      }
    }
  }

  #moveOn (flight, { buf, view, p, length, now }) {
    request.forgetShape(buf, view, p)
    const chunk = this.#outbox.add(buf, p, length, true)
    this.#flights.move(flight, chunk, chunk.pos - length, now)
  }
}

module.exports = { Sender }
