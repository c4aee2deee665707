'use strict'

// Loading, loading again, and the end; what is logged.

const fs = require('node:fs')
const path = require('node:path')
const http = require('node:http')
const t = require('tap')
const { Routes } = require('../../lib/routes')
const { UndercroftError } = require('../../lib/base/errors')
const { FakeCore } = require('./fake-core')
const { ofServer } = require('./doors')
const { directory, service, vectorService } = require('./service')
const { until } = require('../helper')

const one = (path) => `-- @get ${path} :one\nselect 1;\n`
const called = (core, op) => core.calls.filter(([name]) => name === op)
const get = async (routes, target, options) => (await routes.inject('GET', target, options)).status

t.test('loading', async (t) => {
  const { core, routes } = service(t, { statuses: 'fine', bodyMost: 10, origins: ['https://a.example'] }, { 'b.sql': one('/id'), 'a/list.sql': one('/empty'), 'a/list.mustache': '<p>' })
  t.same(routes.list(), [], 'nothing is known yet')
  t.equal(await get(routes, '/empty'), 200, 'a request waits for it')
  t.equal(await routes.ready, routes)
  t.same(called(core, 'routes_load')[0][1], [
    [['a/list.mustache', '<p>'], ['a/list.sql', one('/empty')], ['b.sql', one('/id')]],
    { fine: true, bodyMost: 10, origins: ['https://a.example'], cacheBytes: 8388608, check: false }
  ])
  t.match(routes.list(), [{ method: 'GET', path: '/empty', file: 'a/list.sql', line: 1 }, { path: '/id' }])
  t.match(called(core, 'request')[0][1], [1, 'GET', '/empty', [], null, { user: null, roles: [], ip: null, id: String }])
})

t.test('what the core asks for', async (t) => {
  const { core, routes } = service(t, {}, { 'a.sql': one('/empty') + one('/echo') + '-- @header x-tenant\n-- @post /add :one\n' })
  const headers = Object.fromEntries(['content-type', 'origin', 'sec-fetch-site', 'host', 'idempotency-key', 'if-none-match', 'x-tenant', 'x-other'].map((name) => [name, name]))
  for (const [method, target] of [['GET', '/empty'], ['GET', '/echo'], ['POST', '/add']]) await routes.inject(method, target, { headers })
  const asked = called(core, 'request').map(([, [, , , given, , { ip }]]) => [given.filter((_, i) => i % 2 === 0), ip])
  t.same(asked, [
    [['if-none-match', 'x-tenant'], null],
    [['if-none-match', 'x-tenant'], '127.0.0.1'],
    [['content-type', 'origin', 'sec-fetch-site', 'host', 'idempotency-key', 'if-none-match', 'x-tenant'], '127.0.0.1']
  ])
  const { core: other, routes: more } = service(t, {}, { 'a.sql': one('/empty') + '-- @header host\n' })
  await more.inject('GET', '/empty', { headers })
  t.same(called(other, 'request')[0][1][3], ['host', 'host', 'if-none-match', 'if-none-match'], 'also what a POST is admitted by, where a route wants it')
})

t.test('a faulty file', async (t) => {
  const { core, routes } = service(t, {}, { 'user.sql': one('/id') + '-- @puplic x\n' })
  await t.rejects(routes.ready, { code: 'UC_ROUTE', message: 'user.sql:3: unknown tag @puplic' })
  t.equal(await get(routes, '/id'), 500)
  t.equal(await get(routes, '/id'), 500)
  t.match(core.lines, [{ level: 'error', msg: 'routes: not loaded', err: { code: 'UC_ROUTE' } }], 'one line')
  t.equal(core.lines.length, 1)
})

t.test('two in one place', async (t) => {
  const { core, routes } = service(t, {}, { 'a.sql': one('/a') })
  const add = (verb, path) => routes[verb](path, { public: true }, () => path)
  add('get', '/b').post('/b', { public: true }, () => {})
  t.throws(() => add('get', '/b'), { code: 'UC_ROUTE', message: "routes: GET /b: the handler of one's own is in the place of another handler of one's own" })
  await routes.ready
  t.throws(() => add('get', '/a'), { code: 'UC_ROUTE', message: "routes: GET /a: the handler of one's own is in the place of the route of a.sql:1" })
  add('post', '/a')
  t.same(routes.list().map(({ method, path }) => `${method} ${path}`), ['GET /a', 'GET /b', 'POST /b', 'POST /a'])

  const late = new Routes(core, directory(t, { 'b.sql': one('/b') }))
  late.get('/b', { public: true }, () => {})
  await t.rejects(late.ready, { code: 'UC_ROUTE', message: /the route of b\.sql:1$/ })
  await until(() => core.sets.size === 1, 'the core does not keep it')
})

