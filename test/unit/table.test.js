'use strict'

const t = require('tap')
const { open } = require('../..')
const { Table } = require('../../lib/db/table')
const { schemasOf } = require('../../lib/db/table/schema')
const { tmpfile } = require('../helper')

async function database (t, sql, target = ':memory:') {
  const store = open(target)
  t.teardown(() => store.close())
  if (sql !== undefined) await store.db.exec(sql)
  return store.db
}

const USER = `create table user(
  id integer primary key, name text not null, age int, email text unique,
  upper_name text generated always as (upper(name)) virtual)`

async function failure (promise) {
  try {
    await promise
  } catch (err) {
    return err
  }
  throw new Error('expected a failure')
}

async function refused (t, promise, code, text, name) {
  const err = await failure(promise)
  t.equal(err.code, code, name ?? `${code} ${text}`)
  t.match(err.message, text)
  return err
}

t.test('insert, get, update, delete', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  t.same(await users.insert({ name: 'a', age: 4 }), { changes: 1, lastInsertRowid: 1 })
  t.same(await users.get(1), { id: 1, name: 'a', age: 4, email: null, upper_name: 'A' })
  t.same(await users.get(1, { columns: ['name', 'upper_name'] }), { name: 'a', upper_name: 'A' })
  t.equal(await users.get(99), undefined)
  t.same(await users.insert({ name: 'b', age: undefined }, { returning: ['id', 'age'] }), { id: 2, age: null })
  t.match(await users.insert({ name: 'c' }, { returning: true }), { id: 3, upper_name: 'C' })
  t.equal((await users.get({ name: 'c' })).id, 3)
  t.equal((await users.update(2, { age: 7 })).changes, 1)
  t.equal((await users.get(2)).age, 7)
  t.equal((await users.update({ age: { gt: 3 } }, { age: null, name: undefined })).changes, 2)
  t.equal((await users.update({}, { age: 1 }, { all: true })).changes, 3)
  t.equal((await users.delete(1)).changes, 1)
  t.equal((await users.delete({ name: ['b', 'x'] })).changes, 1)
  t.equal((await users.delete({}, { all: true })).changes, 1)
  t.equal(await users.count(), 0)
})

t.test('what would change every row has to be meant', async (t) => {
  const db = await database(t, 'create table t(id integer primary key, a)')
  const rows = db.table('t')
  const every = [{}, { and: [] }, { and: [{}] }, { and: [{}, { and: [] }] }, { or: [{}] }, { or: [{}, { id: 1 }] },
    { or: [{ id: 1 }, {}] }, { or: [{ id: 1 }, { and: [] }] }, { not: { or: [] } }, { not: { not: {} } }, { not: { and: [{ or: [] }, { id: 1 }] } },
    { and: [], not: { or: [] } }, { a: { notIn: [] } }, { not: { a: [] } }, { not: { a: [], id: 1 } }, { or: [{ a: 1 }, { not: { a: { in: [] } } }] }]
  const some = [[{ or: [] }, 0], [{ not: {} }, 0], [{ not: { and: [] } }, 0], [{ not: { or: [{}, { id: 1 }] } }, 0], [{ a: [] }, 0],
    [{ and: [{}, { or: [] }] }, 0], [{ not: { a: { notIn: [] } } }, 0], [{ a: { notIn: [null] } }, 2], [{ a: [null] }, 1],
    [{ and: [{}, { id: 1 }] }, 1], [{ or: [{ or: [] }, { id: 1 }] }, 1], [{ not: { not: { id: 1 } } }, 1], [{ not: { or: [{ id: 1 }] } }, 2],
    [{ a: [], not: { or: [] } }, 0], [{ a: 'x', not: { or: [] } }, 1]]
  every.push({ not: { a: [], or: [] } })
  for (const [where, changes] of [...every.map((where) => [where, null]), ...some]) {
    for (const verb of ['update', 'delete']) {
      const name = `${verb} ${JSON.stringify(where)}`
      await db.exec("delete from t; insert into t values (1, 'x'), (2, 'y'), (3, null)")
      const work = (options) => verb === 'update' ? rows.update(where, { a: 'z' }, options) : rows.delete(where, options)
      if (changes === null) {
        await refused(t, work(), 'UC_QUERY', /leave no row out.*\{ all: true \}/, name)
        await refused(t, work({ all: false }), 'UC_QUERY', /leave no row out/, name)
        t.same(await db.values('select * from t'), [[1, 'x'], [2, 'y'], [3, null]], `${name}: nothing changed`)
        t.equal((await work({ all: true })).changes, 3, `${name}: meant`)
      } else {
        t.equal((await work()).changes, changes, name)
      }
    }
  }
})

