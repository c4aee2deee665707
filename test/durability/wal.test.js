'use strict'

// The WAL has a cap: past it first the oldest cursors expire, then writes get UC_WAL_FULL; a
// single larger transaction is reported, not refused.

const fs = require('node:fs')
const t = require('tap')
const undercroft = require('../..')
const { child, exact, failure, fileTimeoutMs, outcomes, tmpfile, until } = require('../helper')

t.setTimeout(fileTimeoutMs)

const MiB = 1024 * 1024
const options = { walCapBytes: 2 * MiB, walCheckpointBytes: 256 * 1024, transactionTimeoutMs: 60000, synchronous: 'off' }

const filled = async (t) => {
  const file = tmpfile(t)
  const store = undercroft.open(file, options)
  await store.db.exec('create table t(id integer primary key, a)')
  await store.db.many('insert into t(a) values (?)', Array.from({ length: 3000 }, (_, i) => [`row ${i} ${'x'.repeat(100)}`]))
  t.teardown(() => store.destroy())
  return { file, store, db: store.db }
}

const wal = (file) => fs.statSync(`${file}-wal`).size

// Writes about `megabytes` into the WAL, in commits of their own, until so many have been refused.
const churn = async (db, megabytes, enough = 10) => {
  const refused = []
  for (let i = 0; i < megabytes * 16 && refused.length < enough; i++) {
    const done = await outcomes([db.run('update t set a = ? where id between ? and ?', [`v${i} ${'y'.repeat(100)}`, 1 + (i % 5) * 500, 500 + (i % 5) * 500])])
    if (done[0] !== 'fulfilled') refused.push(done[0])
  }
  return refused
}

t.test('without readers the WAL stays small', async (t) => {
  const { file, store, db } = await filled(t)
  exact(t, await churn(db, 20), [], 'no write is refused')
  t.ok(wal(file) < 4 * MiB, `${Math.round(wal(file) / 1024)} KiB after 20 MiB of writes`)
  await store.close()
})

t.test('with readers in flight all the time, too', async (t) => {
  let refused
  // The writer waits 200 ms for the readers (WAL_ROOM_MS); one that the machine stops for longer costs writes.
  for (let round = 0; round < 5 && refused?.length !== 0; round++) {
    const { file, store, db } = await filled(t)
    let going = true
    const readers = Promise.all(Array.from({ length: 4 }, async () => { while (going) await db.all('select * from t limit 500') }))
    refused = await churn(db, 20)
    going = false
    await readers
    if (refused.some((code) => code !== 'UC_WAL_FULL')) break
    t.ok(wal(file) < 8 * MiB, `${Math.round(wal(file) / 1024)} KiB after 20 MiB of writes`)
    await store.close()
  }
  exact(t, refused, [], 'no write is refused')
})

t.test('cursors that stand still expire, the oldest first', async (t) => {
  const { file, store, db } = await filled(t)
  const old = db.iterate('select * from t order by id')
  await old.next()
  await churn(db, 1)
  exact(t, await churn(db, 12), [], 'no write is refused')
  t.ok(wal(file) < 16 * MiB, `${Math.round(wal(file) / 1024)} KiB`)
  const err = await failure(async () => { while (!(await old.next()).done); })
  t.equal(err.code, 'UC_CURSOR_EXPIRED')
  t.match(err.message, /WAL/i, 'the reason is told')
  await store.close()
})

t.test('a snapshot that stands still expires as well', async (t) => {
  const { store, db } = await filled(t)
  const err = await failure(db.snapshot(async (s) => {
    await s.get('select count(*) from t')
    exact(t, await churn(db, 12), [], 'no write is refused')
    await s.get('select count(*) from t')
  }))
  t.match(err.code, /_EXPIRED$/)
  await store.close()
})

