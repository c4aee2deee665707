'use strict'

// Migrations on PostgreSQL: what its suite (test/contract/suite/migrate.js) does not say of every engine.

const fs = require('node:fs')
const path = require('node:path')
const { addonDoor, exact, failure, pgDoor, tmpdir } = require('../helper')
const { until, withServer } = require('./common')

let count = 0

function folder (t, files) {
  const dir = path.join(tmpdir(t), `migrations-${++count}`)
  write(dir, files)
  return dir
}

function write (dir, files) {
  for (const [name, sql] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
    fs.writeFileSync(path.join(dir, name), sql)
  }
}

withServer({}, async (t, server) => {
  const open = pgDoor(addonDoor(), server)

  await t.test('the folder pg/ is taken in place of the one that it is in', async (t) => {
    const { db } = open(t)
    const dir = folder(t, { '1_a.sql': 'create table a(id integer primary key autoincrement)', 'pg/1_a.sql': 'create table a(id bigserial primary key)', 'pg/2_b.sql': 'create table b(x int)' })
    exact(t, (await db.migrate(dir)).applied.map(({ name }) => name), ['1_a', '2_b'])
    const { db: lite } = addonDoor()(t)
    exact(t, (await lite.migrate(dir)).applied.map(({ name }) => name), ['1_a'], 'SQLite takes the other')
  })

  await t.test('CREATE INDEX CONCURRENTLY, and two handles at once', async (t) => {
    const url = open.file(t)
    const dir = folder(t, {
      '1_a.sql': 'create table a(x int); insert into a select generate_series(1, 1000)',
      '2_i.sql': '-- no transaction\ncreate index concurrently i on a(x);\nvacuum a;\ncreate index concurrently j on a(x)',
      '3_b.sql': 'create table b(x int)'
    })
    const done = await Promise.all(Array.from({ length: 4 }, () => open.at(t, url, { poolMax: 3 }).db.migrate(dir)))
    exact(t, done.flatMap(({ applied }) => applied).map(({ version }) => version).sort(), [1, 2, 3], 'each file once')
    for (const { current } of done) t.equal(current, 3)
    t.equal(server.sql("select count(*) from pg_indexes where tablename = 'a'", server.nameOf(url)), '2')
  })

  await t.test('lost on its way: what may have stayed is not called undone', async (t) => {
    const ends = 'select pg_terminate_backend(pg_backend_pid())'
    const outcomes = {
      'in its transaction': ['not-run', `create table a(x int); ${ends}`],
      'at its commit': ['unknown', `create table a(x int);
        create function ends() returns trigger language plpgsql as $$begin perform pg_terminate_backend(pg_backend_pid()); return null; end$$;
        create constraint trigger ends after insert on a deferrable initially deferred for each row execute function ends();
        insert into a values (1)`],
      'without a transaction': ['unknown', `-- no transaction\ncreate table a(x int);\n${ends}`]
    }
    for (const [where, [outcome, sql]] of Object.entries(outcomes)) {
      const error = await failure(open(t).db.migrate(folder(t, { '1_a.sql': sql })))
      exact(t, [error.kind, error.outcome], ['connection', outcome], `${where}: ${error.message}`)
    }
  })

  await t.test('it waits for another one, however long that takes', async (t) => {
    const url = open.file(t)
    const dir = folder(t, { '1_a.sql': 'create table a(x int); select pg_sleep(1.5)' })
    const first = open.at(t, url).db.migrate(dir)
    await until(() => server.sql("select count(*) from pg_stat_activity where query like 'create table a%' and state = 'active'") === '1', 'it has begun')
    const second = await open.at(t, `${url}&application_name=second`).db.migrate(dir)
    exact(t, second, { applied: [], current: 1, pending: [] })
    exact(t, (await first).applied.length, 1)
  })

  await t.test('a table that is locked is waited for in turns', async (t) => {
    const url = open.file(t)
    const { db } = open.at(t, url)
    const { db: other } = open.at(t, `${url}&application_name=other`)
    const dir = folder(t, { '1_a.sql': 'create table a(x int)' })
    await db.migrate(dir)
    write(dir, { '2_a.sql': 'alter table a add column y int' })
    let done
    await other.transaction(async (tx) => {
      await tx.get('select * from a')
      done = db.migrate(dir)
      const waits = () => server.sql("select count(*) from pg_stat_activity where query like 'alter table a%' and wait_event_type = 'Lock'")
      await until(() => waits() === '1', 'it waits')
      await until(() => waits() === '0', 'it lets the others go on')
    })
    exact(t, (await done).applied.map(({ version }) => version), [2], 'and comes to it')
  })

  await t.test('what a file sets is gone with it', async (t) => {
    const url = open.file(t)
    const { db } = open.at(t, url)
    const dir = folder(t, {
      '1_dump.sql': "select pg_catalog.set_config('search_path', '', false); set work_mem = '7MB'; create table public.a(x int); create schema s; set role pg_read_all_data; reset role",
      '2_loose.sql': "-- no transaction\nset search_path = 's';\nset work_mem = '9MB';\ncreate table b(x int)"
    })
    await db.migrate(dir)
    exact(t, await db.get('select current_setting(\'search_path\') as a, current_setting(\'work_mem\') as b'), { a: '"$user", public', b: '4MB' })
    t.equal(server.sql('select count(*) from s.b', server.nameOf(url)), '0')
    exact(t, (await db.migrate(dir)).applied, [], 'it is recorded where it is looked for')
  })

  await t.test('errors name the file, the line and what the server says', async (t) => {
    const { db } = open(t)
    const dir = folder(t, { '1_a.sql': "-- ü𝄞\ncreate table a(x int unique);\ninsert into a values (1);\n\n  select '𝄞', nope from a;" })
    const err = await failure(db.migrate(dir))
    t.equal(err.code, 'PG_UNDEFINED_COLUMN')
    t.match(err.message, /1_a\.sql, line 5: column "nope"/)
    t.equal(err.sqlstate, '42703')
    t.equal(err.sql.slice(err.offset, err.offset + 4), 'nope', 'the place')
    write(dir, { '1_a.sql': 'create table a(x int unique);\ninsert into a values (1);\ninsert into a values (1)' })
    const twice = await failure(db.migrate(dir))
    t.equal(twice.code, 'PG_UNIQUE_VIOLATION')
    t.equal(twice.constraint, 'a_x_key')
    t.match(twice.message, /^migration 1_a\.sql/)
    write(dir, { '1_a.sql': 'create table a(x int references a deferrable initially deferred, y int primary key); insert into a values (5, 1)' })
    t.equal((await failure(db.migrate(dir))).code, 'PG_FOREIGN_KEY_VIOLATION', 'at the commit')
    write(dir, { '1_a.sql': '-- no transaction\ncreate table a(x int);\n\nselect nope from a;' })
    t.match((await failure(db.migrate(dir))).message, /line 4: .*stays done/)
    exact(t, await db.get("select to_regclass('a') is not null as a"), { a: true })
  })

  await t.test('bodies of functions and rules hold semicolons', async (t) => {
    const { db } = open(t)
    await db.migrate(folder(t, {
      '1_a.sql': `create table a(x int);
        create function f(i int) returns int language sql begin atomic select case when i > 0 then 1 else 2 end; end;
        create procedure p() language sql begin atomic insert into a values (1); insert into a values (2); end;
        create function g() returns int language plpgsql as $$ begin return 1; end; $$;
        create rule r as on delete to a do instead (select 1; select 2);`,
      '2_b.sql': '-- no transaction\ncreate function h() returns int language sql begin atomic select 1; end;\ncreate table b(x int default h());\ndo $$ begin perform 1; end $$;\ncall p()'
    }))
    exact(t, await db.values('select x from a order by x'), [[1], [2]])
  })

  await t.test('a lost connection undoes it, and the next one goes on', async (t) => {
    const url = open.file(t)
    const { db } = open.at(t, url)
    const dir = folder(t, { '1_a.sql': 'create table a(x int); select pg_sleep(30)' })
    const failed = failure(db.migrate(dir))
    await until(() => server.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where query like 'create table a%' and state = 'active' and pid <> pg_backend_pid()") === '1', 'it is ended')
    t.match((await failed).message, /^migration 1_a\.sql/)
    write(dir, { '1_a.sql': 'create table a(x int)' })
    exact(t, (await db.migrate(dir)).applied.length, 1)
  })
})
