'use strict'
// Whom the door believes, which names it goes by, what pages of other origins may do, and what it
// says of itself: as the mounts in JavaScript do, header by header.

const http = require('node:http')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { project, serve, ask, raw, statuses } = require('./server')
const { startDaemon } = require('../helper')

const PORT = '127.0.0.1:0'

t.test('a name that is not its own', async (t) => {
  const dir = await project(t)
  const strict = await serve(t, { dir, http: PORT, args: ['--http-host', 'shop.example', '--http-host', 'odd.example:81'] })
  const status = async (Host, to = strict.to) => (await ask(to, { headers: { Host } })).status
  for (const host of ['127.0.0.1', '127.0.0.1:4000', '10.1.2.3', '[::1]', '[::1]:4000', 'localhost', 'LocalHost:81', 'shop.example', 'SHOP.example:443', 'odd.example:81']) {
    t.equal(await status(host), 200, host)
  }
  for (const host of ['evil.example', 'localhost.evil.example', 'shop.example.', 'odd.example', '127.0.0.1.evil.example', '[::1', '1.2.3', 'a@localhost']) {
    t.ok([400, 421].includes(await status(host)), host)
  }
  t.equal(await status('evil.example'), 421)
  const open = await serve(t, { dir: await project(t), http: PORT, args: ['--http-host', '*'] })
  t.equal(await status('evil.example', open.to), 200, 'any, where a gateway looks')
  const unix = await serve(t, { dir: await project(t) })
  t.equal(await status('evil.example', unix.to), 200, 'a unix socket is a gateway\'s')
})

t.test('whose word counts about the caller', async (t) => {
  const ip = async (to, forwarded) => (await ask(to, { target: '/ip', headers: forwarded === undefined ? {} : { 'X-Forwarded-For': forwarded } })).body
  const tcp = await serve(t, { dir: await project(t), http: PORT })
  t.equal(await ip(tcp.to), '127.0.0.1')
  t.equal(await ip(tcp.to, '9.9.9.9'), '127.0.0.1', 'not that of anybody')
  const unix = await serve(t, { dir: await project(t) })
  t.equal(await ip(unix.to), '', 'a unix socket has none')
  t.equal(await ip(unix.to, '9.9.9.9'), '9.9.9.9', 'its gateway is believed')
  t.equal(await ip(unix.to, '6.6.6.6, 9.9.9.9'), '9.9.9.9', 'about the last of a list')
  t.equal(await ip(unix.to, '9.9.9.9:80'), '9.9.9.9')
  t.equal(await ip(unix.to, '::ffff:9.9.9.9'), '9.9.9.9')
  t.equal(await ip(unix.to, '[2001:db8::1]:80'), '2001:db8::1')
  t.equal(await ip(unix.to, 'who, knows'), '')
  const none = await serve(t, { dir: await project(t), args: ['--http-trust', 'none'] })
  t.equal(await ip(none.to, '9.9.9.9'), '', 'unless it is nobody')
  const chain = await serve(t, { dir: await project(t), http: PORT, args: ['--http-trust', 'loopback', '--http-trust', '10.0.0.0/8'] })
  t.equal(await ip(chain.to, '6.6.6.6, 9.9.9.9, 10.1.2.3'), '9.9.9.9', 'behind several proxies')
  t.equal(await ip(chain.to, '10.1.2.3'), '10.1.2.3')
})

// ---- as the mounts in JavaScript -------------------------------------------------------------

const ORIGIN = 'https://shop.example'
const HEADERS = ['allow', 'vary', 'access-control-allow-origin', 'access-control-allow-credentials', 'access-control-expose-headers',
  'access-control-allow-methods', 'access-control-allow-headers', 'access-control-max-age', 'content-type', 'content-length', 'retry-after', 'x-request-id']

