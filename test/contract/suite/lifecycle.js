'use strict'

// A handle from open to close.

const fs = require('node:fs')
const { clock, delay, elapsed, exact, failure, left, runaway, slow } = require('../../helper')

module.exports = (t, open) => {
  const { code } = open.sql
  // Where no database is: a file that cannot be, a port that nobody listens on.
  const nowhere = (name) => open.engine === 'sqlite' ? `/dev/null/no/such/${name}.db` : `postgres://x@/${name}?host=/dev/null/no&port=1`

  t.test('open returns at once; calls made before it is ready queue up', async (t) => {
    const start = clock()
    const store = open(t)
    t.ok(elapsed(start) < 5000)
    const calls = [store.db.exec('create table t(a int)'), store.db.run('insert into t values (1)'), store.db.get('select a from t')]
    exact(t, (await Promise.all(calls))[2], { a: 1 }, 'they ran in order')
    await store.ready
    await store.ready
    t.ok(true, 'ready may be awaited any number of times')
  })

  t.test('ready tells of failure; without it nothing is unhandled', async (t) => {
    if (left(t, !open.owner, 'there is no daemon on a file that cannot be opened')) return
    const bad = open.at(t, nowhere('place'))
    t.equal((await failure(bad.ready)).code, code.cantOpen)
    open.at(t, nowhere('other'))
    await delay(50)
    t.ok(true, 'an unread failure is no unhandled rejection')
  })

  t.test('calls made in the turn of open, to a file that cannot be opened', async (t) => {
    if (left(t, !open.owner, 'there is no daemon on a file that cannot be opened')) return
    const { db } = open.at(t, nowhere('x'))
    const errors = await Promise.all([db.get('select 1'), db.run('create table t(a int)'), db.exec('select 1'), db.many('select ?', [[1]]), db.batch([['select 1']]),
      db.transaction(async () => {}), db.snapshot(async () => {}), db.iterate('select 1').next()].map((call) => failure(call)))
    for (const err of errors) {
      t.equal(err.code, code.cantOpen)
      t.equal(err.kind, open.engine === 'sqlite' ? 'cant-open' : 'connection')
    }
  })

  t.test('close waits for what is in flight', async (t) => {
    const file = open.file(t)
    const store = open.at(t, file)
    await store.db.exec('create table t(a int)')
    const calls = Array.from({ length: 100 }, (_, i) => i % 2 ? store.db.run('insert into t values (?)', [i]) : store.db.get(`${slow(2000)} select count(*) as n from c`))
    let open_ = true
    const all = Promise.all(calls).then(() => t.ok(open_, 'every call ended before close did'))
    await store.close().then(() => { open_ = false })
    await all
    t.equal((await open.at(t, file).db.get('select count(*) as n from t')).n, 50)
  })

  t.test('close lets a transaction end', async (t) => {
    const file = open.file(t)
    const store = open.at(t, file)
    await store.db.exec('create table t(a int)')
    const tx = store.db.transaction(async (tx) => {
      await tx.run('insert into t values (1)')
      await delay(50)
      await tx.run('insert into t values (2)')
      return 'done'
    })
    await delay(10)
    await store.close()
    t.equal(await tx, 'done')
    t.equal((await open.at(t, file).db.get('select count(*) as n from t')).n, 2)
  })

  t.test('close in the turn of a call: what was begun comes to its end', async (t) => {
    // A close that waits for a limit takes longer than one that a busy machine delays.
    const patient = { transactionTimeoutMs: 600000, timeoutMs: 600000 }
    const started = {
      get: (db) => db.get('select 1'),
      run: (db) => db.run('insert into t values (1)'),
      many: (db) => db.many('insert into t values (?)', Array.from({ length: 5000 }, () => [1])),
      batch: (db) => db.batch([['insert into t values (1)']]),
      transaction: (db) => db.transaction(async (tx) => {
        await tx.run('insert into t values (1)')
        await tx.transaction((inner) => inner.run('insert into t values (1)'))
      }),
      snapshot: (db) => db.snapshot((s) => s.get('select 1'))
    }
    for (const [name, begin] of Object.entries(started)) {
      const store = open(t, patient)
      await store.db.exec('create table t(a int)')
      const start = clock()
      const call = begin(store.db).then(() => 'done', (err) => err.code)
      await store.close()
      t.equal(await call, 'done', name)
      t.ok(elapsed(start) < 60000, `${name}: closed after ${Math.round(elapsed(start))} ms`)
    }
    const long = {
      iterate: async (db) => { for await (const row of db.iterate(`${slow(20000)} select x from c`)) row.x = 0 },
      ...(open.engine === 'sqlite' && { backup: (db) => db.backup(open.file(t)) }),
      table: (db) => db.table('t').find()
    }
    for (const [name, begin] of Object.entries(long)) {
      const store = open(t, patient)
      await store.db.exec('create table t(a int)')
      const start = clock()
      const call = begin(store.db).then(() => 'done', (err) => err.code)
      await store.close()
      t.match(await call, /^(done|UC_CLOSED)$/, `${name}: ends or is told`)
      t.ok(elapsed(start) < 60000, `${name}: closed after ${Math.round(elapsed(start))} ms`)
    }
  })

  t.test('close is idempotent and leaves only the database file', open.only('sqlite', 'the files are the server\'s'), async (t) => {
    const file = open.file(t)
    const store = open.at(t, file)
    await store.db.exec('create table t(a int); insert into t values (1)')
    const closing = [store.close(), store.close()]
    await Promise.all(closing)
    await store.close()
    store.destroy()
    t.ok(fs.existsSync(file))
    t.equal(fs.existsSync(`${file}-wal`), false, 'the WAL is checkpointed and gone')
    t.equal(fs.existsSync(`${file}-shm`), false)
  })

  t.test('use after close is UC_CLOSED', async (t) => {
    const store = open(t)
    const { db } = store
    await db.exec('create table t(a int)')
    const q = db.prepare('select 1')
    const table = db.table('t')
    const rows = db.iterate('select 1')
    await store.close()
    const uses = {
      get: () => db.get('select 1'),
      all: () => db.all('select 1'),
      values: () => db.values('select 1'),
      json: () => db.json('select 1'),
      run: () => db.run('insert into t values (1)'),
      exec: () => db.exec('select 1'),
      many: () => db.many('insert into t values (?)', [[1]]),
      batch: () => db.batch([['select 1']]),
      iterate: () => db.iterate('select 1').next(),
      'iterate begun before': () => rows.next(),
      transaction: () => db.transaction(async () => {}),
      snapshot: () => db.snapshot(async () => {}),
      'prepare().get': () => q.get(),
      'table().find': () => table.find(),
      backup: () => db.backup(open.file(t)),
      health: () => store.health()
    }
    for (const [name, use] of Object.entries(uses)) {
      const err = await failure(use)
      t.equal(err.code, 'UC_CLOSED', name)
      t.equal(err.kind, 'closed')
    }
    if (open.sync) for (const verb of ['get', 'all', 'run', 'exec']) t.equal((await failure(() => db.sync[verb]('select 1'))).code, 'UC_CLOSED', `sync.${verb}`)
  })

  t.test('destroy does not wait: what is in flight rejects', async (t) => {
    const store = open(t)
    const { db } = store
    await db.exec('create table t(a int)')
    const calls = [
      db.get(`${runaway} select count(*) from c`),
      db.run(`${runaway} insert into t select count(*) from c`),
      db.run('insert into t values (1)'),
      db.transaction((tx) => tx.run(`${runaway} insert into t select count(*) from c`))
    ].map((call) => failure(call))
    await delay(30)
    const start = clock()
    store.destroy()
    for (const err of await Promise.all(calls)) t.match(err.code, /^UC_(CLOSED|TX_CLOSED)$/)
    t.ok(elapsed(start) < 15000, 'long before a default')
    await store.close()
    t.ok(true, 'close after destroy ends')
  })

  t.test('Symbol.asyncDispose is close', async (t) => {
    const store = open(t)
    await store.db.exec('create table t(a int)')
    t.equal(typeof store[Symbol.asyncDispose], 'function')
    await store[Symbol.asyncDispose]()
    t.equal((await failure(store.db.get('select 1'))).code, 'UC_CLOSED')
  })

  t.test('closed before it was ever ready', async (t) => {
    for (let i = 0; i < 10; i++) {
      const store = open(t)
      const call = i % 2 ? store.db.exec('create table t(a int)') : undefined
      await store.close()
      await call
    }
    for (let i = 0; i < 10; i++) {
      const store = open(t)
      const call = failure(store.db.exec('create table t(a int)'))
      store.destroy()
      t.equal((await call).code, 'UC_CLOSED')
    }
  })

  t.test('health', async (t) => {
    const store = open(t)
    const health = await store.health()
    t.equal(health.ok, true)
    t.equal(typeof health, 'object')
  })
}
