'use strict'

// Every contract suite through daemons and their sockets, in several files: most
// of the time is waiting, for processes to start among others.

const t = require('tap')
const { fileTimeoutMs, ipcDoor, suites } = require('../helper')

const only = process.env.UNDERCROFT_SUITE?.split(',')

/** Runs the share of the suites that is number `part`, from 0, of `parts`. */
module.exports = function runShare (part, parts) {
  t.setTimeout(fileTimeoutMs)
  const mine = [...suites('ipc')].filter((_, i) => i % parts === part)
    .filter(([name]) => only === undefined || only.includes(name))
  if (mine.length === 0) t.skip('none of the chosen suites is in this share')
  for (const [name, suite] of mine) t.test(name, async (t) => suite(t, ipcDoor()))
}
