'use strict'

// db.transaction: interactive, nested, bounded in time.

const { clock, delay, elapsed, exact, failure, gate, outcomes, overdue, runaway, slow, until } = require('../../helper')

module.exports = (t, open) => {
  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec('create table t(id integer primary key, a)')
    return store.db
  }
  const count = async (db) => (await db.get('select count(*) as n from t')).n
  const insert = 'insert into t(a) values (?)'

  t.test('commits and gives the callback\'s value', async (t) => {
    const db = await ready(t)
    const value = await db.transaction(async (tx) => {
      exact(t, await tx.run(insert, [1]), { changes: 1, lastInsertRowid: 1 }, 'run')
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
      exact(t, await tx.many(insert, [[3], [4]]), { changes: 2, lastInsertRowid: 4 }, 'many')
      const done = await tx.batch([[insert, [5]], ['select count(*) as n from t', []]])
      exact(t, done, [{ changes: 1, lastInsertRowid: 5 }, [{ n: 5 }]], 'batch')
      exact(t, await tx.all('select a from t where a > ?', [3]), [{ a: 4 }, { a: 5 }], 'all')
      exact(t, await tx.values('select a from t where a = :a', { a: 3 }), [[3]], 'values')
      t.equal((await tx.json('select a from t where a = 1')).toString(), '[{"a":1}]', 'json')
      const seen = []
      for await (const row of tx.iterate('select a from t order by id')) seen.push(row.a)
      exact(t, seen, [1, 2, 3, 4, 5], 'iterate')
      const q = tx.prepare('select a from t where id = ?')
      exact(t, await q.get([2]), { a: 2 }, 'prepare')
      exact(t, await tx.prepare(insert).run([6]), { changes: 1, lastInsertRowid: 6 }, 'prepare().run')
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
    t.ok(err === undefined || err.code === 'SQLITE_ERROR', 'a caught failure is the caller\'s business')
  })

  t.test('a failing statement is undone alone; the transaction goes on', async (t) => {
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

  t.test('a statement that ends the whole transaction makes it reject', async (t) => {
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
    await db.exec('create table p(id integer primary key); create table c(p references p(id) deferrable initially deferred)')
    const err = await failure(db.transaction(async (tx) => {
      await tx.run('insert into c values (1)')
      await tx.run(insert, [1])
    }))
    t.equal(err.code, 'SQLITE_CONSTRAINT_FOREIGNKEY')
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
      const { a } = await tx.get('select a from t where id = 1')
      await delay(1)
      await tx.run('update t set a = ? where id = 1', [a + 1])
    })))
    exact(t, await db.get('select a from t where id = 1'), { a: 20 }, 'no update is lost')
  })

  t.test('writes of the handle wait for its end, in order', async (t) => {
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

  t.test('another handle waits with a deadline', async (t) => {
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
    await db.exec('create temp table mine(a); create index ia on t(a)')
    const waits = (i) => [
      `insert into t(a) values (${i}) returning a`,
      `/* ${i} */ insert into t(a) values (2) returning a`,
      `-- ${i}\n;; update t set a = 2 returning a`,
      `with x(v) as (values (${i})) insert into t(a) select v from x returning a`,
      `with x(v) as (values (${i})) delete from t where a in x returning a`,
      `pragma user_version = ${i}`,
      `/* ${i} */ pragma wal_checkpoint`,
      `vacuum -- ${i}`,
      `select count(*) + ${i} from mine`,
      `with x as (select a from mine) select ${i} from x`
    ]
    const reads = (i) => [
      `select a as n, ${i} from t`,
      `/* insert */ with x as (select a from t) select a, ${i} from x`,
      `; values (${i})`,
      `explain select a, ${i} from t`,
      'pragma table_info(t)'
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
        t.equal((await failure(call(`select ${i} from nowhere`))).code, 'SQLITE_ERROR', 'what cannot be told does not wait either')
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
      t.equal((await failure(db.all('select 73 from nowhere'))).code, 'SQLITE_ERROR')
      await busy
    })
    exact(t, await db.values('select a from t'), [[1]], 'nothing of it ran')
    exact(t, await db.get('pragma user_version'), { user_version: 0 })
  })

  t.test('a read inside does not wait for what others have queued behind the transaction', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 600000 })
    const queue = gate()
    const queued = queue.opened.then(() => db.run(insert, [2]))
    await db.transaction(async (tx) => {
      await tx.run(insert, [1])
      queue.open()
      await delay(0)
      exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'get')
      exact(t, (await db.iterate('select count(*) as n from t').next()).value, { n: 0 }, 'iterate')
      exact(t, await db.snapshot((s) => s.get('select count(*) as n from t')), { n: 0 }, 'snapshot')
    })
    await queued
    t.equal(await count(db), 2, 'both are written')
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
        await tx2.run(insert, ['inner'])
        await delay(30)
        throw new Error('undo the inner one')
      })
      const outer = tx.run(insert, ['outer']).then(() => true, (err) => err.code)
      await failure(inner)
      const kept = await outer
      const rows = (await tx.values('select a from t')).map(([a]) => a)
      if (kept === true) exact(t, rows, ['outer'], 'an acknowledged statement of the outer one is not undone by the inner one')
      else t.match(kept, /^UC_TX_/, 'or it is refused')
    })
  })

  const expired = (db) => until(async () => !(await db.stats()).writer.transactionOpen, 'it is rolled back')

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

  t.test('time-out while others wait for the writer', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 120 })
    const held = gate()
    const tx = failure(db.transaction(async (tx) => {
      await tx.run(insert, [1])
      await held.opened
    }))
    await delay(20)
    t.equal((await db.run(insert, [2])).changes, 1, 'the one that waited gets its turn')
    held.open()
    t.equal((await tx).code, 'UC_TX_EXPIRED')
    exact(t, await db.values('select a from t'), [[2]], 'only its row')
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

  t.test('a statement inside with its own deadline', async (t) => {
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
      const err = await failure(tx.run('vacuum'))
      t.ok(err.code, `vacuum cannot run inside: ${err.code}`)
      await tx.run(insert, [1])
    })
    t.equal(await count(db), 1)
  })

  t.test('many and batch inside are atomic for themselves', async (t) => {
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

  t.test('in memory', async (t) => {
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
