'use strict'

const { UndercroftError, expected } = require('../base/errors')
const { NO_SHAPE } = require('../wire/shape')

const MAX_SID = 65535
const SELECTS = /^\s*select\b/i

// One SQL text as this session knows it.
class Prepared {
  constructor (sql, sid) {
    this.sql = sql
    this.sid = sid
    // The shape of its last reply: sent along, so that the reply can leave
    // the columns out.
    this.shape = NO_SHAPE
    this.used = true
    // It certainly changes nothing.
    this.selects = SELECTS.test(sql)
    // While above zero a multi-part call names the sid: it must stay.
    this.pins = 0
  }
}

/**
 * SQL text -> number of the session. Bounded: the least recently used text
 * gives up its number, which the next `define` replaces. Requests already
 * written are not affected, because the core reads them in order.
 */
class Statements {
  #limit
  #map = new Map()
  #next = 0

  constructor (limit) {
    this.#limit = Math.min(limit, MAX_SID)
  }

  get size () {
    return this.#map.size
  }

  find (sql) {
    const known = this.#map.get(sql)
    if (known !== undefined) known.used = true
    return known
  }

  /**
   * A number for `sql`, which is not in the table; the caller writes the
   * `define`, then calls `add`.
   *
   * @param {Prepared|null} last never given up: it is in the caller's memo
   */
  make (sql, last) {
    if (typeof sql !== 'string') throw expected('UC_PARAM_TYPE', 'sql', 'a string', sql)
    if (!sql.isWellFormed()) {
      throw new UndercroftError('UC_PARAM_TYPE', 'sql: expected well-formed text, got text with a lone surrogate')
    }
    const old = this.#map.size >= this.#limit ? this.#evict(last) : null
    if (old !== null) return new Prepared(sql, old.sid)
    if (this.#next > MAX_SID) {
      throw new UndercroftError('UC_BUSY', 'too many statements in use at once')
    }
    return new Prepared(sql, this.#next++)
  }

  add (prepared) {
    this.#map.set(prepared.sql, prepared)
  }

  /** Another core answers from now on: it numbers its shapes itself. */
  forgetShapes () {
    for (const prepared of this.#map.values()) prepared.shape = NO_SHAPE
  }

  // Second chance: a text used since the last look goes to the back.
  #evict (last) {
    let looks = this.#map.size * 2
    for (const prepared of this.#map.values()) {
      if (looks-- === 0) break
      this.#map.delete(prepared.sql)
      if (!prepared.used && prepared.pins === 0 && prepared !== last) return prepared
      prepared.used = false
      this.#map.set(prepared.sql, prepared)
    }
    return null
  }
}

module.exports = { Statements }
