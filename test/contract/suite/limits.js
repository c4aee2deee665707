'use strict'

// Limits: each has a default, an option and a clear error.

const { exact, failure, runaway, slow } = require('../../helper')

module.exports = (t, open) => {
  const { sql } = open
  t.test('maxQueue: then UC_BUSY, and nothing is lost', async (t) => {
    const { db } = open(t, { maxQueue: 50 })
    await db.exec('create table t(a int)')
    const calls = Array.from({ length: 200 }, (_, i) => db.run('insert into t values (?)', [i]).then(() => i, (err) => err))
    const done = await Promise.all(calls)
    const refused = done.filter((one) => one instanceof Error)
    t.ok(refused.length >= 100, `${refused.length} of 200 refused`)
    for (const err of refused.slice(0, 3)) {
      t.equal(err.code, 'UC_BUSY')
      t.equal(err.kind, 'busy')
      t.equal(err.retryable, true)
      t.equal(err.outcome, 'not-run')
      t.match(err.message, /maxQueue/, 'the option is named')
    }
    const stored = (await db.values('select a from t order by a')).map(([a]) => a)
    exact(t, stored, done.filter((one) => typeof one === 'number'), 'what was accepted is there, what was refused is not')
    exact(t, (await db.run('insert into t values (1)')).changes, 1, 'afterwards there is room')
  })

  t.test('maxRows', async (t) => {
    const { db } = open(t, { maxRows: 100 })
    const query = `${slow(101)} select x from c`
    for (const verb of ['all', 'values', 'json']) {
      const err = await failure(db[verb](query))
      t.equal(err.code, 'UC_REPLY_TOO_LARGE', verb)
      t.equal(err.kind, 'too-big')
      t.match(err.message, /maxRows/, 'the option is named')
    }
    t.equal((await db.all(`${slow(100)} select x from c`)).length, 100, 'as many as allowed')
    let n = 0
    for await (const row of db.iterate(query)) n = row.x
    t.equal(n, 101, 'iterate has no such limit')
    exact(t, await db.get(query), { x: 1 }, 'nor does get')
  })

  t.test('maxReplyBytes', async (t) => {
    const { db } = open(t, { maxReplyBytes: 100000 })
    for (const [verb, query] of [['get', `select ${sql.zeros(200000)} as v`], ['all', `${slow(5000)} select 'some text for row ' || x from c`], ['values', `select ${sql.zeros(200000)}`], ['json', `select ${sql.hex(sql.zeros(100000))} as v`]]) {
      const err = await failure(db[verb](query))
      t.equal(err.code, 'UC_REPLY_TOO_LARGE', verb)
      t.match(err.message, /maxReplyBytes/, 'the option is named')
    }
    exact(t, await db.get('select 1 as v'), { v: 1 }, 'the handle goes on')
  })

  t.test('maxReplyBytes of rows that a transaction holds in memory', open.only('sqlite', 'there a cursor takes page by page within a transaction too'), async (t) => {
    const { db } = open(t, { maxReplyBytes: 100000 })
    const query = (n) => `${slow(n)} select 'some text for row ' || x as v from c`
    const walk = async (tx, n) => {
      let count = 0
      for await (const row of tx.iterate(query(n))) count += row.v !== undefined
      return count
    }
    t.equal(await walk(db, 20000), 20000, 'outside of one they are handed out as they come')
    t.equal(await db.transaction((tx) => walk(tx, 1000)), 1000)
    const err = await failure(db.transaction((tx) => walk(tx, 20000)))
    exact(t, [err.code, /in a transaction.*maxReplyBytes/.test(err.message)], ['UC_REPLY_TOO_LARGE', true])
    t.equal(await db.transaction((tx) => walk(tx, 1000)), 1000, 'the handle goes on')
    if (!open.sync) return
    t.throws(() => db.sync.transaction((tx) => [...tx.iterate(query(20000))]), { code: 'UC_REPLY_TOO_LARGE' })
  })

  t.test('a write whose reply is too large is undone', open.only('sqlite', 'too-large'), async (t) => {
    const { db } = open(t, { maxRows: 10 })
    await db.exec('create table t(a int)')
    const err = await failure(db.all(`${slow(11)} insert into t select x from c returning a`))
    t.equal(err.code, 'UC_REPLY_TOO_LARGE')
    exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'nothing is half-done')
  })

  t.test('two thousand distinct statements through a small cache', async (t) => {
    const { db } = open(t, { statementCache: 16, readers: 2 })
    await db.exec('create table t(a text)')
    for (let round = 0; round < 2; round++) {
      const rows = await Promise.all(Array.from({ length: 2000 }, (_, i) => db.get(`select ${i} as c${i % 50}, ${sql.as('?', 'int')} as p`, [i])))
      t.ok(rows.every((row, i) => row[`c${i % 50}`] === i && row.p === i), `round ${round + 1}`)
    }
    await Promise.all(Array.from({ length: 300 }, (_, i) => db.run(`insert into t values (${i})`)))
    t.equal((await db.get('select count(*) as n from t')).n, 300, 'writes too')
    if (open.sync) for (let i = 0; i < 300; i++) if (db.sync.get(`select ${i} as v`).v !== i) t.ok(false, 'sync')
    const rows = []
    const cursors = [1, 2, 3].map((i) => db.iterate(`select ${i} as v from t`))
    for (let i = 0; i < 100; i++) {
      for (const cursor of cursors) rows.push((await cursor.next()).value.v)
      await db.get(`select ${i} as other${i}`)
    }
    t.ok(rows.every((v, i) => v === i % 3 + 1), 'open cursors are not disturbed')
    for (const cursor of cursors) await cursor.return()
  })

  t.test('a batch that waits keeps its statements, whatever else is called meanwhile', async (t) => {
    const { db } = open(t, { statementCache: 16 })
    await db.exec('create table t(a text)')
    const hold = db.run(`${slow(600000)} insert into t select ${sql.text('max(x)')} from c`)
    await db.get('select 1')
    const batch = db.batch([["insert into t values ('one')"], ["insert into t values ('two')"], ['select count(*) as n from t']])
    const many = db.many(`insert into t values ('many' || ${sql.as('?', 'text')})`, [[1], [2]])
    const others = await Promise.all(Array.from({ length: 200 }, (_, i) => db.get(`select ${i} as v`)))
    t.ok(others.every((row, i) => row.v === i), 'the others')
    await hold
    exact(t, (await batch)[2], [{ n: 3 }], 'the batch')
    t.equal((await many).changes, 2, 'many')
    exact(t, (await db.values('select a from t')).map(([a]) => a), ['600000', 'one', 'two', 'many1', 'many2'], 'what it wrote')
  })

  t.test('the default cache, and more texts than fit', async (t) => {
    const { db } = open(t)
    const rows = await Promise.all(Array.from({ length: 2000 }, (_, i) => db.get(`select ${i} as v -- ${'x'.repeat(i % 100)}`)))
    t.ok(rows.every((row, i) => row.v === i))
  })

  t.test('an SQL text of a megabyte', async (t) => {
    const { db } = open(t)
    const query = `select ${Array.from({ length: 300 }, (_, i) => `'${'x'.repeat(3000)}' as c${i}`).join(', ')}`
    t.equal((await db.get(query)).c299.length, 3000)
    if (open.engine === 'sqlite') t.ok((await failure(db.get(`select ${'('.repeat(5000)}1${')'.repeat(5000)} as v`))).code, 'too deep an expression is an error')
  })

  t.test('a value beyond the engine\'s own limit', async (t) => {
    const { db } = open(t)
    const err = await failure(db.get(`select ${sql.zeros(2000000000)} as v`))
    t.match(err.code, /^(SQLITE_TOOBIG|UC_REPLY_TOO_LARGE|SQLITE_NOMEM|PG_PROGRAM_LIMIT_EXCEEDED)$/)
    exact(t, await db.get('select 1 as v'), { v: 1 }, 'the handle goes on')
  })

  t.test('readers: as many slow reads run side by side', open.only('sqlite', 'there a read may stand behind one whose time is not known'), async (t) => {
    const { db } = open(t, { readers: 2 })
    const stop = new AbortController()
    const a = failure(db.get(`${runaway} select count(*) from c`, [], { signal: stop.signal }))
    exact(t, await db.get('select 1 as v'), { v: 1 }, 'one busy reader does not stop the other')
    stop.abort(new Error('enough'))
    t.equal((await a).message, 'enough')
  })
}
