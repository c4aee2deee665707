'use strict'
// npx undercroft crud: from a schema to routes and their test, both of which are run here.

const fs = require('node:fs')
const path = require('node:path')
const vm = require('node:vm')
const http = require('node:http')
const { once } = require('node:events')
const { createRequire } = require('node:module')
const { spawnSync } = require('node:child_process')
const t = require('tap')
const { open } = require('../..')
const { isSecret, paramType } = require('../../lib/cli/crud/columns')
const { ParamNames, slug, sqlName } = require('../../lib/cli/crud/names')
const { isBun, tmpdir } = require('../helper')
const { command } = require('./routes-command')
const { install } = require('./routes-core')

// A project whose migrations are this SQL.
function project (t, sql) {
  const dir = tmpdir(t)
  fs.mkdirSync(path.join(dir, 'migrations'))
  fs.writeFileSync(path.join(dir, 'migrations/0001_all.sql'), sql)
  const place = path.join(dir, 'routes')
  const read = (name) => fs.readFileSync(path.join(dir, name), 'utf8')
  return { dir, place, read, crud: (...args) => command(['crud', ...args, '--dir', place]) }
}

async function openAll (t, { dir }) {
  const store = open(':memory:', { log: false })
  t.teardown(() => store.close())
  await store.db.migrate(path.join(dir, 'migrations'))
  return store
}

// As `routes check` does it: each statement with each choice of its pieces. -> the routes
async function loads (t, store, place) {
  const routes = store.routes(place, { check: true, user: (caller) => JSON.parse(caller.header('x-user') ?? 'null') })
  t.teardown(() => routes.close())
  await t.resolves(routes.ready, 'the files are right')
  return routes
}

