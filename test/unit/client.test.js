'use strict'

const t = require('tap')
const { Client } = require('../../lib/client/client')
const { Database } = require('../../lib/db/database')
const { normalise } = require('../../lib/base/options')
const { ops } = require('../../lib/wire/ops')
const { UndercroftError } = require('../../lib/base/errors')
const { Hangup } = require('../../lib/base/abort')
const { FakeSession, reply } = require('./fake-core')

const DEFINE = ops.DEFINE

// A session whose requests and replies stand in an envelope, which no other one has: the length of
// the whole and the id, little-endian.
class EnvelopedSession extends FakeSession {
  isRemote = true
  lends = true
  head = 8
  maxRequest = 1024 * 1024
  buf = null
  view = null
  at = 0
  ids = []

  seal (w, start, id) {
    w.view.setUint32(start, w.pos - start, true)
    w.view.setUint32(start + 4, id, true)
  }

  endOf (view, p) {
    return p + view.getUint32(p, true)
  }

  isWaiting () {
    return false
  }

  submit (buf, length, count, write) {
    const frames = []
    for (let p = 0; p < length; p += buf.readUInt32LE(p)) {
      frames.push(buf.subarray(p + 8, p + buf.readUInt32LE(p)))
      this.ids.push(buf.readUInt32LE(p + 4))
    }
    const all = Buffer.concat(frames)
    super.submit(all, all.length, count, write)
  }

  take () {
    this.buf = Buffer.concat(this.queue.splice(0).flatMap((frame) => {
      const head = Buffer.alloc(8)
      head.writeUInt32LE(8 + frame.length)
      return [head, frame]
    }))
    this.view = new DataView(this.buf.buffer, this.buf.byteOffset, this.buf.length)
    return this.buf.length
  }
}

// A handle on a fake core. `answers` maps an operation to its handler.
function open (answers = {}, options = {}, Session = FakeSession) {
  let session
  const table = {
    [ops.GET]: ([, id, , , shape, params]) => reply.rows(id, {
      shape: 7, columns: shape === 7 ? null : ['id', 'n'], pages: [[[params[0] ?? 0, 'x']]]
    }),
    [ops.ALL]: ([, id, , , shape]) => reply.rows(id, {
      shape: 8, columns: shape === 8 ? null : ['id'], pages: [[[1], [2]], [[3]]]
    }),
    [ops.RUN]: ([, id]) => reply.run(id, 1, 42),
    [ops.CLOSE]: ([, id]) => reply.value(id, null),
    [ops.BATCH]: ([, id]) => reply.multi(id, []),
    [ops.HEALTH]: ([, id]) => reply.value(id, { ok: true }),
    [DEFINE]: () => undefined,
    ...answers
  }
  const client = new Client((wake) => {
    session = new Session(wake, (request, self) => table[request[0]](request, self))
    return session
  }, normalise(options))
  return { client, session, db: new Database(client) }
}

const calls = (session) => session.requests.filter(([op]) => op !== DEFINE)

t.test('one batch a turn, in the order of the calls', async (t) => {
  const { db, session } = open()
  const got = await Promise.all([db.get('a', [1]), db.run('b', [2]), db.get('a', [3])])
  t.strictSame(got, [{ id: 1, n: 'x' }, { changes: 1, lastInsertRowid: 42 }, { id: 3, n: 'x' }])
  t.equal(session.batches.length, 1)
  t.equal(session.batches[0].write, true)
  t.strictSame(session.requests.map(([op]) => op), [DEFINE, ops.GET, DEFINE, ops.RUN, ops.GET])
  t.strictSame(await db.get('a'), { id: 0, n: 'x' })
  t.equal(session.batches[1].write, false)
  t.equal(calls(session).at(-1)[4], 7, 'the shape that is known is named')
})

t.test('a full batch leaves before the turn ends', async (t) => {
  const { db, session } = open()
  const all = []
  for (let i = 0; i < 200; i++) all.push(db.get('a', [i]))
  t.ok(session.batches.length >= 3)
  t.strictSame((await Promise.all(all)).map((row) => row.id), [...Array(200).keys()])
})

