'use strict'

// The same under load with both ports in nginx's upstream: an order is never lost or doubled,
// but what waits at a listener that closes is, which is counted.

const t = require('tap')
const { isLong } = require('../helper')
const { deployUnderLoad } = require('./parts/under-load')

t.setTimeout(600_000)

const DEPLOYMENTS = 20
// A few requests at most have connected between the last look at the listener and its end.
const WAITING = 5

t.test('ports mode: its losses are counted, and no order is lost or doubled', { skip: !isLong && 'in the long run' }, async t => {
  // Requests keep coming to the old release until it stops listening, after half of drainMs.
  const seen = await deployUnderLoad(t, { mode: 'ports', config: { drainMs: 3000 } }, DEPLOYMENTS)
  t.equal(seen.twice, 0)
  t.equal(seen.lost, 0)
  t.equal(seen.double, 0)
  t.ok(seen.failed <= DEPLOYMENTS * WAITING, `${seen.failed} requests failed in ${DEPLOYMENTS} deployments`)
  t.equal(Object.keys(seen.releases).length, DEPLOYMENTS + 1, 'every release has answered')
})
