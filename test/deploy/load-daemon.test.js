'use strict'

// The same under load with the database behind a daemon: one owner of the file, whichever
// releases run; and a daemon that is replaced itself.

const t = require('tap')
const { isLong } = require('../helper')
const { deployUnderLoad, nothingLost } = require('./parts/under-load')

t.setTimeout(600_000)

const DEPLOYMENTS = 20

t.test('socket mode: the database behind a daemon', { skip: !isLong && 'in the long run' }, async t => {
  nothingLost(t, await deployUnderLoad(t, { daemon: true }, DEPLOYMENTS), DEPLOYMENTS)
})

t.test('each release brings another daemon', async t => {
  const count = isLong ? 10 : 1
  const seen = await deployUnderLoad(t, { daemon: true }, count, async (site, i) => {
    // Other options, another daemon.
    site.configure({ daemon: { db: '$SHARED/shop.db', args: ['--set', `cacheBytes=${(32 + i) * 2 ** 20}`] } })
  })
  nothingLost(t, seen, count)
})
