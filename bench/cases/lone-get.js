'use strict'

// What does one awaited read cost when nothing else is going on?

const { latencies, latenciesSync } = require('../lib/loop')
const { WORLDS, randoms } = require('../lib/data')

const SQL = 'select id, randomnumber from world where id = ?'
const IDS = randoms(65536, 1, WORLDS)
const MASK = IDS.length - 1

let sum = 0
let k = 0

module.exports = {
  title: 'A lone awaited `get`',
  unit: 'µs',
  measure: 'p50',
  better: 'lower',
  rows: [
    {
      name: 'lone-get',
      title: 'a lone awaited `get`, p50, against sync `get` in autocommit',
      ours: 'awaited',
      rivals: { sync: 'autocommit', async: 'awaited' },
      targets: {},
      atMost: { node: 15, bun: 15 }
    },
    {
      name: 'lone-get-p99',
      title: 'a lone awaited `get`, p99, likewise',
      measure: 'p99',
      ours: 'awaited',
      rivals: { sync: 'autocommit', async: 'awaited' },
      targets: {}
    },
    {
      name: 'lone-get-sync',
      title: 'a sync `get`, p50, clock included',
      ours: 'sync',
      rivals: { sync: 'autocommit' },
      targets: {}
    }
  ],
  programs: {
    ours: {
      awaited ({ lib: { db } }) {
        const query = db.prepare(SQL)
        return {
          check: async () => [await query.get([1]), await query.get([WORLDS])],
          round: ms => latencies(ms, async () => {
            sum += (await query.get([IDS[k++ & MASK]])).randomnumber
          })
        }
      },
      sync ({ lib: { db } }) {
        const query = db.sync.prepare(SQL)
        return {
          check: () => [query.get([1]), query.get([WORLDS])],
          round: ms => latenciesSync(ms, () => {
            sum += query.get([IDS[k++ & MASK]]).randomnumber
          })
        }
      }
    },
    sync: {
      autocommit ({ lib }) {
        const query = lib.prepare(SQL)
        return {
          check: () => [query.get(1), query.get(WORLDS)],
          round: ms => latenciesSync(ms, () => {
            sum += query.get(IDS[k++ & MASK]).randomnumber
          })
        }
      }
    },
    async: {
      awaited ({ lib }) {
        const query = lib.prepare(SQL)
        return {
          check: async () => [await query.get(1), await query.get(WORLDS)],
          round: ms => latencies(ms, async () => {
            sum += (await query.get(IDS[k++ & MASK])).randomnumber
          })
        }
      }
    }
  },
  sum: () => sum
}
