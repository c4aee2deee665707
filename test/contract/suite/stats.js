'use strict'

// db.stats(): what ran, how long it took, what waits, and how large the WAL is.

const { delay, exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const of = async (db, sql) => {
    const stats = await db.stats()
    const list = Array.isArray(stats.statements) ? stats.statements : Object.entries(stats.statements).map(([text, one]) => ({ sql: text, ...one }))
    return list.find((one) => one.sql === sql)
  }

  t.test('per statement: count, errors, rows and latency', async (t) => {
    const { db } = open(t)
    await db.exec(`create table t(id ${open.sql.id}, a int unique)`)
    const insert = 'insert into t(a) values (?)'
    const read = 'select * from t'
    for (let i = 0; i < 20; i++) await db.run(insert, [i])
    await failure(db.run(insert, [5]))
    for (let i = 0; i < 10; i++) await db.all(read)
    const written = await of(db, insert)
    t.ok(written.count >= 20 && written.count <= 21, `count ${written.count}`)
    t.equal(written.errors, 1, 'errors')
    const seen = await of(db, read)
    t.equal(seen.count, 10)
    t.equal(seen.rows, 200)
    t.equal(seen.errors, 0)
    const latency = JSON.stringify(seen)
    t.match(latency, /p50/, 'the median')
    t.match(latency, /p99/, 'and the slow end')
  })

  t.test('what only iterate runs is counted when it ends', async (t) => {
    const { db } = open(t, { pageBytes: 512 })
    await db.exec('create table t(a text)')
    await db.many('insert into t values (?)', Array.from({ length: 1000 }, (_, i) => [`row ${i}`]))
    const sql = 'select a from t'
    let n = 0
    for (let i = 0; i < 3; i++) for await (const row of db.iterate(sql)) n += row.a.length > 0
    const seen = await of(db, sql)
    t.equal(n, 3000)
    t.equal(seen.count, 3, 'cursors')
    t.equal(seen.rows, 3000, 'their rows')
    t.equal(seen.errors, 0)
    t.ok(seen.totalMs > 0 && seen.p50Us > 0, 'and their time')
    await db.transaction(async (tx) => { for await (const row of tx.iterate(sql)) n += row.a.length > 0 })
    t.equal((await of(db, sql)).count, 4, 'in a transaction as well')
  })

  t.test('queues, WAL and who pins it', open.only('sqlite', 'its WAL is the server\'s'), async (t) => {
    const { db } = open(t)
    await db.exec('create table t(id integer primary key, a)')
    await db.many('insert into t(a) values (?)', Array.from({ length: 20000 }, (_, i) => [`row ${i}`]))
    const rows = db.iterate('select * from t')
    await rows.next()
    await db.run('insert into t(a) values (1)')
    await delay(20)
    const stats = await db.stats()
    const text = JSON.stringify(stats, (key, value) => typeof value === 'bigint' ? String(value) : value)
    t.match(text, /queue/i, 'queue depths')
    t.ok(stats.wal && stats.wal.bytes > 0, `the WAL has a size: ${JSON.stringify(stats.wal)}`)
    t.match(JSON.stringify(stats.wal), /cursor/, 'the cursor that pins it is named')
    await rows.return()
    const after = await db.stats()
    t.ok(!/"cursor"/.test(JSON.stringify(after.wal)), 'and not any more')
  })

  t.test('it can be asked while the database works, and thousands of statements do not make it endless', async (t) => {
    const { db } = open(t, { statementCache: 64 })
    for (let i = 0; i < 300; i++) db.get(`select ${i} as v`)
    const stats = await db.stats()
    t.equal(typeof stats, 'object')
    await db.get('select 1')
    const later = await db.stats()
    const n = Array.isArray(later.statements) ? later.statements.length : Object.keys(later.statements).length
    t.ok(n <= 400, `${n} statements listed`)
  })

  t.test('health and stats of a database in memory', open.only('sqlite', 'memory'), async (t) => {
    const store = open.at(t, ':memory:')
    exact(t, (await store.health()).ok, true, 'health')
    t.ok(['addon', 'ipc'].includes((await store.door()).door), 'what serves the handle')
    t.equal(typeof await store.db.stats(), 'object')
  })
}
