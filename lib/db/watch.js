'use strict'

// What has been committed, told as it happens. A standing request is with the
// core from the call on; each one says after which generation it wants to know,
// so nothing is missed between two of them, and what happens while the caller
// is busy is told at once, together.

const { ops } = require('../wire/ops')
const { want } = require('../client/call')
const { whenAborted, forget } = require('../base/abort')
const { readCall, isPlain } = require('../base/options')
const { UndercroftError, expected, describe } = require('../base/errors')

const done = Promise.resolve()
const END = Object.freeze({ value: undefined, done: true })

// Older than every generation: everything may have changed since.
const LONG_AGO = 1
// A core that is on its way out has ended the request: asks its successor.
const AGAIN_MS = 100

// One that nobody can reach any more, because its loop failed before it began,
// ends like one that was returned: its place in the core is another's.
const dropped = new FinalizationRegistry((standing) => standing.end())

// What the caller has. Nothing refers to it but the caller and a next() of it that
// is under way, so that it is collected when it is dropped.
class Watch {
  #standing

  constructor (client, tables, opts) {
    this.#standing = new Standing(client, tables, opts)
    dropped.register(this, this.#standing)
  }

  /** The next changes; a pending one keeps the process alive. */
  next () {
    return this.#standing.next(this)
  }

  /** Ends the watch; a next() that waits ends with it. */
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

class Standing {
  #client
  #tables = null
  #signal = null
  #stop = new AbortController()
  #onAbort = () => this.#stop.abort(this.#signal.reason)
  #since = 0
  // The request under way, if any.
  #answer = null
  // Several next() at once are served one after the other.
  #last = done
  #begun
  #ended = false
  // The watch, while a next() of it waits, and how many do.
  #owner = null
  #waiting = 0

  constructor (client, tables, opts) {
    this.#client = client
    this.#begun = !client.closed
    try {
      this.#tables = readTables(tables)
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
  }

  next (owner) {
    this.#owner = owner
    this.#waiting++
    const step = this.#last.then(() => this.#take())
    this.#last = step.catch(ignore)
    return step
  }

  #ask () {
    this.#answer = this.#client.send({
      op: ops.WATCH,
      want: want.VALUE,
      opts: { timeoutMs: 0, signal: this.#stop.signal },
      scope: null,
      quiet: true,
      fields: 2,
      write: (w) => {
        w.any(this.#since)
        w.any(this.#tables)
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
        if (this.#answer === null) this.#ask()
        try {
          const { gen, tables } = await this.#answer
          this.#answer = null
          if (this.#ended) return END
          this.#since = gen
          return { value: { tables, gen }, done: false }
        } catch (err) {
          this.#answer = null
          await this.#failed(err)
        }
      }
    } finally {
      client.letGo()
      if (--this.#waiting === 0) this.#owner = null
    }
  }

  // Returns where the watch goes on, or is over without a fault.
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

/** Names of tables; an empty list means all of them. */
function readTables (tables) {
  if (tables === undefined) return []
  const list = typeof tables === 'string' ? [tables] : tables
  if (!Array.isArray(list)) throw expected('UC_OPTION', 'watch', 'the name of a table, or an array of names', tables)
  for (const name of list) {
    if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
      throw expected('UC_OPTION', 'watch', 'the name of a table', name)
    }
  }
  return [...list]
}

function readSignal (opts) {
  if (isPlain(opts)) {
    const other = Object.keys(opts).find((name) => name !== 'signal')
    if (other !== undefined) {
      throw new UndercroftError('UC_OPTION', `watch: unknown option ${describe(other)}; known is signal`)
    }
  }
  return readCall(opts, 0).signal
}

function ignore () {}

module.exports = { Watch }
