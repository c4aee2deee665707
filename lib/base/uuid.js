'use strict'

// uuid - identifiers that sort by the time at which they were made: version 7 of RFC 9562.
//
//   48 bits ms since 1970 │ 7 │ 12 bits counter │ 2 │ 62 random bits
//
// The counter begins at a random number of 11 bits with each millisecond and goes up by one with each
// identifier in it (section 6.2, method 1); where it is full the milliseconds go ahead of the clock. So
// they never go back, whatever the clock does.

const { builtin } = require('./builtin')

const POOL = 4096
const BYTES = 10

let pool = null
let at = POOL
let lastMs = 0
let count = 0

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

function fill () {
  pool ??= Buffer.allocUnsafeSlow(POOL)
  builtin('node:crypto').randomFillSync(pool)
  at = 0
}

/**
 * An identifier that is greater than each that this thread has made before, as text and as a uuid.
 *
 * @returns {string} such as '0192f1c8-5b2a-7c31-8f0e-3d5a6b7c8d9e'
 */
function uuidv7 () {
  if (at + BYTES > POOL) fill()
  const b = pool
  const i = at
  at += BYTES
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    count = (b[i] << 8 | b[i + 1]) & 0x7ff
  } else if (++count > 0xfff) {
    lastMs++
    count = 0
  }
  const ms = lastMs.toString(16).padStart(12, '0')
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${(count + 0x1000).toString(16).slice(1)}-` +
    `${HEX[b[i + 2] & 0x3f | 0x80]}${HEX[b[i + 3]]}-` +
    HEX[b[i + 4]] + HEX[b[i + 5]] + HEX[b[i + 6]] + HEX[b[i + 7]] + HEX[b[i + 8]] + HEX[b[i + 9]]
}

module.exports = { uuidv7 }
