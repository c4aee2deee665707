'use strict'

// How fast do a hundred rows of five columns become objects?

const { repeat } = require('../lib/loop')
const { USERS, TRAVELLERS, ID_STEP, randoms } = require('../lib/data')

const SQL = 'select id, name, age, city, created_at from user where id > ? order by id limit 100'
const FAR_SQL = SQL.replace('user', 'traveller')
const STARTS = randoms(4096, 0, (USERS - 100) * ID_STEP)
const FAR_STARTS = randoms(4096, 0, (TRAVELLERS - 100) * ID_STEP)
const MASK = STARTS.length - 1
const STEP = 10

let sum = 0

// Every row is looked at once, so that a lazy row would have to become real.
function use (rows) {
  for (let i = 0; i < rows.length; i++) sum += rows[i].id
}

function program (all, starts) {
  let k = 0
  return {
    check: () => [all(0), all(354757), all(USERS * ID_STEP)],
    round: ms => repeat(ms, () => {
      for (let i = 0; i < STEP; i++) use(all(starts[k++ & MASK]))
      return STEP
    })
  }
}

function ours (sql, starts) {
  return ({ lib: { db } }) => {
    const query = db.sync.prepare(sql)
    return program(start => query.all([start]), starts)
  }
}

function theirs (sql, starts) {
  return ({ lib }) => {
    const query = lib.prepare(sql)
    return program(start => query.all(start), starts)
  }
}

module.exports = {
  title: 'Sync `all` of 100 rows',
  unit: 'queries/s',
  rows: [
    {
      name: 'all-100',
      label: ['Sync all', '100 rows of 5 columns'],
      title: 'sync `all` of 100 rows, 5 columns',
      ours: 'ascii',
      rivals: { sync: 'ascii' },
      limit: 'all-100',
      targets: { 'better-sqlite3': 1.5, 'node:sqlite': 2.5, 'bun:sqlite': 1 }
    },
    {
      name: 'all-100-text',
      title: 'the same rows, one in ten with text beyond ASCII',
      ours: 'text',
      rivals: { sync: 'text' },
      limit: 'all-100',
      targets: {}
    }
  ],
  programs: {
    ours: { ascii: ours(SQL, STARTS), text: ours(FAR_SQL, FAR_STARTS) },
    sync: { ascii: theirs(SQL, STARTS), text: theirs(FAR_SQL, FAR_STARTS) }
  },
  sum: () => sum
}
