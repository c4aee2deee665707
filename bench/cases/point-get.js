'use strict'

// How fast is a blocking read of one row by its primary key?

const { repeat } = require('../lib/loop')
const { WORLDS, randoms } = require('../lib/data')

const SQL = 'select id, randomnumber from world where id = ?'
const IDS = randoms(65536, 1, WORLDS)
const MASK = IDS.length - 1
const STEP = 500 // gets between two looks at the clock
const IN_TRANSACTION = 10000 // gets in each of the rival's transactions

let sum = 0 // the rows are used, so that no JIT can leave them out

function everyRow (get) {
  const rows = []
  for (let id = 1; id <= WORLDS; id++) rows.push(get(id))
  return [...rows, get(-1) ?? null]
}

module.exports = {
  title: 'Sync point `get`',
  unit: 'gets/s',
  rows: [
    {
      name: 'point-get',
      label: ['Sync get', 'against autocommit'],
      title: 'sync point `get`, rival in autocommit',
      ours: 'sync',
      rivals: { sync: 'autocommit' },
      limit: 'get-transaction',
      targets: { 'better-sqlite3': 4, 'node:sqlite': 4, 'bun:sqlite': 4 }
    },
    {
      name: 'point-get-transaction',
      label: ['Sync get', 'against a read transaction'],
      title: 'the same, rival inside a hand-written read transaction',
      ours: 'sync',
      rivals: { sync: 'transaction' },
      limit: 'get-transaction',
      targets: { 'better-sqlite3': 1.5, 'node:sqlite': 1.5, 'bun:sqlite': 1 }
    }
  ],
  also: ['c/get-autocommit'],
  programs: {
    ours: {
      sync ({ lib: { db } }) {
        const query = db.sync.prepare(SQL)
        let k = 0
        return {
          check: () => everyRow(id => query.get([id])),
          round: ms => repeat(ms, () => {
            for (let i = 0; i < STEP; i++) sum += query.get([IDS[k++ & MASK]]).randomnumber
            return STEP
          })
        }
      }
    },
    sync: {
      autocommit ({ lib }) {
        const query = lib.prepare(SQL)
        let k = 0
        return {
          check: () => everyRow(id => query.get(id)),
          round: ms => repeat(ms, () => {
            for (let i = 0; i < STEP; i++) sum += query.get(IDS[k++ & MASK]).randomnumber
            return STEP
          })
        }
      },
      transaction ({ lib }) {
        const query = lib.prepare(SQL)
        let k = 0
        const step = lib.transaction(() => {
          for (let i = 0; i < IN_TRANSACTION; i++) {
            sum += query.get(IDS[k++ & MASK]).randomnumber
          }
          return IN_TRANSACTION
        })
        return {
          check: () => everyRow(id => query.get(id)),
          round: ms => repeat(ms, step)
        }
      }
    }
  },
  sum: () => sum
}
