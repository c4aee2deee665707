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
    t.match((await failure(db.run('pragma defer_foreign_keys = on'))).message, /deferrable initially deferred/, 'what works in its place')
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
    await db.exec('create temp table t(a)')
    exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'one that hides a table')
    await db.exec('drop table temp.t')
    exact(t, await db.get('select count(*) as n from t'), { n: 2 }, 'and the table again')
  })
}