t.test('upsert', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await users.upsert({ id: 1, name: 'a', age: 1 })
  await users.upsert({ id: 1, name: 'b' })
  t.match(await users.get(1), { name: 'b', age: 1 }, 'columns that are not given stay')
  await users.insert({ id: 2, name: 'c', email: 'c@x' })
  t.match(await users.upsert({ name: 'd', email: 'c@x' }, { conflict: 'email', returning: true }), { id: 2, name: 'd' })
  await refused(t, users.upsert({ name: 'e' }), 'UC_QUERY', 'does not give "id"')
  await db.exec('create table pair(a int, b int, primary key (a, b)) without rowid; create table loose(x)')
  const pairs = db.table('pair')
  await pairs.upsert({ a: 1, b: 2 })
  t.same(await pairs.upsert({ a: 1, b: 2 }, { returning: true }), { a: 1, b: 2 }, 'nothing to change still returns the row')
  await refused(t, db.table('loose').upsert({ x: 1 }), 'UC_QUERY', 'no primary key')
})

t.test('insertMany: any number, all or none', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  const rows = Array.from({ length: 40000 }, (_, i) => ({ name: `n${i}`, age: i % 90, email: null }))
  t.equal((await users.insertMany(rows)).changes, 40000)
  t.equal(await users.count(), 40000)
  t.same(await users.insertMany([]), { changes: 0, lastInsertRowid: 0 })
  t.equal((await users.insertMany(new Set([{ name: 'set' }]))).changes, 1, 'anything that iterates')
  async function * stream (count) {
    for (let i = 0; i < count; i++) yield { name: `s${i}` }
  }
  t.equal((await users.insertMany(stream(5000))).changes, 5000, 'a stream')
  t.same(await users.insertMany(stream(0)), { changes: 0, lastInsertRowid: 0 })
  await refused(t, users.insertMany([...rows.slice(0, 1500), { name: 'x' }]), 'UC_QUERY', 'row 1501 does not give "age"')
  await refused(t, users.insertMany([{ name: 'a', age: 1 }, { name: 'b' }]), 'UC_QUERY', 'row 2 does not give "age"')
  await refused(t, users.insertMany([{ name: 'a' }, { name: 'b', age: 1 }]), 'UC_QUERY', 'row 2 gives "age"')
  await refused(t, users.insertMany([{ name: 'a' }, null]), 'UC_QUERY', 'row 2: expected an object')
  await refused(t, users.insertMany('abc'), 'UC_QUERY', 'expected rows')
  await failure(users.insertMany([{ name: 'fine', email: 'dup' }, { name: 'b', email: 'dup' }]))
  t.equal(await users.count({ name: 'fine' }), 0, 'nothing of a failed insertMany stays')
})

