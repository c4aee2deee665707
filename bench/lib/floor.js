'use strict'

// What the machine itself does to a call: the time of one that only counts. On a
// virtual machine with few processors it is taken away more often than one call in
// ten thousand, and no percentile beyond that can be below it.

const { Histogram } = require('./histogram')
const { now } = require('./loop')

const TRIES = 20
const EACH = 10000

/**
 * @param {number} ns how long a call takes, about
 * @param {number} count calls
 * @returns {Histogram} of nanoseconds
 */
function floor (ns, count) {
  const steps = stepsOf(ns)
  const seen = new Histogram()
  let sum = 0
  for (let i = 0; i < count; i++) {
    const before = now()
    sum = (sum + spin(steps)) | 0
    seen.add((now() - before) * 1e6)
  }
  // Whoever compiles the loop must not find out that nobody reads the sum.
  if (sum === 0.5) throw new Error('a whole number is none')
  return seen
}

// The clock's own two readings are part of a call that is measured.
function stepsOf (ns) {
  let steps = 100
  for (let i = 0; i < TRIES; i++) {
    const start = now()
    for (let k = 0; k < EACH; k++) spin(steps)
    const each = (now() - start) * 1e6 / EACH
    steps = Math.min(1e6, Math.max(1, Math.round(steps * ns / each)))
  }
  return steps
}

function spin (steps) {
  let x = 0
  for (let i = 0; i < steps; i++) x = (x * 31 + i) | 0
  return x
}

module.exports = { floor }
