'use strict'

// What the daemon's HTTP leaves behind: lines of access and of audit, health, and what it counts.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { project, serve, ask } = require('./server')
const { until } = require('../helper')

const PORT = '127.0.0.1:0'
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

const ROUTES = `-- @get /echo :text
-- @public
-- @param text text 0..100
-- @param pass text secret = 'none'
select :text || length(:pass);

-- @post /add
-- @public
-- @param n    integer
-- @param pass text secret ?
insert into t select :n where :pass is null or true;

-- @get /fails :text
-- @public
select json('no json');

-- @get /slow :text
-- @public
with recursive c(n) as (select 1 union all select n + 1 from c where n < 300000000) select count(*) from c;

-- @get /seldom :text
-- @public
-- @rate 1/1h by ip
select 1;
`

// The lines that are there so far; those of requests alone.
function linesOf (dir) {
  const file = fs.readdirSync(path.join(dir, 'logs')).find((name) => name.endsWith('.log') || name.endsWith('.jsonl') || /^[a-z].*\d/.test(name))
  const text = file === undefined ? '' : fs.readFileSync(path.join(dir, 'logs', file), 'utf8')
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ reqId }) => reqId !== undefined)
}

async function logging (t, { args = [], ...options } = {}) {
  const dir = await project(t, ROUTES)
  const daemon = await serve(t, { dir, http: PORT, args: ['--log-dir', path.join(dir, 'logs'), ...args], ...options })
  daemon.dir = dir
  daemon.line = async (wanted, what) => {
    let found
    await until(() => (found = linesOf(dir).find(wanted)) !== undefined, what)
    return found
  }
  return daemon
}

const of = (id, msg = 'request done') => (line) => line.reqId === id && line.msg === msg

t.test('a line for each request', async (t) => {
  const { to, line } = await logging(t)
  const get = (id, target, headers) => ask(to, { target, headers: { 'X-Request-Id': id, ...headers } })

  t.equal((await get('a', '/echo?text=a%22b')).headers['x-request-id'], 'a', 'its id is sent back')
  const { time, pid, hostname, ms, ...rest } = await line(of('a'), 'a line')
  t.same(rest, { level: 30, name: 'undercroftd', reqId: 'a', method: 'GET', url: '/echo?text=a%22b', status: 200, bytes: 4, msg: 'request done' })
  t.ok(ms >= 0 && ms < 60_000 && Math.abs(Date.now() - time) < 60_000, 'times')

  await get('b', '/nowhere"\\')
  t.match(await line(of('b'), 'no route'), { status: 404, url: '/nowhere"\\' })
  await get('c', '/fails')
  t.match(await line(of('c'), 'a failure'), { level: 50, status: 500 })
  await ask(to, { method: 'HEAD', target: '/echo?text=x', headers: { 'X-Request-Id': 'd' } })
  t.equal((await line(of('d'), 'HEAD')).bytes, undefined, 'no body is sent')
  await get('e', '/echo?text=x', { traceparent: TRACEPARENT })
  const traced = await line(of('e'), 'traced')
  t.match(traced, { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentId: '00f067aa0ba902b7', spanId: /^[0-9a-f]{16}$/ })
  await get('f', '/echo?text=x', { traceparent: TRACEPARENT.replace('4b', '4B') })
  t.equal((await line(of('f'), 'no trace')).traceId, undefined, 'what is no traceparent')

  for (const [id, what] of [['x'.repeat(129), 'too long'], ['a b', 'a blank'], ['é', 'no ASCII']]) {
    const { headers } = await get(id, '/echo?text=own')
    t.match(headers['x-request-id'], /^[0-9a-f]+-\d+$/, what)
    await line(of(headers['x-request-id']), what)
  }
})

t.test('no secret is in a line, however it is written', async (t) => {
  const { to, line, dir } = await logging(t)
  const get = (id, query) => ask(to, { target: `/echo?${query}`, headers: { 'X-Request-Id': id } })
  for (const [id, query, shown] of [
    ['a', 'text=a&pass=hush', 'text=a&pass=[Redacted]'],
    ['b', 'pass=hush&text=a', 'pass=[Redacted]&text=a'],
    ['c', 'p%61ss=hush&text=a', 'p%61ss=[Redacted]&text=a'],
    ['d', 'pass=hush&pass=hush', 'pass=[Redacted]&pass=[Redacted]'],
    ['e', 'text=a&pass=hu=sh', 'text=a&pass=[Redacted]'],
    ['f', 'text=&pass=', 'text=&pass=[Redacted]'],
    ['g', '&&text=pass&', '&&text=pass&']
  ]) {
    await get(id, query)
    t.equal((await line(of(id), query)).url, `/echo?${shown}`, query)
  }
  await ask(to, { method: 'POST', target: '/add?pass=hush', body: '{}', headers: { 'X-Request-Id': 'h' } })
  t.equal((await line(of('h'), 'in the wrong place')).url, '/add?pass=[Redacted]')
  await ask(to, { method: 'POST', target: '/add', body: '{"n":1,"pass":"hush"}', headers: { 'X-Request-Id': 'i' } })
  await line(of('i'), 'in a body')
  t.notMatch(JSON.stringify(linesOf(dir)), /hu=?sh/)
})

