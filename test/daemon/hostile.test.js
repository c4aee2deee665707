'use strict'
// Clients that break the rules, or do not do what others wait for: each of them is closed, with a
// reason where it can be told, while memory stays bounded and others are served.

const fs = require('node:fs')
const t = require('tap')
const { spawn } = require('node:child_process')
const { HELLO, Raw, TOP, connect, dial, frame, message, resident, start } = require('./raw')
const helper = require('../helper')
const { budget } = require('../budget')
const { newSeed, random } = require('../random')

const MiB = 1 << 20
const sanitized = /sanitize|address|thread|asan|tsan/.test(process.env.UNDERCROFT_DAEMON || '')
const big = "select printf('%0*d', 1000000, 1) v"

// The daemon still answers somebody else.
async function serves (t, daemon, n = 100) {
  const client = await connect(t, daemon)
  const replies = await Promise.all(Array.from({ length: n }, (_, i) => client.sql(10, 'select ? v', [i])))
  t.same(new Set(replies.map(reply => reply?.kind)), new Set(['rows']), 'another client is served')
  await client.destroy()
}

// -> what a client is told when it sends these bytes, and whether it is closed
async function told (t, daemon, bytes, options) {
  const client = await connect(t, daemon, options)
  client.write(bytes)
  await client.closed
  return client.reason
}

t.setTimeout(helper.fileTimeoutMs)

t.test('bytes that are no messages', async t => {
  const daemon = await start(t)
  const cases = {
    'another protocol': [Buffer.from('GET / HTTP/1.1\r\n\r\n'), { hello: false }],
    'a hello of another kind of peer': [Buffer.from('0053500000100000', 'hex'), { hello: false }],
    'garbage after the hello': [Buffer.alloc(4096, 0xa5), {}],
    'a length too short for an id': [Buffer.from('010000000000000003ffffff', 'hex'), {}],
    'an id without its top bit': [Buffer.from('01000000000000000500000001c0', 'hex'), {}],
    'a length of 2 GB': [Buffer.from('010000000080000000', 'hex'), {}],
    'a length of 2^64 - 1': [Buffer.from('01ffffffffffffffff', 'hex'), {}]
  }
  const before = resident(daemon.pid)
  for (const [name, [bytes, options]] of Object.entries(cases)) {
    const reason = await told(t, daemon, bytes, options)
    t.match(reason, { code: 'UC_FRAME', kind: 'internal' }, name)
  }
  t.ok(resident(daemon.pid) - before < 32 * MiB, 'nothing was allocated for lengths')
  await serves(t, daemon)
  t.match(daemon.stderr, /undercroftd: connection \d+ \(pid \d+\) is closed: /)
})

t.test('a message whose frame is not one', async t => {
  const daemon = await start(t)
  const client = await connect(t, daemon)
  const bad = {
    'a map of 2^31 pairs': Buffer.concat([frame([1, 7, null]).subarray(0, -1), Buffer.from('df80000000', 'hex')]),
    'a text of 2 GB': Buffer.from('9401cd0007c0db7fffffff', 'hex'),
    'an array too short': frame([1, 7]),
    'an op that is no number': frame(['ping', 7, null]),
    'a frame cut off': frame([1, 7, null, 'text']).subarray(0, -2),
    'something behind the frame': Buffer.concat([frame([1, 7, null]), frame([1, 8, null])]),
    'an ext type': Buffer.concat([frame([1, 7, null, 1]).subarray(0, -1), Buffer.from('d40101', 'hex')]),
    'nesting without end': Buffer.concat([frame([1, 7, null, 1]).subarray(0, -1), Buffer.alloc(5000, 0x91)])
  }
  let sp = TOP + 1000
  // An id tells whose answer it is; without one nobody would hear of it, and the connection ends.
  const idless = {
    'no array': Buffer.from('c0', 'hex'),
    'an array of 2^31 elements': Buffer.from('dd80000000', 'hex'),
    'an array of one': frame([1]),
    'nothing at all': Buffer.alloc(0),
    'an id that is no number': frame([1, 'seven', null]),
    'an id above 32 bits': frame([1, 2 ** 32, null]),
    'an ext type in a request that wants no reply': Buffer.concat([frame([8, 0, null, 1]).subarray(0, -1), Buffer.from('d40101', 'hex')])
  }
  for (const [name, bytes] of Object.entries(idless)) {
    const other = await connect(t, daemon)
    t.match(await other.ask(1, ['before']), { value: 'before' })
    other.write(message(++sp, bytes))
    await other.closed
    t.match(other.reason, { code: 'UC_FRAME', outcome: 'not-run' }, name)
  }
  for (const [name, bytes] of Object.entries(bad)) {
    const reply = client.reply(++sp)
    // In one write with good ones: those must not suffer.
    client.socket.cork()
    const before = client.ask(1, ['before'])
    client.write(message(sp, bytes))
    const after = client.ask(1, ['after'])
    client.socket.uncork()
    t.match(await reply, { kind: 'error', id: 7, value: { code: 'UC_FRAME', outcome: 'not-run' } }, name)
    t.match([await before, await after], [{ value: 'before' }, { value: 'after' }], 'its neighbours are answered')
  }
  t.match(await client.ask(99), { value: { code: 'UC_OP' } }, 'an operation that there is not')
})

