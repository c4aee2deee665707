'use strict'

// Every contract suite through daemons and their sockets.

const t = require('tap')
const { ipcDoor, suites } = require('../helper')

const only = process.env.UNDERCROFT_SUITE?.split(',')

t.setTimeout(400000)
for (const [name, suite] of suites()) {
  if (only === undefined || only.includes(name)) t.test(name, async (t) => suite(t, ipcDoor()))
}