t.test('a session with an envelope of its own', async (t) => {
  const { db, session, client } = open({}, {}, EnvelopedSession)
  const text = 'é'.repeat(30000)
  const all = []
  for (let i = 0; i < 200; i++) all.push(db.get('a', [i]), db.run('b', [text]))
  const got = await Promise.all(all)
  t.strictSame(got[0], { id: 0, n: 'x' })
  t.strictSame(got[398], { id: 199, n: 'x' })
  t.strictSame(await db.batch([['one', [1]]]), [])
  t.strictSame(await db.all('q'), [{ id: 1 }, { id: 2 }, { id: 3 }])
  t.strictSame(session.ids, session.requests.map(([, id]) => id), 'each envelope has the id of its frame')
  t.strictSame(calls(session)[1][5], [text])
  await client.close()
})

t.test('a core that does not take a batch ends the client, and every call with it', async (t) => {
  for (const verb of ['get', 'batch']) {
    const { db } = open({ [ops.GET]: () => { throw new Error('no memory for a batch') } })
    const big = 'x'.repeat(60 * 1024)
    const calls = [db.get('select ?', [big])]
    // The one before it leaves now, to make room for this one.
    calls.push(verb === 'get' ? db.get('select ?', [big]) : db.batch(['select 1']))
    for (const call of calls) await t.rejects(call, /no memory|closed/)
  }
})

t.test('ids are never 0 and unique among the calls in flight', async (t) => {
  const { db, session } = open()
  for (let round = 0; round < 50; round++) {
    await Promise.all(Array.from({ length: 20 }, () => db.get('a', [1])))
  }
  const ids = calls(session).map(([, id]) => id)
  t.notOk(ids.includes(0))
  for (let i = 0; i < ids.length; i += 20) t.equal(new Set(ids.slice(i, i + 20)).size, 20)
  for (let i = 0; i < 5000; i++) await db.get('a', [1])
  t.notOk(calls(session).some(([, id]) => id === 0 || id < 1 << 20), 'after the generation wrapped')
})

t.test('a bad parameter sends nothing and names itself', async (t) => {
  const { db, session } = open()
  const good = db.get('a', [1])
  await t.rejects(db.get('a', [1, undefined]), { code: 'UC_PARAM_TYPE', param: 2, sql: 'a', op: 'get', message: /parameter 2/ })
  await t.rejects(db.get('a', { name: NaN }), { code: 'UC_PARAM_TYPE', param: 'name', message: /parameter :name/ })
  await t.rejects(db.get('a', 5), { code: 'UC_PARAM_TYPE', message: /parameters: expected an array/ })
  await t.rejects(db.get(5), { code: 'UC_PARAM_TYPE' })
  await t.rejects(db.get('a', [], { timeout: 5 }), { code: 'UC_OPTION', message: /timeout/ })
  await good
  t.equal(calls(session).length, 1)
})

t.test('errors of the core', async (t) => {
  const { db } = open({
    [ops.RUN]: ([, id]) => reply.error(id, { code: 'SQLITE_CONSTRAINT_UNIQUE', kind: 'unique', message: 'UNIQUE failed', column: 'user.name', retryable: false, native: 2067 })
  })
  async function caller () {
    await db.run('insert', ['a'])
  }
  const err = await caller().catch((err) => err)
  t.ok(err instanceof UndercroftError)
  t.match(err, { code: 'SQLITE_CONSTRAINT_UNIQUE', kind: 'unique', sql: 'insert', column: 'user.name', op: 'run', native: 2067 })
  // JavaScriptCore has no async stack traces here: that is what `stacks` is for.
  if (process.versions.bun) t.comment('the awaiting function in the stack: skipped, Bun does not record it')
  else t.match(err.stack, /caller/, 'the stack names the awaiting function')
})

