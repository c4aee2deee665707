'use strict'

// Spans, request lines, and statements that take long.

const http = require('node:http')
const { once } = require('node:events')
const t = require('tap')
const { open } = require('../..')
const { Log } = require('../../lib/log')
const { readLog } = require('../../lib/log/options')
const { parseTraceparent } = require('../../lib/base/trace')
const { isBun, until } = require('../helper')

function collect (options) {
  const lines = []
  const log = new Log(readLog({ base: null, destination: { write: (line) => { lines.push(JSON.parse(line)) } }, ...options }))
  return { log, lines, find: (msg) => lines.find((line) => line.msg === msg) }
}

const HEX16 = /^[0-9a-f]{16}$/
const HEX32 = /^[0-9a-f]{32}$/

t.test('a span', async (t) => {
  const { log, lines } = collect()
  const span = log.span('load user', { id: 7 })
  t.match(span.traceId, HEX32)
  t.match(span.spanId, HEX16)
  t.equal(span.traceparent, `00-${span.traceId}-${span.spanId}-01`)
  span.log.info('inside')
  log.info('outside')
  const inner = span.log.span('inner')
  inner.end()
  span.end({ rows: 5 })
  span.end({ rows: 6 })
  t.match(lines[0], { msg: 'inside', traceId: span.traceId, spanId: span.spanId })
  t.notOk('traceId' in lines[1])
  t.match(lines[2], { level: 30, msg: 'inner', span: 'inner', traceId: span.traceId, spanId: inner.spanId, parentId: span.spanId })
  t.match(lines[3], { level: 30, msg: 'load user', span: 'load user', id: 7, rows: 5, traceId: span.traceId })
  t.equal(typeof lines[3].ms, 'number')
  t.equal(lines.length, 4, 'it ends once')
  t.not(log.span('other').traceId, span.traceId)
  for (const bad of ['', 5, undefined]) t.throws(() => log.span(bad), { code: 'UC_OPTION' })
})

t.test('a function inside of a span', async (t) => {
  const { log, lines, find } = collect()
  const child = log.child({ of: 'child' })
  const value = await log.span('outer', { a: 1 }, async (span) => {
    log.info('direct')
    await new Promise(setImmediate)
    child.info({ text: 'x' }, 'later')
    span.log.info('once')
    await log.span('inner', async () => { log.info('deep') })
    return 5
  })
  t.equal(value, 5)
  const { traceId, spanId } = find('outer')
  t.match(find('direct'), { traceId, spanId })
  t.match(find('later'), { traceId, spanId, of: 'child', text: 'x' })
  t.match(find('once'), { traceId, spanId })
  const inner = find('inner')
  t.match(inner, { traceId, parentId: spanId })
  t.match(find('deep'), { traceId, spanId: inner.spanId })
  t.equal(JSON.stringify(lines[0]).match(/traceId/g).length, 1)
  log.info('after')
  t.notOk('traceId' in find('after'))
  t.equal(log.span('sync', () => 'x'), 'x')
  t.equal(find('sync').level, 30)
  t.throws(() => log.span('throws', () => { throw new TypeError('no') }), { message: 'no' })
  t.match(find('throws'), { level: 50, err: { type: 'TypeError', message: 'no' } })
  await t.rejects(log.span('rejects', async () => { throw new Error('late') }), { message: 'late' })
  t.match(find('rejects'), { level: 50, err: { message: 'late' } })
  const span = log.span('by hand')
  span.run(() => log.info('in run'))
  t.equal(find('in run').spanId, span.spanId)
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => log.span(`p${i}`, async (own) => {
    await new Promise((resolve) => setTimeout(resolve, i % 3))
    log.info(`in p${i}`)
    return own.spanId
  })))
  t.same(all.map((_, i) => find(`in p${i}`).spanId), all, 'many at once do not mix')
})

t.test('traceparent', async (t) => {
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const parentId = 'b7ad6b7169203331'
  t.same(parseTraceparent(`00-${traceId}-${parentId}-01`), { traceId, parentId })
  t.same(parseTraceparent(`cc-${traceId}-${parentId}-01-what-may-come`), { traceId, parentId })
  for (const bad of [undefined, '', `ff-${traceId}-${parentId}-01`, `00-${'0'.repeat(32)}-${parentId}-01`, `00-${traceId}-${'0'.repeat(16)}-01`, `00-${traceId.toUpperCase()}-${parentId}-01`, `00-${traceId}-${parentId}`, `00-${traceId}-${parentId}-01x`, 'x'.repeat(1e5)]) {
    t.equal(parseTraceparent(bad), null, String(bad).slice(0, 60))
  }
})

async function serve (t, listener) {
  const server = http.createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { server, url: `http://127.0.0.1:${server.address().port}` }
}

const get = async (url, headers) => (await fetch(url, { headers: { connection: 'close', ...headers } })).text()

