'use strict'
// Routes that take nothing and read nothing: the door asks the core once, and knows the answer
// from then on. Nobody must be able to tell, but by the time.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { project, serve, ask, raw, statuses } = require('./server')
const { until } = require('../helper')

const SAME = `-- @get /text :text
-- @public
select 'first';

-- @get /one :one
-- @public
select 1 as one, json_object('a', 2) as two, x from (select 3 as x);

-- @get /page :html page.html
-- @public
select 'a < b' as words;
`

const OTHERS = `-- @get /named :one
-- @public
-- @reply x_kind
select 'plain' as x_kind, 1 as one;

-- @get /table :text
-- @public
select count(*) from t;

-- @get /view :text
-- @public
select a from v;

-- @get /rows-of-view :text
-- @public
select count(*) from v;

-- @get /now :text
-- @public
select :_now;

-- @get /chance :text
-- @public
select random();

-- @get /id :text
-- @public
select :_id;

-- @get /asked :text
-- @public
-- @param a integer 0..10 ?
select coalesce(:a, 'none');

-- @get /often :text
-- @public
-- @rate 2/1h by ip
select 'now and then';

-- @get /inside :text
-- @auth
select 'for you alone';
`

const withoutDates = ({ status, headers: { date, 'x-request-id': id, connection, ...headers }, body }) => ({ status, headers, body })

async function folder (t, routes) {
  const dir = await project(t, routes)
  fs.writeFileSync(path.join(dir, 'routes/page.html'), '{{#rows}}<p>{{words}}</p>{{/rows}}')
  return dir
}

t.test('the same for everybody, every time', async (t) => {
  const { to } = await serve(t, { dir: await folder(t, SAME), http: '127.0.0.1:0' })
  for (const target of ['/text', '/one', '/page']) {
    const headOfNothing = await ask(to, { method: 'HEAD', target })
    const first = await ask(to, { target })
    const ids = new Set([first.headers['x-request-id']])
    t.equal(first.status, 200)
    for (let i = 0; i < 5; i++) {
      const again = await ask(to, { target })
      t.same(withoutDates(again), withoutDates(first), target)
      ids.add(again.headers['x-request-id'])
    }
    t.equal(ids.size, 6, 'each has an id of its own')
    const head = await ask(to, { method: 'HEAD', target })
    t.same(withoutDates(head), { ...withoutDates(first), body: '' })
    t.same(withoutDates(headOfNothing), withoutDates(head))
    t.equal((await ask(to, { target, headers: { 'X-Request-Id': 'mine' } })).headers['x-request-id'], 'mine')
    const { status, body } = await ask(to, { target, headers: { 'If-None-Match': first.headers.etag } })
    t.same([status, body], [304, ''])
    t.equal((await ask(to, { target, headers: { 'If-None-Match': '"another"' } })).status, 200)
    const cached = await ask(to, { target, headers: { 'If-None-Match': `"another", W/${first.headers.etag}` } })
    t.same([cached.status, cached.headers.etag, cached.headers['cache-control']], [304, first.headers.etag, 'no-cache'])
    t.equal((await ask(to, { target, headers: { 'If-None-Match': '*' } })).status, 304)
    const two = await raw(to, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "a"\r\nIf-None-Match: "b"\r\nConnection: close\r\n\r\n`, { end: false })
    t.same(statuses(two), [200])
    t.equal((await ask(to, { target: `${target}?a=1` })).status, 400, 'what is not known is refused as before')
    t.equal((await ask(to, { target: `${target}?` })).status, 200)
    t.equal((await ask(to, { target, headers: { Host: 'evil.example' } })).status, 421)
    t.equal((await ask(to, { method: 'POST', target, body: '{}' })).status, 405)
    const withBody = await raw(to, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`, { end: false })
    t.same(statuses(withBody), [400])
    const old = await raw(to, `GET ${target} HTTP/1.0\r\nHost: localhost\r\n\r\n`, { end: false })
    t.same([statuses(old), /Connection: close/.test(old), old.endsWith(first.body)], [[200], true, true])
  }
})