t.test('ids and how many of them', async t => {
  const daemon = await start(t, { args: ['--max-in-flight', '8'] })
  const client = await connect(t, daemon)
  const x = await client.ask(30)
  t.equal(x.kind, 'value')
  const other = await connect(t, daemon)
  await client.ask(16, ['create table t(a)'], { meta: { x: x.value } })
  // These wait for the transaction.
  const held = Array.from({ length: 8 }, (_, i) => other.sql(12, 'insert into t values (1)', null, { id: 100 + i, sp: TOP + 100 + i }))
  t.match(await other.ask(1, [], { id: 200, sp: TOP + 200 }), { value: { code: 'UC_BUSY', retryable: true, outcome: 'not-run' } }, 'more than it may have in flight')
  const again = await connect(t, daemon)
  again.sql(12, 'insert into t values (1)', null, { id: 5, sp: TOP + 5 })
  t.match(await again.ask(1, [], { id: 5, sp: TOP + 6 }), { sp: TOP + 6, id: 5, value: { code: 'UC_FRAME', outcome: 'not-run' } }, 'an id that is in flight')
  await client.ask(31, [x.value, true])
  t.same(new Set((await Promise.all(held)).map(reply => reply.kind)), new Set(['run']), 'those that waited are answered')
  t.equal((await other.ask(1, ['x'], { id: 100, sp: TOP + 100 })).value, 'x', 'and their ids are free')
})

t.test('half a request, half a hello, nothing', async t => {
  const daemon = await start(t, { args: ['--message-timeout-ms', '3000', '--hello-timeout-ms', '3000'] })
  const half = message(TOP + 1, frame([1, 1, null, 'x'.repeat(1000)])).subarray(0, 500)
  const idle = await connect(t, daemon)
  const idled = helper.delay(5000)
  const drop = await connect(t, daemon)
  const began = Date.now()
  let sent = 0
  const timer = setInterval(() => {
    // For a second about the end of its time it is silent: a write to a connection that is closed would take
    // the place of the reason. If a byte were progress, what goes on then would keep it alive.
    const ms = Date.now() - began
    if (drop.socket.writable && sent < half.length && (ms < 2900 || ms > 4000)) drop.write(half.subarray(sent, ++sent))
  }, 50)
  const [message_, head, hello, silent] = await Promise.all([
    told(t, daemon, half),
    told(t, daemon, half.subarray(0, 3)),
    told(t, daemon, HELLO.subarray(0, 4), { hello: false }),
    told(t, daemon, Buffer.alloc(0), { hello: false })
  ])
  t.match(message_, { code: 'UC_TIMEOUT', message: /message-timeout-ms/ })
  t.match(head, { code: 'UC_TIMEOUT', message: /message-timeout-ms/ })
  t.match(hello, { code: 'UC_TIMEOUT', message: /hello-timeout-ms/ })
  t.match(silent, { code: 'UC_TIMEOUT', message: /hello-timeout-ms/ })
  await drop.closed
  clearInterval(timer)
  t.match(drop.reason, { code: 'UC_TIMEOUT' })
  t.ok(sent < half.length, 'a byte now and then is no progress')
  await idled
  t.equal((await idle.ask(1, ['x'])).value, 'x', 'who only idles is left alone')
  await serves(t, daemon)
})

