'use strict'

// How often a password may be guessed.

const t = require('tap')
const session = require('../../lib/kit/session')
const { Limit } = require('../../lib/kit/session/limit')
const { readLimit } = require('../../lib/kit/session/options')
const { quick, withTable } = require('./helper')
const { failure, outcomes, until } = require('../helper')

// What Limit asks of a cache, with a clock that is set by hand.
class FakeCache {
  ms = 0
  entries = new Map()

  namespace () {
    return this
  }

  #alive (key) {
    const entry = this.entries.get(key)
    return entry !== undefined && entry.until > this.ms ? entry : undefined
  }

  async ttl (key) {
    const entry = this.#alive(key)
    return entry && entry.until - this.ms
  }

  async incr (key, by, { ttlMs }) {
    const entry = this.#alive(key) ?? { value: 0, until: this.ms + ttlMs }
    entry.value += by
    this.entries.set(key, entry)
    return entry.value
  }

  async compareAndSet (key, expected, value, { ttlMs }) {
    if (this.#alive(key)?.value !== expected) return false
    this.entries.set(key, { value, until: this.ms + ttlMs })
    return true
  }

  async delete (key) {
    return this.entries.delete(key)
  }
}

const limited = (cache, options) => new Limit(cache, readLimit(options))
const ada = { name: 'ada', ip: '192.0.2.1' }

async function pauses (cache, limit, who, n) {
  const out = []
  while (out.length < n) {
    const err = await limit.take(who).then(() => null, err => err)
    if (err === null) continue
    out.push(err.retryAfterMs)
    cache.ms += err.retryAfterMs
  }
  return out
}

t.test('each pause is twice as long as the one before', async (t) => {
  const cache = new FakeCache()
  const limit = limited(cache, { tries: 3, pauseMs: 1000, maxPauseMs: 10_000 })
  await limit.take(ada)
  await limit.take(ada)
  t.same(await pauses(cache, limit, ada, 6), [1000, 2000, 4000, 8000, 10_000, 10_000])
})

t.test('a count begins anew some time after its first try', async (t) => {
  const cache = new FakeCache()
  const limit = limited(cache, { tries: 2, pauseMs: 1000, maxPauseMs: 1000, perMs: 60_000 })
  await limit.take(ada)
  cache.ms += 59_000
  await limit.take(ada)
  t.match(await failure(limit.take(ada)), { code: 'UC_RATE', retryAfterMs: 1000 })
  cache.ms += 1000
  await limit.take(ada)
  await limit.take(ada)
  t.match(await failure(limit.take(ada)), { code: 'UC_RATE', retryAfterMs: 1000 })
})

t.test('what is refused does not count', async (t) => {
  const cache = new FakeCache()
  const limit = limited(cache, { tries: 1, pauseMs: 1000 })
  await limit.take(ada)
  for (let i = 0; i < 50; i++) t.equal((await failure(limit.take(ada))).retryAfterMs, 1000)
  cache.ms += 1000
  await limit.take(ada)
  t.equal((await failure(limit.take(ada))).retryAfterMs, 2000)
})

t.test('nor does what is refused of many at once', async (t) => {
  const cache = new FakeCache()
  const limit = limited(cache, { tries: 2 })
  const found = await outcomes(Array.from({ length: 50 }, () => limit.take(ada)))
  t.equal(found.filter(one => one === 'fulfilled').length, 2)
  const counts = [...cache.entries].filter(([key]) => !key.startsWith('pause')).map(([key, { value }]) => [key.split(' ')[0], value])
  t.same(counts, [['pair', 2], ['name', 2], ['ip', 2]])
})

t.test('who is meant', async (t) => {
  const tried = async (first, second) => {
    const limit = limited(new FakeCache(), { tries: 1 })
    await limit.take(first)
    return limit.take(second).then(() => false, () => true)
  }
  const ip = '192.0.2.1'
  t.ok(await tried(ada, ada))
  t.ok(await tried(ada, { name: ' Ada ', ip }), 'letters and blanks make no other name')
  t.ok(await tried(ada, { name: 'ａｄａ', ip }), 'nor does their width')
  t.ok(await tried(ada, { name: 'ada', ip: '::ffff:192.0.2.1' }))
  t.ok(await tried({ name: 'ada', ip: '2001:db8::1' }, { name: 'ada', ip: '2001:db8::ffff:1' }), 'a network of one caller')
  t.notOk(await tried(ada, { name: 'adam', ip }))
  t.notOk(await tried(ada, { name: 'ada', ip: '192.0.2.2' }))
  t.notOk(await tried({ name: 'ada', ip: '2001:db8::1' }, { name: 'ada', ip: '2001:db8:0:1::1' }))
  t.ok(await tried({ name: 'ada' }, { name: 'ada', ip: 'nonsense' }), 'from nowhere')
  t.ok(await tried({ name: '\ud800'.repeat(1e5), ip }, { name: '\ud800'.repeat(1e5), ip }), 'any text is a name')
})

