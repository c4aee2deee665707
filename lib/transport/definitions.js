'use strict'

// The statements that a connection knows, as the messages that announced them:
// the next connection hears of them before anything else.

const { endOf } = require('./sp')
const request = require('./request')

class Definitions {
  // number -> message
  #known = new Map()
  // Those of requests that wait: { chunk, at }.
  #waiting = []
  // Where a number was last given to another text.
  #changed = 0

  /** The message at `at` in `chunk` announces a statement; it is not sent yet. */
  add (chunk, at) {
    this.#waiting.push({ chunk, at })
  }

  /**
   * Those among what has been sent are the connection's from now on.
   *
   * @param {Chunk[]} queue of which something waits
   */
  sent (queue) {
    if (this.#waiting.length === 0) return
    const chunks = new Set(queue)
    let n = 0
    for (const { chunk, at } of this.#waiting) {
      if (chunks.has(chunk) && at >= chunk.sent) break
      const message = Buffer.from(chunk.buf.subarray(at, endOf(chunk.view, at)))
      const number = request.uintAt(chunk.buf, chunk.view, at + request.META + 1)
      if (this.#known.has(number)) this.#changed = chunk.base + at
      this.#known.set(number, message)
      n++
    }
    this.#waiting.splice(0, n)
  }

  /** Those that wait are added again, one by one. */
  restart () {
    this.#waiting = []
  }

  /** The messages for the next connection; empty: there are none. */
  get messages () {
    return Buffer.concat([...this.#known.values()])
  }

  /**
   * Whether the request that stands at `seq` means the same on the next
   * connection, where statements have the numbers that they had last.
   */
  areSame (seq) {
    return seq >= this.#changed
  }
}

module.exports = { Definitions }
