'use strict'
// The commands for PostgreSQL: settings for a machine, and copies of databases.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFile, spawn } = require('node:child_process')
const { open } = require('../..')
const { readMemory, settingsFor } = require('../../lib/cli/pg/tune')
const { split } = require('../../lib/cli/pg/programs')
const { fileTimeoutMs, root, tmpdir } = require('../helper')
const pg = require('../pg')

const skip = pg.whyNot() ?? false
const GiB = 1024 ** 3

t.setTimeout(fileTimeoutMs)

// -> { code, out, err }
function cli (...args) {
  return new Promise(resolve => execFile(process.execPath, [path.join(root, 'lib/cli/main.js'), ...args], { cwd: root },
    (error, out, err) => resolve({ code: error?.code ?? 0, out, err })))
}

const valuesOf = machine => Object.fromEntries(settingsFor(machine).map(({ name, value }) => [name, value]))

t.test('settings are those of pgtune', async t => {
  t.match(valuesOf({ memory: 16 * GiB, cores: 8, disk: 'ssd', work: 'web' }), {
    max_connections: '200',
    shared_buffers: '4GB',
    effective_cache_size: '12GB',
    maintenance_work_mem: '1GB',
    wal_buffers: '16MB',
    random_page_cost: '1.1',
    effective_io_concurrency: '200',
    work_mem: '5242kB',
    huge_pages: 'off',
    min_wal_size: '1GB',
    max_wal_size: '4GB',
    max_parallel_workers_per_gather: '4'
  })
  t.match(valuesOf({ memory: 64 * GiB, cores: 16, disk: 'hdd', work: 'dw' }), {
    max_connections: '40', default_statistics_target: '500', random_page_cost: '4', effective_io_concurrency: '2', huge_pages: 'try', maintenance_work_mem: '2GB', max_parallel_workers_per_gather: '8'
  })
  t.match(valuesOf({ memory: 2 * GiB, cores: 2, disk: 'ssd', work: 'desktop' }), { shared_buffers: '128MB', max_connections: '20' })
  t.equal(valuesOf({ memory: 2 * GiB, cores: 2, disk: 'ssd', work: 'web' }).max_worker_processes, undefined, 'what it is anyway')
  t.equal(valuesOf({ memory: 16 * GiB, cores: 8, disk: 'ssd', work: 'web', connections: 50 }).max_connections, '50')
  for (const { why } of settingsFor({ memory: GiB, cores: 8, disk: 'san', work: 'mixed' })) t.ok(why, 'a reason')
})

t.test('memory as people write it', async t => {
  t.same(['16GB', '512MB', '1.5 GiB', '8', '300kB', 'much', ''].map(readMemory), [16 * GiB, 512 * 1024 ** 2, 1.5 * GiB, 8 * GiB, 300 * 1024, null, null])
})

t.test('an address for another program has no password in it', async t => {
  const found = (address) => {
    const { address: plain, env } = split(address)
    return [plain, env.PGPASSWORD]
  }
  delete process.env.PGPASSWORD
  t.same(found('postgres://app:se%3Acret@db:5433/shop?sslmode=require'), ['postgres://app@db:5433/shop?sslmode=require', 'se:cret'])
  t.same(found('postgres://app@/shop?password=x%26y&host=/tmp'), ['postgres://app@/shop?host=/tmp', 'x&y'])
  t.same(found('postgres:///shop'), ['postgres:///shop', undefined])
  t.same(found('postgresql://db/shop'), ['postgresql://db/shop', undefined])
})