t.test('a client that never reads', async t => {
  const daemon = await start(t, {
    args: ['--write-timeout-ms', '1500', '--stop-reading-bytes', '1000000', '--max-unsent-bytes', '8000000']
  })
  const before = resident(daemon.pid)
  const offender = await connect(t, daemon, { paused: true })
  const number = offender.define(big)
  for (let i = 0; i < 3000; i++) offender.send(11, [number, 0, null])
  let most = 0
  const watch = setInterval(() => { most = Math.max(most, resident(daemon.pid) - before) }, 20)
  for (let i = 0; i < 5; i++) await serves(t, daemon)
  await helper.until(() => /has not read for/.test(daemon.stderr), 'it is closed', 20_000)
  clearInterval(watch)
  t.ok(most < (sanitized ? 512 : 64) * MiB, `memory stays bounded: ${Math.round(most / MiB)} MiB for 3 GB of replies`)
  offender.socket.resume()
  await offender.closed
  await serves(t, daemon)
})

t.test('a client that reads slowly gets all of it', async t => {
  const daemon = await start(t, { args: ['--write-timeout-ms', '5000', '--stop-reading-bytes', '200000'] })
  const slow = await connect(t, daemon)
  slow.socket.pause()
  const began = performance.now()
  const replies = Array.from({ length: 40 }, () => slow.sql(11, big, null))
  // A chunk at a time, of 64 KiB at most: 40 MB take longer than the timeout, on any machine.
  slow.socket.on('data', () => slow.socket.pause())
  const timer = setInterval(() => slow.socket.resume(), 10)
  await serves(t, daemon)
  const got = await Promise.all(replies)
  clearInterval(timer)
  const ms = performance.now() - began
  t.ok(ms > 5000, `it has read for ${Math.round(ms)} ms`)
  t.equal(got.filter(reply => reply?.kind === 'rows' && reply.body.length > 1_000_000).length, 40)
})

t.test('a client stopped with SIGSTOP, in a transaction', async t => {
  const daemon = await start(t, { args: ['--write-timeout-ms', '1000', '--set', 'transactionTimeoutMs=700'] })
  const first = await connect(t, daemon)
  await first.ask(16, ['create table t(a)'])
  const stopped = helper.child(t, async ({ args, say, require }) => {
    const { Raw } = require(args.raw)
    const client = new Raw(args.socket)
    const x = await client.ask(30)
    await client.sql(12, 'insert into t values (1)', null, { meta: { x: x.value } })
    const number = client.define(args.big)
    for (let i = 0; i < 50; i++) client.send(11, [number, 0, null])
    say('now')
    process.kill(process.pid, 'SIGSTOP')
    setInterval(() => {}, 1000)
  }, { args: { raw: require.resolve('./raw'), socket: daemon.socket, big }, nodeArgs: [] })
  await helper.until(() => stopped.lines.includes('now'), 'the client has begun')
  t.equal((await first.sql(12, 'insert into t values (2)', null)).kind, 'run', 'a write waits for its transaction, and not for ever')
  await serves(t, daemon)
  await helper.until(() => /has not read for/.test(daemon.stderr), 'it is closed', 20_000)
  const rows = await first.sql(13, 'select a from t', null)
  t.match(rows.body.toString('latin1'), /\[\{"a":2\}\]$/, 'what it had not committed is gone')
  stopped.proc.kill('SIGKILL')
})

t.test('more clients than it takes', async t => {
  const daemon = await start(t, { args: ['--max-connections', '5'] })
  const clients = []
  for (let i = 0; i < 5; i++) {
    clients.push(await connect(t, daemon))
    t.equal((await clients[i].ask(1, [i])).value, i)
  }
  const late = await connect(t, daemon)
  await late.closed
  t.match(late.reason, { code: 'UC_BUSY', retryable: true, message: /max-connections/ }, 'the sixth is told why')
  await clients[0].destroy()
  let next
  await helper.until(async () => {
    next = await connect(t, daemon)
    return (await next.ask(1, ['x']))?.value === 'x'
  }, 'a place becomes free')
  const door = (await next.ask(52)).value
  t.equal(door.connections, 5)
  t.ok(door.refused >= 1)
})