t.test('conditions', async (t) => {
  const db = await database(t, 'create table x(id integer primary key, n, s text, r real)')
  const table = db.table('x')
  await table.insertMany([
    { id: 1, n: 1, s: 'Anna', r: 0.1 },
    { id: 2, n: 2, s: 'anton', r: 0.5 },
    { id: 3, n: null, s: null, r: null },
    { id: 4, n: 4, s: 'Berta', r: 1 },
    { id: 5, n: 5n, s: 'it\'s "quoted" 100%', r: 2.25 }
  ])
  const cases = [
    [{}, [1, 2, 3, 4, 5]],
    [{ n: 2 }, [2]],
    [{ n: null }, [3]],
    [{ n: { ne: null } }, [1, 2, 4, 5]],
    [{ n: { eq: null } }, [3]],
    [{ n: { isNull: true } }, [3]],
    [{ n: { isNull: false } }, [1, 2, 4, 5]],
    [{ n: { gt: 1, lte: 4 } }, [2, 4]],
    [{ n: { gte: 2, lt: 5 } }, [2, 4]],
    [{ n: { ne: 2 } }, [1, 4, 5]],
    [{ not: { n: 2 } }, [1, 3, 4, 5]],
    [{ n: { between: [2, 4] } }, [2, 4]],
    [{ n: [1, 2, 99] }, [1, 2]],
    [{ n: [] }, []],
    [{ n: [null] }, [3]],
    [{ n: [1, null] }, [1, 3]],
    [{ n: { notIn: [1, 2] } }, [4, 5]],
    [{ n: { notIn: [1, null] } }, [2, 4, 5]],
    [{ n: { notIn: [null] } }, [1, 2, 4, 5]],
    [{ n: { notIn: [] } }, [1, 2, 3, 4, 5]],
    [{ r: [0.1, 2.25, 0.5] }, [1, 2, 5]],
    [{ r: { notIn: [0.1, 2.25, 0.5] } }, [4]],
    [{ s: { in: ['Anna', 'it\'s "quoted" 100%'] } }, [1, 5]],
    [{ s: { like: 'an%' } }, [1, 2]],
    [{ s: { notLike: 'an%' } }, [4, 5]],
    [{ s: { glob: 'an*' } }, [2]],
    [{ s: { startsWith: 'An' } }, [1]],
    [{ s: { startsWith: 'it\'s "q' } }, [5]],
    [{ or: [{ n: 1 }, { s: 'Berta' }] }, [1, 4]],
    [{ or: [] }, []],
    [{ and: [] }, [1, 2, 3, 4, 5]],
    [{ or: [{}] }, [1, 2, 3, 4, 5]],
    [{ and: [{ n: { gt: 1 } }, { or: [{ s: 'anton' }, { r: 1 }] }], not: { id: 4 } }, [2]],
    [{ not: { or: [{ n: 1 }, { n: null }] } }, [2, 4, 5]],
    [{ id: true }, [1]],
    [{ rowid: 3 }, [3]],
    [{ id: Array.from({ length: 100000 }, (_, i) => i + 4) }, [4, 5]]
  ]
  for (const [where, ids] of cases) {
    const text = JSON.stringify(where).slice(0, 80)
    t.same((await table.find({ where })).map((row) => row.id), ids, text)
    t.equal(await table.count(where), ids.length, `count ${text}`)
  }
  await refused(t, table.find({ where: { n: undefined } }), 'UC_QUERY', '"n" is undefined')
  await refused(t, table.find({ where: { n: [1, undefined] } }), 'UC_QUERY', 'undefined at 1')
  await refused(t, table.find({ where: { n: {} } }), 'UC_QUERY', 'empty object')
  await refused(t, table.find({ where: { n: { gt: null } } }), 'UC_QUERY', 'is null')
  await refused(t, table.find({ where: { n: { lk: 1 } } }), 'UC_QUERY', 'did you mean "lt"')
  await refused(t, table.find({ where: { or: { n: 1 } } }), 'UC_QUERY', '"or" takes an array')
  await refused(t, table.find({ where: [1] }), 'UC_QUERY', 'object of conditions, got an array')
  await refused(t, table.find({ where: null }), 'UC_QUERY', 'got null')
})

t.test('a list of any length is one statement', async (t) => {
  const db = await database(t, 'create table x(id integer primary key)')
  const seen = new Set()
  const spy = new Proxy(db, {
    get: (target, name) => name === 'all'
      ? (sql, ...rest) => { seen.add(sql); return target.all(sql, ...rest) }
      : typeof target[name] === 'function' ? target[name].bind(target) : target[name]
  })
  const table = new Table(spy, 'x')
  await table.find({ where: { id: [1] } })
  seen.clear()
  for (const length of [1, 2, 3, 50, 5000]) {
    await table.find({ where: { id: Array.from({ length }, (_, i) => i) }, limit: length % 7 })
  }
  t.equal(seen.size, 1)
  seen.clear()
  for (let length = 1; length < 64; length++) await table.find({ where: { id: Array.from({ length }, (_, i) => i + 0.5) } })
  t.equal(seen.size, 7, 'fractions: one statement for each power of two')
})

