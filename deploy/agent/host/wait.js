'use strict'

// Waiting for a condition, always with a deadline.

const { setTimeout: pause } = require('node:timers/promises')

const LONGEST_MS = 100

/**
 * Asks `check` again and again, less and less often, until it is true or the time is over.
 * @returns {Promise<boolean>} whether it became true
 */
async function within (ms, check) {
  const deadline = Date.now() + ms
  for (let wait = 5; ; wait = Math.min(wait * 2, LONGEST_MS)) {
    if (await check()) return true
    const left = deadline - Date.now()
    if (left <= 0) return false
    await pause(Math.min(wait, left))
  }
}

module.exports = { pause, within }