t.test('10,000 connections', { timeout: 120_000 }, async t => {
  const daemon = await start(t)
  const before = resident(daemon.pid)
  const script = `
    const net = require('node:net')
    const all = []
    let refused = 0, failed = 0
    const one = () => new Promise(resolve => {
      const socket = net.connect(${JSON.stringify(daemon.socket)})
      socket.on('connect', () => socket.write(Buffer.from('0053500000300000', 'hex')))
      let told = false
      socket.on('data', chunk => {
        if (chunk.includes('UC_BUSY')) refused++
        told = true
        resolve()
      })
      socket.on('error', () => {}).on('close', () => {
        if (!told) failed++
        resolve()
      })
      all.push(socket)
    })
    ;(async () => {
      for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 100 }, one))
      console.log(JSON.stringify({ refused, failed }))
    })()`
  const crowd = spawn('sh', ['-c', 'ulimit -n 12000 && exec "$0" -e "$1"', process.execPath, script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => crowd.kill('SIGKILL'))
  const result = await new Promise((resolve, reject) => {
    let text = ''
    crowd.stdout.setEncoding('utf8').on('data', chunk => {
      text += chunk
      if (text.endsWith('\n')) resolve(JSON.parse(text))
    })
    crowd.on('exit', () => reject(new Error('the crowd could not be made')))
  })
  t.ok(result.refused + result.failed >= 10_000 - 4096, `those beyond the limit are refused: ${JSON.stringify(result)}`)
  t.ok(resident(daemon.pid) - before < (sanitized ? 2048 : 256) * MiB,
    `memory stays bounded: ${Math.round((resident(daemon.pid) - before) / MiB)} MiB`)
  crowd.kill('SIGKILL')
  await helper.until(async () => {
    const client = new Raw(daemon.socket)
    const reply = await client.ask(52)
    client.destroy()
    return reply?.value.connections < 10
  }, 'they are cleared away', 30_000)
  await serves(t, daemon)
})

t.test('requests that are never answered by design', async t => {
  const daemon = await start(t, { args: ['--max-request-bytes', '1000000'] })
  const client = await connect(t, daemon)
  await client.ask(16, ['create table t(a)'])
  const before = resident(daemon.pid)
  const blob = Buffer.alloc(900_000)
  const number = client.define('insert into t values (length(?))')
  let most = 0
  const watch = setInterval(() => { most = Math.max(most, resident(daemon.pid) - before) }, 20)
  for (let i = 0; i < 100; i++) client.send(12, [number, 0, [blob]], { id: 0 })
  t.match((await client.sql(10, 'select count(*) n from t', null)).kind, 'rows', 'they have run in order')
  clearInterval(watch)
  t.ok(most < (sanitized ? 72 : 40) * MiB, `and did not pile up: ${Math.round(most / MiB)} MiB for 86 MiB of requests`)
})

t.test('whatever comes in, it lives', { timeout: 120_000 }, async t => {
  const daemon = await start(t)
  const seed = newSeed()
  t.comment(`seed ${seed}`)
  const dice = random(seed)
  const good = Buffer.concat([
    message(TOP + 1, frame([1, 1, null, 'x'])), message(TOP + 2, frame([16, 2, null, 'create table if not exists t(a)'])),
    message(TOP + 3, frame([8, 0, null, 1, 'insert into t values (?)'])), message(TOP + 4, frame([12, 4, null, 1, 0, [1]])),
    message(TOP + 5, frame([7, 5, null, { v: [1, 1] }])), message(TOP + 6, frame([30, 6, null])),
    message(TOP + 7, frame([50, 7, null, 0, []])), message(TOP + 8, frame([20, 8, null, 'select * from t', 0, null, 0]))
  ])
  const rounds = Math.max(300, budget.of(2000))
  const reasons = new Set()
  for (let round = 0; round < rounds; round++) {
    const bytes = Buffer.from(good)
    for (let i = dice(6); i >= 0; i--) bytes[dice(bytes.length)] = dice(256)
    const client = await dial(daemon)
    const cut = dice(bytes.length)
    client.write(bytes.subarray(0, cut))
    if (dice(2)) client.write(bytes.subarray(cut))
    if (dice(2)) {
      await client.destroy()
    } else {
      client.socket.end()
      await client.closed
      reasons.add(client.reason?.code ?? 'none')
    }
  }
  const last = await connect(t, daemon)
  t.ok((await last.ask(52)).value.accepted > rounds, 'it has taken each of them in')
  t.ok(reasons.has('none') && reasons.has('UC_FRAME'), `some were sound, some were closed: ${[...reasons]}`)
  await serves(t, daemon)
  t.equal((await daemon.stop()).code, 0, 'and ends in order')
  t.notOk(fs.existsSync(daemon.socket))
})