t.test('option stacks: captured at the call', async (t) => {
  const { db } = open({ [ops.RUN]: ([, id]) => reply.error(id, { code: 'X', message: 'm' }) }, { stacks: true })
  function caller () {
    return db.run('insert', ['a'])
  }
  const err = await caller().then(null, (err) => err)
  // A tail call: JavaScriptCore leaves no frame of it, but one of its caller.
  t.match(err.stack, process.versions.bun ? /client\.test\.js/ : /caller/)
})

t.test('replies in another order, and ones nobody asked for', async (t) => {
  const { db, session } = open({ [ops.GET]: () => undefined })
  const a = db.get('a', [1])
  const b = db.get('a', [2])
  await null
  await null
  const [first, second] = calls(session)
  session.push(reply.rows(second[1], { shape: 1, columns: ['id'], pages: [[[2]]] }))
  session.push(reply.rows(99, { shape: 1, columns: ['id'], pages: [[[9]]] }))
  session.push(reply.rows(first[1], { shape: 1, columns: ['id'], pages: [] }))
  t.strictSame(await b, { id: 2 })
  t.equal(await a, undefined)
})

t.test('the schema changes under a statement', async (t) => {
  let shape = 1
  const { db } = open({
    [ops.ALL]: ([, id, , , known]) => reply.rows(id, shape === 1
      ? { shape, columns: known === shape ? null : ['a'], pages: [[[1]]] }
      : { shape, columns: known === shape ? null : ['a', 'b'], pages: [[[1, 2]]] })
  })
  t.strictSame(await db.all('q'), [{ a: 1 }])
  t.strictSame(await db.all('q'), [{ a: 1 }])
  shape = 2
  t.strictSame(await db.all('q'), [{ a: 1, b: 2 }])
  t.strictSame(await db.values('q'), [[1, 2]])
})

t.test('a malformed reply rejects its call', async (t) => {
  const { db } = open({
    [ops.GET]: ([, id]) => reply.rows(id, { shape: 1, columns: ['a'], pages: [[[1, 2, 3]]] }),
    [ops.ALL]: ([, id]) => reply.rows(id, { shape: 1, columns: null, pages: [] })
  })
  await t.rejects(db.get('q'), { code: 'UC_FRAME', op: 'get' })
  await t.rejects(db.all('r'), { code: 'UC_FRAME' })
})

t.test('integers', async (t) => {
  const big = 2n ** 53n + 1n
  const { db } = open({ [ops.GET]: ([, id]) => reply.rows(id, { shape: 1, columns: ['a', 'b'], pages: [[[1, big]]] }) })
  await t.rejects(db.get('q'), { code: 'UC_VALUE_RANGE', column: 'b', message: /integers/ })
  t.strictSame(await db.get('q', [], { integers: 'auto' }), { a: 1, b: big })
  t.strictSame(await db.get('q', [], { integers: 'bigint' }), { a: 1n, b: big })
  t.strictSame(await db.get('q', [], { integers: 'string' }), { a: '1', b: String(big) })
})

t.test('AbortSignal', async (t) => {
  const { db, session } = open({
    [ops.GET]: () => undefined,
    [ops.CANCEL]: ([, , , id]) => reply.error(id, { code: 'UC_ABORTED', message: 'aborted' })
  })
  const reason = new Error('enough')
  await t.rejects(db.get('a', [], { signal: AbortSignal.abort(reason) }), reason)
  t.equal(session.requests.length, 0, 'already aborted: nothing is sent')
  const controller = new AbortController()
  const call = db.get('a', [], { signal: controller.signal })
  await null
  controller.abort(reason)
  t.equal(await call.catch((err) => err), reason)
  t.strictSame(calls(session).map(([op]) => op), [ops.GET, ops.CANCEL])
  const quick = db.get('a', [], { signal: controller.signal }).catch((err) => err)
  t.equal(await quick, reason)
})

t.test('deadlines are told to the core', async (t) => {
  const { db, session } = open()
  await db.get('a', [1], { timeoutMs: 250 })
  t.strictSame(calls(session)[0][2], { t: 250 })
})

t.test('maxQueue', async (t) => {
  const { db } = open({ [ops.GET]: () => undefined }, { maxQueue: 2 })
  db.get('a').catch(() => {})
  db.get('a').catch(() => {})
  await t.rejects(db.get('a'), { code: 'UC_BUSY', outcome: 'not-run', retryable: true })
  db.client.destroy()
})

