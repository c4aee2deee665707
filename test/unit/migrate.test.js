'use strict'

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const { failure, runs, tmpdir, tmpfile } = require('../helper')

async function database (t, target = ':memory:') {
  const store = open(target)
  t.teardown(() => store.close())
  return store.db
}

let folders = 0

function folder (t, files) {
  const dir = path.join(tmpdir(t), `migrations-${++folders}`)
  fs.mkdirSync(dir)
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text)
  return dir
}

async function refused (t, promise, code, text) {
  const err = await failure(promise)
  t.equal(err.code, code, `${code}: ${text}`)
  t.match(err.message, text)
  return err
}

const FIRST = 'create table a(id integer primary key, v text);\ninsert into a(v) values (\'x;y\');\n'

t.test('applies what is missing, in the order of the numbers', async (t) => {
  const db = await database(t)
  const dir = folder(t, {
    '10-last.sql': 'insert into a(v) values (\'last\')',
    '0002_more.sql': 'alter table a add column n int; update a set n = 1;',
    '0001_first.sql': FIRST,
    'README.md': 'not a migration'
  })
  const steps = []
  const before = await db.migrate(dir, { dryRun: true })
  t.same(before, {
    applied: [],
    current: null,
    pending: [{ version: 1, name: '0001_first' }, { version: 2, name: '0002_more' }, { version: 10, name: '10-last' }]
  })
  const done = await db.migrate(dir, { onProgress: (step) => steps.push(step) })
  t.same(done.applied.map((each) => each.version), [1, 2, 10])
  t.equal(done.current, 10)
  t.same(done.pending, [])
  t.same(steps.map((step) => [step.version, step.index, step.count, step.ms === null]),
    [[1, 0, 3, true], [1, 0, 3, false], [2, 1, 3, true], [2, 1, 3, false], [10, 2, 3, true], [10, 2, 3, false]])
  t.same(await db.all('select v, n from a order by id'), [{ v: 'x;y', n: 1 }, { v: 'last', n: null }])
  const records = await db.all('select * from undercroft_migration order by version')
  t.match(records[0], { version: 1, name: '0001_first', checksum: /^[0-9a-f]{64}$/, applied_at: /^\d{4}-\d\d-\d\d/, ms: Number })
  t.same(await db.migrate(dir), { applied: [], current: 10, pending: [] }, 'the second time there is nothing to do')
  fs.writeFileSync(path.join(dir, '0011_next.sql'), 'create table b(id integer primary key)')
  t.same((await db.migrate(dir)).applied.map((each) => each.name), ['0011_next'])
})

t.test('line ends and a byte order mark do not change a file', async (t) => {
  const db = await database(t)
  const dir = folder(t, { '0001_first.sql': FIRST })
  await db.migrate(dir)
  fs.writeFileSync(path.join(dir, '0001_first.sql'), '\ufeff' + FIRST.replaceAll('\n', '\r\n'))
  t.same((await db.migrate(dir)).applied, [])
})

t.test('a folder that does not fit the history is refused', async (t) => {
  const db = await database(t)
  const dir = folder(t, { '0001_first.sql': FIRST, '0003_third.sql': 'create table c(id integer primary key)' })
  await db.migrate(dir)
  const third = path.join(dir, '0003_third.sql')
  const later = path.join(dir, '0009_later.sql')
  fs.writeFileSync(later, 'create table later(x)')

  fs.writeFileSync(third, 'create table c(id integer primary key, extra)')
  await refused(t, db.migrate(dir), 'UC_MIGRATION_CHANGED', '0003_third.sql has changed')
  await refused(t, db.migrate(dir, { dryRun: true }), 'UC_MIGRATION_CHANGED', '0003_third.sql')
  fs.rmSync(third)
  await refused(t, db.migrate(dir), 'UC_MIGRATION_MISSING', '0003_third.sql has been applied')
  fs.writeFileSync(third, 'create table c(id integer primary key)')
  fs.writeFileSync(path.join(dir, '0002_second.sql'), 'create table b(x)')
  await refused(t, db.migrate(dir), 'UC_MIGRATION_ORDER', '0002_second.sql was never applied')
  t.equal(await db.get("select 1 from sqlite_schema where name in ('later', 'b')"), undefined, 'nothing ran')
  fs.rmSync(path.join(dir, '0002_second.sql'))
  t.same((await db.migrate(dir)).applied.map((each) => each.version), [9])
})

