'use strict'

// The connection to a daemon, with one that behaves badly on purpose.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { Context, within } = require('../../lib/base/trace')
const { open } = require('../../lib/store')
const { ops } = require('../../lib/wire/ops')
const { reply } = require('./fake-core')
const { FakeDaemon, message } = require('./fake-daemon')
const { delay, failure, fileTimeoutMs, tmpdir, until } = require('../helper')

t.setTimeout(fileTimeoutMs)

// A daemon and a handle on it; both end with the test.
async function start (t, answers, options) {
  const daemon = new FakeDaemon(answers)
  await daemon.listen()
  const store = open(daemon.url, options)
  t.teardown(async () => {
    store.destroy()
    await daemon.end()
  })
  return { daemon, store, db: store.db, client: store.db.client }
}

const calls = (daemon) => daemon.requests.filter(([op]) => op !== ops.DEFINE)
const frame = (id, map) => reply.error(id, map)

t.test('hello, then the calls of a turn in one write', async (t) => {
  const { daemon, db, store } = await start(t)
  const before = Promise.all([db.get('a', [1]), db.run('b')])
  t.strictSame(await before, [{ v: 1 }, { changes: 1, lastInsertRowid: 42 }])
  const [connection] = daemon.connections
  t.strictSame([...connection.hello], [0, 0x53, 0x50, 0, 0, 0x30, 0, 0])
  t.match(connection.asked, { v: [1, 1], client: /^undercroft-js\// })
  t.notOk('db' in connection.asked)
  const { writes } = connection
  const got = await Promise.all(Array.from({ length: 200 }, (_, i) => db.get('a', [i])))
  t.strictSame(got.map(({ v }) => v), [...Array(200).keys()])
  t.equal(connection.writes, writes + 1)
  t.equal(calls(daemon).at(-1)[4], 7, 'the shape that is known is named')
  t.match(await store.health(), { ok: true })
  t.throws(() => db.sync, { code: 'UC_SYNC_UNAVAILABLE' })
  await store.close()
  await until(() => daemon.connections.size === 0, 'the connection ends')
})

t.test('what the target and the options ask for', async (t) => {
  const { daemon } = await start(t)
  const store = open(`${daemon.url}?db=other`, { readonly: true, timeoutMs: 5000 })
  t.teardown(() => store.destroy())
  await store.ready
  t.match([...daemon.connections].at(-1).asked, { db: 'other', readonly: true })
  await store.db.run('a')
  await store.db.run('a', [], { timeoutMs: 2000 })
  t.strictSame(daemon.requests.slice(-2).map(([, , meta]) => meta), [{ t: 5000 }, { t: 2000 }], 'a default of its own')
  t.equal(store.target, `${daemon.url}?db=other`)
})

for (const slice of [1, 3, 7]) {
  t.test(`replies that come ${slice} bytes at a time`, async (t) => {
    const daemon = new FakeDaemon()
    daemon.slice = slice
    await daemon.listen()
    const store = open(daemon.url)
    t.teardown(async () => {
      store.destroy()
      await daemon.end()
    })
    const got = await Promise.all([store.db.get('a', ['short']), store.db.get('a', ['é'.repeat(50)]), store.db.run('b')])
    t.strictSame(got, [{ v: 'short' }, { v: 'é'.repeat(50) }, { changes: 1, lastInsertRowid: 42 }])
  })
}

t.test('replies of every size, one behind the other', async (t) => {
  const sizes = [0, 1, 100, 4000, 65535, 70000, 262144, 300000, 1000000, 3000000, 5, 262100, 17]
  const { db } = await start(t, { [ops.GET]: ([, id, , , , [n]]) => reply.rows(id, { shape: 1, columns: ['v'], pages: [[['x'.repeat(n)]]] }) })
  for (let round = 0; round < 3; round++) {
    const got = await Promise.all(sizes.map((n) => db.get('a', [n])))
    t.strictSame(got.map(({ v }) => v.length), sizes)
  }
})

t.test('a burst that takes longer to decode than a turn may last', async (t) => {
  const rows = Array.from({ length: 4000 }, (_, i) => [i, `row ${i}`])
  const { db } = await start(t, { [ops.ALL]: ([, id]) => reply.rows(id, { shape: 1, columns: ['i', 't'], pages: [rows, rows] }) })
  const got = await Promise.all(Array.from({ length: 8 }, () => db.all('q')))
  t.ok(got.every((rows) => rows.length === 8000 && rows[7999].t === 'row 3999'))
})

// ---- what is no daemon, or one of another kind ---------------------------------------

t.test('garbage in place of a greeting', async (t) => {
  const daemon = new FakeDaemon()
  daemon.greeting = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')
  await daemon.listen()
  const store = open(daemon.url, { connectTimeoutMs: 20000 })
  t.teardown(async () => {
    store.destroy()
    await daemon.end()
  })
  t.match(await failure(store.db.get('a')), { code: 'UC_CONNECT', kind: 'connection', outcome: 'not-sent', message: /does not speak/ })
})

const garbage = {
  'a wrong type': Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 20]),
  'a length of 2 GB and more': Buffer.from([1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 7]),
  'a length of 64 bits': Buffer.from([1, 0xff, 0, 0, 0, 0, 0, 0, 20, 0x80, 0, 0, 7]),
  'a body too short': Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 3, 0x80, 0, 0, 7]),
  'an id without its bit': message(7, reply.value(7, 1)),
  'ids that differ': message(0x80000008, reply.value(7, 1)),
  text: Buffer.from('hello hello hello hello hello')
}
for (const [name, bytes] of Object.entries(garbage)) {
  t.test(`${name} in place of a reply`, async (t) => {
    let bad = true
    const { daemon, db } = await start(t, {
      [ops.RUN]: ([, id], connection) => {
        if (!bad) return reply.run(id, 1, 1)
        bad = false
        connection.write(bytes)
      }
    })
    t.match(await failure(db.run('a')), { code: 'UC_CONNECTION_LOST', outcome: 'unknown', message: /malformed/ })
    t.strictSame(await db.run('a'), { changes: 1, lastInsertRowid: 1 }, 'the next connection is sound')
    t.equal(daemon.accepted, 2)
  })
}

