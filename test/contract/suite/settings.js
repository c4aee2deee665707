'use strict'

// Connections are shared: no client's pragma or temporary object may change what others have.

const util = require('node:util')
const { exact, failure } = require('../../helper')

// Act on the file or the memory, or count, or list what is there (`temp` is, once anything has
// looked): reading them back says nothing of a setting.
const ACTS = ['incremental_vacuum', 'optimize', 'shrink_memory', 'wal_checkpoint']
const COUNTS = ['data_version', 'database_list', 'freelist_count', 'page_count', 'schema_version', 'stats', 'table_list', 'function_list', 'integrity_check', 'quick_check']
// Data of the file, that a client may write.
const DATA = ['application_id', 'user_version']

const VALUES = ['0', '1', "'off'", 'on', '-1', '3', 'delete']

const SHAPES = [
  (name, value) => `pragma ${name} = ${value}`,
  (name, value) => `/* quiet */ PRAGMA main."${name}"(${value});`,
  (name, value) => `explain pragma ${name} = ${value}`
]

const verbsOf = ({ db }, sync) => {
  const verbs = {
    batch: (sql) => db.batch([[sql]]),
    exec: (sql) => db.exec(`select 1; ${sql}`),
    iterate: async (sql) => { for await (const row of db.iterate(sql)) if (row === null) return },
    many: (sql) => db.many(sql, [[]]),
    transaction: (sql) => db.transaction((tx) => tx.run(sql)),
    snapshot: (sql) => db.snapshot((snap) => snap.get(sql))
  }
  for (const verb of ['get', 'all', 'values', 'json', 'run']) {
    verbs[verb] = (sql) => db[verb](sql)
    if (sync) verbs[`sync.${verb}`] = (sql) => db.sync[verb](sql)
  }
  if (sync) verbs['sync.exec'] = (sql) => db.sync.exec(sql)
  return verbs
}

