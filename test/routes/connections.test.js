'use strict'

// What vectors cannot say: connections that are cut, bodies that nobody wants to read, and the
// application around the routes.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const express = require('express')
const fastify = require('fastify')
const { doors, ask, ofServer, honoApp, startBun } = require('./doors')
const { service, vectorService } = require('./service')
const { isBun, tmpdir, until } = require('../helper')

const MiB = 1024 * 1024
const servers = doors.filter(({ name }) => name !== 'inject' && name !== 'fetch')

async function opened (t, door, options) {
  const made = vectorService(t, options)
  await made.routes.ready
  const open = await door.start(made.routes, t)
  t.teardown(() => open.close())
  return { ...made, ...open }
}

function dial ({ host, port, socketPath }) {
  return socketPath === undefined ? net.connect(port, host) : net.connect(socketPath)
}

for (const door of servers) {
  t.test(`${door.name}: who hangs up stops what was asked for`, async (t) => {
    const { core, to } = await opened(t, door)
    const client = dial(to)
    client.on('error', () => {})
    client.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
    const asked = () => core.calls.find(([op]) => op === 'request')
    await until(() => asked() !== undefined, 'the core is asked')
    t.equal(asked()[2].signal.aborted, false)
    client.destroy()
    await until(() => asked()[2].signal.aborted, 'the call is stopped')
    t.same(core.lines.filter(({ level }) => level === 'error'), [], 'which is no failure')
  })

  t.test(`${door.name}: a body that is cut`, async (t) => {
    const { core, to, request } = await opened(t, door)
    const client = dial(to)
    client.on('error', () => {})
    await new Promise((resolve) => client.write('POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":', resolve))
    await new Promise((resolve) => setTimeout(resolve, 50))
    client.destroy()
    await new Promise((resolve) => setTimeout(resolve, 50))
    t.equal((await request({ method: 'GET', target: '/empty', headers: {} })).status, 200, 'others go on')
    t.same(core.calls.filter(([op, args]) => op === 'request' && args[2] === '/add'), [], 'the core is not asked')
    t.same(core.lines.filter(({ level }) => level !== 'info'), [], 'and nothing has failed')
  })

  // Whoever sends it all before he reads finds the answer, and is not cut off while sending.
  for (const connection of ['keep-alive', 'close']) {
    t.test(`${door.name}: a body that is too large, ${connection}`, async (t) => {
      const { to } = await opened(t, door)
      const client = dial(to)
      let got = ''
      let error = null
      client.on('error', (err) => { error = err })
      client.write(`POST /add HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\nContent-Type: application/json\r\nContent-Length: ${3 * MiB}\r\n\r\n`)
      const chunk = Buffer.alloc(MiB / 4, 'x')
      for (let i = 0; i < 12; i++) await new Promise((resolve) => client.write(chunk, resolve))
      client.on('data', (data) => { got += data })
      await until(() => got.includes('body: must have at most') || error !== null, 'there is an answer')
      t.equal(error, null)
      t.match(got, /^HTTP\/1.1 413 /)
      if (connection === 'keep-alive' && !/connection: close/i.test(got)) {
        got = ''
        client.write('GET /empty HTTP/1.1\r\nHost: a\r\n\r\n')
        await until(() => got !== '', 'the connection goes on')
        t.match(got, /^HTTP\/1.1 200 /)
      }
      client.destroy()
    })
  }

  t.test(`${door.name}: chunks without a length`, async (t) => {
    const { to } = await opened(t, door)
    const send = (n) => new Promise((resolve, reject) => {
      const req = http.request({ ...to, method: 'POST', path: '/add', headers: { 'content-type': 'application/json' }, agent: false }, (res) => {
        res.resume()
        res.on('end', () => resolve(res.statusCode))
      })
      req.on('error', reject)
      req.write('{"a":"')
      setImmediate(() => {
        for (let i = 0; i < n; i++) req.write('y'.repeat(1000))
        req.end('"}')
      })
    })
    t.equal(await send(1), 200)
    t.equal(await send(4), 200)
    t.equal(await send(5), 413)
  })
}

for (const door of doors.filter(({ name }) => /^(express|fastify|hono)/.test(name))) {
  t.test(`${door.name}: the application's own route has its body`, async (t) => {
    const { request } = await opened(t, door)
    const got = await request({ method: 'POST', target: '/json', headers: { 'content-type': 'application/json' }, body: '{"a":1}' })
    t.equal(got.status, 200)
    t.same(JSON.parse(got.body), { got: { a: 1 } })
  })
}

