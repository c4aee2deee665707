'use strict'

// IPC.md: the door of the daemon. Rivals differ from row to row, so a table has a
// column for each runtime and names the rivals in its cells.

const limits = require('../limits').ipc
const { page, tableOf, limitNotes, MORE_IS_BETTER } = require('./markdown')

// The bars of the chart: the rival, on the first of these runtimes that ran.
const node = ['node24', 'node26']
const series = [
  { rival: 'ioredis', runtimes: node, kind: 'a' },
  { rival: 'redis', runtimes: node, kind: 'b' },
  { rival: 'better-sqlite3 in a thread', runtimes: node, kind: 'c' },
  { rival: 'better-sqlite3 in each process', runtimes: node, kind: 'e' },
  { rival: 'node:net', runtimes: node, kind: 'd' }
]

// What the chart is called.
const heading = 'The daemon, against Redis, sockets, threads and processes: times faster'

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return page(run, {
    title: 'Results of the IPC door',
    flags: '--door ipc ',
    chart: 'ipc.svg',
    lead: [
      'Client and server are two processes that share the processors, as they do in a service; ' +
        'only worker_threads and SQLite in a thread are one. The C limit is both sides of a socket in C: ' +
        'no request is parsed and none is looked up.',
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
      'Less is better; the ratio is rival ÷ Undercroft. Medians over the rounds; processor time is ' +
        'that of all threads of a process for each request, of the client from `process.cpuUsage()`, of ' +
        'the server from `/proc/<pid>`.',
      '',
      ...tableOf(run, all.filter(row => row.better === 'lower')),
      ''
    ]
  })
}

module.exports = { heading, markdown, series }
