'use strict'

// A hundred rows of five columns, as objects, from somewhere else.

const { load, cpuRows } = require('../../lib/hop')
const { USERS, ID_STEP, randoms } = require('../../lib/data')

const IN_FLIGHT = 64
const SQL = 'select id, name, age, city, created_at from user where id > ? order by id limit 100'
const STARTS = randoms(4096, 0, (USERS - 100) * ID_STEP)
const MASK = STARTS.length - 1

let sum = 0
let k = 0

function program (context, all) {
  return {
    check: () => Promise.all([0, 354757, USERS * ID_STEP].map(all)),
    round: load(IN_FLIGHT, context, async () => {
      const rows = await all(STARTS[k++ & MASK])
      for (let i = 0; i < rows.length; i++) sum += rows[i].id
    })
  }
}

const rate = {
  name: 'all-100',
  label: ['All of 100 rows, 64 in flight', 'against a worker thread'],
  title: '`all` of 100 rows, 5 columns, 64 in flight',
  ours: 'load',
  rivals: { thread: 'load' },
  targets: { 'better-sqlite3 in a thread': 2, 'bun:sqlite in a thread': 2 }
}

module.exports = {
  title: '`all` of 100 rows',
  unit: 'queries/s',
  rows: [rate, ...cpuRows(rate, '`all` of 100 rows, 64 in flight')],
  programs: {
    ours: {
      load (context) {
        const query = context.lib.db.prepare(SQL)
        return program(context, start => query.all([start]))
      }
    },
    thread: { load: context => program(context, start => context.lib.all(SQL, start)) }
  },
  sum: () => sum
}
