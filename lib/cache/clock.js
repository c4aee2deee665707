'use strict'

// The clock of the first level: nanoseconds as a BigInt, which each hit compares.
// Node's performance.now() takes twice the time of this one, most of it on the way
// to the object and back. It goes on while the process is stopped.

const now = process.hrtime.bigint

/** Later than any time. */
const FOREVER = 2n ** 63n - 1n

/** Milliseconds as a length of time of this clock. */
function span (ms) {
  return BigInt(Math.floor(ms * 1e6))
}

module.exports = { now, span, FOREVER }
