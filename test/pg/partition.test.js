'use strict'

// Partitions by time: made ahead, taken out behind, and a table that becomes partitioned while it is used.

const path = require('node:path')
const { execFile } = require('node:child_process')
const t = require('tap')
const { exact, root } = require('../helper')
const { before, floor, nameOf, next, parseSpan } = require('../../lib/cli/pg/span')
const { store, withServer } = require('./common')

const at = (text) => Date.parse(`${text}Z`)
const day = (ms) => new Date(ms).toISOString().slice(0, 10)

t.test('spans of a calendar', (t) => {
  const period = (text, ms) => [day(floor(ms, parseSpan(text))), day(next(floor(ms, parseSpan(text)), parseSpan(text)))]
  const now = at('2026-12-31T23:59:59')
  exact(t, period('1d', now), ['2026-12-31', '2027-01-01'])
  exact(t, period('1w', now), ['2026-12-28', '2027-01-04'], 'from a Monday')
  exact(t, period('1mo', now), ['2026-12-01', '2027-01-01'])
  exact(t, period('3mo', now), ['2026-10-01', '2027-01-01'])
  exact(t, period('1y', now), ['2026-01-01', '2027-01-01'])
  exact(t, period('1mo', at('1969-12-31T00:00:00')), ['1969-12-01', '1970-01-01'])
  exact(t, ['1d', '1w', '1mo', '6mo', '1y', '24mo'].map((text) => nameOf(at('2026-03-09T00:00:00'), parseSpan(text))),
    ['2026_03_09', '2026_03_09', '2026_03', '2026_03', '2026', '2026'])
  exact(t, new Date(before(at('2026-03-31T10:00:00'), parseSpan('1mo'))).toISOString(), '2026-02-28T10:00:00.000Z', 'the last day of a month')
  exact(t, day(before(at('2024-02-29T00:00:00'), parseSpan('1y'))), '2023-02-28')
  exact(t, day(before(at('2026-03-01T00:00:00'), parseSpan('1w'))), '2026-02-22')
  exact(t, ['0d', '1', 'mo', '1h', '-1d', '1.5d', '99999d', '', '1mo '].map(parseSpan), Array(9).fill(null))
  t.end()
})

// -> { code, out, err }
const cli = (...args) => new Promise((resolve) => execFile(process.execPath, [path.join(root, 'lib/cli/main.js'), 'pg', 'partition', ...args], { cwd: root },
  (error, out, err) => resolve({ code: error?.code ?? 0, out, err })))

