'use strict'

// The replies of quick reads are there before the kernel can wake this thread
// for them: look for a moment before going to sleep. Each look is a turn of the
// event loop, so nothing else waits meanwhile. How long is learned from how long
// replies have taken.

const { builtin } = require('../base/builtin')
const { availableParallelism } = builtin('node:os')

// Looks at most this long, and not at all when replies take longer than that on
// average, of which the latest counts so much.
const LOOK_MS = availableParallelism() > 1 ? 0.25 : 0
const MARGIN_MS = 0.02
const LATENCY_WEIGHT = 1 / 8

class ReplyPoll {
  #read
  #looking = false
  #until = 0
  // When the oldest unanswered batch of reads left (0: there is none), and how
  // long replies have taken, a moving average.
  #sentAt = 0
  #latency = 0

  /** @param {Function} read takes what replies there are -> whether more are due */
  constructor (read) {
    this.#read = read
  }

  /** A batch of reads has left. */
  soon () {
    const now = performance.now()
    if (this.#sentAt === 0) this.#sentAt = now
    if (this.#latency > LOOK_MS) return
    this.#until = now + Math.min(LOOK_MS, 2 * this.#latency + MARGIN_MS)
    if (this.#looking) return
    this.#looking = true
    setImmediate(this.#look)
  }

  #look = () => {
    this.#looking = false
    if (!this.#read() || performance.now() > this.#until) return
    this.#looking = true
    setImmediate(this.#look)
  }

  /** Replies have come: those of the oldest batch that was waited for. */
  answered () {
    if (this.#sentAt === 0) return
    this.#latency += (performance.now() - this.#sentAt - this.#latency) * LATENCY_WEIGHT
    this.#sentAt = 0
  }
}

module.exports = { ReplyPoll, isWorthwhile: LOOK_MS > 0 }