// The routes behind a server. -> (method, target, { user, roles, body }) => { status, type, body }
async function serving (t, store, place) {
  const routes = await loads(t, store, place)
  const server = http.createServer(routes.node()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return async (method, target, { user, roles, body } = {}) => {
    const headers = { ...user === undefined ? {} : { 'x-user': JSON.stringify({ user, roles }) }, ...body === undefined ? {} : { 'content-type': 'application/json' } }
    const answer = await fetch(`http://127.0.0.1:${server.address().port}${target}`, { method, headers, body: body && JSON.stringify(body) })
    return { status: answer.status, type: answer.headers.get('content-type') ?? '', body: await answer.text() }
  }
}

// Runs a test that was written, in this process. -> the names of its tests
async function runTest (t, file) {
  await install(path.dirname(path.dirname(file)))
  const tests = []
  const ends = []
  const load = createRequire(file)
  const test = (name, fn) => tests.push([name, fn])
  vm.runInThisContext(`(function (require, __dirname) {${fs.readFileSync(file, 'utf8')}\n})`, { filename: file })((name) => name === 'node:test' ? test : load(name), path.dirname(file))
  for (const [name, fn] of tests) {
    await fn({ after: (end) => ends.push(end) }).then(() => t.pass(name), (err) => t.fail(`${name}: ${err.stack}`))
  }
  for (const end of ends) await end()
  return tests.map(([name]) => name)
}

// ---- whole files -----------------------------------------------------------

t.test('a table, and the file of it', async (t) => {
  const at = project(t, `
    create table team (id integer primary key, name text not null);
    create table person (
      id integer primary key, name varchar(64) not null unique, age integer, status text not null default 'new' check (status in ('new', 'paid')),
      team integer references team, password text, photo blob, created_at integer not null);`)
  const { code, out, err } = await at.crud('person', '--auth', 'editor,admin', '--path', '/shop/person')
  t.equal(code, 0)
  t.equal(out, `wrote ${path.join(at.place, 'person.sql')}\nwrote ${path.join(at.dir, 'test/person.routes.test.js')}`)
  t.equal(err, 'left out everywhere, by its name: password\nnot in the list, but in one: photo')
  t.equal(at.read('routes/person.sql'), `/* The routes of person, written by \`npx undercroft crud\` and meant to be changed.
   left out everywhere, by its name: password.
   not in the list, but in one: photo. */

-- A page in the order of the key; the one behind it is asked for with what \`next\` says.
-- @get /shop/person/list :page id
-- @param id integer ?  of the last row seen
-- @param limit integer 1..100 = 20
-- @auth editor admin
-- @scan ok
select id, name, age, status, team, created_at
  from person
 where true { and id > :id }
 order by id limit :limit;

-- One row by its key.
-- @get /shop/person/one :one!
-- @param id integer
-- @auth editor admin
select id, name, age, status, team, photo, created_at
  from person where id = :id;

-- A new row; answers with its key.
-- @post /shop/person/add :one
-- @param name text 0..64
-- @param age integer ?
-- @param status 'new'|'paid' = 'new'
-- @param team integer ?
-- @param photo blob ?
-- @auth editor admin
-- @say unique  that name is taken
select 'team: no such team' as refuse
 where :team is not null and not exists (select 1 from team where id = :team);
insert into person (name, age, status, team, photo, created_at)
  values (:name, :age, :status, :team, :photo, :_now)
  returning id;

-- What is absent stays as it is; null is null.
-- @post /shop/person/set :none
-- @param id integer
-- @param name text 0..64 ?
-- @param age integer ?
-- @param status 'new'|'paid' ?
-- @param team integer ?
-- @param photo blob ?
-- @auth editor admin
-- @say unique  that name is taken
-- @say not-null  a value that has to be there is null
select 'no such person' as refuse
 where not exists (select 1 from person where id = :id);
select 'team: no such team' as refuse
 where :team is not null and not exists (select 1 from team where id = :team);
update person set id = id
  { , name = :name }
  { , age = :age }
  { , status = :status }
  { , team = :team }
  { , photo = :photo }
 where id = :id;

-- Removes a row that no other refers to.
-- @post /shop/person/remove :none
-- @param id integer
-- @auth editor admin
-- @say foreign-key  it is still in use
select 'no such person' as refuse
 where not exists (select 1 from person where id = :id);
delete from person where id = :id;
`)
  await loads(t, await openAll(t, at), at.place)
  t.same(await runTest(t, path.join(at.dir, 'test/person.routes.test.js')), [
    'person: added, found, changed and removed', 'person: what is no parameter is refused', 'person: nothing without a login'])
  // And as its runtime would: it is a test for node:test.
  if (isBun) return
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^NODE_|^TAP/.test(name)))
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--test'], { cwd: at.dir, env, encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})

// ---- schemas ---------------------------------------------------------------

// [what, SQL, table, options, what its file has (and has not), what is said]
const schemas = [
  ['a composite key without a rowid, strict', 'create table pair (a text not null, b integer not null, v any, primary key (b, a)) strict, without rowid', 'pair', [], [
    '/list :page b a\n', '-- @param b integer ?', "select 'b: goes with a' as refuse\n where (:b is not null) + (:a is not null) not in (0, 2);", 'where true { and (b, a) > (:b, :a) }\n order by b, a limit :limit', 'returning b, a;', 'where b = :b and a = :a', '-- @param v text ?', '-- @say unique  it exists already', 'set b = b\n  { , v = :v }'], ''],
  ['a key alone', 'create table tag (name text primary key not null) without rowid', 'tag', [], ['insert into tag (name)\n  values (:name)', 'return', '!tag/set'], 'there is no set: tag has no column that could be changed'],
  ['a key with a blank in its name', 'create table odd ("Full Name" text primary key not null, v text)', 'odd', [], ['/list :page Full_Name\n', 'select "Full Name" as "Full_Name", v\n', '{ and "Full Name" > :Full_Name }\n order by "Full Name" limit :limit;'], ''],
  ['a key called limit', 'create table lim ("limit" integer primary key, v text)', 'lim', [], ['/list :page limit\n', '-- @param page_size integer 1..100 = 20\n', 'order by "limit" limit :page_size;'], ''],
  ['nothing to give', 'create table tick (id integer primary key)', 'tick', [], ['insert into tick default values\n  returning id;', '!@say unique'], 'there is no set'],
  ['generated columns', 'create table box (id integer primary key, w integer not null, h integer not null, area integer generated always as (w * h) stored, half as (w / 2))', 'box', [], [
    'select id, w, h, area, half\n', 'insert into box (w, h)\n', '!:area', '!:half'], ''],
  ['defaults', `create table d (id integer primary key, n integer not null default 3, r real default -1.5, b boolean not null default true, t text not null default 'it''s',
     j json not null default '{"a":[]}', at text not null default current_timestamp, x text default (lower(hex(randomblob(4)))), nope text default null)`, 'd', [], [
    '-- @param n integer = 3\n', '-- @param r real = -1.5\n', '-- @param b boolean = true\n', "-- @param t text = 'it''s'\n", '-- @param j json = \'{"a":[]}\'\n', '-- @param nope text ?\n',
    'insert into d (n, r, b, t, j, nope)\n', '  { , at = :at }'], 'the database fills in: at, x'],
  ['times', 'create table e (id integer primary key, name text not null, created_at text not null, updated_at integer not null)', 'e', [], [
    'insert into e (name, created_at, updated_at)\n', "values (:name, strftime('%Y-%m-%dT%H:%M:%fZ', :_now / 1000.0, 'unixepoch'), :_now)", 'update e set updated_at = :_now\n  { , name = :name }', '!created_at ='], ''],
  ['times that the database makes', "create table e (id integer primary key, name text not null, created text default current_timestamp, updated_at text not null default (datetime('now')))", 'e', [], [
    'insert into e (name)\n', "update e set updated_at = (datetime('now'))\n"], 'the database fills in: created, updated_at'],
  ['types', 'create table k (id integer primary key, a int8, b bool, c datetime, d date, e uuid, f jsonb, g decimal(10,2), h nvarchar(7), i, j double precision, k clob)', 'k', [], [
    '@param a integer ?', '@param b boolean ?', '@param c time ?', '@param d text 10..10 ?', '@param e uuid ?', '@param f json ?', '@param g real ?', '@param h text 0..7 ?', '@param i text ?', '@param j real ?', '@param k text ?'], ''],
  ['names in quotes, reserved and odd', 'create table "order" ("select" integer primary key, "Full Name" text not null, "a""b" text, "ä:{x}" integer not null default 2, "1st" text, "_now" text, "-- x" text, "a b" text, "a-b" text)', 'ORDER', [], [
    'from "order"', '"select" = :select', '"Full Name" = :Full_Name', '"a""b" = :a_b', '"ä:{x}" = :a_x', '"1st" = :p1st', '_now = :now', '"-- x" = :x', '"a b" = :a_b_2', '"a-b" = :a_b_3', '@get /order/list'], ''],
  ['a table of several words', 'create table "My Things" (id integer primary key, v text not null)', 'My Things', [], ["'no such My Things'", '@get /my-things/list', 'from "My Things"'], ''],
  ['nine columns and more', `create table wide (id integer primary key, ${Array.from({ length: 20 }, (_, i) => `c${i} text`).join(', ')})`, 'wide', [], ['update wide set id = id\n  { , c8 = :c8 }', '  { , c16 = :c16 }', ' where id = :id;\nupdate'], ''],
  ['references', 'create table a (x integer, y integer, primary key (x, y)) without rowid; create table b (id integer primary key, x integer not null, y integer not null, up integer references b, z text, foreign key (x, y) references a); create index b_up on b (up)', 'b', [], [
    "select 'x: no such a' as refuse\n where not exists (select 1 from a where x = :x and y = :y);", "select 'x: no such a' as refuse\n where :x is not null and :y is not null and not exists", "select 'up: no such b' as refuse\n where :up is not null"], ''],
  ['several that are unique', 'create table u (id integer primary key, a text not null, b text, c text, unique (b, c)); create unique index u_a on u (a); create unique index part on u (b) where c is null; create unique index expr on u (lower(a))', 'u', [], [
    '-- @say unique(a)  that a is taken\n-- @say unique  it exists already\n'], ''],
  ['two that are unique by themselves', 'create table u (id integer primary key, a text unique, b_c text unique)', 'u', [], ['-- @say unique(a)  that a is taken\n-- @say unique(b_c)  that b c is taken\n', '!exists already'], ''],
  ['secrets', 'create table s (id integer primary key, name text not null, passwordHash text default \'\', api_key text, role text, isAdmin int, pw_hash text, hashtag text)', 's', [], [
    'select id, name, hashtag\n', '!pass', '!api', '!dmin', '!, role', '!pw'], 'left out everywhere, by their names: passwordHash, api_key, role, isAdmin, pw_hash'],
  ['a secret that has to be there', 'create table s (id integer primary key, name text, password_hash text not null)', 's', [], ['!s/add', 's/set'], 'there is no add: it would need password_hash, which is left out; write it by hand'],
  ['--id uuid', 'create table n (id text primary key not null, body text not null)', 'n', ['--id', 'uuid'], ['@param id uuid ?', '@param id uuid\n', '!@param id text', 'insert into n (body, id)\n', "lower(printf('%08x-%04x-7%s-%s%s-%s', :_now >> 16"], '']
]

for (const [what, sql, table, options, wanted, said] of schemas) {
  t.test(`a table with ${what}`, async (t) => {
    const at = project(t, sql)
    const { code, err } = await at.crud(table, '--public', ...options)
    t.equal(code, 0, err)
    const name = slug(table)
    const text = at.read(`routes/${name}.sql`)
    for (const part of wanted) {
      const isThere = text.replace(/^\/\*[^]*?\*\//, '').includes(part.replace(/^!/, ''))
      if (!t.ok(isThere !== part.startsWith('!'), part)) t.comment(text)
    }
    t.ok(said === '' ? err === '' : err.includes(said), err)
    await loads(t, await openAll(t, at), at.place)
    await runTest(t, path.join(at.dir, `test/${name}.routes.test.js`))
  })
}

t.test('every keyword of SQLite is a column as any other', async (t) => {
  const words = ('abort action add after all alter always analyze and as asc attach autoincrement before begin between by cascade case cast check collate column commit conflict constraint create cross current ' +
    'current_date current_time current_timestamp database default deferrable deferred delete desc detach distinct do drop each else end escape except exclude exclusive exists explain fail filter first following ' +
    'for foreign from full generated glob group groups having if ignore immediate in index indexed initially inner insert instead intersect into is isnull join key last left like limit match materialized natural ' +
    'no not nothing notnull null nulls of offset on or order others outer over partition plan pragma preceding primary query raise range recursive references regexp reindex release rename replace restrict returning ' +
    'right rollback row rows savepoint select set table temp temporary then ties to transaction trigger unbounded union unique update using vacuum values view virtual when where window with without').split(' ')
  const slices = Array.from({ length: Math.ceil(words.length / 40) }, (_, i) => words.slice(i * 40, i * 40 + 40))
  const at = project(t, slices.map((some, i) => `create table t${i} (id integer primary key, ${some.map((word) => `"${word}" text`).join(', ')});`).join('\n'))
  for (const [i] of slices.entries()) t.equal((await at.crud(`t${i}`, '--public')).code, 0)
  t.equal((await loads(t, await openAll(t, at), at.place)).list().length, 5 * slices.length)
})

// ---- generated, run and changed --------------------------------------------

t.test('what is written does what it says', async (t) => {
  const at = project(t, `
    create table team (id integer primary key, name text not null unique);
    create table person (id integer primary key, name text not null unique, team integer not null references team, age integer, flag boolean not null default 0, about text default 'none');
    create index person_team on person (team);`)
  await at.crud('team', '--public')
  await at.crud('person', '--auth', 'editor')
  const store = await openAll(t, at)
  const inject = await serving(t, store, at.place)
  const who = { user: 1, roles: ['editor'] }
  const post = (path, body) => inject('POST', path, { ...who, body })
  const get = async (target) => JSON.parse((await inject('GET', target, who)).body)
  const refused = async (answer, body) => t.match(await answer, { status: 400, body })

  t.equal((await post('/team/add', { name: 'a' })).body, '{"id":1}')
  await refused(post('/team/add', { name: 'a' }), 'that name is taken')
  await refused(post('/person/add', { name: 'x', team: 2 }), 'team: no such team')
  await refused(post('/person/add', { team: 1 }), 'name: is missing')
  await refused(post('/person/add', { name: 'x', team: 1, id: 7 }), 'id: is unknown')
  await refused(inject('POST', '/person/add', { user: 1, roles: ['reader'], body: { name: 'x', team: 1 } }), 'not allowed')
  await refused(inject('GET', '/person/list'), 'not logged in')
  for (const name of ['x', 'y', 'z']) t.equal((await post('/person/add', { name, team: 1, flag: true })).status, 200)

  t.same(await get('/person/one?id=1'), { id: 1, name: 'x', team: 1, age: null, flag: 1, about: 'none' })
  const { rows, next } = await get('/person/list?limit=2')
  t.same(rows.map(({ id }) => id), [1, 2])
  t.same(await get(`/person/list?limit=2&${new URLSearchParams(next)}`), { rows: [{ id: 3, name: 'z', team: 1, age: null, flag: 1, about: 'none' }], next: null })
  await refused(inject('GET', '/person/list?limit=101', who), /^limit: /)
  await refused(inject('GET', '/person/one?id=9', who), 'not found')

  t.same(await post('/person/set', { id: 1, age: 5 }), { status: 200, type: '', body: '' })
  t.same(await get('/person/one?id=1'), { id: 1, name: 'x', team: 1, age: 5, flag: 1, about: 'none' }, 'what was absent, a default too, has stayed')
  await post('/person/set', { id: 1, age: null, about: null })
  t.match(await get('/person/one?id=1'), { age: null, about: null })
  await refused(post('/person/set', { id: 1, name: null }), 'a value that has to be there is null')
  await refused(post('/person/set', { id: 1, name: 'y' }), 'that name is taken')
  await refused(post('/person/set', { id: 1, team: 7 }), 'team: no such team')
  await refused(post('/person/set', { id: 9, age: 1 }), 'no such person')

  await refused(post('/team/remove', { id: 1 }), 'it is still in use')
  t.equal((await post('/person/remove', { id: 3 })).status, 200)
  await refused(post('/person/remove', { id: 3 }), 'no such person')

  // As somebody goes on with it.
  const file = path.join(at.place, 'person.sql')
  fs.writeFileSync(file, at.read('routes/person.sql')
    .replace('-- @param limit integer 1..100 = 20\n', '-- @param team integer ?\n-- @param limit integer 1..100 = 20\n')
    .replace('{ and id > :id }', '{ and id > :id } { and team = :team }')
    .replaceAll('@auth editor', '@public'))
  const changed = await serving(t, store, at.place)
  t.same(JSON.parse((await changed('GET', '/person/list?team=1&id=1')).body).rows.map(({ id }) => id), [2])
  t.equal((await changed('GET', '/person/list?team=2')).body, '{"rows":[],"next":null}')
})

t.test('pages of a key of two columns', async (t) => {
  const at = project(t, 'create table pair (a text not null, b integer not null, primary key (a, b)) without rowid')
  await at.crud('pair', '--public')
  const inject = await serving(t, await openAll(t, at), at.place)
  for (const [a, b] of [['x', 2], ['y', 1], ['x', 1]]) await inject('POST', '/pair/add', { body: { a, b } })
  const page = async (after) => JSON.parse((await inject('GET', `/pair/list?limit=2&${new URLSearchParams(after)}`)).body)
  const { next } = await page({})
  t.same(next, { a: 'x', b: 2 })
  t.same(await page(next), { rows: [{ a: 'y', b: 1 }], next: null })
  t.match(await inject('GET', '/pair/list?a=x'), { status: 400, body: 'a: goes with b' })
})

t.test('ids of --id uuid are of version 7, in the order of their time', async (t) => {
  const at = project(t, 'create table n (id text primary key not null, body text not null)')
  await at.crud('n', '--public', '--id', 'uuid')
  const inject = await serving(t, await openAll(t, at), at.place)
  const ids = []
  for (let i = 0; i < 20; i++) ids.push(JSON.parse((await inject('POST', '/n/add', { body: { body: String(i) } })).body).id)
  for (const id of ids) t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.equal(new Set(ids).size, 20)
  const first = Number.parseInt(ids[0].replaceAll('-', '').slice(0, 12), 16)
  t.ok(Math.abs(first - Date.now()) < 3600_000, 'it begins with the time')
})

// ---- where things are ------------------------------------------------------

t.test('a database file, without migrations; its test makes the tables itself', async (t) => {
  const dir = tmpdir(t)
  const file = path.join(dir, 'app.db')
  const store = open(file)
  await store.db.exec('create table team (id integer primary key, name text not null); create table p (id integer primary key, team integer not null references team, name text not null); create index p_name on p (name); create trigger p_t after insert on p begin select 1; end')
  await store.close()
  const { code, err } = await command(['crud', 'p', '--db', file, '--dir', path.join(dir, 'routes'), '--public'])
  t.equal(code, 0, err)
  const text = fs.readFileSync(path.join(dir, 'test/p.routes.test.js'), 'utf8')
  t.match(text, /store\.db\.exec\('CREATE TABLE team[^]*store\.db\.exec\('CREATE TABLE p /i)
  t.match(text, "store.db.run(\"insert into team (id, name) values (1, 'some')\")")
  t.notMatch(text, /trigger/i)
  await runTest(t, path.join(dir, 'test/p.routes.test.js'))
})

t.test('a project of ES modules has a test that is one', async (t) => {
  const at = project(t, 'create table p (id integer primary key, name text)')
  fs.writeFileSync(path.join(at.dir, 'package.json'), '{ "type": "module" }')
  await at.crud('p')
  const text = at.read('test/p.routes.test.js')
  t.match(text, /^import test from 'node:test'$/m)
  t.match(text, /^import \{ open \} from 'undercroft'$/m)
  t.notMatch(text, /require\(|__dirname|use strict/)
})

t.test('references in a circle are left to a hand', async (t) => {
  const at = project(t, 'create table a (id integer primary key, b integer not null references b); create table b (id integer primary key, a integer not null references a)')
  const { code } = await at.crud('a')
  t.equal(code, 0)
  t.match(at.read('test/a.routes.test.js'), 'have to be put in here: these refer to each other')
})

t.test('what is there is never overwritten', async (t) => {
  const at = project(t, 'create table p (id integer primary key, name text)')
  for (const name of ['routes/p.sql', 'test/p.routes.test.js']) {
    fs.mkdirSync(path.dirname(path.join(at.dir, name)), { recursive: true })
    fs.writeFileSync(path.join(at.dir, name), 'mine')
    const { code, out, err } = await at.crud('p')
    t.equal(code, 1)
    t.equal(out, '')
    t.equal(err, `there is already ${path.join(at.dir, name)}: nothing was written\n  move it away first, and bring over by hand what was changed in it`)
    t.equal(at.read(name), 'mine')
    fs.rmSync(path.join(at.dir, name))
    t.same([...fs.readdirSync(path.dirname(path.join(at.dir, name)))], [], 'nor was the other one written')
  }
})

t.test('--json', async (t) => {
  const at = project(t, 'create table p (id integer primary key, name text, token text)')
  const { out } = await at.crud('p', '--json')
  t.same(JSON.parse(out), { written: [path.join(at.place, 'p.sql'), path.join(at.dir, 'test/p.routes.test.js')], leftOut: ['token'], notes: ['left out everywhere, by its name: token'] })
})

// ---- mistakes --------------------------------------------------------------

t.test('what cannot be done says why, and what helps', async (t) => {
  const at = project(t, `
    create table person (id integer primary key, name text);
    create table token (token text primary key not null, x text);
    create table keyless (a text);
    create table lost (id integer primary key, up integer references gone);
    create view v as select 1 as one;
    create virtual table f using fts5 (body);
    create table pair (a text, b text, primary key (a, b));
    create table wide (id integer primary key, ${Array.from({ length: 60 }, (_, i) => `c${i} text`).join(', ')});`)
  for (const [args, code, message] of [
    [[], 2, 'crud: which table?\n  npx undercroft crud person'],
    [['a', 'b'], 2, "crud: there is a word too many: 'b'\n  a name with a blank in it stands in quotes"],
    [['persno'], 1, 'there is no table persno: did you mean "person"?'],
    [['sqlite_schema'], 1, /^there is no table sqlite_schema: there are /],
    [['v'], 1, 'v is a view: routes are written for tables\n  write those of v by hand'],
    [['f'], 1, 'f is a virtual table: routes are written for tables'],
    [['keyless'], 1, 'keyless has no primary key, by which a route could name a row\n  give it one in a migration: id integer primary key'],
    [['token'], 1, 'token is part of the primary key of token, and looks like a secret: no route may show it'],
    [['lost'], 1, 'lost.up refers to gone, which is no table: nothing can be written to lost\n  make gone in a migration first'],
    [['wide'], 1, 'wide has more columns than a route may have parameters, which are 50'],
    [['person', '--auth', 'a', '--public'], 2, '--auth and --public exclude each other'],
    [['person', '--auth', 'a,b c'], 2, "--auth is a list of roles, and 'b c' is none"],
    [['person', '--auth', ''], 2, "--auth is a list of roles, and '' is none"],
    [['person', '--path', 'x'], 2, "--path is the beginning of the routes' paths, not 'x'"],
    [['person', '--path', '/x/'], 2, '--path is'],
    [['person', '--path', '/:id'], 2, '--path is'],
    [['person', '--id', 'serial'], 2, "--id is uuid, not 'serial'"],
    [['person', '--id', 'uuid'], 2, 'person.id is an integer primary key, which the database numbers by itself\n  for --id uuid it has to be a text: id text primary key not null'],
    [['pair', '--id', 'uuid'], 2, '--id uuid is for a key of one column; that of pair has 2'],
    [['person', '--db', 'a', '--migrations', 'b'], 2, '--db and --migrations exclude each other'],
    [['person', '--db', path.join(at.dir, 'no.db')], 1, `there is no file ${path.join(at.dir, 'no.db')}`],
    [['person', '--migrations', path.join(at.dir, 'no')], 1, `there is no folder ${path.join(at.dir, 'no')}`]
  ]) {
    const result = await at.crud(...args)
    t.equal(result.code, code, args.join(' '))
    t.match(result.err, message)
    t.equal(result.out, '')
  }
  t.notOk(fs.existsSync(at.place), 'nothing was written')
  const bare = await command(['crud', 'person', '--dir', path.join(tmpdir(t), 'none/routes')])
  t.equal(bare.code, 2)
  t.match(bare.err, /^which database\?.*\n {2}--db app\.db names a file/)
})

// ---- parts -----------------------------------------------------------------

t.test('names like those of secrets', async (t) => {
  for (const name of ['password', 'Password', 'user_password', 'passwd', 'pwd', 'hash', 'pw_hash', 'passwordHash', 'HASH', 'token', 'refreshToken', 'tokens', 'secret', 'client-secret', 'role', 'roles', 'user role', 'is_admin', 'isAdmin', 'admin', 'salt', 'apiKey', 'api_key']) t.ok(isSecret(name), name)
  for (const name of ['name', 'hashtag', 'parole', 'administration', 'controller', 'basalt', 'pinned', 'rolename', 'key', 'id']) t.notOk(isSecret(name), name)
})

t.test('names for SQL, parameters and paths', async (t) => {
  t.same(['name', 'Name', 'order', 'a b', 'a"b', '1a', 'ä', '_x', 'user'].map(sqlName), ['name', '"Name"', '"order"', '"a b"', '"a""b"', '"1a"', '"ä"', '_x', '"user"'])
  const names = new ParamNames()
  t.same(['name', 'Näme', 'a b', 'a_b', '_user', '%', '$', '2x', 'x'.repeat(80)].map((name) => names.take(name)), ['name', 'Name', 'a_b', 'a_b_2', 'user', 'p', 'p_2', 'p2x', 'x'.repeat(60)])
  t.same(['person', 'My Things', 'ÖPNV_2', '?'].map(slug), ['person', 'my-things', 'opnv-2', 'table'])
  const type = (declared) => paramType({ name: 'x', type: declared }, new Map())
  t.same(['VARCHAR(255)', 'TINYINT(1)', 'BOOLEAN', 'FLOATING POINT', 'BLOB', '', 'NUMERIC', 'Timestamp with time zone'].map(type), ['text 0..255', 'integer', 'boolean', 'integer', 'blob', 'text', 'real', 'time'])
})
