'use strict'

// The life of a client: what keeps it and its process alive, and how it ends.
//
//   OPEN ──close()──> CLOSING ──what was begun has ended──> CLOSED
//     └────────────────────destroy()──────────────────────────^

const { ops, names } = require('../wire/ops')
const { UndercroftError } = require('../base/errors')

const OPEN = 0
const CLOSING = 1
const CLOSED = 2

// While a client closes, this scope lets its own last request through.
const CLOSER = {
  key: 0,
  id: 0,
  limited: false,
  signal: null,
  refusal () { return null }
}

class Life {
  #client
  #hold
  #session
  #calls
  #pipeline
  #inbox
  #state = OPEN
  #held = false
  // Who waits for more than calls.
  #kept = 0
  #activities = 0
  #closing = null
  // Called when the last activity has ended.
  #quiet = null

  /**
   * @param {Client} client
   * @param {{ client: Client|null }} hold where the client stands while it is busy
   * @param {object} parts { session, calls, pipeline, inbox }, which end with it
   */
  constructor (client, hold, { session, calls, pipeline, inbox }) {
    this.#client = client
    this.#hold = hold
    this.#session = session
    this.#calls = calls
    this.#pipeline = pipeline
    this.#inbox = inbox
  }

  get isOpen () { return this.#state === OPEN }
  get isClosed () { return this.#state === CLOSED }

  // ---- what keeps it alive ---------------------------------------------------

  /** Calls are in flight: the process stays alive, and so does the client. */
  busy () {
    if (!this.#held) this.#keep()
  }

  #keep () {
    this.#held = true
    this.#hold.client = this.#client
    this.#session.ref()
  }

  /** All replies are read: it is kept no longer, unless somebody waits for more. */
  drained () {
    if (this.#calls.inFlight === 0 && this.#kept === 0) this.#idle()
  }

  #idle () {
    if (!this.#held) return
    this.#held = false
    this.#hold.client = null
    if (this.#state !== CLOSED) this.#session.unref()
  }

  /** Somebody waits for more than calls; each is ended by `letGo`. */
  keepAlive () {
    this.#kept++
    if (this.#state !== CLOSED) this.busy()
  }

  letGo () {
    this.#kept--
    this.drained()
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

  // ---- how it ends -----------------------------------------------------------

  /** Waits for what is in flight, then ends the session. Idempotent. */
  close () {
    if (this.#closing === null) this.#closing = this.#close()
    return this.#closing
  }

  async #close () {
    if (this.#state === CLOSED) return
    this.#state = CLOSING
    if (this.#activities > 0) {
      await new Promise((resolve) => { this.#quiet = resolve })
    }
    if (this.#state === CLOSED) return
    try {
      await this.#client.call(ops.CLOSE, [], { timeoutMs: 0 }, CLOSER)
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
    const unsent = this.#pipeline.batch
    const session = this.#session
    this.#pipeline.stop()
    this.#inbox.end()
    const waiting = new Set(session.isRemote ? this.#calls.records.filter((call) => session.isWaiting(call.id)) : [])
    session.destroy()
    this.#calls.failAll((call) => {
      const outcome = call.batch === unsent || waiting.has(call) ? 'not-sent' : 'unknown'
      const { sql } = call.prepared
      const op = names[call.op]
      return () => new UndercroftError('UC_CLOSED',
        'the handle was closed while the call was in flight', { sql, op, outcome, cause })
    })
    this.#idle()
    if (this.#quiet !== null) this.#quiet()
  }
}

module.exports = { Life, CLOSER }
