'use strict'

// How fast do 100,000 rows that are there already get into a table?

const { repeat, repeatAsync } = require('../lib/loop')
const { USERS, entry } = require('../lib/data')

const SQL = 'insert into entry (name, age, city, created_at) values (?, ?, ?, ?)'
const BACK = 'select count(*) as n, sum(age) as age, min(city) as first, max(created_at) as last from entry'
const RESET = ['delete from entry', 'pragma wal_checkpoint(truncate)']

function objects (n) {
  const rows = []
  for (let i = 1; i <= n; i++) rows.push(entry(i))
  return rows
}

const arrays = n => objects(n).map(row => Object.values(row))

async function reset (lib) {
  for (const sql of RESET) await lib.exec(sql)
}

// One pass a round: rounds on an empty table, all rows in one transaction.
function ours (rowsOf, insert) {
  return ({ lib, lib: { db }, scale }) => {
    const rows = rowsOf(scale(USERS))
    return {
      async check () {
        await reset(lib)
        const { changes } = await insert(db, rows)
        return [await db.all(BACK), changes]
      },
      reset: () => reset(lib),
      round: () => repeatAsync(0, async () => {
        await insert(db, rows)
        return rows.length
      })
    }
  }
}

function theirs (rowsOf, insertAll) {
  return ({ lib, scale }) => {
    const rows = rowsOf(scale(USERS))
    const insert = lib.prepare(SQL)
    const all = lib.transaction(rows => insertAll(insert, rows))
    return {
      async check () {
        await reset(lib)
        all(rows)
        return [lib.prepare(BACK).all(), rows.length]
      },
      reset: () => reset(lib),
      round: () => repeat(0, () => {
        all(rows)
        return rows.length
      })
    }
  }
}

module.exports = {
  title: '`insertMany` of 100,000 rows',
  unit: 'rows/s',
  writes: true,
  rows: [
    {
      name: 'insert-many',
      label: ['insertMany, 100,000 rows', 'against a loop in a transaction'],
      title: "`insertMany` of 100,000 rows (objects) against a loop in the rival's transaction",
      ours: 'objects',
      rivals: { sync: 'objects' },
      limit: 'insert-many',
      targets: { 'better-sqlite3': 1.3, 'node:sqlite': 1.3, 'bun:sqlite': 1 }
    },
    {
      name: 'many',
      title: '`db.many` of 100,000 rows (arrays), likewise',
      ours: 'arrays',
      rivals: { sync: 'arrays' },
      limit: 'insert-many',
      targets: {}
    }
  ],
  programs: {
    ours: {
      objects: ours(objects, (db, rows) => db.table('entry').insertMany(rows)),
      arrays: ours(arrays, (db, rows) => db.many(SQL, rows))
    },
    sync: {
      objects: theirs(objects, (insert, rows) => {
        for (let i = 0; i < rows.length; i++) {
          const row = rows[i]
          insert.run(row.name, row.age, row.city, row.created_at)
        }
      }),
      arrays: theirs(arrays, (insert, rows) => {
        for (let i = 0; i < rows.length; i++) {
          const row = rows[i]
          insert.run(row[0], row[1], row[2], row[3])
        }
      })
    }
  }
}