t.test('pinned by another process: UC_WAL_FULL, then on again', async (t) => {
  const { file, store, db } = await filled(t)
  const other = child(t, async ({ undercroft, args, say }) => {
    const { db } = undercroft.open(args.file, args.options)
    await db.snapshot(async (s) => {
      await s.get('select count(*) from t')
      say('pinning')
      await new Promise((resolve) => process.stdin.once('data', resolve))
      await s.get('select count(*) as n from t')
    })
    say('released')
    process.exit(0)
  }, { args: { file, options: { ...options, walCapBytes: 1024 * MiB } } })
  await until(() => other.lines.includes('pinning'), 'the other process reads')
  const refused = await churn(db, 32)
  t.ok(refused.length >= 10, `${refused.length} writes refused`)
  t.ok(refused.every((code) => code === 'UC_WAL_FULL'), [...new Set(refused)].join())
  t.ok(wal(file) < 8 * MiB, `${Math.round(wal(file) / 1024)} KiB: it grows no more`)
  const err = await failure(db.run('update t set a = 1'))
  t.equal(err.code, 'UC_WAL_FULL')
  t.equal(err.kind, 'full')
  t.equal(err.retryable, true)
  t.match(err.message, /walCapBytes/, 'the option is named')
  const begin = Date.now()
  const flood = await outcomes(Array.from({ length: 100 }, () => db.run("insert into t(a) values ('x')")))
  t.ok(flood.every((code) => code === 'UC_WAL_FULL'), [...new Set(flood)].join())
  t.ok(Date.now() - begin < 15000, `a hundred queued writes are told so in ${Date.now() - begin} ms`)
  t.equal((await failure(db.many('insert into t(a) values (?)', [['x']]))).code, 'UC_WAL_FULL', 'many')
  t.equal((await failure(db.transaction((tx) => tx.run("insert into t(a) values ('x')")))).code, 'UC_WAL_FULL', 'transaction')
  exact(t, await db.get('select count(*) as n from t'), { n: 3000 }, 'reads go on')
  other.proc.stdin.write('go\n')
  await until(() => other.lines.includes('released'), 'the other process ends')
  await other.done
  await until(async () => (await outcomes([db.run("insert into t(a) values ('again')")]))[0] === 'fulfilled', 'writes go on')
  t.ok(true, 'writes go on by themselves')
  await store.close()
})

t.test('without anybody reading no write is refused, however fast the cap is reached', async (t) => {
  for (let round = 0; round < 10; round++) {
    const { store, db } = await filled(t)
    const done = []
    for (let i = 0; i < 4; i++) {
      done.push(db.many('insert into t(a) values (?)', Array.from({ length: 1500 }, () => ['z'.repeat(2000)])))
      done.push(db.run("insert into t(a) values ('x')"))
      for (const one of done.slice(-2)) one.catch(() => {})
      if (i % 2) await done.at(-1).catch(() => {})
    }
    const codes = (await outcomes(done)).filter((one) => one !== 'fulfilled')
    if (codes.length > 0) t.ok(false, `round ${round}: ${codes}`)
    await store.close()
  }
  t.ok(true, 'ten rounds')
})

t.test('one transaction larger than the cap is carried out and reported', async (t) => {
  const { file, store, db } = await filled(t)
  await db.many('insert into t(a) values (?)', Array.from({ length: 3000 }, () => ['z'.repeat(2000)]))
  t.equal((await db.get('select count(*) as n from t')).n, 6000)
  await db.transaction(async (tx) => { for (let i = 0; i < 60; i++) await tx.run('insert into t(a) values (?)', ['z'.repeat(60000)]) })
  const stats = await db.stats()
  t.match(JSON.stringify(stats.wal), /"(?:big|large|over)[a-z_]*":[1-9]/i, `stats tell: ${JSON.stringify(stats.wal)}`)
  exact(t, await churn(db, 4), [], 'and the next writes go on')
  t.ok(wal(file) < 24 * MiB, `${Math.round(wal(file) / 1024)} KiB`)
  await store.close()
})