t.test('a length that is claimed takes no memory', async (t) => {
  const { db } = await start(t, {
    [ops.RUN]: (request, connection) => { connection.write(Buffer.from([1, 0, 0, 0, 0, 0x70, 0, 0, 0, 0x80, 0, 0, 7])) }
  })
  await db.get('a')
  const before = process.memoryUsage().arrayBuffers
  const call = db.run('a', [], { timeoutMs: 400 })
  t.match(await failure(call), { code: 'UC_TIMEOUT', outcome: 'unknown' })
  t.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024)
})

t.test('a malformed frame in a sound message fails its call alone', async (t) => {
  const { db, daemon } = await start(t, {
    [ops.ALL]: ([, id]) => reply.rows(id, { shape: 9, columns: null, pages: [] })
  })
  t.match(await failure(db.all('q')), { code: 'UC_FRAME' })
  t.strictSame(await db.get('a', [3]), { v: 3 })
  t.equal(daemon.accepted, 1)
})

t.test('versions that do not fit', async (t) => {
  const answers = {
    'told by the daemon': [{ code: 'UC_VERSION', kind: 'usage', message: 'update the client', retryable: false }, /update the client/],
    'a newer daemon': [{ v: 7, server: 'undercroftd/9.0.0' }, /undercroftd\/9\.0\.0.*version 7.*knows 1 to 1: update undercroft in this process/],
    'an older daemon': [{ v: 0, server: 'undercroftd/0.0.1' }, /version 0.*update the daemon/],
    'no version at all': [{}, /version undefined.*update the daemon/]
  }
  for (const [name, [hello, said]] of Object.entries(answers)) {
    const daemon = new FakeDaemon()
    daemon.hello = () => hello
    await daemon.listen()
    const store = open(daemon.url, { connectTimeoutMs: 20000 })
    t.match(await failure(store.ready), { code: 'UC_VERSION', outcome: 'not-sent', message: said }, name)
    daemon.hello = () => ({ v: 1, window: 8 })
    t.strictSame(await store.db.get('a', [1]), { v: 1 }, `${name}: after an update it works`)
    store.destroy()
    await daemon.end()
  }
})

t.test('a database that the daemon does not serve', async (t) => {
  const daemon = new FakeDaemon()
  daemon.hello = () => ({ code: 'UC_NO_DB', kind: 'usage', message: 'there is no database nope here', retryable: false })
  await daemon.listen()
  const store = open(`${daemon.url}?db=nope`)
  t.match(await failure(store.ready), { code: 'UC_NO_DB', message: /nope/ })
  store.destroy()
  await daemon.end()
})

