'use strict'

// A row by its key: 64 and 1000 calls in flight, and one at a time.

const { load, tail, lone } = require('../../lib/hop')
const { WORLDS, randoms } = require('../../lib/data')
const { programs, targets } = require('../../lib/pg-case')

const SQL = 'select id, randomnumber from world where id = $1'
const IDS = randoms(65536, 1, WORLDS)
const MASK = IDS.length - 1

let sum = 0
let k = 0

const program = round => ({ all, context }) => {
  const query = all(SQL)
  return {
    check: () => Promise.all([1, 2, 5000, WORLDS, -1].map(id => query([id]))),
    round: round(context, async () => { sum += (await query([IDS[k++ & MASK]]))[0].randomnumber })
  }
}

module.exports = {
  title: 'A row by its key',
  unit: 'queries/s',
  rows: [
    {
      name: 'get-64',
      label: ['Point read', '64 in flight'],
      title: 'point read, 64 in flight',
      ours: 'get64',
      rivals: { pool: 'get64' },
      limit: 'get-64',
      targets: targets({ node: 4, bun: 1.5 })
    },
    {
      name: 'get-1000',
      label: ['Point read', '1000 in flight'],
      title: 'point read, 1000 in flight',
      ours: 'get1000',
      rivals: { pool: 'get1000' },
      limit: 'get-1000',
      targets: targets({ node: 3.5, bun: 2 })
    },
    {
      name: 'get-64-cpu',
      title: 'point read, 64 in flight: processor time of the client',
      unit: 'µs',
      measure: 'cpuBoth',
      better: 'lower',
      ours: 'get64',
      rivals: { pool: 'get64' }
    },
    {
      name: 'get-64-p999',
      title: 'point read, 64 in flight, p99.9 of the latency',
      unit: 'µs',
      measure: 'p999',
      better: 'lower',
      ours: 'tail64',
      rivals: { pool: 'tail64' }
    },
    {
      name: 'get-1-p50',
      title: 'a lone awaited read, p50 of the latency',
      unit: 'µs',
      measure: 'p50',
      better: 'lower',
      ours: 'lone',
      rivals: { pool: 'lone' },
      limit: 'get-1',
      targets: targets({ node: 1, bun: 0.8 })
    }
  ],
  programs: programs({
    get64: program((context, call) => load(64, context, call)),
    get1000: program((context, call) => load(1000, context, call)),
    tail64: program((context, call) => tail(64, call)),
    lone: program((context, call) => lone(call))
  }),
  sum: () => sum
}
