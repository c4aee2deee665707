'use strict'
// Who has the lock. The lock itself is the kernel's (flock, see bundle.js);
// lock.json only tells whom it belongs to, for those who are refused.

const fs = require('node:fs')
const { writeAtomic } = require('./disk')

/** Called with the lock held. `info`: { who, action, … }. Errors are the caller's. */
function writeHolder (app, info) {
  writeAtomic(app.lockInfo, JSON.stringify({ pid: process.pid, ...info }), { mode: 0o640, sync: false })
}

function removeHolder (app) {
  const info = readHolder(app)
  if (info?.pid === process.pid) fs.rmSync(app.lockInfo, { force: true })
}

// -> what was written last, or null when it is of a process that has ended.
function readHolder (app) {
  let info
  try {
    info = JSON.parse(fs.readFileSync(app.lockInfo, 'utf8'))
    process.kill(info.pid, 0)
  } catch (err) {
    // EPERM: it is there, and another user's.
    if (err.code !== 'EPERM') return null
  }
  return info
}

/** What was written last by whoever had the lock, also when it has ended without a word. @returns {object|null} */
function readLast (app) {
  try {
    return JSON.parse(fs.readFileSync(app.lockInfo, 'utf8'))
  } catch {
    return null
  }
}

const ops = {
  /** -> { who, pid, action, since, lost, stage } | null. Works without the lock. */
  'lock.holder': async (args, ctx) => readHolder(ctx.app)
}

module.exports = { ops, writeHolder, removeHolder, readHolder, readLast }
