'use strict'

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const { failure, tmpdir } = require('../helper')

async function database (t, target, rows = 0) {
  const store = open(target)
  t.teardown(() => store.close())
  if (rows > 0) {
    await store.db.exec('create table t(id integer primary key, v text)')
    await store.db.many('insert into t(v) values (?)', Array.from({ length: rows }, (_, i) => [`value ${i} `.repeat(20)]))
  }
  return store.db
}

const count = async (db) => (await db.get('select count(*) as n from t')).n

t.test('a backup is a whole database, and says how far it is', async (t) => {
  const dir = tmpdir(t)
  const db = await database(t, path.join(dir, 'a.db'), 5000)
  const copy = path.join(dir, 'copy.db')
  const steps = []
  const done = await db.backup(copy, { pagesPerStep: 50, onProgress: (step) => steps.push(step) })
  t.equal(done.path, copy)
  t.ok(done.pages > 100)
  t.ok(steps.length > 2)
  t.same(steps.at(-1), { remaining: 0, total: done.pages, percent: 100 })
  for (let i = 1; i < steps.length; i++) t.ok(steps[i].remaining < steps[i - 1].remaining)
  const other = await database(t, copy)
  t.equal(await count(other), 5000)
  t.same(await other.get('pragma integrity_check'), { integrity_check: 'ok' })
  t.same(fs.readdirSync(dir).filter((name) => name.startsWith('copy.db') && !/^copy\.db(-wal|-shm)?$/.test(name)), [], 'nothing else is left')
})

t.test('writes go on during a backup', async (t) => {
  const dir = tmpdir(t)
  const db = await database(t, path.join(dir, 'a.db'), 3000)
  let writes = 0
  const onProgress = () => { db.run('insert into t(v) values (?)', ['during']).then(() => writes++) }
  await db.backup(path.join(dir, 'copy.db'), { pagesPerStep: 20, onProgress })
  await db.get('select 1')
  t.ok(writes > 0)
  const other = await database(t, path.join(dir, 'copy.db'))
  t.same(await other.get('pragma integrity_check'), { integrity_check: 'ok' })
  t.ok(await count(other) >= 3000)
})

t.test('a backup that is stopped leaves what was there', async (t) => {
  const dir = tmpdir(t)
  const db = await database(t, path.join(dir, 'a.db'), 3000)
  const copy = path.join(dir, 'copy.db')
  await db.backup(copy)
  const before = fs.readFileSync(copy)
  await db.run('delete from t where id > 10')

  const stop = new AbortController()
  const aborted = await failure(db.backup(copy, { pagesPerStep: 5, signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }))
  t.equal(aborted.message, 'enough')
  const thrown = await failure(db.backup(copy, { pagesPerStep: 5, onProgress () { throw new Error('listener') } }))
  t.equal(thrown.message, 'listener')
  t.ok(before.equals(fs.readFileSync(copy)), 'the older copy is untouched')
  t.same(fs.readdirSync(dir).filter((name) => !name.startsWith('a.db')), ['copy.db'], 'no partial file is left')

  stop.abort()
  const early = await failure(db.backup(copy, { signal: stop.signal }))
  t.equal(early.message, 'enough', 'nothing begins under an aborted signal')
})

t.test('a backup of a database in memory, and over an existing copy', async (t) => {
  const dir = tmpdir(t)
  const db = await database(t, ':memory:', 10)
  const copy = path.join(dir, 'copy.db')
  const steps = []
  const done = await db.backup(copy, { onProgress: (step) => steps.push(step) })
  t.same(steps, [{ remaining: 0, total: done.pages, percent: 100 }], 'memory is copied at one go')
  await db.run('delete from t where id > 3')
  await db.backup(copy)
  t.equal(await count(await database(t, copy)), 3)
})

t.test('what cannot be a backup', async (t) => {
  const dir = tmpdir(t)
  const db = await database(t, path.join(dir, 'a.db'), 10)
  for (const bad of [undefined, 5, '', ':memory:', 'a\0b']) {
    t.equal((await failure(db.backup(bad))).code, 'UC_OPTION', String(bad))
  }
  t.equal((await failure(db.backup(path.join(dir, 'b.db'), { pages: 5 }))).code, 'UC_OPTION')
  t.equal((await failure(db.backup(path.join(dir, 'b.db'), { pagesPerStep: 0 }))).code, 'UC_OPTION')
  t.equal((await failure(db.backup(path.join(dir, 'b.db'), { onProgress: 5 }))).code, 'UC_OPTION')
  t.equal((await failure(db.backup(path.join(dir, 'b.db'), { signal: 5 }))).code, 'UC_OPTION')
  await t.rejects(db.backup(path.join(dir, 'missing', 'b.db')), { name: 'UndercroftError' })
  fs.symlinkSync(path.join(dir, 'a.db'), path.join(dir, 'alias.db'))
  for (const own of ['a.db', 'a.db-wal', 'alias.db']) {
    t.equal((await failure(db.backup(path.join(dir, own)))).code, 'UC_BACKUP', `not over ${own}`)
  }
  t.equal((await failure(db.restore(path.join(dir, 'alias.db')))).code, 'UC_BACKUP', 'nor from itself')
  t.equal(await count(db), 10)
})

t.test('restore', async (t) => {
  const dir = tmpdir(t)
  const db = await database(t, path.join(dir, 'a.db'), 100)
  const copy = path.join(dir, 'copy.db')
  await db.backup(copy)
  await db.run('delete from t')
  await db.exec('create table later(x)')
  t.equal(await db.table('later').count(), 0)
  await db.restore(copy)
  t.equal(await count(db), 100)
  t.equal((await failure(db.table('later').count())).code, 'UC_TABLE', 'what came later is gone, and known to be')
  await db.run('insert into t(v) values (?)', ['after'])
  t.equal(await count(db), 101)

  fs.writeFileSync(path.join(dir, 'text.db'), 'this is not a database, however long it may be'.repeat(100))
  for (const bad of ['text.db', 'missing.db']) {
    const err = await failure(db.restore(path.join(dir, bad)))
    t.equal(err.name, 'UndercroftError', err.message)
    t.equal(await count(db), 101, 'the database is as it was')
  }
  t.equal((await failure(db.restore(''))).code, 'UC_OPTION')
})
