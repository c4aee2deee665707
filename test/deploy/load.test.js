'use strict'

// Deployments in a row under a constant load, through a real nginx and a real sshd: every
// request is answered, once, and no order that was answered is lost.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { runtimes } = require('../runtimes')
const { load } = require('../../deploy')
const { isLong, root, tmpdir } = require('../helper')
const { startLoad } = require('./parts/load')
const { startSite } = require('./parts/site')
const { deployUnderLoad, nothingLost } = require('./parts/under-load')

t.setTimeout(600_000)

const DEPLOYMENTS = isLong ? 20 : 5

t.test('socket mode: two owners of one file while they overlap', async t => {
  nothingLost(t, await deployUnderLoad(t, { mode: 'socket' }, DEPLOYMENTS), DEPLOYMENTS)
})

const bun = runtimes().find(({ kind, skip }) => kind === 'bun' && !skip)
t.test('socket mode on Bun', { skip: !isLong ? 'in the long run' : !bun && 'Bun is not installed' }, async t => {
  nothingLost(t, await deployUnderLoad(t, { mode: 'socket', runtime: { name: 'bun', path: bun.exec } }, 5), 5)
})

t.test('the configuration of the example is right', async t => {
  const cwd = path.join(tmpdir(t), 'shop')
  fs.cpSync(path.join(root, 'examples/deployed'), cwd, { recursive: true })
  fs.writeFileSync(path.join(cwd, 'package-lock.json'), '{}') // as npm install leaves one
  const config = await load({ cwd })
  t.same(config.install.command, ['npm', 'ci', '--omit=dev'])
  t.equal(config.app, 'shop')
  t.equal(config.forHost(0).folder, '/srv/shop')
})

t.test('the checker sees what is lost', async t => {
  const site = await startSite()
  const asking = await startLoad({ url: site.url })
  t.teardown(async () => {
    asking.kill()
    await site.stop()
  })
  // Nobody is behind the gateway yet.
  for (let tries = 0; (await asking.peek()).failed === 0 && tries < 500; tries++) await new Promise(resolve => { setTimeout(resolve, 10) })
  const seen = await asking.stop(async () => [7, 7])
  t.ok(seen.failed > 0 && /status 502/.test(seen.failures[0]), seen.failures[0])
  t.equal(seen.double, 1)
})
