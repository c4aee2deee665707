'use strict'

// What is given to calls: buffers that have gone, objects, names of options; and pages at the edges.

const t = require('tap')
const { open } = require('../..')
const { failure } = require('../helper')

function database (t) {
  const store = open(':memory:')
  t.teardown(() => store.close())
  return store
}

t.test('bytes that have gone', async (t) => {
  const { db, cache } = database(t)
  await db.exec('create table t(a)')
  const detached = (make) => {
    const value = make(new ArrayBuffer(8))
    structuredClone(value.buffer ?? value, { transfer: [value.buffer ?? value] })
    return value
  }
  const shrunk = (make) => {
    const buffer = new ArrayBuffer(8, { maxByteLength: 8 })
    const value = make(buffer)
    buffer.resize(2)
    return value
  }
  for (const [name, value] of Object.entries({
    'a detached Uint8Array': detached((b) => new Uint8Array(b)),
    'a detached Float64Array': detached((b) => new Float64Array(b)),
    'a detached BigInt64Array': detached((b) => new BigInt64Array(b)),
    'a detached DataView': detached((b) => new DataView(b)),
    'a detached ArrayBuffer': detached((b) => b),
    'a Uint8Array beyond the end': shrunk((b) => new Uint8Array(b, 4, 4)),
    'a DataView beyond the end': shrunk((b) => new DataView(b, 4, 4))
  })) {
    const err = await failure(db.run('insert into t values (?)', [value]))
    t.equal(err.code, 'UC_PARAM_TYPE', name)
    t.equal(err.param, 1)
    t.equal((await failure(db.many('insert into t values (?)', [[1], [value]]))).code, 'UC_PARAM_TYPE')
    t.equal((await failure(cache.set('k', { v: value }))).code, 'UC_CACHE_VALUE', `${name} in the cache`)
    t.equal((await failure(cache.setBytes('k', value))).code, 'UC_CACHE_VALUE')
  }
  t.same(await db.get('select count(*) as n from t'), { n: 0 }, 'nothing was written')
  for (const empty of [new Uint8Array(0), new BigInt64Array(0), new ArrayBuffer(0), new DataView(new ArrayBuffer(0))]) {
    t.same(await db.get('select typeof(?) as type', [empty]), { type: 'blob' }, 'empty is not gone')
  }
})

t.test('what is no value says what to do', async (t) => {
  const { db } = database(t)
  t.match((await failure(db.get('select ?', [{ a: 1 }]))).message, /parameter 1: .*JSON\.stringify/)
  t.match((await failure(db.get('select ?', [[1]]))).message, /JSON\.stringify/)
  t.match((await failure(db.get('select ?', [Promise.resolve(1)]))).message, /await it/)
  for (const call of [() => db.get('select ?', 1), () => db.get('select ?, ?', 1, 2), () => db.run('select ?', 'a'), () => db.all('select ?, ?', 'a', 'b')]) {
    const err = await failure(call())
    t.match(err.message, 'parameters go in one array')
  }
})

t.test('an object in place of a value names its column', async (t) => {
  const { db } = database(t)
  await db.exec('create table o(id integer primary key, a, b)')
  const table = db.table('o')
  for (const [call, index] of [
    [() => table.insert({ a: 1, b: { x: 1 } })],
    [() => table.upsert({ id: 1, b: [1] })],
    [() => table.update(1, { b: new Map() })],
    [() => table.insertMany([{ b: {} }]), 0],
    [() => table.insertMany([{ b: 1 }, { b: {} }]), 1],
    [() => table.find({ where: { b: new Map() } })]
  ]) {
    const err = await failure(call())
    t.equal(err.code, 'UC_PARAM_TYPE')
    t.equal(err.column, 'b')
    t.match(err.message, 'JSON.stringify')
    t.equal(err.index, index)
  }
  t.equal(await table.count(), 0)
  await table.insert({ a: new Date(0), b: new Uint8Array(1) })
})