t.test('a busy client keeps the process alive, an idle one does not', async (t) => {
  const { db, session } = open()
  t.equal(session.refs, 0)
  const call = db.get('a')
  t.equal(session.refs, 1)
  await call
  await new Promise(setImmediate)
  t.equal(session.refs, 0)
})

t.test('close waits, destroy does not', async (t) => {
  const { db, session, client } = open()
  const call = db.get('a', [1])
  const closing = client.close()
  await t.rejects(db.get('a'), { code: 'UC_CLOSED', outcome: 'not-sent' })
  t.strictSame(await call, { id: 1, n: 'x' })
  await closing
  t.equal(client.close(), closing)
  t.ok(session.destroyed)

  const other = open({ [ops.GET]: () => undefined })
  const sent = other.db.get('a')
  await new Promise(setImmediate)
  const unsent = other.db.get('a')
  other.client.destroy(new Error('why'))
  await t.rejects(sent, { code: 'UC_CLOSED', outcome: 'unknown', cause: { message: 'why' } })
  await t.rejects(unsent, { code: 'UC_CLOSED', outcome: 'not-sent' })
  await other.client.close()
  t.equal(other.session.refs, 1, 'nothing is called on a destroyed session')
})

t.test('statement cache: numbers are used again', async (t) => {
  const { db, session } = open({}, { statementCache: 3 })
  for (let round = 0; round < 3; round++) {
    for (const sql of ['a', 'b', 'c', 'd', 'e']) {
      await db.get('hot')
      await db.get(sql)
    }
  }
  const defines = session.requests.filter(([op]) => op === DEFINE)
  t.ok(defines.every(([, , , sid]) => sid < 3))
  t.equal(defines.filter(([, , , , sql]) => sql === 'hot').length, 1, 'a text in use stays')
  // Whatever the order of eviction, a call names the number its text has.
  const texts = new Map()
  const seen = []
  for (const [op, , , sid, sql] of session.requests) {
    if (op === DEFINE) texts.set(sid, sql)
    else seen.push(texts.get(sid))
  }
  t.strictSame(seen.slice(0, 6), ['hot', 'a', 'hot', 'b', 'hot', 'c'])
})

t.test('a huge reply is decoded in pieces that let the loop turn', async (t) => {
  const rows = Array.from({ length: 2000 }, (_, i) => [i, 'text ' + i])
  const pages = Array.from({ length: 60 }, () => rows)
  const { db } = open({ [ops.ALL]: ([, id]) => reply.rows(id, { shape: 3, columns: ['i', 't'], pages }) })
  let longest = 0
  let last = 0
  let running = true
  const call = db.all('q').then((rows) => { running = false; return rows })
  // Building the reply blocks too; measure from when it is there.
  await new Promise((resolve) => setImmediate(resolve))
  last = performance.now()
  let turns = 0
  while (running) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    turns++
  }
  const got = await call
  t.equal(got.length, 120000)
  t.strictSame(got[119999], { i: 1999, t: 'text 1999' })
  t.ok(turns > 2, `${turns} turns, the longest ${longest.toFixed(1)} ms`)
})

t.test('replies that come one by one in a turn have the budget of that turn together', async (t) => {
  const rows = Array.from({ length: 2000 }, (_, i) => [i, 'text ' + i])
  const frames = []
  const { db, session } = open({ [ops.ALL]: ([, id]) => { frames.push(reply.rows(id, { shape: 3, columns: ['i', 't'], pages: [rows] })) } })
  let settled = 0
  const calls = Array.from({ length: 16 }, () => db.all('q').then((rows) => { settled++; return rows }))
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(frames.length, 16, 'all are asked for')
  const { now } = performance
  t.teardown(() => { performance.now = now })
  // Each look at the clock takes 0.4 ms, so a wake-up uses less than a turn may last.
  let clock = now.call(performance)
  performance.now = () => { clock += 0.4; return clock }
  session.waking = true
  for (const frame of frames) {
    session.push(frame)
    session.wake()
  }
  await null
  await null
  t.ok(settled >= 1 && settled < 4, `${settled} in the turn that they came in`)
  for (const got of await Promise.all(calls)) t.equal(got.length, 2000)
})