t.test('in front of a handler of one\'s own', async (t) => {
  const { routes } = vectorService(t)
  const asked = []
  const open = await ofServer(http.createServer(routes.node((req, res) => {
    asked.push(req.url)
    req.pipe(res)
  })))
  t.teardown(() => open.close())
  const post = (target) => open.request({ method: 'POST', target, headers: {}, body: 'whole' })
  t.equal((await post('/mine-too')).body, 'whole', 'before the files are loaded')
  await routes.ready
  t.equal((await post('/mine-too?x')).body, 'whole')
  t.equal((await open.request({ method: 'GET', target: '/empty', headers: {} })).status, 200)
  t.same(asked, ['/mine-too', '/mine-too?x'])
})

t.test('HTTP/2', { skip: isBun && 'the door is one of Node' }, async (t) => {
  const http2 = require('node:http2')
  const { core, routes } = vectorService(t)
  const server = http2.createServer(routes.node())
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = http2.connect(`http://127.0.0.1:${server.address().port}`)
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  const request = async (headers, body) => {
    const stream = client.request(headers)
    stream.end(body)
    let text = ''
    let status
    stream.on('response', (own) => { status = own[':status'] })
    for await (const chunk of stream) text += chunk
    return { status, text }
  }
  t.match(await request({ ':path': '/umlaut' }), { status: 200, text: /Zoë/ })
  t.match(await request({ ':path': '/host', ':method': 'POST' }), { status: 200, text: `127.0.0.1:${server.address().port}` })
  t.match(await request({ ':path': '/add', ':method': 'POST', 'content-type': 'application/json' }, '{"a":1}'), { status: 200, text: '{"a":1}' })
  t.match(await request({ ':path': '/add', ':method': 'POST', 'content-type': 'application/json' }, 'x'.repeat(5000)), { status: 413 })
  t.match(await request({ ':path': '/own/cookies' }), { status: 200 })
  const slow = client.request({ ':path': '/slow' })
  slow.on('error', () => {})
  const call = () => core.calls.find(([, args]) => args[2] === '/slow')
  await until(() => call() !== undefined, 'the core is asked')
  slow.close(http2.constants.NGHTTP2_CANCEL)
  await until(() => call()[2].signal.aborted, 'a stream that is cut stops its call')
})

t.test('Express: below a path, and behind its parser', async (t) => {
  const { core, routes } = vectorService(t)
  const lines = []
  const log = { info: (line) => lines.push(line), warn () {}, error () {} }
  const { routes: logged } = vectorService(t, { log })
  const app = express()
  app.use((req, res, next) => {
    res.vary('Accept')
    next()
  })
  app.use('/api', express.json(), routes.node())
  app.use('/logged', logged.node())
  const open = await ofServer(http.createServer(app))
  t.teardown(() => open.close())
  const post = { method: 'POST', target: '/api/add', headers: { 'content-type': 'application/json' }, body: '{"a": 1}' }
  t.equal((await open.request(post)).body, '{"a":1}')
  t.equal((await open.request({ ...post, body: JSON.stringify({ a: 'x'.repeat(5000) }) })).status, 413)
  t.equal((await open.request({ method: 'GET', target: '/api/nowhere', headers: {} })).status, 404)
  app.use('/eaten', (req, res, next) => req.on('end', next).resume(), routes.node())
  t.equal((await open.request({ ...post, target: '/eaten/add' })).status, 500)
  t.match(core.lines.filter(({ level }) => level !== 'info'), [{ err: { message: /^routes: the body of the request was read by/ } }])
  // As parsers of earlier versions leave what is none of theirs.
  app.use('/left', (req, res, next) => { req.body = {}; setTimeout(next, 20) }, routes.node())
  t.equal((await open.request({ ...post, target: '/left/add' })).body, '{"a":1}')
  const cookies = await open.request({ method: 'GET', target: '/api/own/cookies', headers: {} })
  t.match(cookies.headers, { 'x-powered-by': 'Express', vary: 'Accept, origin', 'set-cookie': ['a=1', 'b=2'] }, 'what it has set itself stays')
  await open.request({ method: 'GET', target: '/logged/empty?a', headers: {} })
  await until(() => lines.length === 1, 'there is a line')
  t.equal(lines[0].url, '/logged/empty?a', 'as the caller has asked')
})

