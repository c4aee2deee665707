'use strict'

// common - what the tests of PostgreSQL share: one server for a file, stores that end with their test.

const t = require('tap')
const { open } = require('../../lib/store')
const { delay, fileTimeoutMs } = require('../helper')
const pg = require('../pg')

// Waits until `look` gives something; `what` is what it was.
async function until (look, what, ms = 30_000) {
  const late = Date.now() + ms
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > late) throw new Error(`not within ${ms} ms: ${what}`)
    await delay(20)
  }
}

/** A store that ends with the test. */
function store (t, url, options) {
  const it = open(url, options)
  t.teardown(async () => { await it.close().catch(() => {}); it.destroy() })
  return it
}

/** Runs `tests(t, server)` with a server for all of them, or says why there is none. */
function withServer (options, tests) {
  t.setTimeout(fileTimeoutMs)
  const reason = pg.whyNot()
  if (reason !== null) {
    if (process.env.CI === 'true') t.fail(reason)
    else t.skip(reason)
    return
  }
  t.test('on PostgreSQL', async (t) => tests(t, await pg.start(t, options)))
}

module.exports = { store, until, withServer }
