'use strict'

// The clock of the first level, in milliseconds, which each hit compares. It goes
// on while the process is stopped. A double, because a BigInt of
// process.hrtime is made anew each time, and compared through a call.

const now = performance.now.bind(performance)

/** Later than any time. */
const FOREVER = Infinity

/** Milliseconds as a length of time of this clock. */
function span (ms) {
  return ms
}

module.exports = { now, span, FOREVER }
