'use strict'

// Cached values as bytes: one msgpack value each, which any language can read.
// What msgpack lacks is an ext type. The core looks at none of it, but for the
// integers that `incr` counts; both sides write those in their shortest form, so
// that compareAndSet can compare bytes.
//
//   ext 0  undefined              one byte, 0
//   ext 1  a Date                 its time, a 64-bit float of milliseconds
//   ext 2  a BigInt               8 bytes: a 64-bit integer; more: a sign (1: negative)
//                                 and the magnitude, big endian
//   ext 3  a Map                  an array of keys and values in turn
//   ext 4  a Set                  an array
//   ext 5  a loader's error       its message; what wrap keeps for errorTtlMs

const ext = Object.freeze({ UNDEFINED: 0, DATE: 1, BIGINT: 2, MAP: 3, SET: 4, FAILURE: 5 })

// Levels of nesting. Deeper ones are most likely a cycle.
const MAX_DEPTH = 200

/** What a loader has failed with, as it is kept for errorTtlMs. */
class Failure {
  constructor (message) {
    this.message = message
  }
}

module.exports = { ext, MAX_DEPTH, Failure }
