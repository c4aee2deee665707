'use strict'

// Statements that took longer than the option slowMs, as lines of the log. A client
// has one of these only where the option asks for it.

const { ops, names } = require('../wire/ops')
const { within, current } = require('../base/trace')
const { since } = require('./span')

const SQL_LENGTH = 1000

const timed = new Set([ops.GET, ops.ALL, ops.RUN, ops.JSON, ops.MANY, ops.BATCH, ops.EXEC, ops.CURSOR_OPEN])

class Slow {
  #log
  #ms

  /**
   * @param {Function} log -> the Log
   * @param {number} ms
   */
  constructor (log, ms) {
    this.#log = log
    this.#ms = ms
  }

  /**
   * A call begins. -> what `over` wants of it, or null when it is no statement
   *
   * @param {number} op
   * @param {{ sql?: string, parts?: string[] }} about
   * @param {Array|object} [params]
   */
  begin (op, about, params) {
    if (!timed.has(op)) return null
    return { began: performance.now(), ms: 0, op, about, params: op < ops.MANY ? count(params) : undefined, context: current() }
  }

  /** It has ended; what it answered is still to be decoded. -> whether `tell` wants to know */
  ended (timing) {
    timing.ms = since(timing.began)
    return timing.ms >= this.#ms
  }

  /** It is over, with a value or an error. */
  over (timing, value, err) {
    if (this.ended(timing)) this.tell(timing, value, err)
  }

  tell (timing, value, err) {
    const { op, about, params, context, ms } = timing
    const fields = { sql: textOf(about), ms, op: names[op] }
    const rows = err === undefined ? rowsOf(op, value) : undefined
    if (rows !== undefined) fields.rows = rows
    if (params !== undefined) fields.params = params
    if (err !== undefined) fields.code = err?.code
    // The call belongs to what ran when it was made.
    if (context === null) this.#log().warn(fields, 'slow statement')
    else within(context, () => this.#log().warn(fields, 'slow statement'))
  }
}

function textOf ({ sql, parts }) {
  const text = sql ?? parts?.join('; ')
  return text?.length > SQL_LENGTH ? `${text.slice(0, SQL_LENGTH)}…` : text
}

function count (params) {
  if (params === undefined || params === null) return 0
  return Array.isArray(params) ? params.length : Object.keys(params).length
}

// Of what a verb answers: rows, a row, or what has changed. What a cursor has opened
// with is only the first page of its rows, and JSON is not counted.
function rowsOf (op, value) {
  if (op === ops.GET) return value === undefined ? 0 : 1
  if (op === ops.CURSOR_OPEN) return undefined
  if (Array.isArray(value)) return value.length
  return typeof value?.changes === 'number' ? value.changes : undefined
}

module.exports = { Slow }