t.test('a core that is not there yet', async (t) => {
  const core = new FakeCore()
  const { send } = core
  let isThere = false
  core.send = (...args) => isThere ? send(...args) : Promise.reject(new UndercroftError('UC_CONNECT', 'nobody listens'))
  const routes = new Routes(core, directory(t))
  t.equal(await get(routes, '/empty'), 503)
  isThere = true
  t.equal(await get(routes, '/empty'), 200)
})

t.test('loading again', async (t) => {
  const { core, routes, dir } = service(t, {}, { 'a.sql': one('/slow') + one('/id') })
  await routes.ready
  const caller = new AbortController()
  const pending = routes.inject('GET', '/slow', { signal: caller.signal })
  await until(() => called(core, 'request').length === 1, 'the core is asked')
  fs.writeFileSync(path.join(dir, 'a.sql'), one('/empty'))
  await routes.reload()
  t.equal(await get(routes, '/empty'), 200)
  t.equal(await get(routes, '/id'), 404)
  t.same([...core.sets.keys()], [1, 2], 'the old one is held by its request')
  caller.abort()
  await pending
  await until(() => core.sets.size === 1, 'the old one is dropped')
  t.same([...core.sets.keys()], [2])

  fs.writeFileSync(path.join(dir, 'a.sql'), '-- @wrong x\n')
  await t.rejects(routes.reload(), { code: 'UC_ROUTE', message: 'a.sql:1: unknown tag @wrong' })
  t.equal(await get(routes, '/empty'), 200, 'the old ones go on')
  t.match(routes.list(), [{ path: '/empty' }])
})

t.test('loading again under load', async (t) => {
  const { core, routes } = service(t)
  await routes.ready
  let isOver = false
  const statuses = new Set()
  let asked = 0
  const client = async () => {
    for (; !isOver; asked++) {
      statuses.add((await routes.inject('POST', '/add', { body: { a: asked } })).status)
      await new Promise(setImmediate)
    }
  }
  const clients = [client(), client(), client(), client()]
  for (let i = 0; i < 100; i++) {
    await routes.reload()
    await new Promise(setImmediate)
  }
  await until(() => asked > 100, 'there was a load')
  isOver = true
  await Promise.all(clients)
  t.same([...statuses], [200], 'nothing is lost')
  await until(() => core.sets.size === 1, 'one set is left')
})

t.test('a set that has gone with its connection', async (t) => {
  const { core, routes } = service(t)
  await routes.ready
  core.forget()
  t.same(await Promise.all([get(routes, '/empty'), get(routes, '/id'), get(routes, '/umlaut')]), [200, 200, 200])
  t.equal(called(core, 'routes_load').length, 2, 'one of them loads it')
  t.equal(await get(routes, '/empty'), 200)
  t.equal(called(core, 'routes_load').length, 2)
})

t.test('a core that forgets each set at once', async (t) => {
  const { core, routes } = service(t)
  await routes.ready
  const { send } = core
  core.send = (op, ...rest) => send(op, ...rest).finally(() => core.forget())
  const other = new Routes(core, directory(t))
  t.equal(await get(other, '/empty'), 500)
  t.equal(called(core, 'request').length, 3)
  other.close()
})

t.test('the end', async (t) => {
  const { core, routes } = service(t)
  await routes.ready
  const caller = new AbortController()
  const pending = routes.inject('GET', '/slow', { signal: caller.signal })
  await until(() => called(core, 'request').length === 1, 'the core is asked')
  routes.close()
  routes.close()
  t.equal(core.sets.size, 1, 'held by its request')
  t.equal(await get(routes, '/empty'), 503)
  caller.abort()
  await pending
  await until(() => core.sets.size === 0, 'the core has forgotten it')
  await t.rejects(routes.reload(), { code: 'UC_CLOSED' })
})

t.test('closed while it loads', async (t) => {
  const { core, routes } = service(t)
  routes.close()
  await t.rejects(routes.ready, { code: 'UC_CLOSED' })
  await until(() => core.sets.size === 0, 'the core holds nothing')
  t.same(core.lines, [], 'nothing is logged of it')
})

