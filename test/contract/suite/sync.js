'use strict'

// db.sync: the same verbs, blocking. In-process only; a door without it says UC_SYNC_UNAVAILABLE.

const { delay, exact, failure, isBun, slow } = require('../../helper')

module.exports = (t, open) => {
  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec("create table t(id integer primary key, a); insert into t(a) values ('x'), ('y')")
    return store.db
  }

  if (!open.sync) {
    t.test('there is no blocking call through this door', async (t) => {
      const db = await ready(t)
      t.equal((await failure(() => db.sync.get('select 1'))).code, 'UC_SYNC_UNAVAILABLE')
    })
    return
  }

  t.test('the verbs', async (t) => {
    const { sync } = await ready(t)
    exact(t, sync.get('select * from t where id = ?', [1]), { id: 1, a: 'x' }, 'get')
    exact(t, sync.get('select * from t where id = :id', { id: 99 }), undefined, 'get without a row')
    exact(t, sync.all('select * from t'), [{ id: 1, a: 'x' }, { id: 2, a: 'y' }], 'all')
    exact(t, sync.values('select * from t'), [[1, 'x'], [2, 'y']], 'values')
    t.equal(sync.json('select * from t').toString(), '[{"id":1,"a":"x"},{"id":2,"a":"y"}]', 'json')
    exact(t, sync.run('insert into t(a) values (?)', ['z']), { changes: 1, lastInsertRowid: 3 }, 'run')
    sync.exec('insert into t(a) values (4); insert into t(a) values (5)')
    exact(t, sync.many('insert into t(a) values (?)', [[6], [7]]), { changes: 2, lastInsertRowid: 7 }, 'many')
    exact(t, sync.batch([['insert into t(a) values (8)'], ['select count(*) as n from t']]), [{ changes: 1, lastInsertRowid: 8 }, [{ n: 8 }]], 'batch')
    const seen = []
    for (const row of sync.iterate('select id from t order by id')) seen.push(row.id)
    exact(t, seen, [1, 2, 3, 4, 5, 6, 7, 8], 'iterate')
    exact(t, sync.get('select 5 as v', [], { integers: 'bigint' }), { v: 5n }, 'integers')
  })

  t.test('on a store just opened: the first call waits for it', async (t) => {
    const { db } = open(t)
    db.sync.exec('create table t(a); insert into t values (1)')
    exact(t, db.sync.get('select a from t'), { a: 1 }, 'and runs')
    const bad = open.at(t, '/dev/null/no.db')
    t.equal((await failure(() => bad.db.sync.get('select 1'))).code, 'SQLITE_CANTOPEN')
  })

  t.test('prepare', async (t) => {
    const { sync } = await ready(t)
    const q = sync.prepare('select a from t where id = ?')
    exact(t, q.get([2]), { a: 'y' }, 'get')
    exact(t, q.all([2]), [{ a: 'y' }], 'all')
    exact(t, q.values([2]), [['y']], 'values')
    t.equal(q.json([2]).toString(), '[{"a":"y"}]')
    exact(t, [...q.iterate([2])], [{ a: 'y' }], 'iterate')
    exact(t, sync.prepare('insert into t(a) values (?)').run(['z']), { changes: 1, lastInsertRowid: 3 }, 'run')
    exact(t, sync.prepare('insert into t(a) values (?)').many([['v'], ['w']]), { changes: 2, lastInsertRowid: 5 }, 'many')
    sync.exec('alter table t add column b default 1')
    exact(t, sync.prepare('select * from t where id = ?').get([1]), { id: 1, a: 'x', b: 1 }, 'after alter table')
    exact(t, sync.prepare('select * from t where id = ?').get([1]), { id: 1, a: 'x', b: 1 }, 'twice')
  })

  t.test('errors have the same codes and fields', async (t) => {
    const { sync } = await ready(t)
    sync.exec('create unique index u on t(a)')
    for (const [call, code] of [
      [() => sync.run("insert into t(a) values ('x')"), 'SQLITE_CONSTRAINT_UNIQUE'],
      [() => sync.get('selct 1'), 'SQLITE_ERROR'],
      [() => sync.get('select ?'), 'UC_PARAM_COUNT'],
      [() => sync.get('select ?', [{}]), 'UC_PARAM_TYPE'],
      [() => sync.get('select :a', { b: 1 }), 'UC_PARAM_NAME'],
      [() => sync.get('select 1; select 2'), 'UC_SQL_MULTI'],
      [() => sync.get(''), 'UC_SQL_EMPTY'],
      [() => sync.run('begin'), 'UC_SQL_TRANSACTION'],
      [() => sync.exec('begin; insert into t(a) values (1)'), 'UC_SQL_TRANSACTION'],
      [() => sync.run('pragma foreign_keys = 0'), 'UC_SQL_CONNECTION'],
      [() => sync.get("attach ':memory:' as x"), 'UC_SQL_CONNECTION'],
      [() => sync.get('select 9223372036854775807 as v'), 'UC_VALUE_RANGE'],
      [() => sync.get('select 1', [], { signal: new AbortController().signal }), 'UC_OPTION'],
      [() => sync.many('insert into t(a) values (?)', [[1], ['x']]), 'SQLITE_CONSTRAINT_UNIQUE'],
      [() => sync.batch([['insert into t(a) values (1)'], ["insert into t(a) values ('x')"]]), 'SQLITE_CONSTRAINT_UNIQUE']
    ]) {
      const err = await failure(call)
      t.equal(err.code, code)
      t.match(err.stack, /sync\.js/, `${code}: the stack names this file`)
    }
    t.equal(sync.get('select count(*) as n from t').n, 2, 'nothing was written')
  })

  t.test('big results, several megabytes', async (t) => {
    const { sync } = await ready(t)
    const text = 'aé日😀'.repeat(300000)
    t.ok(sync.get('select ? as v', [text]).v === text, 'in and out')
    const rows = sync.all(`${slow(50000)} select x as id, 'row ' || x as name from c`)
    t.equal(rows.length, 50000)
    exact(t, rows[49999], { id: 50000, name: 'row 50000' }, 'the last')
    t.equal(JSON.parse(sync.json(`${slow(50000)} select x as id, 'row ' || x as name from c`)).length, 50000)
  })

  t.test('iterate in a transaction: many pages, and none after its end', async (t) => {
    for (const file of [open.file(t), ':memory:']) {
      const { db: { sync } } = open.at(t, file)
      const rows = 9000
      sync.exec('create table t(a integer primary key, b)')
      sync.many('insert into t values (?, ?)', Array.from({ length: rows }, (_, i) => [i + 1, 'old'.padEnd(100, '.')]))
      const numbers = `with recursive c(n) as (select 1 union all select n + 1 from c where n < ${rows}) select n from c`
      const all = sync.transaction((tx) => {
        tx.run("update t set b = 'new'")
        let n = 0
        for (const row of tx.iterate('select b from t')) n += row.b === 'new'
        for (const row of tx.iterate(numbers)) if (row.n === rows - 1) break
        return n
      })
      t.equal(all, rows, `${file}: every row, as the transaction has it`)
      t.equal(sync.get("select count(*) as n from t where b = 'new'").n, rows, 'and it was committed')

      const kept = {}
      const mine = new Error('mine')
      t.equal(await failure(() => sync.transaction((tx) => {
        tx.run("update t set b = 'gone'")
        kept.first = tx.iterate('select b from t')
        kept.unused = tx.iterate('select b from t')
        t.equal(kept.first.next().value.b, 'gone')
        throw mine
      })), mine)
      for (const [name, iterator] of Object.entries(kept)) {
        let gone = 0
        const err = await failure(() => { for (const row of iterator) gone += row.b === 'gone' })
        t.equal(err.code, 'UC_TX_CLOSED', `${name}: ended with the transaction`)
        t.equal(gone, 0, 'nothing of what was rolled back')
      }
      sync.transaction((tx) => {
        let inner
        t.throws(() => tx.transaction(() => {
          tx.run("update t set b = 'gone'")
          inner = tx.iterate('select b from t')
          inner.next()
          throw mine
        }), mine)
        t.throws(() => inner.next(), { code: 'UC_TX_CLOSED' }, 'a savepoint that was rolled back')
        kept.committed = tx.iterate('select b from t')
        kept.committed.next()
      })
      t.throws(() => [...kept.committed], { code: 'UC_TX_CLOSED' }, 'nor after a commit')
      t.equal(sync.get("select count(*) as n from t where b = 'new'").n, rows, 'as before')

      const outside = sync.iterate('select a from t order by a')
      t.equal(outside.next().value.a, 1)
      const rest = sync.transaction((tx) => {
        tx.run('insert into t values (0, ?)', ['new'])
        return [...outside].length
      })
      t.equal(rest, rows - 1, 'one from before goes on in a transaction')
      exact(t, sync.get('select count(*) as n from t'), { n: rows + 1 }, 'which is committed')
    }
  })

  t.test('iterate: break closes, writes in between, several at once', async (t) => {
    const db = await ready(t, { cursors: 1 })
    const { sync } = db
    sync.exec(`${slow(20000)} insert into t(a) select x from c`)
    for (let i = 0; i < 5; i++) {
      for (const row of sync.iterate('select id from t order by id')) if (row.id === 3) break
    }
    let n = 0
    for (const row of sync.iterate('select id from t order by id')) {
      if (row.id % 5000 === 0) sync.run('insert into t(a) values (1)')
      n++
    }
    t.equal(n, 20002, 'the view of the beginning')
    const mine = new Error('mine')
    t.equal(await failure(() => { for (const row of sync.iterate('select id from t')) if (row.id === 1) throw mine }), mine)
    for await (const row of db.iterate('select id from t order by id')) {
      t.equal(row.id, 1, 'the connection is free again')
      break
    }
  })

  t.test('transaction: commit, rollback, nested', async (t) => {
    const { sync } = await ready(t)
    const count = () => sync.get('select count(*) as n from t').n
    t.equal(sync.transaction((tx) => {
      sync.run('insert into t(a) values (1)')
      return 'value'
    }), 'value')
    t.equal(count(), 3)
    const mine = new Error('mine')
    t.equal(await failure(() => sync.transaction(() => { sync.run('insert into t(a) values (1)'); throw mine })), mine)
    t.equal(count(), 3, 'rolled back')
    sync.transaction(() => {
      sync.run('insert into t(a) values (1)')
      try {
        sync.transaction(() => { sync.run('insert into t(a) values (2)'); throw mine })
      } catch {}
      t.equal(count(), 4, 'the inner one alone is undone, and its reads see the outer one')
    })
    t.equal(count(), 4)
    const err = await failure(() => sync.transaction(async () => { sync.run('insert into t(a) values (9)') }))
    t.ok(err.code, `a callback that returns a promise is refused: ${err.code}`)
    t.equal(count(), 4, 'and its work undone')
  })

  t.test('reads of one turn share a view; a write of the handle ends it', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file).db
    const b = open.at(t, file).db
    a.sync.exec('create table t(a)')
    const count = () => a.sync.get('select count(*) as n from t').n
    await delay(1)
    const before = count()
    b.sync.run('insert into t values (1)')
    t.ok(count() - before <= 1, 'in the turn: the old view or the new one')
    a.sync.run('insert into t values (2)')
    t.equal(count(), 2, 'an own write is seen at once')
    b.sync.run('insert into t values (3)')
    await null
    await null
    t.equal(count(), 3, 'the view ends with the turn')
  })

  t.test('the view ends after its time, even in one turn', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file, { turnSnapshotMs: 10 }).db
    const b = open.at(t, file, { turnSnapshotMs: 10 }).db
    a.sync.exec('create table t(a)')
    await delay(1)
    const count = () => a.sync.get('select count(*) as n from t').n
    count()
    b.sync.run('insert into t values (1)')
    const until = performance.now() + 60
    while (performance.now() < until);
    t.equal(count(), 1)
  })

  t.test('switched off, each read sees what is committed', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file, { turnSnapshotMs: 0 }).db
    const b = open.at(t, file, { turnSnapshotMs: 0 }).db
    a.sync.exec('create table t(a)')
    for (let i = 1; i <= 20; i++) {
      b.sync.run('insert into t values (?)', [i])
      t.equal(a.sync.get('select count(*) as n from t').n, i)
    }
  })

  t.test('a view of the turn does not stop a checkpoint for long', async (t) => {
    const db = await ready(t)
    for (let i = 0; i < 20; i++) {
      db.sync.get('select 1')
      await db.run('insert into t(a) values (1)')
    }
    const row = await db.get('pragma wal_checkpoint(truncate)')
    t.equal(row.busy, 0)
  })

  t.test('functions: scalar, with every type in and out', async (t) => {
    const { sync } = await ready(t)
    sync.function('echo', (v) => v)
    for (const value of [null, 0, 1, -1, 1.5, 'text', 'é日😀', '', 2 ** 52, -(2 ** 40), Infinity]) {
      exact(t, sync.get('select echo(?) as v', [value]), { v: value }, String(value))
    }
    exact(t, [...sync.get('select echo(?) as v', [Buffer.from([1, 2])]).v], [1, 2], 'a blob')
    t.equal(sync.get('select echo(?) as v', [9007199254740993n], { integers: 'auto' }).v, 9007199254740993n, 'a bigint')
    sync.function('yes', () => true)
    exact(t, sync.get('select yes() as v'), { v: 1 }, 'a boolean is 1')
    sync.function('no_value', () => undefined)
    exact(t, sync.get('select no_value() as v'), { v: null }, 'undefined is NULL')
    sync.function('plus', (a, b) => a + b)
    exact(t, sync.values('select plus(id, 10) from t'), [[11], [12]], 'with several arguments, in a query')
    sync.run("update t set a = plus('new ', a)")
    exact(t, sync.values('select a from t'), [['new x'], ['new y']], 'in a write')
    sync.function('count_args', { varargs: true }, (...args) => args.length)
    exact(t, sync.get('select count_args(1, 2, 3) as a, count_args() as b'), { a: 3, b: 0 }, 'varargs')
  })

  t.test('functions: deterministic ones; a redefinition replaces', async (t) => {
    const { sync } = await ready(t)
    sync.function('low', { deterministic: true }, (v) => String(v).toLowerCase())
    exact(t, sync.get("select id from t where low(a) = 'y'"), { id: 2 }, 'in a condition')
    sync.function('f', () => 1)
    exact(t, sync.get('select f() as v'), { v: 1 }, 'the first')
    sync.function('f', () => 2)
    exact(t, sync.get('select f() as v'), { v: 2 }, 'the second')
  })

  t.test('functions: in the schema', async (t) => {
    const db = await ready(t)
    const { sync } = db
    sync.function('twice', { deterministic: true }, (v) => v * 2)
    sync.exec(`create table s(a, g as (twice(a)), d default (twice(4)), check (twice(a) < 100));
      create index i on s(twice(a)); create view v as select twice(a) as b from s; create table l(b);
      create trigger tr after insert on s begin insert into l values (twice(new.a)); end`)
    sync.run('insert into s(a) values (3)')
    exact(t, sync.all('select s.a, g, d, v.b, l.b as l from s, v, l where twice(s.a) = 6'), [{ a: 3, g: 6, d: 8, b: 6, l: 6 }], 'column, default, view and trigger')
    t.match(sync.all('explain query plan select a from s where twice(a) = 6')[0].detail, /USING INDEX i/, 'index')
    t.equal((await failure(() => sync.run('insert into s(a) values (50)'))).code, 'SQLITE_CONSTRAINT_CHECK', 'check')
    exact(t, await db.all('select a from s'), [{ a: 3 }], 'an asynchronous read without it')
    t.match((await failure(db.all('select b from v'))).message, /sync/, 'and with it')
    t.match((await failure(db.run('insert into s(a) values (4)'))).message, /sync/, 'an asynchronous write')
    exact(t, sync.values('select count(*) from s'), [[1]], 'nothing was written')
    t.match((await failure(db.run('reindex i'))).message, /sync/, 'nor is the index built anew there')
    sync.run('reindex i')
    exact(t, await db.get('select count(*) as n from s'), { n: 1 }, 'but here')
    sync.function('loose', (v) => v)
    t.equal((await failure(() => sync.run('create index j on s(loose(a))'))).code, 'SQLITE_ERROR', 'an index takes deterministic ones')
    sync.function('direct', { deterministic: true, directOnly: true }, (v) => v)
    exact(t, sync.values('select direct(a) from s'), [[3]], 'directOnly in a statement')
    t.match((await failure(() => sync.run('create index j on s(direct(a))'))).message, /unsafe use/, 'and not in the schema')
  })

  t.test('functions: what they throw is what is thrown', async (t) => {
    const { sync } = await ready(t)
    const mine = new RangeError('mine')
    sync.function('fail', (v) => { if (v === 2) throw mine; return v })
    const err = await failure(() => sync.all('select fail(id) from t'))
    t.ok(err === mine || err.cause === mine || /mine/.test(err.message), 'the error or its message')
    const write = await failure(() => sync.run('update t set a = fail(id)'))
    t.ok(write === mine || write.cause === mine || /mine/.test(write.message))
    exact(t, sync.values('select a from t'), [['x'], ['y']], 'a failing write is undone')
    for (const value of [5, 'text', undefined, null, true, 7n, Symbol.iterator, { code: 1 }]) {
      sync.function('throws', () => { throw value })
      let thrown = mine
      try { sync.get('select throws()') } catch (err) { thrown = err }
      t.ok(Object.is(thrown, value), `${typeof value}, which is no Error`)
    }
    sync.function('odd', () => ({}))
    t.ok((await failure(() => sync.get('select odd() as v'))).message, 'a value that is none is an error')
    exact(t, sync.get('select fail(1) as v'), { v: 1 }, 'the handle goes on')
  })

  t.test('functions: using the handle inside of one', async (t) => {
    const { sync } = await ready(t)
    sync.function('nested', (id) => sync.get('select a from t where id = ?', [id]).a)
    const done = await Promise.resolve().then(() => sync.values('select nested(id) from t')).catch((err) => err)
    if (done instanceof Error) t.ok(done.message, `refused: ${done.message}`)
    else exact(t, done, [['x'], ['y']], 'a read')
    sync.function('writes', () => sync.run('insert into t(a) values (1)').changes)
    const write = await Promise.resolve().then(() => sync.get('select writes() as v')).catch((err) => err)
    t.ok(write instanceof Error || write.v === 1, `a write: ${write.code ?? write.v}`)
    exact(t, sync.get('select a from t where id = 1'), { a: 'x' }, 'nothing hangs')
  })

  t.test('functions: asynchronous calls do not know them', async (t) => {
    const db = await ready(t)
    db.sync.function('onlysync', () => 1)
    exact(t, db.sync.get('select onlysync() as v'), { v: 1 }, 'sync')
    const err = await failure(db.get('select onlysync() as v'))
    t.ok(err.code, `async: ${err.message}`)
    t.match(err.message, /onlysync/, 'the function is named')
    t.ok((await failure(db.run('insert into t(a) values (onlysync())'))).code, 'nor does the async writer')
  })

  t.test('aggregates', async (t) => {
    const { sync } = await ready(t)
    sync.exec('create table n(g, v); insert into n values (1, 1), (1, 2), (2, 5)')
    sync.aggregate('total_of', { start: 0, step: (total, v) => total + v })
    exact(t, sync.get('select total_of(v) as v from n'), { v: 8 }, 'a sum')
    exact(t, sync.values('select g, total_of(v) from n group by g order by g'), [[1, 3], [2, 5]], 'by group')
    exact(t, sync.get('select total_of(v) as v from n where 0'), { v: 0 }, 'of nothing')
    sync.aggregate('list_of', { start: () => [], step: (list, v) => { list.push(v); return list }, result: (list) => list.join('-') })
    exact(t, sync.get('select list_of(v) as v from n'), { v: '1-2-5' }, 'start as a function, and result')
    const mine = new Error('mine')
    sync.aggregate('bad', { start: 0, step: (total, v) => { throw mine } })
    t.match((await failure(() => sync.get('select bad(v) from n'))).message, /mine/)
  })

  t.test('functions: wrong arguments', async (t) => {
    const { sync } = await ready(t)
    for (const args of [[], [5, () => {}], ['f'], ['f', 5], ['f', {}, 5], ['f', { nope: 1 }, () => {}], ['', () => {}], ['x'.repeat(300), () => {}]]) {
      t.match((await failure(() => sync.function(...args))).code, /^UC_/, JSON.stringify(args))
    }
    for (const args of [[], ['a'], ['a', {}], ['a', { start: 0 }]]) t.match((await failure(() => sync.aggregate(...args))).code, /^UC_/, JSON.stringify(args))
  })

  t.test('in memory', async (t) => {
    const { db } = open.at(t, ':memory:')
    db.sync.exec('create table t(a); insert into t values (1)')
    exact(t, db.sync.get('select a from t'), { a: 1 }, 'sync')
    exact(t, await db.get('select a from t'), { a: 1 }, 'async sees the same')
    db.sync.transaction(() => db.sync.run('insert into t values (2)'))
    exact(t, db.sync.values('select a from t'), [[1], [2]], 'a transaction')
    exact(t, [...db.sync.iterate('select a from t')], [{ a: 1 }, { a: 2 }], 'iterate')
  })

  t.test('beside heavy asynchronous work', async (t) => {
    const db = await ready(t)
    const calls = Array.from({ length: 50 }, () => db.get(`${slow(20000)} select count(*) as n from c`))
    const writes = Array.from({ length: 50 }, (_, i) => db.run('insert into t(a) values (?)', [i]))
    for (let i = 0; i < 20; i++) db.sync.get('select count(*) as n from t')
    db.sync.run('insert into t(a) values (1)')
    await Promise.all([...calls, ...writes])
    t.equal(db.sync.get('select count(*) as n from t').n, 53)
    t.comment(isBun ? 'on Bun' : 'on Node')
  })
}

module.exports.sqlite = 'there are no blocking calls over a network'
