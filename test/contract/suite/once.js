'use strict'

// { once: key }: a write that is repeated with its key is applied once and answers as it did the
// first time.

const { delay, exact, failure, slow } = require('../../helper')

module.exports = (t, open) => {
  const { id, ran, code, zeros } = open.sql
  const isPg = open.engine === 'pg'
  const insert = 'insert into t(a) values (?)'

  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec(`create table t(id ${id}, a ${isPg ? 'text unique' : 'unique'}); create table hold(a ${isPg ? 'text' : ''}); insert into hold values (0)`)
    return store.db
  }

  // Keeps the writer busy, so that what is called next gathers into one group.
  const hold = (db) => db.run(`${slow(150000)} update hold set a = (select count(*) from c)`)
  // As text on PostgreSQL, where a column has one type.
  const values = async (db) => (await db.values('select a from t order by id')).map(([a]) => a)
  const plain = (list) => isPg ? list.map(String) : list

  t.test('run, many and batch answer the same and write nothing the second time', async (t) => {
    const db = await ready(t)
    const calls = {
      run: () => db.run(insert, [1], { once: 'run' }),
      named: () => db.run('insert into t(a) values (:a)', { a: 2 }, { once: 'named' }),
      prepared: () => db.prepare(insert).run([3], { once: 'prepared' }),
      many: () => db.many(insert, [[4], [5]], { once: 'many' }),
      batch: () => db.batch([[insert, [6]], ['select a from t where a > ? order by a', [4]], ["update t set a = ? where a = ? returning a, 'x' as x", [7, 6]]], { once: 'batch' }),
      schema: () => db.run('create table made(a int)', [], { once: 'schema' })
    }
    for (const [name, call] of Object.entries(calls)) {
      const first = await call()
      const count = (await db.get('select count(*) as n from t')).n
      exact(t, await call(), first, `${name}: the same answer`)
      exact(t, await call(), first, `${name}: and once more`)
      t.equal((await db.get('select count(*) as n from t')).n, count, `${name}: nothing was added`)
    }
    exact(t, await values(db), plain([1, 2, 3, 4, 5, 7]), 'each write is there once')
  })

  t.test('the answer is the first one, whatever has happened since', async (t) => {
    const db = await ready(t)
    const first = await db.run(insert, ['a'], { once: 'k' })
    await db.run('delete from t')
    await db.run('drop table t')
    exact(t, await db.run(insert, ['a'], { once: 'k' }), first, 'the table is gone')
  })

  t.test('the same key with another request', async (t) => {
    const db = await ready(t)
    await db.run(insert, [1], { once: 'k' })
    const others = {
      'other parameters': () => db.run(insert, [2], { once: 'k' }),
      'a text in place of a number': () => db.run(insert, ['1'], { once: 'k' }),
      'another statement': () => db.run('insert into t (a) values (?)', [1], { once: 'k' }),
      'another verb': () => db.many(insert, [[1]], { once: 'k' }),
      'a batch': () => db.batch([[insert, [1]]], { once: 'k' })
    }
    for (const [name, call] of Object.entries(others)) {
      const err = await failure(call())
      t.equal(err.code, 'UC_ONCE_CONFLICT', name)
      t.equal(err.kind, 'usage')
      t.equal(err.outcome, 'not-run')
      t.match(err.message, /once-key k /, 'the key is named')
    }
    exact(t, await values(db), plain([1]), 'none of them ran')
    await db.batch([[insert, [2]], [insert, [3]]], { once: 'b' })
    t.equal((await failure(db.batch([[insert, [3]], [insert, [2]]], { once: 'b' }))).code, 'UC_ONCE_CONFLICT', 'the order of a batch counts')
    await db.many(insert, [[4], [5]], { once: 'm' })
    t.equal((await failure(db.many(insert, [[4], [5], [6]], { once: 'm' }))).code, 'UC_ONCE_CONFLICT', 'the number of rows counts')
  })

  t.test('no parameters and an empty list of them are the same request', async (t) => {
    const db = await ready(t)
    const sql = "insert into t(a) values ('x')"
    const first = await db.run(sql, undefined, { once: 'k' })
    exact(t, await db.run(sql, [], { once: 'k' }), first, 'run')
    const batch = await db.batch(["insert into t(a) values ('y')"], { once: 'b' })
    exact(t, await db.batch([["insert into t(a) values ('y')", []]], { once: 'b' }), batch, 'batch')
  })

  t.test('every kind of value is told apart', async (t) => {
    const db = await ready(t)
    const sql = 'insert into hold values (?)'
    const kinds = [null, true, 0, 0.5, 2n ** 53n, '', '0', 'x'.repeat(70000), Buffer.alloc(0), Buffer.from('0'), new Date(0)]
    if (!isPg) kinds.push(-0)
    else kinds.splice(kinds.findIndex((value) => Buffer.isBuffer(value)), 2) // a text takes no bytes
    // A boolean is stored as a number, yet is another parameter on the wire.
    for (const [i, value] of kinds.entries()) {
      const first = await db.run(sql, [value], { once: `k${i}` })
      exact(t, await db.run(sql, [value], { once: `k${i}` }), first, `kind ${i} is known again`)
      const next = kinds[(i + 1) % kinds.length]
      t.equal((await failure(db.run(sql, [next], { once: `k${i}` }))).code, 'UC_ONCE_CONFLICT', `and is not kind ${(i + 1) % kinds.length}`)
    }
    t.equal((await db.get('select count(*) as n from hold')).n, kinds.length + 1)
  })

  t.test('keys of any text up to 200 bytes', async (t) => {
    const db = await ready(t)
    const keys = ['k', 'K', ' k', "'; drop table t; --", 'käse', '日本', 'nul\0inside', 'x'.repeat(200), 'é'.repeat(100), '__proto__']
    const text = (once) => isPg ? once.replaceAll('\0', '') : once
    for (const once of keys) await db.run(insert, [text(once)], { once })
    for (const once of keys) t.equal((await db.run(insert, [text(once)], { once })).changes, 1, JSON.stringify(once).slice(0, 30))
    exact(t, await values(db), keys.map(text), 'each of them its own write')
    for (const once of ['', 'x'.repeat(201), 'é'.repeat(101), '\ud800', 5, null, {}, Buffer.from('k')]) {
      const err = await failure(db.run(insert, ['never'], { once }))
      t.equal(err.code, 'UC_OPTION', JSON.stringify(once)?.slice(0, 30))
      t.match(err.message, /once.*1 to 200 bytes/)
    }
    t.equal((await db.run(insert, ['plain'], { once: undefined })).changes, 1, 'undefined is no key')
  })

  t.test('a statement that fails stores nothing: its key is free', async (t) => {
    const db = await ready(t)
    await db.run(insert, [1])
    const failing = {
      run: (once) => db.run(insert, [1], { once }),
      ...!isPg && {
        'or fail': (once) => db.run('insert or fail into t(a) values (50), (1), (51)', [], { once }),
        'or rollback': (once) => db.run('insert or rollback into t(a) values (50), (1)', [], { once })
      },
      many: (once) => db.many(insert, [[50], [1]], { once }),
      batch: (once) => db.batch([[insert, [50]], [insert, [1]]], { once }),
      syntax: (once) => db.run('insrt into t', [], { once })
    }
    for (const [name, call] of Object.entries(failing)) {
      const err = await failure(call(name))
      t.ok([code.unique, code.syntax].includes(err.code), `${name}: ${err.code}`)
      exact(t, await values(db), plain([1]), `${name}: nothing is left, not even the rows of OR FAIL`)
      const n = 100 + Object.keys(failing).indexOf(name)
      t.equal((await db.run(insert, [n], { once: name })).changes, 1, `${name}: another write may have the key`)
      await db.run('delete from t where a = ?', [n])
    }
  })

  t.test('the same key twice in one turn', async (t) => {
    const db = await ready(t)
    for (const grouped of [false, true]) {
      const before = grouped ? hold(db) : null
      const key = `k${grouped}`
      const done = await Promise.all(Array.from({ length: 10 }, () => db.run(insert, [key], { once: key })))
      await before
      t.ok(done.every((one) => one.changes === 1 && one.lastInsertRowid === done[0].lastInsertRowid), 'ten times one answer')
    }
    exact(t, await values(db), ['kfalse', 'ktrue'], 'and one row each')
  })

  t.test('in a group: undone alone with its statement, replayed exactly', async (t) => {
    const db = await ready(t)
    await db.run(insert, ['taken'])
    for (const odd of isPg ? [insert] : ['insert or rollback into t(a) values (?)', insert]) {
      const tag = odd.length
      const before = hold(db)
      const calls = [
        db.run(insert, [`a${tag}`], { once: `a${tag}` }),
        failure(db.run(odd, ['taken'], { once: `odd${tag}` })),
        db.run(insert, [`b${tag}`], { once: `b${tag}` }),
        db.run(insert, [`a${tag}`], { once: `a${tag}` }),
        db.run(insert, [`c${tag}`])
      ]
      await before
      const [a, err, b, again, c] = await Promise.all(calls)
      t.equal(err.code, code.unique)
      exact(t, again, a, 'the repetition in the same group')
      const stored = new Map(await db.values('select id, a from t'))
      if (!isPg) t.equal(stored.get(a.lastInsertRowid), `a${tag}`)
      if (!isPg) t.equal(stored.get(b.lastInsertRowid), `b${tag}`)
      t.equal([...stored.values()].filter((value) => value === `a${tag}`).length, 1)
      if (!isPg) t.equal(stored.get(c.lastInsertRowid), `c${tag}`)
      t.equal([...stored.values()].filter((value) => value === `c${tag}`).length, 1)
      exact(t, await db.run(insert, [`b${tag}`], { once: `b${tag}` }), b, 'and a later repetition')
      t.equal((await db.run(insert, [`free${tag}`], { once: `odd${tag}` })).changes, 1, 'the key of the failed one is free')
    }
  })

  t.test('a write without a key that fails before it', async (t) => {
    const db = await ready(t)
    await db.run(insert, ['there'])
    const fails = {
      run: () => db.run(insert, ['there']),
      many: () => db.many(insert, [['there']]),
      batch: () => db.batch([[insert, ['there']], ['select 1 as v']])
    }
    for (const [name, fail] of Object.entries(fails)) {
      for (let i = 0; i < 3; i++) {
        const a = `${name} ${i}`
        const failed = failure(fail())
        const first = await db.run(insert, [a], { once: a })
        t.equal((await failed).code, code.unique, name)
        exact(t, await db.run(insert, [a], { once: a }), first, `${a}: the same answer`)
      }
    }
    const wanted = Object.keys(fails).flatMap((name) => [0, 1, 2].map((i) => `${name} ${i}`))
    exact(t, await values(db), ['there', ...wanted], 'each is there once')
  })

  t.test('a deadline that left the outcome unknown: the repetition settles it', async (t) => {
    const db = await ready(t)
    let outcome
    const slowly = isPg ? 'insert into t(a) select ?::text from pg_sleep(0.5)' : insert
    // On a busy machine its time may be over before it has begun, or its group before the third: then once more.
    for (let i = 0; i < 10 && outcome !== 'unknown'; i++) {
      const key = `k${i}`
      const before = db.run(insert, [`before ${key}`])
      const late = db.run(slowly, [key], { once: key, timeoutMs: 100 }).then(() => null, (err) => err)
      const last = db.run(`${slow(2000000)} insert into t(a) select count(*) + ${i} from c`)
      const err = await late
      if (err !== null) t.equal(err.code, 'UC_TIMEOUT')
      outcome = err?.outcome
      if (err !== null) t.equal(err.retryable, true, 'with a key it may be repeated')
      t.equal((await db.run(slowly, [key], { once: key })).changes, 1)
      await Promise.all([before, last])
      t.equal((await db.get('select count(*) as n from t where a = ?', [key])).n, 1, 'it is there once')
    }
    t.equal(outcome, 'unknown')
  })

  t.test('no rows and no statements have a key, too', async (t) => {
    const db = await ready(t)
    for (const time of ['first', 'second']) {
      t.equal((await db.many(insert, [], { once: 'no rows' })).changes, 0, `${time}: no rows`)
      exact(t, await db.batch([], { once: 'no statements' }), [], `${time}: no statements`)
    }
    t.equal((await failure(db.many(insert, [[41]], { once: 'no rows' }))).code, 'UC_ONCE_CONFLICT', 'they are not one row')
    const all = await Promise.all([
      db.many(insert, [], { once: 'a' }), db.run(insert, [42], { once: 'b' }), db.batch([], { once: 'c' }), db.run(insert, [43])
    ])
    exact(t, all.map((one) => one.changes ?? one.length), [0, 1, 0, 1], 'beside others')
    t.equal((await db.run(insert, [44])).changes, 1, 'and the next write')
  })

  t.test('streams of rows', open.only('sqlite', 'keyed-parts'), async (t) => {
    const db = await ready(t)
    const rows = Array.from({ length: 4321 }, (_, i) => [i])
    async function * slowly () {
      for (const [i, row] of rows.entries()) {
        if (i % 1500 === 0) await delay(1)
        yield row
      }
    }
    const first = await db.many(insert, rows, { once: 'm' })
    exact(t, first, ran(4321, 4321), 'the first time')
    exact(t, await db.many(insert, rows, { once: 'm' }), first, 'the same array')
    exact(t, await db.many(insert, slowly(), { once: 'm' }), first, 'the same rows in other chunks')
    for (const other of [rows.slice(0, -1), [...rows, [9999]], [...rows.slice(0, -1), [9999]], [[9999], ...rows.slice(1)]]) {
      t.equal((await failure(db.many(insert, other, { once: 'm' }))).code, 'UC_ONCE_CONFLICT', 'other rows')
    }
    t.equal((await db.get('select count(*) as n from t')).n, 4321, 'nothing was added')

    async function * broken () {
      for (let i = 10000; i < 13000; i++) yield [i]
      throw new Error('torn')
    }
    t.equal((await failure(db.many(insert, broken(), { once: 'torn' }))).message, 'torn')
    const failing = Array.from({ length: 3000 }, (_, i) => [i < 2999 ? 20000 + i : 1])
    t.equal((await failure(db.many(insert, failing, { once: 'torn' }))).code, code.unique)
    t.equal((await db.get('select count(*) as n from t')).n, 4321, 'a stream that fails leaves nothing')
    const whole = Array.from({ length: 3000 }, (_, i) => [30000 + i])
    t.equal((await db.many(insert, whole, { once: 'torn' })).changes, 3000, 'and its key is free')
    exact(t, await db.many(insert, whole, { once: 'torn' }), ran(3000, 7321), 'until now')
  })

  t.test('a small set of rows and a stream of the same are one request', async (t) => {
    const db = await ready(t)
    const rows = [[1], [2], [3]]
    async function * stream () { yield * rows }
    const first = await db.many(insert, rows, { once: 'm' })
    exact(t, await db.many(insert, stream(), { once: 'm' }), first, 'the same answer')
  })

  t.test('not inside transactions and snapshots, not on what reads or runs alone', async (t) => {
    const db = await ready(t)
    const once = 'k'
    const wrong = {
      'in a transaction': () => db.transaction((tx) => tx.run(insert, [1], { once })),
      'many in a transaction': () => db.transaction((tx) => tx.many(insert, [[1]], { once })),
      'batch in a transaction': () => db.transaction((tx) => tx.batch([[insert, [1]]], { once })),
      'a transaction': () => db.transaction(async () => {}, { once }),
      'a snapshot': () => db.snapshot((s) => s.get('select 1', [], { once })),
      get: () => db.get('select 1', [], { once }),
      all: () => db.all('select 1', [], { once }),
      values: () => db.values('select 1', [], { once }),
      json: () => db.json('select 1', [], { once }),
      iterate: () => db.iterate('select 1', [], { once }).next(),
      exec: () => db.exec('delete from t', { once }),
      'run of a read': () => db.run('select 1', [], { once }),
      'many of a read': () => db.many('select ?', [[1]], { once }),
      vacuum: () => db.run('vacuum', [], { once }),
      ...open.sync && { blocking: () => db.sync.run(insert, [1], { once }) }
    }
    for (const [name, call] of Object.entries(wrong)) {
      const err = await failure(call)
      t.equal(err.code, 'UC_OPTION', name)
      t.match(err.message, /^option once: /, name)
    }
    exact(t, await values(db), [], 'none of them ran')
    t.equal((await db.run(insert, [1], { once })).changes, 1, 'nor is the key taken')
  })

  t.test('a read-only handle', async (t) => {
    const file = open.file(t)
    const store = open.at(t, file)
    await store.db.exec('create table t(a int)')
    await store.close()
    const { db } = open.at(t, file, { readonly: true })
    t.equal((await failure(db.run('insert into t values (1)', [], { once: 'k' }))).code, 'UC_SQL_READONLY')
    t.equal((await failure(db.many('insert into t values (?)', [[1]], { once: 'k' }))).code, 'UC_SQL_READONLY')
    t.equal((await failure(db.batch([['insert into t values (1)']], { once: 'k' }))).code, 'UC_SQL_READONLY')
  })

  t.test('keys are kept in the file, for every handle of it', async (t) => {
    const file = open.file(t)
    const one = open.at(t, file)
    await one.db.exec(`create table t(id ${id}, a int)`)
    const first = await one.db.run(insert, [1], { once: 'k' })
    const rows = await one.db.batch([[insert, [2]], ['select * from t']], { once: 'b' })
    const two = open.at(t, file)
    exact(t, await two.db.run(insert, [1], { once: 'k' }), first, 'another handle')
    await Promise.all([one.close(), two.close()])
    const three = open.at(t, file)
    // Other shapes of rows than before have been met first.
    await three.db.all('select 1 as x, 2 as y, 3 as z')
    exact(t, await three.db.run(insert, [1], { once: 'k' }), first, 'after it was opened anew')
    exact(t, await three.db.batch([[insert, [2]], ['select * from t']], { once: 'b' }), rows, 'rows as well')
    t.equal((await three.db.get('select count(*) as n from t')).n, 2)
  })

  t.test('keys expire, and the table does not grow', async (t) => {
    const db = await ready(t, { onceTtlMs: 30 })
    const first = await db.run(insert, ['a'], { once: 'k' })
    t.equal(first.changes, 1)
    await delay(60)
    t.equal((await db.run(insert, ['b'], { once: 'k' })).changes, 1, 'an expired key is a new one')
    exact(t, await values(db), ['a', 'b'], 'so both are there')
    await Promise.all(Array.from({ length: 300 }, (_, i) => db.run(insert, [i], { once: `many${i}` })))
    await delay(60)
    await Promise.all(Array.from({ length: 200 }, (_, i) => db.run(insert, [1000 + i], { once: `more${i}` })))
    const { n } = await db.get('select count(*) as n from _undercroft_once')
    t.ok(n <= 300, `${n} of 502 rows are left`)
  })

  t.test('with the default life they stay', async (t) => {
    const db = await ready(t)
    await Promise.all(Array.from({ length: 300 }, (_, i) => db.run(insert, [i], { once: `k${i}` })))
    t.equal((await db.get('select count(*) as n from _undercroft_once')).n, 300)
    await Promise.all(Array.from({ length: 300 }, (_, i) => db.run(insert, [i], { once: `k${i}` })))
    t.equal((await db.get('select count(*) as n from t')).n, 300)
  })

  t.test('an answer too large to keep: nothing is written', async (t) => {
    const db = await ready(t)
    const err = await failure(db.batch([[insert, [1]], [`select ${zeros(2000000)}`]], { once: 'k' }))
    t.equal(err.code, 'UC_REPLY_TOO_LARGE')
    exact(t, await values(db), [], 'it was undone')
    t.equal((await db.batch([[insert, [1]], [`select ${zeros(1000)}`]], { once: 'k' })).length, 2, 'and its key is free')
  })

  t.test('the rowid of the key does not show', open.only('sqlite', 'rowid'), async (t) => {
    const db = await ready(t)
    await db.run('insert into t(id, a) values (77, 1)', [], { once: 'a' })
    await Promise.all(Array.from({ length: 5 }, (_, i) => db.run('update t set a = ?', [i], { once: `u${i}` })))
    exact(t, await db.run('update t set a = 9'), { changes: 1, lastInsertRowid: 0 }, 'of no insert')
    const done = await db.batch([['insert into t(id, a) values (78, 1)'], ['update t set a = 2 where id = 77'], ['select last_insert_rowid() as id']], { once: 'b' })
    exact(t, done[2], [{ id: 78 }], 'the last insert is the user\'s')
  })

  t.test('the table of keys was dropped', async (t) => {
    const db = await ready(t)
    await db.run(insert, [1], { once: 'k' })
    await db.exec('drop table _undercroft_once')
    t.equal((await db.run(insert, [2], { once: 'k' })).changes, 1, 'it is made again')
    t.equal((await db.run(insert, [2], { once: 'k' })).changes, 1)
    exact(t, await values(db), plain([1, 2]), 'both writes')
  })

  t.test('several writers with the same keys at once: each is applied once', async (t) => {
    const file = open.file(t)
    // A PostgreSQL database as another user is another pool, as in another process.
    if (isPg) open.server.sql('do $$ begin create role other superuser login; exception when duplicate_object then null; end $$')
    const urls = [file, isPg ? file.replace('//postgres@', '//other@') : file]
    const stores = urls.map((url) => open.at(t, url))
    await stores[0].db.exec(`create table t(id ${id}, a int)`)
    const all = []
    for (let i = 0; i < 100; i++) {
      for (let n = 0; n < 3; n++) {
        for (const { db } of stores) {
          all.push(i % 3 === 0
            ? db.batch([[insert, [i]], ['update t set a = a + 1000 where a = ?', [i]], ['select count(*) as n from t where a = ?', [i + 1000]]], { once: `k${i}` })
            : db.run(insert, [i + 1000], { once: `k${i}` }))
        }
      }
    }
    const answers = await Promise.all(all)
    for (let i = 0; i < 100; i++) {
      const six = answers.slice(i * 6, i * 6 + 6)
      if (!six.every((one) => JSON.stringify(one) === JSON.stringify(six[0]))) t.ok(false, `key ${i}: ${JSON.stringify(six)}`)
    }
    exact(t, (await stores[0].db.values('select a from t order by a')).map(([a]) => a), Array.from({ length: 100 }, (_, i) => i + 1000), 'a row each')
  })

  t.test('in memory', open.only('sqlite', 'memory'), async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec('create table t(a)')
    const first = await db.run('insert into t values (1)', [], { once: 'k' })
    exact(t, await db.run('insert into t values (1)', [], { once: 'k' }), first, 'the same answer')
    t.equal((await db.get('select count(*) as n from t')).n, 1)
    t.equal((await failure(db.run('select 1', [], { once: 'r' }))).code, 'UC_OPTION', 'a read')
  })
}
