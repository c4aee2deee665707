'use strict'

// The pool: how many connections there are, what ends them, and what follows.

const { failure, delay } = require('../helper')
const { store, until, withServer } = require('./common')

const connections = async (db) => (await db.stats()).connections

// Processes of the server for a database, as the server sees them.
const backends = (server, url, more = '') =>
  server.sql(`select pid from pg_stat_activity where datname = '${server.nameOf(url)}' and backend_type = 'client backend' ${more}`)
    .split('\n').filter(Boolean).map(Number)

withServer({ tcp: true, settings: { max_connections: 30, superuser_reserved_connections: 3 } }, async (t, server) => {
  await t.test('there are no more than poolMax, and everything has its turn', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, url, { poolMax: 4 })
    await db.exec('create table t(a int)')
    let most = 0
    const slow = Array.from({ length: 6 }, (_, i) => db.get('select pg_sleep(0.05), ?::int a', [i]))
    const transactions = Array.from({ length: 6 }, (_, i) => db.transaction(async (tx) => {
      most = Math.max(most, backends(server, url).length)
      await tx.run('insert into t values (?)', [i])
    }))
    await Promise.all([...slow, ...transactions])
    t.equal((await db.get('select count(*)::int n from t')).n, 6)
    t.ok(most >= 3 && most <= 4, `${most} connections`)
    t.equal((await connections(db)).max, 4)
  })

  await t.test('transactions that are more than the connections wait, up to their deadline', async (t) => {
    const { db } = store(t, server.fresh(t), { poolMax: 3 })
    await db.exec('create table t(a int)')
    let go
    const gate = new Promise((resolve) => { go = resolve })
    const first = db.transaction(async (tx) => {
      await tx.run('insert into t values (1)')
      await gate
    })
    await until(async () => (await connections(db)).transactions === 1, 'it has begun')
    const error = await failure(db.transaction((tx) => tx.get('select 1'), { timeoutMs: 200 }))
    go()
    await first
    t.match(error, { code: 'UC_TIMEOUT', outcome: 'not-run' })
    t.same(await db.all('select a from t'), [{ a: 1 }], 'the first one was not hurt')
  })

  await t.test('what waits has a limit', async (t) => {
    const { db } = store(t, server.fresh(t), { maxQueue: 10 })
    await db.get('select 1')
    const all = await Promise.allSettled(Array.from({ length: 200 }, () => db.get('select pg_sleep(0.01)')))
    const refused = all.filter(({ status }) => status === 'rejected')
    t.ok(refused.length > 0 && refused.length < 200)
    t.ok(refused.every(({ reason }) => reason.code === 'UC_BUSY' && /maxQueue/.test(reason.message)))
  })

  await t.test('one without work ends', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, url, { poolIdleTimeoutMs: 100 })
    await db.run('create table t(a int)')
    await Promise.all([db.transaction((tx) => tx.get('select 1')), db.get('select 1')])
    await until(() => backends(server, url).length === 0, 'all have ended')
    t.match(await connections(db), { open: 0, lost: 0 })
    t.same(await db.all('select * from t'), [], 'and the next call has one')
  })

  await t.test('one that is old ends when its calls are over', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, url, { poolLifetimeMs: 200 })
    const { pid } = await db.get('select pg_backend_pid() pid')
    const slow = db.get('select pg_sleep(0.8), pg_backend_pid() pid')
    const inside = db.transaction(async (tx) => {
      const first = await tx.get('select pg_backend_pid() pid')
      await delay(600)
      return [first.pid, (await tx.get('select pg_backend_pid() pid')).pid]
    })
    t.equal((await slow).pid > 0, true)
    const [before, after] = await inside
    t.equal(before, after, 'a transaction stays where it is')
    await until(() => !backends(server, url).includes(pid), 'the first one has ended')
    t.not((await db.get('select pg_backend_pid() pid')).pid, pid)
    t.equal((await connections(db)).lost, 0)
  })

  await t.test('nothing is lost when connections end again and again', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, url, { poolLifetimeMs: 100, poolIdleTimeoutMs: 5 })
    await db.exec('create table t(a int primary key)')
    let n = 0
    const end = Date.now() + 1500
    let over = false
    const work = async (pause) => {
      while (!over) {
        const a = n++
        await db.run('insert into t values (?)', [a])
        const row = await db.get('select a from t where a = ?', [a])
        if (row?.a !== a) throw new Error(`${a} is not there`)
        await delay(pause)
      }
    }
    const enough = until(async () => Date.now() > end && (await connections(db)).begun > 6, 'connections have ended and begun')
    await Promise.all([enough.finally(() => { over = true }), work(0), work(3), work(7), work(12)])
    t.equal((await db.get('select count(*)::int n from t')).n, n, `${n} writes`)
    const seen = await connections(db)
    t.ok(seen.begun > 6, `${seen.begun} connections`)
    t.equal(seen.lost, 0)
  })

  await t.test('a server that ends connections throws nothing outside a call', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, url)
    const thrown = []
    const note = (error) => thrown.push(error)
    process.on('uncaughtException', note).on('unhandledRejection', note)
    t.teardown(() => process.off('uncaughtException', note).off('unhandledRejection', note))
    await db.exec('create table t(a int)')
    await Promise.all([db.get('select 1'), db.transaction((tx) => tx.get('select 1'))])
    t.ok(backends(server, url).length >= 3)
    server.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${server.nameOf(url)}'`)
    await until(async () => (await connections(db)).lost >= 3, 'it is noticed')
    t.same(await db.get('select 1 a'), { a: 1 })
    t.match(await db.run('insert into t values (1)'), { changes: 1 })
    await delay(50)
    t.same(thrown, [])
  })

  await t.test('a server that is full is waited for', async (t) => {
    const url = server.fresh(t)
    const role = `role_${process.pid}`
    server.sql(`create role ${role} login connection limit 1; grant create on schema public to ${role}`, server.nameOf(url))
    t.teardown(() => server.sql(`drop owned by ${role}; drop role ${role}`, server.nameOf(url)))
    const mine = url.replace('postgres@', `${role}@`)
    // Its one place has the writer: reads wait, and say why when their time is over.
    const holder = store(t, mine)
    await holder.db.run('create table t(a int)')
    // On a busy machine the server may not have answered when the time is over.
    let late
    for (const timeoutMs of [400, 4000, 40_000]) {
      late = await failure(holder.db.get('select 1', [], { timeoutMs }))
      t.match(late, { code: 'UC_TIMEOUT', outcome: 'not-run' })
      if (/too many connections/.test(late.message)) break
    }
    t.match(late.message, /too many connections/)
    const waits = holder.db.get('select 5 a', [], { timeoutMs: 60_000 })
    await delay(100)
    server.sql(`alter role ${role} connection limit 5`)
    t.same(await waits, { a: 5 })
  })

  await t.test('a server that stays full is an error in the end', async (t) => {
    const url = server.fresh(t)
    const role = `full_${process.pid}`
    server.sql(`create role ${role} login connection limit 0`)
    t.teardown(() => server.sql(`drop role ${role}`))
    const error = await failure(store(t, `${url.replace('postgres@', `${role}@`)}&connect_timeout=2`).db.get('select 1'))
    t.match(error, { code: 'PG_TOO_MANY_CONNECTIONS', sqlstate: '53300', outcome: 'not-run', retryable: true })
  })

  await t.test('it comes back by itself when the server was started again', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, url)
    await db.exec('create table t(a int primary key)')
    let last = 0
    const known = new Set()
    const errors = []
    let over = false
    const writer = (async () => {
      while (!over) {
        const a = ++last
        try {
          await db.run('insert into t values (?)', [a])
          known.add(a)
        } catch (error) {
          errors.push(error)
          await delay(20)
        }
      }
    })()
    for (const how of ['fast', 'immediate']) {
      const before = known.size
      await until(() => known.size > before + 20, 'writes')
      await server.stop(how)
      await until(() => errors.some(({ code }) => code === 'UC_CONNECT'), 'it is noticed')
      await server.again()
      const after = known.size
      await until(() => known.size > after + 20, 'writes again')
    }
    over = true
    await writer
    const rows = new Set((await db.all('select a from t')).map(({ a }) => a))
    t.same([...known].filter((a) => !rows.has(a)), [], `none of ${known.size} is lost`)
    const codes = [...new Set(errors.map(({ code }) => code))]
    t.same(codes.filter((code) => !['UC_CONNECT', 'UC_CONNECTION_LOST', 'PG_ADMIN_SHUTDOWN', 'PG_CRASH_SHUTDOWN', 'PG_CANNOT_CONNECT_NOW'].includes(code)), [], codes.join())
    for (const error of errors) if (error.outcome !== 'unknown' && error.outcome !== 'not-run') t.fail(`outcome ${error.outcome} of ${error.message}`)
  })

  await t.test('statements of a connection have a limit, and the one used longest ago goes', async (t) => {
    const { db } = store(t, server.fresh(t), { statementCache: 5 })
    const names = () => db.all("select name from pg_prepared_statements where name like 'u%' order by name")
    for (let i = 0; i < 40; i++) {
      t.same(await db.get(`select ${i % 13} a`), { a: i % 13 })
      await db.get('select 100 a')
    }
    t.ok((await names()).length <= 5)
    const { prepared, open } = await connections(db)
    t.ok(prepared <= 5 * open, `${prepared} on ${open}`)
    // A cursor's own statement stays while others come.
    await db.exec('create table many(a int); insert into many select generate_series(1, 5000)')
    await db.transaction(async (tx) => {
      let n = 0
      for await (const row of tx.iterate('select a from many order by a')) {
        if (row.a !== ++n) t.fail(`${row.a} is not ${n}`)
        if (n % 500 === 0) t.same(await tx.get(`select ${n} + 1 a`), { a: n + 1 })
      }
      t.equal(n, 5000)
    })
  })

  await t.test('a table that is altered is read as it is now', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, url)
    await db.exec('create table t(id int primary key, a int); insert into t select i, i from generate_series(1, 20) i')
    const ask = () => Promise.all(Array.from({ length: 100 }, (_, i) => db.get('select * from t where id = ?', [i % 20 + 1])))
    await ask()
    const steps = [
      ["alter table t add b text default 'x'", { id: 1, a: 1, b: 'x' }],
      ["alter table t alter a type text using 'n' || a", { id: 1, a: 'n1', b: 'x' }],
      ['alter table t drop b', { id: 1, a: 'n1' }],
      ['alter table t rename a to c', { id: 1, c: 'n1' }],
      ['alter table t add d timestamptz', { id: 1, c: 'n1', d: null }]
    ]
    for (const [sql, wanted] of steps) {
      const during = ask()
      await db.exec(sql)
      await during
      for (const row of await ask()) t.same(Object.keys(row), Object.keys(wanted))
      t.same(await db.get('select * from t where id = 1'), wanted, sql)
      t.same(await db.get('insert into t(id) values (1) on conflict (id) do update set id = 1 returning *'), wanted, 'and RETURNING')
    }
    const inside = () => db.transaction((tx) => tx.get('select * from t where id = 1'))
    await inside()
    server.sql('alter table t add e int default 3', server.nameOf(url))
    const one = await inside().catch((error) => error)
    if (one instanceof Error) t.match(one, { sqlstate: '0A000' }, 'in a transaction it cannot be run again')
    t.equal((await inside()).e, 3, 'and the next one is well')
    t.same((await ask()).map(({ e }) => e), Array(100).fill(3), 'by somebody else')
  })

  await t.test('statements that somebody has dropped are prepared again', async (t) => {
    const { db } = store(t, server.fresh(t))
    const texts = Array.from({ length: 5 }, (_, i) => `select ${i} a`)
    for (let round = 0; round < 4; round++) {
      await Promise.all(texts.map((sql) => db.get(sql)))
      await db.exec('deallocate all').catch(() => {})
      t.same(await Promise.all(texts.map((sql) => db.get(sql))), texts.map((_, a) => ({ a })))
    }
  })

  await t.test('what stats() and health() say', async (t) => {
    const url = server.fresh(t)
    const { db } = store(t, `${url}&password=secret-word`)
    await db.exec('create table t(a int)')
    await db.run('insert into t values (?)', [1])
    await failure(db.run('insert into nothing values (1)'))
    await db.get('select a from t')
    const health = await db.health()
    t.match(health, { ok: true, engine: 'postgres', standby: false, server: /^\d+/ })
    t.ok(health.readMs >= 0)
    const stats = await db.stats()
    t.match(stats, { engine: 'postgres', handles: 1, queues: { reads: 0, writes: 0, waitingReads: 0, transaction: 0, max: 10000 } })
    t.match(stats.connections, { connecting: 0, retiring: 0, max: 10, writers: 1, readers: 1, transactions: 0, snapshots: 0, lost: 0 })
    t.match(stats.server, { version: health.server, pooler: false, lastError: null })
    const of = (sql) => stats.statements.find((one) => one.sql === sql)
    t.match(of('insert into t values (?)'), { class: 'write', count: 1, errors: 0 })
    t.match(of('select a from t'), { class: 'read', count: 1, errors: 0, rows: 1 })
    t.equal(of('insert into nothing values (1)')?.errors, 1)
    t.notMatch(JSON.stringify([stats, health]), /secret-word/)
    await db.transaction(async (tx) => {
      await tx.get('select 1')
      t.match(await connections(db), { transactions: 1 })
    })
  })

  await t.test('sockets over TCP are looked after', async (t) => {
    const url = server.tcpUrl('postgres')
    const { db } = store(t, url)
    await db.get('select 1')
    let out = ''
    try {
      out = require('node:child_process').execFileSync('ss', ['-tnoH', 'state', 'established', `( dport = :${server.port} )`], { encoding: 'utf8' })
    } catch (error) {
      return t.skip(`no ss to look at sockets: ${error.code}`)
    }
    const mine = out.split('\n').filter(Boolean)
    t.ok(mine.length >= 1, out)
    for (const line of mine) t.match(line, /timer:\((keepalive,(2\d|30)|on,)/, 'asked after 30 s')
  })
})
