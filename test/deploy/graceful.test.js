'use strict'

// A service that is told to end: what has begun is answered, whoever is connected is told to
// leave, nobody is cut, the store is closed last; in Node and Bun, and in each framework.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const { spawn } = require('node:child_process')
const { runtimes } = require('../runtimes')
const { graceful } = require('../..')
const { child, isLong, root, runs, tmpfile, until } = require('../helper')

t.setTimeout(300000)

const here = runtimes().filter(({ skip }) => !skip)
// Each framework on the machine's Node and on Bun, and on the other Nodes where there is time.
const chosen = here.filter(({ kind, name }) => isLong || kind === 'bun' || name === 'node')
const kinds = { node: ['http', 'fastify', 'hono', 'fetch'], bun: ['http', 'fastify', 'hono', 'bun'] }

// A service as a process of its own; its port is one that is free unless env names one.
async function start (t, runtime, kind, options = {}, env = {}) {
  const proc = spawn(runtime.exec, [path.join(__dirname, 'parts/service.js'), kind, JSON.stringify(options)], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', PORT: '0', HOST: '', UNDERCROFT_SOCKET: '', UNDERCROFT_SOCKET_MODE: '', UNDERCROFT_DRAIN_MS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => { proc.kill('SIGKILL') })
  const service = { proc, facts: [], stderr: '', ended: null }
  let rest = ''
  proc.stdout.setEncoding('utf8').on('data', text => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    service.facts.push(...lines.map(line => JSON.parse(line)))
  })
  proc.stderr.setEncoding('utf8').on('data', text => { service.stderr += text })
  proc.on('close', (code, signal) => { service.ended = { code, signal } })
  service.has = name => service.facts.some(fact => Object.hasOwn(fact, name))
  service.end = async () => {
    await until(() => service.ended !== null, `${kind} ends\n${service.stderr}`, 20000)
    return service.ended
  }
  await until(() => service.has('port') || service.ended, `${kind} listens`, 20000)
  service.port = service.facts.find(fact => fact.port)?.port
  return service
}

// One request; with an agent on its connection. -> { status, text, connection, socket }
function ask (where, { path = '/', method = 'GET', agent = false, onData = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request({ ...where, path, method, agent })
    req.on('error', reject)
    req.on('response', res => {
      let text = ''
      res.setEncoding('utf8').on('data', piece => { text += piece; onData(text) })
      res.on('error', reject)
      res.on('end', () => resolve({ status: res.statusCode, text, connection: res.headers.connection, socket: req.socket }))
    })
    req.end()
  })
}

function keepAlive (t) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => { agent.destroy() })
  return agent
}

const get = path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

// A connection with several requests at once. -> the socket, with .text and .isClosed
function pipeline (t, { port }, ...paths) {
  const socket = net.connect(port, '127.0.0.1', () => { socket.write(paths.map(get).join('')) })
  t.teardown(() => { socket.destroy() })
  socket.text = ''
  socket.setEncoding('utf8').on('data', text => { socket.text += text })
  socket.on('error', () => {})
  socket.on('close', () => { socket.isClosed = true })
  return socket
}

