'use strict'
// Clients that are slow, silent, huge, that never read, or that ask too much at once, beside good
// ones whose answers stay right; and what all of them may hold.

const net = require('node:net')
const fs = require('node:fs')
const t = require('tap')
const { delay, until, fileTimeoutMs } = require('../helper')
const { project, serve, ask, raw, statuses, load } = require('./server')

const MIB = 1024 * 1024

function dial (t, to) {
  const socket = net.connect({ ...to, path: to.socketPath })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  return socket
}

const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024

t.setTimeout(fileTimeoutMs)

t.test('bad ones beside good ones', async (t) => {
  const daemon = await serve(t, {
    dir: await project(t),
    // Long enough for the good ones on a machine that stands still for a second.
    args: ['--http-head-ms', '3000', '--http-body-ms', '3000', '--http-idle-ms', '6000', '--write-timeout-ms', '3000']
  })
  const { to } = daemon
  const good = load(to, { clients: 2 })

  // Slow: a byte now and then of a head, and of a body.
  const slow = raw(to, 'GET /one HT', { end: false })
  const half = raw(to, 'POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"n"', { end: false })
  // Silent.
  const silent = raw(to, '', { end: false })
  // Huge.
  const wide = raw(to, `GET /one HTTP/1.1\r\nHost: a\r\nX-A: ${'x'.repeat(20_000)}\r\n\r\n`)
  const long = raw(to, `GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`)
  const big = raw(to, `POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${2 * MIB}\r\n\r\n`, { end: false })
  // Never reads, and has asked for more than fits anywhere.
  const never = dial(t, to)
  never.pause()
  never.write('GET /large?bytes=4000000 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(500))
  let isClosed = false
  never.on('close', () => { isClosed = true })
  // Says something else altogether.
  const other = raw(to, Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0]))

  t.same(statuses(await slow), [408], 'a head that does not come')
  t.same(statuses(await half), [408], 'a body that does not')
  t.same(statuses(await silent), [], 'who says nothing')
  t.same(statuses(await wide), [431])
  t.same(statuses(await long), [414])
  t.same(statuses(await big), [413])
  t.same(statuses(await other), [400])
  const before = rss(daemon.pid)
  t.ok(before < 400, `who does not read does not fill the memory: ${before} MiB`)
  await until(() => { never.resume(); return isClosed }, 'who does not read is closed')
  await until(() => good.found.right > 50, 'good ones are answered')
  t.same((await good.stop()).wrong, [], 'nobody else notices')
})

t.test('many at once on one connection', async (t) => {
  const { to } = await serve(t, { dir: await project(t) })
  const ALL = 3000
  const asked = Array.from({ length: ALL }, (_, i) => `GET /echo?text=${i} HTTP/1.1\r\nHost: a\r\n${i === ALL - 1 ? 'Connection: close\r\n' : ''}\r\n`)
  const text = await raw(to, asked.join(''), { end: false })
  const bodies = text.split('HTTP/1.1 200 OK').slice(1).map((one) => one.slice(one.indexOf('\r\n\r\n') + 4))
  t.same(bodies, Array.from({ length: ALL }, (_, i) => String(i)), 'all are answered, in order')

  // More requests than may be under way, each with an answer that is larger than what may be unsent.
  const COUNT = 100
  const some = Array.from({ length: COUNT }, (_, i) => `GET /large?bytes=${1_000_000 + i} HTTP/1.1\r\nHost: a\r\n${i === COUNT - 1 ? 'Connection: close\r\n' : ''}\r\n`)
  const much = await raw(to, some.join(''), { end: false })
  t.same([...much.matchAll(/Content-Length: (\d+)/g)].map(([, n]) => Number(n)), Array.from({ length: COUNT }, (_, i) => 1_000_000 + i), 'large ones as well')

  const one = `POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${MIB}\r\n\r\n{"n":1}${' '.repeat(MIB - 7)}`
  const last = 'GET /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  t.same(statuses(await raw(to, one.repeat(20) + last, { end: false })), Array(21).fill(200), 'large bodies wait for each other')
})

t.test('half closed', async (t) => {
  const { to } = await serve(t, { dir: await project(t) })
  t.same(statuses(await raw(to, 'GET /one HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100))), Array(100).fill(200), 'who sends no more is answered')
  t.same(statuses(await raw(to, 'GET /one HTTP/1.1\r\nHost')), [], 'half a request is none')
  t.same(statuses(await raw(to, 'POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n')), [400], 'a body that was announced')
  // Who hangs up at once, with requests under way.
  for (let i = 0; i < 200; i++) {
    const socket = dial(t, to)
    socket.end('GET /large?bytes=100000 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5))
    if (i % 2 === 0) setImmediate(() => socket.destroy())
    else socket.resume()
    if (i % 20 === 0) await delay(1)
  }
  t.equal((await ask(to, {})).body, '{"one":1}')
})

t.test('memory is counted, and has an end', async (t) => {
  const daemon = await serve(t, { dir: await project(t), args: ['--max-memory-bytes', String(16 * MIB), '--http-body-ms', '30000'] })
  const { to } = daemon
  const half = `POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${MIB}\r\n\r\n{"n":1}${' '.repeat(MIB - 20)}`
  const all = Array.from({ length: 60 }, () => raw(to, half, { end: false }))
  const first = await Promise.race(all)
  t.same(statuses(first), [503], 'who brings too much is asked to come again')
  t.match(first, /Retry-After: 1\r\n/i)
  t.ok(rss(daemon.pid) < 200)
  await daemon.stop()
  const found = (await Promise.all(all)).map((text) => statuses(text).join())
  t.same(found.filter((status) => status !== '503'), [], 'each is told')
})

t.test('idle connections cost little', async (t) => {
  const COUNT = 1000
  const daemon = await serve(t, { dir: await project(t) })
  const { to } = daemon
  const sockets = []
  await ask(to, {})
  const before = rss(daemon.pid)
  for (let i = 0; i < COUNT; i++) {
    const socket = dial(t, to)
    sockets.push(new Promise((resolve) => { socket.once('data', resolve) }))
    socket.write('GET /one HTTP/1.1\r\nHost: a\r\n\r\n')
    if (i % 100 === 99) await Promise.all(sockets)
  }
  await Promise.all(sockets)
  const cost = rss(daemon.pid) - before
  t.ok(cost <= 48 || /asan|san/.test(process.env.UNDERCROFT_DAEMON ?? ''), `${COUNT} have ${cost} MiB`)
  t.equal((await ask(to, {})).status, 200)
})

t.test('descriptors run out, and come back', async (t) => {
  const { spawnSync } = require('node:child_process')
  const daemon = await serve(t, { dir: await project(t), args: ['--http-connections', '500'] })
  const { to } = daemon
  const open = fs.readdirSync(`/proc/${daemon.pid}/fd`).length
  const limited = spawnSync('prlimit', [`--pid=${daemon.pid}`, `--nofile=${open + 20}`])
  if (limited.status !== 0) return t.comment('left out: there is no prlimit')
  const sockets = Array.from({ length: 60 }, () => dial(t, to))
  await until(() => /cannot be let in/.test(daemon.stderr), 'it says so')
  const waits = ask(to, {})
  for (const socket of sockets) socket.destroy()
  t.equal((await waits).status, 200, 'who waited is served')
})