t.test('a line for each request', async (t) => {
  const { log, lines } = collect()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const { url } = await serve(t, (req, res) => {
    const own = log.http(req, res)
    own.info('in between')
    t.equal(req.log, own)
    res.statusCode = req.url.startsWith('/bad') ? 500 : 200
    res.end('hello')
  })
  await get(`${url}/a?b=1`, { 'x-request-id': 'given' })
  await until(() => lines.length === 2)
  t.match(lines[0], { reqId: 'given', msg: 'in between' })
  t.match(lines[1], { level: 30, reqId: 'given', method: 'GET', url: '/a?b=1', status: 200, msg: 'request done' })
  t.type(lines[1].ms, 'number')
  if (!isBun) t.ok(lines[1].bytes > 5, 'what was sent')
  await get(`${url}/bad`, { traceparent, 'x-request-id': 'x'.repeat(5000) })
  await until(() => lines.length === 4)
  t.match(lines[3], { level: 50, status: 500, traceId: '0af7651916cd43dd8448eb211c80319c', parentId: 'b7ad6b7169203331', spanId: HEX16 })
  t.match(lines[3].reqId, /^[0-9a-f]{10}-\w+$/, 'a name of our own instead of an endless one')
  await get(url)
  await get(url)
  await until(() => lines.length === 8)
  t.not(lines[5].reqId, lines[7].reqId)
})

t.test('a handler, and a server', async (t) => {
  const { log, lines, find } = collect()
  const { url } = await serve(t, log.http(async (req, res) => {
    await new Promise(setImmediate)
    log.info('without the logger of the request')
    res.end(req.log.bindings().reqId)
  }, { trace: true }))
  const reqId = await get(url)
  await until(() => find('request done'))
  t.match(find('without the logger of the request'), { reqId, traceId: find('request done').traceId }, 'what runs in a traced handler carries its ids')

  lines.length = 0
  const plain = await serve(t, (req, res) => { res.end(typeof req.log.info) })
  t.equal(log.http(plain.server), plain.server)
  t.equal(await get(plain.url), 'function')
  await until(() => find('request done'))
  t.notOk('traceId' in find('request done'))
  for (const bad of [undefined, 5, {}, { headers: {} }]) t.throws(() => log.http(bad), { code: 'UC_OPTION', message: /log\.http/ })
})

t.test('a client that leaves', { skip: isBun && 'Bun does not tell of it in the same way' }, async (t) => {
  const { log, find } = collect()
  const { url } = await serve(t, log.http((req, res) => { res.write('x') }))
  const request = http.get(url, (res) => { res.once('data', () => request.destroy()) })
  request.on('error', () => {})
  await until(() => find('request aborted'))
  t.match(find('request aborted'), { level: 40, method: 'GET' })
})

t.test('for Bun.serve', async (t) => {
  const { log, lines } = collect()
  const handler = log.bun((request, server, own) => {
    own.info('in between')
    if (request.url.endsWith('/throws')) throw new Error('no')
    if (request.url.endsWith('/upgrade')) return undefined
    return new Response('hello', { status: 404, headers: { 'content-length': '5' } })
  })
  const response = handler(new Request('http://h/a?b', { headers: { 'x-request-id': 'r' } }), {})
  t.equal(response.status, 404)
  t.match(lines[1], { level: 30, reqId: 'r', method: 'GET', url: '/a?b', status: 404, bytes: 5, msg: 'request done' })
  t.throws(() => handler(new Request('http://h/throws'), {}), { message: 'no' })
  t.match(lines[3], { level: 50, status: 500, err: { message: 'no' } })
  t.equal(handler(new Request('http://h/upgrade'), {}), undefined)
  t.equal(lines[5].status, 101)
  handler({ url: '/hostless?b', method: 'GET', headers: new Headers() }, {})
  t.equal(lines.splice(6).at(-1).url, '/hostless?b', 'a client of HTTP/1.0, of which Bun knows a path alone')
  const later = log.bun(async (request) => { log.info('inside'); return new Response('x') }, { trace: true })
  t.equal((await later(new Request('http://h/'), {})).status, 200)
  t.match(lines[6], { traceId: lines[7].traceId, reqId: lines[7].reqId })
  await t.rejects(log.bun(async () => { throw new Error('late') })(new Request('http://h/'), {}), { message: 'late' })
  t.throws(() => log.bun(5), { code: 'UC_OPTION' })
  if (isBun) {
    const server = globalThis.Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handler })
    t.equal(await get(`http://127.0.0.1:${server.port}/x`), 'hello')
    server.stop(true)
    t.equal(lines.at(-1).url, '/x')
  }
})

t.test('blocking statements that take long', async (t) => {
  const lines = []
  const store = open(':memory:', { log: { slowMs: 1, destination: { write: (line) => { lines.push(JSON.parse(line)) } } } })
  t.teardown(() => store.close())
  const { sync } = store.db
  sync.get('with recursive c(x) as (select 1 union all select x + 1 from c where x < 300000) select count(*), ? from c', [1])
  t.match(lines[0], { level: 40, op: 'get', params: 1, msg: 'slow statement', sql: /^with recursive/ })
  t.ok(lines[0].ms >= 1)
})
