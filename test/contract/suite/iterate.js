'use strict'

// db.iterate: rows one after the other, on connections of their own.

const { clock, delay, elapsed, exact, failure, runaway, slow, until } = require('../../helper')

module.exports = (t, open) => {
  const { id, code, pins } = open.sql
  const ready = async (t, options, rows = 20000) => {
    const store = open(t, options)
    await store.db.exec(`create table t(id ${id}, a text);
      ${slow(rows)} insert into t(a) select 'row ' || x from c order by x`)
    return store.db
  }
  const sql = 'select * from t order by id'

  // Begins to read and stands still after the first row.
  const start = async (db, opts, text = sql) => {
    const rows = db.iterate(text, [], opts)[Symbol.asyncIterator]()
    await rows.next()
    return rows
  }

  // Reads all rows, pausing now and then, and returns the number of the last. A limit of two seconds
  // allows those pauses; where the machine has made a long one of its own it is done anew.
  const paced = async (db, opts, { every, ms, code }) => {
    for (let i = 0; ; i++) {
      let n = 0
      let gap = 0
      let last = clock()
      const look = () => {
        gap = Math.max(gap, elapsed(last))
        last = clock()
      }
      try {
        for await (const row of db.iterate(sql, [], opts)) {
          look()
          n = row.id
          if (n % every === 0) await delay(ms)
        }
        return n
      } catch (err) {
        look()
        if (err.code !== code || gap < 1200 || i === 20) throw err
      }
    }
  }

  t.test('every row, in order, with parameters', async (t) => {
    const db = await ready(t)
    let n = 0
    let wrong = 0
    for await (const row of db.iterate(sql)) {
      if (row.id !== ++n || row.a !== `row ${n}`) wrong++
    }
    t.equal(n, 20000)
    t.equal(wrong, 0)
    const seen = []
    for await (const row of db.iterate('select id from t where id between :lo and :hi', { lo: 5, hi: 7 })) seen.push(row.id)
    exact(t, seen, [5, 6, 7], 'with parameters')
    for await (const row of db.iterate('select id from t where id < 0')) t.ok(false, `no row expected, got ${row}`)
    for await (const row of db.iterate('select 1 as v')) exact(t, row, { v: 1 }, 'one row')
  })

  t.test('break, return and throw close the cursor', async (t) => {
    const db = await ready(t, { cursors: 1 })
    for (let i = 0; i < 10; i++) {
      for await (const row of db.iterate(sql)) if (row.id === 3) break
    }
    t.ok(true, 'ten breaks with one connection')
    const mine = new Error('mine')
    t.equal(await failure(async () => { for await (const row of db.iterate(sql)) if (row.id === 3) throw mine }), mine)
    const rows = await start(db)
    exact(t, await rows.return('x'), { value: 'x', done: true }, 'return')
    exact(t, await rows.next(), { value: undefined, done: true }, 'it is over')
    exact(t, await rows.return(), { value: undefined, done: true }, 'twice does no harm')
    await start(db).then((r) => r.return())
  })

  t.test('an iterator that was never started holds nothing', async (t) => {
    const db = await ready(t, { cursors: 1 })
    for (let i = 0; i < 5; i++) db.iterate(sql)
    await db.iterate(sql)[Symbol.asyncIterator]().return()
    for await (const row of db.iterate(sql)) {
      exact(t, row, { id: 1, a: 'row 1' }, 'the connection is free')
      break
    }
  })

  t.test('nothing runs before the first next', async (t) => {
    const db = await ready(t)
    const rows = db.iterate('select nope from nowhere')
    await delay(20)
    t.equal((await failure(rows.next())).code, code.noTable)
    exact(t, await rows.next(), { value: undefined, done: true }, 'after an error it is over')
  })

  t.test('more cursors than connections: UC_CURSORS', async (t) => {
    const db = await ready(t, { cursors: 2 })
    const a = await start(db)
    const b = await start(db)
    const err = await failure(start(db))
    t.equal(err.code, 'UC_CURSORS')
    t.equal(err.kind, 'busy')
    t.equal(err.retryable, true)
    t.match(err.message, /cursors/, 'the option is named')
    await a.return()
    const c = await start(db)
    t.ok(true, 'one ended, one begins')
    await Promise.all([b.return(), c.return()])
  })

  t.test('cursors never take the readers\' connections', async (t) => {
    const db = await ready(t, { readers: 1, cursors: 2 })
    const open = [await start(db), await start(db)]
    const begin = clock()
    exact(t, await db.get('select count(*) as n from t'), { n: 20000 }, 'a read')
    t.equal((await db.run('update t set a = a where id = 1')).changes, 1, 'a write')
    t.ok(elapsed(begin) < 15000)
    for (const rows of open) await rows.return()
  })

  t.test('a result that fits one page holds no connection', async (t) => {
    const db = await ready(t, { cursors: 1 })
    const held = await start(db)
    const err = await db.iterate('select 1 as v').next().catch((err) => err)
    if (err instanceof Error) t.equal(err.code, 'UC_CURSORS', 'none is free while it is read')
    await held.return()
    const a = db.iterate('select 1 as v union all select 2')
    await a.next()
    const b = db.iterate('select 1 as v')
    exact(t, await b.next(), { value: { v: 1 }, done: false }, 'the first one is exhausted already')
    await a.return()
    await b.return()
  })

  t.test('a cursor left standing expires with the transaction limit', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 100, cursors: 1 })
    const rows = await start(db)
    await until(async () => await pins(db) === 0, 'it is ended')
    const err = await failure(async () => { while (!(await rows.next()).done); })
    t.equal(err.code, 'UC_CURSOR_EXPIRED')
    t.equal(err.kind, 'timeout')
    await db.iterate('select 1').next()
    t.ok(true, 'its connection is free')
  })

  t.test('a cursor in use does not expire', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 2000 })
    const n = await paced(db, undefined, { every: 2000, ms: 250, code: 'UC_CURSOR_EXPIRED' })
    t.equal(n, 20000, 'though it lived much longer than the limit')
  })

  t.test('writes during the iteration: no deadlock, and the view stays', async (t) => {
    const db = await ready(t, {}, 5000)
    let n = 0
    for await (const row of db.iterate(sql)) {
      n++
      if (row.id % 100 === 0) {
        await db.run('insert into t(a) values (?)', ['new'])
        await db.run('update t set a = ? where id = ?', ['changed', row.id + 1])
        await db.run('delete from t where id = ?', [5000 - row.id / 100])
      }
      if (row.a !== `row ${row.id}`) return t.ok(false, `row ${row.id} shows a later write: ${row.a}`)
    }
    t.equal(n, 5000, 'the rows of the beginning')
    t.ok((await db.get('select count(*) as n from t where id > 5000')).n === 50, 'the writes are there')
  })

  t.test('a transaction while a cursor is open', async (t) => {
    const db = await ready(t, {}, 5000)
    for await (const row of db.iterate(sql)) {
      if (row.id === 10) await db.transaction((tx) => tx.run('delete from t where id > 100'))
      if (row.id === 5000) t.ok(true, 'the deleted rows are still in view')
    }
    t.equal((await db.get('select count(*) as n from t')).n, 100)
  })

  t.test('several at once, each at its own pace', async (t) => {
    const db = await ready(t, { cursors: 4 }, 5000)
    const read = async (k) => {
      let sum = 0
      for await (const row of db.iterate('select id from t where id % 4 = ?', [k])) {
        sum += row.id
        if (row.id % 500 === 0) await delay(1)
      }
      return sum
    }
    const sums = await Promise.all([0, 1, 2, 3].map(read))
    t.equal(sums.reduce((a, b) => a + b), 5000 * 5001 / 2)
  })

  t.test('next called several times without waiting', async (t) => {
    const db = await ready(t)
    const rows = db.iterate(sql)
    const got = await Promise.all(Array.from({ length: 50 }, () => rows.next()))
    exact(t, got.map((one) => one.value.id), Array.from({ length: 50 }, (_, i) => i + 1), 'each gets its row')
    await rows.return()
  })

  t.test('return while next is under way', async (t) => {
    const db = await ready(t, { cursors: 1 })
    const rows = db.iterate(sql)
    const next = rows.next()
    await rows.return()
    await next
    const again = await start(db)
    t.ok(true, 'the cursor is closed')
    await again.return()
  })

  t.test('a signal ends it between pages and closes the cursor', async (t) => {
    const db = await ready(t, { cursors: 1 })
    const stop = new AbortController()
    const reason = new Error('enough')
    const err = await failure(async () => {
      for await (const row of db.iterate(sql, [], { signal: stop.signal })) if (row.id === 5) stop.abort(reason)
    })
    t.equal(err, reason)
    const again = await start(db)
    t.ok(true, 'the connection is free')
    await again.return()
  })

  t.test('a deadline holds for each wait, not for the whole loop', async (t) => {
    const db = await ready(t, {}, 5000)
    const n = await paced(db, { timeoutMs: 2000 }, { every: 1000, ms: 500, code: 'UC_TIMEOUT' })
    t.equal(n, 5000, 'the loop may be slow')
    const err = await failure(start(db, { timeoutMs: 80 }, `${runaway} select count(*) from c`))
    t.equal(err.code, 'UC_TIMEOUT', 'the engine may not')
  })

  t.test('an error in the middle of the rows', async (t) => {
    const db = await ready(t, { cursors: 1 })
    let n = 0
    const err = await failure(async () => {
      for await (const row of db.iterate(`select id, case when id = 15000 then ${open.sql.json("'not json' || id")} else ${open.sql.json("'1'")} end as v from t order by id`)) n = row.id
    })
    t.equal(err.code, code.noData)
    t.ok(n < 15000, `rows before it were given (${n})`)
    const again = await start(db)
    t.ok(true, 'the cursor is closed')
    await again.return()
  })

  t.test('a big integer in the middle of the rows', async (t) => {
    const db = await ready(t, { cursors: 1 })
    const err = await failure(async () => {
      for await (const row of db.iterate('select case when id = 9000 then 9223372036854775807 else id end as v from t order by id')) t.ok(row.v < 9000 || false)
    })
    t.equal(err.code, 'UC_VALUE_RANGE')
    const again = await start(db)
    t.ok(true, 'the cursor is closed')
    await again.return()
  })

  t.test('of a database in memory, over many pages', open.only('sqlite', 'memory'), async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec('create table t(id integer primary key, a)')
    await db.many('insert into t(a) values (?)', Array.from({ length: 20000 }, (_, i) => [`row ${i}`]))
    let n = 0
    for await (const row of db.iterate('select * from t order by id')) if (row.id !== ++n) return t.ok(false, `row ${n} has id ${row.id}`)
    t.equal(n, 20000)
    for await (const row of db.iterate('select * from t')) if (row.id > 2000) break
    t.equal((await db.get('select count(*) as n from t')).n, 20000, 'after a break it goes on')
  })

  t.test('rows larger than a page', async (t) => {
    const db = await ready(t, {}, 10)
    await db.run(`update t set a = replace(${open.sql.hex(open.sql.zeros(50000))}, '0', 'é')`)
    let n = 0
    for await (const row of db.iterate(sql)) if (row.a.length === 100000) n++
    t.equal(n, 10)
  })

  t.test('the table dropped while a cursor stands in it', open.only('sqlite', 'drops'), async (t) => {
    const db = await ready(t)
    const rows = await start(db)
    await db.exec('drop table t')
    let n = 1
    while (!(await rows.next()).done) n++
    t.equal(n, 20000, 'its view has every row')
  })

  t.test('prepare().iterate, and an async iterator is an async iterable', async (t) => {
    const db = await ready(t, {}, 100)
    const q = db.prepare('select id from t where id <= ?')
    for (const limit of [3, 5]) {
      let n = 0
      for await (const row of q.iterate([limit])) n = row.id
      t.equal(n, limit)
    }
    const rows = q.iterate([1])
    t.equal(rows[Symbol.asyncIterator](), rows)
  })

  t.test('of a statement that writes: all of it, before the first row', async (t) => {
    const db = await ready(t, { cursors: 1 }, 10)
    const rows = db.iterate("insert into t(a) values ('x'), ('y'), ('z') returning a")
    exact(t, (await rows.next()).value, { a: 'x' })
    await rows.return()
    exact(t, await db.get('select count(*) as n from t'), { n: 13 }, 'it is there as a whole, though one row was read')
    await db.transaction(async (tx) => {
      for await (const row of tx.iterate("update t set a = 'u' where id <= 3 returning a")) if (row.a !== 'u') t.ok(false, row.a)
    })
    exact(t, await db.get("select count(*) as n from t where a = 'u'"), { n: 3 }, 'in a transaction too')
  })

  t.test('in memory', open.only('sqlite', 'memory'), async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec(`create table t(id integer primary key); ${slow(5000)} insert into t select x from c`)
    let n = 0
    for await (const row of db.iterate('select id from t order by id')) {
      n++
      if (row.id === 10) await db.run('insert into t(id) values (100000)')
    }
    t.ok(n === 5000 || n === 5001, `${n} rows, with a write in between`)
    for await (const row of db.iterate('select id from t')) { t.equal(row.id, 1); break }
    t.equal((await db.run('delete from t')).changes, 5001, 'a broken loop blocks nobody')
  })
}
