'use strict'

// db.transaction: interactive, nested, bounded in time.

const { clock, delay, elapsed, exact, failure, gate, outcomes, overdue, runaway, slow, until } = require('../../helper')

module.exports = (t, open) => {
  const { id, ran, code } = open.sql
  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec(`create table t(id ${id}, a int)`)
    return store.db
  }
  const count = async (db) => (await db.get('select count(*) as n from t')).n
  const insert = 'insert into t(a) values (?)'

  t.test('commits and gives the callback\'s value', async (t) => {
    const db = await ready(t)
    const value = await db.transaction(async (tx) => {
      exact(t, await tx.run(insert, [1]), ran(1, 1), 'run')
      exact(t, await tx.get('select a from t'), { a: 1 }, 'it sees its own writes')
      t.equal(await count(db), 0, 'nobody else does')
      return { any: 'thing' }
    })
    exact(t, value, { any: 'thing' }, 'the value')
    t.equal(await count(db), 1, 'committed')
    t.equal(await db.transaction(async () => {}), undefined, 'an empty one')
    t.equal(await db.transaction(() => 5), 5, 'a callback that is not async')
  })

  t.test('has every verb', async (t) => {
    const db = await ready(t)
    await db.transaction(async (tx) => {
      await tx.exec('insert into t(a) values (1); insert into t(a) values (2)')
      exact(t, await tx.many(insert, [[3], [4]]), ran(2, 4), 'many')
      const done = await tx.batch([[insert, [5]], ['select count(*) as n from t', []]])
      exact(t, done, [ran(1, 5), [{ n: 5 }]], 'batch')
      exact(t, await tx.all('select a from t where a > ?', [3]), [{ a: 4 }, { a: 5 }], 'all')
      exact(t, await tx.values('select a from t where a = :a', { a: 3 }), [[3]], 'values')
      t.equal((await tx.json('select a from t where a = 1')).toString(), '[{"a":1}]', 'json')
      const seen = []
      for await (const row of tx.iterate('select a from t order by id')) seen.push(row.a)
      exact(t, seen, [1, 2, 3, 4, 5], 'iterate')
      const q = tx.prepare('select a from t where id = ?')
      exact(t, await q.get([2]), { a: 2 }, 'prepare')
      exact(t, await tx.prepare(insert).run([6]), ran(1, 6), 'prepare().run')
    })
    t.equal(await count(db), 6)
  })

  t.test('rolls back on throw, and throws the very error', async (t) => {
    const db = await ready(t)
    const mine = new Error('mine')
    const err = await failure(db.transaction(async (tx) => {
      await tx.run(insert, [1])
      throw mine
    }))
    t.equal(err, mine)
    t.equal(await count(db), 0)
    const sync = await failure(db.transaction((tx) => { tx.run(insert, [1]); throw mine }))
    t.equal(sync, mine, 'thrown before the first await')
    t.equal(await count(db), 0)
    t.equal(await failure(db.transaction(async () => { throw undefined })), undefined, 'even undefined')
  })

  t.test('statements that were not awaited belong to it', async (t) => {
    const db = await ready(t)
    await db.transaction(async (tx) => {
      for (let i = 0; i < 10; i++) tx.run(insert, [i])
    })
    t.equal(await count(db), 10, 'all ran before the commit')
    const err = await failure(db.transaction(async (tx) => {
      tx.run(insert, [100])
      tx.run('insert into nowhere values (1)').catch(() => {})
    })).catch(() => undefined)
    t.ok(err === undefined || [code.noTable, 'UC_TX_CLOSED'].includes(err.code), 'a caught failure is the caller\'s business')
  })

  t.test('a failing statement is undone alone; the transaction goes on', open.only('sqlite', 'aborted'), async (t) => {
    const db = await ready(t)
    await db.exec('create unique index u on t(a)')
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      t.equal((await failure(tx.run('insert into t(a) values (2), (1)'))).code, 'SQLITE_CONSTRAINT_UNIQUE')
      t.equal((await tx.get('select count(*) as n from t')).n, 1, 'its rows are gone, the earlier one is not')
      await tx.run(insert, [3])
    })
    exact(t, await db.values('select a from t order by a'), [[1], [3]], 'committed')
  })

  t.test('a statement that ends the whole transaction makes it reject', open.only('sqlite', 'conflicts'), async (t) => {
    const db = await ready(t)
    await db.exec('create unique index u on t(a)')
    const err = await failure(db.transaction(async (tx) => {
      await tx.run(insert, [1])
      t.equal((await failure(tx.run('insert or rollback into t(a) values (1)'))).code, 'SQLITE_CONSTRAINT_UNIQUE')
      const next = await failure(tx.run(insert, [2]))
      t.match(next.code, /^UC_TX_/, 'what follows is not run on its own')
    }))
    t.match(err.code, /^(UC_TX_CLOSED|UC_TX_EXPIRED|SQLITE_CONSTRAINT_UNIQUE)$/, 'it cannot pretend to have committed')
    t.equal(await count(db), 0, 'nothing is half-done')
    t.equal((await db.run(insert, [9])).changes, 1, 'the handle goes on')
  })

  t.test('a deferred violation fails the commit', async (t) => {
    const db = await ready(t)
    await db.exec('create table p(id int primary key); create table c(p int references p(id) deferrable initially deferred)')
    const err = await failure(db.transaction(async (tx) => {
      await tx.run('insert into c values (1)')
      await tx.run(insert, [1])
    }))
    t.equal(err.code, code.foreignKey)
    t.equal(await count(db), 0, 'rolled back')
    await db.transaction(async (tx) => {
      await tx.run('insert into c values (1)')
      await tx.run('insert into p values (1)')
    })
    t.equal((await db.get('select count(*) as n from c')).n, 1, 'one that is mended in time commits')
  })

  t.test('nested: savepoints', async (t) => {
    const db = await ready(t)
    const value = await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      const inner = await tx.transaction(async (tx2) => {
        await tx2.run(insert, [2])
        await failure(tx2.transaction(async (tx3) => {
          await tx3.run(insert, [3])
          throw new Error('only the third')
        }))
        t.equal((await tx2.get('select count(*) as n from t')).n, 2, 'the third is undone')
        return 'inner'
      })
      t.equal(inner, 'inner')
      await failure(tx.transaction(async (tx2) => {
        await tx2.run(insert, [4])
        throw new Error('only the fourth')
      }))
      await tx.run(insert, [5])
      return 'outer'
    })
    t.equal(value, 'outer')
    exact(t, await db.values('select a from t order by a'), [[1], [2], [5]], 'what is left')
    await failure(db.transaction(async (tx) => {
      await tx.transaction((tx2) => tx2.run(insert, [6]))
      throw new Error('everything')
    }))
    t.equal(await count(db), 3, 'the outer one undoes a released inner one')
  })

  t.test('nested five deep, and one after the other', async (t) => {
    const db = await ready(t)
    const deep = async (tx, n) => {
      await tx.run(insert, [n])
      if (n < 5) await tx.transaction((inner) => deep(inner, n + 1))
    }
    await db.transaction(async (tx) => {
      for (let i = 0; i < 5; i++) await deep(tx, 1)
    })
    t.equal(await count(db), 25)
  })

  t.test('two transactions at once take turns', async (t) => {
    const db = await ready(t)
    await db.run(insert, [0])
    await Promise.all(Array.from({ length: 20 }, () => db.transaction(async (tx) => {
      const { a } = await tx.get(`select a from t where id = 1${open.engine === 'pg' ? ' for update' : ''}`)
      await delay(1)
      await tx.run('update t set a = ? where id = 1', [a + 1])
    })))
    exact(t, await db.get('select a from t where id = 1'), { a: 20 }, 'no update is lost')
  })

  t.test('writes of the handle wait for its end, in order', open.only('sqlite', 'turns'), async (t) => {
    const db = await ready(t)
    let ended = false
    const tx = db.transaction(async (tx) => {
      await tx.run(insert, ['tx'])
      await delay(80)
      ended = true
    })
    await delay(20)
    const write = db.run(insert, ['after']).then(() => t.ok(ended, 'the write waited'))
    const read = db.get("select count(*) as n from t where a = 'after'").then((row) => t.equal(row.n, 1, 'the read behind it too'))
    await Promise.all([tx, write, read])
    exact(t, (await db.values('select a from t order by id')).map(([a]) => a), ['tx', 'after'], 'in order')
  })

  t.test('reads do not wait for it', async (t) => {
    const db = await ready(t)
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      const start = clock()
      t.equal(await count(db), 0)
      t.ok(elapsed(start) < 9000)
    })
  })

  t.test('another handle waits with a deadline', open.only('sqlite', 'turns'), async (t) => {
    const file = open.file(t)
    const a = open.at(t, file, { transactionTimeoutMs: 600000 }).db
    const b = open.at(t, file, { transactionTimeoutMs: 600000 }).db
    await a.exec('create table t(id integer primary key, a)')
    t.equal(await count(b), 0, 'both are there')
    await a.transaction(async (tx) => {
      await tx.run(insert, [1])
      const err = await overdue(300, (o) => b.run(insert, [2], o))
      t.equal(err.code, 'UC_TIMEOUT')
      t.equal(err.outcome, 'not-run')
    })
    t.equal(await count(b), 1, 'it never ran')
    let done = false
    const begun = gate()
    const tx = a.transaction(async (tx) => { await tx.run(insert, [3]); begun.open(); await delay(60); done = true })
    await begun.opened
    await b.run(insert, [4])
    t.ok(done, 'with more time it gets its turn')
    await tx
  })

  t.test('db used inside its own transaction is told apart: UC_TX_SELF', async (t) => {
    const db = await ready(t)
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      const start = clock()
      for (const [name, call] of Object.entries({
        run: () => db.run(insert, [2]),
        exec: () => db.exec('insert into t(a) values (2)'),
        many: () => db.many(insert, [[2]]),
        batch: () => db.batch([[insert, [2]]]),
        transaction: () => db.transaction(async () => {}),
        'prepare().run': () => db.prepare(insert).run([2])
      })) t.equal((await failure(call)).code, 'UC_TX_SELF', name)
      t.ok(elapsed(start) < 9000, 'at once')
      const helper = async () => { await delay(1); return db.run(insert, [2]) }
      t.equal((await failure(helper())).code, 'UC_TX_SELF', 'also in what the callback calls')
    })
    t.equal(await count(db), 1)
  })

  t.test('a statement inside is refused by what it is, not by how it is written', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 600000, readers: 2 })
    if (open.engine === 'sqlite') await db.exec('create temp table mine(a); create index ia on t(a)')
    const waits = (i) => [
      `insert into t(a) values (${i}) returning a`,
      `/* ${i} */ insert into t(a) values (2) returning a`,
      `-- ${i}\nupdate t set a = 2 returning a`,
      `with x(v) as (values (${i})) insert into t(a) select v from x returning a`,
      `with x(v) as (values (${i})) delete from t where a in (select v from x) returning a`,
      ...open.engine === 'sqlite' ? ownWaits(i) : []
    ]
    const ownWaits = (i) => [
      `-- ${i}\n;; update t set a = 2 returning a`,
      `pragma user_version = ${i}`,
      `/* ${i} */ pragma wal_checkpoint`,
      `vacuum -- ${i}`,
      `select count(*) + ${i} from mine`,
      `with x as (select a from mine) select ${i} from x`
    ]
    const reads = (i) => [
      `select a as n, ${i} from t`,
      `/* insert */ with x as (select a from t) select a, ${i} from x`,
      `explain select a, ${i} from t`,
      ...open.engine === 'sqlite' ? [`; values (${i})`, 'pragma table_info(t)'] : [`values (${i})`]
    ]
    const verbs = {
      get: (sql) => db.get(sql),
      all: (sql) => db.all(sql),
      values: (sql) => db.values(sql),
      json: (sql) => db.json(sql),
      iterate: (sql) => db.iterate(sql).next(),
      prepare: (sql) => db.prepare(sql).get()
    }
    let i = 0
    for (const known of [...waits(0), ...reads(0)]) await db.get(known).catch(() => {})
    const check = async (what) => {
      for (const [verb, call] of Object.entries(verbs)) {
        for (const sql of [...waits(0), ...waits(++i)]) {
          const err = await failure(call(sql))
          t.equal(err.code, 'UC_TX_SELF', `${what}, ${verb}: ${sql}`)
          t.equal(err.outcome, 'not-run')
        }
        for (const sql of [...reads(0), ...reads(++i)]) await call(sql)
        t.equal((await failure(call(`select ${i} from nowhere`))).code, code.noTable, 'what cannot be told does not wait either')
      }
    }
    await db.run('delete from t')
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      await check('in a transaction')
      await tx.transaction(() => check('in a nested one'))
      // New statements meet the writer at work, and cannot be looked at at once.
      const busy = Promise.all(Array.from({ length: 3 }, () => tx.get(`${slow(100000)} select count(*) from c`)))
      const met = await Promise.all([...waits('70'), ...waits('71')].map((sql) => failure(db.all(sql))))
      t.ok(met.every((err) => err.code === 'UC_TX_SELF'), 'beside its statements')
      await Promise.all(reads('72').map((sql) => db.all(sql)))
      t.equal((await failure(db.all('select 73 from nowhere'))).code, code.noTable)
      await busy
    })
    exact(t, await db.values('select a from t'), [[1]], 'nothing of it ran')
    if (open.engine === 'sqlite') exact(t, await db.get('pragma user_version'), { user_version: 0 })
  })

  t.test('a read inside does not wait for what others have queued behind the transaction', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 600000 })
    const read = 'select a as n from t'
    await db.run(insert, [0])
    const queue = gate()
    const queued = queue.opened.then(() => db.run('update t set a = a + 10'))
    await db.transaction(async (tx) => {
      await tx.run('update t set a = a + 1')
      queue.open()
      await delay(0)
      exact(t, await db.get(read), { n: 0 }, 'get')
      exact(t, (await db.iterate(read).next()).value, { n: 0 }, 'iterate')
      exact(t, await db.snapshot((s) => s.get(read)), { n: 0 }, 'snapshot')
    })
    await queued
    exact(t, await db.get(read), { n: 11 }, 'both are written')
  })

  t.test('what the callback started may use db when the transaction is over', async (t) => {
    const db = await ready(t)
    let later
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      later = delay(50).then(() => db.run(insert, [2]))
    })
    exact(t, (await later).changes, 1, 'no UC_TX_SELF afterwards')
  })

  t.test('inside a transaction of another database, db is free', async (t) => {
    const one = await ready(t)
    const two = await ready(t)
    await one.transaction(async (tx) => {
      await tx.run(insert, [1])
      await two.run(insert, [1])
      await two.transaction((tx2) => tx2.run(insert, [2]))
    })
    t.equal(await count(two), 2)
  })

  t.test('a transaction that is over is closed: UC_TX_CLOSED', async (t) => {
    const db = await ready(t)
    let kept, nested
    await db.transaction(async (tx) => {
      kept = tx
      await tx.transaction(async (inner) => { nested = inner })
      t.match((await failure(() => nested.run(insert, [1]))).code, /^UC_TX_CLOSED$/, 'a nested one that is over')
    })
    for (const call of [() => kept.run(insert, [1]), () => kept.get('select 1'), () => kept.all('select 1'), () => kept.exec('select 1'),
      () => kept.many(insert, [[1]]), () => kept.batch([[insert, [1]]]), () => kept.transaction(async () => {}), () => kept.prepare(insert).run([1]),
      async () => { for await (const row of kept.iterate('select 1')) t.comment(row) }]) {
      t.equal((await failure(call)).code, 'UC_TX_CLOSED')
    }
    await failure(db.transaction(async (tx) => { kept = tx; throw new Error('x') }))
    t.equal((await failure(() => kept.run(insert, [1]))).code, 'UC_TX_CLOSED', 'after a rollback too')
    t.equal(await count(db), 0)
  })

  t.test('the outer one cannot be used to slip past an open inner one', async (t) => {
    const db = await ready(t)
    await db.transaction(async (tx) => {
      const inner = tx.transaction(async (tx2) => {
        await tx2.run(insert, [1])
        await delay(30)
        throw new Error('undo the inner one')
      })
      const outer = tx.run(insert, [2]).then(() => true, (err) => err.code)
      await failure(inner)
      const kept = await outer
      const rows = (await tx.values('select a from t')).map(([a]) => a)
      if (kept === true) exact(t, rows, [2], 'an acknowledged statement of the outer one is not undone by the inner one')
      else t.match(kept, /^UC_TX_/, 'or it is refused')
    })
  })

  const standing = "select count(*) as n from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'"
  const expired = (db) => until(async () => open.engine === 'pg'
    ? (await db.get(standing)).n === 0
    : !(await db.stats()).writer.transactionOpen, 'it is rolled back')

  t.test('time-out: rolled back, the writer is free, the late callback is told', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 120 })
    let late
    const err = await failure(db.transaction(async (tx) => {
      await tx.run(insert, [1]).catch(() => {})
      await expired(db)
      late = await failure(tx.run(insert, [2]))
      throw late
    }))
    t.match(err.code, /^UC_TX_EXPIRED$/)
    t.equal(err.kind, 'timeout')
    t.match(late.code, /^UC_TX_(EXPIRED|CLOSED)$/, 'a statement after it')
    t.equal(await count(db), 0)
    t.equal((await db.run(insert, [9])).changes, 1, 'the writer is free')
    t.equal(await count(db), 1, 'the late one did not run')
  })

  t.test('time-out while others wait for what it has written', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 120 })
    await db.run(insert, [0])
    const held = gate()
    const written = gate()
    const tx = failure(db.transaction(async (tx) => {
      await tx.run('update t set a = a + 1')
      written.open()
      await held.opened
    }))
    await written.opened
    t.equal((await db.run('update t set a = a + 10')).changes, 1, 'the one that waited gets its turn')
    held.open()
    t.equal((await tx).code, 'UC_TX_EXPIRED')
    exact(t, await db.values('select a from t'), [[10]], 'nothing of it is left')
  })

  t.test('a callback that swallows the expiry does not commit', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 80 })
    const err = await failure(db.transaction(async (tx) => {
      await tx.run(insert, [1])
      await expired(db)
      await tx.run(insert, [2]).catch(() => {})
      return 'fine'
    }))
    t.equal(err.code, 'UC_TX_EXPIRED')
    t.equal(await count(db), 0)
  })

  t.test('a statement inside that runs away is stopped by the transaction\'s limit', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 200 })
    const start = clock()
    const err = await failure(db.transaction((tx) => tx.run(`${runaway} insert into t(a) select count(*) from c`)))
    t.match(err.code, /^UC_(TX_EXPIRED|TIMEOUT)$/)
    t.ok(elapsed(start) < 15000, `after ${Math.round(elapsed(start))} ms`)
    t.equal(await count(db), 0)
    t.equal((await db.run(insert, [1])).changes, 1)
  })

  t.test('a statement inside with its own deadline', open.only('sqlite', 'aborted'), async (t) => {
    const db = await ready(t)
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      t.equal((await failure(tx.get(`${runaway} select count(*) from c`, [], { timeoutMs: 60 }))).code, 'UC_TIMEOUT')
      t.equal((await tx.get('select count(*) as n from t')).n, 1, 'a stopped read leaves the transaction as it is')
    })
    t.equal(await count(db), 1)
  })

  t.test('loose transaction statements inside are refused', async (t) => {
    const db = await ready(t)
    await db.transaction(async (tx) => {
      for (const sql of ['begin', 'commit', 'rollback', 'savepoint s', 'release s']) {
        t.equal((await failure(tx.run(sql))).code, 'UC_SQL_TRANSACTION', sql)
        t.equal((await failure(tx.exec(sql))).code, 'UC_SQL_TRANSACTION', `exec ${sql}`)
      }
      await tx.run(insert, [1])
    })
    t.equal(await count(db), 1)
    const err = await failure(db.transaction((tx) => tx.run('vacuum')))
    t.ok(err.code, `vacuum cannot run inside: ${err.code}`)
  })

  t.test('many and batch inside are atomic for themselves', open.only('sqlite', 'aborted'), async (t) => {
    const db = await ready(t)
    await db.exec('create unique index u on t(a)')
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      t.equal((await failure(tx.many(insert, [[2], [1]]))).code, 'SQLITE_CONSTRAINT_UNIQUE')
      t.equal((await failure(tx.batch([[insert, [3]], [insert, [1]]]))).code, 'SQLITE_CONSTRAINT_UNIQUE')
      t.equal((await failure(tx.exec('insert into t(a) values (4); insert into t(a) values (1)'))).code, 'SQLITE_CONSTRAINT_UNIQUE')
    })
    exact(t, await db.values('select a from t'), [[1]], 'nothing of them')
  })

  t.test('a wrong callback', async (t) => {
    const db = await ready(t)
    for (const fn of [undefined, null, 1, 'sql', {}]) {
      const err = await failure(() => db.transaction(fn))
      t.match(err.message, /function/, String(fn))
    }
    t.equal((await db.run(insert, [1])).changes, 1, 'no transaction is left open')
  })

  t.test('a hundred transactions and a hundred writes, mixed', async (t) => {
    const db = await ready(t)
    const calls = []
    for (let i = 0; i < 100; i++) {
      calls.push(db.run(insert, [i]))
      calls.push(db.transaction(async (tx) => {
        await tx.run(insert, [i])
        if (i % 10 === 0) throw Object.assign(new Error('x'), { code: 'MINE' })
        await tx.run(insert, [i])
      }))
    }
    const done = await outcomes(calls)
    t.equal(done.filter((one) => one === 'MINE').length, 10)
    t.equal(done.filter((one) => one === 'fulfilled').length, 190)
    t.equal(await count(db), 100 + 90 * 2)
  })

  // ---- several at once -------------------------------------------------------------

  t.test('levels of isolation: what is no level is refused, and a nested one has none', async (t) => {
    const db = await ready(t)
    for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
      await db.transaction((tx) => tx.run(insert, [1]), { isolation, retries: 1 })
    }
    t.equal(await count(db), 3, 'each of them is taken')
    for (const opts of [{ isolation: 'none' }, { isolation: 1 }, { isolation: null }, { retries: -1 }, { retries: 0.5 }, { retries: '1' }, { retries: Infinity }]) {
      const err = await failure(db.transaction(async () => {}, opts))
      t.equal(err.code, 'UC_OPTION', JSON.stringify(opts))
    }
    for (const opts of [{ isolation: 'serializable' }, { retries: 1 }]) {
      const err = await failure(db.transaction((tx) => tx.transaction(async () => {}, opts)))
      t.equal(err.code, 'UC_OPTION', `nested: ${JSON.stringify(opts)}`)
      t.equal((await failure(db.snapshot(async () => {}, opts))).code, 'UC_OPTION', `snapshot: ${JSON.stringify(opts)}`)
    }
  })

  t.test('a read sees each transaction of the handle that was asked to end before it', async (t) => {
    const db = await ready(t)
    for (let i = 0; i < 40; i++) {
      const held = gate()
      const first = db.transaction(async (tx) => { await tx.run(insert, [i]); await held.opened })
      if (open.engine === 'sqlite') held.open() // they take turns
      await db.transaction((tx) => tx.run(insert, [1000 + i]))
      exact(t, await db.get('select count(*) as n from t where a = ?', [1000 + i]), { n: 1 }, 'one that began later and ended earlier')
      held.open()
      await first
      exact(t, await db.get('select count(*) as n from t where a = ?', [i]), { n: 1 }, 'one that began earlier and ended later')
    }
    const three = [1, 2, 3].map((n) => db.transaction(async (tx) => { await tx.run(insert, [5000 + n]) }))
    await Promise.all(three)
    exact(t, await db.get('select count(*) as n from t where a > 5000'), { n: 3 }, 'all that ended in one turn')
  })

  t.test('retries: what met another transaction runs again, as often as asked for', open.only('pg', 'turns'), async (t) => {
    const file = open.file(t)
    const { db } = open.at(t, file)
    await db.exec(`create table t(id ${id}, a int)`)
    await db.run(insert, [0])
    const add = (opts) => db.transaction(async (tx) => {
      const { a } = await tx.get('select a from t where id = 1')
      await tx.run('update t set a = ? where id = 1', [a + 1])
    }, opts)
    await Promise.all(Array.from({ length: 12 }, () => add({ isolation: 'serializable', retries: 100 })))
    exact(t, await db.get('select a from t where id = 1'), { a: 12 }, 'no update is lost')

    // Two that are bound to meet: each has read before either writes.
    const meet = async (opts) => {
      const read = [gate(), gate()]
      const runs = [0, 0]
      const done = await Promise.allSettled([0, 1].map((i) => db.transaction(async (tx) => {
        runs[i]++
        const { a } = await tx.get('select a from t where id = 1')
        read[i].open()
        await read[1 - i].opened
        await tx.run('update t set a = ? where id = 1', [a + 1])
      }, opts)))
      return { runs, done }
    }
    const { runs, done } = await meet({ isolation: 'repeatable read' })
    const failed = done.filter((one) => one.status === 'rejected')
    t.equal(failed.length, 1, 'without retries one of them fails')
    t.equal(failed[0].reason.code, 'PG_SERIALIZATION_FAILURE')
    t.equal(failed[0].reason.kind, 'busy')
    t.equal(failed[0].reason.retryable, true)
    exact(t, runs, [1, 1], 'each ran once')
    const again = await meet({ isolation: 'repeatable read', retries: 1 })
    exact(t, again.done.map((one) => one.status), ['fulfilled', 'fulfilled'], 'with one they succeed')
    t.equal(again.runs[0] + again.runs[1], 3, 'one of them ran twice')
    exact(t, await db.get('select a from t where id = 1'), { a: 15 })

    let runs2 = 0
    const swallowed = await failure(db.transaction(async (tx) => {
      runs2++
      await tx.get('select a from t where id = 1')
      open.server.sql('update t set a = 100 where id = 1', open.server.nameOf(file))
      await tx.run('update t set a = 1 where id = 1').catch(() => {})
    }, { isolation: 'repeatable read', retries: 2 }))
    t.equal(swallowed.code, 'UC_TX_CLOSED', 'a callback that swallows the conflict')
    t.equal(runs2, 3, 'runs again all the same')
    const mine = new Error('mine')
    t.equal(await failure(db.transaction(async () => { throw mine }, { retries: 5 })), mine, 'an error of the callback does not')
    t.equal((await failure(db.transaction((tx) => tx.run('select nothing'), { retries: 5 }))).code, code.noColumn, 'nor does another one')
  })

  t.test('a deadlock ends one of them, and retries mend it', open.only('pg', 'turns'), async (t) => {
    const db = await ready(t)
    await db.many(insert, [[0], [0]])
    const cross = async (opts) => {
      const has = [gate(), gate()]
      return Promise.allSettled([0, 1].map((i) => db.transaction(async (tx) => {
        await tx.run('update t set a = a + 1 where id = ?', [1 + i])
        has[i].open()
        await has[1 - i].opened
        await tx.run('update t set a = a + 1 where id = ?', [2 - i])
      }, opts)))
    }
    const failed = (await cross({})).filter((one) => one.status === 'rejected')
    t.equal(failed.length, 1)
    t.equal(failed[0].reason.code, 'PG_DEADLOCK_DETECTED')
    exact(t, (await cross({ retries: 3 })).map((one) => one.status), ['fulfilled', 'fulfilled'])
    exact(t, await db.values('select a from t order by id'), [[3], [3]], 'three transactions, each as a whole')
  })

  t.test('an error ends it; a nested one keeps it from that', open.only('pg', 'aborted'), async (t) => {
    const db = await ready(t)
    await db.exec('create unique index u on t(a)')
    const err = await failure(db.transaction(async (tx) => {
      await tx.run(insert, [1])
      t.equal((await failure(tx.run('insert into t(a) values (2), (1)'))).code, code.unique)
      const next = await failure(tx.get('select 1'))
      t.equal(next.code, 'PG_IN_FAILED_SQL_TRANSACTION', 'what follows is refused')
      t.match(next.message, /duplicate key/, 'and says why')
    }))
    t.equal(err.code, 'UC_TX_CLOSED', 'it cannot pretend to have committed')
    t.equal(err.outcome, 'not-run')
    t.match(err.message, /duplicate key/)
    t.equal(await count(db), 0, 'nothing of it is left')
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      for (const call of [(n) => n.run('insert into t(a) values (2), (1)'), (n) => n.many(insert, [[2], [1]]), (n) => n.batch([[insert, [2]], [insert, [1]]]),
        (n) => n.exec('insert into t(a) values (2); insert into t(a) values (1)'), (n) => n.get('select pg_sleep(5)', [], { timeoutMs: 60 })]) {
        const err = await failure(tx.transaction(call))
        t.ok([code.unique, 'UC_TIMEOUT'].includes(err.code), err.code)
      }
      await tx.run(insert, [3])
    })
    exact(t, await db.values('select a from t order by a'), [[1], [3]], 'committed')
  })

  t.test('a connection that goes away takes its transaction along, and says so', open.only('pg', 'blocking'), async (t) => {
    const db = await ready(t)
    const cut = (pid) => open.server.sql(`select pg_terminate_backend(${pid})`)
    const pidOf = async (tx) => (await tx.get('select pg_backend_pid() as pid')).pid
    const idle = await failure(db.transaction(async (tx) => {
      await tx.run(insert, [1])
      cut(await pidOf(tx))
      const err = await failure(until(() => tx.get('select 1').then(() => false), 'it is cut'))
      t.equal(err.kind, 'connection', 'a statement after it')
      t.equal(err.outcome, 'not-run')
      t.equal((await failure(tx.transaction((n) => n.run(insert, [1])))).kind, 'connection', 'a nested one')
    }))
    t.equal(idle.code, 'UC_CONNECTION_LOST', 'the commit')
    t.equal(idle.outcome, 'not-run', 'which has not been')
    const running = await failure(db.transaction(async (tx) => {
      await tx.run(insert, [2])
      const pid = await pidOf(tx)
      const under = failure(tx.get('select pg_sleep(600)'))
      await until(() => open.server.sql(`select count(*) from pg_stat_activity where pid = ${pid} and query like '%pg_sleep%' and state = 'active'`) === '1', 'it runs')
      cut(pid)
      const err = await under
      t.equal(err.kind, 'connection', 'a statement under way')
      t.equal(err.outcome, 'not-run')
      throw err
    }))
    t.equal(running.kind, 'connection')
    t.equal(await count(db), 0, 'nothing of them is left')
    t.equal(await db.transaction((tx) => tx.run(insert, [3]).then(() => 'fine')), 'fine', 'the next one has another connection')
  })

  t.test('in memory', open.only('sqlite', 'memory'), async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec('create table t(id integer primary key, a)')
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      const seen = []
      for await (const row of tx.iterate('select a from t')) seen.push(row.a)
      exact(t, seen, [1], 'iterate')
    })
    await failure(db.transaction(async (tx) => { await tx.run(insert, [2]); throw new Error('undo') }))
    t.equal(await count(db), 1)
  })

  if (!open.sync) return

  t.test('a sync write while an async transaction is open rejects at once: UC_TX_OPEN', async (t) => {
    const db = await ready(t)
    const begun = gate()
    const held = gate()
    const body = async (tx) => {
      await tx.run(insert, [1])
      const start = clock()
      for (const call of [() => db.sync.run(insert, [2]), () => db.sync.exec('insert into t(a) values (2)'), () => db.sync.many(insert, [[2]]),
        () => db.sync.transaction(() => {}), () => db.sync.batch([[insert, [2]]])]) {
        t.match((await failure(call)).code, /^UC_TX_(OPEN|SELF)$/)
      }
      t.ok(elapsed(start) < 9000, 'at once')
      t.equal(db.sync.get('select count(*) as n from t').n, 0, 'sync reads go on, and see the state before')
      begun.open()
      return held.opened
    }
    const tx = db.transaction(body)
    await begun.opened
    const start = clock()
    const err = await failure(() => db.sync.run(insert, [3]))
    t.equal(err.code, 'UC_TX_OPEN', 'outside of its callback')
    t.ok(elapsed(start) < 9000)
    held.open()
    await tx
    t.equal(db.sync.run(insert, [4]).changes, 1, 'afterwards it writes')
  })
}
