'use strict'

// The requests of a service: 20 reads each, and 20 reads followed by as many updates, for 16 callers.

const { load } = require('../../lib/hop')
const { WORLDS, randoms } = require('../../lib/data')
const { programs, targets } = require('../../lib/pg-case')

const READ = 'select id, randomnumber from world where id = $1'
const WRITE = 'update world set randomnumber = $1 where id = $2'
const CALLERS = 16
const EACH = 20
const IDS = randoms(65536, 1, WORLDS)

let sum = 0
let k = 0

// Ids of one request, each once and in order: two requests cannot lock each other out.
function some () {
  const ids = new Set()
  while (ids.size < EACH) ids.add(IDS[k++ & (IDS.length - 1)])
  return [...ids].sort((a, b) => a - b)
}

function reads ({ all, context }) {
  const read = all(READ)
  return {
    check: () => Promise.all([1, 7, WORLDS].map(id => read([id]))),
    round: load(CALLERS, context, async () => {
      const rows = await Promise.all(some().map(id => read([id])))
      for (const [row] of rows) sum += row.randomnumber
    })
  }
}

function updates ({ all, context }) {
  const read = all(READ)
  const write = all(WRITE)
  return {
    check: async () => {
      await write([77, 1])
      return [await read([1]), await write([77, -1])].map(rows => [...rows])
    },
    round: load(CALLERS, context, async () => {
      const ids = some()
      const rows = await Promise.all(ids.map(id => read([id])))
      await Promise.all(rows.map(([row]) => write([row.randomnumber % WORLDS + 1, row.id])))
    })
  }
}

const made = programs({ reads, updates })
// A statement that has no rows is run, and not read.
made.ours.updates = (context) => {
  const { db } = context.lib
  const read = db.prepare(READ)
  const write = db.prepare(WRITE)
  return updates({ all: text => text === READ ? values => read.all(values) : async values => { await write.run(values); return [] }, context })
}

module.exports = {
  title: 'Requests of 20 statements',
  unit: 'requests/s',
  rows: [
    { name: 'queries', label: ['20 queries', '× 16 callers'], title: '20 queries a request, 16 callers', ours: 'reads', rivals: { pool: 'reads' }, targets: targets({ node: 4, bun: 2 }) },
    { name: 'updates', label: ['20 read-then-updates', '× 16 callers'], title: '20 reads, then 20 updates, each durable by itself, 16 callers', ours: 'updates', rivals: { pool: 'updates' }, targets: targets({ node: 2, bun: 1.5 }) }
  ],
  programs: made,
  sum: () => sum
}
