'use strict'

// A hundred thousand objects into a table: as hand-written COPY, as arrays with unnest, and by insertMany.

const { programs, targets } = require('../../lib/pg-case')
const { now } = require('../../lib/loop')

const ROWS = 100_000
const COLUMNS = ['id', 'name', 'age', 'city', 'created_at']
const UNNEST = 'insert into bulk(id, name, age, city, created_at) select * from unnest($1::int[], $2::text[], $3::int[], $4::text[], $5::int[])'

const objects = count => Array.from({ length: count }, (_, i) => ({ id: i, name: `name ${i}`, age: i % 90, city: `city ${i % 500}`, created_at: 1700000000 + i }))

// fill(rows) puts them there.
function program (fill, { all, context }) {
  const rows = objects(context.scale(ROWS))
  const look = all('select count(*)::int as n, sum(age)::int as ages, max(name) as last from bulk')
  const clear = all('truncate bulk')
  return {
    async check () {
      await clear([])
      await fill(rows.slice(0, 50))
      const found = [...await look([])]
      await clear([])
      return found
    },
    async round () {
      const start = now()
      await fill(rows)
      const rate = rows.length * 1000 / (now() - start)
      await clear([])
      return { rate }
    }
  }
}

const made = programs({
  copy: ({ all, context }) => {
    const { lib } = context
    if (lib.copy === null) return { skip: 'it has no COPY' }
    return program(rows => lib.copy('bulk', COLUMNS.join(', '), rows.map(row => COLUMNS.map(name => row[name]))), { all, context })
  },
  unnest: ({ all, context }) => {
    const insert = all(UNNEST)
    // Arrays as text: there are drivers that have no others.
    const text = (rows, name) => `{${rows.map(row => typeof row[name] === 'string' ? `"${row[name]}"` : row[name]).join()}}`
    return program(rows => insert(COLUMNS.map(name => text(rows, name))), { all, context })
  }
})
made.ours = {
  insertMany: (context) => {
    const { db } = context.lib
    const table = db.table('bulk')
    return program(rows => table.insertMany(rows), {
      all: text => values => /^truncate/.test(text) ? db.exec(text) : db.all(text, values), context
    })
  }
}

module.exports = {
  title: 'A hundred thousand rows at once',
  unit: 'rows/s',
  once: false,
  roundMs: 1000,
  rows: [
    { name: 'insert-many', label: ['100,000 rows', 'against COPY by hand'], title: '100,000 objects by `insertMany`, against COPY by hand', ours: 'insertMany', rivals: { pool: 'copy' }, targets: targets({ node: 1 }) },
    { name: 'insert-many-unnest', title: '100,000 objects by `insertMany`, against arrays and unnest', ours: 'insertMany', rivals: { pool: 'unnest' }, targets: targets({ bun: 1.2 }) }
  ],
  programs: made
}
