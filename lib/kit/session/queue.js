'use strict'

// Some at a time, some in a queue, and nobody beyond that. Each hash of a password takes megabytes and
// a thread of those that files and names are looked up with too: without a bound, a flood of logins
// would be a flood of memory.

const { UndercroftError } = require('../../../index.js')

class HashQueue {
  #running = 0
  #waiting = new Set()
  #limits

  /** @param {{ running: number, waiting: number, timeoutMs: number }} limits */
  constructor (limits) {
    this.#limits = limits
  }

  /**
   * The result of work(), which begins when its turn comes. What has begun is not given up.
   *
   * @throws {UndercroftError} UC_BUSY: too many wait; UC_TIMEOUT: its turn did not come in time
   */
  async run (work) {
    if (this.#running < this.#limits.running) this.#running++
    else await this.#turn()
    try {
      return await work()
    } finally {
      this.#handOver()
    }
  }

  #turn () {
    const { waiting, timeoutMs } = this.#limits
    if (this.#waiting.size >= waiting) {
      throw new UndercroftError('UC_BUSY', `${waiting} passwords wait to be looked at already`, { outcome: 'not-run' })
    }
    return new Promise((resolve, reject) => {
      const waiter = { start: resolve, timer: null }
      waiter.timer = setTimeout(() => {
        this.#waiting.delete(waiter)
        reject(new UndercroftError('UC_TIMEOUT', `the turn of this password did not come within ${timeoutMs} ms`, { outcome: 'not-run' }))
      }, timeoutMs)
      this.#waiting.add(waiter)
    })
  }

  // The place goes to the next one without having been free: nobody slips in between.
  #handOver () {
    const [first] = this.#waiting
    if (first === undefined) {
      this.#running--
      return
    }
    this.#waiting.delete(first)
    clearTimeout(first.timer)
    first.start()
  }
}

module.exports = { HashQueue }