t.test('the reason that a daemon gives for closing', async (t) => {
  const { db, daemon } = await start(t, {
    [ops.RUN]: (request, connection) => {
      connection.send(0, frame(0, { code: 'UC_FRAME', kind: 'usage', message: 'too much of it', retryable: false }))
      connection.socket.end()
    }
  })
  t.match(await failure(db.run('a')), { code: 'UC_CONNECTION_LOST', outcome: 'unknown', message: /too much of it/ })
  t.strictSame(await db.get('a', [1]), { v: 1 })
  t.equal(daemon.accepted, 2)
})

// ---- nobody there --------------------------------------------------------------------

t.test('no daemon: calls wait, then say what to do', async (t) => {
  const daemon = new FakeDaemon()
  const store = open(daemon.url, { connectTimeoutMs: 150 })
  const { db } = store
  t.match(await failure(db.get('a')), { code: 'UC_CONNECT', kind: 'connection', retryable: true, outcome: 'not-sent', message: /npx undercroft serve --listen ipc:/ })
  t.match(await failure(db.run('a')), { code: 'UC_CONNECT' }, 'each call waits its time')
  t.match(await failure(db.run('a', [], { timeoutMs: 20 })), { outcome: 'not-sent' }, 'or its own deadline')
  await store.close()
  const patient = open(daemon.url, { connectTimeoutMs: 10000 })
  const late = patient.db.get('a', [5])
  await delay(50)
  await daemon.listen()
  t.strictSame(await late, { v: 5 }, 'one that comes in time is in time')
  await patient.close()
  await daemon.end()
})

t.test('a socket that a dead daemon left, and a file that is none', async (t) => {
  const daemon = new FakeDaemon()
  await daemon.listen()
  fs.renameSync(daemon.path, `${daemon.path}.left`)
  await daemon.stop()
  const left = open(`${daemon.url}.left`, { connectTimeoutMs: 500 })
  t.match(await failure(left.ready), { code: 'UC_CONNECT', message: /left behind/ })
  fs.writeFileSync(`${daemon.path}.file`, '')
  const file = open(`${daemon.url}.file/x`, { connectTimeoutMs: 500 })
  // Bun does not tell the two apart.
  t.match(await failure(file.ready), { code: 'UC_CONNECT', message: /no directory|left behind/ })
  left.destroy()
  file.destroy()
  await daemon.end()
})

t.test('a daemon that accepts and says nothing', async (t) => {
  const daemon = new FakeDaemon()
  daemon.greeting = Buffer.alloc(0)
  daemon.hello = () => undefined
  await daemon.listen()
  const store = open(daemon.url, { connectTimeoutMs: 500 })
  t.match(await failure(store.db.run('a')), { code: 'UC_CONNECT', outcome: 'not-sent', message: /does not answer/ })
  await store.close()
  await daemon.end()
})

t.test('closing a handle that never got through', async (t) => {
  const daemon = new FakeDaemon()
  const idle = open(daemon.url)
  await idle.close()
  const busy = open(daemon.url, { connectTimeoutMs: 100 })
  const call = failure(busy.db.get('a'))
  await busy.close()
  t.match(await call, { code: 'UC_CONNECT' })
  const gone = open(daemon.url)
  const other = failure(gone.db.get('a'))
  gone.destroy()
  t.match(await other, { code: 'UC_CLOSED', outcome: 'not-sent' })
  await daemon.end()
})

// ---- the window ----------------------------------------------------------------------

// Requests that wait until the test answers them.
function held () {
  const waiting = []
  return { waiting, answer: (request, connection) => { waiting.push({ request, connection }) } }
}

t.test('no more on the wire than the window; the rest in order', async (t) => {
  const { waiting, answer } = held()
  const daemon = new FakeDaemon({ [ops.RUN]: answer, [ops.GET]: answer })
  daemon.hello = () => ({ v: 1, window: 3 })
  await daemon.listen()
  const store = open(daemon.url)
  t.teardown(async () => {
    store.destroy()
    await daemon.end()
  })
  const order = []
  const all = Array.from({ length: 10 }, (_, i) => store.db.run(`s${i}`, [i]).then(() => order.push(i)))
  for (let i = 0; i < 10; i++) {
    await until(() => waiting.length > i, `request ${i}`)
    await delay(2)
    t.ok(waiting.length <= i + 3, 'the window holds')
    const { request, connection } = waiting[i]
    t.strictSame(request[5], [i])
    t.equal(connection.texts.get(request[3]), `s${i}`, 'its statement was defined before')
    connection.send(request[1], reply.run(request[1], 1, 1))
  }
  await Promise.all(all)
  t.strictSame(order, [...Array(10).keys()])
})