t.test('a name from many networks, and many names from one', async (t) => {
  const limit = limited(new FakeCache(), { triesOfName: 10, triesOfIp: 10 })
  const found = await outcomes(Array.from({ length: 12 }, (_, i) => limit.take({ name: 'ada', ip: `192.0.2.${i}` })))
  t.same(found.filter(one => one === 'UC_RATE').length, 2, 'of the name')
  const others = await outcomes(Array.from({ length: 12 }, (_, i) => limit.take({ name: `user ${i}`, ip: '198.51.100.1' })))
  t.same(others.filter(one => one === 'UC_RATE').length, 2, 'of the network')
  t.equal(await limit.take({ name: 'bob', ip: '192.0.2.77' }).then(() => 'fine'), 'fine', 'others are not concerned')
})

t.test('who knows the password is forgiven, and his network is not', async (t) => {
  const cache = new FakeCache()
  const limit = limited(cache, { tries: 2, triesOfIp: 6 })
  for (let i = 0; i < 3; i++) {
    await limit.take(ada)
    await (await limit.take(ada)).succeed()
  }
  t.same([...cache.entries].map(([key, { value }]) => [key, value]), [['ip 192.0.2.1', 3]], 'the wrong ones are left, of the network')
  const own = { name: 'eve', ip: ada.ip }
  for (let i = 0; i < 3; i++) {
    await limit.take({ name: `victim ${i}`, ip: ada.ip }).catch(() => {})
    await limit.take(own).then(one => one.succeed(), () => {})
  }
  t.match(await failure(limit.take({ name: 'victim', ip: ada.ip })), { code: 'UC_RATE' }, 'an account of his own does not help')
})

t.test('a try that was none', async (t) => {
  const cache = new FakeCache()
  const limit = limited(cache, { tries: 5 })
  for (let i = 0; i < 20; i++) await (await limit.take(ada)).undo()
  t.same([...new Set([...cache.entries.values()].map(({ value }) => value))], [0])
})

t.test('the error', async (t) => {
  const limit = limited(new FakeCache(), { tries: 1, pauseMs: 90_000 })
  await limit.take(ada)
  const err = await failure(limit.take(ada))
  t.match(err, { code: 'UC_RATE', kind: 'busy', retryable: true, outcome: 'not-run', retryAfterMs: 90_000, message: 'too many tries: again in 90 s' })
})

t.test('options', async (t) => {
  for (const [options, message] of [
    [{ trys: 1 }, /there is no option 'trys'/], [{ tries: 0 }, /tries/], [{ perMs: 1, maxPauseMs: 2 }, /perMs/], [{ pauseMs: 2, maxPauseMs: 1 }, /pauseMs/], [7, /an object/]
  ]) t.match(await failure(() => readLimit(options)), { code: 'UC_OPTION', message }, JSON.stringify(options))
})

// ---- with the cache of a store ---------------------------------------------------------

t.test('a thousand at once', async (t) => {
  const { cache } = await withTable(t)
  const limit = limited(cache, { tries: 5, pauseMs: 600_000 })
  const found = await outcomes(Array.from({ length: 1000 }, () => limit.take(ada)))
  t.equal(found.filter(one => one === 'fulfilled').length, 5)
  t.equal(found.filter(one => one === 'UC_RATE').length, 995)
  t.match(await failure(limit.take(ada)), { code: 'UC_RATE' })
})

t.test('a pause ends', async (t) => {
  const { cache } = await withTable(t)
  const limit = limited(cache, { tries: 1, pauseMs: 20, maxPauseMs: 20 })
  for (let i = 0; i < 3; i++) {
    await until(() => limit.take(ada).then(() => true, () => false), 'its turn')
  }
  t.pass('again and again')
})

t.test('a name is no part of a key', async (t) => {
  const { cache } = await withTable(t)
  const limit = limited(cache, {})
  for (const name of ['x'.repeat(1e5), '\x1f', 'a\0b', '__proto__', ' ', '\ud800']) await (await limit.take({ name, ip: '192.0.2.1' })).succeed()
  t.pass('any name')
})

t.test('without a cache nobody is let in uncounted', async (t) => {
  const store = await withTable(t, { cache: false })
  const counted = session(store, { passwords: quick })
  t.match(await failure(counted.limit.take(ada)), { code: 'UC_NO_CACHE' })
  t.equal(session(store, { passwords: quick, limit: false }).limit, null)
})
