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
   * @param {Request} request
   * @returns {Hangup} aborted when its signal is; to be told over()
   */
  watch (request) {
    const hangup = new Watched(request)
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
  #request

  constructor (request) {
    super()
    this.#request = request
  }

  over () {
    this.#request = null
  }

  listen () {
    if (this.#request === null) return
    // Made when it is first asked for, and aborted then where that has happened already.
    const { signal } = this.#request
    if (signal.aborted) this.abort()
    else signal.addEventListener('abort', () => this.abort(), { once: true })
  }
}

module.exports = { Lookout }