t.test('find: limits, columns, order', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await users.insertMany(Array.from({ length: 250 }, (_, i) => ({ id: i + 1, name: `n${i % 10}`, age: i % 7 })))
  t.equal((await users.find()).length, 100, 'the default limit')
  t.equal((await users.find({ limit: 0 })).length, 0)
  t.equal((await users.find({ limit: 240 })).length, 240)
  t.equal((await db.table('user', { limit: 5 }).find()).length, 5)
  await refused(t, users.find({ limit: 10001 }), 'UC_QUERY', 'maxLimit')
  await refused(t, db.table('user', { maxLimit: 50 }).find({ limit: 51 }), 'UC_QUERY', 'maximum of 50')
  for (const limit of [-1, 1.5, '5', null, NaN]) await refused(t, users.find({ limit }), 'UC_QUERY', 'limit')
  t.same(await users.find({ order: { age: 'desc' }, columns: ['id', 'age'], limit: 2 }), [{ id: 245, age: 6 }, { id: 238, age: 6 }])
  t.same((await users.find({ order: [{ age: 'desc' }, 'id'], limit: 2 })).map((row) => row.id), [7, 14])
  t.same((await users.find({ where: { name: 'n3', age: 3 }, after: 4, limit: 2 })).map((row) => row.id), [74, 144])
  t.same((await users.find({ before: 5, limit: 2 })).map((row) => row.id), [3, 4])
  t.same((await users.find({ offset: 10, limit: 2 })).map((row) => row.id), [11, 12])
  await refused(t, users.find({ order: { age: 'down' } }), 'UC_QUERY', "'asc' or 'desc'")
  await refused(t, users.find({ order: ['age', 'age'] }), 'UC_QUERY', 'twice')
  await refused(t, users.find({ order: 7 }), 'UC_QUERY', 'order')
  await refused(t, users.find({ columns: [] }), 'UC_QUERY', 'columns')
  await refused(t, users.find({ after: 1, before: 2 }), 'UC_QUERY', 'exclude')
  await refused(t, users.find({ after: 1, offset: 2 }), 'UC_QUERY', 'offset')
  await refused(t, users.find({ after: null }), 'UC_QUERY', 'null')
  await refused(t, users.find({ after: [1, 2] }), 'UC_QUERY', 'takes the values of id')
  await refused(t, users.find({ order: 'age', after: { id: 1 } }), 'UC_QUERY', '"age" is missing')
  await refused(t, users.find({ order: 'age', after: [1, null] }), 'UC_QUERY', 'never null')
  await refused(t, users.find({ total: true }), 'UC_QUERY', 'page()')
  await refused(t, users.find({ wher: {} }), 'UC_QUERY', 'did you mean "where"')
  await refused(t, users.find({}, { timeout: 5 }), 'UC_QUERY', 'did you mean "timeoutMs"')
})

