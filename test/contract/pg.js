'use strict'

// The contract suites on PostgreSQL, through one door: a share of them for each test file. A suite that is
// not for it says why, by the property `sqlite` of its function.

const t = require('tap')
const { fileTimeoutMs, pgDoor, suites } = require('../helper')
const pg = require('../pg')

const only = process.env.UNDERCROFT_SUITE?.split(',')

// They expect that what is tied to another table stays. Where the server's stream of changes is later than 100 ms, as
// it may be beside everything else, all that is tied goes: then that is right, and the suite is not.
const steady = /^(cache|watch)/
const late = 'a busy machine makes the stream of changes late: test/pg/cache.test.js is for that, UNDERCROFT_SUITE runs it'

/** Runs the share of the suites that is number `part`, from 0, of `parts`, through that door. */
module.exports = function runShare (door, part, parts) {
  t.setTimeout(fileTimeoutMs)
  const mine = suites(door.door, 'pg').filter((_, i) => i % parts === part)
    .filter(([name]) => only === undefined || only.includes(name))
  const reason = pg.whyNot()
  if (reason !== null) {
    // A run of everything has set up a server: without one it would be silent about an engine.
    if (process.env.CI === 'true') t.fail(reason)
    else t.skip(reason)
    return
  }
  if (mine.length === 0) t.skip('none of the chosen suites is in this share')
  t.test('on PostgreSQL', async (t) => {
    const server = await pg.start(t)
    for (const [name, suite] of mine) {
      const why = suite.sqlite ?? (only === undefined && steady.test(name) ? late : undefined)
      await t.test(name, why ? { skip: why } : {}, async (t) => suite(t, pgDoor(door, server, { publishes: steady.test(name) })))
    }
  })
}
