'use strict'

// A daemon that is killed, and the next one: writes with a key are repeated until they are
// answered and are there once; a watch goes on and misses nothing.

const t = require('tap')
const { open } = require('../..')
const { delay, exact, fileTimeoutMs, until } = require('../helper')
const { start } = require('./raw')

t.setTimeout(fileTimeoutMs)

// Calls again for as long as the connection, or what became of the call in it, is in doubt.
async function insist (call) {
  for (let lost = 0; ; lost++) {
    try {
      return { lost, value: await call() }
    } catch (err) {
      if (err.kind !== 'connection' && err.code !== 'UC_CLOSED') throw err
      await delay(5)
    }
  }
}

// However long a machine takes to start the next daemon.
const patient = { connectTimeoutMs: 60_000, timeoutMs: 60_000 }

t.test('kill -9 under writes with keys: each is applied once', async (t) => {
  let daemon = await start(t)
  const store = open(`ipc://${daemon.socket}`, patient)
  t.teardown(() => store.destroy())
  const { db } = store
  await db.exec('create table t(id integer primary key, a); create table u(id integer primary key, a)')
  const insert = 'insert into t(a) values (?)'
  const counts = { calls: 0, repeated: 0 }
  const answers = []
  let going = true
  const writer = async (w) => {
    for (let i = 0; going || i < 10; i++) {
      const once = `${w}:${i}`
      const call = [
        () => db.run(insert, [once], { once }),
        () => db.batch([[insert, [once]], ['insert into u(a) values (?)', [once]]], { once }),
        () => db.many(insert, [[once]], { once })
      ][i % 3]
      const { lost, value } = await insist(call)
      answers.push([once, i % 3 === 1 ? value[0].lastInsertRowid : value.lastInsertRowid])
      counts.calls++
      counts.repeated += lost > 0
    }
  }
  const writers = Array.from({ length: 16 }, (_, w) => writer(w))
  for (let i = 0; i < 4; i++) {
    await delay(150)
    await daemon.stop('SIGKILL')
    daemon = await start(t, { dir: daemon.dir })
  }
  await delay(100)
  going = false
  await Promise.all(writers)
  t.comment(`${counts.calls} calls, ${counts.repeated} of them repeated`)
  t.ok(counts.repeated > 0, 'some were repeated')
  const rows = new Map(await db.values('select id, a from t'))
  t.equal(rows.size, counts.calls, 'as many rows as answered calls')
  t.ok(answers.every(([once, id]) => rows.get(id) === once), 'each under the rowid it was told')
  t.equal((await db.get('select count(distinct a) as n from t')).n, counts.calls, 'none is there twice')
  const batches = await db.get('select count(*) as n, count(distinct a) as keys from u')
  t.ok(batches.n === batches.keys && batches.n > 0, 'nor is the other half of a batch')
  await store.close()
  t.equal((await daemon.stop()).code, 0)
})

t.test('a watch outlives its daemon', async (t) => {
  let daemon = await start(t)
  const store = open(`ipc://${daemon.socket}`, patient)
  const other = open(`ipc://${daemon.socket}`, patient)
  t.teardown(() => { store.destroy(); other.destroy() })
  await store.db.exec('create table a(x); create table b(x)')
  const fresh = store.db.watch('a')
  const used = store.db.watch('a')
  await store.db.health() // behind the watches: they are there before the write of another connection
  await other.db.run('insert into a values (1)')
  exact(t, (await used.next()).value.tables, ['a'], 'before')
  exact(t, (await fresh.next()).value.tables, ['a'], 'both')
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    const waiting = [used.next(), fresh.next()]
    await delay(20)
    await daemon.stop(signal)
    daemon = await start(t, { dir: daemon.dir })
    const told = await Promise.all(waiting)
    exact(t, told.map((step) => step.value.tables), [['*'], ['*']], `${signal}: something may have happened meanwhile`)
    const next = used.next()
    await insist(() => other.db.run('insert into b values (1)'))
    await insist(() => other.db.run('insert into a values (2)'))
    exact(t, (await next).value.tables, ['a'], `${signal}: and then it goes on`)
    await fresh.next()
  }
  const gone = store.db.watch()
  await delay(20)
  await daemon.stop('SIGKILL')
  const last = gone.next()
  await delay(50)
  await gone.return()
  t.equal((await last).done, true, 'return while there is no daemon')
  const closing = used.next()
  await store.close()
  t.equal((await closing).done, true, 'and close')
})

t.test('the watches of a connection that ends make room for others', async (t) => {
  const daemon = await start(t)
  const store = open(`ipc://${daemon.socket}`)
  t.teardown(() => store.destroy())
  await store.db.exec('create table a(x)')
  for (let i = 0; i < 5; i++) {
    const other = open(`ipc://${daemon.socket}`)
    const steps = Array.from({ length: 64 }, () => other.db.watch('a').next())
    await other.db.health()
    if (i % 2) other.destroy()
    else await store.db.run('insert into a values (1)')
    await until(async () => (await Promise.allSettled(steps)).length === 64, 'each watch is over')
    await other.close()
  }
  const watch = store.db.watch('a')
  await store.db.run('insert into a values (1)')
  exact(t, (await watch.next()).value.tables, ['a'], 'and the daemon goes on')
  await watch.return()
})
