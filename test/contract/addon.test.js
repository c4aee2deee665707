'use strict'

// Every contract suite through the in-process door.

const t = require('tap')
const { addonDoor, suites } = require('../helper')

t.setTimeout(180000)
for (const [name, suite] of suites()) t.test(name, async (t) => suite(t, addonDoor()))
