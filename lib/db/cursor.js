'use strict'

// Rows one at a time, fetched a page at a time. While the caller works through
// a page the next one is already being fetched, so memory is two pages.

const { ops } = require('../wire/ops')
const { want } = require('../client/call')
const { Writer } = require('../wire/encode')
const { isPlain, readCall } = require('../base/options')
const { UndercroftError } = require('../base/errors')
const { NO_SHAPE } = require('../wire/shape')

const END = Object.freeze({ value: undefined, done: true })

class Cursor {
  #client
  #scope
  #sql
  #params
  #opts
  #signal = null
  #rows = []
  #at = 0
  #cursor = 0
  // The connection that the cursor lives on.
  #epoch
  // The next page, requested ahead.
  #ahead = null
  // The page that callers of next() wait for.
  #loading = null
  #started = false
  #ended = false
  // Stands in for the statement after the first page: the cursor's own shape.
  #subject

  constructor (client, scope, sql, params, opts) {
    this.#client = client
    this.#scope = scope
    this.#sql = sql
    this.#params = written(params)
    this.#opts = isPlain(opts) ? { ...opts } : opts
    this.#subject = { sql, shape: NO_SHAPE }
  }

  next () {
    if (this.#at < this.#rows.length) {
      return Promise.resolve({ value: this.#rows[this.#at++], done: false })
    }
    return this.#nextPage()
  }

  /** Ends the iteration; resolves when the core has closed the cursor. */
  async return (value) {
    this.#end()
    // The cursor's number may still be on its way.
    if (this.#loading !== null) await this.#loading.catch(ignore)
    await this.#close()
    return { value, done: true }
  }

  async throw (err) {
    await this.return()
    throw err
  }

  [Symbol.asyncIterator] () {
    return this
  }

  async [Symbol.asyncDispose] () {
    await this.return()
  }

  async #nextPage () {
    while (this.#at >= this.#rows.length) {
      if (this.#ended) return END
      // Several next() at once wait for the same page.
      if (this.#loading === null) this.#loading = this.#load()
      await this.#loading
    }
    return { value: this.#rows[this.#at++], done: false }
  }

  async #load () {
    try {
      if (this.#signal !== null && this.#signal.aborted) throw this.#signal.reason
      if (this.#started && this.#client.closed && this.#scope === null) {
        throw new UndercroftError('UC_CLOSED', 'the handle is closed', { sql: this.#sql })
      }
      const page = await (this.#started ? this.#ahead ?? this.#fetch() : this.#open())
      this.#ahead = null
      this.#cursor = page.cursor
      if (this.#ended) return
      this.#rows = page.rows
      this.#at = 0
      if (page.cursor === 0) {
        this.#ended = true
      } else {
        this.#ahead = this.#fetch()
        this.#ahead.catch(ignore)
      }
    } catch (err) {
      this.#end()
      this.#ahead = null
      await this.#close()
      throw err
    } finally {
      this.#loading = null
    }
  }

  async #open () {
    this.#started = true
    this.#signal = readCall(this.#opts, 0).signal
    const page = await this.#client.send({
      op: ops.CURSOR_OPEN,
      want: want.PAGE,
      opts: this.#opts,
      scope: this.#scope,
      sql: this.#sql,
      fields: 4,
      subject: () => this.#client.prepared(this.#sql),
      write: (w, prepared) => {
        w.statement(prepared.sid, prepared.shape.id)
        const { bytes, err } = this.#params
        if (err !== null) throw err
        w.raw(bytes, 0, bytes.length)
        w.uint(0)
      }
    })
    this.#params = null
    this.#epoch = this.#client.epoch
    this.#subject.shape = page.shape
    return page
  }

  #fetch () {
    return this.#client.send({
      op: ops.CURSOR_NEXT,
      want: want.PAGE,
      opts: this.#opts,
      scope: this.#scope,
      epoch: this.#epoch,
      sql: this.#sql,
      fields: 2,
      subject: () => this.#subject,
      write: (w, subject) => {
        w.any(this.#cursor)
        w.uint(subject.shape.id)
      }
    })
  }

  #end () {
    this.#ended = true
    this.#rows = []
    this.#at = 0
  }

  // Frees the core's side of the cursor.
  async #close () {
    const ahead = this.#ahead
    this.#ahead = null
    const cursor = this.#cursor
    this.#cursor = 0
    if (cursor === 0) return
    const closing = this.#client.call(ops.CURSOR_CLOSE, [cursor], undefined, this.#scope, this.#epoch).catch(ignore)
    if (ahead !== null) await ahead.catch(ignore)
    await closing
  }
}

// The parameters as they are now: the first row may be asked for much later. What is wrong with
// them is told then, since a verb never throws.
function written (params) {
  const w = new Writer(64)
  try {
    w.params(params)
    return { bytes: w.buf.subarray(0, w.pos), err: null }
  } catch (err) {
    return { bytes: null, err }
  }
}

function ignore () {}

module.exports = { Cursor }