t.test('a POST is a line of audit', async (t) => {
  const { to, line } = await logging(t, { args: ['--http-trust', 'loopback'] })
  const post = (id, body) => ask(to, { method: 'POST', target: '/add', body: JSON.stringify(body), headers: { 'X-Request-Id': id, 'X-Forwarded-For': '192.0.2.9' } })
  await post('a', { n: 7, pass: 'hush' })
  const { time, pid, hostname, ms, ...rest } = await line(of('a', 'audit'), 'a line of audit')
  t.same(rest, { level: 30, name: 'undercroftd', reqId: 'a', route: '/add', user: null, params: { n: 7 }, changes: 1, ip: '192.0.2.9', status: 200, msg: 'audit' })
  await line(of('a'), 'and one of access')
  await post('b', { n: 'x' })
  t.match(await line(of('b', 'audit'), 'refused'), { params: {}, changes: 0, status: 400 })
})

t.test('a client that goes', async (t) => {
  const { to, line } = await logging(t)
  const socket = net.connect(to)
  // Once the first is answered both have been read.
  socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /slow HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: gone\r\n\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
  socket.resetAndDestroy()
  t.match(await line(of('gone', 'request aborted'), 'a line all the same'), { level: 40, url: '/slow', method: 'GET' })
})

t.test('health', async (t) => {
  const dir = await project(t, ROUTES)
  const { to } = await serve(t, { dir })
  const { status, body, headers } = await ask(to, { target: '/health' })
  t.same([status, body, headers['content-type']], [200, 'ok\n', 'text/plain; charset=utf-8'])
  t.equal((await ask(to, { target: '/health?x=1' })).status, 200)
  t.same((({ status, body }) => [status, body])(await ask(to, { method: 'HEAD', target: '/health' })), [200, ''])
  t.equal((await ask(to, { target: '/healthy' })).status, 404)
  t.equal((await ask(to, { target: '/metrics' })).status, 404, 'not without being asked for')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  t.equal((await ask(to, { method: 'POST', target: '/add', body: '{"n":1}', agent })).status, 200)
  fs.rmSync(path.join(dir, 'app.db'))
  const gone = await ask(to, { target: '/health', agent })
  t.same([gone.status, gone.body], [503, 'the database does not answer\n'], 'the file has gone')
})

t.test('a database that is gone is not well', async (t) => {
  for (const replaced of [false, true]) {
    const dir = await project(t, ROUTES)
    const { to } = await serve(t, { dir, http: PORT })
    const file = path.join(dir, 'app.db')
    const agent = new http.Agent({ keepAlive: true })
    t.teardown(() => agent.destroy())
    t.equal((await ask(to, { target: '/health', agent })).status, 200)
    fs.renameSync(file, `${file}.old`)
    if (replaced) fs.copyFileSync(`${file}.old`, file)
    for (let i = 0; i < 3; i++) {
      t.equal((await ask(to, { target: '/health' })).status, 503, 'to who comes now')
      t.equal((await ask(to, { target: '/health', agent })).status, 503, 'and who was here')
      t.equal((await ask(to, { method: 'POST', target: '/add', body: '{"n":1}' })).status, 500, 'nothing is written')
    }
    t.equal(fs.existsSync(file), replaced, 'nor is another made')
  }
})

t.test('health elsewhere, or a route in its place', async (t) => {
  const dir = await project(t, `${ROUTES}\n-- @get /health :text\n-- @public\nselect 'own';\n`)
  const own = await serve(t, { dir })
  t.equal((await ask(own.to, { target: '/health' })).body, 'own')
  const moved = await serve(t, { dir: await project(t, ROUTES), args: ['--http-health', '/up'] })
  t.equal((await ask(moved.to, { target: '/up' })).body, 'ok\n')
  t.equal((await ask(moved.to, { target: '/health' })).status, 404)
  const none = await serve(t, { dir: await project(t, ROUTES), args: ['--http-health='] })
  t.equal((await ask(none.to, { target: '/health' })).status, 404)
  await t.rejects(serve(t, { dir: await project(t, ROUTES), args: ['--http-health', 'up'], codes: [2] }), /--http-health up: expected a path such as \/health/)
})