const cases = [
  { method: 'OPTIONS', target: '/one' },
  { method: 'OPTIONS', target: '/add' },
  { method: 'OPTIONS', target: '/nowhere' },
  { method: 'OPTIONS', target: '/add', headers: { Origin: ORIGIN } },
  { method: 'OPTIONS', target: '/add', headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST' } },
  { method: 'OPTIONS', target: '/add', headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' } },
  { target: '/one', headers: { Origin: ORIGIN } },
  { target: '/one', headers: { Origin: 'https://evil.example' } },
  { target: '/one', headers: { Origin: 'null' } },
  { target: '/nowhere', headers: { Origin: ORIGIN } },
  { method: 'HEAD', target: '/one' },
  { method: 'HEAD', target: '/nowhere' },
  { method: 'POST', target: '/one', body: '{}' },
  { method: 'POST', target: '/add', body: '{"n":1}' },
  { method: 'POST', target: '/add', body: '{"n":1}', headers: { Origin: ORIGIN, 'Sec-Fetch-Site': 'cross-site' } },
  { method: 'POST', target: '/add', body: '{"n":1}', headers: { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' } },
  { method: 'POST', target: '/add', body: '{"n":"1"}' },
  { target: '/one?x=1' },
  { target: '/one', headers: { 'X-Request-Id': 'mine-1' } },
  { target: '/one', headers: { 'X-Request-Id': 'not mine' } }
]

for (const origins of [[], [ORIGIN]]) {
  t.test(origins.length === 0 ? 'without origins' : 'with one', async (t) => {
    const door = await serve(t, { dir: await project(t), args: origins.flatMap((origin) => ['--http-origin', origin]) })
    const dir = await project(t)
    const store = undercroft.open(path.join(dir, 'app.db'))
    const routes = store.routes(path.join(dir, 'routes'), { origins })
    const server = http.createServer(routes.node())
    await routes.ready
    const socketPath = path.join(dir, 'node.sock')
    await new Promise((resolve) => server.listen(socketPath, resolve))
    t.teardown(async () => {
      await new Promise((resolve) => { server.close(resolve) })
      await store.close()
    })
    for (const one of cases) {
      const name = JSON.stringify(one)
      const [found, wanted] = [await ask(door.to, one), await ask({ socketPath }, one)]
      t.match(found.headers['x-request-id'], /^[\x21-\x7e]{1,128}$/, name)
      const pick = ({ status, headers, body }) => [status, body, ...HEADERS.map((header) =>
        header === 'x-request-id' && one.headers?.['X-Request-Id'] !== 'mine-1' ? null : headers[header])]
      t.same(pick(found), pick(wanted), name)
    }
  })
}

t.test('an origin for development', async (t) => {
  const dir = await project(t)
  const dev = await serve(t, { dir, args: ['--http-dev-origin', 'http://localhost:5173'] })
  t.match(dev.stderr, /http-dev-origin.*for development/)
  t.equal((await ask(dev.to, { headers: { Origin: 'http://localhost:5173' } })).headers['access-control-allow-origin'], 'http://localhost:5173')
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  const refused = startDaemon(t, ['--db', path.join(dir, 'b.db'), '--http', PORT, '--routes', path.join(dir, 'routes'), '--http-dev-origin', 'http://localhost:5173'], { codes: [2] })
  if (before === undefined) delete process.env.NODE_ENV
  else process.env.NODE_ENV = before
  t.equal((await refused.done).code, 2)
  t.match(refused.stderr, /not where NODE_ENV is production/)
  for (const [option, value] of [['--http-origin', '*'], ['--http-origin', 'https://shop.example/'], ['--http-origin', 'https://shop.example:443'], ['--http-trust', '10.0.0.0/33'], ['--http', '0.0.0.0:0'], ['--http', 'systemd']]) {
    const wrong = startDaemon(t, ['--db', path.join(dir, 'b.db'), '--http', PORT, '--routes', path.join(dir, 'routes'), option, value], { codes: [2] })
    t.equal((await wrong.done).code, 2, `${option} ${value}`)
    t.match(wrong.stderr, option, wrong.stderr)
  }
})

t.test('Expect, and who comes when all places are taken', async (t) => {
  const { to } = await serve(t, { dir: await project(t), args: ['--http-connections', '2'] })
  const text = await raw(to, 'POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{"n":1}', { end: false })
  t.same(statuses(text), [200])
  t.same(statuses(await raw(to, 'GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n')), [417])
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 })
  await Promise.all([ask(to, { agent }), ask(to, { agent })])
  const late = await ask(to, {})
  t.equal(late.status, 503)
  t.equal(late.headers['retry-after'], '1')
  t.equal(late.headers.connection, 'close')
  agent.destroy()
})
