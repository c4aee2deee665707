'use strict'

// A line of audit for each POST, and @audit's row in the same transaction.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { tmpdir, tmpfile, startDaemon } = require('../helper')

const TABLE = 'create table audit(id integer primary key, at integer not null, route text not null, who, ip text, request text, params text not null)'

const text = `
-- @post /add :one
-- @param name   text 1..64
-- @param pass   text secret
-- @param age    integer = 7
-- @param is_new boolean ?
-- @param tags   text[] ?
-- @param at     time ?
-- @public
-- @audit audit
insert into person(name, age) select :name, :age where :pass <> '' and (:is_new is null or :tags is null or :at is null or true) returning id;

-- @post /add/refused
-- @param name text
-- @public
-- @audit audit
insert into person(name) values (:name);
select 'not today' as refuse;

-- @post /often :many
-- @param n integer 0..10
-- @public
-- @repeat :n
-- @audit main.audit
insert into person(name) values ('often ' || hex(randomblob(8))) returning id;

-- @post /plain
-- @param name text
-- @public
insert into person(name) values (:name);

-- @post /fails
-- @param name text
-- @public
insert into person(name) values (:name), (json(:name));

-- @post /once :one
-- @param name text 1..64
-- @public
-- @audit audit
insert into person(name) values (:name) returning id;

-- @get /rows
-- @public
select route, who, ip, request, params, at > 1700000000000 as is_now from audit order by id limit 100;
`

const SCHEMA = `create table person(id integer primary key, name text unique, age integer); ${TABLE}`

// A logger that keeps its lines.
function memory () {
  const lines = []
  const put = (fields, msg) => { lines.push({ ...fields, msg }) }
  return { lines, info: put, warn: put, error: put, audits: () => lines.filter(({ msg }) => msg === 'audit').map(({ ms, reqId, msg, ...rest }) => rest) }
}

function directory (t, source) {
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'all.sql'), source)
  return dir
}

async function serving (t, target, options) {
  const store = undercroft.open(target)
  t.teardown(() => store.close())
  if (target === ':memory:') await store.db.exec(SCHEMA)
  const log = memory()
  const routes = store.routes(directory(t, text), { log, ...options })
  await routes.ready
  return { store, routes, log }
}

async function behindDaemon (t) {
  const file = tmpfile(t)
  const store = undercroft.open(file)
  await store.db.exec(SCHEMA)
  await store.close()
  return startDaemon(t, ['--db', file]).url
}

for (const [name, target] of [['in this process', () => ':memory:'], ['behind a daemon', behindDaemon]]) {
  t.test(name, async (t) => {
    const { routes, log } = await serving(t, await target(t))
    const post = (target, body, more) => routes.inject('POST', target, { body, headers: { 'x-request-id': 'r-1' }, ...more })

    await post('/add', { name: 'Zoë "Z"', pass: 'hush', is_new: true, tags: ['a', 'b'], at: '2026-11-30' }, { user: 'ada' })
    t.same(log.audits(), [{ route: '/add', user: 'ada', ip: '127.0.0.1', params: { name: 'Zoë "Z"', is_new: true, tags: ['a', 'b'], at: '2026-11-30T00:00:00.000Z' }, status: 200, changes: 1 }])
    t.equal(log.lines.find(({ msg }) => msg === 'audit').reqId, 'r-1')
    t.notMatch(JSON.stringify(log.lines), /hush/, 'a secret is in no line')
    const rows = async () => JSON.parse((await routes.inject('GET', '/rows')).body)
    t.same(await rows(), [{ route: '/add', who: 'ada', ip: '127.0.0.1', request: 'r-1', params: '{"name":"Zoë \\"Z\\"","is_new":true,"tags":["a","b"],"at":"2026-11-30T00:00:00.000Z"}', is_now: 1 }])

    t.equal((await post('/add/refused', { name: 'Bob' })).status, 400)
    t.same(log.audits().at(-1), { route: '/add/refused', user: null, ip: '127.0.0.1', params: { name: 'Bob' }, status: 400, changes: 0 })
    t.equal((await rows()).length, 1, 'a row of audit is undone with the rest')

    await post('/often', { n: 3 })
    t.same(log.audits().at(-1), { route: '/often', user: null, ip: '127.0.0.1', params: { n: 3 }, status: 200, changes: 3 }, 'the row of audit is not counted')
    t.equal((await rows()).length, 2, 'one for a request, however often it runs')

    t.equal((await post('/plain', { name: 'Zoë "Z"' })).status, 400)
    t.same(log.audits().at(-1), { route: '/plain', user: null, ip: '127.0.0.1', params: { name: 'Zoë "Z"' }, status: 400, changes: 0 }, 'a constraint')
    t.equal((await post('/fails', { name: 'x' })).status, 500)
    t.same(log.audits().at(-1), { route: '/fails', user: null, ip: '127.0.0.1', params: { name: 'x' }, status: 500, changes: 0 }, 'a failure')
    t.equal((await post('/add', { name: 7, pass: 'hush', age: 3 })).status, 400)
    t.same(log.audits().at(-1), { route: '/add', user: null, ip: '127.0.0.1', params: { age: 3 }, status: 400, changes: 0 }, 'what could be read of what was refused')
    t.equal((await post('/nowhere', {})).status, 404)
    t.equal(log.audits().length, 6, 'no line where there is no route')
    t.equal((await rows()).length, 2)
  })
}

