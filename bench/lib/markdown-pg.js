'use strict'

// PG.md: the door of PostgreSQL. Rivals differ from row to row and stand there with each size of their pool,
// so a table has a column for each runtime and names the rivals in its cells.

const limits = require('../limits').pg
const { page, tableOf, limitNotes, MORE_IS_BETTER } = require('./markdown')

// The bars of the chart: the rival, on the first of these runtimes that ran.
const node = ['node24', 'node26', 'node']
const series = [
  { rival: 'postgres.js, 10', runtimes: node, kind: 'a' },
  { rival: 'pg, 10', runtimes: node, kind: 'b' },
  { rival: 'pg, pipelined, 4', runtimes: node, kind: 'c' },
  { rival: 'pg-native, 10', runtimes: ['node'], kind: 'd' },
  { rival: 'Bun.SQL, 10', runtimes: ['bun'], kind: 'e' }
]

// What the chart is called.
const heading = 'PostgreSQL, against the drivers of Node and Bun: times faster'

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return page(run, {
    title: 'Results on PostgreSQL',
    flags: '--door pg ',
    chart: 'pg.svg',
    same: `All have the same server, PostgreSQL ${run.server.version} with fsync, full_page_writes and ` +
      'synchronous_commit on, behind a unix socket, on the same processors, and a database each',
    lead: [
      'The number behind the name of a rival is the size of its pool. The C limit has two connections, as many queries in ' +
        'flight and one Sync for those that leave together: it counts what comes and makes no object of it.',
      ''
    ],
    body: [
      '## Times faster than the rival',
      '',
      MORE_IS_BETTER,
      '',
      ...tableOf(run, all.filter(row => row.better === 'higher')),
      '',
      ...limitNotes(all, limits),
      '## Latency, processor time, memory',
      '',
      'Less is better; the ratio is rival ÷ Undercroft. Medians over the rounds; processor time is that of all threads of ' +
        'the client for each request.',
      '',
      ...tableOf(run, all.filter(row => row.better === 'lower')),
      ''
    ]
  })
}

module.exports = { heading, markdown, series }