t.test('files that cannot be migrations are refused before anything runs', async (t) => {
  const db = await database(t)
  const cases = [
    [{ '0001_a.sql': FIRST, 'fix.sql': 'select 1' }, 'migration fix.sql: expected a number'],
    [{ '0001_a.sql': FIRST, '1-b.sql': FIRST }, 'it has the number of 0001_a.sql'],
    [{ '0001_a.sql': FIRST, '0002_b.sql': '  \n' }, '0002_b.sql: it holds no statement'],
    [{ '0001_a.sql': FIRST, '0002_b.sql': '-- only\n/* words */ ;;' }, '0002_b.sql: it holds no statement'],
    [{ '0001_a.sql': FIRST, '0002_b.sql': Buffer.from([0x73, 0xff, 0x20]) }, '0002_b.sql: it is not UTF-8'],
    [{ '0001_a.sql': FIRST, '0002.sql': 'select 1' }, '0002.sql: expected a number']
  ]
  for (const [files, text] of cases) {
    const err = await refused(t, db.migrate(folder(t, files)), 'UC_MIGRATION_FILE', text)
    t.equal(err.kind, 'usage')
  }
  await refused(t, db.migrate(path.join(tmpdir(t), 'nowhere')), 'UC_MIGRATION_FILE', 'cannot be read')
  await refused(t, db.migrate(5), 'UC_OPTION', 'a folder')
  await refused(t, db.migrate('x', { dryrun: true }), 'UC_OPTION', 'did you mean "dryRun"')
  t.equal(await db.get("select 1 from sqlite_schema where name = 'a'"), undefined)
})

t.test('a failing file is undone whole, and named', async (t) => {
  const db = await database(t)
  const dir = folder(t, {
    '0001_first.sql': FIRST,
    '0002_bad.sql': 'create table half(x);\n\ninsert into nowhere values (1);'
  })
  const err = await refused(t, db.migrate(dir), 'SQLITE_ERROR', 'migration 0002_bad.sql')
  t.match(err.message, 'nowhere')
  t.equal(await db.get("select 1 from sqlite_schema where name = 'half'"), undefined)
  t.same((await db.all('select version from undercroft_migration')).map((row) => row.version), [1], 'what came before stays')
  fs.writeFileSync(path.join(dir, '0002_bad.sql'), 'create table half(x)')
  t.equal((await db.migrate(dir)).current, 2, 'the mended file goes through')
})

t.test('a file does not steer the transaction', async (t) => {
  const db = await database(t)
  for (const sql of ['begin; create table b(x); commit;', 'create table b(x); commit;', 'create table b(x); savepoint s;', 'create table b(x); rollback;']) {
    const err = await failure(db.migrate(folder(t, { '0001_b.sql': sql })))
    t.match(err.message, '0001_b.sql', sql)
    t.match(err.code, /^UC_/)
    t.equal(await db.get("select 1 from sqlite_schema where name = 'b'"), undefined)
  }
})

t.test('rebuilding a parent table keeps its children', async (t) => {
  const db = await database(t)
  const dir = folder(t, {
    '0001_tables.sql': `create table parent(id integer primary key, name text);
      create table child(id integer primary key, parent int references parent(id) on delete cascade);
      insert into parent values (1, 'p'); insert into child values (1, 1), (2, 1);`,
    '0002_rebuild.sql': `create table parent_new(id integer primary key, name text not null);
      insert into parent_new select id, name from parent;
      drop table parent;
      alter table parent_new rename to parent;`
  })
  await db.migrate(dir)
  t.equal((await db.get('select count(*) as n from child')).n, 2)
  const err = await failure(db.run('insert into child(parent) values (9)'))
  t.equal(err.kind, 'foreign-key', 'foreign keys are on again')
})