t.test('watching', async (t) => {
  const { core, routes, dir } = service(t, { watch: true }, { 'a.sql': one('/id') })
  await routes.ready
  const write = (name, text) => fs.writeFileSync(path.join(dir, name), text)
  write('a.sql', one('/empty'))
  await until(() => routes.list()[0].path === '/empty', 'a changed file')
  fs.mkdirSync(path.join(dir, 'more'))
  write('more/b.sql', one('/umlaut'))
  await until(() => routes.list().length === 2, 'a new directory')
  write('more/b.sql', one('/page'))
  await until(() => routes.list()[1].path === '/page', 'a changed file in it')
  write('more/b.sql', '-- @wrong x\n')
  await until(() => core.lines.some(({ msg }) => msg === 'routes: not loaded again, the old ones go on'), 'a faulty file')
  t.match(routes.list(), [{ path: '/empty' }, { path: '/page' }])
  // As an editor does it.
  write('more/.b.swp', one('/counted'))
  fs.renameSync(path.join(dir, 'more/.b.swp'), path.join(dir, 'more/b.sql'))
  await until(() => routes.list()[1].path === '/counted', 'a file that was put in its place')
  fs.rmSync(path.join(dir, 'more'), { recursive: true })
  await until(() => routes.list().length === 1, 'a directory that has gone')
  fs.rmSync(dir, { recursive: true })
  const lost = () => core.lines.filter(({ err }) => /there is no such file or directory|there is no \*\.sql/.test(err?.message)).length
  await until(() => lost() > 0, 'all of it has gone')
  t.match(routes.list(), [{ path: '/empty' }])
  fs.mkdirSync(dir)
  write('a.sql', one('/umlaut'))
  await until(() => routes.list()[0].path === '/umlaut', 'it is back')
  write('a.sql', one('/empty'))
  await until(() => routes.list()[0].path === '/empty', 'and watched again')
  t.ok(lost() <= 2, 'what stands in the way has a line, and no more')
  const loads = called(core, 'routes_load').length
  write('notes.txt', 'x')
  write('a.sql', one('/empty'))
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.equal(called(core, 'routes_load').length, loads, 'the same texts are not loaded')
})

t.test('lines', async (t) => {
  const { core, routes } = vectorService(t)
  await routes.ready
  const { headers } = await routes.inject('GET', '/broken?secret=1', { headers: { 'x-request-id': 'r1' } })
  t.equal(headers['x-request-id'], 'r1')
  t.match(core.lines, [{ level: 'error', reqId: 'r1', method: 'GET', url: '/broken?secret=1', err: { code: 'SQLITE_ERROR' }, msg: 'request failed' }])
  await routes.inject('GET', '/busy')
  t.match(core.lines[1], { level: 'warn', err: { code: 'UC_BUSY' } })
  await routes.inject('GET', '/own/throw')
  t.match(core.lines[2], { level: 'error', err: { message: 'secret' } })
  for (const target of ['/refused', '/mine', '/own/refuse', '/nowhere', '/empty']) await routes.inject('GET', target)
  t.equal(core.lines.length, 3, 'what a caller does wrong has no line')
})

t.test('a line for each request', async (t) => {
  for (const log of [true, new FakeCore().logger]) {
    const { core, routes } = service(t, { log })
    const lines = log === true ? core.lines : []
    if (log !== true) for (const level of ['info', 'warn', 'error']) log[level] = (fields, msg) => { lines.push({ level, ...fields, msg }) }
    const open = await ofServer(http.createServer(routes.node()))
    await open.request({ method: 'GET', target: '/umlaut?a=1', headers: { 'x-request-id': 'r1' } })
    await open.request({ method: 'GET', target: '/broken', headers: {} })
    await until(() => lines.length === 3, 'there are lines')
    t.match(lines[0], { level: 'info', reqId: 'r1', method: 'GET', url: '/umlaut?a=1', status: 200, ms: Number, bytes: 42, msg: 'request done' })
    t.match(lines[1], { level: 'error', reqId: String, msg: 'request failed' })
    t.match(lines[2], { level: 'error', reqId: lines[1].reqId, status: 500, msg: 'request done' })
    const client = http.get({ ...open.to, path: '/slow' })
    client.on('error', () => {})
    await until(() => called(core, 'request').length === 3, 'the core is asked')
    client.destroy()
    await until(() => lines.length === 4, 'there is a line')
    t.match(lines[3], { level: 'warn', url: '/slow', msg: 'request aborted' })
    await open.close()
  }
})
