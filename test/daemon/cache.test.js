'use strict'
// The cache of a daemon, from outside: what its connections share, who loads, what they keep in
// memory of their own, and an end with calls that stand.

const t = require('tap')
const { connect, start } = require('./raw')
const { ops } = require('../../lib/wire/ops')

const bin = text => Buffer.from(text)
const get = (client, key) => client.ask(ops.CACHE_GET, [key])
const bytes = reply => reply.kind === 'bytes' ? reply.body.subarray(9).toString() : reply.value
const set = (client, key, text, opts = null) => client.ask(ops.CACHE_SET, [key, bin(text), opts])
const load = (client, key, opts = null) => client.ask(ops.CACHE_LOAD, [key, opts])

t.setTimeout(120_000)

t.test('one cache for all connections', async t => {
  const daemon = await start(t)
  const [a, b] = await Promise.all([connect(t, daemon), connect(t, daemon)])
  t.match((await set(a, 'k', 'v', { d: ['t:user'] })).value, [true, Number])
  t.equal(bytes(await get(b, 'k')), 'v')
  await b.ask(ops.EXEC, ['create table user (x)'])
  t.equal(bytes(await get(a, 'k')), null, 'another schema drops what belongs to tables')
  await set(a, 'k', 'v', { d: ['t:user'] })
  t.equal((await b.sql(ops.RUN, 'insert into user values (1)')).kind, 'run')
  t.equal(bytes(await get(a, 'k')), null, 'and so does a commit')
  t.match((await set(a, '', 'v')).value, { code: 'UC_CACHE_KEY' })
  const many = await Promise.all(Array.from({ length: 200 }, (_, i) => a.ask(ops.CACHE_INCR, [`n${i % 3}`, 1, null])))
  t.equal(many.reduce((sum, reply) => Math.max(sum, reply.value), 0), 67)
})

t.test('a database each has a cache of its own', async t => {
  const daemon = await start(t, { db: ['a.db', 'b.db'], args: ['--set', 'b.cacheBytes=0'] })
  const [a, b] = await Promise.all([connect(t, daemon), connect(t, daemon)])
  await a.ask(ops.HELLO, [{ v: [1, 1], client: 'test', db: 'a' }])
  await b.ask(ops.HELLO, [{ v: [1, 1], client: 'test', db: 'b' }])
  t.match((await set(a, 'k', 'v')).value, [true])
  t.match((await get(b, 'k')).value, { code: 'UC_NO_CACHE' }, 'or none')
})

t.test('who loads goes away', async t => {
  const daemon = await start(t)
  const [a, b, c] = await Promise.all([connect(t, daemon), connect(t, daemon), connect(t, daemon)])
  const [how] = (await load(a, 'k')).value
  t.equal(how, 1, 'the first one loads')
  const waiting = load(b, 'k')
  await b.ask(ops.PING, [])
  const behind = load(c, 'k')
  await c.ask(ops.PING, [])
  a.socket.destroy()
  const reply = (await waiting).value
  t.equal(reply[0], 1, 'then the one who waits')
  t.match((await b.ask(ops.CACHE_LOADED, [reply[1], bin('loaded'), null, null])).value, [true])
  t.match((await behind).value, [0, bin('loaded')], 'and the others have it')
})

t.test('a write waits for a first level that keeps what it changes', async t => {
  const daemon = await start(t)
  const [a, b] = await Promise.all([connect(t, daemon), connect(t, daemon)])
  await a.ask(ops.EXEC, ['create table user (x)'])
  let [seq] = (await b.ask(ops.CACHE_HOLD, [0])).value
  let heldAt
  const hold = () => {
    heldAt = performance.now()
    return b.ask(ops.CACHE_HOLD, [seq])
  }
  // A write waits for as long as the first level may trust what it keeps, 100 ms from its last question on. What
  // a busy machine has told us later says nothing.
  for (let i = 0; ; i++) {
    await set(a, `k${i}`, 'v', { d: ['t:user'] })
    const order = []
    let held = hold()
    const [value, ms, hash, domains] = (await b.ask(ops.CACHE_READ, [`k${i}`])).value
    t.same(value, bin('v'))
    const isKept = ms === null
    const write = a.sql(ops.RUN, 'insert into user values (1)').then(reply => { order.push('written'); return reply })
    for (;;) {
      const news = (await held).value
      seq = news[0]
      if (news[3].length > 0 || news[1]) {
        t.same(news[3], domains, `the domain of ${hash}`)
        order.push('told')
        break
      }
      held = hold()
    }
    const isInTime = isKept && performance.now() - heldAt < 80
    hold()
    t.equal((await write).kind, 'run')
    if (isInTime) return t.equal(order[0], 'told')
    if (i === 99) return t.fail('a hundred tries, each of them too late')
  }
})

t.test('an end does not wait for what stands', async t => {
  const daemon = await start(t, { args: ['--drain-ms', '60000'] })
  const [a, b] = await Promise.all([connect(t, daemon), connect(t, daemon)])
  await load(a, 'k')
  const waiting = load(b, 'k')
  const [seq] = (await b.ask(ops.CACHE_HOLD, [0])).value
  const held = b.ask(ops.CACHE_HOLD, [seq])
  await a.ask(ops.PING, [])
  await b.ask(ops.PING, [])
  t.equal((await daemon.stop()).code, 0)
  // Who loads ends as well; where that connection is gone first, the other one is told to load.
  const told = (await waiting)?.value
  t.ok(told.code === 'UC_CLOSED' || told[0] === 1, 'who waits for a load is answered')
  const last = (await held)?.value
  t.ok(last.code === 'UC_CLOSED' || last[0] === seq, 'a question is answered as well')
})

t.test('options', async t => {
  const daemon = await start(t, { args: ['--set', 'cacheBytes=5'], ready: false })
  t.equal((await daemon.done).code, 5)
  t.match(daemon.stderr, /cache_bytes/)
})
