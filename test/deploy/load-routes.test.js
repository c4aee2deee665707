'use strict'

// Deployments under load with the daemon's HTTP in front: orders are routes, and the rest is the service's.
// The first one brings other routes alone, each further one another daemon as well: then two of them overlap.

const path = require('node:path')
const t = require('tap')
const { isLong } = require('../helper')
const { startLoad } = require('./parts/load')
const { watchOwners } = require('./parts/owners')
const { startSite } = require('./parts/site')

t.setTimeout(600_000)

const DEPLOYMENTS = isLong ? 10 : 2

t.test('routes change, and their daemon: nothing is lost, and the file has one owner', async (t) => {
  const site = await startSite({ routes: true })
  const file = path.join(site.folder, 'shared/shop.db')
  let load = null
  t.teardown(async () => {
    load?.kill()
    await site.stop()
  })
  await site.deploy()
  load = await startLoad({ url: site.url, routes: true })
  await load.goOn()
  const watching = watchOwners(file)
  for (let i = 0; i < DEPLOYMENTS; i++) {
    if (i > 0) site.configure({ daemon: { db: '$SHARED/shop.db', routes: 'routes', args: ['--set', `cacheBytes=${(32 + i) * 2 ** 20}`] } })
    const text = await site.deploy()
    t.comment(text.trim().split('\n').at(-1))
    await load.goOn()
  }
  const owners = await watching.stop()
  const seen = await load.stop(site.numbers)
  t.comment(`${DEPLOYMENTS} deployments: ${JSON.stringify(seen)}`)
  if (seen.failed > 0) t.comment(site.nginx.errors().split('\n').slice(0, 20).join('\n'))
  t.same(seen.failures, [], 'no request failed')
  t.equal(seen.twice, 0, 'none was answered twice')
  t.same([seen.lost, seen.double], [0, 0], 'every order that was answered is there, once')
  const routes = Object.keys(seen.releases).filter((name) => /^v\d+$/.test(name))
  t.equal(routes.length, DEPLOYMENTS + 1, 'the routes of every release have answered')
  t.ok(seen.requests > 20 * DEPLOYMENTS, `${seen.requests} requests`)
  t.equal(owners.most, 1, `one owner whenever it was looked at (${owners.looks} times)`)
  t.equal(owners.all.size, DEPLOYMENTS, 'and they were as many as there were daemons')
})
