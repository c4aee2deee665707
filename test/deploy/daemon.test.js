'use strict'
// undercroftd beside a service: brought with a release, replaced when the release brings another one. A
// client that goes on reading and writing all the while loses nothing.

const fs = require('node:fs')
const t = require('tap')
const helper = require('../helper')
const { host } = require('./parts/host')
const { release } = require('./parts/daemon-release')
const { open } = require('../../index')

t.setTimeout(580_000)

const settings = { daemon: { db: '$SHARED/app.db', args: [] } }

/** Clients as services are: they read and write all the time. -> end() -> what came of it */
async function load (t, found) {
  const url = `ipc://${found.folder}/run/undercroft.sock`
  // However long a machine takes from the end of one daemon to the next.
  const options = { connectTimeoutMs: 60_000, timeoutMs: 60_000 }
  const stores = [open(url, options), open(url, options)]
  t.teardown(() => { for (const store of stores) store.destroy() })
  const [{ db }] = stores
  await db.exec('create table if not exists t (n integer primary key)')
  const seen = { reads: 0, writes: 0, failed: [], unknown: 0, again: 0, longestMs: 0 }
  const acknowledged = []
  let next = (await db.get('select coalesce(max(n), 0) as n from t')).n
  let goesOn = true
  const timed = async (work) => {
    const began = Date.now()
    await work()
    seen.longestMs = Math.max(seen.longestMs, Date.now() - began)
  }
  const write = async ({ db }) => {
    const n = ++next
    for (;;) {
      try {
        await db.run('insert into t values (?)', [n])
        break
      } catch (err) {
        if (err.outcome === 'not-sent') seen.again++
        else if (err.outcome === 'unknown') {
          // Whether it is there is asked, as a service has to.
          seen.unknown++
          if (await db.get('select n from t where n = ?', [n]) !== undefined) break
        } else return seen.failed.push(`write: ${err.code} ${err.message}`)
        await helper.delay(5)
      }
    }
    seen.writes++
    acknowledged.push(n)
  }
  const read = async ({ db }) => {
    try {
      await db.get('select count(*) as n from t')
      seen.reads++
    } catch (err) {
      seen.failed.push(`read: ${err.code} ${err.outcome} ${err.message}`)
    }
  }
  const run = async (store, work) => {
    while (goesOn) {
      await timed(() => work(store))
      await helper.delay(1)
    }
  }
  const all = stores.flatMap((store) => [run(store, read), run(store, read), run(store, write), run(store, write)])
  return async () => {
    goesOn = false
    await Promise.all(all)
    const rows = new Set((await db.all('select n from t')).map(({ n }) => n))
    seen.lost = acknowledged.filter((n) => !rows.has(n))
    for (const store of stores) await store.close()
    return seen
  }
}

t.test('a daemon that comes with its release', async t => {
  const found = await host(t)
  const first = release(found, 'one')
  t.match(await found.start({}, settings), { release: first, daemon: 'started' })
  t.equal(found.processes().length, 4)
  const { daemon: { slot } } = found.state()
  const status = () => JSON.parse(fs.readFileSync(slot.replace('.json', '.status')))
  const pid = status().child.pid
  t.equal((await found.start({ force: true }, settings)).daemon, 'unchanged')
  t.equal(status().child.pid, pid, 'the same daemon serves')
  const end = await load(t, found)

  const rounds = helper.isLong ? 10 : 2
  let last
  for (let n = 1; n <= rounds; n++) {
    last = release(found, `daemon ${n}`)
    t.match(await found.start({}, settings), { release: last, daemon: 'replaced' })
  }
  t.match(await found.start({ back: true }, settings), { daemon: 'replaced' }, 'a rollback brings its own back')
  const seen = await end()
  t.same(seen.failed, [], 'no request failed')
  t.same(seen.lost, [], 'what was acknowledged is there')
  t.comment(`${rounds + 1} replacements under ${seen.reads} reads and ${seen.writes} writes: 0 failed, 0 lost; ` +
    `writes not sent and sent again: ${seen.again}, with an unknown outcome: ${seen.unknown}; the longest request took ${seen.longestMs} ms`)
  t.equal(found.processes().length, 4, 'one daemon, one service, and their supervisors')
  await found.start({ force: true }, {})
  t.equal(found.processes().length, 2, 'without one in the configuration it ends')
  t.equal(found.state().daemon, null)
})

t.test('a daemon that does not come up', { skip: !helper.isLong && 'in the long run' }, async t => {
  const found = await host(t)
  const first = release(found, 'one')
  await found.start({}, settings)
  found.first = first
  const end = await load(t, found)
  release(found, 'two', '#!/bin/sh\necho cannot open the database >&2\nexit 5\n')
  const err = await helper.failure(found.start({}, settings))
  t.match(err, { code: 'UC_DEPLOY_DAEMON', stage: 'daemon', message: /code 5.*the one before it serves again/ })
  t.match(err.lines.join('\n'), /cannot open the database/)
  t.equal(await found.serving(), first)

  // This one ends the old one first, and then fails.
  const wrong = { daemon: { db: '/proc/none/app.db', args: [] } }
  release(found, 'three')
  const failed = await helper.failure(found.start({}, wrong))
  t.match(failed, { code: 'UC_DEPLOY_DAEMON', message: /code 5/ }, `it said: ${failed.lines?.join(' | ')}`)
  const seen = await end()
  t.same([seen.failed, seen.lost], [[], []], 'clients lose nothing')
  t.equal(found.processes().length, 4)
  t.match(await helper.failure(found.start({ release: found.release({ 'none.js': '' }) }, settings)), { code: 'UC_DEPLOY_DAEMON', message: /no undercroftd/ })
  const next = release(found, 'four')
  t.match(await found.start({}, settings), { release: next, daemon: 'replaced' })
  t.equal(found.processes().length, 4)
})

t.test('the agent is killed while it replaces the daemon', { skip: !helper.isLong && 'in the long run' }, async t => {
  const found = await host(t)
  release(found, 'one')
  await found.start({}, settings)
  const end = await load(t, found)
  for (const ms of helper.isLong ? [0, 20, 50, 100, 150, 200, 300, 400] : [50, 200]) {
    const next = release(found, `two ${ms}`)
    const session = await found.session(settings)
    const call = session.call('start', {}, {
      onEvent ({ stage }) {
        if (stage === 'daemon') setTimeout(() => process.kill(session.facts.pid, 'SIGKILL'), ms)
      }
    })
    await call.catch(() => {})
    await session.close()
    const { release: id } = await found.start({}, settings)
    t.equal(id, next, `after ${ms} ms`)
    await helper.until(() => found.processes().length === 4, 'one daemon, one service, and their supervisors')
    t.notOk(found.state().daemon.pending)
  }
  const seen = await end()
  t.same([seen.failed, seen.lost], [[], []])
  t.comment(`unknown outcomes: ${seen.unknown}, sent again: ${seen.again}, the longest request took ${seen.longestMs} ms`)
})
