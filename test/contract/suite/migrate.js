'use strict'

// db.migrate: numbered SQL files, checksummed and recorded; a rebuild loses nothing.

const fs = require('node:fs')
const path = require('node:path')
const { exact, failure, runaway, tmpdir } = require('../../helper')

module.exports = (t, open) => {
  const isSqlite = open.engine === 'sqlite'
  const { code } = open.sql
  // Foreign keys are as they were.
  const keysAreOn = async (t, db) => { if (isSqlite) exact(t, await db.get('pragma foreign_keys'), { foreign_keys: 1 }, 'foreign keys are on') }

  const folder = (t, files) => {
    const dir = path.join(tmpdir(t), `migrations-${Object.keys(files).length}-${Math.random().toString(36).slice(2)}`)
    fs.mkdirSync(dir)
    write(dir, files)
    return dir
  }
  const write = (dir, files) => {
    for (const [name, sql] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), sql)
  }
  const tables = async (db) => (await db.values(`${open.sql.tables} and name not like 'undercroft%' order by name`)).map(([name]) => name)

  t.test('in the order of the numbers, each once', async (t) => {
    const { db } = open(t)
    const dir = folder(t, {
      '0010_third.sql': 'insert into a values (3);',
      '0001_first.sql': 'create table a(x int); insert into a values (1);',
      '0002_second.sql': '-- a comment\ninsert into a values (2);'
    })
    await db.migrate(dir)
    exact(t, (await db.values('select x from a')).map(([x]) => x), [1, 2, 3], 'in order')
    await db.migrate(dir)
    await db.migrate(dir)
    t.equal((await db.get('select count(*) as n from a')).n, 3, 'again: nothing')
    write(dir, { '0011_fourth.sql': 'insert into a values (4)' })
    await db.migrate(dir)
    t.equal((await db.get('select count(*) as n from a')).n, 4, 'a new one is applied')
    t.equal((await db.get('select count(*) as n from undercroft_migration')).n, 4, 'all are recorded')
  })

  t.test('a rebuild of a parent with children loses nothing', open.only('sqlite', 'PostgreSQL alters tables in place'), async (t) => {
    const { db } = open(t)
    const dir = folder(t, {
      '1_init.sql': `create table parent(id integer primary key, name text);
        create table child(id integer primary key, parent int not null references parent(id) on delete cascade);
        insert into parent values (1, 'a'), (2, 'b');
        insert into child(parent) values (1), (1), (2);`,
      '2_rebuild.sql': `create table parent_new(id integer primary key, name text not null, extra int default 0);
        insert into parent_new(id, name) select id, name from parent;
        drop table parent;
        alter table parent_new rename to parent;`
    })
    await db.migrate(dir)
    exact(t, await db.values('select parent from child order by id'), [[1], [1], [2]], 'every child is there')
    exact(t, await db.get('select * from parent where id = 1'), { id: 1, name: 'a', extra: 0 }, 'and the parents, rebuilt')
    await keysAreOn(t, db)
    t.equal((await failure(db.run('insert into child(parent) values (99)'))).code, code.foreignKey, 'and felt')
    t.equal((await db.run('delete from parent where id = 1')).changes, 1)
    exact(t, await db.values('select parent from child'), [[2]], 'cascades work')
  })

  t.test('a migration that breaks a foreign key is undone', async (t) => {
    const { db } = open(t)
    const dir = folder(t, {
      '1_init.sql': 'create table p(id integer primary key); create table c(p int references p(id)); insert into p values (1); insert into c values (1)',
      '2_break.sql': 'create table extra(a int); delete from p'
    })
    const err = await failure(db.migrate(dir))
    t.match(err.code, /^(SQLITE_CONSTRAINT_FOREIGNKEY|PG_FOREIGN_KEY_VIOLATION|UC_MIGRATION_FILE)$/)
    t.match(err.message, /2_break/, 'the file is named')
    exact(t, await tables(db), ['c', 'p'], 'nothing of it is left')
    exact(t, await db.get('select count(*) as n from p'), { n: 1 }, 'the row is there')
    await keysAreOn(t, db)
  })

  t.test('a failing file is undone whole, the ones before it stay', async (t) => {
    const { db } = open(t)
    const dir = folder(t, { '1_a.sql': 'create table a(x int)', '2_b.sql': 'create table b(x int);\ninsert into b values (1);\ninsert into nowhere values (1);' })
    const err = await failure(db.migrate(dir))
    t.match(err.message, /2_b/, 'the file is named')
    t.equal(err.code, code.noTable)
    t.match(err.message, /line 3/, 'and the line')
    exact(t, await tables(db), ['a'], 'the first stays')
    write(dir, { '2_b.sql': 'create table b(x int)' })
    await db.migrate(dir)
    exact(t, await tables(db), ['a', 'b'], 'mended, it goes on')
  })

  t.test('a changed, a missing and a late file are refused before anything runs', async (t) => {
    const { db } = open(t)
    const dir = folder(t, { '01_a.sql': 'create table a(x int)', '03_c.sql': 'create table c(x int)' })
    await db.migrate(dir)
    write(dir, { '01_a.sql': 'create table a(x int, y int)', '04_d.sql': 'create table d(x int)' })
    const changed = await failure(db.migrate(dir))
    t.equal(changed.code, 'UC_MIGRATION_CHANGED')
    t.match(changed.message, /01_a/)
    exact(t, await tables(db), ['a', 'c'], 'nothing ran')
    fs.rmSync(path.join(dir, '01_a.sql'))
    const missing = await failure(db.migrate(dir))
    t.equal(missing.code, 'UC_MIGRATION_MISSING')
    t.match(missing.message, /01_a/)
    write(dir, { '01_a.sql': 'create table a(x int)', '02_b.sql': 'create table b(x int)' })
    const late = await failure(db.migrate(dir))
    t.equal(late.code, 'UC_MIGRATION_ORDER')
    t.match(late.message, /02_b/)
    exact(t, await tables(db), ['a', 'c'], 'nothing ran')
    fs.rmSync(path.join(dir, '02_b.sql'))
    await db.migrate(dir)
    exact(t, await tables(db), ['a', 'c', 'd'], 'put right, it goes on')
  })

  t.test('line ends do not count as a change', async (t) => {
    const { db } = open(t)
    const dir = folder(t, { '1_a.sql': 'create table a(x int);\ninsert into a values (1);\n' })
    await db.migrate(dir)
    write(dir, { '1_a.sql': 'create table a(x int);\r\ninsert into a values (1);\r\n' })
    await db.migrate(dir)
    t.equal((await db.get('select count(*) as n from a')).n, 1)
  })

  t.test('BEGIN and COMMIT in a file are refused', async (t) => {
    for (const sql of ['begin; create table a(x int); commit;', 'create table a(x int); commit;', 'create table a(x int); savepoint s;', 'create table a(x int); rollback']) {
      const { db } = open(t)
      const err = await failure(db.migrate(folder(t, { '1_a.sql': sql })))
      t.match(err.code, /^(UC_SQL_TRANSACTION|UC_MIGRATION_FILE)$/, sql)
      exact(t, await tables(db), [], 'nothing is left')
      t.equal((await db.run('create table z(x int)')).changes, 0, 'and no transaction open')
    }
    const { db } = open(t)
    await db.migrate(folder(t, { '1_a.sql': `create table a(x int); ${isSqlite ? 'create trigger tr after insert on a begin select 1; end' : 'create function f() returns int begin atomic select case when true then 1 end; end'}; insert into a values (1)` }))
    t.equal((await db.get('select count(*) as n from a')).n, 1, 'the begin of a trigger or a function is none')
  })

  t.test('-- no transaction', async (t) => {
    const { db } = open(t)
    const dir = folder(t, { '1_a.sql': 'create table a(x int); insert into a values (1)', '2_v.sql': '-- no transaction\nvacuum;\ncreate table b(x int);' })
    await db.migrate(dir)
    exact(t, await tables(db), ['a', 'b'], 'vacuum ran')
    write(dir, { '3_w.sql': '-- no transaction\ncreate table c(x int);\ninsert into nowhere values (1);' })
    t.match((await failure(db.migrate(dir))).message, /3_w/)
    write(dir, { '3_w.sql': '-- no transaction\ncreate table if not exists c(x int);' })
    await db.migrate(dir)
    exact(t, await tables(db), ['a', 'b', 'c'], 'a second try goes on')
    await keysAreOn(t, db)
  })

  t.test('a comment that looks like the beginning of another one', async (t) => {
    const { db } = open(t)
    await db.migrate(folder(t, { '1_a.sql': '-- /* all of\ncreate table a(x int)', '2_b.sql': '/* -- */ create table b(x int)', '3_c.sql': '/*/ ; */;create table c(x int) -- */' }))
    exact(t, await tables(db), ['a', 'b', 'c'])
  })

  t.test('wrong folders and names', async (t) => {
    const { db } = open(t)
    t.equal((await failure(db.migrate('/dev/null/none'))).code, 'UC_MIGRATION_FILE', 'no folder')
    for (const files of [{ 'init.sql': 'select 1' }, { '1_a.sql': 'select 1', '01_b.sql': 'select 1' }, { '1_a.sql': '' }, { '1_a.sql': '-- only words' }, { '1_a.sql': ' ;/* -- */;\n-- /* ;\n/* */' }, { '1_a.sql': '/* select 1' }, { '1_a.sql': Buffer.from([0xff, 0xfe]) }]) {
      t.equal((await failure(db.migrate(folder(t, files)))).code, 'UC_MIGRATION_FILE', Object.keys(files).join())
    }
    for (const dir of [undefined, null, 5, '']) t.match((await failure(() => db.migrate(dir))).code, /^UC_/, String(dir))
    await db.migrate(folder(t, { 'readme.txt': 'not sql', '1_a.sql': 'create table a(x int)' }))
    exact(t, await tables(db), ['a'], 'other files are not looked at')
  })

  t.test('a signal and a deadline end all of it', async (t) => {
    const endless = `insert into a ${runaway} select x from c`
    const files = { '1_a.sql': 'create table a(x int)', '2_b.sql': `create table b(x int); ${endless}`, '3_c.sql': 'create table c(x int)' }
    for (const head of ['', '-- no transaction\n']) {
      const { db } = open(t)
      const dir = folder(t, { ...files, '2_b.sql': head + files['2_b.sql'] })
      const left = head === '' ? ['a'] : ['a', 'b']
      const stop = new AbortController()
      const reason = new Error('enough')
      const onProgress = ({ index, ms }) => { if (index === 1 && ms === null) setTimeout(() => stop.abort(reason), 50) }
      // Without a transaction the first statement of the file stays, where the machine had come to it.
      const stays = async (what) => {
        const there = await tables(db)
        exact(t, there, head !== '' && there.length === 1 ? ['a'] : left, what)
      }
      t.equal(await failure(db.migrate(dir, { signal: stop.signal, onProgress })), reason, 'while a file runs')
      await stays('the file that ran is undone, the one before it stays')
      await db.exec('drop table if exists b')
      // Longer where the machine had not come to the file by then.
      let err
      for (let timeoutMs = 300; timeoutMs < 20_000 && !/2_b\.sql/.test(err?.message); timeoutMs *= 2) {
        err = await failure(db.migrate(dir, { timeoutMs }))
        t.equal(err.code, 'UC_TIMEOUT')
        await stays()
      }
      t.match(err.message, /2_b\.sql/, 'the file is named')
      await stays()
      await keysAreOn(t, db)
      t.equal((await db.run('create table z(x int)')).changes, 0, 'and the writer is free')
    }
    const { db } = open(t)
    const dir = folder(t, { '1_a.sql': 'create table a(x int)', '2_b.sql': 'create table b(x int)' })
    const stop = new AbortController()
    const reason = new Error('between two')
    const onProgress = ({ index, ms }) => { if (index === 0 && ms !== null) stop.abort(reason) }
    t.equal(await failure(db.migrate(dir, { signal: stop.signal, onProgress })), reason, 'between two files')
    exact(t, await tables(db), ['a'])
    t.equal(await failure(db.migrate(dir, { signal: stop.signal })), reason, 'before the first')
    t.equal(await failure(db.migrate(dir, { signal: stop.signal, dryRun: true })), reason, 'a comparison as well')
    await db.migrate(dir, { signal: new AbortController().signal, timeoutMs: 60000 })
    exact(t, await tables(db), ['a', 'b'], 'what is not used changes nothing')
    for (const options of [{ signal: 5 }, { signal: {} }, { timeoutMs: -1 }, { timeoutMs: 'x' }, { dryRun: 'yes' }, { onProgress: 5 }, { timeout: 5 }, 5]) {
      t.equal((await failure(db.migrate(dir, options))).code, 'UC_OPTION', JSON.stringify(options))
    }
  })

  t.test('two handles migrate at once', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file).db
    const b = open.at(t, file).db
    const dir = folder(t, { '1_a.sql': 'create table a(x int)', '2_b.sql': 'insert into a values (1)', '3_c.sql': 'create table c(x int)' })
    await Promise.all([a.migrate(dir), b.migrate(dir)])
    t.equal((await a.get('select count(*) as n from a')).n, 1, 'each file once')
  })

  t.test('calls in flight around it', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
    const dir = folder(t, { '1_x.sql': 'alter table t add column b int default 1' })
    const calls = Array.from({ length: 50 }, (_, i) => db.run('insert into t(a) values (?)', [i]))
    const migrating = db.migrate(dir)
    const more = Array.from({ length: 50 }, (_, i) => db.run('insert into t(a) values (?)', [i]))
    await Promise.all([...calls, migrating, ...more])
    exact(t, await db.get('select count(*) as n, sum(b) as s from t'), { n: 100, s: 100 }, 'all rows, all with the column')
  })
}
