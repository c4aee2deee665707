'use strict'

// db.snapshot: several reads, one view.

const { exact, failure, gate, until } = require('../../helper')

module.exports = (t, open) => {
  const { code, pins } = open.sql
  const isPg = open.engine === 'pg'
  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec('create table t(a int); insert into t values (1)')
    return store.db
  }

  t.test('every read of it sees the same state', async (t) => {
    const db = await ready(t)
    const value = await db.snapshot(async (s) => {
      exact(t, await s.get('select count(*) as n from t'), { n: 1 }, 'before the write')
      await db.run('insert into t values (2)')
      await db.many('insert into t values (?)', [[3], [4]])
      exact(t, await db.get('select count(*) as n from t'), { n: 4 }, 'the handle sees the writes')
      exact(t, await s.get('select count(*) as n from t'), { n: 1 }, 'get')
      exact(t, await s.all('select a from t'), [{ a: 1 }], 'all')
      exact(t, await s.values('select a from t'), [[1]], 'values')
      t.equal((await s.json('select a from t')).toString(), '[{"a":1}]', 'json')
      const seen = []
      for await (const row of s.iterate('select a from t')) seen.push(row.a)
      exact(t, seen, [1], 'iterate')
      exact(t, await s.prepare('select a from t where a = ?').all([1]), [{ a: 1 }], 'prepare')
      return 'value'
    })
    t.equal(value, 'value')
    exact(t, await db.get('select count(*) as n from t'), { n: 4 }, 'afterwards')
  })

  t.test('the view is of its beginning, not of its first read', async (t) => {
    const db = await ready(t)
    await db.snapshot(async (s) => {
      await db.run('insert into t values (2)')
      exact(t, await s.get('select count(*) as n from t'), { n: 1 }, 'the later write is not in it')
    })
  })

  t.test('it sees the writes issued before it', async (t) => {
    const db = await ready(t)
    db.run('insert into t values (2)')
    exact(t, await db.snapshot((s) => s.get('select count(*) as n from t')), { n: 2 }, 'awaited or not')
  })

  t.test('unawaited reads belong to it', async (t) => {
    const db = await ready(t)
    const reads = await db.snapshot(async (s) => Promise.all(Array.from({ length: 30 }, (_, i) => s.get(`select count(*) + ${open.sql.as('?', 'int')} as n from t`, [i]))))
    exact(t, reads.map((row) => row.n), Array.from({ length: 30 }, (_, i) => i + 1), 'in order')
  })

  t.test('it does not write', async (t) => {
    const db = await ready(t)
    await db.snapshot(async (s) => {
      for (const verb of ['run', 'exec', 'many', 'batch']) t.equal(s[verb], undefined, `no ${verb}`)
      const err = await failure(() => s.get('insert into t values (2) returning a'))
      t.equal(err.code, 'UC_SQL_READONLY')
      t.equal(err.kind, 'readonly')
      t.equal((await failure(() => s.all('create table u(a int)'))).code, 'UC_SQL_READONLY')
      exact(t, await s.get('select count(*) as n from t'), { n: 1 }, 'it goes on')
    })
    exact(t, await db.get('select count(*) as n from t'), { n: 1 }, 'nothing was written')
  })

  t.test('what it sees may be gone, and what is refused elsewhere is refused in it', async (t) => {
    const db = await ready(t)
    await db.exec('create table old(a int); insert into old values (7)')
    await db.snapshot(async (s) => {
      // On PostgreSQL a table that is read cannot be dropped, and what is a table is never seen as of before.
      if (isPg) await db.exec('delete from old')
      else await db.exec('drop table old; create table young(a)')
      exact(t, await s.all('select a from old where a > 0'), [{ a: 7 }], 'what has gone since')
      t.equal((await failure(s.get('select * from young'))).code, code.noTable, isPg ? 'one that is not there' : 'one that has been made since')
      for (const [sql, code] of Object.entries({
        [isPg ? 'set transaction_read_only = off' : 'pragma query_only = 0']: 'UC_SQL_CONNECTION',
        'select 1; select 2': 'UC_SQL_MULTI',
        ' -- nothing': 'UC_SQL_EMPTY',
        '/* */ commit': 'UC_SQL_TRANSACTION',
        'insert into old values (1) returning a': 'UC_SQL_READONLY'
      })) {
        for (const verb of ['get', 'all', 'values', 'json']) t.equal((await failure(s[verb](sql))).code, code, `${verb}: ${sql}`)
        t.equal((await failure(s.iterate(sql).next())).code, code, `iterate: ${sql}`)
      }
      exact(t, await s.get('select a from old'), { a: 7 }, 'the view is as it was')
    })
  })

  t.test('the handle writes inside without UC_TX_SELF', async (t) => {
    const db = await ready(t)
    await db.snapshot(async (s) => {
      await db.run('insert into t values (2)')
      await db.transaction((tx) => tx.run('insert into t values (3)'))
    })
    exact(t, await db.get('select count(*) as n from t'), { n: 3 }, 'both are there')
  })

  t.test('a throw ends it, with the very error', async (t) => {
    const db = await ready(t, { cursors: 1 })
    const mine = new Error('mine')
    t.equal(await failure(db.snapshot(async () => { throw mine })), mine)
    t.equal(await failure(db.snapshot(async (s) => { await s.get('select 1'); throw mine })), mine)
    await until(async () => (await db.snapshot((s) => s.get('select 1 as v')).catch(() => null))?.v === 1, 'its connection is free again')
  })

  t.test('a snapshot that is over is closed', async (t) => {
    const db = await ready(t)
    let kept
    await db.snapshot(async (s) => { kept = s })
    for (const call of [() => kept.get('select 1'), () => kept.all('select 1'), () => kept.json('select 1'), () => kept.prepare('select 1').get()]) {
      t.match((await failure(call)).code, /^UC_(TX|CURSOR|SNAPSHOT)?_?(CLOSED|EXPIRED)$/)
    }
  })

  t.test('it expires, and says so', async (t) => {
    const db = await ready(t, { transactionTimeoutMs: 100, cursors: 1 })
    const err = await failure(db.snapshot(async (s) => {
      await s.get('select 1')
      await until(async () => await pins(db) === 0, 'it is ended')
      return s.get('select 1')
    }))
    t.match(err.code, /_EXPIRED$/)
    t.equal(err.kind, 'timeout')
    await until(async () => (await db.snapshot((s) => s.get('select 1 as v')).catch(() => null))?.v === 1, 'its connection is free again')
  })

  t.test('more snapshots than connections', async (t) => {
    const db = await ready(t, { cursors: 2 })
    const end = gate()
    const begun = [gate(), gate()]
    const held = begun.map((one) => db.snapshot(async (s) => { await s.get('select 1'); one.open(); await end.opened }))
    await Promise.all(begun.map(({ opened }) => opened))
    const err = await failure(db.snapshot((s) => s.get('select 1 as v')))
    t.equal(err.code, 'UC_CURSORS')
    t.equal(err.retryable, true)
    end.open()
    await Promise.all(held)
    exact(t, await db.snapshot((s) => s.get('select 1 as v')), { v: 1 }, 'then there is room again')
  })

  t.test('two snapshots of different moments', async (t) => {
    const db = await ready(t)
    await db.snapshot(async (one) => {
      await one.get('select 1')
      await db.run('insert into t values (2)')
      await db.snapshot(async (two) => {
        await db.run('insert into t values (3)')
        const counts = await Promise.all([one, two, db].map((s) => s.get('select count(*) as n from t')))
        exact(t, counts.map((row) => row.n), [1, 2, 3], 'each its own')
      })
    })
  })

  t.test('a wrong callback', async (t) => {
    const db = await ready(t)
    for (const fn of [undefined, null, 'x', {}]) t.match((await failure(() => db.snapshot(fn))).message, /function/)
  })

  t.test('in memory there is no second view: it says so or it works', open.only('sqlite', 'memory'), async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec('create table t(a); insert into t values (1)')
    const done = await db.snapshot((s) => s.get('select count(*) as n from t')).catch((err) => err)
    if (done instanceof Error) t.match(done.code, /^UC_/, done.message)
    else exact(t, done, { n: 1 }, 'it works')
    t.equal((await db.run('insert into t values (2)')).changes, 1, 'and blocks nobody afterwards')
  })

  // Only a handle that opened the file itself knows that it is in memory.
  if (open.door !== 'addon' || isPg) return

  t.test('in memory: the handle, awaited inside its own snapshot or transaction', async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec('create table t(a)')
    const calls = {
      run: () => db.run('insert into t values (1)'),
      get: () => db.get('select 1'),
      all: () => db.all('select 1'),
      json: () => db.json('select 1'),
      iterate: () => db.iterate('select 1').next(),
      snapshot: () => db.snapshot(async () => {}),
      transaction: () => db.transaction(async () => {})
    }
    for (const way of ['snapshot', 'transaction']) {
      for (const [name, call] of Object.entries(calls)) {
        const err = await failure(db[way](call))
        t.equal(err.code, 'UC_TX_SELF', `${name} inside of a ${way}`)
      }
    }
    exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'afterwards it works')
  })
}
