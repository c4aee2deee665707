'use strict'

// Resident memory of this process, in bytes.

const { setTimeout: sleep } = require('node:timers/promises')

function rss () {
  return process.memoryUsage.rss()
}

/** Collects what can be collected (Node wants --expose-gc) and lets it settle. */
async function settle () {
  for (let i = 0; i < 3; i++) {
    if (process.versions.bun) globalThis.Bun.gc(true)
    else if (globalThis.gc) globalThis.gc()
    await sleep(50)
  }
}

module.exports = { rss, settle }
