'use strict'

// random - a generator with a seed, so that a failure can be had again: UNDERCROFT_SEED=n.

const asked = Number(process.env.UNDERCROFT_SEED)

/** The seed of this run, which a test prints. */
function newSeed () {
  return asked > 0 ? asked : Math.floor(Math.random() * 0x7fffffff) + 1
}

/** -> pick(n): a whole number from 0 to n - 1 (mulberry32) */
function random (seed) {
  let state = seed | 0
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return Math.floor(((x ^ (x >>> 14)) >>> 0) / 4294967296 * n)
  }
}

module.exports = { newSeed, random }
