'use strict'

const { names } = require('../wire/ops')
const { UndercroftError, fromWire } = require('../base/errors')
const { unlisten } = require('../base/abort')
const { SLOT_BITS, MAX_GENERATION } = require('../wire/id')

// What a call wants of its reply.
const want = Object.freeze({
  ROW: 0,
  OBJECTS: 1,
  ARRAYS: 2,
  RUN: 3,
  BYTES: 4,
  MULTI: 5,
  VALUE: 6,
  PAGE: 7,
  // Bytes of the cache, as the value that they stand for.
  CACHED: 8,
  // Whatever it is: given to arrived(reply) of what stands for the statement,
  // before any later reply is given to anybody; the promise brings what that returns.
  TAKEN: 9
})

// One call in flight. Records are used again, so that a call costs no object.
class CallRecord {
  constructor (slot) {
    this.id = 0
    this.slot = slot
    this.generation = 0
    this.next = -1
    this.resolve = null
    this.want = 0
    this.op = 0
    this.integers = 0
    this.batch = 0
    // The statement, or what stands for it: { sql, shape }.
    this.prepared = null
    // The shape that the request named.
    this.shape = null
    this.signal = null
    this.onAbort = null
    this.trace = null
    // When and with what it began; only where slow statements are logged.
    this.timing = null
    // It does not count as in flight.
    this.quiet = false
  }

  /** Gives the record an id that is never 0. */
  begin () {
    const generation = this.generation === MAX_GENERATION ? 1 : this.generation + 1
    this.generation = generation
    this.id = generation << SLOT_BITS | this.slot
  }
}

/** A function that makes the error for an error reply. */
function wireError (call, map) {
  if (call.signal !== null && map?.code === 'UC_ABORTED' && call.signal.aborted) {
    const { reason } = unlisten(call)
    return () => reason
  }
  const { sql, parts } = call.prepared
  const op = names[call.op]
  return () => {
    // In a batch the error says which of its statements failed.
    const part = parts === undefined ? undefined : parts[map?.index]
    return fromWire(map, part === undefined ? sql : part, op)
  }
}

/** Adds what is known of the call to an error made on this side. */
function blame (err, sql, op) {
  if (err instanceof UndercroftError) {
    if (err.sql === undefined && typeof sql === 'string') err.sql = sql
    if (err.op === undefined) err.op = names[op]
  }
  return err
}

/**
 * A promise that rejects with what `make` returns. Two turns of the microtask
 * queue pass first: then the awaiting functions are linked to this one, and
 * the stack that the error captures names them.
 *
 * @param {Error|null} trace made when the call was, by the option `stacks`
 */
async function fail (make, trace) {
  await null
  await null
  const err = make()
  if (err instanceof UndercroftError) {
    if (trace !== null) {
      err.stack = `${err.name}: ${err.message}\n${String(trace.stack).split('\n').slice(1).join('\n')}`
    } else if (err.op !== undefined) {
      // Leaves out our own frames, not those of the callers.
      Error.captureStackTrace?.(err, fail)
    }
  }
  throw err
}

module.exports = { CallRecord, want, wireError, blame, fail }
