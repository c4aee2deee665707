'use strict'

// The first level against a model of it, and that SIEVE keeps what is asked for.

const t = require('tap')
const { exact } = require('../helper')
const { First, ENTRY_BYTES } = require('../../lib/cache/first')
const { now, FOREVER } = require('../../lib/cache/clock')

function make (options) {
  const first = new First({ bytes: 1 << 20, entries: 1000, ...options })
  first.trust = FOREVER
  return first
}

function put (first, key, options) {
  const { value, raw, size, expires, hash, domains } = { value: key, raw: null, size: 10, expires: FOREVER, hash: hashOf(key), domains: [], ...options }
  first.put(key, value, raw, size, expires, hash, domains)
}

const hashOf = (key) => [...key].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7)

t.test('what is found, and what is not', async (t) => {
  const first = make()
  t.equal(first.find('a'), null)
  put(first, 'a', { value: 1 })
  put(first, 'u', { value: undefined })
  t.equal(first.find('a').value, 1)
  t.equal(first.find('u').value, undefined, 'undefined is a value')
  put(first, 'a', { value: 2 })
  t.equal(first.find('a').value, 2, 'the later one')
  t.equal(first.stats.entries, 2)
  first.trust = now() - 1
  t.equal(first.find('a'), null, 'nothing without trust')
  first.trust = FOREVER
  t.equal(first.find('a').value, 2, 'it is still there')
  put(first, 'b', { expires: now() - 1 })
  t.equal(first.find('b'), null, 'its time is over')
  t.equal(first.stats.entries, 2, 'and it is gone')
  first.deleteHash(hashOf('a'))
  t.equal(first.find('a'), null)
  first.deleteHash(12345)
  first.delete('nothing')
  first.clear()
  exact(t, [first.stats.entries, first.stats.bytes, first.find('u')], [0, 0, null], 'nothing is left')
})

t.test('domains', async (t) => {
  const first = make()
  put(first, 'a', { domains: [1, 2] })
  put(first, 'b', { domains: [2, 2] })
  put(first, 'c', { domains: [3] })
  first.deleteDomain(2)
  exact(t, ['a', 'b', 'c'].map((key) => first.find(key) !== null), [false, false, true], 'those that belong to it')
  first.deleteDomain(1)
  first.deleteDomain(9)
  put(first, 'a', { domains: [1] })
  first.deleteDomain(2)
  t.ok(first.find('a'), 'it belongs to it no more')
  first.deleteDomain(1)
  t.notOk(first.find('a'))
})

t.test('two keys of one hash do not stand beside each other', async (t) => {
  const first = make()
  put(first, 'a', { hash: 5 })
  put(first, 'b', { hash: 5 })
  t.equal(first.find('a'), null)
  first.deleteHash(5)
  t.equal(first.find('b'), null)
  t.equal(first.stats.entries, 0)
})

t.test('its budget', async (t) => {
  const first = make({ bytes: 100 * 1024, entries: 50 })
  for (let i = 0; i < 500; i++) {
    put(first, `k${i}`)
    if (first.stats.entries > 50) t.fail('too many')
  }
  t.equal(first.stats.entries, 50)
  t.equal(first.stats.evicted, 450)
  for (let i = 0; i < 500; i++) {
    put(first, `large${i}`, { raw: Buffer.alloc(0), size: 5000 })
    if (first.stats.bytes > 100 * 1024) t.fail('too much')
  }
  t.ok(first.stats.entries > 10, 'as many as fit')
  put(first, 'huge', { raw: Buffer.alloc(0), size: 50 * 1024 })
  t.equal(first.find('huge'), null, 'one value does not empty it')
  put(first, 'large499', { raw: Buffer.alloc(0), size: 50 * 1024 })
  t.equal(first.find('large499'), null, 'and an old one does not stay in the place of one too large')
  first.clear()
  put(first, 'x', { size: 10 })
  t.equal(first.stats.bytes, ENTRY_BYTES + 2 + 20)
})

t.test('what is asked for stays', async (t) => {
  const first = make({ entries: 100 })
  for (let i = 0; i < 50; i++) put(first, `hot${i}`)
  let hits = 0
  for (let i = 0; i < 10000; i++) {
    const key = `hot${i % 50}`
    if (first.find(key) !== null) hits++
    else put(first, key)
    put(first, `once${i}`)
  }
  t.ok(hits > 9000, `${hits} of 10000 through a scan of as many others`)
})

t.test('against a model', async (t) => {
  let seed = 3
  const random = (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % n
  }
  const first = make({ entries: 40, bytes: 64 * 1024 })
  const model = new Map()
  let wrong = 0
  for (let i = 0; i < 50000; i++) {
    const key = `k${random(80)}`
    switch (random(8)) {
      case 0: {
        const entry = { value: i, domains: [random(10), random(10)], size: random(4000) }
        put(first, key, entry)
        model.set(key, entry)
        break
      }
      case 1:
        first.delete(key)
        model.delete(key)
        break
      case 2: {
        const domain = random(10)
        first.deleteDomain(domain)
        for (const [name, { domains }] of model) if (domains.includes(domain)) model.delete(name)
        break
      }
      case 3:
        first.deleteHash(hashOf(key))
        model.delete(key)
        break
      default: {
        const found = first.find(key)
        if (found !== null && model.get(key)?.value !== found.value) wrong++
      }
    }
    const { entries, bytes } = first.stats
    if (entries > 40 || bytes > 64 * 1024 || bytes < entries * ENTRY_BYTES) wrong++
  }
  t.equal(wrong, 0, 'never a value that is not the last one, never more than its budget')
  for (let i = 0; i < 80; i++) first.delete(`k${i}`)
  exact(t, [first.stats.entries, first.stats.bytes], [0, 0], 'and it counts right')
})