t.test('batch', async (t) => {
  const { db, session } = open({
    [ops.BATCH]: ([, id, , parts]) => reply.multi(id, [
      reply.run(0, 1, 9),
      reply.rows(0, { shape: 4, columns: ['a'], pages: [[['é']], [['y']]] }),
      ...(parts.length > 2 ? [reply.run(0, 0, 9)] : [])
    ])
  })
  t.strictSame(await db.batch([['one', [1]], ['two', { a: 'é' }], 'three']),
    [{ changes: 1, lastInsertRowid: 9 }, [{ a: 'é' }, { a: 'y' }], { changes: 0, lastInsertRowid: 9 }])
  t.strictSame(calls(session)[0][3], [[0, [1]], [1, { a: 'é' }], [2, []]])
  await t.rejects(db.batch([['one', [1]], ['two', [undefined]]]), { code: 'UC_PARAM_TYPE', sql: 'two', index: 1, message: /statement 2: parameter 1/ })
  await t.rejects(db.batch('x'), { code: 'UC_PARAM_TYPE' })
})

t.test('iterate', async (t) => {
  const pages = { 0: [[1], [2]], 1: [[3]], 2: [], 3: [[4]] }
  let closed = 0
  const { db } = open({
    [ops.CURSOR_OPEN]: ([, id], self) => {
      self.at = 0
      return reply.rows(id, { shape: 5, columns: ['a'], cursor: 77, pages: [pages[0]] })
    },
    [ops.CURSOR_NEXT]: ([, id], self) => {
      self.at++
      return reply.rows(id, { shape: 5, cursor: self.at === 3 ? null : 77, pages: [pages[self.at]] })
    },
    [ops.CURSOR_CLOSE]: ([, id]) => { closed++; return reply.value(id, null) }
  })
  const seen = []
  for await (const row of db.iterate('q')) seen.push(row.a)
  t.strictSame(seen, [1, 2, 3, 4])
  t.equal(closed, 0, 'an exhausted cursor is closed by the core')
  for await (const row of db.iterate('q')) {
    t.equal(row.a, 1)
    break
  }
  t.equal(closed, 1)
  const cursor = db.iterate('q')
  const both = await Promise.all([cursor.next(), cursor.next()])
  t.strictSame(both.map((step) => step.value.a), [1, 2])
  await cursor.return()
  t.strictSame(await cursor.next(), { value: undefined, done: true })
  t.equal(closed, 2)
})

t.test('many', async (t) => {
  let sum = 0
  const { db, session } = open({
    [ops.MANY]: ([, id, , , token, more, rows]) => {
      if (rows === null) return reply.error(id, { code: 'UC_ABORTED', message: 'gone' })
      sum += rows.length
      return more ? reply.value(id, 5) : reply.run(id, sum, sum)
    }
  })
  t.strictSame(await db.many('q', [[1], [2]]), { changes: 2, lastInsertRowid: 2 })
  t.strictSame(calls(session)[0].slice(3), [0, null, false, [[1], [2]]])
  sum = 0
  const rows = Array.from({ length: 5001 }, (_, i) => [i, 'row ' + i])
  t.strictSame(await db.many('q', rows), { changes: 5001, lastInsertRowid: 5001 })
  const chunks = calls(session).slice(1)
  t.strictSame(chunks.flatMap((chunk) => chunk[6]), rows)
  t.strictSame(chunks.map((chunk) => chunk[5]), [true, true, true, true, true, false])
  sum = 0
  async function * source () {
    for (const row of rows) yield row
  }
  t.strictSame(await db.many('q', source()), { changes: 5001, lastInsertRowid: 5001 })
  sum = 0
  t.strictSame(await db.many('q', new Set([[1], [2]])), { changes: 2, lastInsertRowid: 2 })
  const bad = rows.slice()
  bad[3000] = [1, undefined]
  await t.rejects(db.many('q', bad), { code: 'UC_PARAM_TYPE', index: 3000, message: /row 3001: parameter 2/ })
  t.strictSame(calls(session).at(-1).slice(4), [5, false, null], 'the stream is abandoned')
  await t.rejects(db.many('q', 5), { code: 'UC_PARAM_TYPE' })
  await t.rejects(db.many('q', [5]), { code: 'UC_PARAM_TYPE', message: /row 1/ })
})