for (const runtime of chosen) {
  for (const kind of kinds[runtime.kind]) {
    t.test(`${kind} on ${runtime.name}: what has begun is answered, then the store is closed`, async t => {
      const socket = tmpfile(t, 's.sock')
      const service = await start(t, runtime, kind, { idleMs: 400, health: '/health' }, { UNDERCROFT_SOCKET: socket })
      const { port } = service
      const tcp = { host: '127.0.0.1', port }
      const unix = { socketPath: socket }
      const agents = { idle: keepAlive(t), held: keepAlive(t), socket: keepAlive(t) }
      const first = await ask(tcp, { agent: agents.idle })
      t.equal(first.text, 'hello')
      t.not(first.connection, 'close', 'a connection is kept while it serves')
      t.equal((await ask(unix, { agent: agents.socket })).text, 'hello', 'on the socket as well')
      t.equal(fs.statSync(socket).mode & 0o777, 0o666)
      t.same(JSON.parse((await ask(tcp, { path: '/health' })).text), { ok: true })

      const held = ask(tcp, { path: '/hold', agent: agents.held })
      let seen = ''
      const streamed = ask(unix, { path: '/stream', onData: text => { seen = text } })
      await until(() => seen === 'first ' && service.facts.filter(fact => fact.held).length === 2, 'both are under way')
      service.proc.kill('SIGTERM')
      await until(() => service.has('draining'), 'it drains')

      const again = await ask(tcp, { agent: agents.idle })
      t.equal(again.socket, first.socket, 'an idle connection was not cut')
      t.equal(again.text, 'hello')
      t.equal(again.connection, 'close', 'and is told to leave with its next answer')
      const late = await ask(unix)
      t.equal(late.text, 'hello', 'the listener is open still')
      t.equal(late.connection, 'close')
      t.equal((await ask(unix, { path: '/health' })).status, 200, 'health does not tell a gateway anything else')
      if (kind === 'bun') {
        // Bun's request then has a path in place of its URL.
        const hostless = pipeline(t, service)
        hostless.once('connect', () => { hostless.write('GET /health HTTP/1.0\r\n\r\n') })
        await until(() => hostless.text !== '', 'a client of HTTP/1.0 is answered')
        t.match(hostless.text, /^HTTP\/1\.[01] 200 /)
        const routed = await ask(tcp, { path: '/route' })
        t.same([routed.text, routed.connection], ['routed', 'close'], 'a route as well')
      }
      t.notOk(service.has('closed'), 'the store is open')
      t.equal((await ask(tcp, { path: '/release', method: 'POST' })).text, 'released')
      const answered = await held
      t.same([answered.status, answered.text, answered.connection], [200, 'held', 'close'])
      t.equal((await streamed).text, 'first second', 'the whole of what streams')
      t.same(await service.end(), { code: 0, signal: null })
      const order = service.facts.map(fact => fact.hook ?? fact.closed ?? Object.keys(fact)[0]).slice(-2 - (kind === 'fastify'))
      t.same(order, [...(kind === 'fastify' ? ['onClose'] : []), 'store', 'exit'], 'the store last')
      t.notOk(fs.existsSync(socket), 'the socket is gone')
      t.equal(service.stderr, '')
    })
  }

  const main = runtime.kind === 'bun' ? 'bun' : 'http'
  t.test(`${runtime.name}: who may connect to the socket, by the option, else by the environment`, async t => {
    for (const [options, text, wanted] of [[{}, '0660', 0o660], [{}, '600', 0o600], [{ socketMode: 0o640 }, '0660', 0o640], [{}, '', 0o666]]) {
      const socket = tmpfile(t, `mode-${wanted}.sock`)
      const env = { UNDERCROFT_SOCKET: socket, UNDERCROFT_SOCKET_MODE: text }
      const { proc } = await start(t, runtime, main, options, env)
      t.equal(fs.statSync(socket).mode & 0o777, wanted, `${JSON.stringify(options)} ${text}`)
      // A crash: what starts it again has its environment and nothing else.
      proc.kill('SIGKILL')
      await new Promise(resolve => { proc.on('exit', resolve) })
      await start(t, runtime, main, options, env)
      t.equal(fs.statSync(socket).mode & 0o777, wanted, 'and after a crash')
    }
    const wrong = await start(t, runtime, main, {}, { UNDERCROFT_SOCKET_MODE: '0888' })
    t.match(wrong.facts, [{ code: 'UC_OPTION', error: 'graceful: the environment variable UNDERCROFT_SOCKET_MODE: expected an octal mode such as 0660, got "0888"' }])
  })

  t.test(`${runtime.name}: a second signal ends it at once, and says what it cut`, async t => {
    const service = await start(t, runtime, main)
    const cut = ask({ host: '127.0.0.1', port: service.port }, { path: '/hold' }).then(() => 'answered', err => err.code)
    await until(() => service.has('held'), 'it is under way')
    service.proc.kill('SIGTERM')
    await until(() => service.has('draining'), 'it drains')
    // One that follows within a tenth of a second is taken for the same.
    const timer = setInterval(() => { service.proc.kill('SIGTERM') }, 50)
    t.teardown(() => clearInterval(timer))
    t.same(await service.end(), { code: 143, signal: null })
    t.match(service.stderr, /SIGTERM again: ending at once, GET \/hold \(\d+ ms\)/)
    t.equal(await cut, 'ECONNRESET')
    t.notOk(service.has('closed'))
  })

  t.test(`${runtime.name}: at the deadline the rest is cut off and told, and the store is closed`, async t => {
    const service = await start(t, runtime, main, {}, { UNDERCROFT_DRAIN_MS: '300' })
    const cut = ask({ host: '127.0.0.1', port: service.port }, { path: '/hold' }).then(() => 'answered', err => err.code)
    await until(() => service.has('held'), 'it is under way')
    service.proc.kill('SIGINT')
    t.same(await service.end(), { code: 1, signal: null })
    t.match(service.stderr, /undercroft: not done \d+ ms after the signal, cut off: GET \/hold/)
    t.equal(await cut, 'ECONNRESET')
    t.ok(service.has('closed'))
  })

  t.test(`${runtime.name}: upgraded connections go on until they end by themselves`, async t => {
    const service = await start(t, runtime, main, { idleMs: 100 })
    const ws = runtime.kind === 'bun' ? await webSocket(t, service.port) : await upgrade(t, service.port)
    ws.send('one')
    await until(() => ws.heard() === 'one', 'an answer')
    service.proc.kill('SIGTERM')
    await until(() => service.has('draining'), 'it drains')
    await until(() => ws.isClosed(), 'the service has closed it, since it was told')
    t.same(await service.end(), { code: 0, signal: null })
    t.equal(service.stderr, '')
  })

  // Bun.serve, of its own, closes a connection that asks again before it is answered.
  t.test(`${runtime.name}: pipelined requests are all answered, and the last one says close`, async t => {
    const service = await start(t, runtime, 'http', { idleMs: 400 })
    const client = pipeline(t, service, '/hold', '/hold', '/hold')
    await until(() => service.facts.filter(fact => fact.held).length === 3, 'they are under way')
    service.proc.kill('SIGTERM')
    await until(() => service.has('draining'), 'it drains')
    client.write(get('/hold'))
    await until(() => service.facts.filter(fact => fact.held).length === 4, 'one more has come behind them')
    await ask({ host: '127.0.0.1', port: service.port }, { path: '/release', method: 'POST' })
    await until(() => client.isClosed, 'the service closes the connection', 20000)
    t.same(client.text.match(/held$|held(?=HTTP)/g), Array(4).fill('held'), client.text)
    t.same(client.text.split('HTTP/1.1 ').slice(1).map(answer => /^connection: close\r$/im.test(answer)), [false, false, false, true])
    t.same(await service.end(), { code: 0, signal: null })
  })

  t.test(`${runtime.name}: pipelined requests of a client that has gone are not waited for`, async t => {
    const service = await start(t, runtime, 'http', { idleMs: 100, drainMs: 600_000 })
    const client = pipeline(t, service, '/hold', '/hold', '/hold')
    await until(() => service.facts.filter(fact => fact.held).length === 3, 'they are under way')
    client.destroy()
    service.proc.kill('SIGTERM')
    t.same(await service.end(), { code: 0, signal: null })
    t.equal(service.stderr, '', 'and nothing was cut off')
  })

  t.test(`${runtime.name}: an upgraded connection that stays is cut at the deadline`, async t => {
    const service = await start(t, runtime, main, { drainMs: 400, idleMs: 50 })
    const ws = runtime.kind === 'bun' ? await webSocket(t, service.port, '') : await upgrade(t, service.port, '')
    ws.send('one')
    await until(() => ws.heard() === 'one', 'an answer')
    service.proc.kill('SIGTERM')
    await until(() => service.has('draining'), 'it drains')
    ws.send('two')
    await until(() => /two/.test(ws.heard()), 'an answer while it drains')
    t.same(await service.end(), { code: 1, signal: null })
    t.match(service.stderr, runtime.kind === 'bun' ? /cut off: a WebSocket/ : /cut off: an upgraded connection/)
  })

  t.test(`${runtime.name}: what a killed one left is taken over, what somebody uses is not`, async t => {
    const socket = tmpfile(t, 's.sock')
    const killed = await start(t, runtime, main, {}, { UNDERCROFT_SOCKET: socket })
    killed.proc.kill('SIGKILL')
    await killed.end()
    t.ok(fs.existsSync(socket), 'its socket is there')
    const service = await start(t, runtime, main, { idleMs: 0 }, { UNDERCROFT_SOCKET: socket })
    t.equal((await ask({ socketPath: socket })).text, 'hello')

    const second = await start(t, runtime, main, {}, { UNDERCROFT_SOCKET: socket })
    t.same(await second.end(), { code: 3, signal: null }, 'it does not start, and nothing holds it')
    t.match(second.facts, [{ code: 'EADDRINUSE', error: /somebody else listens on .*s\.sock: end that process/ }])
    const third = await start(t, runtime, main, {}, { PORT: String(service.port) })
    t.same(await third.end(), { code: 3, signal: null })
    t.match(third.facts, [{ code: 'EADDRINUSE', error: new RegExp(`port ${service.port} of 127.0.0.1 is taken`) }])
    const file = tmpfile(t, 'file')
    fs.writeFileSync(file, 'precious')
    const fourth = await start(t, runtime, main, {}, { UNDERCROFT_SOCKET: file })
    await fourth.end()
    t.match(fourth.facts, [{ code: 'EADDRINUSE', error: /is there and is no socket/ }])
    t.equal(fs.readFileSync(file, 'utf8'), 'precious')
    t.equal((await ask({ socketPath: socket })).text, 'hello', 'the one that serves was not disturbed')
    t.equal((await ask({ host: '127.0.0.1', port: service.port })).text, 'hello')
    service.proc.kill('SIGTERM')
    t.same(await service.end(), { code: 0, signal: null })
  })

  t.test(`${runtime.name}: a socket whose queue is full is somebody's`, async t => {
    const socket = tmpfile(t, 's.sock')
    const service = await start(t, runtime, main, { idleMs: 0 }, { UNDERCROFT_SOCKET: socket })
    service.proc.kill('SIGSTOP')
    const crowd = []
    t.teardown(() => crowd.forEach(one => one.destroy()))
    const refused = await new Promise(resolve => {
      const more = () => {
        if (crowd.length === 5000) return resolve(null)
        crowd.push(net.connect(socket).once('connect', more).once('error', err => resolve(err.code)))
      }
      more()
    })
    t.equal(refused, 'EAGAIN', `after ${crowd.length}`)
    const second = await start(t, runtime, main, {}, { UNDERCROFT_SOCKET: socket })
    t.same(await second.end(), { code: 3, signal: null })
    t.match(second.facts, [{ code: 'EADDRINUSE', error: /somebody else listens on .*s\.sock \(EAGAIN\)/ }])
    for (const one of crowd) one.destroy()
    service.proc.kill('SIGCONT')
    let answer
    const isAnswered = () => ask({ socketPath: socket }).then(({ text }) => { answer = text; return true }, () => false)
    await until(isAnswered, 'it accepts again')
    t.equal(answer, 'hello', 'it has its socket still')
    service.proc.kill('SIGTERM')
    t.same(await service.end(), { code: 0, signal: null })
  })
}