// Prometheus' text format, as far as a reader needs it: name{labels} -> value.
function readMetrics (text) {
  const found = new Map()
  for (const line of text.trim().split('\n')) {
    if (line.startsWith('# ')) continue
    const [, name, value] = /^([a-z_]+(?:\{[^}]*\})?) (\d+(?:\.\d+)?)$/.exec(line) ?? []
    if (name === undefined || found.has(name)) throw new Error(`no sample, or twice: ${line}`)
    found.set(name, Number(value))
  }
  return found
}

t.test('metrics', async (t) => {
  const dir = await project(t, ROUTES)
  const daemon = await serve(t, { dir, args: ['--http-metrics', '/metrics', '--http-loops', '2'], http: PORT })
  const { to } = daemon
  const read = async () => readMetrics((await ask(to, { target: '/metrics' })).body)
  const before = await read()
  for (let i = 0; i < 5; i++) await ask(to, { target: '/echo?text=x' })
  await ask(to, { target: '/echo' })
  await ask(to, { target: '/fails' })
  await ask(to, { target: '/nowhere"' })
  await ask(to, { target: '/other' })
  for (let i = 0; i < 3; i++) await ask(to, { target: '/seldom' })
  await ask(to, { method: 'POST', target: '/add', body: '{"n":1}' })
  const after = await read()
  const count = (method, route, status) => after.get(`undercroft_http_requests_total{method="${method}",route="${route}",status="${status}"}`)
  t.equal(count('GET', '/echo', '2xx'), 5)
  t.equal(count('GET', '/echo', '4xx'), 1)
  t.equal(count('GET', '/fails', '5xx'), 1)
  t.equal(count('POST', '/add', '2xx'), 1)
  t.equal(count('', '', '4xx'), 2, 'a caller chooses no labels')
  t.equal(after.get('undercroft_http_rate_refusals_total{method="GET",route="/seldom"}'), 2)
  const times = [...after].filter(([name]) => name.startsWith('undercroft_http_request_duration_seconds_bucket{method="GET",route="/echo"')).map(([, n]) => n)
  t.ok(times.length > 5 && times.every((n, i) => i === 0 || n >= times[i - 1]), 'a histogram is cumulative')
  t.equal(times.at(-1), 6)
  t.equal(after.get('undercroft_http_request_duration_seconds_count{method="GET",route="/echo"}'), 6)
  t.ok(after.get('undercroft_http_request_duration_seconds_sum{method="GET",route="/echo"}') > 0)
  for (const name of ['connections_total', 'received_bytes_total', 'sent_bytes_total']) {
    t.ok(after.get(`undercroft_http_${name}`) > (before.get(`undercroft_http_${name}`) ?? -1), name)
  }
  t.ok(after.get('undercroft_http_connections') >= 1, 'the one that asks')
  for (const name of ['queues_reads', 'queues_max', 'connections_readers', 'writer_groups', 'wal_bytes']) t.type(after.get(`undercroft_db_${name}`), 'number', name)

  // Whoever uses the daemon's cache is seen there.
  const other = undercroft.open(daemon.url)
  await other.cache.set('a', 1)
  for (const key of ['a', 'a', 'b']) await other.cache.get(key)
  await other.close()
  const cached = await read()
  for (const name of ['entries', 'sets', 'hits', 'misses', 'bytes', 'limit_bytes', 'evicted_size', 'evicted_ttl', 'loads_begun']) {
    t.type(cached.get(`undercroft_cache_${name}`), 'number', `cache: ${name}`)
  }
  t.equal(cached.get('undercroft_cache_sets') - after.get('undercroft_cache_sets'), 1)
  t.ok(cached.get('undercroft_cache_misses') > after.get('undercroft_cache_misses'))
  t.ok(cached.get('undercroft_cache_entries') >= 1)

  fs.appendFileSync(path.join(dir, 'routes/all.sql'), '\n-- @get /new :text\n-- @public\nselect 1;\n')
  daemon.proc.kill('SIGHUP')
  await until(async () => (await ask(to, { target: '/new' })).status === 200, 'read again')
  t.equal((await ask(to, { target: '/seldom' })).status, 400, 'nor is forgotten who has come too often')
  const again = await read()
  t.equal(again.get('undercroft_http_requests_total{method="GET",route="/echo",status="2xx"}'), 5, 'a reload keeps the counts')
  t.ok(again.get('undercroft_http_requests_total{method="GET",route="/new",status="2xx"}') > 0)
})
