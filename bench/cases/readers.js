'use strict'

// What does a second reader thread add, where a query has something to do?

const { inFlight, repeat } = require('../lib/loop')
const { randoms } = require('../lib/data')

const SQL = 'select count(*) as n, sum(length(city)) as length from user where age < ?'
const AGES = randoms(256, 5, 15)
const MASK = AGES.length - 1
const CLIENTS = 8

let sum = 0
let k = 0

function readers ({ lib: { db } }) {
  const query = db.prepare(SQL)
  const call = async () => {
    sum += (await query.get([AGES[k++ & MASK]])).n
  }
  return {
    check: () => Promise.all([5, 10, 15].map(age => query.get([age]))),
    round: ms => inFlight(CLIENTS, ms, call)
  }
}

module.exports = {
  title: 'Two readers',
  unit: 'queries/s',
  options: { one: { readers: 1 }, two: { readers: 2 } },
  rows: [{
    name: 'two-readers',
    title: 'a scan of 100,000 rows, 8 in flight: two readers against one',
    ours: 'two',
    rivals: { ours: 'one', sync: 'blocking' },
    limit: 'scan',
    targets: {}
  }],
  programs: {
    ours: { one: readers, two: readers },
    sync: {
      blocking ({ lib }) {
        const query = lib.prepare(SQL)
        return {
          check: () => [5, 10, 15].map(age => query.get(age)),
          round: ms => repeat(ms, () => {
            sum += query.get(AGES[k++ & MASK]).n
            return 1
          })
        }
      }
    }
  },
  sum: () => sum
}
