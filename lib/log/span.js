'use strict'

// Spans: pieces of work with a duration, nested, under one trace id, as W3C's Trace
// Context names them (www.w3.org/TR/trace-context). Lines that are written inside of
// one carry its ids. Nothing of it costs anything before the first span.

const { AsyncLocalStorage } = require('node:async_hooks')
const { randomFillSync } = require('node:crypto')
const { assign } = require('./serialise')

/** What lines inside of a piece of work have besides: `text` is ready for a line. */
class Context {
  #bytes = null

  /**
   * @param {string} traceId 32 hex digits
   * @param {string} spanId 16 hex digits
   * @param {string} [fields] other fields, each with a comma before it
   */
  constructor (traceId, spanId, fields = '') {
    this.traceId = traceId
    this.spanId = spanId
    this.text = `${fields},"traceId":"${traceId}","spanId":"${spanId}"`
  }

  get traceparent () {
    return `00-${this.traceId}-${this.spanId}-01`
  }

  /** Both ids as a request to a daemon carries them. */
  get bytes () {
    this.#bytes ??= Buffer.from(this.traceId + this.spanId, 'hex')
    return this.#bytes
  }
}

// The logger reads `storage`, which is null as long as nobody runs inside of anything.
const state = { storage: null }

/** Runs fn(...args) inside of the context. */
function within (context, fn, ...args) {
  state.storage ??= new AsyncLocalStorage()
  return state.storage.run(context, fn, ...args)
}

/** The context of what runs now, or null. */
function current () {
  return state.storage?.getStore() ?? null
}

/** The ids for a request that is being made, or null. */
function tracing () {
  return state.storage === null ? null : state.storage.getStore()?.bytes ?? null
}

const POOL = 4096
const pool = Buffer.allocUnsafeSlow(POOL)
let used = POOL

// Ids out of a pool: asking the system for each costs more than a line.
function id (bytes) {
  if (used + bytes > POOL) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

const newTraceId = () => id(16)
const newSpanId = () => id(8)

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:$|-)/

/** The ids of a traceparent header: { traceId, parentId }, or null for what is none. */
function parseTraceparent (header) {
  const match = typeof header === 'string' && header.length < 200 ? TRACEPARENT.exec(header) : null
  return match === null ? null : { traceId: match[1], parentId: match[2] }
}

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

module.exports = { state, Context, Span, within, current, tracing, newTraceId, newSpanId, parseTraceparent, since, runSpan }