t.test('in turn with what the database answers', async (t) => {
  const { to } = await serve(t, { dir: await folder(t, SAME + OTHERS.replaceAll('from v', 'from t').replace('select a', 'select n')), http: '127.0.0.1:0' })
  await ask(to, { target: '/text' })
  const targets = Array.from({ length: 400 }, (_, i) => ['/text', '/table', '/page', `/asked?a=${i % 10}`][i % 4])
  const text = await raw(to, targets.map((target, i) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${i === 399 ? 'Connection: close\r\n' : ''}\r\n`).join(''), { end: false })
  const bodies = text.split('HTTP/1.1 200 OK').slice(1).map((one) => one.slice(one.indexOf('\r\n\r\n') + 4))
  t.same(bodies, targets.map((target) => ({ '/text': 'first', '/table': '0', '/page': '<p>a &lt; b</p>' })[target] ?? target.slice(-1)))
})

t.test('what may change is asked for each time', async (t) => {
  const dir = await folder(t, '-- @get /one :one\n-- @public\nselect 1 as one;\n')
  const store = require('../..').open(path.join(dir, 'app.db'))
  t.teardown(() => store.close())
  await store.db.exec('create view v(a) as select 1')
  fs.writeFileSync(path.join(dir, 'routes/all.sql'), SAME + OTHERS)
  const routes = store.routes(path.join(dir, 'routes'))
  await routes.ready
  t.same(routes.list().filter(({ constant }) => constant).map(({ path }) => path), ['/text', '/one', '/page'], 'the core says which those are')
  const { to } = await serve(t, { dir, http: '127.0.0.1:0' })
  const body = async (target) => (await ask(to, { target })).body
  const twice = async (target) => [await body(target), await body(target)]
  t.same([...await twice('/table'), ...await twice('/view'), ...await twice('/rows-of-view')], ['0', '0', '1', '1', '1', '1'])
  await store.db.exec('insert into t values (5); drop view v; create view v(a) as select 2 union all select 3')
  t.same([await body('/table'), await body('/view'), await body('/rows-of-view')], ['1', '2', '2'])
  for (const target of ['/chance', '/id']) t.equal(new Set(await twice(target)).size, 2, target)
  const [before] = await twice('/now')
  await until(async () => await body('/now') > before, 'the time goes on')
  t.same([await body('/asked'), await body('/asked?a=3'), await body('/asked')], ['none', '3', 'none'])
  const often = []
  for (let i = 0; i < 4; i++) often.push((await ask(to, { target: '/often' })).status)
  t.same(often, [200, 200, 400, 400])
  t.equal((await ask(to, { target: '/inside' })).status, 400)
})

t.test('other routes have other answers', async (t) => {
  const dir = await folder(t, SAME)
  const daemon = await serve(t, { dir, http: '127.0.0.1:0', args: ['--http-loops', '2'] })
  const { to } = daemon
  for (let i = 0; i < 8; i++) t.equal((await ask(to, { target: '/text' })).body, 'first')
  for (const word of ['second', 'third']) {
    const before = daemon.stderr.split('read again').length
    fs.writeFileSync(path.join(dir, 'routes/all.sql'), SAME.replace('first', word))
    daemon.proc.kill('SIGHUP')
    await until(() => daemon.stderr.split('read again').length > before, 'they are read')
    await until(async () => (await ask(to, { target: '/text' })).body === word, 'they serve')
    for (let i = 0; i < 8; i++) t.equal((await ask(to, { target: '/text' })).body, word)
  }
  fs.writeFileSync(path.join(dir, 'routes/all.sql'), SAME.replaceAll('/text', '/words'))
  daemon.proc.kill('SIGHUP')
  await until(async () => (await ask(to, { target: '/text' })).status === 404, 'it is gone')
  t.equal((await ask(to, { target: '/words' })).body, 'first')
})

t.test('a large one is not kept', async (t) => {
  const { to } = await serve(t, { dir: await project(t, "-- @get /large :text\n-- @public\nselect printf('%.*c', 100000, 'x');\n"), http: '127.0.0.1:0' })
  for (let i = 0; i < 3; i++) t.equal((await ask(to, { target: '/large' })).body.length, 100_000)
})