t.test('page: next, prev and total', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await users.insertMany(Array.from({ length: 25 }, (_, i) => ({ id: i + 1, name: `n${i}`, age: i < 5 ? null : i % 3 })))
  const first = await users.page({ limit: 10, total: true })
  t.equal(first.rows.length, 10)
  t.equal(first.next, 10)
  t.equal(first.prev, null)
  t.equal(first.total, 25)
  const last = await users.page({ limit: 10, after: 20 })
  t.equal(last.next, null)
  t.equal(last.prev, 21)
  t.notOk('total' in last)
  const back = await users.page({ limit: 10, before: last.prev })
  t.same(back.rows.map((row) => row.id), [11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
  t.equal(back.prev, 11)
  t.equal(back.next, 20)
  t.same(await users.page({ where: { id: -1 }, total: true }), { rows: [], next: null, prev: null, total: 0 })
  const narrow = await users.page({ order: { age: 'desc' }, columns: ['name'], limit: 2 })
  t.same(narrow.rows, [{ name: 'n23' }, { name: 'n20' }], 'columns that only the order needs do not show')
  t.same(narrow.next, [2, 21])
  const middle = await users.page({ offset: 10, limit: 5, total: true })
  t.same([middle.rows[0].id, middle.next, middle.prev, middle.total], [11, 15, 11, 25])
  await refused(t, users.page({ limit: 0 }), 'UC_QUERY', 'limit is 0')
})

t.test('iterate and json', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await users.insertMany(Array.from({ length: 300 }, (_, i) => ({ id: i + 1, name: 'n', age: i })))
  let count = 0
  for await (const row of users.iterate({ where: { age: { gte: 100 } }, columns: ['id'] })) {
    count++
    if (count === 1) t.same(row, { id: 101 })
  }
  t.equal(count, 200)
  await refused(t, users.iterate({ limit: 5 }).next(), 'UC_QUERY', 'limit')
  const bytes = await users.json({ where: { age: { lt: 2 } }, columns: ['id', 'age'] })
  t.same(JSON.parse(bytes), [{ id: 1, age: 0 }, { id: 2, age: 1 }])
})

t.test('names are checked against the schema', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await refused(t, db.table('usr').get(1), 'UC_TABLE', 'did you mean "user"')
  const err = await refused(t, users.find({ where: { nmae: 'a' } }), 'UC_COLUMN', 'did you mean "name"')
  t.equal(err.column, 'nmae')
  t.equal(err.kind, 'usage')
  await refused(t, users.find({ order: 'zzz' }), 'UC_COLUMN', 'there are "id", "name"')
  await refused(t, users.find({ columns: ['id', 'Name'] }), 'UC_COLUMN', 'did you mean "name"')
  await refused(t, users.insert({ nam: 1 }), 'UC_COLUMN', 'did you mean "name"')
  await refused(t, users.insertMany([{ nam: 1 }]), 'UC_COLUMN', 'did you mean "name"')
  await refused(t, users.update(1, { nam: 1 }), 'UC_COLUMN', 'did you mean "name"')
  await refused(t, users.update({ nam: 1 }, { name: 'x' }), 'UC_COLUMN', 'did you mean "name"')
  await refused(t, users.delete({ nam: 1 }), 'UC_COLUMN', 'did you mean "name"')
  await refused(t, users.upsert({ id: 1, name: 'x' }, { conflict: 'emial' }), 'UC_COLUMN', 'did you mean "email"')
  await refused(t, users.insert({ name: 'x' }, { returning: ['idd'] }), 'UC_COLUMN', 'did you mean "id"')
  await refused(t, users.insert({ name: 'x', upper_name: 'X' }), 'UC_COLUMN', 'generated')
  await refused(t, users.update(1, { upper_name: 'X' }), 'UC_COLUMN', 'generated')
  t.equal(await users.count(), 0, 'nothing was written by any of these')
  t.throws(() => db.table(''), { code: 'UC_TABLE' })
  t.throws(() => db.table(5), { code: 'UC_TABLE' })
  t.throws(() => db.table('user', { ky: 'id' }), { code: 'UC_OPTION' })
  t.throws(() => db.table('user', { limit: 0 }), { code: 'UC_OPTION' })
})

t.test('odd names', async (t) => {
  const db = await database(t, 'create table "we""ird; drop table x"("a ""b" int primary key, "select" text, "__proto__" text, "ключ" text)')
  const table = db.table('we"ird; drop table x')
  await table.insert(JSON.parse('{ "a \\"b": 1, "select": "s", "__proto__": "p", "ключ": "к" }'))
  const row = await table.get({ select: 's' })
  t.same(Object.keys(row), ['a "b', 'select', '__proto__', 'ключ'])
  t.equal(row['ключ'], 'к')
  t.equal((await table.update({ 'a "b': 1 }, { ключ: 'x' })).changes, 1)
})