t.test('deadline and abort of what waits for the window', async (t) => {
  const { waiting, answer } = held()
  const daemon = new FakeDaemon({ [ops.RUN]: answer })
  daemon.hello = () => ({ v: 1, window: 1 })
  await daemon.listen()
  const store = open(daemon.url)
  const { db } = store
  const first = db.run('a', [1])
  await until(() => waiting.length === 1, 'the first is on the wire')
  const controller = new AbortController()
  const reason = new Error('enough')
  const aborted = db.run('a', [2], { signal: controller.signal })
  const late = db.run('a', [3], { timeoutMs: 40 })
  const last = db.run('a', [4])
  await delay(5)
  controller.abort(reason)
  t.equal(await failure(aborted), reason)
  t.match(await failure(late), { code: 'UC_TIMEOUT', outcome: 'not-sent' })
  const { request, connection } = waiting[0]
  connection.send(request[1], reply.run(request[1], 1, 1))
  await first
  await until(() => waiting.length === 2, 'the last one follows')
  t.strictSame(waiting[1].request[5], [4], 'those that are over are never sent')
  connection.send(waiting[1].request[1], reply.run(waiting[1].request[1], 1, 1))
  await last
  t.notOk(daemon.requests.some(([op]) => op === ops.CANCEL))
  store.destroy()
  await daemon.end()
})

t.test('a cancel overtakes what waits for the window', async (t) => {
  const { waiting, answer } = held()
  const daemon = new FakeDaemon({
    [ops.RUN]: answer,
    [ops.CANCEL]: ([, , , id], connection) => { connection.send(id, frame(id, { code: 'UC_ABORTED', message: 'aborted' })) }
  })
  daemon.hello = () => ({ v: 1, window: 1 })
  await daemon.listen()
  const store = open(daemon.url)
  const controller = new AbortController()
  const sent = failure(store.db.run('a', [1], { signal: controller.signal }))
  const next = store.db.run('a', [2])
  await until(() => waiting.length === 1, 'it is on the wire')
  controller.abort()
  t.equal(await sent, controller.signal.reason)
  await until(() => waiting.length === 2, 'the next has its turn')
  waiting[1].connection.send(waiting[1].request[1], reply.run(waiting[1].request[1], 1, 1))
  await next
  store.destroy()
  await daemon.end()
})

t.test('a deadline against a daemon that has stopped', async (t) => {
  const { waiting, answer } = held()
  const { daemon, db } = await start(t, { [ops.RUN]: answer, [ops.GET]: answer }, { timeoutMs: 400 })
  await db.health({ timeoutMs: 60000 })
  t.match(await failure(db.run('a')), { code: 'UC_TIMEOUT', outcome: 'unknown' })
  await until(() => daemon.requests.some(([op, , , id, why]) => op === ops.CANCEL && id === waiting[0].request[1] && why === 1), 'the daemon is told to stop')
  t.match(await failure(db.get('a', [], { timeoutMs: 30 })), { code: 'UC_TIMEOUT' })
  const { request, connection } = waiting[0]
  connection.send(request[1], reply.run(request[1], 1, 1))
  t.match(await db.health({ timeoutMs: 5000 }), { ok: true }, 'late replies are nobody’s')
  t.equal(daemon.accepted, 1)
})

t.test('more than the daemon takes at once', async (t) => {
  const { db, daemon } = await start(t)
  await db.get('a')
  const { requests: { length } } = daemon
  t.match(await failure(db.run('a', [Buffer.alloc(2 << 20)])), { code: 'UC_REQUEST_TOO_LARGE', kind: 'too-big', outcome: 'not-sent', message: /max-request-bytes/ })
  t.match(await failure(db.run(`select '${'x'.repeat(2 << 20)}'`)), { code: 'UC_REQUEST_TOO_LARGE', outcome: 'not-sent', message: /max-request-bytes/ })
  t.strictSame(await db.run('a', [Buffer.alloc(1 << 19)]), { changes: 1, lastInsertRowid: 42 })
  t.equal(daemon.requests.length, length + 1)
  t.equal(daemon.accepted, 1)
})