// The hand-shake by hand: what comes after it is the service's.
async function upgrade (t, port, query = '?polite') {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  let text = ''
  let isClosed = false
  socket.setEncoding('latin1').on('data', data => { text += data })
  socket.on('error', () => {}).on('close', () => { isClosed = true })
  socket.write(`GET /ws${query} HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n`)
  await until(() => text.includes('\r\n\r\n'), 'the connection is upgraded')
  text = ''
  return { send: data => { socket.write(data) }, heard: () => text, isClosed: () => isClosed }
}

// Masked text frames out, unmasked ones in, all of them short (RFC 6455, section 5.2).
async function webSocket (t, port, query = '?polite') {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  let bytes = Buffer.alloc(0)
  let isClosed = false
  socket.on('data', data => { bytes = Buffer.concat([bytes, data]) })
  socket.on('error', () => {}).on('close', () => { isClosed = true })
  socket.write(`GET /ws${query} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  await until(() => bytes.includes('\r\n\r\n'), 'the connection is upgraded')
  bytes = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)
  return {
    send: text => { socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])) },
    heard: () => bytes[0] === 0x81 ? bytes.subarray(2).toString('latin1') : '',
    isClosed: () => {
      if (bytes.includes(0x88)) socket.end()
      return isClosed
    }
  }
}

t.test('close() drains too, and the process lives', async t => {
  const closed = []
  const listeners = process.listenerCount('SIGTERM')
  const server = http.createServer((req, res) => { res.end('x') })
  const service = await graceful(server, { port: 0, idleMs: 0, store: [{ close: () => closed.push(1) }, { close: () => closed.push(2) }] })
  t.equal((await ask({ host: '127.0.0.1', port: service.port })).text, 'x')
  t.match(service.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.notOk(service.draining)
  const [a, b] = [service.close(), service.close()]
  t.equal(a, b)
  t.ok(service.draining && service.signal.aborted)
  t.same((await a).cut, [])
  t.same(closed, [1, 2], 'in their order')
  t.equal(process.listenerCount('SIGTERM'), listeners, 'signals are what they were')
  await t.rejects(ask({ host: '127.0.0.1', port: service.port }), { code: 'ECONNREFUSED' })
})

t.test('a store that cannot be closed is told of, and the others are closed', async t => {
  const closed = []
  const store = [{ close: async () => { throw new Error('no') } }, { close: () => closed.push(2) }]
  const service = await graceful(http.createServer(), { port: 0, idleMs: 0, store, signals: false })
  await t.rejects(service.close(), { message: 'no' })
  t.same(closed, [2])
})

t.test('services of one process end it together, and close what they share after the last', async t => {
  const result = child(t, ({ say, root, require }) => {
    const http = require('node:http')
    const { graceful } = require(root + '/lib/graceful/index.js')
    const store = { close: async () => say('closed') }
    let answer
    const first = http.createServer((req, res) => { res.end('first') })
    const second = http.createServer((req, res) => { say('held'); answer = () => res.end('second') })
    first.on('close', () => { say('first is over'); answer() })
    const options = { port: 0, idleMs: 0, store }
    return Promise.all([graceful(first, options), graceful(second, options)]).then(both => say(both[1].port))
  })
  await until(() => result.lines.length === 1, 'both listen')
  const answer = ask({ host: '127.0.0.1', port: Number(result.lines[0]) })
  await until(() => result.lines.includes('held'), 'a request is under way')
  result.proc.kill('SIGTERM')
  t.equal((await answer).text, 'second')
  t.equal((await result.done).code, 0)
  t.same(result.lines.slice(2), ['first is over', 'closed'])
})

t.test('a server that listens already is taken as it is', async t => {
  const server = http.createServer((req, res) => { res.end('x') })
  await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const service = await graceful(server, { signals: false, idleMs: 0 })
  t.equal(service.port, server.address().port)
  await service.close()
  t.notOk(server.listening)
})

t.test('an application as Express makes them', async t => {
  const app = (req, res) => { res.end(`${req.method} ${req.url}`) }
  app.listen = () => { throw new Error('not called') }
  const service = await graceful(app, { port: 0, signals: false, idleMs: 0 })
  t.equal((await ask({ host: '127.0.0.1', port: service.port }, { path: '/x' })).text, 'GET /x')
  await service.close()
})

t.test('an answer that says to go on is one request', async t => {
  const server = http.createServer()
  // As the documentation of the event has it.
  server.on('checkContinue', (req, res) => {
    res.writeContinue()
    server.emit('request', req, res)
  })
  server.on('request', (req, res) => { req.resume().on('end', () => res.end('taken')) })
  const service = await graceful(server, { port: 0, signals: false, idleMs: 0, drainMs: 5000 })
  const socket = net.connect(service.port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  let text = ''
  socket.setEncoding('latin1').on('data', data => { text += data })
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
  await until(() => text.startsWith('HTTP/1.1 100 '), 'it may go on')
  const closed = service.close()
  socket.write('body')
  await until(() => text.includes('taken'), 'an answer')
  t.match(text, /^connection: close\r$/im)
  t.same((await closed).cut, [])
})

t.test('health asks the stores', async t => {
  let isWell = true
  const store = { async health () { if (!isWell) throw new Error('disk on fire') }, async close () {} }
  const service = await graceful(http.createServer(), { port: 0, idleMs: 0, store, health: '/health', signals: false })
  const at = { host: '127.0.0.1', port: service.port }
  t.equal((await ask(at, { path: '/health?x' })).status, 200)
  isWell = false
  const { status, text } = await ask(at, { path: '/health' })
  t.same([status, JSON.parse(text)], [503, { ok: false, error: 'disk on fire' }])
  await service.close()
})

t.test('what is wrong is named, before anything listens', async t => {
  const server = http.createServer()
  const refused = (options, message, target = server) => t.rejects(graceful(target, options), { code: 'UC_OPTION', message })
  await refused({ port: 'ssh' }, /port: expected a whole number from 0 to 65535, got "ssh"/)
  await refused({ prot: 5 }, /there is no option 'prot'; did you mean "port"\?/)
  await refused({ socketMode: '0660' }, /socketMode: expected a whole number from 0 to 511, got "0660"/)
  await refused({ store: {} }, /store: expected something with close\(\)/)
  await refused({ log: {} }, /log: expected a logger/)
  await refused({ acceptMs: 6, drainMs: 5 }, /acceptMs: expected a whole number from 0 to 5, got 6/)
  await refused({ health: 'health' }, /health: expected a path such as '\/health'/)
  await refused({ signals: ['TERM'] }, /signals: expected false, or an array/)
  await refused({ socket: '/x'.repeat(60) }, /socket: expected the path of a unix socket, of at most 107 bytes/)
  await refused({}, /expected a node:http server, a fastify instance, an application of Express or Hono, options of Bun.serve or a fetch handler, got 5/, 5)
  await refused({}, /'websocket' is an option of Bun.serve, and this is Node/, { fetch () {}, websocket: {} })
  t.notOk(server.listening)
  process.env.PORT = '4000x'
  t.teardown(() => { delete process.env.PORT })
  await refused({}, /the environment variable PORT: expected a whole number from 0 to 65535, got "4000x"/)
})

t.test('the module alone loads nothing of the core', async t => {
  const { stdout } = await runs(t, ({ say, root }) => {
    const fresh = require('node:module')
    for (const file of Object.keys(fresh._cache)) delete fresh._cache[file]
    require(root + '/lib/graceful/index.js')
    say(Object.keys(fresh._cache).map(file => file.slice(root.length)).sort().join(' '))
  })
  t.equal(stdout.trim(), '/lib/base/builtin.js /lib/base/did-you-mean.js /lib/base/errors.js /lib/base/tables.js /lib/graceful/index.js /lib/graceful/options.js /lib/graceful/target.js')
})
