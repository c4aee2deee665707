'use strict'

// Spans: pieces of work with a duration, nested, under one trace id (see trace.js).
// Lines that are written inside of one carry its ids.

const { within } = require('../base/trace')
const { assign } = require('./serialise')

/** What log.span returns. */
class Span {
  #log
  #name
  #bindings
  #context
  #parent
  #began = performance.now()
  #isOver = false

  /**
   * @param {Logger} log with the context of the span
   * @param {string} name
   * @param {object|undefined} bindings
   * @param {Context} context
   * @param {Context|null} parent
   */
  constructor (log, name, bindings, context, parent) {
    this.#log = log
    this.#name = name
    this.#bindings = bindings
    this.#context = context
    this.#parent = parent
  }

  /** A logger whose lines carry the ids of the span. */
  get log () { return this.#log }
  get traceId () { return this.#context.traceId }
  get spanId () { return this.#context.spanId }
  /** For the header traceparent of a request to somebody else. */
  get traceparent () { return this.#context.traceparent }

  /** Runs fn(span) inside of it: whatever logs there, asynchronously too, carries the ids. */
  run (fn) {
    return within(this.#context, fn, this)
  }

  /**
   * Logs how long it took. Only the first call counts.
   *
   * @param {object} [more] fields; with `err` the line is an error
   */
  end (more = undefined) {
    if (this.#isOver) return
    this.#isOver = true
    const fields = { span: this.#name, ms: since(this.#began) }
    if (this.#parent !== null) fields.parentId = this.#parent.spanId
    assign(assign(fields, this.#bindings), more)
    if (fields.err === undefined) this.#log.info(fields, this.#name)
    else this.#log.error(fields, this.#name)
  }
}

/** Milliseconds since `began`, of performance.now(), to the microsecond. */
function since (began) {
  return Math.round((performance.now() - began) * 1000) / 1000
}

/** Runs fn(span) and ends the span with it, also when it throws. Returns what fn does. */
function runSpan (span, fn) {
  let result
  try {
    result = span.run(fn)
  } catch (err) {
    span.end({ err })
    throw err
  }
  if (typeof result?.then !== 'function') {
    span.end()
    return result
  }
  return result.then((value) => {
    span.end()
    return value
  }, (err) => {
    span.end({ err })
    throw err
  })
}

module.exports = { Span, since, runSpan }
