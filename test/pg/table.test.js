'use strict'

// The table layer on PostgreSQL: what its suite (test/contract/suite/table.js) does not say of every engine.

const { uuidv7 } = require('../..')
const { addonDoor, exact, failure, ipcDoor, pgDoor } = require('../helper')
const { withServer } = require('./common')

withServer({}, async (t, server) => {
  for (const door of [addonDoor(), ipcDoor()]) {
    const open = pgDoor(door, server)

    await t.test(door.door, async (t) => {
      await t.test('pages on uuids, in the order of their making', async (t) => {
        const { db } = open(t)
        await db.exec('create table e(id uuid primary key, n int)')
        const events = db.table('e')
        const rows = Array.from({ length: 50 }, (_, n) => ({ id: uuidv7(), n }))
        await events.insertMany(rows.toSorted?.(() => 0.5) ?? rows)
        const seen = []
        for (let after; after !== null;) {
          const page = await events.page({ after, limit: 7 })
          seen.push(...page.rows)
          after = page.next
        }
        exact(t, seen, rows)
        exact(t, await events.get(rows[9].id), rows[9])
        t.equal(await events.count({ id: rows.slice(0, 3).map(({ id }) => id) }), 3)
        t.equal((await failure(events.get('no uuid'))).code, 'PG_INVALID_TEXT_REPRESENTATION')
      })

      await t.test('bigserial, identity and their pages', async (t) => {
        const { db } = open(t, { integers: 'auto' })
        await db.exec(`create table a(id bigserial primary key, v int); select setval('a_id_seq', 9007199254740990);
          create table b(id bigint generated always as identity primary key, v int)`)
        const table = db.table('a')
        for (let i = 0; i < 6; i++) await table.insert({ v: i })
        const first = await table.page({ limit: 3 })
        exact(t, first, { rows: [{ id: 9007199254740991, v: 0 }, { id: 9007199254740992n, v: 1 }, { id: 9007199254740993n, v: 2 }], next: 9007199254740993n, prev: null })
        exact(t, (await table.page({ after: first.next, limit: 3 })).rows.map(({ v }) => v), [3, 4, 5])
        exact(t, await table.insert({ v: 7 }, { returning: ['id'] }), { id: 9007199254740997n })
        exact(t, await db.table('b').insert({ v: 7 }, { returning: true }), { id: 1, v: 7 })
        t.equal((await failure(db.table('b').insert({ id: 5, v: 7 }))).code, 'PG_GENERATED_ALWAYS', 'the server computes it')
        t.equal((await db.table('b').insertMany(Array.from({ length: 1200 }, (_, v) => ({ v })))).changes, 1200)
        t.equal(await db.table('b').count({ id: { gt: 1000 } }), 201)
      })

      await t.test('names with a schema', async (t) => {
        const { db } = open(t)
        await db.exec('create schema shop; create schema "My Shop"; create table shop.item(id int primary key, v text); create table "My Shop".item(id int primary key, w text); create table "a.b"(id int primary key)')
        for (const table of [db.table('item', { schema: 'shop' }), db.table('shop.item')]) {
          await table.upsert({ id: 1, v: 'x' })
          exact(t, await table.get(1), { id: 1, v: 'x' })
        }
        await db.table('item', { schema: 'My Shop' }).insertMany([{ id: 1, w: 'y' }, { id: 2, w: 'z' }])
        t.equal(await db.table('My Shop.item').count(), 2)
        exact(t, await db.table('a.b').insert({ id: 3 }, { returning: true }), { id: 3 }, 'a point that is one of the name')
        t.equal((await failure(db.table('item').find())).code, 'UC_TABLE')
        t.match((await failure(db.table('itm', { schema: 'shop' }).find())).message, /did you mean "item"/)
        t.equal((await failure(db.table('item', { schema: 'none' }).find())).code, 'UC_TABLE')
      })

      await t.test('views, partitions, and what cannot be written', async (t) => {
        const { db } = open(t)
        await db.exec(`create table p(id int, at date, primary key(id, at)) partition by range (at);
          create table p1 partition of p for values from ('2026-01-01') to ('2027-01-01');
          create view simple as select id, at from p; create view sums as select count(*) as n from p; create materialized view kept as select 1 as a`)
        t.equal((await db.table('p').insertMany(Array.from({ length: 1500 }, (_, id) => ({ id, at: '2026-05-05' })))).changes, 1500)
        exact(t, await db.table('p').get([7, '2026-05-05']), { id: 7, at: '2026-05-05' })
        t.equal((await db.table('simple').insertMany(Array.from({ length: 1500 }, (_, id) => ({ id, at: '2026-06-06' })))).changes, 1500, 'a view that the server can write through')
        exact(t, await db.table('sums').find(), [{ n: 3000 }])
        for (const name of ['sums', 'kept']) {
          t.equal((await failure(db.table(name).insert({ n: 1 }))).code, 'UC_TABLE', name)
        }
        t.equal((await failure(db.table('p').insert({ id: 1, at: '2030-01-01' }))).code, 'PG_CHECK_VIOLATION', 'no partition')
      })

      await t.test('what this process changes is seen at once', async (t) => {
        const { db } = open(t)
        await db.exec('create table k(a int primary key, b int)')
        const table = db.table('k')
        await table.insertMany([{ a: 1, b: 2 }, { a: 2, b: 1 }])
        const call = db.exec('alter table k drop constraint k_pkey; alter table k add primary key (b)')
        exact(t, await table.get(1), { a: 2, b: 1 }, 'awaited or not')
        await call
        await failure(db.transaction(async (tx) => {
          await tx.run('alter table k add column c int default 5')
          exact(t, await tx.table('k').get({ c: 5, a: 1 }), { a: 1, b: 2, c: 5 }, 'within a transaction')
          exact(t, await db.table('k').get(1), { a: 2, b: 1 }).catch?.(() => {})
          throw new Error('undo')
        }).catch((err) => { throw err }))
        t.equal((await failure(table.find({ where: { c: 5 } }))).code, 'UC_COLUMN', 'what was rolled back is not')
        await db.transaction((tx) => tx.run('alter table k add column d int default 6'))
        t.equal(await table.count({ d: 6 }), 2)
      })

      await t.test('many rows at once', async (t) => {
        const { db } = open(t)
        await db.exec('create table m(id int primary key, name text, at timestamptz, ok boolean, f float8, b bytea, tags text[])')
        const row = (id) => ({ id, name: id % 5 ? `n "${id}", {}\\` : null, at: new Date(1e12 + id), ok: id % 2 === 0, f: id / 3, b: Buffer.from([id & 255, 0]) })
        const table = db.table('m')
        for (const [from, n] of [[0, 1], [1, 2], [10, 500], [1000, 999], [2000, 1000], [10_000, 3000]]) {
          exact(t, await table.insertMany(Array.from({ length: n }, (_, i) => row(from + i))), { changes: n, lastInsertRowid: 0 }, `${n} rows`)
        }
        t.equal((await table.insertMany((function * () { for (let i = 0; i < 1500; i++) yield row(20_000 + i) })())).changes, 1500, 'from a generator')
        const asNow = ({ at, ...rest }) => ({ ...rest, at: new Date(at).getTime() })
        for (const id of [0, 2, 13, 1005, 2999, 12_345, 20_001]) {
          exact(t, asNow(await table.get(id, { columns: ['id', 'name', 'at', 'ok', 'f', 'b'] })), asNow(row(id)), `row ${id}`)
        }
        const before = await table.count()
        for (const n of [20, 2000]) {
          const twice = await failure(table.insertMany(Array.from({ length: n }, (_, i) => row(i === n - 1 ? 0 : 50_000 + i))))
          t.equal(twice.code, 'PG_UNIQUE_VIOLATION')
          const uneven = await failure(table.insertMany(Array.from({ length: n }, (_, i) => i === 7 ? { id: 5 } : row(50_000 + i))))
          t.equal(uneven.code, 'UC_QUERY')
          t.equal(uneven.index, 7)
        }
        const bad = await failure(table.insertMany(Array.from({ length: 2000 }, (_, i) => ({ ...row(50_000 + i), f: i === 1234 ? 'x' : 1 }))))
        t.equal(bad.index, 1234, 'the row is named')
        t.equal(await table.count(), before, 'all or none')
        await failure(db.transaction(async (tx) => {
          await tx.table('m').insertMany(Array.from({ length: 1500 }, (_, i) => row(60_000 + i)))
          t.equal(await tx.table('m').count({ id: { gte: 60_000 } }), 1500)
          throw new Error('undo')
        }))
        t.equal(await table.count(), before)
      })

      await t.test('documents and arrays', async (t) => {
        const { db } = open(t)
        await db.exec('create table d(id int primary key, j jsonb, k json, t text[], n int[], p text)')
        const table = db.table('d')
        const row = (id) => ({ id, j: { a: [1, 'x"\\\'\n'], b: null }, k: [1, { c: true }], t: ['a', null, 'b"c\\', 'd,{}', ''], n: [[1, 2], [3, null]], p: 'x' })
        exact(t, await table.insert(row(1), { returning: true }), row(1))
        exact(t, await table.upsert({ ...row(1), n: [], j: ['top'] }, { returning: true }), { ...row(1), n: [], j: ['top'] })
        t.equal((await table.update(1, { j: {}, t: [] })).changes, 1)
        exact(t, await table.get(1), { ...row(1), n: [], j: {}, t: [] })
        t.equal((await table.update(1, { j: '"text of JSON"' })).changes, 1)
        exact(t, await table.get(1, { columns: ['j'] }), { j: 'text of JSON' }, 'a string goes as it is')
        for (const [from, n] of [[10, 20], [1000, 1500]]) {
          t.equal((await table.insertMany(Array.from({ length: n }, (_, i) => row(from + i)))).changes, n)
          exact(t, await table.get(from + n - 1), row(from + n - 1))
        }
        await db.exec('create table e(id int primary key, j jsonb)')
        await db.table('e').insertMany([{ id: 1, j: [1] }, { id: 2, j: { a: '"\\' } }])
        exact(t, await db.table('e').find(), [{ id: 1, j: [1] }, { id: 2, j: { a: '"\\' } }])
        for (const wrong of [{ p: {} }, { t: {} }, { n: [undefined] }]) {
          const err = await failure(table.insert({ id: 5, ...wrong }))
          t.equal(err.code, 'UC_PARAM_TYPE', JSON.stringify(wrong))
          t.equal(err.column, Object.keys(wrong)[0])
        }
      })

      await t.test('operators that are not there', async (t) => {
        const { db } = open(t)
        await db.exec('create table o(id int primary key, v text)')
        for (const word of ['glob', 'match']) {
          const err = await failure(db.table('o').find({ where: { v: { [word]: 'x' } } }))
          t.equal(err.code, 'UC_NOT_HERE', word)
          t.equal(err.column, 'v')
        }
      })
    })
  }
})
