'use strict'

// What does a service get that awaits its point reads, with many in flight,
// against a library that blocks for each of them?

const { inFlight, repeat, repeatAsync } = require('../lib/loop')
const { WORLDS, randoms } = require('../lib/data')

const SQL = 'select id, randomnumber from world where id = ?'
const IDS = randoms(65536, 1, WORLDS)
const MASK = IDS.length - 1
const STEP = 500

let sum = 0
let k = 0

async function sampleOf (get) {
  const rows = await Promise.all([1, 2, 5000, WORLDS].map(id => get(id)))
  return [...rows, await get(-1) ?? null]
}

function clients (n) {
  return ({ lib: { db } }) => {
    const query = db.prepare(SQL)
    const call = async () => {
      sum += (await query.get([IDS[k++ & MASK]])).randomnumber
    }
    return {
      check: () => sampleOf(id => query.get([id])),
      round: ms => inFlight(n, ms, call)
    }
  }
}

// The other shape: n calls at once, the next n when all have come back.
function bursts (n) {
  return ({ lib: { db } }) => {
    const query = db.prepare(SQL)
    return {
      check: () => sampleOf(id => query.get([id])),
      round: ms => repeatAsync(ms, async () => {
        const calls = []
        for (let i = 0; i < n; i++) calls.push(query.get([IDS[k++ & MASK]]))
        for (const row of await Promise.all(calls)) sum += row.randomnumber
        return n
      })
    }
  }
}

function callbacks (n) {
  return ({ lib }) => {
    const query = lib.prepare(SQL)
    const call = async () => {
      sum += (await query.get(IDS[k++ & MASK])).randomnumber
    }
    return {
      check: () => sampleOf(id => query.get(id)),
      round: ms => inFlight(n, ms, call)
    }
  }
}

module.exports = {
  title: 'Async `get`',
  unit: 'gets/s',
  rows: [
    {
      name: 'async-get-64',
      label: ['Async get, 64 in flight', 'against sync, autocommit'],
      title: 'async `get`, 64 in flight, against sync `get` in autocommit',
      ours: 'clients64',
      rivals: { sync: 'autocommit', async: 'clients64' },
      limit: 'get-transaction',
      targets: { 'better-sqlite3': 2.5, 'node:sqlite': 2.5, 'bun:sqlite': 2.5 }
    },
    {
      name: 'async-get-1000',
      label: ['Async get, 1000 in flight', 'against sync, autocommit'],
      title: 'async `get`, 1000 in flight, likewise',
      ours: 'clients1000',
      rivals: { sync: 'autocommit', async: 'clients1000' },
      limit: 'get-transaction',
      targets: { 'better-sqlite3': 6, 'node:sqlite': 6, 'bun:sqlite': 6 }
    },
    {
      name: 'async-get-burst-64',
      title: 'the same in bursts: `Promise.all` of 64',
      ours: 'bursts64',
      rivals: { sync: 'autocommit' },
      limit: 'get-transaction',
      targets: {}
    },
    {
      name: 'async-get-burst-1000',
      title: 'the same in bursts: `Promise.all` of 1000',
      ours: 'bursts1000',
      rivals: { sync: 'autocommit' },
      limit: 'get-transaction',
      targets: {}
    }
  ],
  programs: {
    ours: {
      clients64: clients(64),
      clients1000: clients(1000),
      bursts64: bursts(64),
      bursts1000: bursts(1000)
    },
    async: { clients64: callbacks(64), clients1000: callbacks(1000) },
    sync: {
      autocommit ({ lib }) {
        const query = lib.prepare(SQL)
        return {
          check: () => sampleOf(id => query.get(id)),
          round: ms => repeat(ms, () => {
            for (let i = 0; i < STEP; i++) sum += query.get(IDS[k++ & MASK]).randomnumber
            return STEP
          })
        }
      }
    }
  },
  sum: () => sum
}