t.test('transactions', async (t) => {
  const { db, session } = open({
    [ops.TX_BEGIN]: ([, id]) => reply.value(id, 11),
    [ops.TX_END]: ([, id]) => reply.value(id, null),
    [ops.SAVEPOINT]: ([, id]) => reply.value(id, null)
  })
  const value = await db.transaction(async (tx) => {
    await tx.run('a', [1])
    await t.rejects(db.run('a', [1]), { code: 'UC_TX_SELF' })
    await t.rejects(db.transaction(() => {}), { code: 'UC_TX_SELF' })
    await db.get('a')
    await tx.transaction(async (inner) => {
      await inner.run('b')
      await t.rejects(tx.transaction(() => {}), { code: 'UC_TX_SELF' })
      throw new Error('undo')
    }).catch(() => {})
    tx.run('c')
    return 5
  })
  t.equal(value, 5)
  const seen = calls(session).filter(([op]) => op !== ops.GET)
  t.strictSame(seen.map(([op]) => op), [ops.TX_BEGIN, ops.RUN, ops.SAVEPOINT, ops.RUN, ops.SAVEPOINT, ops.RUN, ops.TX_END])
  t.strictSame(seen[1][2], { x: 11 })
  t.strictSame(seen[2].slice(3), [11, 0, 1])
  t.strictSame(seen[4].slice(3), [11, 2, 1])
  t.strictSame(seen.at(-1).slice(3), [11, true])
  const error = new Error('mine')
  let kept
  t.equal(await db.transaction((tx) => { kept = tx; throw error }).catch((err) => err), error)
  t.strictSame(calls(session).at(-1).slice(3), [11, false])
  await t.rejects(kept.run('a'), { code: 'UC_TX_CLOSED' })
  await db.run('outside')
  await t.rejects(db.transaction(5), { code: 'UC_OPTION' })
})

t.test('while a nested transaction is open the outer one waits', async (t) => {
  const { db, session } = open({
    [ops.TX_BEGIN]: ([, id]) => reply.value(id, 11),
    [ops.TX_END]: ([, id]) => reply.value(id, null),
    [ops.SAVEPOINT]: ([, id]) => reply.value(id, null)
  })
  await db.transaction(async (tx) => {
    const first = tx.transaction((inner) => inner.run('a'))
    const second = tx.transaction((inner) => inner.run('b'))
    await t.rejects(tx.run('c'), { code: 'UC_TX_OPEN' })
    await Promise.all([first, second])
    await tx.run('d')
  })
  t.strictSame(calls(session).map(([op, , , , kind]) => op === ops.SAVEPOINT ? ['begin', 'release'][kind] : op),
    [ops.TX_BEGIN, 'begin', ops.RUN, 'release', 'begin', ops.RUN, 'release', ops.RUN, ops.TX_END])
})

t.test('a transaction with a deadline', async (t) => {
  const { db, session } = open({
    [ops.TX_BEGIN]: ([, id]) => reply.value(id, 11),
    [ops.TX_END]: ([, id]) => reply.value(id, null)
  })
  let isOpen = false
  const never = () => {
    isOpen = true
    return new Promise(() => {})
  }
  // On a busy machine its time may be over before it is open: then once more.
  for (let i = 0; i < 20 && !isOpen; i++) await t.rejects(db.transaction(never, { timeoutMs: 300 }), { code: 'UC_TIMEOUT' })
  t.ok(isOpen)
  t.strictSame(calls(session).at(-1).slice(3), [11, false])
  const controller = new AbortController()
  const reason = new Error('stop')
  const stopped = db.transaction(() => {
    controller.abort(reason)
    return new Promise(() => {})
  }, { signal: controller.signal })
  t.equal(await stopped.catch((err) => err), reason)
})

