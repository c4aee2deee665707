'use strict'

// What is stored while a transaction of the handle is open: it may have been made
// from what is not committed, and must not outlive a rollback nor be seen before the
// commit.

const { AsyncResource } = require('node:async_hooks')
const { exact, failure } = require('../../helper')

// What nobody else may see.
const UNCOMMITTED = -1

class Undone extends Error {
  constructor () {
    super('undone')
  }
}

module.exports = (t, open) => {
  const ready = async (t, options) => {
    const file = open.file(t)
    const [one, two] = [open.at(t, file, options), open.at(t, file, options)]
    await one.db.exec(`create table a(id ${open.sql.id}, v bigint); create table b(id ${open.sql.id}, v bigint); insert into a(v) values (0); insert into b(v) values (0)`)
    for (const store of [one, two]) await open.ready(store)
    return { one, two }
  }
  const wrote = 'update a set v = -1 where id = 1'
  const undo = async (db, fn) => {
    const err = await failure(db.transaction(async (tx) => {
      await tx.run(wrote)
      await fn(tx)
      throw new Undone()
    }))
    if (!(err instanceof Undone)) throw err
  }
  const read = (verbs) => async () => (await verbs.get('select v from a where id = 1')).v

  for (const firstLevel of [undefined, false]) {
    const how = firstLevel === false ? 'without a first level' : 'with a first level'
    const options = { cache: { firstLevel } }

    t.test(`${how}: what is stored in the turn of the write`, async (t) => {
      const { one, two } = await ready(t, options)
      const { cache } = one
      const ties = { tables: ['a'] }
      for (let i = 0; i < 50; i++) {
        const err = await failure(one.db.transaction(async (tx) => {
          const written = tx.run(wrote)
          const stored = await Promise.allSettled([cache.set('k', UNCOMMITTED, ties), cache.setMany([['l', UNCOMMITTED]], ties),
            cache.compareAndSet('m', undefined, UNCOMMITTED, ties), cache.incr('n', 1, ties), tx.get('select v from a where id = 1')])
          exact(t, stored.map((one) => one.value ?? one.reason.code), [false, 0, 'UC_TX_OPEN', 'UC_TX_OPEN', { v: UNCOMMITTED }], 'not stored')
          await written
          throw new Undone()
        }))
        if (!(err instanceof Undone)) throw err
        for (const key of ['k', 'l', 'm', 'n']) exact(t, [await cache.get(key), await two.cache.get(key)], [undefined, undefined], key)
        t.equal(await cache.set('after', i, ties), true, 'as soon as it has ended')
        await one.db.transaction((tx) => tx.run('update b set v = v + 1'))
        t.equal(await cache.set('after', i, ties), true, 'committed as well')
      }
    })

    for (const [what, ties] of [['a table', { tables: ['a'] }], ['its name in capitals', { tables: ['MAIN.A'] }], ['a row', { rows: { a: [1] } }]]) {
      t.test(`${how}: what is loaded in a transaction that wrote is its caller's alone (${what})`, async (t) => {
        const { one, two } = await ready(t, options)
        await undo(one.db, async (tx) => {
          t.equal(await one.cache.wrap('k', read(tx), ties), UNCOMMITTED, 'given to its caller')
          exact(t, [await one.cache.get('k'), await two.cache.get('k')], [undefined, undefined], 'while it is open')
          t.equal(await two.cache.wrap('k', read(two.db), ties), 0, 'another handle loads and keeps what is committed')
        })
        t.equal(await one.cache.wrap('k', read(one.db), ties), 0, 'after the rollback')
        t.equal(await two.cache.get('k'), 0)
      })

      t.test(`${how}: set, setMany, incr and compareAndSet in it (${what})`, async (t) => {
        const { one, two } = await ready(t, options)
        const { cache } = one
        await cache.set('there', 1, ties)
        await undo(one.db, async (tx) => {
          const v = await read(tx)()
          exact(t, [await cache.set('k', v, ties), await cache.setMany([['l', v], ['m', v]], ties)], [false, 0], 'not stored')
          for (const change of [() => cache.incr('n', 1, ties), () => cache.incr('there'), () => cache.compareAndSet('o', undefined, v, ties)]) {
            const err = await failure(change())
            exact(t, [err.code, err.outcome], ['UC_TX_OPEN', 'not-run'], change.toString())
          }
          exact(t, await two.cache.getMany(['k', 'l', 'm', 'n', 'o', 'there']), [undefined, undefined, undefined, undefined, undefined, 1], 'others see nothing of it')
        })
        exact(t, await cache.getMany(['k', 'l', 'm', 'n', 'o', 'there']), [undefined, undefined, undefined, undefined, undefined, 1], 'after the rollback')
        exact(t, [await cache.set('k', 2, ties), await cache.incr('n', 1, ties)], [true, 1], 'from then on they store')
      })
    }

    t.test(`${how}: what does not belong to it is stored`, open.only('sqlite', 'unsure'), async (t) => {
      const { one, two } = await ready(t, options)
      await undo(one.db, async (tx) => {
        exact(t, [await one.cache.set('b', 1, { tables: ['b'] }), await one.cache.set('free', 2), await two.cache.set('a', 3, { tables: ['a'] })],
          [true, true, true], 'another table, none, another handle')
      })
      exact(t, await two.cache.getMany(['a', 'b', 'free']), [3, 1, 2])
      await one.db.transaction(async (tx) => {
        await tx.get('select * from a')
        t.equal(await one.cache.set('r', 1, { tables: ['a'] }), true, 'it has only read so far')
      })
      t.equal(await two.cache.get('r'), 1)
    })

    t.test(`${how}: a load that overlaps a rollback is not stored`, async (t) => {
      const { one, two } = await ready(t, options)
      let go
      const gone = new Promise((resolve) => { go = resolve })
      let loading
      let waiting
      let runs = 0
      await undo(one.db, async (tx) => {
        await new Promise((resolve) => {
          loading = one.cache.wrap('k', async () => {
            const v = await read(tx)()
            resolve()
            await gone
            return v
          }, { tables: ['a'] })
        })
        waiting = two.cache.wrap('k', async () => {
          runs++
          return read(two.db)()
        }, { tables: ['a'] })
        await two.cache.stats()
      })
      go()
      t.equal(await loading, UNCOMMITTED, 'its caller has what it read')
      t.equal(await waiting, 0, 'who waited for it loads')
      t.equal(runs, 1)
      t.equal(await one.cache.get('k'), 0)
    })

    t.test(`${how}: others who wait for the same key on the handle are not given it`, async (t) => {
      const { one } = await ready(t, options)
      const outside = new AsyncResource('outside')
      await undo(one.db, async (tx) => {
        const mine = one.cache.wrap('k', read(tx), { tables: ['a'] })
        const others = outside.runInAsyncScope(() => one.cache.wrap('k', read(one.db), { tables: ['a'] }))
        t.equal(await mine, UNCOMMITTED)
        t.equal(await others, 0)
      })
      t.equal(await one.cache.get('k'), undefined, 'nor is anything stored')
    })

    t.test(`${how}: a commit, a schema and a nested rollback`, async (t) => {
      const { one, two } = await ready(t, options)
      await one.db.transaction(async (tx) => {
        await tx.run('update a set v = 1')
        t.equal(await one.cache.wrap('k', read(tx), { tables: ['a'] }), 1)
        await tx.transaction(async (inner) => {
          await inner.run('update b set v = 1')
          throw new Undone()
        }).catch(() => {})
        t.equal(await one.cache.set('b', 1, { tables: ['b'] }), false, 'what a savepoint has undone counts as written')
      })
      exact(t, [await two.cache.get('k'), await one.cache.wrap('k', read(one.db), { tables: ['a'] })], [undefined, 1], 'after the commit it is loaded')
      await failure(one.db.transaction(async (tx) => {
        await tx.exec('alter table b add column w int')
        t.equal(await one.cache.set('a', 1, { tables: ['a'] }), false, 'a changed schema may have changed any')
        t.equal(await one.cache.set('free', 1), true)
        throw new Undone()
      }))
      t.equal(await one.cache.set('a', 1, { tables: ['a'] }), true)
    })
  }

  t.test('a transaction of more tables than are remembered one by one', async (t) => {
    const { one } = await ready(t)
    const names = Array.from({ length: 80 }, (_, i) => `t${i}`)
    await one.db.exec(names.map((name) => `create table ${name}(v bigint);`).join(' '))
    await failure(one.db.transaction(async (tx) => {
      for (const name of names) await tx.run(`insert into ${name} values (1)`)
      for (const name of [names[0], names[79]]) t.equal(await one.cache.set(name, 1, { tables: [name] }), false, name)
      throw new Undone()
    }))
    t.equal(await one.cache.set('k', 1, { tables: ['t79'] }), true)
  })

  if (!open.sync) return

  t.test('blocking transactions', async (t) => {
    const { one, two } = await ready(t)
    const { cache, db: { sync } } = one
    const tables = { tables: ['a'] }
    let awaited
    t.throws(() => sync.transaction((tx) => {
      tx.run(wrote)
      const { v } = tx.get('select v from a where id = 1')
      exact(t, [v, cache.sync.set('k', v, tables), cache.sync.setMany([['l', v]], tables)], [UNCOMMITTED, false, 0])
      t.throws(() => cache.sync.incr('n', 1, tables), { code: 'UC_TX_OPEN' })
      t.throws(() => cache.sync.compareAndSet('n', undefined, 1, tables), { code: 'UC_TX_OPEN' })
      awaited = cache.set('m', v, tables)
      t.equal(two.cache.sync.set('other', 1, tables), true)
      throw new Undone()
    }), { message: 'undone' })
    t.equal(await awaited, false)
    exact(t, two.cache.sync.getMany(['k', 'l', 'm', 'n', 'other']), [undefined, undefined, undefined, undefined, 1])
    t.equal(cache.sync.set('k', 1, tables), true)
  })
}