t.test('refusing the unbounded', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await refused(t, users.delete({}), 'UC_QUERY', 'every row would be deleted')
  await refused(t, users.update({}, { age: 1 }), 'UC_QUERY', 'every row would be updated')
  await refused(t, users.delete(undefined), 'UC_QUERY', 'expected a key')
  await refused(t, users.delete(null), 'UC_QUERY', 'expected a key')
  await refused(t, users.delete([1, 2]), 'UC_QUERY', 'expected one value')
  await refused(t, users.get(undefined), 'UC_QUERY', 'expected a key')
  await refused(t, users.update(1, {}), 'UC_QUERY', 'nothing to change')
  await refused(t, users.update(1, { age: undefined }), 'UC_QUERY', 'nothing to change')
})

t.test('keys of every kind', async (t) => {
  const db = await database(t, `
    create table pair(b int, a text, v text, primary key (a, b)) without rowid;
    create table word(w text primary key, n int);
    create table loose(v text);
    create table shadowed(rowid text, v text);
    create table descending(id integer primary key desc, v text);
    create view wide as select a, b, v from pair`)
  const pairs = db.table('pair')
  await pairs.insertMany([{ a: 'x', b: 1, v: '1' }, { a: 'x', b: 2, v: '2' }, { a: 'y', b: 1, v: '3' }])
  t.same(await pairs.get(['x', 2]), { b: 2, a: 'x', v: '2' }, 'the key in the order it was declared')
  t.same(await pairs.find({ after: ['x', 1], columns: ['v'] }), [{ v: '2' }, { v: '3' }])
  await refused(t, pairs.get('x'), 'UC_QUERY', 'the key of "pair" is a, b')

  const words = db.table('word')
  await words.insertMany([{ w: 'b', n: 1 }, { w: 'a', n: 2 }, { w: null, n: 3 }, { w: null, n: 4 }])
  t.same((await words.find()).map((row) => row.n), [3, 4, 2, 1])
  t.same(await words.find({ after: 'a' }), [{ w: 'b', n: 1 }])
  await refused(t, words.find({ after: { w: null } }), 'UC_QUERY', 'take next of page()')
  const page = await words.page({ limit: 1 })
  t.same(page, { rows: [{ w: null, n: 3 }], next: [null, 3], prev: null })
  t.same((await words.page({ limit: 1, after: page.next })).rows, [{ w: null, n: 4 }])

  const loose = db.table('loose')
  await loose.insertMany([{ v: 'a' }, { v: 'b' }])
  t.same(await loose.find(), [{ rowid: 1, v: 'a' }, { rowid: 2, v: 'b' }], 'without a key, the rowid shows')
  t.same(await loose.get(2), { rowid: 2, v: 'b' })
  t.equal((await loose.delete(1)).changes, 1)

  await db.table('shadowed').insert({ rowid: 'mine', v: 'a' })
  t.same(await db.table('shadowed').get(1), { _rowid_: 1, rowid: 'mine', v: 'a' })

  // This declaration, by an old quirk, is not the rowid; its key may be null.
  await db.table('descending').insertMany([{ id: 2, v: 'b' }, { id: 1, v: 'a' }])
  t.same((await db.table('descending').find()).map((row) => row.id), [1, 2])

  const wide = db.table('wide')
  t.equal((await wide.find({ where: { a: 'x' } })).length, 2)
  t.same((await wide.page({ limit: 1, total: true })).next, null)
  await refused(t, wide.find({ after: 1 }), 'UC_QUERY', 'has no key to page by')
  await refused(t, wide.get(1), 'UC_QUERY', 'has no key')
  await refused(t, wide.insert({ a: 'z' }), 'UC_TABLE', 'is a view')
  await refused(t, wide.update({ a: 'z' }, { v: 1 }), 'UC_TABLE', 'is a view')
  await refused(t, wide.delete({ a: 'z' }), 'UC_TABLE', 'is a view')
  const keyed = db.table('wide', { key: ['a', 'b'] })
  t.same((await keyed.find({ after: ['x', 1] })).length, 2, 'a view pages by the key it is told')
  await refused(t, db.table('wide', { key: 'zz' }).get(1), 'UC_COLUMN', 'zz')
})

