'use strict'

// Every contract suite through the in-process door.

const t = require('tap')
const { addonDoor, fileTimeoutMs, suites } = require('../helper')

t.setTimeout(fileTimeoutMs)
for (const [name, suite] of suites('addon')) t.test(name, async (t) => suite(t, addonDoor()))
