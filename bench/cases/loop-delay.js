'use strict'

// How long does the event loop stand still while 32 clients read 1000 rows each?

const { monitorEventLoopDelay } = require('node:perf_hooks')
const { setImmediate: nextTurn } = require('node:timers/promises')
const { inFlight } = require('../lib/loop')
const { USERS, ID_STEP, randoms } = require('../lib/data')

const SQL = 'select id, name, age, city, created_at from user where id > ? order by id limit 1000'
const STARTS = randoms(4096, 0, (USERS - 1000) * ID_STEP)
const MASK = STARTS.length - 1
const CLIENTS = 32
const RESOLUTION_MS = 1 // of the timer whose lateness is recorded

let sum = 0
let k = 0

/** `all` answers after the loop has had a turn, whatever the library. */
function clients (all) {
  const call = async () => {
    const rows = await all(STARTS[k++ & MASK])
    for (let i = 0; i < rows.length; i++) sum += rows[i].id
  }
  return {
    check: async () => [await all(0), await all(354757)],
    async round (ms) {
      const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
      delay.enable()
      const { rate } = await inFlight(CLIENTS, ms, call)
      delay.disable()
      return { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6, rate }
    }
  }
}

module.exports = {
  title: 'Event-loop delay',
  unit: 'ms',
  measure: 'p99',
  better: 'lower',
  rows: [
    {
      name: 'loop-delay',
      title: 'event-loop delay p99 under 32 concurrent 1000-row queries',
      ours: 'clients',
      rivals: { sync: 'clients', async: 'clients' },
      targets: {},
      atMost: { node: 5 }
    },
    {
      name: 'loop-delay-rate',
      title: '1000-row queries a second, 32 concurrent, in the same rounds',
      measure: 'rate',
      better: 'higher',
      unit: 'queries/s',
      ours: 'clients',
      rivals: { sync: 'clients', async: 'clients' },
      limit: 'all-1000',
      targets: {}
    }
  ],
  programs: {
    ours: {
      clients ({ lib: { db } }) {
        const query = db.prepare(SQL)
        return clients(start => query.all([start]))
      }
    },
    sync: {
      // A service that blocks does so request by request: each client's next
      // query is made in a later turn, together with those of the others.
      clients ({ lib }) {
        const query = lib.prepare(SQL)
        return clients(async start => {
          await nextTurn()
          return query.all(start)
        })
      }
    },
    async: {
      clients ({ lib }) {
        const query = lib.prepare(SQL)
        return clients(start => query.all(start))
      }
    }
  },
  sum: () => sum
}
