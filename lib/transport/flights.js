'use strict'

// The calls under way, whether they wait to be sent, are on the wire, or are to
// be repeated on the next connection. Found by the slot in their id; the records
// are used again, so that a call costs no object.

const { isEndless, isRetried } = require('../wire/ops')
const { SLOT_MASK } = require('../wire/id')
const request = require('./request')

class RequestFlight {
  id = 0
  op = 0
  // Where its request stands: counted over all, and in its chunk.
  seq = 0
  at = 0
  // The chunk that keeps the request, which may have to be sent again.
  chunk = null
  // It is repeated by ourselves, even if it has run.
  isRead = false
  // It may be: it is a read, or has a key.
  isHarmless = false
  // To be repeated on the next connection.
  again = false
  tries = 0
  // When it began to wait for a connection, and when its time is over.
  since = 0
  due = 0
}

class Flights {
  #list = []
  /** Where what is sent ends; requests from here on are waiting. */
  sentTo = 0
  /** How many wait in the outbox, and how many messages there are left out. */
  waiting = 0
  dropped = 0
  /** To be repeated as soon as there is a connection. */
  again = []

  /**
   * A call whose message stands at `p` in `chunk` begins to wait.
   *
   * @param {number} now
   * @param {number} timeoutMs when the call has none of its own; 0: no end
   * @returns {RequestFlight}
   */
  add (chunk, p, id, now, timeoutMs) {
    const slot = id & SLOT_MASK
    while (this.#list.length <= slot) this.#list.push(new RequestFlight())
    const flight = this.#list[slot]
    const { buf: b } = chunk
    const op = b[p + request.OP]
    let alone = true
    let once = false
    if (b[p + request.META] !== 0xc0) {
      request.readMeta(b, chunk.view, p + request.META)
      alone = !request.meta.scoped
      once = request.meta.once
      if (request.meta.timeoutMs >= 0) timeoutMs = request.meta.timeoutMs
    }
    flight.id = id
    flight.op = op
    flight.seq = chunk.base + p
    flight.at = p
    flight.again = false
    flight.tries = 0
    flight.since = now
    flight.due = timeoutMs > 0 ? now + timeoutMs : Infinity
    flight.isRead = alone && isRetried[op]
    flight.isHarmless = flight.isRead || once
    flight.chunk = chunk
    chunk.live++
    this.waiting++
    return flight
  }

  /** The flight with this id, or null when it is over. */
  find (id) {
    const flight = this.#list[id & SLOT_MASK]
    return flight !== undefined && flight.id === id && id !== 0 ? flight : null
  }

  * [Symbol.iterator] () {
    for (const flight of this.#list) if (flight.id !== 0) yield flight
  }

  /** Whether it is not on the wire. */
  isWaiting (flight) {
    return flight.again || flight.seq >= this.sentTo
  }

  /** Somebody waits for a connection. */
  get areWaiting () {
    return this.waiting > 0 || this.again.length > 0
  }

  /** Whether anything has an end of its own besides `flight`. */
  areBusyBut (flight) {
    return this.#list.some((other) => other.id !== 0 && other !== flight && !isEndless[other.op])
  }

  /** It is over. */
  release (flight) {
    if (flight.again) {
      this.again = this.again.filter((other) => other !== flight)
    } else if (flight.seq >= this.sentTo) {
      this.waiting--
      this.dropped++
    }
    flight.chunk.live--
    flight.chunk = null
    flight.again = false
    flight.id = 0
  }

  /** It was on a wire that is no more, and may be asked again. */
  repeat (flight, now) {
    flight.tries++
    flight.again = true
    flight.since = now
    this.again.push(flight)
  }

  /** What waited is added again, one by one, from `seq` on. */
  restart (seq) {
    this.sentTo = seq
    this.waiting = 0
    this.dropped = 0
  }

  /** Its message has moved to `at` in `chunk`. */
  move (flight, chunk, at, now) {
    flight.chunk.live--
    flight.chunk = chunk
    chunk.live++
    flight.at = at
    flight.seq = chunk.base + at
    flight.since = now
    this.waiting++
  }

  /** Its message is in no chunk any more. */
  detach (flight) {
    flight.seq = -1
  }

  clear () {
    this.#list = []
    this.again = []
  }
}

module.exports = { Flights }