t.test('iterate reads its parameters when it is called', async (t) => {
  const { db } = database(t)
  const params = [1]
  const opts = { integers: 'bigint' }
  const rows = db.iterate('select ? as a', params, opts)
  params[0] = 2
  opts.integers = 'number'
  t.same(await rows.next(), { value: { a: 1n }, done: false })
  t.equal((await failure(db.iterate('select ?', [{}]).next())).code, 'UC_PARAM_TYPE')
})

t.test('did you mean', async (t) => {
  const { db, cache } = database(t)
  for (const [call, name] of [
    [() => open(':memory:', { synchronus: 'full' }), 'synchronous'],
    [() => open(':memory:', { cache: { byte: 1 } }), 'bytes'],
    [() => open(':memory:', { cache: { firstLevel: { entires: 1 } } }), 'entries'],
    [() => open(':memory:', { log: { dirr: 'x' } }), 'dir'],
    [() => db.get('select 1', [], { timeoutms: 5 }), 'timeoutMs'],
    [() => cache.set('a', 1, { ttlms: 5 }), 'ttlMs'],
    [() => db.sync.function('f', { determinstic: true }, () => 1), 'deterministic']
  ]) {
    const err = await failure(async () => call())
    t.equal(err.code, 'UC_OPTION')
    t.match(err.message, `did you mean "${name}"`, name)
  }
  t.match((await failure(async () => open(':memory:', { qqqqqqq: 1 }))).message, 'known are readonly, ')
})

t.test('columns called and, or, not', async (t) => {
  const { db } = database(t)
  await db.exec('create table w("and" int, "or" int, "not" int); insert into w values (1, 2, 3), (4, 5, 6)')
  const table = db.table('w')
  t.equal(await table.count({ '"and"': 1, '"or"': { lt: 3 }, not: { '"not"': 6 } }), 1)
  for (const name of ['and', 'or', 'not']) {
    t.match((await failure(table.count({ [name]: 1 }))).message, `'"${name}"'`)
  }
})

t.test('pages over infinite numbers', async (t) => {
  const { db } = database(t)
  await db.exec('create table p(id integer primary key, x real); create table k(x real primary key) without rowid')
  await db.table('p').insertMany([-Infinity, 1, Infinity, Infinity].map((x) => ({ x })))
  await db.table('k').insertMany([-Infinity, 1, Infinity].map((x) => ({ x })))
  for (const [name, order, rows] of [['p', { x: 'asc' }, [-Infinity, 1, Infinity, Infinity]], ['p', { x: 'desc' }, [Infinity, Infinity, 1, -Infinity]], ['k', undefined, [-Infinity, 1, Infinity]]]) {
    const seen = []
    let after
    do {
      const page = await db.table(name).page({ order, limit: 1, ...(after !== undefined && { after }) })
      seen.push(page.rows[0].x)
      after = JSON.parse(JSON.stringify(page.next))
    } while (after !== null && seen.length < 9)
    t.same(seen, rows, `${name} ${JSON.stringify(order)}`)
  }
})

t.test('a table of 2000 columns without a key', async (t) => {
  const { db } = database(t)
  const names = Array.from({ length: 2000 }, (_, i) => `c${i}`)
  await db.exec(`create table w(${names.join(',')}); insert into w(c1) values (1), (2)`)
  const table = db.table('w')
  t.same(Object.keys((await table.find())[0]), names, 'there is no room for the rowid')
  t.equal((await table.insert({ c1: 3 }, { returning: true })).c1, 3)
  t.equal((await table.get(2)).c1, 2)
  t.equal((await table.page()).next, null)
  t.match((await failure(table.page({ limit: 1 }))).message, 'give columns')
  const page = await table.page({ limit: 1, columns: ['c1'] })
  t.same([page.rows, page.next], [[{ c1: 1 }], 1])
})