t.test('tables of attached databases', async (t) => {
  const store = open(tmpfile(t), { attach: { aux: tmpfile(t) } })
  t.teardown(() => store.close())
  const { db } = store
  await db.exec(`create table main.a(id integer primary key, v text); create table aux.a(k text not null primary key, w int) without rowid;
    create table aux.only(x integer primary key)`)
  const aux = db.table('a', { schema: 'aux' })
  await aux.insert({ k: 'x', w: 1 })
  t.same(await aux.get('x'), { k: 'x', w: 1 })
  await db.table('a').insert({ v: 'main' })
  t.same(await db.table('a').find(), [{ id: 1, v: 'main' }], 'main comes first')
  t.equal(await db.table('only').count(), 0, 'the others are found too')
  await refused(t, db.table('only', { schema: 'main' }).count(), 'UC_TABLE', 'the schema "main" has no table "only"; there are "a"')
})

t.test('R-trees and strict tables', async (t) => {
  const db = await database(t, 'create virtual table box using rtree(id, x0, x1); create table s(id integer primary key, b blob) strict')
  await db.table('box').insertMany([{ id: 7, x0: 1, x1: 2 }, { id: 8, x0: 5, x1: 6 }])
  t.match(await db.table('box').find({ where: { x0: { lte: 1.5 }, x1: { gte: 1.5 } } }), [{ id: 7 }])
  await db.table('s').insert({ id: 1, b: Buffer.from('ab') })
  t.equal(await db.table('s').count({ b: Buffer.from('ab') }), 1)
  t.equal(await db.table('s').count({ b: [Buffer.from('ab'), Buffer.from('c')] }), 1)
})

t.test('full-text tables', async (t) => {
  const db = await database(t, 'create virtual table docs using fts5(title, body)')
  const docs = db.table('docs')
  await docs.insertMany([{ title: 'one', body: 'the quick brown fox' }, { title: 'two', body: 'lazy dogs and a quick cat' }])
  t.same(await docs.find({ where: { docs: { match: 'quick' } }, order: 'rank', columns: ['title'] }), [{ title: 'one' }, { title: 'two' }])
  t.same(await docs.get(2), { rowid: 2, title: 'two', body: 'lazy dogs and a quick cat' })
})

t.test('a schema that changes', async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await users.insert({ name: 'a' })
  await db.exec('alter table user add column city text')
  t.equal((await users.update(1, { city: 'Paris' })).changes, 1, 'a new column is found')
  t.equal((await users.get(1)).city, 'Paris')
  await db.exec('alter table user drop column city')
  await refused(t, users.find({ where: { city: 'Paris' } }), 'UC_COLUMN', 'city')
  await db.exec('alter table user rename column name to label')
  await refused(t, users.insert({ name: 'b' }), 'UC_COLUMN', 'name')
  t.equal((await users.insert({ label: 'b' })).changes, 1)
  await db.exec('drop table user')
  await refused(t, users.get(1), 'UC_TABLE', 'no table "user"')
  await db.exec('create table user(k text primary key not null, v) without rowid')
  await users.insert({ k: 'x', v: 1 })
  t.same(await users.get('x'), { k: 'x', v: 1 }, 'the key is read anew')
})

t.test('calls of one turn stay in order while the schema is read', async (t) => {
  const db = await database(t, 'create table a(id integer primary key); create table b(id integer primary key)')
  const order = []
  const spy = {
    all: (...args) => db.all(...args),
    run: (sql) => { order.push(sql.match(/"main"."(\w)"/)[1]) }
  }
  const a = new Table(spy, 'a')
  const b = new Table(spy, 'b')
  await b.insert({ id: 1 })
  order.length = 0
  await Promise.all([a.insert({ id: 1 }), b.insert({ id: 2 }), a.insert({ id: 3 }), b.insert({ id: 4 })])
  t.same(order, ['a', 'b', 'a', 'b'])
})