t.test('snapshots only read', async (t) => {
  const { db, session } = open({
    [ops.SNAP_BEGIN]: ([, id]) => reply.value(id, 3),
    [ops.SNAP_END]: ([, id]) => reply.value(id, null)
  })
  t.strictSame(await db.snapshot((s) => {
    t.equal(s.run, undefined)
    return s.get('a', [4])
  }), { id: 4, n: 'x' })
  t.strictSame(calls(session)[1][2], { s: 3 })
  t.strictSame(calls(session).at(-1)[0], ops.SNAP_END)
})

t.test('close waits for an open transaction', async (t) => {
  const { db, client, session } = open({
    [ops.TX_BEGIN]: ([, id]) => reply.value(id, 11),
    [ops.TX_END]: ([, id]) => reply.value(id, null)
  })
  let closing
  await db.transaction(async (tx) => {
    closing = client.close()
    await tx.run('a')
    await new Promise((resolve) => setTimeout(resolve, 5))
    await tx.run('b')
  })
  await closing
  t.strictSame(calls(session).map(([op]) => op), [ops.TX_BEGIN, ops.RUN, ops.RUN, ops.TX_END, ops.CLOSE])
})

t.test('blocking calls', async (t) => {
  const { db, session } = open({
    [ops.TX_BEGIN]: ([, id]) => reply.value(id, 11),
    [ops.TX_END]: ([, id]) => reply.value(id, null),
    [ops.SAVEPOINT]: ([, id]) => reply.value(id, null),
    [ops.MANY]: ([, id, , , , , rows]) => reply.run(id, rows.length, 1),
    [ops.JSON]: ([, id]) => reply.bytes(id, Buffer.from('[]'))
  })
  const before = db.run('first')
  t.strictSame(db.sync.get('a', [1]), { id: 1, n: 'x' })
  t.strictSame(db.sync.get('a', [2]), { id: 2, n: 'x' })
  t.strictSame(calls(session).map(([op]) => op), [ops.RUN, ops.GET, ops.GET], 'what was called before is sent before')
  t.strictSame(db.sync.all('b'), [{ id: 1 }, { id: 2 }, { id: 3 }])
  t.strictSame(db.sync.values('b'), [[1], [2], [3]])
  t.strictSame(db.sync.run('c'), { changes: 1, lastInsertRowid: 42 })
  t.strictSame(db.sync.prepare('a').get([5]), { id: 5, n: 'x' })
  t.strictSame(db.sync.json('a'), Buffer.from('[]'))
  t.equal(session.turns, 0)
  await null
  t.equal(session.turns, 1, 'the snapshot of the turn ends with it')
  await before
  t.throws(() => db.sync.get('a', [undefined]), { code: 'UC_PARAM_TYPE', sql: 'a' })
  t.throws(() => db.sync.get('a', [], { signal: AbortSignal.abort() }), { code: 'UC_OPTION' })
  session.requests.length = 0
  t.equal(db.sync.transaction((tx) => {
    tx.run('d')
    db.sync.transaction(() => db.sync.run('e'))
    return 3
  }), 3)
  t.strictSame(calls(session).map(([op, , meta]) => [op, meta]), [
    [ops.TX_BEGIN, null], [ops.RUN, { x: 11 }], [ops.SAVEPOINT, { x: 11 }], [ops.RUN, { x: 11 }],
    [ops.SAVEPOINT, { x: 11 }], [ops.TX_END, { x: 11 }]])
  t.throws(() => db.sync.transaction(async () => {}), { code: 'UC_OPTION' })
  t.strictSame(db.sync.many('m', [[1], [2]]), { changes: 2, lastInsertRowid: 1 })
  t.strictSame(db.sync.many('m', Array.from({ length: 2500 }, (_, i) => [i])), { changes: 2500, lastInsertRowid: 1 })
  db.client.destroy()
  t.throws(() => db.sync.get('a'), { code: 'UC_CLOSED' })
})