module.exports = (t, open) => {
  const ready = async (t, options) => {
    const file = open.file(t)
    const db = open.at(t, file, options).db
    await db.exec('create table t(a); insert into t values (1)')
    return { file, db }
  }

  t.test('a synchronous that is not weaker is accepted and changes nothing', async (t) => {
    const { db } = await ready(t, { synchronous: 'full' })
    for (const value of ['full', 'FULL', '2', 'extra', '3', "'extra'", '"full"']) {
      for (const sql of [`pragma synchronous = ${value}`, `pragma main.synchronous(${value})`]) {
        await db.run(sql)
        await db.exec(`${sql}; insert into t values (2)`)
        await db.transaction((tx) => tx.run(sql))
        await db.batch([[sql]])
      }
    }
    exact(t, await db.transaction((tx) => tx.get('pragma synchronous')), { synchronous: 2 }, 'of the writer')
    exact(t, await db.get('pragma synchronous'), { synchronous: 2 }, 'of a reader')
  })

  t.test('a weaker synchronous is refused, and names the option', async (t) => {
    const { file, db } = await ready(t, { synchronous: 'full' })
    const reader = open.at(t, file, { readonly: true }).db
    for (const value of ['off', '0', 'OFF', 'normal', '1', 'on', 'true', "'off'", '"off"', '[off]', '4', '-1', '255', 'fulll']) {
      for (const one of [db, reader]) {
        for (const sql of [`pragma synchronous = ${value}`, `explain pragma main."synchronous"(${value})`, `-- so\n;pragma/**/synchronous=${value}`]) {
          const err = await failure(one.get(sql))
          t.equal(err.code, 'UC_SQL_CONNECTION', sql)
          t.match(err.message, /synchronous/, 'by name')
        }
      }
      const err = await failure(db.exec(`insert into t values (3); pragma synchronous = ${value}`))
      t.equal(err.code, 'UC_SQL_CONNECTION', 'in a script')
    }
    t.match((await failure(db.run('pragma synchronous = off'))).message, /synchronous: 'off'/, 'what to write')
    exact(t, await db.transaction((tx) => tx.get('pragma synchronous')), { synchronous: 2 }, 'of the writer')
    exact(t, await db.values('select a from t'), [[1]], 'the scripts left nothing')
  })

  t.test('what was a setting in disguise is refused by name', async (t) => {
    const { db } = await ready(t)
    for (const name of ['journal_size_limit', 'auto_vacuum', 'wal_autocheckpoint', 'busy_timeout', 'query_only']) {
      const err = await failure(db.run(`pragma ${name} = 1`))
      t.equal(err.code, 'UC_SQL_CONNECTION', name)
      t.match(err.message, new RegExp(name), 'named')
    }
    t.match((await failure(db.run('pragma journal_size_limit = 1'))).message, /pragmas: \{ journal_size_limit/, 'the option')
    t.match((await failure(db.run('pragma busy_timeout = 1'))).message, /busyTimeoutMs/, 'an option of its own')
    t.equal((await failure(db.all('select * from pragma_optimize'))).code, 'UC_SQL_CONNECTION', 'a pragma that writes, read as a table')
    await db.run('pragma shrink_memory')
    const err = await failure(db.many('pragma incremental_vacuum(1)', [[]]))
    t.equal(err.code, 'UC_SQL_TRANSACTION', 'what runs on its own is not for many')
  })

  t.test('no pragma of a client changes what another has', async (t) => {
    const { file, db } = await ready(t)
    const reader = open.at(t, file, { readonly: true })
    const writer = open.at(t, file)
    const other = open.at(t, file).db
    const names = (await db.values('select name from pragma_pragma_list order by 1')).flat()
    t.ok(names.length > 50, `${names.length} pragmas`)
    const asked = []
    for (const name of names) {
      if ([...ACTS, ...COUNTS, ...DATA].includes(name)) continue
      if (await other.all(`pragma ${name}`).catch(() => null) !== null) asked.push(name)
    }
    t.ok(asked.length > 40, `${asked.length} can be asked`)
    const view = async () => {
      const ask = async (who) => {
        const rows = {}
        for (const name of asked) rows[name] = await who.all(`pragma ${name}`)
        rows.like = await who.get("select 'a' like 'A' as l")
        return rows
      }
      const seen = { reader: await ask(other), writer: await other.transaction(ask) }
      if (open.sync) seen.sync = other.sync.transaction(() => Object.fromEntries(asked.map((name) => [name, other.sync.all(`pragma ${name}`)])))
      return seen
    }
    const before = await view()
    let refused = 0
    let calls = 0
    for (const name of names) {
      for (const store of [writer, reader]) {
        for (const [verb, call] of Object.entries(verbsOf(store, open.sync))) {
          for (const value of VALUES) {
            const sql = SHAPES[calls++ % SHAPES.length](name, value)
            try {
              await call(sql)
            } catch (err) {
              refused++
              if (!/^(UC_SQL_|UC_TX_|UC_PARAM_|UC_OPTION|SQLITE_ERROR|SQLITE_READONLY)/.test(err.code)) t.equal(err.code, 'UC_SQL_…', `${verb}: ${sql}: ${err.message}`)
            }
          }
        }
      }
      await db.exec('pragma user_version = 0; pragma application_id = 0')
      const after = await view()
      for (const where of Object.keys(before)) {
        const changed = Object.keys(before[where]).filter((key) => !util.isDeepStrictEqual(after[where][key], before[where][key]))
        exact(t, changed, [], `pragma ${name} changed nothing of the ${where}`)
      }
    }
    t.ok(refused > calls / 4, `${refused} of ${calls} refused`)
    await db.run('create table p(id integer primary key)')
    await db.run('create table c(p references p(id), n check (n > 0))')
    t.equal((await failure(other.run('insert into c values (1, 1)'))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY', 'keys hold')
    t.equal((await failure(other.run('insert into c values (null, 0)'))).code, 'SQLITE_CONSTRAINT_CHECK', 'checks hold')
  })

  t.test('what the connection has already may be asked for', async (t) => {
    const { db } = await ready(t)
    await db.exec('pragma foreign_keys = on')
    await db.run('PRAGMA foreign_keys(1)')
    await db.transaction((tx) => tx.run('pragma foreign_keys = yes'))
    t.equal((await failure(db.run('pragma foreign_keys = off'))).code, 'UC_SQL_CONNECTION')
    const without = await ready(t, { pragmas: { foreign_keys: false } })
    t.equal((await failure(without.db.run('pragma foreign_keys = on'))).code, 'UC_SQL_CONNECTION', 'what it has not')
    exact(t, await without.db.get('pragma foreign_keys'), { foreign_keys: 0 }, 'it stays off')
  })

  t.test('defer_foreign_keys holds for a transaction, a batch or a script', async (t) => {
    const file = open.file(t)
    const { db } = open.at(t, file)
    await db.exec('create table a(id integer primary key, b references b(id)); create table b(id integer primary key, a references a(id))')
    const crossed = (i) => [`insert into a values (${i}, ${i})`, `insert into b values (${i}, ${i})`]
    const defer = 'pragma defer_foreign_keys = on'
    for (let round = 0; round < 3; round++) {
      const i = round * 10
      await db.transaction(async (tx) => { for (const sql of [defer, ...crossed(i)]) await tx.run(sql) })
      await db.batch([defer, ...crossed(i + 1)])
      await db.exec(`begin; ${[defer, ...crossed(i + 2)].join('; ')}; commit`)
      await db.exec([defer, ...crossed(i + 3)].join('; '))
      if (open.sync) db.sync.transaction((tx) => { for (const sql of [defer, ...crossed(i + 4)]) tx.run(sql) })
      t.equal((await failure(db.run(crossed(i + 9)[0]))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY', 'afterwards it is as before')
      t.equal((await failure(db.batch(crossed(i + 9)))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY')
      t.equal((await failure(db.batch([defer, crossed(i + 9)[0]]))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY', 'what is open at the end fails')
      t.equal((await failure(db.transaction(async (tx) => { await tx.run(defer); await tx.run(crossed(i + 9)[0]) }))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY')
      const [innocent] = await Promise.allSettled([db.run(crossed(i + 8)[0]), db.batch([defer, ...crossed(i + 8)]), db.run(crossed(i + 7)[0])])
      t.equal(innocent.reason?.code, 'SQLITE_CONSTRAINT_FOREIGNKEY', 'neighbours in the group are not touched')
    }
    const err = await failure(db.run(defer))
    t.equal(err.code, 'UC_SQL_CONNECTION')
    t.match(err.message, /transaction.*batch.*script/)
    const { db: always } = open.at(t, open.file(t), { pragmas: { defer_foreign_keys: true } })
    await always.exec('create table a(id integer primary key, b references b(id)); create table b(id integer primary key, a references a(id))')
    for (let i = 0; i < 3; i++) {
      await always.transaction(async (tx) => { for (const sql of crossed(i)) await tx.run(sql) })
      await always.batch(crossed(i + 10))
    }
    t.equal((await failure(always.run(crossed(99)[0]))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY', 'but not beyond')
  })

  t.test('a temporary object changes no statement of another client', async (t) => {
    const file = open.file(t)
    const mine = open.at(t, file).db
    await mine.exec("create table t(id integer primary key, a text); insert into t values (1, 'one'); create view v as select 1 as x")
    const other = open.at(t, file).db
    const refused = {
      'create temp table t(a)': /hide main\."t"/,
      'create temporary table T as select 5 as a': /hide main\."T"/,
      'create table temp.t(a)': /hide main/,
      'create temp view t as select 9 as a': /hide main/,
      'create temp table v(x)': /hide main\."v"/,
      'create virtual table temp.t using fts5(a)': /hide main/,
      "create temp trigger tr after insert on t begin update t set a = 'changed'; end": /trigger.*all clients/,
      'create temp trigger tr after insert on main.t begin select 1; end': /trigger.*all clients/
    }
    const verbs = verbsOf({ db: mine }, false)
    for (const [sql, text] of Object.entries(refused)) {
      for (const verb of ['run', 'exec', 'batch', 'transaction']) {
        const err = await failure(verbs[verb](sql))
        t.equal(err.code, 'UC_SQL_CONNECTION', `${verb}: ${sql}`)
        t.match(err.message, text)
      }
    }
    await mine.exec('create temp table scratch(a); create temp trigger own after insert on scratch begin delete from scratch where a is null; end')
    await mine.run('insert into scratch values (1)')
    for (const sql of ['create table scratch(a)', 'create view scratch as select 1', 'create table if not exists main.scratch(a)']) {
      const err = await failure(other.run(sql))
      t.equal(err.code, 'UC_SQL_CONNECTION', sql)
      t.match(err.message, /temporary table or view "scratch"/)
    }
    t.equal((await failure(mine.run('alter table scratch rename to t'))).code, 'UC_SQL_CONNECTION')
    exact(t, await other.get('select a from t'), { a: 'one' }, 'the other reads what it always did')
    await other.run("insert into t values (3, 'three')")
    exact(t, await other.values('select a from t order by id'), [['one'], ['three']], 'and writes')
    await mine.exec('drop table scratch; create table scratch(a)')
    exact(t, await other.get('select count(*) as n from scratch'), { n: 0 }, 'once it is gone the name is free')
  })

  t.test('a temporary table keeps nobody else from the readers', async (t) => {
    const { file, db } = await ready(t)
    const other = open.at(t, file).db
    const reader = open.at(t, file, { readonly: true }).db
    await db.exec('create table u(a); create view v as select a from u; create temp table mine(a); create temp view seen as select 1 as a; create temp table gone(a); drop table gone')
    const others = ['select count(*) as n from t', 'select exists (select 1 from u) as n', 'select 1 as n from t', 'select count(*) as n from v',
      'select count(*) as n from t, u', 'select count(*) as n from pragma_table_list', 'select (select count(*) from json_each(\'[1]\')) as n', 'select count(*) as n from main.t']
    await other.transaction(async (tx) => {
      await tx.run('insert into t values (2)')
      // On the writer they would wait for the end of this, which waits for them.
      for (const sql of others) {
        t.ok(await db.get(sql) !== null, sql)
        t.ok(await reader.get(sql) !== null, `readonly: ${sql}`)
      }
    })
    await db.run('insert into mine values (1)')
    for (const sql of ['select count(*) as n from mine', 'select count(*) as n from temp.mine', 'select count(*) as n from MINE', 'select count(*) as n from seen', 'select 1 as n from t, mine limit 1']) {
      exact(t, await db.get(sql), { n: 1 }, sql)
    }
    await db.exec('alter table t rename to kept; create temp table t(a)')
    exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'one in the place of a table')
    await db.exec('drop table temp.t; alter table kept rename to t')
    exact(t, await db.get('select count(*) as n from t'), { n: 2 }, 'and the table again')
  })
}

module.exports.sqlite = 'the settings are those of a connection of SQLite'
