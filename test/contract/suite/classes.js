'use strict'

// Statement classes: what may run where is decided on the writer, before a reader sees the text.

const { exact, failure, outcomes } = require('../../helper')

module.exports = (t, open) => {
  const isPg = open.engine === 'pg'
  const { code, trigger } = open.sql
  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec('create table t(a int); insert into t values (1)')
    return store.db
  }

  const verbs = ['get', 'all', 'values', 'json', 'run']

  t.test('VACUUM runs alone, between the groups', async (t) => {
    const db = await ready(t)
    const calls = []
    for (let i = 0; i < 20; i++) calls.push(db.run('insert into t values (?)', [i]))
    calls.push(db.run('vacuum'))
    for (let i = 0; i < 20; i++) calls.push(db.run('insert into t values (?)', [i]), db.get('select count(*) as n from t'))
    t.ok((await outcomes(calls)).every((one) => one === 'fulfilled'))
    await db.exec('vacuum')
    await db.exec('insert into t values (5); vacuum; insert into t values (6)').catch((err) => t.match(err.code, /^UC_SQL_|^SQLITE_ERROR|^PG_ACTIVE_SQL_TRANSACTION/, 'in a script: refused by name or run'))
    if (!isPg) exact(t, await db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
  })

  t.test('VACUUM INTO writes a copy', open.only('sqlite', 'files'), async (t) => {
    const db = await ready(t)
    const copy = open.file(t)
    await db.run('vacuum into ?', [copy])
    exact(t, await open.at(t, copy).db.values('select a from t'), [[1]], 'the copy')
  })

  t.test('checkpoint and journal pragmas run between the groups', open.only('sqlite', 'pragmas'), async (t) => {
    const db = await ready(t)
    const before = db.run('insert into t values (2)')
    const row = await db.get('pragma wal_checkpoint(passive)')
    await before
    exact(t, Object.keys(row), ['busy', 'log', 'checkpointed'], 'wal_checkpoint answers')
    exact(t, await db.get('pragma journal_mode'), { journal_mode: 'wal' }, 'the journal is a WAL')
    await db.run('insert into t values (3)')
    t.equal((await db.get('select count(*) as n from t')).n, 3)
  })

  t.test('the journal stays a WAL', open.only('sqlite', 'pragmas'), async (t) => {
    const db = await ready(t)
    const asked = await db.get('pragma journal_mode = delete').catch((err) => err)
    if (asked instanceof Error) t.match(asked.code, /^UC_SQL_CONNECTION$/)
    exact(t, await db.get('pragma journal_mode'), { journal_mode: 'wal' }, 'whatever was asked')
  })

  t.test('pragmas that belong to the file are allowed', open.only('sqlite', 'pragmas'), async (t) => {
    const db = await ready(t)
    await db.run('pragma user_version = 42')
    exact(t, await db.get('pragma user_version'), { user_version: 42 }, 'user_version')
    await db.exec('pragma user_version = 43; pragma application_id = 7')
    exact(t, await db.values('pragma user_version'), [[43]], 'in a script')
    exact(t, await db.values('pragma application_id'), [[7]], 'application_id')
  })

  t.test('pragmas that only tell are allowed', open.only('sqlite', 'pragmas'), async (t) => {
    const db = await ready(t)
    await db.exec('create index i on t(a)')
    exact(t, (await db.all('pragma table_info(t)')).map((row) => row.name), ['a'], 'table_info')
    exact(t, (await db.all("pragma table_info('t')")).map((row) => row.name), ['a'], 'table_info, quoted')
    exact(t, (await db.all('pragma table_xinfo(t)')).map((row) => row.name), ['a'], 'table_xinfo')
    exact(t, (await db.all('pragma index_list(t)')).map((row) => row.name), ['i'], 'index_list')
    exact(t, (await db.all('pragma index_info(i)')).map((row) => row.name), ['a'], 'index_info')
    exact(t, (await db.all("select name from pragma_table_info('t')")), [{ name: 'a' }], 'as a table')
    exact(t, await db.all('pragma foreign_key_check'), [], 'foreign_key_check')
    exact(t, await db.all('pragma foreign_key_list(t)'), [], 'foreign_key_list')
    exact(t, await db.all('pragma integrity_check'), [{ integrity_check: 'ok' }], 'integrity_check')
    exact(t, await db.all('pragma quick_check'), [{ quick_check: 'ok' }], 'quick_check')
    t.ok((await db.get('pragma page_size')).page_size >= 512, 'page_size')
    t.ok((await db.get('pragma page_count')).page_count > 0, 'page_count')
    t.equal((await db.get('pragma encoding')).encoding, 'UTF-8', 'encoding')
    t.ok((await db.all('pragma database_list')).length >= 1, 'database_list')
    t.ok((await db.all('pragma compile_options')).length > 5, 'compile_options')
  })

  t.test('foreign_keys is on', open.only('sqlite', 'pragmas'), async (t) => {
    const db = await ready(t)
    exact(t, await db.get('pragma foreign_keys'), { foreign_keys: 1 }, 'asked')
    await db.exec('create table p(id integer primary key); create table c(p references p(id))')
    t.equal((await failure(db.run('insert into c values (1)'))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY', 'and felt')
  })

  t.test('pragmas that belong to a connection are refused by name', open.only('sqlite', 'pragmas'), async (t) => {
    const db = await ready(t, { readers: 2 })
    const refused = [
      ['foreign_keys', 'pragma foreign_keys = off'],
      ['foreign_keys', 'PRAGMA main.Foreign_Keys(0)'],
      ['foreign_keys', '/* quiet */ -- so\n pragma\n"foreign_keys" = off'],
      ['query_only', 'pragma query_only = 1'],
      ['query_only', 'pragma query_only = 0'],
      ['cache_size', 'pragma cache_size = 10'],
      ['recursive_triggers', 'pragma recursive_triggers = on'],
      ['case_sensitive_like', 'pragma case_sensitive_like = on'],
      ['busy_timeout', 'pragma busy_timeout = 1'],
      ['locking_mode', 'pragma locking_mode = exclusive'],
      ['read_uncommitted', 'pragma read_uncommitted = 1'],
      ['ignore_check_constraints', 'pragma ignore_check_constraints = on'],
      ['writable_schema', 'pragma writable_schema = on'],
      ['trusted_schema', 'pragma trusted_schema = off'],
      ['wal_autocheckpoint', 'pragma wal_autocheckpoint = 1'],
      ['mmap_size', 'pragma mmap_size = 0']
    ]
    for (const [name, sql] of refused) {
      for (const verb of verbs) {
        const err = await failure(db[verb](sql))
        t.equal(err.code, 'UC_SQL_CONNECTION', `${verb}: ${sql}`)
        t.match(err.message, new RegExp(name, 'i'), 'the pragma is named')
      }
      const err = await failure(db.exec(`insert into t values (99); ${sql}`))
      t.equal(err.code, 'UC_SQL_CONNECTION', `in a script: ${sql}`)
    }
    t.match((await failure(db.run('pragma cache_size = 10'))).message, /pragmas/, 'the message names the open option')
    exact(t, await db.values('select a from t'), [[1]], 'the scripts left nothing behind')
    exact(t, await db.get('pragma foreign_keys'), { foreign_keys: 1 }, 'foreign_keys is still on')
    await Promise.all(Array.from({ length: 20 }, (_, i) => db.run('insert into t values (?)', [i])))
    t.equal((await db.get('select count(*) as n from t')).n, 21, 'and the writer still writes')
  })

  t.test('merely preparing a refused pragma changes no connection', open.only('sqlite', 'pragmas'), async (t) => {
    const db = await ready(t, { readers: 2 })
    const errors = await Promise.all(Array.from({ length: 40 }, (_, i) => failure(db.get(i % 2 ? 'pragma query_only = 1' : 'pragma foreign_keys = off'))))
    t.ok(errors.every((err) => err.code === 'UC_SQL_CONNECTION'))
    t.equal((await failure(db.get('explain pragma query_only = 1'))).code, 'UC_SQL_CONNECTION', 'nor does explaining it')
    t.equal((await db.run('insert into t values (2)')).changes, 1, 'the writer still writes')
    await db.exec('create table p(id integer primary key); create table c(p references p(id))')
    t.equal((await failure(db.run('insert into c values (1)'))).code, 'SQLITE_CONSTRAINT_FOREIGNKEY')
  })

  t.test('ATTACH and DETACH are refused and name the option', open.only('sqlite', 'attach'), async (t) => {
    const db = await ready(t)
    for (const sql of ["attach ':memory:' as other", 'detach main', "ATTACH DATABASE 'x.db' AS y"]) {
      for (const verb of verbs) {
        const err = await failure(db[verb](sql))
        t.equal(err.code, 'UC_SQL_CONNECTION', `${verb}: ${sql}`)
        t.match(err.message, /attach/i)
      }
      t.equal((await failure(db.exec(sql))).code, 'UC_SQL_CONNECTION', `exec: ${sql}`)
    }
    t.equal((await failure(db.run('attach ? as other', [':memory:']))).code, 'UC_SQL_CONNECTION', 'with a parameter')
  })

  t.test('loose BEGIN, COMMIT, ROLLBACK, SAVEPOINT and RELEASE are refused with a sentence', async (t) => {
    const db = await ready(t)
    const loose = ['begin', ...(isPg ? ['START TRANSACTION', 'abort', 'begin work'] : ['begin immediate', 'BEGIN EXCLUSIVE TRANSACTION']), 'commit', 'end', 'END TRANSACTION', 'rollback', 'savepoint s', 'release s', 'rollback to s', '-- x\n begin;']
    for (const sql of loose) {
      for (const verb of verbs) {
        const err = await failure(db[verb](sql))
        t.equal(err.code, 'UC_SQL_TRANSACTION', `${verb}: ${sql}`)
      }
      const err = await failure(db.exec(sql))
      t.equal(err.code, 'UC_SQL_TRANSACTION', `exec: ${sql}`)
      t.match(err.message, /transaction/, 'the sentence shows the way')
    }
    t.equal((await failure(db.batch([['begin'], ['insert into t values (2)'], ['commit']]))).code, 'UC_SQL_TRANSACTION', 'in batch')
    t.equal((await failure(db.many('savepoint s', [[]]))).code, 'UC_SQL_TRANSACTION', 'in many')
    exact(t, await db.values('select a from t'), [[1]], 'nothing ran')
  })

  t.test('a complete BEGIN … COMMIT in exec runs as one transaction', async (t) => {
    const db = await ready(t)
    await db.exec('begin; insert into t values (2); insert into t values (3); commit;')
    t.equal((await db.get('select count(*) as n from t')).n, 3)
    await db.exec('-- with words\nBEGIN ' + (isPg ? '' : 'IMMEDIATE ') + 'TRANSACTION;\ninsert into t values (4);\nEND;\n')
    t.equal((await db.get('select count(*) as n from t')).n, 4, 'END is COMMIT')
    const err = await failure(db.exec('begin; insert into t values (5); insert into nowhere values (1); commit'))
    t.equal(err.code, code.noTable)
    t.equal((await db.get('select count(*) as n from t')).n, 4, 'a failing one is undone whole')
    t.equal((await db.run('insert into t values (6)')).changes, 1, 'and no transaction stays open')
  })

  t.test('scripts whose BEGIN and COMMIT do not match are refused and leave nothing', async (t) => {
    const db = await ready(t)
    for (const sql of [
      'begin; insert into t values (2)',
      'insert into t values (2); commit',
      'insert into t values (2); begin; insert into t values (3)',
      'begin; insert into t values (2); commit; begin; insert into t values (3)',
      'insert into t values (2); savepoint s; insert into t values (3)'
    ]) {
      t.equal((await failure(db.exec(sql))).code, 'UC_SQL_TRANSACTION', sql)
      exact(t, await db.values('select a from t'), [[1]], 'nothing stays')
      t.equal((await db.run('update t set a = a')).changes, 1, 'the writer is free')
    }
  })

  t.test('several statements where one belongs', async (t) => {
    const db = await ready(t)
    const sql = 'insert into t values (2); insert into t values (3)'
    for (const verb of verbs) t.equal((await failure(db[verb](sql))).code, 'UC_SQL_MULTI', verb)
    t.equal((await failure(db.get('select 1; select 2'))).code, 'UC_SQL_MULTI', 'reads too')
    t.equal((await failure(db.get('select 1; nonsense'))).code, 'UC_SQL_MULTI', 'whatever follows')
    t.equal((await failure(db.many(sql, [[]]))).code, 'UC_SQL_MULTI', 'many')
    t.equal((await failure(db.batch([[sql]]))).code, 'UC_SQL_MULTI', 'batch')
    t.equal((await failure(db.prepare(sql).run())).code, 'UC_SQL_MULTI', 'prepare')
    t.equal((await failure(async () => { for await (const row of db.iterate('select 1; select 2')) t.comment(row) })).code, 'UC_SQL_MULTI', 'iterate')
    exact(t, await db.values('select a from t'), [[1]], 'not even the first ran')
  })

  t.test('empty SQL', async (t) => {
    const db = await ready(t)
    for (const sql of ['', '   ', ';', '-- nothing', '/* nothing */ ;;']) {
      for (const verb of verbs) t.equal((await failure(() => db[verb](sql))).code, 'UC_SQL_EMPTY', `${verb}: ${JSON.stringify(sql)}`)
    }
  })

  t.test('SQL with NUL in it', async (t) => {
    const db = await ready(t)
    const err = await failure(() => db.get('select 1 as a\0; drop table t'))
    t.equal(err.code, 'UC_PARAM_TYPE')
    exact(t, await db.values('select a from t'), [[1]], 'the table is there')
  })

  t.test('TEMP objects live on the writer, and reads find them there', open.only('sqlite', 'temp'), async (t) => {
    const db = await ready(t, { readers: 2 })
    await db.run('create temp table mine(a)')
    await db.many('insert into mine values (?)', [[1], [2], [3]])
    const reads = await Promise.all(Array.from({ length: 10 }, () => db.get('select count(*) as n, (select count(*) from t) as m from mine')))
    t.ok(reads.every((row) => row.n === 3 && row.m === 1), 'joined with the others')
    await db.exec('create temp view two as select a from mine where a >= 2')
    exact(t, await db.values('select a from two order by a'), [[2], [3]], 'a temp view')
    await db.exec('create temp table log(a); create temp trigger tr after insert on log begin insert into mine values (new.a); end')
    await db.run('insert into log values (50)')
    exact(t, await db.get('select max(a) as top from mine'), { top: 50 }, 'a temp trigger')
    exact(t, await db.get('select count(*) as n from temp.mine'), { n: 4 }, 'by its schema\'s name')
    const rows = []
    for await (const row of db.iterate('select a from mine order by a')) rows.push(row.a)
    exact(t, rows, [1, 2, 3, 50], 'iterate')
  })

  t.test('a TEMP table in the place of a table, known to readers already', open.only('sqlite', 'temp'), async (t) => {
    const db = await ready(t)
    const q = db.prepare('select a from t')
    exact(t, await q.get(), { a: 1 }, 'the table')
    await db.exec('alter table t rename to kept; create temp table t(a); insert into temp.t values (100)')
    exact(t, await q.get(), { a: 100 }, 'the temp table')
    await db.exec('drop table temp.t; alter table kept rename to t')
    exact(t, await q.get(), { a: 1 }, 'and the table is back')
  })

  t.test('a write in disguise goes to the writer', async (t) => {
    const db = await ready(t)
    exact(t, await db.get('insert into t values (2) returning a'), { a: 2 }, 'insert … returning by get')
    exact(t, await db.all('with x(v) as (values (3)) insert into t select v from x returning a'), [{ a: 3 }], 'with … insert')
    t.equal((await db.get(`${isPg ? 'insert' : 'replace'} into t values (4) returning a`)).a, 4, 'replace')
    t.equal((await db.json('insert into t values (5) returning a')).toString(), '[{"a":5}]', 'json')
    const seen = []
    if (isPg) await db.run('insert into t values (6), (7)')
    else {
      for await (const row of db.iterate('insert into t values (6), (7) returning a')) seen.push(row.a)
      exact(t, seen, [6, 7], 'iterate')
    }
    exact(t, await db.values('select a from t order by a'), [[1], [2], [3], [4], [5], [6], [7]], 'all are there')
  })

  t.test('a read that writes after all', open.only('pg', 'SQLite knows before it runs one'), async (t) => {
    const db = await ready(t)
    await db.exec(`create sequence s;
      create function adds(n int) returns int language sql as 'insert into t values (n) returning a';
      create table once(a int);
      create function once() returns int language sql as 'insert into once values (1) returning a'`)
    exact(t, await db.get('select adds(2) as a'), { a: 2 }, 'a function that inserts')
    exact(t, (await Promise.all(Array.from({ length: 20 }, () => db.get('select once() as a')))).length, 20, 'many at once')
    exact(t, await db.get('select count(*) as n from once'), { n: 20 }, 'each ran once')
    exact(t, await db.get("select nextval('s') as a"), { a: 1 }, 'a sequence')
    await db.run('select a into copied from t')
    exact(t, await db.get('select count(*) as n from copied'), { n: 2 }, 'select into')
    exact(t, await db.all('with x as (insert into t values (7) returning a) select a + 1 as b from x'), [{ b: 8 }], 'within a with')
    exact(t, await db.get('select count(*) as n from t'), { n: 3 }, 'once')
    t.equal((await failure(db.get('with x as (select 9 as a) insert into t select a from x'))).code, 'UC_SQL_NO_ROWS', 'behind a with')
    t.equal((await failure(db.get('with x as (insert into t values (9) returning a) insert into t select a from x'))).code, 'UC_SQL_NO_ROWS', 'with rows inside only')
    exact(t, await db.get('select count(*) as n from t'), { n: 3 }, 'nothing ran')
  })

  t.test('what would change the connection of others is refused', open.only('pg', 'SQLite has pragmas'), async (t) => {
    const db = await ready(t)
    for (const sql of ['set work_mem = 1000', 'SET SESSION search_path = x', 'reset all', 'discard all', 'listen x', 'unlisten *', "load 'x'",
      'declare c cursor for select 1', 'fetch 1 from c', 'prepare p as select 1', 'execute p', 'deallocate all', 'copy t from stdin',
      "select set_config('work_mem', '1000', false)", 'select pg_advisory_lock(1)', 'create temp table x(a int)', 'create temporary table x as select 1']) {
      for (const verb of ['get', 'run', 'exec']) t.equal((await failure(db[verb](sql))).code, 'UC_SQL_CONNECTION', `${verb}: ${sql}`)
      t.equal((await failure(db.batch([['insert into t values (2)'], [sql]]))).code, 'UC_SQL_CONNECTION', `batch: ${sql}`)
    }
    t.match((await failure(db.run('set local work_mem = 1000'))).code, /^UC_SQL_/, 'outside of a transaction')
    const inside = await db.transaction(async (tx) => {
      await tx.run("set local work_mem = '1001kB'")
      await tx.run('create temp table x on commit drop as select 5 as a')
      return [await tx.get('show work_mem'), await tx.get('select a from x')]
    })
    exact(t, inside, [{ work_mem: '1001kB' }, { a: 5 }], 'it may have its own')
    const others = await Promise.all(Array.from({ length: 10 }, () => db.get('show work_mem')))
    t.ok(others.every((row) => row.work_mem !== '1001kB'), 'nobody else has')
    exact(t, await db.values('select a from t'), [[1]], 'nothing was written')
  })

  t.test('ANALYZE, REINDEX and optimize', async (t) => {
    const db = await ready(t)
    await db.exec('create index i on t(a)')
    await db.run('analyze')
    await db.run(isPg ? 'reindex table t' : 'reindex')
    if (!isPg) await db.run('pragma optimize')
    t.ok((await db.get(`select count(*) as n from ${isPg ? "pg_stats where tablename = 't'" : 'sqlite_stat1'}`)).n >= 1)
  })

  t.test('readers cannot be made to write', async (t) => {
    const db = await ready(t, { readers: 1 })
    await db.exec(`create view v as select a from t; ${isPg ? '' : trigger('tr instead of insert on v', 'insert into t values (new.a);')}`)
    await db.get('select * from v')
    t.equal((await db.run('insert into v values (9)')).changes >= 0, true, 'an insert into a view is a write')
    t.equal((await db.get('select count(*) as n from t where a = 9')).n, 1)
  })

  t.test('the engine is one without the WAL-reset race, and has its extensions', open.only('sqlite', 'it is about SQLite'), async (t) => {
    const db = await ready(t)
    const { v } = await db.get('select sqlite_version() as v')
    const [major, minor, patch] = v.split('.').map(Number)
    t.ok(major * 1e6 + minor * 1e3 + patch >= 3051003, `SQLite ${v}`)
    for (const option of ['ENABLE_FTS5', 'ENABLE_RTREE', 'ENABLE_MATH_FUNCTIONS', 'ENABLE_STAT4', 'ENABLE_SESSION', 'ENABLE_COLUMN_METADATA', 'DQS=0', 'THREADSAFE=2']) {
      exact(t, await db.get('select sqlite_compileoption_used(?) as used', [option]), { used: 1 }, option)
    }
    t.equal((await failure(db.get('select "no such column"'))).code, 'SQLITE_ERROR', 'a double-quoted string is no string')
  })
}
