'use strict'

// What runs now, as W3C's Trace Context names it (www.w3.org/TR/trace-context): the ids
// of the trace and of the span, kept over awaits. Lines carry them, and so do requests to
// a daemon. Nothing of it costs anything before the first span.

const { builtin } = require('./builtin')
const { AsyncLocalStorage } = builtin('node:async_hooks')
const { randomFillSync } = builtin('node:crypto')

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

module.exports = { state, Context, within, current, tracing, newTraceId, newSpanId, parseTraceparent }
