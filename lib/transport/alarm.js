'use strict'

const MAX_MS = 0x7fffffff

/**
 * One timer for many deadlines, in terms of performance.now(). It does not keep
 * the process alive, and lets what has arrived by then be read before it rings:
 * a reply that came in time counts, however busy this thread was.
 */
class Alarm {
  #ring
  #timer = null
  #at = Infinity
  #ringing = false

  /** @param {Function} ring told when it is time; sets the next one itself */
  constructor (ring) {
    this.#ring = ring
  }

  /** Rings at `at` or earlier. */
  set (at, now) {
    if (at >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = at
    this.#timer = setTimeout(() => {
      if (this.#ringing) return
      this.#ringing = true
      setImmediate(() => {
        this.#ringing = false
        this.#at = Infinity
        this.#ring()
      })
    }, Math.max(1, Math.min(at - now, MAX_MS)))
    this.#timer.unref()
  }

  clear () {
    clearTimeout(this.#timer)
  }
}

module.exports = { Alarm }