// ---- losing the connection -----------------------------------------------------------

t.test('reads are repeated with the mark, writes are told that nobody knows', async (t) => {
  let broken = true
  const { daemon, db } = await start(t, {
    [ops.GET]: ([, id, meta, stmt, shape, params], connection) => {
      if (!broken) return reply.rows(id, { shape: 1, columns: ['v'], pages: [[[`${params[0]}`]]] })
    },
    [ops.RUN]: ([, id], connection) => {
      if (!broken) return reply.run(id, 1, 1)
      broken = false
      setTimeout(() => connection.socket.destroy(), 10)
    }
  })
  const traced = new Context('ab'.repeat(16), 'cd'.repeat(8))
  const reads = [db.get('select 1', ['a']), db.get('select 2', ['b'], { timeoutMs: 60000 }),
    within(traced, () => db.get('select 3', ['c'], { timeoutMs: 60000 }))]
  t.match(await failure(db.run('insert')), { code: 'UC_CONNECTION_LOST', kind: 'connection', outcome: 'unknown' })
  t.strictSame(await Promise.all(reads), [{ v: 'a' }, { v: 'b' }, { v: 'c' }])
  const again = daemon.requests.filter(([op, , meta]) => op === ops.GET && meta?.r === true)
  t.strictSame(again.map(([, , , stmt]) => stmt), ['select 1', 'select 2', 'select 3'], 'with their text')
  t.notOk('t' in again[0][2])
  t.ok(again[1][2].t > 30000 && again[1][2].t < 60000, 'with what is left of their deadline')
  t.notOk('w' in again[1][2])
  t.equal(again[2][2].w.toString('hex'), traced.bytes.toString('hex'), 'with the ids of the work that they belong to')
  t.strictSame(again.map(([, , , , shape]) => shape), [0, 0, 0])
  t.strictSame(await db.get('select 1', ['c']), { v: 'c' }, 'statements were defined anew')
  t.equal(daemon.accepted, 2)
})

t.test('what had not been sent is sent on the next connection', async (t) => {
  const { waiting, answer } = held()
  const daemon = new FakeDaemon()
  daemon.hello = () => ({ v: 1, window: 1 })
  await daemon.listen()
  const store = open(daemon.url)
  const { db } = store
  t.strictSame(await db.get('q', [0]), { v: 0 })
  daemon.answers[ops.RUN] = answer
  const lost = failure(db.run('first'))
  const kept = [db.run('second', [1]), db.get('q', [2]), db.run('third', [3])]
  await until(() => waiting.length === 1, 'the first is on the wire')
  daemon.answers[ops.RUN] = ([, id, , sid, , params], connection) => reply.run(id, 1, connection.texts.get(sid).length)
  waiting[0].connection.socket.destroy()
  t.match(await lost, { code: 'UC_CONNECTION_LOST', outcome: 'unknown' })
  t.strictSame(await Promise.all(kept), [{ changes: 1, lastInsertRowid: 6 }, { v: 2 }, { changes: 1, lastInsertRowid: 5 }])
  t.equal(calls(daemon).find(([op, , , , , params]) => op === ops.GET && params[0] === 2)[4], 0, 'its shape was forgotten')
  store.destroy()
  await daemon.end()
})

t.test('a number that meant another text is not used for an old request', async (t) => {
  const { waiting, answer } = held()
  const { daemon, db } = await start(t, { [ops.GET]: answer }, { statementCache: 1 })
  const all = [db.get('one', [1]), db.get('two', [2]), db.get('three', [3])]
  await until(() => waiting.length === 3, 'all are on the wire')
  const texts = []
  daemon.answers[ops.GET] = ([, id, , stmt, , params], connection) => {
    texts.push(typeof stmt === 'string' ? stmt : connection.texts.get(stmt))
    return reply.rows(id, { shape: 1, columns: ['v'], pages: [[[params[0]]]] })
  }
  waiting[0].connection.socket.destroy()
  t.strictSame(await Promise.all(all), [{ v: 1 }, { v: 2 }, { v: 3 }])
  t.strictSame(texts, ['one', 'two', 'three'])
})