t.test('a blocking reply larger than the buffer', async (t) => {
  const text = 'x'.repeat(400000)
  const { db } = open({ [ops.GET]: ([, id]) => reply.rows(id, { shape: 1, columns: ['t'], pages: [[[text]]] }) })
  t.strictSame(db.sync.get('a'), { t: text })
  t.strictSame(await db.get('a'), { t: text })
})

t.test('calls made by a getter of the parameters', async (t) => {
  const { db, session } = open()
  let inner
  const params = () => ({
    get a () {
      inner = Promise.all([db.get('inner', [7]), db.batch([]).catch((err) => err)])
      t.throws(() => db.sync.get('x'), { code: 'UC_SYNC_UNAVAILABLE' })
      return 'long '.repeat(30)
    }
  })
  db.sync.get('a', [1])
  await db.get('outer', params())
  const [row] = await inner
  t.strictSame(row, { id: 7, n: 'x' })
  t.strictSame(session.requests.find(([op, , , sid]) => op === ops.GET && sid === 1)[5], { a: 'long '.repeat(30) })
  t.throws(() => db.sync.get('outer', { get a () { return db.sync.get('inner', [1]) } }), { code: 'UC_SYNC_UNAVAILABLE' })
  t.strictSame(db.sync.get('a', [1]), { id: 1, n: 'x' })
})

t.test('requests of routes', async (t) => {
  const facts = { user: 7, roles: ['editor', 'admin'], ip: '127.0.0.1', id: 'r1' }
  const nobody = { user: null, roles: [], ip: null, id: 'r2' }
  const answers = {
    [ops.REQUEST]: ([, id, , , , target, , body]) => {
      if (target === '/slow') return undefined
      if (target === '/late') return reply.error(id, { code: 'UC_TIMEOUT', kind: 'timeout', message: 'late' })
      return reply.answer(id, 200, 'application/json', ['etag', '"1"'], body ?? Buffer.from('[]'))
    },
    [ops.CANCEL]: () => undefined
  }
  const { client, session } = open(answers)
  t.strictSame(await client.request([1, 'GET', '/a?b=ä', ['host', 'a'], null, facts], {}), { status: 200, type: 'application/json', headers: ['etag', '"1"'], body: Buffer.from('[]') })
  t.match(session.requests.at(-1), [ops.REQUEST, Number, null, 1, 'GET', '/a?b=ä', ['host', 'a'], null, facts])
  t.equal(session.batches.at(-1).write, false, 'a GET is a read')
  t.match(await client.request([70000, 'POST', '/a', [], Buffer.from('{}'), nobody], { timeoutMs: 50 }), { body: Buffer.from('{}') })
  t.match(session.requests.at(-1), [ops.REQUEST, Number, { t: 50 }, 70000, 'POST', '/a', [], Buffer.from('{}'), { id: 'r2' }])
  t.strictSame(Object.keys(session.requests.at(-1).at(-1)), ['id'], 'what there is nothing of is not sent')
  t.equal(session.batches.at(-1).write, true)
  await t.rejects(client.request([1, 'GET', '/late', [], null, facts], {}), { code: 'UC_TIMEOUT', op: 'request' })
  await t.rejects(client.request([1, 'GET', '/\ud800', [], null, facts], {}), { code: 'UC_PARAM_TYPE', op: 'request' })
  const hangup = new Hangup()
  client.request([1, 'GET', '/slow', [], null, facts], { signal: hangup }).catch(() => {})
  await new Promise(setImmediate)
  const [, id] = session.requests.at(-1)
  hangup.abort()
  t.strictSame(session.requests.at(-1).slice(0, 1).concat(session.requests.at(-1)[3]), [ops.CANCEL, id])
  await t.rejects(client.request([1, 'GET', '/a', [], null, facts], { signal: hangup }), { name: 'AbortError' })
  await t.rejects(client.request([1, 'GET', '/a', [], null, facts], {}, 5), { code: 'UC_CONNECTION_LOST', outcome: 'not-sent' })
})
