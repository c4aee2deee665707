'use strict'

// What is told as it happens: a request that stands with the core from the call on. Each one says which answer was the
// last, so nothing is missed between two of them, and what happens while the caller is busy is told with the next.

const { want } = require('../client/call')
const { whenAborted, forget } = require('../base/abort')
const { readCall, isPlain } = require('../base/options')
const { UndercroftError, describe } = require('../base/errors')

const done = Promise.resolve()
const END = Object.freeze({ value: undefined, done: true })

// Older than every number of an answer: something may have happened since.
const LONG_AGO = 1
// A core that is on its way out has ended the request: asks its successor.
const AGAIN_MS = 100

// One that nobody can reach any more, because its loop failed before it began,
// ends like one that was returned: its place in the core is another's.
const dropped = new FinalizationRegistry((requests) => requests.end())

/**
 * What the caller has. Nothing refers to it but the caller and a next() of it that
 * is under way, so that it is collected when it is dropped.
 *
 *   what.name       of the call, for errors
 *   what.op         takes [number of the last answer or 0, argument]
 *   what.argument() the second one; may throw
 *   what.read(answer) -> { since, values }: its number, and what next() gives one after the other
 *   what.ahead      asks again at once, and not only when the caller does
 */
class Standing {
  #requests

  constructor (client, what, opts) {
    this.#requests = new Requests(client, what, opts)
    dropped.register(this, this.#requests)
  }

  /** What happens next; a pending one keeps the process alive. */
  next () {
    return this.#requests.next(this)
  }

  /** Resolves with the first answer of the core; rejects as the first next() would. */
  get begun () {
    return this.#requests.begun
  }

  /** Ends it; a next() that waits ends with it. */
  async return (value) {
    this.#requests.end()
    return { value, done: true }
  }

  async throw (err) {
    this.#requests.end()
    throw err
  }

  [Symbol.asyncIterator] () {
    return this
  }

  async [Symbol.asyncDispose] () {
    this.#requests.end()
  }
}

class Requests {
  #client
  #what
  #argument = null
  #signal = null
  #stop = new AbortController()
  #onAbort = () => this.#stop.abort(this.#signal.reason)
  #since = 0
  // The request under way, if any.
  #answer = null
  // What has come and was not taken yet.
  #values = []
  // Several next() at once are served one after the other.
  #last = done
  #wasOpen
  #ended = false
  // The caller's, while a next() of it waits, and how many do.
  #owner = null
  #takers = 0

  constructor (client, what, opts) {
    this.#client = client
    this.#what = what
    this.#wasOpen = !client.closed
    try {
      this.#argument = what.argument()
      this.#signal = readSignal(what.name, opts)
      if (this.#signal !== null) {
        if (this.#signal.aborted) this.#onAbort()
        else whenAborted(this.#signal, this.#onAbort)
      }
      this.#ask()
    } catch (err) {
      this.#answer = Promise.reject(err)
      this.#answer.catch(ignore)
    }
    this.begun = this.#answer.then(ignore)
    this.begun.catch(ignore)
  }

  next (owner) {
    this.#owner = owner
    this.#takers++
    const step = this.#last.then(() => this.#take())
    this.#last = step.catch(ignore)
    return step
  }

  #ask () {
    this.#answer = this.#client.send({
      op: this.#what.op,
      want: want.VALUE,
      opts: { timeoutMs: 0, signal: this.#stop.signal },
      scope: null,
      quiet: true,
      fields: 2,
      write: (w) => {
        w.any(this.#since)
        w.any(this.#argument)
      }
    })
    this.#answer.catch(ignore)
  }

  async #take () {
    const client = this.#client
    client.keepAlive()
    try {
      for (;;) {
        if (this.#ended) return END
        if (this.#values.length > 0) return { value: this.#values.shift(), done: false }
        if (this.#answer === null) this.#ask()
        try {
          const { since, values } = this.#what.read(await this.#answer)
          this.#answer = null
          this.#since = since
          this.#values.push(...values)
          if (this.#what.ahead && !this.#ended) this.#ask()
        } catch (err) {
          this.#answer = null
          await this.#failed(err)
        }
      }
    } finally {
      client.letGo()
      if (--this.#takers === 0) this.#owner = null
    }
  }

  // Returns where it goes on, or is over without a fault.
  async #failed (err) {
    if (this.#ended) return
    const lost = err?.code === 'UC_CONNECTION_LOST'
    const closed = err?.code === 'UC_CLOSED'
    if (lost || (closed && !this.#client.closed)) {
      // Before the first answer it is not known since when.
      if (this.#since === 0) this.#since = LONG_AGO
      if (closed) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      return
    }
    this.end()
    // The handle was closed by its owner, who knows.
    if (closed && this.#wasOpen && err.cause === undefined) return
    throw err
  }

  end () {
    if (this.#ended) return
    this.#ended = true
    if (this.#signal !== null) forget(this.#signal, this.#onAbort)
    this.#stop.abort()
  }
}

function readSignal (name, opts) {
  if (isPlain(opts)) {
    const other = Object.keys(opts).find((key) => key !== 'signal')
    if (other !== undefined) throw new UndercroftError('UC_OPTION', `${name}: unknown option ${describe(other)}; known is signal`)
  }
  return readCall(opts, 0).signal
}

function ignore () {}

module.exports = { Standing }
