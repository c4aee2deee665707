'use strict'

// What an entry takes beside its key and its value, with a million of them.

const fs = require('node:fs')
const { rss, settle } = require('../../lib/memory')

const ENTRIES = 1000000
const KEY_BYTES = 16
const VALUE_BYTES = 64
const AT_ONCE = 1000
const VALUE = 'v'.repeat(VALUE_BYTES)

const keyOf = i => `key:${String(100000000000 + i)}`

/** fill(keys) stores VALUE under each; used() is the memory in bytes. */
function measured (scale, fill, used) {
  return {
    async round () {
      const entries = scale(ENTRIES)
      await fill(['warm-up'])
      const before = await used()
      for (let first = 0; first < entries; first += AT_ONCE) {
        const keys = []
        for (let i = first; i < Math.min(first + AT_ONCE, entries); i++) keys.push(keyOf(i))
        await fill(keys)
      }
      return { bytes: (await used() - before) / entries - KEY_BYTES - VALUE_BYTES }
    }
  }
}

async function resident () {
  await settle()
  return rss()
}

const residentOf = async pid =>
  Number(/VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024

module.exports = {
  title: 'Memory of an entry',
  unit: 'bytes',
  measure: 'bytes',
  better: 'lower',
  once: true,
  flags: { node: ['--expose-gc'] },
  rows: [
    {
      name: 'entry-bytes',
      label: ['Bytes of an entry', 'beside key and value'],
      title: 'resident bytes of an entry beside its key and value, 1 M entries of 16 + 64 bytes',
      ours: 'daemon',
      rivals: { kv: 'server', lru: 'heap' },
      targets: { ioredis: 1, redis: 1 }
    }
  ],
  programs: {
    ours: {
      async daemon ({ lib, scale }) {
        const store = await lib.there({ firstLevel: false })
        return {
          ...measured(scale, keys => store.cache.setMany(keys.map(key => [key, VALUE])), async () => {
            const { evicted } = await store.cache.stats()
            if (evicted.size > 0) throw new Error('the cache is too small for the entries')
            return residentOf(lib.serverPid)
          }),
          close: () => store.close()
        }
      }
    },
    kv: {
      server: ({ lib, scale, job }) => measured(scale,
        keys => Promise.all(keys.map(key => lib.client.set(key, VALUE))), () => residentOf(job.service.pid))
    },
    lru: {
      heap ({ scale }) {
        const { LRUCache } = require('lru-cache')
        const cache = new LRUCache({ max: 2 * scale(ENTRIES) })
        // A text of its own for each entry, as it would come from elsewhere.
        const own = () => Buffer.from(VALUE).toString('latin1')
        return measured(scale, keys => { for (const key of keys) cache.set(key, own()) }, resident)
      }
    }
  }
}