t.test('a file that leaves a broken reference is undone', async (t) => {
  const db = await database(t)
  const dir = folder(t, {
    '0001_tables.sql': `create table parent(id integer primary key);
      create table child(id integer primary key, parent int references parent(id));
      insert into parent values (1); insert into child values (1, 1);`,
    '0002_break.sql': 'delete from parent;'
  })
  const err = await failure(db.migrate(dir))
  t.match(err.message, '0002_break.sql')
  t.match(err.message, /child/)
  t.equal((await db.get('select count(*) as n from parent')).n, 1)
})

t.test('-- no transaction', async (t) => {
  const db = await database(t, tmpfile(t))
  const dir = folder(t, {
    '0001_first.sql': FIRST,
    '0002_vacuum.sql': '-- reclaim the space\n-- no transaction\nvacuum;\ncreate table after_it(x);'
  })
  await db.migrate(dir)
  t.same((await db.all('select version from undercroft_migration')).map((row) => row.version), [1, 2])
  fs.writeFileSync(path.join(dir, '0003_half.sql'), '-- no transaction\ncreate table stays(x);\ninsert into nowhere values (1);')
  const err = await failure(db.migrate(dir))
  t.match(err.message, 'without a transaction')
  t.ok(await db.get("select 1 from sqlite_schema where name = 'stays'"))
  t.equal((await db.get('select max(version) as v from undercroft_migration')).v, 2)
})

t.test('tables are seen anew after a migration', async (t) => {
  const db = await database(t)
  const dir = folder(t, { '0001_first.sql': 'create table k(id integer primary key, code text not null unique)' })
  await db.migrate(dir)
  await db.table('k').insert({ id: 1, code: 'x' })
  fs.writeFileSync(path.join(dir, '0002_key.sql'), `
    create table k2(id int not null, code text not null primary key) without rowid;
    insert into k2 select * from k; drop table k; alter table k2 rename to k;`)
  await db.migrate(dir)
  t.same(await db.table('k').get('x'), { id: 1, code: 'x' })
})

t.test('two handles may migrate one file at once', async (t) => {
  const file = tmpfile(t)
  const files = {}
  for (let i = 1; i <= 12; i++) files[`${i}_step.sql`] = `create table t${i}(x); insert into t${i} values (${i});`
  const dir = folder(t, files)
  const handles = [await database(t, file), await database(t, file)]
  const results = await Promise.all(handles.map((db) => db.migrate(dir)))
  t.same(results.map((result) => result.current), [12, 12])
  t.equal(results[0].applied.length + results[1].applied.length, 12, 'each file ran once')
  t.equal((await handles[0].get('select count(*) as n from undercroft_migration')).n, 12)
})

t.test('so may several processes', async (t) => {
  const file = tmpfile(t)
  const files = { '0_base.sql': 'create table log(step int)' }
  for (let i = 1; i <= 15; i++) files[`${i}_step.sql`] = `create table t${i}(x); insert into log values (${i});`
  const dir = folder(t, files)
  const work = async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.file)
    const { applied, current } = await store.db.migrate(args.dir)
    say(`${applied.length} ${current}`)
    await store.close()
  }
  const children = [1, 2, 3].map(() => runs(t, work, { args: { file, dir } }))
  const said = (await Promise.all(children)).map(({ stdout }) => stdout.trim().split(' ').map(Number))
  t.same(said.map(([, current]) => current), [15, 15, 15])
  t.equal(said.reduce((sum, [applied]) => sum + applied, 0), 16, 'each file ran in one of them')
  const db = await database(t, file)
  t.same((await db.values('select step from log')).flat(), Array.from({ length: 15 }, (_, i) => i + 1))
})

t.test('an abort between two files', async (t) => {
  const db = await database(t)
  const dir = folder(t, { '1_a.sql': FIRST, '2_b.sql': 'create table b(x)' })
  const stop = new AbortController()
  const onProgress = ({ version, ms }) => { if (version === 1 && ms !== null) stop.abort(new Error('enough')) }
  const err = await failure(db.migrate(dir, { onProgress, signal: stop.signal }))
  t.equal(err.message, 'enough')
  t.equal((await db.migrate(dir, { dryRun: true })).current, 1)
})
