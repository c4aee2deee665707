'use strict'

// How long until a database that exists has given its first row?

const { now } = require('../lib/loop')
const { quantile } = require('../lib/stats')

const SQL = 'select id, randomnumber from world where id = ?'
const LEAST = 3 // openings in a round, however short it is

let sum = 0

async function openings (ms, open) {
  const seen = []
  const end = now() + ms
  while (seen.length < LEAST || now() < end) {
    const before = now()
    const { row, close } = await open()
    seen.push(now() - before)
    sum += row.randomnumber
    await close()
  }
  return { p50: quantile(seen, 0.5) }
}

module.exports = {
  title: '`open`',
  unit: 'ms',
  measure: 'p50',
  better: 'lower',
  opensItself: true,
  rows: [{
    name: 'open',
    title: '`open()` to the first row, p50',
    ours: 'open',
    rivals: { sync: 'open', async: 'open' },
    targets: {}
  }],
  programs: {
    ours: { open: program(lib => lib.db.get(SQL, [1])) },
    sync: { open: program(lib => lib.prepare(SQL).get(1)) },
    async: { open: program(lib => lib.prepare(SQL).get(1)) }
  },
  sum: () => sum
}

function program (first) {
  return ({ contestant, job }) => {
    async function open () {
      const lib = await contestant.open(job.file, job.settings)
      return { row: await first(lib), close: () => lib.close() }
    }
    return {
      async check () {
        const { row, close } = await open()
        await close()
        return row
      },
      round: ms => openings(ms, open)
    }
  }
}
