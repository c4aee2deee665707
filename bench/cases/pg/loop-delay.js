'use strict'

// How long does the event loop stand still while 32 clients read 1000 rows each?

const { monitorEventLoopDelay } = require('node:perf_hooks')
const { inFlight } = require('../../lib/loop')
const { randoms } = require('../../lib/data')
const { programs } = require('../../lib/pg-case')

const SQL = 'select id, name, age, city, created_at from person where id > $1 order by id limit 1000'
const CLIENTS = 32
const RESOLUTION_MS = 1 // of the timer whose lateness is recorded

let sum = 0
let k = 0

function clients ({ all, people }) {
  const query = all(SQL)
  const starts = randoms(4096, 0, people - 1000)
  const call = async () => {
    const rows = await query([starts[k++ % starts.length]])
    for (let i = 0; i < rows.length; i++) sum += rows[i].id
  }
  return {
    check: async () => [await query([0]), await query([people])].map(rows => [...rows]),
    async round (ms) {
      const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
      delay.enable()
      const { rate } = await inFlight(CLIENTS, ms, call)
      delay.disable()
      return { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6, rate }
    }
  }
}

const row = { ours: 'clients', rivals: { pool: 'clients' }, targets: {} }

module.exports = {
  title: 'Event-loop delay',
  unit: 'ms',
  measure: 'p99',
  better: 'lower',
  rows: [
    { ...row, name: 'loop-delay', title: 'event-loop delay p99 under 32 concurrent 1000-row queries', atMost: { node: 5 } },
    { ...row, name: 'loop-delay-rate', title: '1000-row queries a second, 32 concurrent, in the same rounds', measure: 'rate', better: 'higher', unit: 'queries/s' }
  ],
  programs: programs({ clients }),
  sum: () => sum
}
