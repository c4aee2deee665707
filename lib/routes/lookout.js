'use strict'

// Which callers of a fetch handler have hung up. To listen to the signal of a Request, and to stop
// that, costs as much as all else that a quick request does here. So only those are listened to that
// are still unanswered after a moment.

const { Hangup } = require('../base/abort')

const MOMENT_MS = 20

class Lookout {
  // Of the requests since the last look.
  #recent = []
  #timer = null

  /**
   * @param {AbortSignal} signal
   * @returns {Hangup} aborted when the signal is; to be told over()
   */
  watch (signal) {
    const hangup = new Watched(signal)
    this.#recent.push(hangup)
    if (this.#timer === null) {
      this.#timer = setTimeout(() => this.#look(), MOMENT_MS)
      this.#timer.unref?.()
    }
    return hangup
  }

  #look () {
    const recent = this.#recent
    this.#recent = []
    this.#timer = null
    for (const hangup of recent) hangup.listen()
  }
}

class Watched extends Hangup {
  #signal

  constructor (signal) {
    super()
    this.#signal = signal
  }

  over () {
    this.#signal = null
  }

  listen () {
    const signal = this.#signal
    if (signal === null) return
    if (signal.aborted) this.abort()
    else signal.addEventListener('abort', () => this.abort(), { once: true })
  }
}

module.exports = { Lookout }