t.test('a key of once: who repeats it is another line, and no other row', async (t) => {
  const { routes, log } = await serving(t, ':memory:')
  const post = (id) => routes.inject('POST', '/once', { body: { name: 'Ada' }, headers: { 'idempotency-key': 'k', 'x-request-id': id } })
  const [first, second] = [await post('a'), await post('b')]
  t.equal(first.status, 200)
  t.equal(second.body, first.body)
  t.same(log.lines.filter(({ msg }) => msg === 'audit').map(({ reqId, changes }) => [reqId, changes]), [['a', 1], ['b', 0]])
  t.equal(JSON.parse((await routes.inject('GET', '/rows')).body).length, 1)
})

t.test('a line is bounded, a row is whole', async (t) => {
  const { routes, log, store } = await serving(t, ':memory:')
  const name = 'ä'.repeat(64)
  await routes.inject('POST', '/add', { body: { name, pass: 'x', tags: Array(200).fill('tag') } })
  const { params } = log.audits()[0]
  t.equal(params.name, name)
  t.match(params.tags, /^\["tag","tag".*…$/, 'a long value is cut, and a text then')
  const [row] = await store.db.all('select params from audit')
  t.equal(JSON.parse(row.params).tags.length, 200)
})

t.test('handlers of one\'s own: without what was sent', async (t) => {
  const { routes, log } = await serving(t, ':memory:')
  routes.post('/own', { public: true }, () => ({}))
  await routes.inject('POST', '/own', { body: { pass: 'hush' }, user: 7 })
  t.same(log.audits(), [{ route: '/own', user: 7, ip: '127.0.0.1', params: undefined, status: 200, changes: undefined }])
})

t.test('audit: false', async (t) => {
  const { routes, log } = await serving(t, ':memory:', { audit: false })
  await routes.inject('POST', '/plain', { body: { name: 'Ada' } })
  t.same(log.audits(), [])
})

t.test('a secret of a query is in no line', async (t) => {
  const store = undercroft.open(':memory:')
  t.teardown(() => store.close())
  const log = memory()
  const source = '-- @get /q :text\n-- @public\n-- @param a text\n-- @param pass text secret\nselect json(:a) || :pass;\n'
  const routes = store.routes(directory(t, source), { log })
  await routes.ready
  await routes.inject('GET', '/q?a=1&pass=hush')
  await routes.inject('GET', '/q?p%61ss=hush&a=no%20json')
  await routes.inject('POST', '/q?pass=hush', { body: {} })
  t.same(log.lines.map(({ url, msg }) => [url, msg]), [
    ['/q?a=1&pass=[Redacted]', 'request done'],
    ['/q?p%61ss=[Redacted]&a=no%20json', 'request failed'],
    ['/q?p%61ss=[Redacted]&a=no%20json', 'request done'],
    ['/q?pass=[Redacted]', 'request done']
  ])
})

t.test('the table has to be there', async (t) => {
  const store = undercroft.open(':memory:')
  t.teardown(() => store.close())
  const source = '-- @post /add\n-- @public\n-- @audit log\nselect 1;\n'
  const load = () => store.routes(directory(t, source), { log: memory() }).ready
  await t.rejects(load(), { code: 'UC_ROUTE', message: /^all\.sql:3: @audit log: no such table: (main\.)?log\. The table it needs: create table log\(/ })
  const [, table] = await load().catch(({ message }) => /(create table .*\))$/.exec(message))
  await store.db.exec(table)
  await load()
  await store.db.exec('alter table log drop column ip')
  await t.rejects(load(), { message: /^all\.sql:3: @audit log: table log has no column named ip\./ })
})
