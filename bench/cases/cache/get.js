'use strict'

// A value by its key where it is: in the heap, in the process, in a file that
// is mapped.

const { now } = require('../../lib/loop')
const { randoms } = require('../../lib/data')

const ENTRIES = 10000
const VALUE = 'v'.repeat(64)
const TTL_MS = 3600000
// Some keys are asked for much more often than others: the square of an even
// distribution.
const ORDER = randoms(65536, 1, 1000000).map(n => Math.floor((n / 1000001) ** 2 * ENTRIES))
const KEYS = Array.from({ length: ENTRIES }, (_, i) => `user:${String(100000 + i)}`)
const ASKED = ORDER.map(i => KEYS[i])
const MASK = ASKED.length - 1
const BURST = 4096
// A first level is trusted for a moment only while the event loop stands still.
const PART_MS = 20

let sum = 0
let k = 0

/** ns a call of get(key), which returns a text; and how often it did not. */
function timed (get) {
  return ms => {
    const start = now()
    let calls = 0
    let missed = 0
    let elapsed
    do {
      for (let i = 0; i < BURST; i++) {
        const value = get(ASKED[k++ & MASK])
        if (value === undefined) missed++
        else sum += value.length
      }
      calls += BURST
      elapsed = now() - start
    } while (elapsed < ms)
    return { ns: elapsed * 1e6 / calls, missed }
  }
}

function timedAsync (get) {
  return async ms => {
    const start = now()
    let calls = 0
    let elapsed
    do {
      for (let i = 0; i < BURST; i++) sum += (await get(ASKED[k++ & MASK])).length
      calls += BURST
      elapsed = now() - start
    } while (elapsed < ms)
    return { ns: elapsed * 1e6 / calls }
  }
}

const check = get => async () => [await get(KEYS[0]), await get(KEYS[ENTRIES - 1])]

/** A process whose first level holds every key, filled as it is in use. */
async function first ({ lib }) {
  const store = await lib.there({ firstLevel: { entries: 2 * ENTRIES, bytes: 64 * 1024 * 1024 } })
  const { cache } = store
  for (const key of KEYS) await cache.set(key, VALUE, { ttlMs: TTL_MS })
  for (const key of KEYS) await cache.get(key)
  return store
}

const lease = async cache => {
  // Between two rounds the lease of the first level may have ended.
  for (let i = 0; i < 100 && cache.peek(KEYS[0]) === undefined; i++) {
    await cache.get(KEYS[0])
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

module.exports = {
  title: 'A value by its key',
  unit: 'ns',
  measure: 'ns',
  better: 'lower',
  rows: [
    {
      name: 'first-level',
      label: ['First level, a hit', 'peek against get'],
      title: 'a hit in the first level, `peek`, against `get` of lru-cache with a TTL',
      ours: 'peek',
      rivals: { lru: 'get' },
      targets: { 'lru-cache': 1 / 1.3 }
    },
    {
      name: 'first-level-awaited',
      title: 'the same, `await cache.get`',
      ours: 'awaited',
      rivals: { lru: 'awaited' },
      targets: {}
    },
    {
      name: 'sync-get',
      label: ['In the process, sync get', 'of 64 bytes'],
      title: 'a text of 64 bytes, `cache.sync.get` in the process, against `get`',
      ours: 'sync',
      rivals: { lru: 'get', store: 'get' },
      targets: { 'lru-cache': 0.5 }
    }
  ],
  programs: {
    ours: {
      async peek (context) {
        const store = await first(context)
        const get = key => store.cache.peek(key)
        const round = timed(get)
        // A round is one turn: the lease is renewed between parts of it.
        return {
          check: async () => {
            await lease(store.cache)
            return check(get)()
          },
          async round (ms) {
            const parts = []
            for (let tries = 0; parts.length * PART_MS < ms; tries++) {
              await lease(store.cache)
              const { ns, missed } = round(PART_MS)
              if (missed === 0) parts.push(ns)
              else if (tries > ms) throw new Error(`${missed} keys are not in the first level`)
            }
            return { ns: parts.reduce((all, ns) => all + ns, 0) / parts.length }
          },
          close: () => store.close()
        }
      },
      async awaited (context) {
        const store = await first(context)
        const get = key => store.cache.get(key)
        return { check: check(get), round: timedAsync(get), close: () => store.close() }
      },
      async sync ({ lib }) {
        const store = lib.here()
        for (const key of KEYS) await store.cache.set(key, VALUE, { ttlMs: TTL_MS })
        const { sync } = store.cache
        const get = key => sync.get(key)
        return { check: check(get), round: timed(get), close: () => store.close() }
      }
    },
    lru: {
      get: () => {
        const get = lru()
        return { check: check(get), round: timed(get) }
      },
      awaited: () => {
        const get = lru()
        return { check: check(get), round: timedAsync(get) }
      }
    },
    store: {
      async get ({ lib: { db } }) {
        for (const key of KEYS) await db.put(key, VALUE)
        const get = key => db.get(key)
        return { check: check(get), round: timed(get) }
      }
    }
  },
  sum: () => sum
}

function lru () {
  const { LRUCache } = require('lru-cache')
  const cache = new LRUCache({ max: 2 * ENTRIES, ttl: TTL_MS })
  for (const key of KEYS) cache.set(key, VALUE)
  return key => cache.get(key)
}
