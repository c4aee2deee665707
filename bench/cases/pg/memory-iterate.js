'use strict'

// How much memory does it take to go through a million rows?

const { now } = require('../../lib/loop')
const { rss, settle } = require('../../lib/memory')

const TIMES = 10
const LOOK = 5000 // rows between two looks at the resident memory
const sqlOf = times => `select p.id, p.name, p.age, p.city, p.created_at from generate_series(1, ${times}) t, person p`

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

const row = { ours: 'iterate', rivals: { pool: 'iterate' }, targets: {} }

module.exports = {
  title: 'Memory of `iterate`',
  unit: 'MB',
  measure: 'megabytes',
  better: 'lower',
  once: true,
  flags: { node: ['--expose-gc'] },
  rows: [
    { ...row, name: 'iterate-memory', title: 'resident memory above start while 1 M rows are iterated', atMost: { node: 32, bun: 32 } },
    { ...row, name: 'iterate-rate', title: '`for await` over 1 M rows', measure: 'rate', better: 'higher', unit: 'rows/s' }
  ],
  programs: {
    ours: {
      iterate: ({ lib: { db }, scale }) => measured(async times => {
        for await (const one of db.iterate(sqlOf(times))) look(one)
      }, scale)
    },
    pool: {
      iterate: ({ lib, scale }) => lib.iterate === null ? { skip: 'it has no cursors' } : measured(times => lib.iterate(sqlOf(times), look), scale)
    }
  },
  sum: () => sum
}
