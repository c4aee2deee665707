'use strict'

// db.table: the everyday statements of one table, through the door. The cases of its SQL are in test/unit.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const { code, id, ran } = open.sql

  const ready = async (t) => {
    const { db } = open(t)
    await db.exec(`create table "user"(id ${id}, name text not null unique, age int)`)
    await db.many('insert into "user"(name, age) values (?, ?)', Array.from({ length: 50 }, (_, i) => [`name ${i}`, i % 5]))
    return db
  }

  t.test('get, find, count', async (t) => {
    const users = (await ready(t)).table('user')
    exact(t, await users.get(1), { id: 1, name: 'name 0', age: 0 }, 'by key')
    exact(t, await users.get({ name: 'name 7' }), { id: 8, name: 'name 7', age: 2 }, 'by condition')
    exact(t, await users.get(999), undefined, 'none')
    exact(t, (await users.find({ where: { age: 4 }, limit: 3 })).map((row) => row.id), [5, 10, 15], 'find')
    exact(t, (await users.find({ where: { age: 4 }, after: 15, limit: 2 })).map((row) => row.id), [20, 25], 'the next page')
    exact(t, (await users.find({ where: { id: { gte: 10, lt: 13 } }, order: [['id', 'desc']] }).catch(() => users.find({ where: { id: { gte: 10, lt: 13 } }, order: { id: 'desc' } }))).map((row) => row.id), [12, 11, 10], 'operators and order')
    t.equal(await users.count(), 50)
    t.equal(await users.count({ age: 4 }), 10)
  })

  t.test('insert, insertMany, update, upsert, delete', async (t) => {
    const db = await ready(t)
    const users = db.table('user')
    exact(t, await users.insert({ name: 'new', age: 9 }), ran(1, 51), 'insert')
    t.equal((await users.insertMany(Array.from({ length: 2000 }, (_, i) => ({ name: `many ${i}`, age: 7 })))).changes, 2000, 'insertMany')
    t.equal((await users.update(51, { age: 10 })).changes, 1, 'update')
    t.equal((await users.update({ age: 7 }, { age: 8 })).changes, 2000, 'update by condition')
    await users.upsert({ id: 51, name: 'renamed', age: 11 })
    exact(t, await users.get(51), { id: 51, name: 'renamed', age: 11 }, 'upsert')
    t.equal((await users.delete(51)).changes, 1, 'delete')
    t.equal((await users.delete({ age: 8 })).changes, 2000, 'delete by condition')
    t.equal(await users.count(), 50)
  })

  t.test('unknown tables, columns and operators', async (t) => {
    const db = await ready(t)
    t.equal((await failure(() => db.table('usr').find())).code, 'UC_TABLE')
    for (const [call, code] of [
      [() => db.table('user').find({ where: { nme: 1 } }), 'UC_COLUMN'],
      [() => db.table('user').find({ where: { name: { eqq: 1 } } }), 'UC_QUERY'],
      [() => db.table('user').find({ wher: {} }), 'UC_QUERY'],
      [() => db.table('user').insert({ nope: 1 }), 'UC_COLUMN'],
      [() => db.table('user').update(1, { nope: 1 }), 'UC_COLUMN']
    ]) {
      const err = await failure(call)
      t.match(err.code, new RegExp(`^(${code}|UC_OPTION|UC_QUERY)$`))
    }
    t.match((await failure(() => db.table('user').find({ where: { nme: 1 } }))).message, /name/, 'the near one is told')
    t.equal((await failure(db.table('user').insert({ name: 'name 1' }))).code, code.unique)
  })

  t.test('in a transaction and in a snapshot', async (t) => {
    const db = await ready(t)
    await failure(db.transaction(async (tx) => {
      await tx.table('user').insert({ name: 'gone' })
      t.equal(await tx.table('user').count(), 51)
      throw new Error('undo')
    }))
    t.equal(await db.table('user').count(), 50)
    await db.snapshot(async (s) => {
      await db.table('user').insert({ name: 'later' })
      t.equal(await s.table('user').count(), 50)
    })
    t.equal(await db.table('user').count(), 51)
  })

  t.test('a table altered under it', async (t) => {
    const db = await ready(t)
    const users = db.table('user')
    await users.get(1)
    await db.exec('alter table "user" add column mail text')
    t.equal((await users.insert({ name: 'x', mail: 'x@y' })).changes, 1)
    exact(t, await users.get({ mail: 'x@y' }), { id: 51, name: 'x', age: null, mail: 'x@y' }, 'the new column')
  })

  t.test('a key that the table had not when it was read', async (t) => {
    const { db } = open(t)
    await db.exec('create view w as select 1 as a, 2 as b')
    const table = db.table('w')
    const calls = [
      ['get', () => table.get(['x', 1]), { a: 'x', b: 1, c: 2 }],
      ['update', async () => (await table.update(['x', 1], { c: 3 })).changes, 1],
      ['find after', () => table.find({ after: ['a', 1] }), [{ a: 'x', b: 1, c: 2 }]],
      ['delete', async () => (await table.delete(['x', 1])).changes, 1]
    ]
    const before = [
      ['a view', 'create view w as select 1 as a, 2 as b', 'drop view w'],
      ['a key of one column', 'create table w(a text primary key, b int)', 'drop table w']
    ]
    await db.exec('drop view w')
    for (const [what, create, drop] of before) {
      for (const [name, call, result] of calls) {
        await db.exec(create)
        await table.find()
        await db.exec(`${drop}; create table w(a text, b int, c int, primary key(a, b)); insert into w values ('x', 1, 2)`)
        exact(t, await call(), result, `${name}, which was ${what}`)
        await db.exec('drop table w')
      }
    }
  })

  t.test('rebuilt under it, with the same columns and another key', async (t) => {
    const file = open.file(t)
    const { db } = open.at(t, file)
    const { db: other } = open.at(t, file)
    await db.exec('create table u(id integer primary key, no int unique, v text)')
    const table = db.table('u')
    const rows = [{ id: 1, no: 2, v: 'a' }, { id: 2, no: 1, v: 'b' }]
    // What each call does once "no" is the key, in place of "id".
    const calls = [
      ['get', () => table.get(1), { id: 2, no: 1, v: 'b' }],
      ['find', () => table.find({ limit: 1 }), [rows[1]]],
      ['find after', () => table.find({ after: 1 }), [rows[0]]],
      ['page', () => table.page({ limit: 1 }), { rows: [rows[1]], next: 1, prev: null }],
      ['json', async () => JSON.parse(await table.json()), [rows[1], rows[0]]],
      ['iterate', async () => { for await (const row of table.iterate()) return row }, rows[1]],
      ['get where', () => table.get({ id: 2 }), rows[1]],
      ['update', async () => [await table.update(1, { v: 'new' }), await other.values('select v from u order by id')],
        [{ changes: 1, lastInsertRowid: 0 }, [['a'], ['new']]]],
      ['delete', async () => [(await table.delete(1)).changes, await other.values('select id from u')], [1, [[1]]]],
      ['upsert', async () => [await table.upsert({ id: 7, no: 1, v: 'up' }, { returning: true }), await other.values('select id, v from u order by no')],
        [{ id: 7, no: 1, v: 'up' }, [[7, 'up'], [1, 'a']]]]
    ]
    // On PostgreSQL a statement carries nothing by which another process' change would show.
    for (const by of open.engine === 'pg' ? [db] : [db, other]) {
      for (const [name, call, result] of calls) {
        await by.exec('drop table u; create table u(id integer primary key, no int unique, v text)')
        await table.insertMany(rows)
        exact(t, await table.get(1), rows[0], 'by the old key')
        await by.exec('create table n(id int, no integer primary key, v text); insert into n select * from u; drop table u; alter table n rename to u')
        const got = await call()
        if (name === 'update') got[0].lastInsertRowid = 0
        exact(t, got, result, `${name}, changed by ${by === db ? 'this handle' : 'another'}`)
      }
    }
  })

  t.test('a key that a table has gained or lost', open.only('sqlite', 'rowid'), async (t) => {
    const { db } = open(t)
    await db.exec("create table k(a, b); insert into k values ('x', 1)")
    const table = db.table('k')
    exact(t, await table.find(), [{ rowid: 1, a: 'x', b: 1 }], 'the rowid is its key')
    await db.exec("drop table k; create table k(a text primary key, b); insert into k values ('y', 1)")
    exact(t, await table.insert({ a: 'z', b: 2 }, { returning: true }), { a: 'z', b: 2 }, 'the row as it is now')
    await db.exec("drop table k; create table k(a, b); insert into k values ('y', 1)")
    exact(t, await table.insert({ a: 'z', b: 2 }, { returning: true }), { rowid: 2, a: 'z', b: 2 }, 'and back')
    const err = await failure(table.upsert({ a: 'y', b: 3 }))
    t.equal(err.code, 'UC_QUERY')
    t.match(err.message, 'no primary key')
    await db.exec('drop table k; create view k as select 1 as a, 2 as b')
    exact(t, await table.find(), [{ a: 1, b: 2 }], 'a view in its place')
    await failure(db.transaction(async (tx) => {
      await tx.exec('drop view k; create table k(b integer primary key, a)')
      await tx.table('k').insert({ a: 5, b: 6 })
      exact(t, await tx.table('k').get(6), { b: 6, a: 5 }, 'within a transaction')
      throw new Error('undo')
    }))
    exact(t, await table.find(), [{ a: 1, b: 2 }], 'what was rolled back is not kept')
  })

  t.test('quoted names and hostile ones', async (t) => {
    const db = await ready(t)
    await db.exec('create table "a ""b; drop table user"(id ' + id + ', "c ""d" text, "order" int)')
    const odd = db.table('a "b; drop table user')
    await odd.insert({ 'c "d': 'x', order: 1 })
    exact(t, await odd.get(1), { id: 1, 'c "d': 'x', order: 1 }, 'in and out')
    exact(t, await odd.find({ where: { order: 1 } }), [{ id: 1, 'c "d': 'x', order: 1 }], 'find')
    t.equal(await db.table('user').count(), 50)
  })

  t.test('a key of several columns, generated columns, returning', async (t) => {
    const { db } = open(t)
    await db.exec('create table item(shop int, no bigint, name text not null, loud text generated always as (upper(name)) stored, primary key(shop, no))')
    const items = db.table('item')
    exact(t, await items.insert({ shop: 1, no: 7, name: 'a' }, { returning: true }), { shop: 1, no: 7, name: 'a', loud: 'A' }, 'the whole row')
    exact(t, await items.insert({ shop: 1, no: 8, name: 'b' }, { returning: ['loud', 'no'] }), { loud: 'B', no: 8 }, 'some columns')
    exact(t, await items.get([1, 8]), { shop: 1, no: 8, name: 'b', loud: 'B' }, 'by key')
    exact(t, await items.upsert({ shop: 1, no: 8, name: 'c' }, { returning: ['loud'] }), { loud: 'C' }, 'updated')
    exact(t, await items.upsert({ shop: 2, no: 8, name: 'd' }, { returning: ['loud'] }), { loud: 'D' }, 'inserted')
    exact(t, await items.upsert({ shop: 2, no: 8 }, { conflict: ['shop', 'no'] }).catch((err) => err.code), code.notNull, 'without a column that has to be there')
    t.equal((await items.update([2, 8], { name: 'e' })).changes, 1)
    t.equal((await items.delete([1, 7])).changes, 1)
    exact(t, (await items.find()).map(({ shop, no, loud }) => [shop, no, loud]), [[1, 8, 'C'], [2, 8, 'E']], 'in the order of the key')
    t.equal((await failure(items.insert({ shop: 3, no: 1, name: 'x', loud: 'y' }))).code, 'UC_COLUMN', 'a generated one is not given')
    t.equal((await failure(items.get(1))).code, 'UC_QUERY', 'half a key')
    t.equal((await failure(items.upsert({ shop: 1, name: 'x' }))).code, 'UC_QUERY', 'the key is not given')
  })

  t.test('conditions', async (t) => {
    const users = (await ready(t)).table('user')
    const count = async (where, n, what = JSON.stringify(where)) => t.equal(await users.count(where), n, what)
    await count({ id: [1, 2, 3, 999] }, 3)
    await count({ name: ['name 1', 'name 2', 'x'] }, 2)
    await count({ id: { notIn: [1, 2] } }, 48)
    await count({ age: { in: [] } }, 0)
    await count({ name: { startsWith: 'name 1' } }, 11)
    await count({ name: { startsWith: 'NAME 1' } }, 0)
    await count({ name: { like: 'NAME 1%' } }, 11)
    await count({ name: { notLike: 'n%' } }, 0)
    await count({ id: { between: [10, 19] } }, 10)
    await count({ or: [{ id: 1 }, { name: 'name 2' }], not: { age: 2 } }, 1)
    await users.update({ id: { lte: 5 } }, { age: null })
    await count({ age: null }, 5)
    await count({ age: { ne: null } }, 45)
    await count({ age: [1, null] }, 14)
    await count({ age: { notIn: [1, null] } }, 36)
    await count({ not: { age: 1 } }, 41)
    await count({ name: { like: 'name_1' } }, 1)
    await count({ name: { like: 'name\\1' } }, 0, 'no letter escapes another')
  })

  t.test('pages, whatever their order, with nulls and equals in it', async (t) => {
    const { db } = open(t)
    await db.exec('create table p(id bigint primary key, a int, b text, c int not null)')
    const table = db.table('p')
    await table.insertMany(Array.from({ length: 60 }, (_, i) => ({ id: i * 7 % 60, a: i % 3 === 0 ? null : i % 7, b: i % 4 === 0 ? null : `b${i % 5}`, c: i % 6 })))
    const orders = [undefined, 'a', { a: 'desc' }, ['a', 'b'], [{ a: 'desc' }, 'b'], ['b', { a: 'desc' }, 'c'], ['c', 'id'], [{ c: 'desc' }, { id: 'desc' }], [{ c: 'desc' }, 'id'], { id: 'desc' }]
    for (const order of orders) {
      for (const where of [undefined, { c: { lt: 4 } }]) {
        const what = `${JSON.stringify(order)} ${JSON.stringify(where)}`
        const all = (await table.find({ order, where })).map((row) => row.id)
        const forth = []
        let last = null
        for (let after; after !== null;) {
          const page = await table.page({ order, where, after, limit: 7, columns: ['id'] })
          forth.push(...page.rows.map((row) => row.id))
          after = page.next
          last = page
        }
        exact(t, forth, all, `forth, ${what}`)
        const back = last.rows.map((row) => row.id)
        for (let before = last.prev; before !== null;) {
          const page = await table.page({ order, where, before, limit: 7, columns: ['id'] })
          back.unshift(...page.rows.map((row) => row.id))
          before = page.prev
        }
        exact(t, back, all, `and back, ${what}`)
      }
    }
    exact(t, (await table.page({ limit: 1, total: true })).total, 60, 'the total')
  })

  t.test('keys beyond what a number holds', async (t) => {
    const { db } = open(t, { integers: 'bigint' })
    await db.exec('create table big(id bigint primary key, v text)')
    const table = db.table('big')
    const ids = Array.from({ length: 20 }, (_, i) => 2n ** 62n + BigInt(i))
    await table.insertMany(ids.map((id) => ({ id, v: `v${id}` })))
    const seen = []
    for (let after; after !== null;) {
      const page = await table.page({ after, limit: 6 })
      seen.push(...page.rows.map((row) => row.id))
      after = page.next
    }
    exact(t, seen, ids, 'page by page')
    exact(t, await table.get(ids[7]), { id: ids[7], v: `v${ids[7]}` }, 'one of them')
    t.equal(await table.count({ id: [ids[0], ids[1], 5n] }), 2, 'a list of them')
    t.equal((await table.delete(ids[0])).changes, 1)
  })
}
