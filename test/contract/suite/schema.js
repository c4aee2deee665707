'use strict'

// Schemas change under prepared statements, running readers and open cursors.

const { delay, exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const { sql } = open
  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec(`create table t(id ${sql.id}, a text); insert into t(a) values ('x'), ('y')`)
    return store.db
  }

  t.test('select * after alter table, on statements that have run before', async (t) => {
    const db = await ready(t, { readers: 2 })
    const q = db.prepare('select * from t where id = ?')
    const read = () => Promise.all(Array.from({ length: 8 }, () => q.get([1])))
    const every = (rows, wanted) => rows.forEach((row) => exact(t, row, wanted, Object.keys(wanted).join(', ')))
    every(await read(), { id: 1, a: 'x' })
    await db.exec('alter table t add column b int default 5')
    every(await read(), { id: 1, a: 'x', b: 5 })
    await db.exec('alter table t rename column a to name')
    every(await read(), { id: 1, name: 'x', b: 5 })
    await db.exec('alter table t drop column b')
    every(await read(), { id: 1, name: 'x' })
    await db.exec(`drop table t; create table t(z int, id ${sql.id}); insert into t(z) values (9)`)
    every(await read(), { z: 9, id: 1 })
    exact(t, JSON.parse(await q.json([1])), [{ z: 9, id: 1 }], 'json')
    exact(t, await q.values([1]), [[9, 1]], 'values')
  })

  t.test('the same columns under a new order and with new types', async (t) => {
    const db = await ready(t)
    exact(t, await db.get('select * from t'), { id: 1, a: 'x' }, 'before')
    await db.exec('drop table t; create table t(a double precision, id int); insert into t values (1.5, null)')
    exact(t, await db.get('select * from t'), { a: 1.5, id: null }, 'after')
  })

  t.test('reads in flight while the schema changes: each is wholly old or wholly new', async (t) => {
    const db = await ready(t, { readers: 2 })
    const calls = []
    for (let i = 0; i < 30; i++) {
      for (let k = 0; k < 10; k++) calls.push(db.all('select * from t order by id'))
      calls.push(db.exec(i % 2 ? 'alter table t drop column b' : 'alter table t add column b int default 7'))
      if (i % 5 === 0) await delay(1)
    }
    const shapes = new Set()
    for (const rows of (await Promise.all(calls)).filter(Array.isArray)) {
      const text = JSON.stringify(rows)
      shapes.add(text)
    }
    const allowed = [[{ id: 1, a: 'x' }, { id: 2, a: 'y' }], [{ id: 1, a: 'x', b: 7 }, { id: 2, a: 'y', b: 7 }]].map((rows) => JSON.stringify(rows))
    t.ok([...shapes].every((text) => allowed.includes(text)), [...shapes].join(' | ').slice(0, 300))
  })

  t.test('two handles: one alters, the other has the statement prepared', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file).db
    const b = open.at(t, file).db
    await a.exec(`create table t(id ${sql.id}, a int); insert into t(a) values (1)`)
    const q = b.prepare('select * from t')
    exact(t, await q.get(), { id: 1, a: 1 }, 'before')
    await a.exec('alter table t add column b int default 2')
    exact(t, await q.get(), { id: 1, a: 1, b: 2 }, 'after')
    await a.exec('drop table t')
    t.equal((await failure(q.get())).code, sql.code.noTable, 'the table is gone')
    await a.exec('create table t(c int); insert into t values (3)')
    exact(t, await q.get(), { c: 3 }, 'and here again')
  })

  t.test('a cursor that is open keeps its columns; a new one has the new ones', open.only('sqlite', 'locks'), async (t) => {
    const db = await ready(t)
    await db.many('insert into t(a) values (?)', Array.from({ length: 5000 }, (_, i) => [`row ${i}`]))
    let n = 0
    for await (const row of db.iterate('select * from t order by id')) {
      if (++n === 1) await db.exec('alter table t add column b int default 5')
      if (Object.keys(row).length !== 2) return t.ok(false, `row ${n} has ${Object.keys(row)}`)
    }
    t.equal(n, 5002, 'every row in the old shape')
    for await (const row of db.iterate('select * from t')) {
      exact(t, Object.keys(row), ['id', 'a', 'b'], 'the new shape')
      break
    }
  })

  t.test('an insert that was prepared for fewer columns', async (t) => {
    const db = await ready(t)
    const q = db.prepare('insert into t values (?, ?)')
    await q.run([10, 'z'])
    await db.exec('alter table t add column b int')
    if (open.engine === 'sqlite') t.equal((await failure(q.run([11, 'z']))).code, 'SQLITE_ERROR')
    else t.equal((await q.run([12, 'z'])).changes, 1, 'fewer values are allowed here')
    await db.exec('alter table t drop column b')
    t.equal((await q.run([11, 'z'])).changes, 1, 'it is not stale afterwards')
  })

  t.test('a class that changes with the schema', open.only('sqlite', 'temp'), async (t) => {
    const db = await ready(t)
    const q = db.prepare('select count(*) as n from later')
    t.equal((await failure(q.get())).code, 'SQLITE_ERROR', 'unknown')
    await db.exec('create temp table later(a); insert into later values (1), (2)')
    exact(t, await q.get(), { n: 2 }, 'a temp table, on the writer')
    await db.exec('drop table later; create table later(a)')
    exact(t, await q.get(), { n: 0 }, 'a table, on a reader')
  })

  t.test('a schema change that is rolled back', async (t) => {
    const db = await ready(t)
    await failure(db.transaction(async (tx) => {
      await tx.exec('alter table t add column b int default 1')
      exact(t, await tx.get('select * from t'), { id: 1, a: 'x', b: 1 }, 'inside')
      throw new Error('undo')
    }))
    exact(t, await db.get('select * from t'), { id: 1, a: 'x' }, 'afterwards')
  })

  t.test('hundreds of shapes', async (t) => {
    const db = await ready(t)
    const rows = await Promise.all(Array.from({ length: 700 }, (_, i) => db.get(`select ${i} as c${i}, ${i} as d${i % 7}`)))
    t.ok(rows.every((row, i) => row[`c${i}`] === i && row[`d${i % 7}`] === i), 'each decoded by its own')
    const again = await Promise.all(Array.from({ length: 700 }, (_, i) => db.get(`select ${i} as c${i}, ${i} as d${i % 7}`)))
    t.ok(again.every((row, i) => row[`c${i}`] === i && row[`d${i % 7}`] === i), 'and again')
  })
}
