'use strict'

// A value by its key, from a server, with nothing kept on this side.

const { load, tail, lone, cpuRows } = require('../../lib/hop')
const { WORLDS, randoms, world } = require('../../lib/data')
const { WORLD } = require('../../lib/redis')

const IN_FLIGHT = 64
const KEYS = randoms(65536, 1, WORLDS).map(id => WORLD + id)
const MASK = KEYS.length - 1
const AT_ONCE = 1000

let sum = 0
let k = 0

const getters = {
  async ours ({ lib }) {
    const store = await lib.there({ firstLevel: false })
    for (let first = 1; first <= WORLDS; first += AT_ONCE) {
      await store.cache.setMany(Array.from({ length: AT_ONCE }, (_, i) =>
        [WORLD + (first + i), JSON.stringify(world(first + i))]))
    }
    return { get: key => store.cache.get(key), close: () => store.close() }
  },
  kv: async ({ lib }) => ({ get: key => lib.get(key), close: async () => {} })
}

function programs (family) {
  const program = round => async context => {
    const { get, close } = await getters[family](context)
    return {
      check: () => Promise.all([1, 2, 5000, WORLDS].map(id => get(WORLD + id))),
      round: round(context, async () => { sum += (await get(KEYS[k++ & MASK])).length }),
      close
    }
  }
  return {
    load: program((context, call) => load(IN_FLIGHT, context, call)),
    tail: program((context, call) => tail(IN_FLIGHT, call)),
    lone: program((context, call) => lone(call))
  }
}

const rate = {
  name: 'cache-get-64',
  label: ['Cache over IPC, 64 in flight', 'against GET'],
  title: '`cache.get` over IPC, 64 in flight, first level off, against GET',
  ours: 'load',
  rivals: { kv: 'load' },
  targets: { ioredis: 2, redis: 2 }
}

module.exports = {
  title: 'A value from the daemon',
  unit: 'gets/s',
  rows: [
    rate,
    ...cpuRows(rate, 'a `cache.get` over IPC'),
    {
      name: 'cache-get-64-p999',
      title: 'the same, p99.9 of the latency',
      unit: 'µs',
      measure: 'p999',
      better: 'lower',
      ours: 'tail',
      rivals: { kv: 'tail' },
      targets: {}
    },
    {
      name: 'cache-get-1-p50',
      title: 'one at a time, p50 of the latency',
      unit: 'µs',
      measure: 'p50',
      better: 'lower',
      ours: 'lone',
      rivals: { kv: 'lone' },
      targets: {}
    }
  ],
  programs: { ours: programs('ours'), kv: programs('kv') },
  sum: () => sum
}
