'use strict'

// Program order on one handle: a read sees the writes issued before it, awaited or not.

const { budget } = require('../../budget')
const { delay, exact, slow } = require('../../helper')
const { newSeed, random } = require('../../random')

module.exports = (t, open) => {
  t.test('a read after an unawaited write sees it', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
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
    await db.exec('create table t(a int)')
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
    await db.exec('create table t(a int)')
    const before = db.get('select count(*) as n from t')
    const write = db.run(`${slow(300000)} insert into t select count(*) from c`)
    const after = db.get('select count(*) as n from t')
    t.ok([0, 1].includes((await before).n))
    t.equal((await after).n, 1)
    await write
  })

  t.test('every reading verb keeps the order', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
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
    await db.exec(`create table t(id ${open.sql.id}, a int)`)
    const ids = await Promise.all(Array.from({ length: 500 }, (_, i) => i % 50 === 0
      ? db.many('insert into t(a) values (?)', [[i], [i]])
      : db.run('insert into t(a) values (?)', [i])))
    const order = ids.map((done) => done.lastInsertRowid)
    if (open.engine === 'sqlite') t.ok(order.every((id, i) => i === 0 || id > order[i - 1]), 'rowids grow in the order of the calls')
    const stored = (await db.values('select a from t order by id')).map(([a]) => a)
    t.ok(stored.every((a, i) => i === 0 || a >= stored[i - 1]), 'and so do the values')
  })

  t.test('a table is there for what follows its creation in the same turn', async (t) => {
    const { db } = open(t)
    const calls = [
      db.run('create table t(a int)'),
      db.run('insert into t values (?)', [1]),
      db.get('select a from t'),
      db.run('alter table t add column b int default 7'),
      db.get('select * from t')
    ]
    const done = await Promise.all(calls)
    // Not in the turn before: a read may also see later writes, a drop too.
    done[6] = (await Promise.all([db.run('drop table t'), db.get(`select count(*) as n from (${open.sql.tables} and name = 't') x`)]))[1]
    exact(t, done[2], { a: 1 }, 'select after create and insert')
    exact(t, done[4], { a: 1, b: 7 }, 'select after alter')
    exact(t, done[6], { n: 0 }, 'gone after drop')
  })

  t.test('a failing write does not hold up the reads behind it', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int unique); insert into t values (1)')
    const write = db.run('insert into t values (1)').catch((err) => err.code)
    const read = db.get('select count(*) as n from t')
    exact(t, await read, { n: 1 }, 'the read')
    t.equal(await write, open.sql.code.unique)
  })

  t.test('a transaction counts as a write from its commit on', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
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
    await a.db.exec('create table t(a int)')
    for (let i = 1; i <= 50; i++) {
      const [w, r] = i % 2 ? [a.db, b.db] : [b.db, a.db]
      await w.run('insert into t values (?)', [i])
      const { n } = await r.get('select count(*) as n from t')
      if (n !== i) t.ok(false, `after ${i} acknowledged inserts the other handle saw ${n}`)
    }
    t.ok(true, 'fifty times')
  })

  // Keys are written by one handle, awaited or not, one statement or several, alone or in transactions
  // that end in any order; what it reads at any moment is compared with what it had asked for before.
  t.test('random calls, awaited or not: each read sees what was asked for before it', async (t) => {
    const seed = newSeed()
    const below = random(seed)
    const one = (list) => list[below(list.length)]
    t.comment(`UNDERCROFT_SEED=${seed}`)
    const { db } = open(t)
    await db.exec('create table t(k int primary key, v int)')
    // By key: the smallest value that a read from now on may find.
    const least = new Map()
    const pending = []
    let next = 0
    let misses = 0
    const wrote = (k, promise) => { least.set(k, (least.get(k) ?? 0) + 1); pending.push(promise) }
    const upsert = 'insert into t values (?, 1) on conflict (k) do update set v = t.v + 1'
    const writes = [
      (k) => wrote(k, db.run(upsert, [k])),
      (k) => wrote(k, db.get(`${upsert} returning v`, [k])),
      (k) => wrote(k, db.many(upsert, [[k]])),
      (k) => wrote(k, db.batch([[upsert, [k]], ['select 1 as one']])),
      (k) => wrote(k, db.exec(`insert into t values (${k}, 1) on conflict (k) do update set v = t.v + 1`)),
      () => wrote(next, db.run('insert into t values (?, 1)', [next++])),
      () => { pending.push(db.run('insert into t values (-1, 1), (-1, 1)').then(() => { throw new Error('it cannot') }, () => {})) }
    ]
    const reads = [
      (k) => db.get('select v from t where k = ?', [k]),
      async (k) => (await db.all('select v from t where k = ?', [k]))[0],
      async (k) => JSON.parse(await db.json('select v from t where k = ?', [k]))[0],
      async (k) => { for await (const row of db.iterate('select v from t where k = ?', [k])) return row },
      (k) => db.snapshot((s) => s.get('select v from t where k = ?', [k]))
    ]
    // One transaction at a time on a key of its own, several at once.
    const transact = async (k, gated) => {
      await db.transaction(async (tx) => {
        await tx.run(upsert, [k])
        if (gated) await delay(below(4))
      })
      least.set(k, (least.get(k) ?? 0) + 1)
      await check(k)
    }
    const check = async (k) => {
      const wanted = least.get(k) ?? 0
      const row = await one(reads)(k).catch((err) => {
        if (err.code !== 'UC_CURSORS') throw err
        return { v: wanted }
      })
      if ((row?.v ?? 0) >= wanted) return
      misses++
      t.ok(false, `key ${k}: the read found ${row?.v}, ${wanted} was asked for before`)
    }
    const rounds = budget.of(600)
    for (let round = 0; round < rounds && misses < 5; round++) {
      for (let i = below(12); i >= 0; i--) {
        const k = 100000 + below(20)
        if (below(3) > 0) one(writes)(k)
        else if (below(6) > 0) pending.push(check(below(2) ? k : below(next + 1)))
        else pending.push(transact(200000 + pending.length, below(2) > 0))
      }
      if (below(3) === 0) await Promise.all(pending.splice(0))
      else if (below(2) === 0) await pending.at(-1)
    }
    await Promise.all(pending)
    for (const [k, v] of least) {
      const row = await db.get('select v from t where k = ?', [k])
      if (row?.v !== v) t.ok(false, `key ${k} is ${row?.v} in the end, and ${v} was written`)
    }
    t.equal(misses, 0, `${rounds} rounds: no read missed what was asked for before it`)
  })

  t.test('in-memory: one connection, the same order', open.only('sqlite', 'memory'), async (t) => {
    const { db } = open.at(t, ':memory:')
    const calls = [db.exec('create table t(a int)')]
    for (let i = 1; i <= 50; i++) {
      calls.push(db.run('insert into t values (?)', [i]))
      calls.push(db.get('select count(*) as n from t').then((row) => t.ok(row.n >= i || false, `read ${i}`)))
    }
    await Promise.all(calls)
  })

  if (!open.sync) return

  t.test('sync calls flush and wait for what was queued', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
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
    await db.exec(`create table t(id ${open.sql.id}, a int)`)
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
    await db.exec('create table t(a int)')
    await Promise.all(Array.from({ length: 20 }, (_, i) => db.run('insert into t values (?)', [i]).then(() => {
      t.ok(db.sync.get('select count(*) as n from t').n >= 1)
      db.sync.run('update t set a = a + 0')
    })))
    t.equal((await db.get('select count(*) as n from t')).n, 20)
  })
}
