'use strict'

// Durable inserts, each awaited: what a plain one costs, which may share a transaction, and one that may
// not and shares the flush alone.

const { load } = require('../../lib/hop')
const { programs, targets } = require('../../lib/pg-case')

const PLAIN = 'insert into note(body, n) values ($1, $2)'
// What begins with WITH is no plain INSERT to anybody.
const OTHER = 'with made as (insert into note(body, n) values ($1, $2) returning n) select n from made'
const COUNT = 'select count(*)::int as n from note where n = $1'

let n = 0

function inserts (text, inFlight) {
  return ({ all, context }) => {
    const insert = all(text)
    const count = all(COUNT)
    return {
      async check () {
        for (let i = 0; i < 3; i++) await insert(['a note', -1])
        return [...await count([-1])]
      },
      round: load(inFlight, context, () => insert(['a note of some length, as people write them', n++]))
    }
  }
}

const made = programs({
  plain64: inserts(PLAIN, 64),
  plain1000: inserts(PLAIN, 1000),
  other64: inserts(OTHER, 64),
  other1000: inserts(OTHER, 1000)
})
// It is run: there are no rows to read.
for (const [name, inFlight] of [['plain64', 64], ['plain1000', 1000]]) {
  made.ours[name] = (context) => {
    const { db } = context.lib
    const insert = db.prepare(PLAIN)
    return inserts(PLAIN, inFlight)({ all: text => text === PLAIN ? values => insert.run(values) : values => db.all(text, values), context })
  }
}

const row = (name, inFlight, what, want) => ({
  name: `insert-${name === 'plain' ? '' : `${name}-`}${inFlight}`,
  label: [name === 'plain' ? 'Durable insert' : 'The same, no shared transaction', `${inFlight} in flight`],
  title: `durable awaited inserts, ${inFlight} in flight, ${what}`,
  ours: `${name}${inFlight}`,
  rivals: { pool: `${name}${inFlight}` },
  targets: targets(want)
})

module.exports = {
  title: 'Durable inserts',
  unit: 'inserts/s',
  rows: [
    row('plain', 64, 'plain', { node: 5, bun: 4 }),
    row('plain', 1000, 'plain', { node: 8, bun: 6 }),
    row('other', 64, 'in a WITH', { node: 2.5, bun: 2 }),
    row('other', 1000, 'in a WITH', { node: 2.5, bun: 2 })
  ],
  programs: made,
  sum: () => n
}
