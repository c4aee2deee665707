'use strict'

// A service whose answers wait for a word of the test, in every way in which one can be
// written:
//
//   node|bun service.js http|fastify|hono|fetch|bun '{"drainMs":…}'
//
//   GET /         at once          GET /hold     after POST /release
//   GET /stream   a first piece at once, the second one after POST /release
//   upgrade /ws   says back what it hears; ends when draining begins, with ?polite
//
// stdout: a line of JSON for each thing that happens.

const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '../../..')
const { graceful } = require(path.join(root, 'lib/graceful/index.js'))
const [kind, json = '{}'] = process.argv.slice(2)
const { withStore = true, ...options } = JSON.parse(json)

const say = fact => fs.writeSync(1, JSON.stringify(fact) + '\n')
let holders = []
const released = () => new Promise(resolve => { holders.push(resolve) })
let stopping = null

// What all kinds have in common: -> [status, text or async iterable]
async function answer (method, pathname) {
  if (method === 'POST' && pathname === '/release') {
    for (const resolve of holders) resolve()
    holders = []
    return [200, 'released']
  }
  if (pathname === '/hold') {
    say({ held: pathname })
    await released()
    return [200, 'held']
  }
  if (pathname === '/stream') return [200, pieces()]
  return pathname === '/' ? [200, 'hello'] : [404, 'none']
}

async function * pieces () {
  yield 'first '
  say({ held: '/stream' })
  await released()
  yield 'second'
}

async function nodeHandler (req, res) {
  const [status, body] = await answer(req.method, req.url)
  res.statusCode = status
  if (typeof body === 'string') return res.end(body)
  for await (const piece of body) res.write(piece)
  res.end()
}

async function fetchHandler (request) {
  const [status, body] = await answer(request.method, new URL(request.url).pathname)
  if (typeof body === 'string') return new Response(body, { status })
  const encoder = new TextEncoder()
  return new Response(new ReadableStream({
    async pull (controller) {
      const { value, done } = await body.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    }
  }), { status })
}

// A protocol of one's own, which needs no more than the hand-shake.
function onUpgrade (req, socket) {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
  socket.on('data', data => { socket.write(data) })
  socket.on('error', () => {})
  if (req.url.endsWith('?polite')) stopping.then(() => { socket.end() })
}

const kinds = {
  http () {
    const server = require('node:http').createServer(nodeHandler)
    return server.on('upgrade', onUpgrade)
  },
  fastify () {
    const { Readable } = require('node:stream')
    const app = require('fastify')()
    app.all('/*', async (req, reply) => {
      const [status, body] = await answer(req.method, req.url)
      return reply.code(status).send(typeof body === 'string' ? body : Readable.from(body))
    })
    app.addHook('onClose', async () => { say({ hook: 'onClose' }) })
    app.server.on('upgrade', onUpgrade)
    return app
  },
  hono () {
    const { Hono } = require('hono')
    const app = new Hono()
    app.all('/*', c => fetchHandler(c.req.raw))
    return app
  },
  fetch: () => fetchHandler,
  bun: () => ({
    port: 1,
    routes: { '/route': { GET: () => new Response('routed') } },
    fetch: (request, server) => {
      const { pathname, search } = new URL(request.url)
      if (pathname === '/ws') return server.upgrade(request, { data: search }) ? undefined : new Response('no', { status: 400 })
      return fetchHandler(request)
    },
    websocket: {
      open (ws) { if (ws.data === '?polite') stopping.then(() => { ws.close() }) },
      message (ws, text) { ws.send(text) }
    }
  })
}

const store = {
  async health () {},
  async close () { say({ closed: 'store' }) }
}

let begin
stopping = new Promise(resolve => { begin = resolve })

graceful(kinds[kind](), { store: withStore ? store : undefined, ...options }).then(service => {
  service.signal.addEventListener('abort', () => {
    say({ draining: service.draining })
    begin()
  })
  say({ port: service.port, url: service.url, socket: service.socket })
  process.on('exit', code => { say({ exit: code }) })
}, err => {
  say({ code: err.code, error: err.message })
  process.exitCode = 3
})
