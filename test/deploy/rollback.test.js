'use strict'
// Back to a release that is kept: without an upload, in seconds, and only when its files are those of its
// manifest.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const helper = require('../helper')
const { host } = require('./parts/host')

t.setTimeout(300_000)

t.test('rollback', async t => {
  const found = await host(t, { keep: 3 })
  const ids = []
  for (const mark of ['one', 'two', 'three']) {
    ids.push(found.release({ 'mark.js': mark }))
    await found.start()
  }
  const [one, two, three] = ids
  const began = Date.now()
  const result = await found.start({ back: true })
  t.match(result, { release: two, before: three, changed: true })
  t.comment(`back in ${Date.now() - began} ms, of which 200 ms were the watch`)
  t.equal(await found.serving(), two)
  t.match(found.audit().at(-1), { action: 'rollback', result: 'ok', release: two, before: three })
  t.match(await found.start({ back: true }), { release: two, changed: false }, 'the same again, as after an interruption, does not lead back to what was left')
  t.match(await found.start({ back: true, release: one }), { release: one, before: two }, 'to any that is kept')
  t.match(await found.start({ back: true }), { release: one, changed: false })
  t.match(await found.start({ release: three }), { release: three, before: one, changed: true })
  t.match(await found.start({ back: true }), { release: one, before: three }, 'after a start it is the one before again')
  t.equal(await found.serving(), one)

  // A byte of another one is wrong; its size and its mode are right.
  const file = path.join(found.app.release(two), 'mark.js')
  fs.chmodSync(file, 0o644)
  fs.writeFileSync(file, 'twx')
  fs.chmodSync(file, 0o444)
  const err = await helper.failure(found.start({ back: true, release: two }))
  t.match(err, { code: 'UC_DEPLOY_DAMAGED', stage: 'check', lines: [/mark\.js/] })
  t.equal(await found.serving(), one)
  t.match(found.audit().at(-1), { action: 'rollback', result: 'failed', code: 'UC_DEPLOY_DAMAGED' })

  t.match(await helper.failure(found.start({ back: true, release: '20200101-000000-00000000' })), { code: 'UC_DEPLOY_INCOMPLETE', hint: new RegExp(three) })
  t.equal(found.processes().length, 2)
})

t.test('there is nothing before the first', async t => {
  const found = await host(t)
  t.match(await helper.failure(found.start()), { code: 'UC_DEPLOY_NO_RELEASE', hint: /deploy:upload/ })
  found.release()
  await found.start()
  t.match(await helper.failure(found.start({ back: true })), { code: 'UC_DEPLOY_NO_RELEASE' })
})

t.test('what is kept', { skip: !helper.isLong && 'in the long run' }, async t => {
  const found = await host(t, { keep: 2 })
  const ids = []
  for (const mark of ['1', '2', '3', '4', '5']) {
    ids.push(found.release({ 'mark.js': mark }))
    await found.start()
  }
  t.same(fs.readdirSync(found.app.releases).filter((name) => !name.startsWith('.')).sort(), ids.slice(-2))
  t.same(fs.readdirSync(found.app.out).map((name) => name.replace(/\.\d+\.log$/, '')).sort(), ids.slice(-2), 'the output of the others is gone, too')
  t.equal(fs.readdirSync(found.app.agent).length, 2, 'one version of the supervisor, and boot.js')
})
