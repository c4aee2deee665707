'use strict'

// Program order on one handle: a read sees the writes issued before it, awaited or not.

const { exact, slow } = require('../../helper')

module.exports = (t, open) => {
  t.test('a read after an unawaited write sees it', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a)')
    for (let i = 1; i <= 100; i++) {
      const write = db.run('insert into t values (?)', [i])
      const read = db.get('select count(*) as n, max(a) as top from t')
      const { n, top } = await read
      if (n !== i || top !== i) t.ok(false, `after ${i} inserts the read saw ${n}`)
      await write
    }
    t.ok(true, 'a hundred times')
  })

  t.test('in one turn: write, read, write, read …', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a)')
    const calls = []
    for (let i = 1; i <= 200; i++) {
      calls.push(db.run('insert into t values (?)', [i]))
      calls.push(db.get('select count(*) as n from t'))
    }
    const reads = (await Promise.all(calls)).filter((_, i) => i % 2 === 1).map((row) => row.n)
    t.ok(reads.every((n, i) => n >= i + 1), 'each read sees at least the writes before it')
  })

  t.test('reads of a turn before a write do not wait for it, reads after it do', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a)')
    const before = db.get('select count(*) as n from t')
    const write = db.run(`${slow(300000)} insert into t select count(*) from c`)
    const after = db.get('select count(*) as n from t')
    t.ok([0, 1].includes((await before).n))
    t.equal((await after).n, 1)
    await write
  })

  t.test('every reading verb keeps the order', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a)')
    const sql = 'select count(*) as n from t'
    let n = 0
    const verbs = {
      get: async () => (await db.get(sql)).n,
      all: async () => (await db.all(sql))[0].n,
      values: async () => (await db.values(sql))[0][0],
      json: async () => JSON.parse(await db.json(sql))[0].n,
      iterate: async () => { for await (const row of db.iterate(sql)) return row.n },
      snapshot: () => db.snapshot(async (s) => (await s.get(sql)).n),
      batch: async () => (await db.batch([[sql, []]]))[0][0].n
    }
    for (const [name, read] of Object.entries(verbs)) {
      db.run('insert into t values (1)')
      t.equal(await read(), ++n, `${name} after run`)
      db.many('insert into t values (?)', [[1], [2]])
      n += 2
      t.equal(await read(), n, `${name} after many`)
      db.batch([['insert into t values (1)'], ['insert into t values (2)']])
      n += 2
      t.equal(await read(), n, `${name} after batch`)
      db.exec('insert into t values (1); insert into t values (2)')
      n += 2
      t.equal(await read(), n, `${name} after exec`)
      const insert = db.get('insert into t values (1) returning a')
      t.equal(await read(), ++n, `${name} after a writing get`)
      await insert
    }
  })

  t.test('writes keep their order', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(id integer primary key, a)')
    const ids = await Promise.all(Array.from({ length: 500 }, (_, i) => i % 50 === 0
      ? db.many('insert into t(a) values (?)', [[i], [i]])
      : db.run('insert into t(a) values (?)', [i])))
    const order = ids.map((done) => done.lastInsertRowid)
    t.ok(order.every((id, i) => i === 0 || id > order[i - 1]), 'rowids grow in the order of the calls')
    const stored = (await db.values('select a from t order by id')).map(([a]) => a)
    t.ok(stored.every((a, i) => i === 0 || a >= stored[i - 1]), 'and so do the values')
  })

  t.test('a table is there for what follows its creation in the same turn', async (t) => {
    const { db } = open(t)
    const calls = [
      db.run('create table t(a)'),
      db.run('insert into t values (?)', [1]),
      db.get('select a from t'),
      db.run('alter table t add column b default 7'),
      db.get('select * from t')
    ]
    const done = await Promise.all(calls)
    // Not in the turn before: a read may also see later writes, a drop too.
    done[6] = (await Promise.all([db.run('drop table t'), db.get("select count(*) as n from sqlite_schema where name = 't'")]))[1]
    exact(t, done[2], { a: 1 }, 'select after create and insert')
    exact(t, done[4], { a: 1, b: 7 }, 'select after alter')
    exact(t, done[6], { n: 0 }, 'gone after drop')
  })

  t.test('a failing write does not hold up the reads behind it', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a unique); insert into t values (1)')
    const write = db.run('insert into t values (1)').catch((err) => err.code)
    const read = db.get('select count(*) as n from t')
    exact(t, await read, { n: 1 }, 'the read')
    t.equal(await write, 'SQLITE_CONSTRAINT_UNIQUE')
  })

  t.test('a transaction counts as a write from its commit on', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a)')
    let inside
    const tx = db.transaction(async (tx) => {
      await tx.run('insert into t values (1)')
      inside = db.get('select count(*) as n from t')
      await inside
    })
    await tx
    exact(t, await inside, { n: 0 }, 'a read of the handle during it sees the state before')
    exact(t, await db.get('select count(*) as n from t'), { n: 1 }, 'after it, the state after')
  })

  t.test('two handles: an acknowledged write is seen by every later read', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file)
    const b = open.at(t, file)
    await a.db.exec('create table t(a)')
    for (let i = 1; i <= 50; i++) {
      const [w, r] = i % 2 ? [a.db, b.db] : [b.db, a.db]
      await w.run('insert into t values (?)', [i])
      const { n } = await r.get('select count(*) as n from t')
      if (n !== i) t.ok(false, `after ${i} acknowledged inserts the other handle saw ${n}`)
    }
    t.ok(true, 'fifty times')
  })

  t.test('in-memory: one connection, the same order', async (t) => {
    const { db } = open.at(t, ':memory:')
    const calls = [db.exec('create table t(a)')]
    for (let i = 1; i <= 50; i++) {
      calls.push(db.run('insert into t values (?)', [i]))
      calls.push(db.get('select count(*) as n from t').then((row) => t.ok(row.n >= i || false, `read ${i}`)))
    }
    await Promise.all(calls)
  })

  if (!open.sync) return

  t.test('sync calls flush and wait for what was queued', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a)')
    for (let i = 1; i <= 50; i++) {
      db.run('insert into t values (?)', [i])
      t.equal(db.sync.get('select count(*) as n from t').n, i * 2 - 1, 'a sync read after an unawaited write')
      db.sync.run('insert into t values (?)', [-i])
      const { n } = await db.get('select count(*) as n from t')
      t.equal(n, i * 2, 'an async read after a sync write')
    }
  })

  t.test('sync and async writes interleave in the order of the calls', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(id integer primary key, a)')
    const calls = []
    for (let i = 0; i < 60; i++) {
      if (i % 5 === 4) db.sync.run('insert into t(a) values (?)', [i])
      else calls.push(db.run('insert into t(a) values (?)', [i]))
    }
    await Promise.all(calls)
    exact(t, (await db.values('select a from t order by id')).map(([a]) => a), Array.from({ length: 60 }, (_, i) => i), 'in order')
  })

  t.test('a sync call in the callback of an async one', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a)')
    await Promise.all(Array.from({ length: 20 }, (_, i) => db.run('insert into t values (?)', [i]).then(() => {
      t.ok(db.sync.get('select count(*) as n from t').n >= 1)
      db.sync.run('update t set a = a + 0')
    })))
    t.equal((await db.get('select count(*) as n from t')).n, 20)
  })
}