t.test('fastify: a prefix, and the hooks of the application', async (t) => {
  const { routes } = vectorService(t)
  const app = fastify()
  app.addHook('onRequest', async (request, reply) => { reply.header('vary', 'Accept') })
  app.addHook('onSend', async (request, reply) => { reply.header('x-hook', 'sent') })
  app.get('/api/own', () => 'own')
  app.register(routes.fastify, { prefix: '/api' })
  t.teardown(() => app.close())
  await app.ready()
  const got = await app.inject({ url: '/api/echo?a=1' })
  t.match(got.json(), { target: '/echo?a=1' })
  t.match(got.headers, { 'x-hook': 'sent', vary: 'Accept, origin' })
  t.equal((await app.inject({ url: '/api/own' })).body, 'own')
  t.equal((await app.inject({ url: '/echo' })).statusCode, 404)
  t.equal((await app.inject({ url: '/api/nowhere' })).statusCode, 404)
})

t.test('Hono: a middleware has read the body', async (t) => {
  const { Hono } = require('hono')
  const { routes } = vectorService(t)
  const app = new Hono()
  app.use(async (context, next) => {
    t.same(await context.req.json(), { a: 1 })
    await next()
  })
  app.use(routes.hono)
  const got = await app.request('/add', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a": 1}' })
  t.equal(await got.text(), '{"a":1}')
  const alone = new Hono()
  alone.all('*', routes.hono)
  t.equal((await alone.request('/empty')).status, 200)
  t.equal((await alone.request('/nowhere')).status, 404)
})

t.test('whose address it is', async (t) => {
  const forwarded = { 'X-Forwarded-For': '203.0.113.9, 10.1.2.3', 'X-Forwarded-Host': 'shop.example' }
  const ipOf = async (open) => JSON.parse((await open.request({ method: 'GET', target: '/echo', headers: forwarded })).body).ip
  const hostOf = async (open) => (await open.request({ method: 'POST', target: '/host', headers: { ...forwarded, Host: 'inner' } })).body
  const isSecure = async (open) => JSON.parse((await open.request({ method: 'GET', target: '/own/secure', headers: { 'X-Forwarded-Proto': 'https' } })).body).secure
  const starts = (trustProxy, where) => {
    const { routes } = vectorService(t, { trustProxy })
    return ofServer(http.createServer(routes.node()), where)
  }
  const unix = (name) => ({ path: path.join(tmpdir(t), name) })
  for (const [trustProxy, where, ip, host] of [
    [undefined, undefined, '127.0.0.1', 'inner'],
    [undefined, unix('a.sock'), '10.1.2.3', 'shop.example'],
    [['unix', '10.0.0.0/8'], unix('b.sock'), '203.0.113.9', 'shop.example'],
    [false, unix('c.sock'), null, 'inner'],
    ['loopback', undefined, '10.1.2.3', 'shop.example'],
    [['loopback', '10.0.0.0/8'], undefined, '203.0.113.9', 'shop.example']
  ]) {
    const open = await starts(trustProxy, where)
    t.equal(await ipOf(open), ip, `${trustProxy} on ${where === undefined ? 'a port' : 'a socket'}`)
    t.equal(await hostOf(open), host)
    t.equal(await isSecure(open), host !== 'inner')
    await open.close()
  }
})

t.test('Bun: who asks', { skip: !isBun && 'it is not Bun' }, async (t) => {
  const { routes } = service(t)
  const socket = path.join(tmpdir(t), 'bun.sock')
  const server = globalThis.Bun.serve({ unix: socket, fetch: routes.fetch })
  t.teardown(() => server.stop(true))
  const got = await ask({ socketPath: socket }, { method: 'GET', target: '/echo', headers: { 'X-Forwarded-For': '203.0.113.9' } })
  t.equal(JSON.parse(got.body).ip, '203.0.113.9', 'the gateway\'s socket is trusted')
  const open = startBun(honoApp(routes).fetch)
  t.teardown(() => open.close())
  t.equal(JSON.parse((await open.request({ method: 'GET', target: '/echo', headers: {} })).body).ip, '127.0.0.1')
  fs.rmSync(socket, { force: true })
})
