'use strict'

// How many single inserts a second are on the disk before they are
// acknowledged? Every library runs with synchronous = FULL.

const { inFlight, repeat } = require('../lib/loop')
const { entry } = require('../lib/data')

const SQL = 'insert into entry (name, age, city, created_at) values (?, ?, ?, ?)'
const BACK = 'select count(*) as n, sum(age) as age, min(city) as first, max(created_at) as last from entry'
const ROWS = []
for (let i = 1; i <= 8192; i++) ROWS.push(Object.values(entry(i)))
const MASK = ROWS.length - 1
const CHECKED = 200 // rows that the check inserts
const IN_TRANSACTION = 1000

// Every round starts from an empty table and an empty log.
const RESET = ['delete from entry', 'pragma wal_checkpoint(truncate)']

async function reset (lib) {
  for (const sql of RESET) await lib.exec(sql)
}

function clients (n) {
  return ({ lib, lib: { db } }) => {
    const insert = db.prepare(SQL)
    let k = 0
    return {
      async check () {
        await reset(lib)
        const done = await Promise.all(ROWS.slice(0, CHECKED).map(row => insert.run(row)))
        return [await db.all(BACK), done.reduce((sum, { changes }) => sum + changes, 0)]
      },
      reset: () => reset(lib),
      round: ms => inFlight(n, ms, () => insert.run(ROWS[k++ & MASK]))
    }
  }
}

function callbacks (n) {
  return ({ lib }) => {
    const insert = lib.prepare(SQL)
    let k = 0
    return {
      async check () {
        await reset(lib)
        await Promise.all(ROWS.slice(0, CHECKED).map(row => insert.run(...row)))
        return [await lib.prepare(BACK).all(), CHECKED]
      },
      reset: () => reset(lib),
      round: ms => inFlight(n, ms, () => insert.run(...ROWS[k++ & MASK]))
    }
  }
}

module.exports = {
  title: 'Durable single inserts',
  unit: 'inserts/s',
  writes: true,
  rows: [
    {
      name: 'durable-insert-64',
      label: ['Durable inserts, 64 in flight', 'against autocommit'],
      title: 'durable single inserts, 64 in flight, each awaited, against autocommit',
      ours: 'clients64',
      rivals: { sync: 'autocommit', async: 'clients64' },
      limit: 'insert-group-64',
      targets: { 'better-sqlite3': 30, 'node:sqlite': 30, 'bun:sqlite': 30 }
    },
    {
      name: 'durable-insert-1000',
      label: ['Durable inserts, 1000 in flight', 'against autocommit'],
      title: 'the same, 1000 in flight',
      ours: 'clients1000',
      rivals: { sync: 'autocommit' },
      limit: 'insert-group-1000',
      targets: { 'better-sqlite3': 100, 'node:sqlite': 100, 'bun:sqlite': 100 }
    },
    {
      name: 'durable-insert-1000-transaction',
      label: ['Durable inserts, 1000 in flight', 'against transactions of 1000'],
      title: "1000 in flight against the rival's hand-written transactions of 1000",
      ours: 'clients1000',
      rivals: { sync: 'transaction' },
      limit: 'insert-group-1000',
      targets: { 'better-sqlite3': 1, 'node:sqlite': 1, 'bun:sqlite': 0.7 }
    }
  ],
  programs: {
    ours: { clients64: clients(64), clients1000: clients(1000) },
    async: { clients64: callbacks(64) },
    sync: {
      autocommit ({ lib }) {
        const insert = lib.prepare(SQL)
        let k = 0
        return {
          async check () {
            await reset(lib)
            for (const row of ROWS.slice(0, CHECKED)) insert.run(...row)
            return [lib.prepare(BACK).all(), CHECKED]
          },
          reset: () => reset(lib),
          round: ms => repeat(ms, () => {
            const row = ROWS[k++ & MASK]
            insert.run(row[0], row[1], row[2], row[3])
            return 1
          })
        }
      },
      transaction ({ lib }) {
        const insert = lib.prepare(SQL)
        let k = 0
        const step = lib.transaction(n => {
          for (let i = 0; i < n; i++) {
            const row = ROWS[k++ & MASK]
            insert.run(row[0], row[1], row[2], row[3])
          }
          return n
        })
        return {
          async check () {
            await reset(lib)
            k = 0
            step(CHECKED)
            return [lib.prepare(BACK).all(), CHECKED]
          },
          reset: () => reset(lib),
          round: ms => repeat(ms, () => step(IN_TRANSACTION))
        }
      }
    }
  }
}