t.test('shapes are those of one daemon', async (t) => {
  let columns = ['a']
  const { daemon, db } = await start(t, {
    [ops.ALL]: ([, id, , , shape]) => reply.rows(id, { shape: 7, columns: shape === 7 ? null : columns, pages: [[[1]]] })
  })
  t.strictSame(await db.all('q'), [{ a: 1 }])
  await daemon.stop()
  columns = ['b']
  await daemon.listen()
  t.strictSame(await db.all('q'), [{ b: 1 }], 'the next one numbers them anew')
})

t.test('a read that may be what breaks the daemon is not repeated for ever', async (t) => {
  let asked = 0
  const { db, daemon } = await start(t, {
    [ops.GET]: (request, connection) => {
      asked++
      connection.socket.destroy()
    }
  })
  t.match(await failure(db.get('poison')), { code: 'UC_CONNECTION_LOST' })
  t.equal(asked, 4)
  daemon.answers[ops.GET] = ([, id]) => reply.rows(id, { shape: 1, columns: ['v'], pages: [[[1]]] })
  t.strictSame(await db.get('sound'), { v: 1 })
})

t.test('transactions, snapshots, cursors and streams end with their connection', async (t) => {
  const { daemon, db, client } = await start(t, {
    [ops.TX_BEGIN]: ([, id]) => reply.value(id, 5),
    [ops.TX_END]: ([, id]) => reply.value(id, null),
    [ops.SNAP_BEGIN]: ([, id]) => reply.value(id, 6),
    [ops.SNAP_END]: ([, id]) => reply.value(id, null),
    [ops.CURSOR_OPEN]: ([, id]) => reply.rows(id, { shape: 1, columns: ['v'], cursor: 9, pages: [[[1], [2]]] }),
    [ops.CURSOR_NEXT]: () => undefined,
    [ops.MANY]: ([, id, , , token, more]) => more ? reply.value(id, 4) : undefined
  })
  const cut = async () => {
    const { epoch } = client
    for (const { socket } of daemon.connections) socket.destroy()
    await until(() => client.epoch > epoch, 'the client has seen it')
    daemon.requests.length = 0
  }
  const lost = { code: 'UC_CONNECTION_LOST', kind: 'connection' }
  let kept
  t.match(await failure(db.transaction(async (tx) => {
    kept = tx
    await tx.run('a')
    await cut()
    await tx.run('b')
  })), { ...lost, outcome: 'not-sent' })
  t.match((await failure(kept.get('x'))).code, /UC_(CONNECTION_LOST|TX_CLOSED)/)
  t.match(await failure(db.transaction(cut)), lost, 'the commit')
  t.match(await failure(db.snapshot(async (s) => {
    await cut()
    return s.get('a')
  })), lost)
  const rows = db.iterate('a')
  await rows.next()
  await cut()
  await rows.next()
  t.match(await failure(rows.next()), lost)
  t.match(await failure(db.many('a', (async function * () {
    for (let i = 0; i < 5000; i++) {
      if (i === 3000) await cut()
      yield [i]
    }
  })())), lost)
  t.notOk(daemon.requests.some(([op]) => op !== ops.CLOSE && op !== ops.DEFINE), 'nothing of them went to the next connection')
  t.strictSame(await db.run('a'), { changes: 1, lastInsertRowid: 42 })
})

t.test('a daemon that ends in order has not run what it did not answer', async (t) => {
  const { waiting, answer } = held()
  const { daemon, db } = await start(t, { [ops.RUN]: answer, [ops.GET]: answer, [ops.TX_BEGIN]: ([, id]) => reply.value(id, 5), [ops.TX_END]: ([, id]) => reply.value(id, null) })
  let inside
  const tx = failure(db.transaction(async (tx) => {
    inside = failure(tx.run('in it'))
    await inside
    throw new Error('over')
  }))
  await until(() => waiting.length === 1, 'the transaction is under way')
  const order = []
  const all = [db.run('write', [1]).then(() => order.push('write')), db.get('read', [2]).then(() => order.push('read')), db.run('write', [3]).then(() => order.push('last'))]
  await until(() => waiting.length === 4, 'all are on the wire')
  daemon.requests.length = 0
  daemon.answers[ops.RUN] = ([, id]) => reply.run(id, 1, 1)
  daemon.answers[ops.GET] = ([, id]) => reply.rows(id, { shape: 1, columns: ['v'], pages: [[[1]]] })
  const { connection } = waiting[0]
  connection.send(0, frame(0, { code: 'UC_CLOSED', kind: 'closed', message: 'the daemon is shutting down', retryable: true }))
  await delay(20)
  // Whatever the machine did meanwhile: the loop has seen what has arrived.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  const later = db.run('write', [4]).then(() => order.push('later'))
  await delay(20)
  t.strictSame(daemon.requests, [], 'nothing more is sent to one that ends')
  connection.socket.end()
  await Promise.all([...all, later])
  t.strictSame(order, ['write', 'read', 'last', 'later'])
  t.match(await inside, { code: 'UC_CONNECTION_LOST', outcome: 'not-run' }, 'but a transaction ends with its daemon')
  t.equal((await tx).message, 'over')
  t.strictSame(calls(daemon).map(([op, , meta, , , params]) => [op, meta, params[0]]), [[ops.RUN, null, 1], [ops.GET, null, 2], [ops.RUN, null, 3], [ops.RUN, null, 4]], 'in their order, without a mark')
  t.equal(daemon.accepted, 2)
})

