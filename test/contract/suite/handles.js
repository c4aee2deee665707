'use strict'

// Several handles on one file in one process share a core.

const fs = require('node:fs')
const path = require('node:path')
const { exact, failure, left, overdue, slow } = require('../../helper')

module.exports = (t, open) => {
  t.test('two handles see each other and write without waiting for locks', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file).db
    const b = open.at(t, file).db
    await a.exec('create table t(who text, n int)')
    const write = (db, who) => Promise.all(Array.from({ length: 500 }, (_, n) => db.run('insert into t values (?, ?)', [who, n])))
    await Promise.all([write(a, 'a'), write(b, 'b')])
    exact(t, await b.values('select who, count(*) from t group by who order by who'), [['a', 500], ['b', 500]], 'all rows, no SQLITE_BUSY')
  })

  t.test('the same file by another path is the same core', open.only('sqlite', 'turns'), async (t) => {
    const file = open.file(t)
    const options = { transactionTimeoutMs: 600000 }
    const a = open.at(t, file, options)
    await a.db.exec('create table t(a int)')
    const link = `${file}.link`
    fs.symlinkSync(file, link)
    const dotted = path.join(path.dirname(file), '.', path.basename(path.dirname(file)), '..', path.basename(file))
    fs.mkdirSync(path.join(path.dirname(file), path.basename(path.dirname(file))), { recursive: true })
    for (const other of [link, dotted, path.relative(process.cwd(), file)]) {
      const b = open.at(t, other, options)
      await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 ? a : b).db.run('insert into t values (?)', [i])))
      await b.ready
      const held = a.db.transaction(async (tx) => {
        await tx.run('insert into t values (1)')
        const err = await overdue(300, (o) => b.db.run('insert into t values (2)', [], o))
        t.equal(err.code, 'UC_TIMEOUT', 'it waits in the same queue')
        t.equal(err.outcome, 'not-run')
      })
      await held
      await b.close()
    }
    t.equal((await a.db.get('select count(*) as n from t')).n, 303)
  })

  t.test('options that concern the core must agree', open.only('sqlite', 'the options that must agree are of the file'), async (t) => {
    if (left(t, !open.owner, 'they are those of the daemon, which has one set of them')) return
    const file = open.file(t)
    const a = open.at(t, file, { synchronous: 'normal' })
    await a.ready
    for (const options of [{ synchronous: 'full' }, { synchronous: 'normal', pragmas: { cache_size: 5 } }, { synchronous: 'normal', attach: { x: ':memory:' } }, { synchronous: 'normal', transactionTimeoutMs: 77 }]) {
      const b = open.at(t, file, options)
      const err = await failure(b.ready)
      t.equal(err.code, 'UC_OPTIONS_CONFLICT', JSON.stringify(options))
      t.match(err.message, new RegExp(Object.keys(options).at(-1)), 'the option is named')
      t.equal((await failure(b.db.get('select 1'))).code, 'UC_OPTIONS_CONFLICT', 'each call says so')
      await b.close()
    }
    const c = open.at(t, file, { synchronous: 'normal', integers: 'bigint' })
    exact(t, await c.db.get('select 1 as v'), { v: 1n }, 'options of the handle alone may differ')
    exact(t, await a.db.get('select 1 as v'), { v: 1 }, 'and stay apart')
    await Promise.all([a.close(), c.close()])
    const d = open.at(t, file, { synchronous: 'full' })
    await d.ready
    t.ok(true, 'when all are closed the options may change')
  })

  t.test('closing one leaves the other alone', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file)
    const b = open.at(t, file)
    await a.db.exec('create table t(a int)')
    const writes = Array.from({ length: 100 }, (_, i) => b.db.run('insert into t values (?)', [i]))
    await a.close()
    await Promise.all(writes)
    t.equal((await b.db.get('select count(*) as n from t')).n, 100)
    const c = open.at(t, file)
    t.equal((await c.db.get('select count(*) as n from t')).n, 100, 'a third one joins')
    await b.close()
    t.equal((await c.db.run('insert into t values (1)')).changes, 1)
  })

  t.test('destroying one stops its own calls only', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file)
    const b = open.at(t, file)
    await a.db.exec('create table t(a int)')
    const doomed = Array.from({ length: 20 }, (_, i) => a.db.run(`${slow(300000)} insert into t select count(*) from c`).catch((err) => err.code))
    const kept = Array.from({ length: 20 }, (_, i) => b.db.run('insert into t values (?)', [i]))
    a.destroy()
    await Promise.all(kept)
    t.ok((await Promise.all(doomed)).every((one) => one === 'UC_CLOSED' || one.changes === 1))
    t.equal((await b.db.get('select count(*) as n from t where a < 20')).n, 20)
  })

  t.test('a transaction of a destroyed handle is rolled back', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file)
    const b = open.at(t, file)
    await a.db.exec('create table t(a int)')
    const tx = failure(a.db.transaction(async (tx) => {
      await tx.run('insert into t values (1)')
      a.destroy()
      await tx.run('insert into t values (2)')
    }))
    t.match((await tx).code, /^UC_(CLOSED|TX_CLOSED)$/)
    t.equal((await b.db.run('insert into t values (3)')).changes, 1, 'the writer is free')
    exact(t, await b.db.values('select a from t'), [[3]], 'only the other handle\'s row')
  })

  t.test('opened and closed over and over', async (t) => {
    const file = open.file(t)
    for (let i = 0; i < 40; i++) {
      const store = open.at(t, file)
      if (i === 0) await store.db.exec('create table t(a int)')
      const write = store.db.run('insert into t values (?)', [i])
      if (i % 3 === 0) await write
      await store.close()
      await write
    }
    t.equal((await open.at(t, file).db.get('select count(*) as n from t')).n, 40)
  })

  t.test('opened again while the last one closes', async (t) => {
    const file = open.file(t)
    let last = open.at(t, file)
    await last.db.exec('create table t(a int)')
    const closing = []
    for (let i = 0; i < 25; i++) {
      closing.push(last.close())
      last = open.at(t, file)
      await last.db.run('insert into t values (?)', [i])
    }
    await Promise.all(closing)
    t.equal((await last.db.get('select count(*) as n from t')).n, 25)
  })

  if (open.sync) {
    t.test('a blocking write that would wait for its own thread is refused at once', async (t) => {
      const file = open.file(t)
      const a = open.at(t, file).db
      const b = open.at(t, file).db
      await a.exec('create table t(x)')
      await b.get('select 1')
      const long = { timeoutMs: 600000 } // far beyond the test's own time
      const refused = (what, call) => {
        let err
        try { call() } catch (thrown) { err = thrown }
        t.equal(err?.code, 'UC_TX_OPEN', what)
        t.equal(err?.outcome, 'not-run', what)
      }
      const waits = {
        run: () => b.sync.run('insert into t values (2)', [], long),
        'a new statement': () => b.sync.all(`insert into t values (${Math.random()}) returning x`, [], long),
        exec: () => b.sync.exec('insert into t values (2)', long),
        many: () => b.sync.many('insert into t values (?)', [[2]], long),
        batch: () => b.sync.batch(['insert into t values (2)'], long),
        transaction: () => b.sync.transaction(() => {})
      }
      a.sync.transaction((tx) => {
        tx.run('insert into t values (1)')
        for (const [what, call] of Object.entries(waits)) refused(what, call)
        exact(t, b.sync.get('select count(*) as n from t'), { n: 0 }, 'a read does not wait')
      })
      exact(t, a.sync.values('select x from t'), [[1]], 'the transaction has committed')
      const later = b.run('insert into t values (3)')
      a.sync.transaction(() => {
        b.run('insert into t values (4)').catch(() => {})
        refused('a read behind a queued write', () => b.sync.get('select count(*) as n from t', [], long))
      })
      await later
      a.sync.function('inside', () => {
        for (const [what, call] of Object.entries(waits)) refused(`in a function: ${what}`, call)
        refused('in a function: a new read', () => b.sync.get(`select ${Math.random()} as n`, [], long))
        return 5
      })
      exact(t, a.sync.run('insert into t values (inside())').changes, 1, 'what called the function goes on')
      waits.run()
      exact(t, await b.values('select x from t order by x'), [[1], [2], [3], [4], [5]], 'afterwards they write')
    })
  }

  t.test('TEMP tables of the shared writer', open.only('sqlite', 'a temporary table belongs to a connection, which is another one each time'), async (t) => {
    const file = open.file(t)
    const a = open.at(t, file).db
    const b = open.at(t, file).db
    await a.exec('create temp table scratch(a); insert into scratch values (1)')
    exact(t, await a.get('select a from scratch'), { a: 1 }, 'the one who made it')
    const other = await b.get('select a from scratch').catch((err) => err)
    t.ok(other.code === 'SQLITE_ERROR' || other.a === 1, 'the other sees it or not, but does not hang')
  })
}