t.test('the statements of a shape are built once, and not kept without end', async (t) => {
  const db = await database(t, `create table w(id integer primary key, ${Array.from({ length: 20 }, (_, i) => `c${i} int`).join(', ')})`)
  const texts = new Set()
  const spy = { all: (sql, ...rest) => { texts.add(sql); return db.all(sql, ...rest) } }
  const table = new Table(spy, 'w')
  for (let i = 0; i < 20; i++) await table.find({ where: { c0: i, c1: { gt: i } }, after: i, limit: i })
  t.equal(texts.size, 2, 'one text besides the reading of the schema')
  for (let i = 0; i < 600; i++) {
    const where = {}
    for (let bit = 0; bit < 10; bit++) if (i >> bit & 1) where[`c${bit}`] = i
    await table.find({ where })
  }
  const entry = schemasOf(spy).peek(JSON.stringify(['w', null, null]))
  t.ok(entry.plans.size <= 256)
})

t.test('in transactions and snapshots', async (t) => {
  const db = await database(t, USER, tmpfile(t))
  const users = db.table('user')
  await users.insert({ name: 'a' })
  const failed = db.transaction(async (tx) => {
    await tx.exec('create table later(id integer primary key, v text); alter table user add column city text')
    await tx.table('later').insert({ v: 'x' })
    t.equal((await tx.table('user').update(1, { city: 'Paris' })).changes, 1, 'a column of this transaction')
    t.equal(await tx.table('later').count(), 1)
    throw new Error('back')
  })
  t.equal((await failure(failed)).message, 'back')
  await refused(t, users.update(1, { city: 'Paris' }), 'UC_COLUMN', 'city', 'what was rolled back is not known outside')
  await refused(t, db.table('later').count(), 'UC_TABLE', 'later')
  t.equal((await users.get(1)).name, 'a')
  await db.snapshot(async (s) => {
    t.equal(await s.table('user').count(), 1)
    await users.insert({ name: 'b' })
    t.equal((await s.table('user').page({ total: true })).total, 1, 'the snapshot stays')
    await t.rejects(async () => s.table('user').insert({ name: 'c' }))
  })
  t.equal(await users.count(), 2)
})

t.test('arguments may change after the call', async (t) => {
  const db = await database(t, USER)
  const row = { name: 'a', age: 1 }
  const where = { name: 'a' }
  const users = db.table('user')
  const inserted = users.insert(row)
  row.name = 'changed'
  await inserted
  const found = db.table('user').find({ where })
  where.name = 'changed'
  t.equal((await found).length, 1)
})

t.test('options of calls', async (t) => {
  const db = await database(t, 'create table big(id integer primary key, v int)')
  const big = db.table('big')
  await big.insert({ id: 1, v: 2n ** 60n })
  t.equal((await failure(big.get(1))).code, 'UC_VALUE_RANGE')
  t.same(await big.get(1, { integers: 'auto' }), { id: 1, v: 2n ** 60n })
  t.same(await big.find({ where: { v: 2n ** 60n } }, { integers: 'string' }), [{ id: '1', v: String(2n ** 60n) }])
  t.same(await big.find({ where: { v: [2n ** 60n, 1n] } }, { integers: 'bigint' }), [{ id: 1n, v: 2n ** 60n }])
  const stopped = AbortSignal.abort(new Error('why'))
  t.equal((await failure(big.find({}, { signal: stopped }))).message, 'why')
  const page = await big.page({ total: true }, { integers: 'bigint' })
  t.equal(page.total, 1)
})

t.test('an error names the line that called', { skip: process.versions.bun !== undefined && 'no asynchronous stack traces' }, async (t) => {
  const db = await database(t, USER)
  const users = db.table('user')
  await users.insert({ id: 1, name: 'a' })
  async function here () {
    await users.insert({ id: 1, name: 'b' })
  }
  t.match((await failure(here())).stack, /at async here .*table\.test\.js/)
  async function there () {
    await users.find({ where: { nmae: 1 } })
  }
  t.match((await failure(there())).stack, /there .*table\.test\.js/)
})
