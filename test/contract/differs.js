'use strict'
// What one engine has and the other has not, or has otherwise, by nature: the list behind docs/postgres.md.
//
//   name     how suites refer to it: open.only('sqlite', name)
//   what     what is different, as the documentation says it
//   instead  what to use on PostgreSQL
//   call     async (db, store) => what shows it on PostgreSQL; none: no call can
//   code     what that is refused with, or
//   value    what it gives

module.exports = [
  {
    name: 'blocking',
    what: 'Blocking calls (`db.sync`) are SQLite\'s: over a network they would hold the event loop for a round trip.',
    instead: 'the same verbs of `db`, awaited',
    call: (db) => db.sync.get('select 1'),
    code: 'UC_SYNC_UNAVAILABLE'
  },
  {
    name: 'types',
    what: 'On SQLite a parameter keeps the type of its value. PostgreSQL takes the type of the place: of a column, or of a cast.',
    instead: 'a cast, where nothing around a parameter says its type: `select ?::bigint`',
    call: async (db) => [await db.get('select ? as v', [5]), await db.get('select ?::bigint as v', [5])],
    value: [{ v: '5' }, { v: 5 }]
  },
  {
    name: 'temp',
    what: 'A temporary table belongs to a connection, and connections are shared: on PostgreSQL it is refused outside of a transaction.',
    instead: '`create temp table … on commit drop` in `db.transaction()`',
    call: (db) => db.run('create temp table x(a int)'),
    code: 'UC_SQL_CONNECTION'
  },
  {
    name: 'locks',
    what: 'On PostgreSQL a statement that changes a table waits for cursors, snapshots and transactions that use it.',
    instead: 'a deadline (`timeoutMs`), and short transactions',
    call: async (db) => {
      await db.exec('create table locks(a int); insert into locks select generate_series(1, 100000)')
      const rows = db.iterate('select a from locks')
      await rows.next()
      try {
        await db.run('alter table locks add column b int', [], { timeoutMs: 200 })
      } finally {
        await rows.return()
      }
    },
    code: 'UC_TIMEOUT'
  },
  {
    name: 'too-large',
    what: 'On PostgreSQL a write whose rows are more than a reply may have (`maxRows`, `maxReplyBytes`) has run; on SQLite it is undone.',
    instead: '`db.transaction`, which is rolled back',
    call: async (db) => {
      await db.exec('create table large(a int)')
      const { code } = await db.all('insert into large select generate_series(1, 1000001) returning a').catch((err) => err)
      return [code, await db.get('select count(*) as n from large')]
    },
    value: ['UC_REPLY_TOO_LARGE', { n: 1000001 }]
  },
  {
    name: 'pragmas',
    what: 'Pragmas are SQLite\'s.',
    instead: 'settings of the role or the database (`alter role … set`), or `set local` in a transaction',
    call: (db) => db.get('pragma user_version'),
    code: 'UC_NOT_HERE'
  },
  {
    name: 'attach',
    what: 'ATTACH and the option `attach` are SQLite\'s.',
    instead: 'schemas, or a handle for each database',
    call: (db) => db.run("attach 'other.db' as other"),
    code: 'UC_NOT_HERE'
  },
  {
    name: 'files',
    what: 'A database on PostgreSQL is no file: there is nothing to create, copy or name by a path.',
    instead: '`create database`, pg_dump and pg_basebackup',
    call: (db) => db.backup('/tmp/copy.db'),
    code: 'UC_NOT_HERE'
  },
  {
    name: 'restore',
    what: '`db.restore` is SQLite\'s.',
    instead: 'pg_restore',
    call: (db) => db.restore('/tmp/copy.db'),
    code: 'UC_NOT_HERE'
  },
  {
    name: 'functions',
    what: 'Functions of JavaScript within SQL are SQLite\'s.',
    instead: '`create function`',
    call: (db) => db.sync.function('twice', (x) => 2 * x),
    code: 'UC_SYNC_UNAVAILABLE'
  },
  {
    name: 'documents',
    what: 'PostgreSQL has types for JSON, arrays, moments and booleans: their columns come as values, not as text or numbers.',
    instead: 'a cast to text where the text is wanted',
    call: (db) => db.get("select '{\"a\": 1}'::json as a, array[1, 2] as b, true as c, '{\"a\": 1}'::json::text as d"),
    value: { a: { a: 1 }, b: [1, 2], c: true, d: '{"a": 1}' }
  },
  {
    name: 'utf8',
    what: 'Text on SQLite may hold bytes that are no UTF-8; PostgreSQL refuses them.',
    instead: 'bytes: a column of the type bytea',
    call: (db) => db.get("select convert_from('\\xff'::bytea, 'utf8')"),
    code: 'PG_CHARACTER_NOT_IN_REPERTOIRE'
  },
  {
    name: 'nul',
    what: 'Text on PostgreSQL has no NUL character.',
    instead: 'bytes: a Buffer, in a column of the type bytea',
    call: (db) => db.get('select ?::text as v', ['a\0b']),
    code: 'UC_PARAM_TYPE'
  },
  {
    name: 'rowid',
    what: '`lastInsertRowid` is SQLite\'s: on PostgreSQL it is always 0.',
    instead: '`insert … returning id`',
    call: async (db) => {
      await db.exec('create table rowids(id bigint generated always as identity, a int)')
      return [await db.run('insert into rowids(a) values (1)'), await db.get('insert into rowids(a) values (1) returning id')]
    },
    value: [{ changes: 1, lastInsertRowid: 0 }, { id: 2 }]
  },
  {
    name: 'memory',
    what: '`:memory:` is SQLite\'s.',
    instead: 'a database of a server for tests: `create database … template …` takes some ten milliseconds'
  },
  {
    name: 'aborted',
    what: 'An error inside a transaction ends it on PostgreSQL: what follows is refused, and the commit is `UC_TX_CLOSED`. On SQLite the statement alone is undone.',
    instead: 'a nested transaction (`tx.transaction`) around what may fail',
    call: async (db) => {
      await db.exec('create table aborted(a int unique)')
      return db.transaction(async (tx) => {
        await tx.run('insert into aborted values (1)')
        await tx.transaction((nested) => nested.run('insert into aborted values (2), (1)')).catch(() => {})
        await tx.run('insert into aborted values (2), (1)').catch(() => {})
        await tx.get('select 1')
      })
    },
    code: 'PG_IN_FAILED_SQL_TRANSACTION'
  },
  {
    name: 'turns',
    what: 'Transactions of PostgreSQL run side by side, and beside writes. They wait for each other at rows, and may fail with `PG_SERIALIZATION_FAILURE` or `PG_DEADLOCK_DETECTED`. On SQLite they take turns.',
    instead: '`select … for update`, or `isolation` with `retries`'
  },
  {
    name: 'conflicts',
    what: '`insert or replace`, `or ignore`, `or fail`, `or rollback` and RAISE are SQLite\'s.',
    instead: '`on conflict … do`, `raise exception`'
  },
  {
    name: 'drops',
    what: 'A table of PostgreSQL that a cursor, a snapshot or a transaction has read is not dropped or altered before that ends: who tries it waits. What tables there are is never seen as of before.',
    instead: 'a deadline (`timeoutMs`), or `set local lock_timeout` in the transaction that drops it'
  },
  {
    name: 'pipeline',
    what: 'A write that waits behind others has often been sent to the server already. Stopped then, it may have run: `outcome` is `\'unknown\'`, where SQLite\'s queue still knows that it has not.',
    instead: 'a key: `{ once: … }`, with which it may be repeated'
  },
  {
    name: 'changes',
    what: 'Which tables a commit has changed is seen on PostgreSQL where logical decoding is set up. Without it each own write counts as a change of all tables, and what others write is not seen.',
    instead: '[the stream of changes](#changes-of-others): `wal_level = logical`, and a publication named `undercroft`',
    call: async (db) => {
      await db.exec('create table changes(a int)')
      const watch = db.watch()
      await db.run('insert into changes values (1)')
      const { value } = await watch.next()
      await watch.return()
      return value.tables
    },
    value: ['*']
  },
  {
    name: 'unsure',
    what: 'Which tables an open transaction has written is not seen on PostgreSQL: until it ends, its handle stores nothing that is tied to any table. On SQLite only what is tied to the tables that it has written.',
    instead: 'another handle, or storing after the commit'
  },
  {
    name: 'unseen',
    what: 'Changes of unlogged tables, of foreign tables and of the schema by others are not in the WAL as rows: they drop nothing.',
    instead: '`ttlMs` beside the ties'
  },
  {
    name: 'operators',
    what: 'The operators `glob` and `match` of `db.table` are SQLite\'s.',
    instead: '`like`, `startsWith`, or the full-text search of SQL',
    call: async (db) => {
      await db.exec('create table operators(id int primary key, v text)')
      return db.table('operators').find({ where: { v: { glob: 'a*' } } })
    },
    code: 'UC_NOT_HERE'
  },
  {
    name: 'nulls',
    what: 'An ascending order has nulls at its end on PostgreSQL, and at its beginning on SQLite: where the indexes of each have them.',
    instead: 'a condition, or a column that is never null',
    call: async (db) => {
      await db.exec('create table nulls(id int primary key, v int)')
      const table = db.table('nulls')
      await table.insertMany([{ id: 1, v: null }, { id: 2, v: 5 }])
      return (await table.find({ order: 'v' })).map(({ id }) => id)
    },
    value: [2, 1]
  },
  {
    name: 'keys',
    what: 'A statement on PostgreSQL carries no number of the schema. That another process has moved a primary key to other columns, which were there before, `db.table` sees once it reads the table again.',
    instead: '`db.table(name, { key })`, or a restart after such a migration'
  },
  {
    name: 'keyed-parts',
    what: 'A `many` of more than a thousand rows, or of an iterator, travels in parts. On PostgreSQL it takes no key (`once`).',
    instead: 'a key for each thousand rows, or `batch`',
    call: async (db) => {
      await db.exec('create table parts(a int)')
      return db.many('insert into parts values (?)', Array.from({ length: 5000 }, (_, i) => [i]), { once: 'k' })
    },
    code: 'UC_NOT_HERE'
  }
]
