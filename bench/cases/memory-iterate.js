'use strict'

// How much memory does it take to go through a million rows?

const { now } = require('../lib/loop')
const { rss, settle } = require('../lib/memory')

// Ten times the table: a million rows of five columns without a second file.
const sqlOf = times =>
  `with recursive t(n) as (select 1 union all select n + 1 from t where n < ${times})
   select id, name, age, city, created_at from t cross join user`
const TIMES = 10
const LOOK = 5000 // rows between two looks at the resident memory

let sum = 0

let most = 0
let seen = 0

function look (row) {
  sum += row.id
  if (++seen % LOOK === 0) most = Math.max(most, rss())
}

/** `pass(times)` goes through `times` × 100,000 rows. */
function measured (pass, scale) {
  return {
    async round () {
      // A first pass brings code and caches in; what counts is the million.
      await pass(1)
      await settle()
      const before = most = rss()
      const start = now()
      seen = 0
      await pass(scale(TIMES))
      const seconds = (now() - start) / 1000
      return { megabytes: (most - before) / 1e6, rate: seen / seconds }
    }
  }
}

module.exports = {
  title: 'Memory of `iterate`',
  unit: 'MB',
  measure: 'megabytes',
  better: 'lower',
  once: true,
  flags: { node: ['--expose-gc'] },
  rows: [
    {
      name: 'iterate-memory',
      title: 'resident memory above start while 1 M rows are iterated',
      ours: 'iterate',
      rivals: { sync: 'iterate' },
      targets: {},
      atMost: { node: 64, bun: 64 }
    },
    {
      name: 'iterate-rate',
      title: '`for await` over 1 M rows',
      measure: 'rate',
      better: 'higher',
      unit: 'rows/s',
      ours: 'iterate',
      rivals: { sync: 'iterate' },
      targets: {}
    }
  ],
  programs: {
    ours: {
      iterate: ({ lib: { db }, scale }) => measured(async times => {
        for await (const row of db.iterate(sqlOf(times))) look(row)
      }, scale)
    },
    sync: {
      iterate: ({ lib, scale }) => measured(times => {
        for (const row of lib.prepare(sqlOf(times)).iterate()) look(row)
      }, scale)
    }
  },
  sum: () => sum
}
