'use strict'

// In the place of a client where a handle has neither a database nor a cache: a log
// needs no core of its own.

const { ops, names } = require('../wire/ops')
const { UndercroftError } = require('../base/errors')

class NoClient {
  #closed = false

  /** @param {object} options normalised options of `open` */
  constructor (options) {
    this.options = options
  }

  get native () { return null }
  get closed () { return this.#closed }

  /** health() and door(); everything else needs a database. */
  async call (op) {
    if (this.#closed) throw new UndercroftError('UC_CLOSED', 'the handle is closed', { op: names[op], outcome: 'not-sent' })
    if (op === ops.HEALTH) return { ok: true }
    if (op === ops.DOOR) return { door: 'none' }
    throw new UndercroftError('UC_NO_DB', 'this handle has no database: open(file) has one', { op: names[op], outcome: 'not-sent' })
  }

  async close () {
    this.#closed = true
  }

  destroy () {
    this.#closed = true
  }
}

module.exports = { NoClient }
