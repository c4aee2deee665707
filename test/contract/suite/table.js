'use strict'

// db.table: the everyday statements of one table, through the door. The cases of its SQL are in test/unit.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const ready = async (t) => {
    const { db } = open(t)
    await db.exec('create table user(id integer primary key, name text not null unique, age int)')
    await db.many('insert into user(name, age) values (?, ?)', Array.from({ length: 50 }, (_, i) => [`name ${i}`, i % 5]))
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
    exact(t, await users.insert({ name: 'new', age: 9 }), { changes: 1, lastInsertRowid: 51 }, 'insert')
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
    t.equal((await failure(db.table('user').insert({ name: 'name 1' }))).code, 'SQLITE_CONSTRAINT_UNIQUE')
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
    await db.exec('alter table user add column mail text')
    t.equal((await users.insert({ name: 'x', mail: 'x@y' })).changes, 1)
    exact(t, await users.get({ mail: 'x@y' }), { id: 51, name: 'x', age: null, mail: 'x@y' }, 'the new column')
  })

  t.test('quoted names and hostile ones', async (t) => {
    const db = await ready(t)
    await db.exec('create table "a ""b; drop table user"(id integer primary key, "c ""d" text, "order" int)')
    const odd = db.table('a "b; drop table user')
    await odd.insert({ 'c "d': 'x', order: 1 })
    exact(t, await odd.get(1), { id: 1, 'c "d': 'x', order: 1 }, 'in and out')
    exact(t, await odd.find({ where: { order: 1 } }), [{ id: 1, 'c "d': 'x', order: 1 }], 'find')
    t.equal(await db.table('user').count(), 50)
  })
}