withServer({}, async (t, server) => {
  const fresh = (t, sql) => {
    const url = server.fresh(t)
    const name = server.nameOf(url)
    const run = (text) => server.sql(text, name)
    run(sql)
    // The partitions and their ends, in order.
    const parts = (table) => run(`select c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where inhparent = '${table}'::regclass order by 1`).split('\n').filter(Boolean).map((line) => line.replace('FOR VALUES FROM ', '').replaceAll(/[()']| 00:00:00(\+00)?/g, ''))
    return { url, run, parts }
  }
  const ok = async (t, ...args) => {
    const result = await cli(...args)
    t.equal(result.code, 0, result.err)
    return result.out
  }
  const span = parseSpan('1mo')
  const months = (from, n) => {
    let ms = floor(Date.now(), span)
    for (let i = 0; i < -from; i++) ms = before(ms, span)
    return Array.from({ length: n }, () => { const begin = ms; ms = next(ms, span); return [begin, ms] })
  }
  const part = (table) => ([from, to]) => `${table}_${nameOf(from, span)} ${day(from)} TO ${day(to)}`

  await t.test('those to come are made, and those that have had their time go', async (t) => {
    const { url, run, parts } = fresh(t, `create table "O rders"(id bigserial, at timestamptz not null, primary key (id, at)) partition by range (at);
      create index on "O rders"(at desc)`)
    const args = ['"O rders"', '--db', url, '--by', 'at', '--every', '1mo']
    const plan = await ok(t, ...args, '--plan')
    t.match(plan, /attach partition "public"\."O rders_\d{4}_\d\d"/)
    exact(t, parts('"O rders"'), [], 'a plan changes nothing')
    server.sql(plan, server.nameOf(url))
    exact(t, parts('"O rders"'), months(0, 4).map(part('O rders')), 'its script does the same')
    t.match(await ok(t, ...args), /all is as it should be/)
    t.match(await ok(t, ...args, '--ahead', '5'), /2 steps were done/)
    exact(t, parts('"O rders"'), months(0, 6).map(part('O rders')))
    run('insert into "O rders"(at) select now()')
    // Old ones, as it would have made them.
    for (const [from, to] of months(-4, 3)) run(`create table "O rders_${nameOf(from, span)}" partition of "O rders" for values from ('${day(from)} 00:00+00') to ('${day(to)} 00:00+00')`)
    await ok(t, ...args, '--keep', '3mo')
    exact(t, parts('"O rders"'), [...months(-3, 2), ...months(0, 6)].map(part('O rders')), 'what ended more than three months ago has gone')
    await ok(t, ...args, '--keep', '1mo', '--detach')
    exact(t, parts('"O rders"'), [...months(-2, 1).filter(([, to]) => to > before(Date.now(), span)), ...months(0, 6)].map(part('O rders')))
    t.equal(run(`select to_regclass('"O rders_${nameOf(months(-3, 1)[0][0], span)}"') is not null`), 't', 'a table of its own')
  })

  await t.test('a table that is in use', async (t) => {
    const { url, run, parts } = fresh(t, `create role reader; create table owner(id int primary key); insert into owner values (1);
      create table "order"(id bigint generated by default as identity, n serial, owner int default 1 references owner(id), at timestamptz not null default now(),
        twice int generated always as (owner * 2) stored, check (n > 0), primary key (id, at));
      comment on column "order".n is 'a number'; create index on "order" using brin (at); create index "by N" on "order"(n) where n > 5;
      insert into "order"(at) select now() - i * interval '1 day' from generate_series(0, 99) i;
      grant select, insert on "order" to reader with grant option`)
    const { db } = store(t, url)
    let isOver = false
    let written = 0
    const writer = (async () => {
      while (!isOver) {
        await db.run('insert into "order" default values')
        written++
      }
    })()
    await ok(t, '"order"', '--db', url, '--by', 'at', '--every', '1mo')
    await db.run('insert into "order"(at) values (now() + interval \'40 days\')')
    isOver = true
    await writer
    t.equal(Number(run('select count(*) from "order"')), 101 + written, 'nothing is lost')
    t.equal(Number(run('select count(distinct id) + count(distinct n) from "order"')), 2 * (101 + written), 'no number is given twice')
    const [first, ...others] = parts('"order"').slice().reverse()
    t.match(first, /^order_before_\d{4}_\d\d MINVALUE TO /)
    t.equal(others.length, 3)
    exact(t, run('select concat(attname, \' \', attidentity, attgenerated, atthasdef) from pg_attribute where attrelid = \'"order"\'::regclass and attnum > 0 order by attnum'),
      ['id df', 'n t', 'owner t', 'at t', 'twice st'].join('\n'))
    t.equal(run('select count(*) from pg_constraint where conrelid = \'"order"\'::regclass and contype in (\'p\', \'f\', \'c\')'), '3')
    t.equal(run('select count(*) from pg_constraint where conname = \'undercroft_partition\''), '0', 'none of its own is left')
    t.equal(run('select count(*) from pg_indexes where tablename = \'order\''), '3')
    t.equal(run('select has_table_privilege(\'reader\', \'"order"\', \'insert with grant option\')'), 't')
    t.equal(run('select col_description(\'"order"\'::regclass, 2)'), 'a number')
    run('drop table "order"; drop role reader')
  })

  await t.test('what cannot be kept is refused, and nothing is changed', async (t) => {
    const { url, run } = fresh(t, `create table k(id int primary key, at timestamptz not null); create table o(at timestamptz);
      create table v(at date not null); create view w as select * from v; create table l(at date) partition by list (at);
      create table s(at text not null); create table f(at date, primary key (at)); create table g(at date references f(at));
      create table i(at timestamp not null); insert into i values ('infinity');
      create table d(at date not null) partition by range (at); create table d_rest partition of d default; insert into d values (current_date);
      create schema partman; create table partman.part_config(parent_table text); insert into partman.part_config values ('public.m'); create table m(at date not null)`)
    const before = run('select count(*), md5(string_agg(relname, \',\' order by relname)) from pg_class')
    for (const [args, pattern] of [
      [['nothing', '--by', 'at'], /there is no table nothing[\s\S]*create table nothing\(…, at timestamptz not null\) partition by range \(at\)/],
      [['k', '--by', 'when'], /k has no column when/],
      [['s', '--by', 'at'], /s\.at is text/],
      [['k', '--by', 'at'], /unique index k_pkey does not contain at/],
      [['o', '--by', 'at'], /o\.at may be null[\s\S]*set not null/],
      [['v', '--by', 'at'], /the view w reads it/],
      [['w', '--by', 'at'], /w is no table/],
      [['l', '--by', 'at'], /l is divided by LIST \(at\)/],
      [['f', '--by', 'at'], /foreign key g_at_fkey of g refers to it/],
      [['i', '--by', 'at'], /i\.at is infinity/],
      [['d', '--by', 'at'], /the default partition has rows of that time/],
      [['m', '--by', 'at'], /pg_partman keeps the partitions of m/],
      [['k; drop table k', '--by', 'at'], /PG_|there is no table/],
      [['k', '--by', 'at', '--every', '1h'], /--every is a span such as/],
      [['k'], /--by is missing/]
    ]) {
      const result = await cli(...args, '--db', url, ...(args.includes('--every') ? [] : ['--every', '1mo']))
      t.not(result.code, 0, args.join(' '))
      t.match(result.err, pattern)
    }
    t.equal(run('select count(*), md5(string_agg(relname, \',\' order by relname)) from pg_class'), before)
  })

  await t.test('what was interrupted goes on', async (t) => {
    const { url, run, parts } = fresh(t, `create table r(at date not null) partition by range (at);
      create table r_old partition of r for values from ('2000-01-01') to ('2001-01-01'); create table q(at date not null)`)
    // Who was killed in the middle has left the first half.
    run("set lock_timeout = 1; begin; lock table r in access share mode; commit; alter table q add constraint undercroft_partition check (at < '2100-01-01') not valid")
    run("update pg_inherits set inhdetachpending = true where inhrelid = 'r_old'::regclass")
    await ok(t, 'r', '--db', url, '--by', 'at', '--every', '1y', '--ahead', '1')
    t.notMatch(parts('r').join(), /r_old/)
    t.equal(run("select to_regclass('r_old') is not null"), 't')
    await ok(t, 'q', '--db', url, '--by', 'at', '--every', '1y', '--ahead', '1')
    t.equal(parts('q').length, 2)
    t.equal(run("select count(*) from pg_constraint where conname = 'undercroft_partition'"), '0')
  })
})