t.test('what is wrong on the command line', async t => {
  for (const [args, code, pattern] of [
    [['pg'], 2, /what is to be done/],
    [['pg', 'tun'], 2, /did you mean 'tune'/],
    [['pg', 'tune', '--disk', 'tape'], 2, /--disk is one of/],
    [['pg', 'tune', '--for', 'fun'], 2, /--for is one of/],
    [['pg', 'tune', '--memory', '1MB'], 2, /--memory is at least 256MB/],
    [['pg', 'tune', '--apply'], 2, /which one/],
    [['pg', 'tune', '--jobs', '4'], 2, /has no option --jobs/],
    [['pg', 'copy', '--from', 'app.db', '--to', 'postgres://db/x'], 2, /--from is the address of a database/],
    [['pg', 'copy', '--from', 'postgres://db/x', '--to', 'postgres://db/x'], 2, /the same database/],
    [['copy', 'app.db'], 2, /from where to where/],
    [['copy', 'postgres://db/x', 'postgres://db/y'], 2, /pg copy/],
    [['copy', 'nowhere.db', 'postgres://db/y'], 1, /there is no file/],
    [['copy', 'app.db', 'other.db'], 2, /postgres:\/\//]
  ]) {
    const result = await cli(...args)
    t.equal(result.code, code, args.join(' '))
    t.match(result.err, pattern)
  }
  t.match((await cli('pg', 'tune', '--help')).out, /usage: npx undercroft pg tune/)
})

t.test('on a server', { skip }, async t => {
  // What the server does by itself would change the moment of a source.
  const server = await pg.start(t, { settings: { autovacuum: 'off' } })

  t.test('tune', async t => {
    const machine = ['--memory', '16GB', '--cores', '8']
    const before = await cli('pg', 'tune', '--db', server.url(), ...machine, '--json')
    t.equal(before.code, 0, before.err)
    const of = (text, name) => JSON.parse(text).settings.find(setting => setting.name === name)
    t.match(of(before.out, 'work_mem'), { now: '4MB', value: '5242kB', changes: true, restart: false })
    t.match(of(before.out, 'shared_buffers'), { changes: true, restart: true })
    t.match(of(before.out, 'max_connections'), { now: '200', changes: false })
    t.equal(server.sql('show work_mem'), '4MB', 'and nothing was changed')
    const applied = await cli('pg', 'tune', '--db', server.url(), ...machine, '--apply')
    t.equal(applied.code, 0, applied.err)
    t.match(applied.out, /after a restart of the server also shared_buffers/)
    t.equal(server.sql('show work_mem'), '5242kB')
    t.equal(server.sql('show random_page_cost'), '1.1')
    server.sql('create role nobody_special login')
    const refused = await cli('pg', 'tune', '--db', server.url().replace('postgres@', 'nobody_special@'), '--memory', '32GB', '--apply')
    t.equal(refused.code, 1)
    t.match(refused.err, /may not change settings/)
    server.sql('alter system reset all')
  })

  t.test('from one database to another', async t => {
    const [from, to] = [server.fresh(t), server.fresh(t)]
    const [a, b] = [from, to].map(url => server.nameOf(url))
    server.sql(`create schema x;
      create table x."T a"(id bigint generated always as identity primary key, b bytea, j jsonb, g int generated always as (1) stored);
      insert into x."T a"(b, j) select sha256(i::text::bytea), '{"a":1}' from generate_series(1, 3000) i;
      create table child(id serial primary key, p bigint references x."T a"(id), e text);
      insert into child(p, e) select i, E'a\\tb\\\\c' from generate_series(1, 100) i; create index on child(e);
      create view v as select 1; create table empty()`, a)
    const copied = await cli('pg', 'copy', '--from', from, '--to', to, '--json')
    t.equal(copied.code, 0, copied.err)
    t.match(JSON.parse(copied.out), { rows: 3100, sequences: 2 })
    const sums = 'select md5(string_agg(t::text, \',\' order by id)) from x."T a" t; select md5(string_agg(t::text, \',\' order by id)) from child t'
    t.equal(server.sql(sums, b), server.sql(sums, a), 'row by row')
    t.equal(server.sql("select nextval('child_id_seq')", b), '101')
    t.equal(server.sql("select count(*) from pg_constraint where contype in ('p', 'f') and conrelid::regclass::text !~ '^pg_'", b), '3')
    t.equal(server.sql("select count(*) from pg_namespace where nspname = 'undercroft_copy'", b), '0', 'nothing of its own is left')
    const other = await cli('pg', 'copy', '--from', from, '--to', to)
    t.equal(other.code, 1)
    t.match(other.err, /no copy was begun there[\s\S]*copy to an empty database/)
    const [bare, bareTo] = [server.fresh(t), server.fresh(t)]
    server.sql("create table t(a int); insert into t values (1); create function f() returns trigger language plpgsql as 'begin return null; end'; create trigger g before insert on t for each row execute function f()", server.nameOf(bare))
    const fired = await cli('pg', 'copy', '--from', bare, '--to', bareTo)
    t.equal(fired.code, 0, `triggers see no row of the copy: ${fired.err}`)
  })

  t.test('of one moment, and again after a kill', async t => {
    const there = await pg.start(t)
    const [from, to, still, stillTo] = [server.fresh(t), there.fresh(t), server.fresh(t), there.fresh(t)]
    // An index that is made for ever, where the database says so.
    const slow = `create function slow(n bigint) returns bigint immutable language plpgsql as $$
      begin perform pg_sleep(coalesce(nullif(current_setting('test.seconds', true), ''), '0')::float8); return n; end $$;
      create table s(n bigint); insert into s values (1); create index on s(public.slow(n));`
    // Killed when the rows are there.
    const killed = async (from, to) => {
      const name = there.nameOf(to)
      there.sql(`alter database ${name} set test.seconds = 1000`)
      const proc = spawn(process.execPath, [path.join(root, 'lib/cli/main.js'), 'pg', 'copy', '--from', from, '--to', to], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
      let said = ''
      await new Promise(resolve => proc.on('close', resolve).stderr.setEncoding('utf8').on('data', text => {
        said += text
        if (/indexes, keys, triggers/.test(said)) proc.kill('SIGKILL')
      }))
      t.match(said, /indexes, keys, triggers/)
      there.sql(`alter database ${name} reset test.seconds`)
      there.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
    }
    server.sql(`${slow} create table l(n bigint primary key); create table r(n bigint primary key references l);
      insert into l select generate_series(1, 2000); insert into r select n from l`, server.nameOf(from))
    const store = open(from)
    let isOver = false
    const writing = (async () => {
      for (let n = 2001; !isOver; n++) await store.db.batch([['insert into l values (?)', [n]], ['insert into r values (?)', [n]]])
    })()
    await killed(from, to)
    const again = await cli('pg', 'copy', '--from', from, '--to', to, '--json')
    isOver = true
    await writing
    await store.close()
    t.equal(again.code, 0, again.err)
    t.match(again.err, /the source has changed since the copy was interrupted: all rows are copied again/)
    t.same(JSON.parse(again.out).tables.filter(({ copied }) => !copied), [])
    t.equal(there.sql('select count(*) from l full join r using (n) where l.n is null or r.n is null', there.nameOf(to)), '0', 'a row of both tables, or of neither')
    t.ok(Number(there.sql('select count(*) from l', there.nameOf(to))) > 2000)

    // Nothing changes the source: what was copied before the kill is left alone.
    server.sql(`${slow} create table u(a int); insert into u select generate_series(1, 1000)`, server.nameOf(still))
    await killed(still, stillTo)
    const rest = await cli('pg', 'copy', '--from', still, '--to', stillTo, '--json')
    t.equal(rest.code, 0, rest.err)
    t.same(JSON.parse(rest.out).tables, [{ name: '"public"."s"', rows: 1, copied: false }, { name: '"public"."u"', rows: 1000, copied: false }])
    t.equal(there.sql("select count(*) from pg_indexes where tablename = 's'", there.nameOf(stillTo)), '1')
    const refused = await cli('pg', 'copy', '--from', from, '--to', stillTo)
    t.match(refused.err, /the target has 2 tables, and no copy was begun there/)
  })

  t.test('from SQLite', async t => {
    const file = path.join(tmpdir(t), 'shop.db')
    const store = open(file)
    await store.db.exec(`
      create table "T a"(id integer primary key, name text not null default 'it''s', age int, b blob, r real, ok boolean default 1, doc json,
        at datetime default current_timestamp, free, n numeric(10, 2), big integer, check (age > 0));
      create table child(p int references "T a"(id) on delete cascade, q text unique, mixed int);
      create index by_p on child(p desc);
      create index some on child(p) where p > 3;
      create view v as select 1;
      create table pair(a text, b text, primary key (b, a)) without rowid;`)
    await store.db.run('insert into "T a" values (5, ?, 36, ?, 1.5, 1, ?, ?, ?, 1.25, ?)', ['Ada', Buffer.from([0, 255]), '{"a":1}', '2024-01-02 03:04:05', 'z', 9007199254740993n])
    await store.db.run('insert into "T a" values (7, ?, null, null, 2, 0, null, ?, 3, 2, null)', ['tab\t\\ \n', '2024-01-02T03:04:05Z'])
    await store.db.exec("insert into child values (5, 'a', 1), (7, 'b', 'text'); insert into pair values ('1', '2')")
    await store.close()

    const url = server.fresh(t)
    const name = server.nameOf(url)
    const plan = await cli('copy', file, url, '--plan')
    t.match(plan.out, /create table "T a"\(\n {2}"id" bigint generated by default as identity,/)
    t.equal(server.sql("select count(*) from pg_tables where schemaname = 'public'", name), '0', 'a plan changes nothing')
    const copied = await cli('copy', file, url, '--json')
    t.equal(copied.code, 0, copied.err)
    const { rows, notes } = JSON.parse(copied.out)
    t.equal(rows, 5)
    for (const pattern of [/view v is left out/, /CHECKs are left out/, /mixed: declared INT, holds integer and text: text/, /index some has a condition/, /UTC/]) t.match(notes.join('\n'), pattern)

    const there = open(url)
    t.teardown(() => there.close())
    t.same(await there.db.all('select * from "T a" order by id', [], { integers: 'auto' }), [
      { id: 5, name: 'Ada', age: 36, b: Buffer.from([0, 255]), r: 1.5, ok: true, doc: { a: 1 }, at: '2024-01-02 03:04:05+00', free: 'z', n: '1.25', big: 9007199254740993n },
      { id: 7, name: 'tab\t\\ \n', age: null, b: null, r: 2, ok: false, doc: null, at: '2024-01-02 03:04:05+00', free: '3', n: '2', big: null }
    ])
    t.same(await there.db.get('insert into "T a"(age) values (1) returning id, name, ok'), { id: 8, name: "it's", ok: true }, 'keys go on, defaults are there')
    await there.db.run('delete from "T a" where id = 5')
    t.same(await there.db.all('select p, q, mixed from child'), [{ p: 7, q: 'b', mixed: 'text' }], 'and so are foreign keys')
    const again = await cli('copy', file, url)
    t.equal(again.code, 1)
    t.match(again.err, /has tables of these names already/)

    // Two tables that a writer changes together are copied as of one moment.
    const busy = path.join(tmpdir(t), 'busy.db')
    const writer = open(busy)
    await writer.db.exec('create table a(n integer primary key); create table b(n integer primary key)')
    await writer.db.many('insert into a values (?)', Array.from({ length: 3000 }, (_, i) => [i]))
    await writer.db.run('insert into b select n from a')
    let isOver = false
    const writing = (async () => {
      for (let n = 3000; !isOver; n++) await writer.db.batch([['insert into a values (?)', [n]], ['insert into b values (?)', [n]]])
    })()
    const other = server.fresh(t)
    const moving = await cli('copy', busy, other, '--json')
    isOver = true
    await writing
    await writer.close()
    t.equal(moving.code, 0, moving.err)
    t.equal(server.sql('select count(*) from a full join b using (n) where a.n is null or b.n is null', server.nameOf(other)), '0', 'both, or neither')
    t.ok(fs.existsSync(file))
  })
})
