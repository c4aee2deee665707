'use strict'

// db.many: one statement, any number of rows, one transaction. db.batch: several statements, one transaction.

const { clock, delay, elapsed, exact, failure, runaway, until } = require('../../helper')

module.exports = (t, open) => {
  const { sql } = open

  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec(`create table t(id ${sql.id}, a bigint unique, b text)`)
    return store.db
  }
  const insert = 'insert into t(a, b) values (?, ?)'
  const count = async (db) => (await db.get('select count(*) as n from t')).n

  t.test('many: the sum of changes and the last rowid', async (t) => {
    const db = await ready(t)
    exact(t, await db.many(insert, [[1, 'a'], [2, 'b'], [3, 'c']]), sql.ran(3, 3), 'three rows')
    exact(t, await db.values('select a, b from t'), [[1, 'a'], [2, 'b'], [3, 'c']], 'in order')
    t.equal((await db.many(insert, [])).changes, 0, 'no rows')
    t.equal((await db.many('update t set b = ? where a >= ?', [['x', 1], ['y', 2]])).changes, 5, 'any statement')
    t.equal((await db.many('delete from t where a = :a', [{ a: 1 }, { a: 99 }])).changes, 1, 'named, and with no effect')
    t.equal((await db.many('insert into t(a) values (null)', [[], [], []])).changes, 3, 'without parameters')
  })

  t.test('many: a hundred thousand rows', async (t) => {
    const db = await ready(t)
    const rows = Array.from({ length: 100000 }, (_, i) => [i, `row ${i}`])
    const start = clock()
    exact(t, await db.many(insert, rows), sql.ran(100000, 100000), 'all')
    t.comment(`${Math.round(elapsed(start))} ms`)
    exact(t, await db.get("select count(*) as n, cast(sum(a) as bigint) as s, sum(case when b = 'row ' || a then 1 else 0 end) as ok from t"), { n: 100000, s: 100000 * 99999 / 2, ok: 100000 }, 'each as it was given')
  })

  t.test('many: more values than SQLITE_LIMIT_VARIABLE_NUMBER', async (t) => {
    const db = await ready(t)
    await db.exec(`create table wide(${Array.from({ length: 50 }, (_, i) => `c${i} int`)})`)
    const row = Array.from({ length: 50 }, (_, i) => i)
    const wide = `insert into wide values (${row.map(() => '?')})`
    t.equal((await db.many(wide, Array.from({ length: 2000 }, () => row))).changes, 2000, 'a hundred thousand values')
  })

  t.test('many: objects, iterables and async iterables', async (t) => {
    const db = await ready(t)
    await db.many('insert into t(a, b) values (:a, :b)', [{ a: 1, b: 2 }, { b: 4, a: 3 }])
    await db.many(insert, new Set([[5, 6], [7, 8]]))
    await db.many(insert, (function * () { for (let i = 10; i < 5010; i++) yield [i, i] })())
    await db.many(insert, (async function * () {
      for (let i = 6000; i < 9000; i++) {
        if (i % 500 === 0) await delay(1)
        yield [i, i]
      }
    })())
    await db.many('insert into t(a, b) values (:a, :b)', (async function * () { yield { a: 9001, b: 9001 } })())
    t.equal(await count(db), 4 + 5000 + 3000 + 1)
    t.equal((await db.many(insert, (async function * () {})())).changes, 0, 'an empty one')
  })

  t.test('many: a failing row is named, and nothing is half-done', async (t) => {
    const db = await ready(t)
    for (const [n, k] of [[10, 7], [3000, 2500], [20000, 19999], [5, 0]]) {
      const rows = Array.from({ length: n }, (_, i) => [i, i])
      rows[k] = k === 0 ? [null, null, null] : [0, 'twice']
      const err = await failure(db.many(insert, rows))
      t.equal(err.code, k === 0 ? 'UC_PARAM_COUNT' : sql.code.unique)
      t.equal(err.index, k, `index ${k}`)
      t.match(err.message, new RegExp(`\\b(${k}|${k + 1})\\b`), 'the message names it')
      t.equal(await count(db), 0, `of ${n} rows nothing is left`)
    }
    t.equal((await db.many(insert, [[1, 1]])).changes, 1, 'the handle goes on')
  })

  t.test('many: a failing row of an async iterable', async (t) => {
    const db = await ready(t)
    let closed = false
    const err = await failure(db.many(insert, (async function * () {
      try {
        for (let i = 0; i < 100000; i++) {
          yield [i === 5000 ? 0 : i, i]
          if (i % 1000 === 0) await delay(1)
        }
      } finally {
        closed = true
      }
    })()))
    t.equal(err.code, sql.code.unique)
    t.equal(err.index, 5000)
    t.equal(await count(db), 0)
    t.equal(closed, true, 'the iterable is closed')
  })

  t.test('many: an iterable that throws', async (t) => {
    const db = await ready(t)
    const mine = new Error('mine')
    t.equal(await failure(db.many(insert, (function * () { yield [1, 1]; throw mine })())), mine)
    t.equal(await failure(db.many(insert, (async function * () {
      for (let i = 0; i < 5000; i++) yield [i, i]
      await delay(5)
      throw mine
    })())), mine, 'after rows that were sent already')
    t.equal(await count(db), 0, 'nothing is left')
    t.equal((await db.run(insert, [1, 1])).changes, 1, 'the writer is free')
  })

  t.test('many: a row of a wrong kind', async (t) => {
    const db = await ready(t)
    for (const bad of [5, 'text', null, undefined, Symbol('s')]) {
      const err = await failure(() => db.many(insert, [[1, 1], bad]))
      t.match(err.code, /^UC_PARAM_/, String(bad))
    }
    for (const rows of [5, null, undefined, {}]) {
      const err = await failure(() => db.many(insert, rows))
      t.match(err.code, /^UC_PARAM_/, `rows: ${String(rows)}`)
    }
    t.equal((await failure(() => db.many(insert, [[1, 1], [2, Symbol('s')]]))).code, 'UC_PARAM_TYPE')
    t.equal(await count(db), 0)
  })

  t.test('many: a signal and a deadline', async (t) => {
    const db = await ready(t)
    const stop = new AbortController()
    const reason = new Error('enough')
    const pending = failure(db.many(insert, (async function * () {
      for (let i = 0; ; i++) {
        yield [i, i]
        if (i % 100 === 0) await delay(1)
      }
    })(), { signal: stop.signal }))
    setTimeout(() => stop.abort(reason), 80)
    t.equal(await pending, reason)
    t.equal(await count(db), 0)
    const err = await failure(db.many(`${runaway} insert into t(a) select ${sql.as('?', 'int')} from c`, [[1], [2]], { timeoutMs: 100 }))
    t.match(err.code, /^(UC_TIMEOUT|SQLITE_CONSTRAINT_UNIQUE|PG_UNIQUE_VIOLATION)$/)
    t.equal(await count(db), 0)
    t.equal((await db.run(insert, [1, 1])).changes, 1, 'the writer is free')
  })

  t.test('many: a stream whose source stops giving expires like a transaction', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 150 })
    let release
    const pending = failure(db.many(insert, (async function * () {
      for (let i = 0; i < 20000; i++) yield [i, i]
      await new Promise((resolve) => { release = resolve })
      yield [-1, -1]
    })()))
    let over = false
    pending.then(() => { over = true })
    // On a busy machine its time may be over before the source stops.
    await until(() => over || release !== undefined, 'the source stops giving')
    t.equal((await db.run(insert, [-7, 1])).changes, 1, 'others get their turn')
    release?.()
    t.match((await pending).code, /^UC_(TX_EXPIRED|TIMEOUT)$/)
    t.equal(await count(db), 1)
  })

  t.test('many: reads and other writes meanwhile', async (t) => {
    const db = await ready(t)
    const stream = db.many(insert, (async function * () {
      for (let i = 0; i < 10000; i++) {
        yield [i, i]
        if (i % 1000 === 0) await delay(2)
      }
    })())
    t.ok([0, 10000].includes((await db.get('select count(*) as n from t')).n), 'a read sees all of it or nothing')
    const write = db.run('insert into t(a) values (?)', [-1])
    await stream
    await write
    t.equal(await count(db), 10001)
  })

  t.test('many: a small array may be changed after the call', async (t) => {
    const db = await ready(t)
    const rows = Array.from({ length: 500 }, (_, i) => [i, 'as given'])
    const call = db.many(insert, rows)
    for (const row of rows) row[1] = 'changed'
    await call
    t.equal((await db.get("select count(*) as n from t where b = 'as given'")).n, 500)
  })

  t.test('many: large values', async (t) => {
    const db = await ready(t)
    const rows = Array.from({ length: 40 }, (_, i) => [i, 'é'.repeat(100000)])
    await db.many(insert, rows)
    exact(t, await db.get('select count(*) as n, sum(length(b)) as s from t'), { n: 40, s: 4000000 }, 'forty of 200 KB')
  })

  t.test('batch: results in order, reads among them', async (t) => {
    const db = await ready(t)
    const done = await db.batch([
      [insert, [1, 'x']],
      ['insert into t(a) values (:a)', { a: 2 }],
      ['select a, b from t order by a'],
      ['update t set b = ?', ['y']],
      ['select count(*) as n from t where b = ?', ['y']],
      ['delete from t where a = 2 returning a', []]
    ])
    exact(t, done, [
      sql.ran(1, 1),
      sql.ran(1, 2),
      [{ a: 1, b: 'x' }, { a: 2, b: null }],
      { changes: 2, lastInsertRowid: done[3].lastInsertRowid },
      [{ n: 2 }],
      [{ a: 2 }]
    ], 'one result for each')
    exact(t, await db.batch([]), [], 'none')
    exact(t, await db.batch([['select 1 as v where 1 = 0']]), [[]], 'a read without rows')
  })

  t.test('batch: atomic, and the failing statement is named', async (t) => {
    const db = await ready(t)
    const err = await failure(db.batch([[insert, [1, 1]], [insert, [2, 2]], [insert, [1, 1]], [insert, [3, 3]]]))
    t.equal(err.code, sql.code.unique)
    t.equal(err.index, 2)
    t.match(err.sql ?? '', /insert/, 'with its SQL')
    t.equal(await count(db), 0)
    for (const [bad, code] of [['insrt', sql.code.syntax], ['select ?', 'UC_PARAM_COUNT'], ['begin', 'UC_SQL_TRANSACTION'], [sql.setting, 'UC_SQL_CONNECTION'], ['', 'UC_SQL_EMPTY'], [`insert ${sql.rollback} into t(a) values (1)`, sql.code.unique]]) {
      t.equal((await failure(db.batch([[insert, [1, 1]], [bad], [insert, [2, 2]]]))).code, code, bad)
      t.equal(await count(db), 0, 'nothing is half-done')
    }
  })

  t.test('batch: deferred keys may be mended within it', async (t) => {
    const db = await ready(t)
    await db.exec('create table p(id integer primary key); create table c(p int references p(id) deferrable initially deferred)')
    await db.batch([['insert into c values (1)'], ['insert into p values (1)']])
    await db.batch([['insert into c values (3)'], ['insert into p values (3)']], { once: 'mended' })
    t.equal((await failure(db.batch([['insert into c values (2)'], ['insert into t(a) values (1)']]))).code, sql.code.foreignKey)
    t.equal(await count(db), 0)
  })

  t.test('batch: wrong arguments', async (t) => {
    const db = await ready(t)
    for (const list of [undefined, null, 5, 'select 1', [5], [[5]], [[]], [['select 1', 5]]]) {
      t.match((await failure(() => db.batch(list))).code, /^UC_/, JSON.stringify(list))
    }
  })

  t.test('batch: hundreds of distinct statements', async (t) => {
    const db = await ready(t)
    const done = await db.batch(Array.from({ length: 800 }, (_, i) => [`insert into t(a, b) values (${i}, ?)`, [i]]))
    t.equal(done.length, 800)
    exact(t, done[799], sql.ran(1, 800), 'the last')
    const read = await db.batch(Array.from({ length: 800 }, (_, i) => [`select b as c${i} from t where a = ${i}`]))
    t.ok(read.every((rows, i) => rows[0][`c${i}`] === `${i}`))
  })

  t.test('batch and many with integers', async (t) => {
    const db = await ready(t)
    exact(t, await db.batch([['select 5 as v']], { integers: 'bigint' }), [[{ v: 5n }]], 'batch')
    await db.many(insert, [[9223372036854775807n, 1n]])
    exact(t, await db.get('select a, b from t', [], { integers: 'auto' }), { a: 9223372036854775807n, b: '1' }, 'many')
  })
}
