'use strict'

// What commits do to the cache: entries tied to tables, first levels of several
// handles, and reads after acknowledged writes.

const { exact, delay, runs, until } = require('../../helper')

module.exports = (t, open) => {
  const ready = async (t, options) => {
    const file = open.file(t)
    const stores = [open.at(t, file, options), open.at(t, file, options)]
    await stores[0].db.exec(`create table a(id ${open.sql.id}, v bigint); create table b(id ${open.sql.id}, v bigint); insert into a(v) values (0); insert into b(v) values (0)`)
    for (const store of stores) await open.ready(store)
    return stores
  }

  // Reads until it is in the first level, where there is one.
  const keep = async ({ cache }, key) => {
    const { firstLevel } = await cache.stats()
    if (firstLevel === null) return cache.get(key)
    await until(async () => {
      await cache.get(key)
      return cache.peek(key) !== undefined
    }, 'it is in the first level')
  }

  for (const firstLevel of [undefined, false]) {
    const how = firstLevel === false ? 'without a first level' : 'with a first level'

    t.test(`${how}: each way to write drops what is tied to the table`, async (t) => {
      const [one, two] = await ready(t, { cache: { firstLevel } })
      await one.db.exec(`create table child(a bigint primary key references a(id) on delete cascade); ${open.sql.trigger('tr after insert on b', 'update a set v = v + 1;')}; insert into a(v) values (0); insert into child values (2)`)
      const ways = [
        ['run', 'a', (db) => db.run('update a set v = v + 1')],
        ['get … returning', 'a', (db) => db.get('insert into a(v) values (1) returning id')],
        ['all … returning', 'a', (db) => db.all('update a set v = 5 returning id')],
        ['many', 'b', (db) => db.many('insert into b(v) values (?)', [[1], [2]])],
        ['batch', 'b', (db) => db.batch(['update b set v = 3', 'select 1'])],
        ['exec', 'a', (db) => db.exec('update a set v = 1; update b set v = 1')],
        ['transaction', 'b', (db) => db.transaction(async (tx) => tx.run('update b set v = 7'))],
        ['a trigger', 'a', (db) => db.run('insert into b(v) values (9)')],
        ['a cascade', 'child', (db) => db.run('delete from a where id = 2')],
        ['with', 'a', (db) => db.get('with x as (select 1) update a set v = 8 returning v')],
        ['a table', 'a', (db) => db.table('a').insert({ v: 5 })]
      ]
      for (const [name, table, write] of ways) {
        for (const { cache } of [one, two]) await cache.set('k', name, { tables: [table] })
        for (const store of [one, two]) await keep(store, 'k')
        await write(one.db)
        exact(t, [one.cache.peek('k'), two.cache.peek('k'), await one.cache.get('k'), await two.cache.get('k')], Array(4).fill(undefined), name)
      }
    })

    t.test(`${how}: what changes nothing drops nothing`, async (t) => {
      const [one, two] = await ready(t, { cache: { firstLevel } })
      await one.cache.set('k', 1, { tables: ['a'] })
      await keep(one, 'k')
      await keep(two, 'k')
      await one.db.run('update b set v = 1')
      await two.db.run('update a set v = 1 where id = 77')
      await one.db.transaction(async (tx) => {
        await tx.run('update a set v = 5')
        throw new Error('no')
      }).catch(() => {})
      await one.db.run('insert into a(id) values (1)').catch(() => {})
      exact(t, [await one.cache.get('k'), await two.cache.get('k')], [1, 1], 'another table, no row, undone, failed')
      await one.cache.set('free', 2)
      await one.db.run('update a set v = 6')
      exact(t, [await two.cache.get('k'), await two.cache.get('free')], [undefined, 2], 'what is tied to none stays')
    })

    t.test(`${how}: a schema that changes drops all that is tied`, async (t) => {
      const [one, two] = await ready(t, { cache: { firstLevel } })
      await one.cache.set('k', 1, { tables: ['a', 'b'] })
      await keep(two, 'k')
      await one.db.exec('alter table b add column w int')
      t.equal(await two.cache.get('k'), undefined)
    })

    t.test(`${how}: another handle's set, delete, incr and drop are seen when they are acknowledged`, async (t) => {
      const [one, two] = await ready(t, { cache: { firstLevel } })
      await one.cache.set('k', 0, { tags: 'x' })
      for (let i = 1; i <= 20; i++) {
        await keep(two, 'k')
        await one.cache.set('k', i, { tags: 'x' })
        exact(t, [two.cache.peek('k') ?? i, await two.cache.get('k')], [i, i], `set ${i}`)
      }
      await keep(two, 'k')
      await one.cache.incr('k', 5)
      t.equal(await two.cache.get('k'), 25)
      await keep(two, 'k')
      await one.cache.dropTag('x')
      t.equal(await two.cache.get('k'), undefined, 'dropped: incr keeps the tags')
      await one.cache.set('k', 1)
      await keep(two, 'k')
      await one.cache.clear()
      t.equal(await two.cache.get('k'), undefined, 'cleared')
    })
  }

  t.test('a reader is never behind a write that has been acknowledged', async (t) => {
    const [one, two] = await ready(t)
    let acknowledged = 0
    let wrong = 0
    let here = 0
    const start = performance.now()
    // A busy machine may need longer until it has seen enough.
    const isOver = () => performance.now() > start + (here > 100 && acknowledged >= 20 ? 1500 : 60000)
    const load = ({ cache, db }) => cache.wrap('a', async () => (await db.get('select v from a where id = 1')).v, { tables: ['a'] })
    const read = async (store) => {
      while (!isOver()) {
        const least = acknowledged
        const near = store.cache.peek('a')
        if (near !== undefined) {
          here++
          if (near < least) wrong++
        }
        if (await load(store) < least) wrong++
        if (here % 64 === 0) await delay(0)
      }
    }
    const write = async () => {
      for (let n = 1; !isOver(); n++) {
        await [one, two][n % 2].db.run('update a set v = ? where id = 1', [n])
        acknowledged = n
        await delay(n % 7)
      }
    }
    await Promise.all([write(), read(one), read(two)])
    t.equal(wrong, 0)
    t.ok(here > 100 && acknowledged >= 20, `${here} looks into the first level, ${acknowledged} writes`)
  })

  if (!open.sync) return

  t.test('blocking writes of the handle are seen at once', async (t) => {
    const [one, two] = await ready(t)
    for (const [name, write] of [
      ['run', (sync) => sync.run('update a set v = v + 1')],
      ['get', (sync) => sync.get('insert into a(v) values (1) returning id')],
      ['exec', (sync) => sync.exec('update a set v = 5')],
      ['many', (sync) => sync.many('insert into a(v) values (?)', [[1], [2]])],
      ['transaction', (sync) => sync.transaction(() => sync.run('update a set v = 9'))]
    ]) {
      await one.cache.set('k', name, { tables: ['a'] })
      await keep(one, 'k')
      await keep(two, 'k')
      write(one.db.sync)
      exact(t, [one.cache.peek('k'), one.cache.sync.get('k'), two.cache.sync.get('k')], [undefined, undefined, undefined], name)
      exact(t, [await one.cache.get('k'), await two.cache.get('k')], [undefined, undefined], `${name}, awaited`)
      await one.cache.set('k', name)
      await keep(one, 'k')
      one.db.sync.get('select * from a')
      t.equal(one.cache.sync.get('k'), name, 'a read drops nothing')
    }
  })

  t.test('what another process writes to the file is noticed soon', async (t) => {
    const file = open.file(t)
    const { db, cache } = open.at(t, file)
    await db.exec('create table a(id integer primary key, v)')
    await cache.set('tied', 1, { tables: ['a'] })
    await cache.set('free', 2)
    await runs(t, async ({ undercroft, args }) => {
      const store = undercroft.open(args)
      await store.db.run('insert into a(v) values (1)')
      await store.close()
    }, { args: file })
    await until(async () => await cache.get('tied') === undefined, 'it is dropped')
    t.equal(await cache.get('free'), 2, 'what is tied to no table stays')
  })
}
