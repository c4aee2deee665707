'use strict'

// Notifications of the server (NOTIFY), as they come. A standing request is with the core, and says which
// one was the last: what comes while the caller is busy is kept there, up to a limit, and given next. A
// connection that is lost, or a core that is another one now, is said by `missed`.

const { ops } = require('../wire/ops')
const { want } = require('../client/call')
const { whenAborted, forget } = require('../base/abort')
const { readCall, isPlain } = require('../base/options')
const { UndercroftError, expected, describe } = require('../base/errors')

const done = Promise.resolve()
const END = Object.freeze({ value: undefined, done: true })

// Older than every number: something may have been missed since.
const LONG_AGO = 1
const AGAIN_MS = 100
const CHANNEL_BYTES = 63

// One that nobody can reach any more ends like one that was returned.
const dropped = new FinalizationRegistry((standing) => standing.end())

class Listen {
  #standing

  constructor (client, channel, opts) {
    this.#standing = new StandingListen(client, channel, opts)
    dropped.register(this, this.#standing)
  }

  /** The next notification; a pending one keeps the process alive. */
  next () {
    return this.#standing.next(this)
  }

  /** Resolves when the server has been told: what is notified from then on comes. */
  get ready () {
    return this.#standing.ready
  }

  /** Ends it; a next() that waits ends with it. */
  async return (value) {
    this.#standing.end()
    return { value, done: true }
  }

  async throw (err) {
    this.#standing.end()
    throw err
  }

  [Symbol.asyncIterator] () {
    return this
  }

  async [Symbol.asyncDispose] () {
    this.#standing.end()
  }
}

class StandingListen {
  #client
  #channel = null
  #signal = null
  #stop = new AbortController()
  #onAbort = () => this.#stop.abort(this.#signal.reason)
  #since = 0
  // What has come and was not taken yet.
  #waiting = []
  #answer = null
  #last = done
  #begun
  #ended = false
  // The listener, while a next() of it waits, and how many do.
  #owner = null
  #takers = 0

  constructor (client, channel, opts) {
    this.#client = client
    this.#begun = !client.closed
    try {
      this.#channel = readChannel(channel)
      this.#signal = readSignal(opts)
      if (this.#signal !== null) {
        if (this.#signal.aborted) this.#onAbort()
        else whenAborted(this.#signal, this.#onAbort)
      }
      this.#ask()
    } catch (err) {
      this.#answer = Promise.reject(err)
      this.#answer.catch(ignore)
    }
    this.ready = this.#answer.then(ignore)
    this.ready.catch(ignore)
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
      op: ops.LISTEN,
      want: want.VALUE,
      opts: { timeoutMs: 0, signal: this.#stop.signal },
      scope: null,
      quiet: true,
      fields: 2,
      write: (w) => {
        w.any(this.#since)
        w.any(this.#channel)
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
        if (this.#waiting.length > 0) return { value: this.#waiting.shift(), done: false }
        if (this.#answer === null) this.#ask()
        try {
          const [seq, missed, payloads] = await this.#answer
          const channel = this.#channel
          if (missed) this.#waiting.push({ channel, payload: null, missed: true })
          for (const payload of payloads) this.#waiting.push({ channel, payload, missed: false })
          this.#since = seq
          this.#answer = null
          // What comes next comes while these are worked on.
          this.#ask()
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
      if (this.#since === 0) this.#since = LONG_AGO
      if (closed) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      return
    }
    this.end()
    // The handle was closed by its owner, who knows.
    if (closed && this.#begun && err.cause === undefined) return
    throw err
  }

  end () {
    if (this.#ended) return
    this.#ended = true
    if (this.#signal !== null) forget(this.#signal, this.#onAbort)
    this.#stop.abort()
  }
}

function readChannel (channel) {
  if (typeof channel === 'string' && channel !== '' && channel.isWellFormed() && !channel.includes('\0') &&
    Buffer.byteLength(channel) <= CHANNEL_BYTES) return channel
  throw expected('UC_OPTION', 'listen', `the name of a channel, 1 to ${CHANNEL_BYTES} bytes`, channel)
}

function readSignal (opts) {
  if (isPlain(opts)) {
    const other = Object.keys(opts).find((name) => name !== 'signal')
    if (other !== undefined) {
      throw new UndercroftError('UC_OPTION', `listen: unknown option ${describe(other)}; known is signal`)
    }
  }
  return readCall(opts, 0).signal
}

function ignore () {}

module.exports = { Listen }
