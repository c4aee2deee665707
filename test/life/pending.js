'use strict'

// pending - one way to keep each kind of operation under way. Each entry takes the store and
// returns a promise that ends only when the operation does; the database has a table t(id, a)
// with some thousand rows.

const endless = 'with recursive c(x) as (select 1 union all select x + 1 from c)'

const never = () => new Promise(() => {})
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const pending = {
  nothing: async () => {},
  opening: async () => {},
  get: ({ db }) => db.get(`${endless} select count(*) from c`),
  all: ({ db }) => db.all(`${endless} select count(*) from c`),
  json: ({ db }) => db.json(`${endless} select count(*) from c`),
  run: ({ db }) => db.run(`${endless} insert into t(a) select count(*) from c`),
  exec: ({ db }) => db.exec(`insert into t(a) values ('x'); ${endless} insert into t(a) select count(*) from c`),
  batch: ({ db }) => db.batch([["insert into t(a) values ('x')"], [`${endless} insert into t(a) select count(*) from c`]]),
  'a queue of reads': ({ db }) => Promise.all(Array.from({ length: 300 }, () => db.get(`${endless} select count(*) from c`))),
  'a queue of writes': ({ db }) => Promise.all([
    db.run(`${endless} insert into t(a) select count(*) from c`),
    ...Array.from({ length: 300 }, (_, i) => db.run('insert into t(a) values (?)', [i]))
  ]),
  'group commits': async ({ db }) => {
    for (;;) await Promise.all(Array.from({ length: 50 }, (_, i) => db.run('insert into t(a) values (?)', [i])))
  },
  'big replies': ({ db }) => Promise.all(Array.from({ length: 40 }, () => db.all('select * from t, (select 1 union all select 2 union all select 3)'))),
  'calls without number': async ({ db }) => {
    for (;;) await Promise.all(Array.from({ length: 200 }, (_, i) => db.get('select ? as v', [i])))
  },
  many: ({ db }) => db.many('insert into t(a) values (?)', Array.from({ length: 300000 }, (_, i) => [i])),
  'a stream into many': ({ db }) => db.many('insert into t(a) values (?)', (async function * () {
    for (let i = 0; ; i++) {
      yield [i]
      if (i % 2000 === 0) await delay(1)
    }
  })()),
  'a stream that stands still': ({ db }) => db.many('insert into t(a) values (?)', (async function * () {
    for (let i = 0; i < 5000; i++) yield [i]
    await never()
  })()),
  transaction: ({ db }) => db.transaction(async (tx) => {
    await tx.run("insert into t(a) values ('tx')")
    await never()
  }),
  'a statement in a transaction': ({ db }) => db.transaction((tx) => tx.run(`${endless} insert into t(a) select count(*) from c`)),
  'a nested transaction': ({ db }) => db.transaction((tx) => tx.transaction(async (inner) => {
    await inner.run("insert into t(a) values ('tx')")
    await never()
  })),
  snapshot: ({ db }) => db.snapshot(async (s) => {
    await s.get('select 1')
    await never()
  }),
  'a read in a snapshot': ({ db }) => db.snapshot((s) => s.get(`${endless} select count(*) from c`)),
  'a cursor that stands still': async ({ db }) => {
    for await (const row of db.iterate('select * from t')) if (row.id === 2) await never()
  },
  'a cursor that runs': async ({ db }) => {
    for (;;) for await (const row of db.iterate('select * from t')) if (row.id < 0) return
  },
  'a cursor\'s first page': async ({ db }) => {
    for await (const row of db.iterate(`${endless} select count(*) as n from c`)) return row
  },
  backup: async ({ db, target }) => {
    for (let i = 0; ; i++) await db.backup(`${target}.copy`, { pagesPerStep: 1 })
  },
  vacuum: async ({ db }) => { for (;;) await db.run('vacuum') },
  checkpoint: async ({ db }) => {
    for (;;) {
      await db.run("insert into t(a) values ('x')")
      await db.get('pragma wal_checkpoint(truncate)')
    }
  },
  stats: async ({ db }) => { for (;;) await db.stats() }
}

// A database to do it on.
async function prepare (undercroft, file, rows = 3000) {
  const store = undercroft.open(file)
  await store.db.exec(`create table if not exists t(id integer primary key, a);
    with recursive c(x) as (select 1 union all select x + 1 from c where x < ${rows}) insert into t(a) select 'row ' || x || hex(zeroblob(50)) from c`)
  await store.close()
}

module.exports = { pending, prepare }