t.test('a daemon that comes back later: attempts are spaced, and it is found', async (t) => {
  const { daemon, db } = await start(t, {}, { connectTimeoutMs: 10000 })
  await db.get('a')
  await daemon.stop()
  const call = db.get('a', [9])
  await delay(400)
  await daemon.listen()
  t.strictSame(await call, { v: 9 })
  t.equal(daemon.accepted, 2)
})

t.test('calls in the very turn of a loss', async (t) => {
  const { daemon, db, client } = await start(t)
  await db.get('a')
  const { epoch } = client
  for (const { socket } of daemon.connections) socket.destroy()
  const all = []
  while (client.epoch === epoch) {
    all.push(db.get('a', [1]))
    await new Promise(setImmediate)
  }
  const got = await Promise.all(all)
  t.ok(got.length > 0 && got.every(({ v }) => v === 1))
})

t.test('replies that came before the end are read first', async (t) => {
  const rows = Array.from({ length: 3000 }, (_, i) => [i, `row ${i}`])
  const { db } = await start(t, {
    [ops.ALL]: ([, id]) => reply.rows(id, { shape: 1, columns: ['i', 't'], pages: [rows, rows] }),
    [ops.RUN]: ([, id], connection) => {
      connection.send(id, reply.run(id, 1, 7))
      connection.socket.end()
    }
  })
  const all = [1, 2, 3, 4, 5].map(() => db.all('q'))
  t.strictSame(await db.run('a'), { changes: 1, lastInsertRowid: 7 }, 'it is acknowledged')
  t.ok((await Promise.all(all)).every((rows) => rows.length === 6000))
})

t.test('a daemon that is being started and is not ready in time: allow it more', async (t) => {
  const dir = tmpdir(t)
  const slow = path.join(dir, 'slow')
  fs.writeFileSync(slow, '#!/bin/sh\necho $$ >> "$0.pids"\nexec sleep 60\n', { mode: 0o755 })
  process.env.UNDERCROFT_DAEMON = slow
  t.teardown(() => {
    delete process.env.UNDERCROFT_DAEMON
    for (const pid of fs.readFileSync(`${slow}.pids`, 'utf8').trim().split('\n')) process.kill(Number(pid), 'SIGKILL')
  })
  const spawn = { db: path.join(dir, 'a.db') }
  const patient = open(`ipc://${dir}/s`, { spawn, connectTimeoutMs: 60_000 })
  patient.db.get('a').catch(() => {})
  await until(() => fs.existsSync(`${slow}.pids`), 'it is started')
  const limits = [[{ connectTimeoutMs: 1 }, {}], [{ connectTimeoutMs: 200 }, {}], [{ connectTimeoutMs: 60_000 }, { timeoutMs: 100 }]]
  for (const [options, of] of limits) {
    const store = open(`ipc://${dir}/s`, { ...options, spawn })
    const err = await failure(store.db.get('a', [], of))
    t.match(err, { code: 'UC_CONNECT', retryable: true, outcome: 'not-sent', message: /being started \(spawn\) and was not ready in time; allow it more time, by connectTimeoutMs/ })
    t.notMatch(err.message, 'npx undercroft serve', 'nothing about starting one')
    store.destroy()
  }
  patient.destroy()
  const alone = open(`ipc://${dir}/s`, { connectTimeoutMs: 50 })
  t.match((await failure(alone.db.get('a'))).message, /nobody serves it: there is no socket; start the daemon with npx undercroft serve/, 'without the option')
  alone.destroy()
})
