'use strict'

// A hundred rows of five columns as objects, and the same as the bytes of a JSON body.

const { load } = require('../../lib/hop')
const { randoms } = require('../../lib/data')
const { programs, targets } = require('../../lib/pg-case')

const SQL = 'select id, name, age, city, created_at from person where id > $1 order by id limit 100'
const IN_FLIGHT = 64

let sum = 0
let k = 0

const startsOf = people => randoms(4096, 0, people - 100)

function objects ({ all, people, context }) {
  const query = all(SQL)
  const starts = startsOf(people)
  return {
    check: () => Promise.all([0, 777, people].map(start => query([start]))),
    round: load(IN_FLIGHT, context, async () => {
      const rows = await query([starts[k++ % starts.length]])
      for (let i = 0; i < rows.length; i++) sum += rows[i].id
    })
  }
}

// A body of JSON: Undercroft's is made of the server's bytes by C, a pool's by JSON.stringify.
function json (body, { people, context }) {
  const starts = startsOf(people)
  return {
    check: async () => (await Promise.all([0, 777, people].map(body))).map(String),
    round: load(IN_FLIGHT, context, async () => { sum += (await body(starts[k++ % starts.length])).length })
  }
}

const made = programs({ load: objects, json: ({ all, people, context }) => json(async start => Buffer.from(JSON.stringify(await all(SQL)([start]))), { people, context }) })
made.ours.json = (context) => {
  const query = context.lib.db.prepare(SQL)
  return json(start => query.json([start]), { people: context.job.service.people, context })
}

const row = {
  name: 'all-100',
  label: ['All of 100 rows', '64 in flight'],
  title: '`all` of 100 rows, 5 columns, 64 in flight',
  ours: 'load',
  rivals: { pool: 'load' },
  limit: 'all-100',
  targets: targets({ node: 2, bun: 1.2 })
}

module.exports = {
  title: 'A hundred rows',
  unit: 'queries/s',
  rows: [
    row,
    { ...row, name: 'json-100', label: ['100 rows as JSON', '64 in flight'], title: '100 rows as a JSON body, 64 in flight', ours: 'json', rivals: { pool: 'json' }, targets: targets({ node: 2.5, bun: 1.5 }) },
    { name: 'all-100-cpu', title: '`all` of 100 rows: processor time of the client', unit: 'µs', measure: 'cpuBoth', better: 'lower', ours: 'load', rivals: { pool: 'load' } }
  ],
  programs: made,
  sum: () => sum
}
