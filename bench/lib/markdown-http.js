'use strict'

// HTTP.md: routes in files beside what a service is written with otherwise. The servers
// bring their runtimes, so there is one column.

const limits = require('../limits').http
const { median } = require('./stats')
const { percent } = require('./format')
const { page, tableOf, limitNotes } = require('./markdown')

// The only column is of the process that asks.
const runtimes = ['node20', 'node22', 'node24', 'node26']
const series = [
  { rival: 'axum + diesel', kind: 'a' },
  { rival: 'Bun.serve + bun:sqlite', kind: 'b' },
  { rival: 'Hono + bun:sqlite', kind: 'c' },
  { rival: 'Elysia + bun:sqlite', kind: 'd' },
  { rival: 'node:http + better-sqlite3', kind: 'e' },
  { rival: 'fastify + better-sqlite3', kind: 'f' }
].map(each => ({ ...each, runtimes, isServer: true }))

// What the chart is called.
const heading = 'Routes over HTTP, processor time of a request: times less'

const isCharted = ({ measure }) => measure === 'cpu'

// A server that used less of its processor waited for wrk.
const BUSY = 0.9

const HEAD = ['Undercroft, and its rivals']

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  const ofMeasure = measure => all.filter(row => row.measure === measure)
  return page(run, {
    title: 'Results of HTTP',
    flags: '--door http ',
    chart: 'http.svg',
    same: sameFor(run),
    body: [
      '## Processor time of a request',
      '',
      'That of all threads of the server and of what it has started, from `/proc/<pid>`, for each ' +
        'request, in microseconds. First Undercroft, in bold; then each rival with its value, the median ' +
        'over the rounds of rival ÷ Undercroft, the smallest and largest in brackets, the target after "of". ' +
        '✓ reached, ✗ better but below its target, ▼ worse than the rival. Every figure of Undercroft is ' +
        'that of routes in files (bench/routes, bench/techempower/routes), but for what is called by hand.',
      '',
      ...tableOf(run, ofMeasure('cpu'), { head: HEAD }),
      '',
      ...limitNotes(ofMeasure('cpu'), limits),
      '## Requests a second',
      '',
      'wrk -t1 -c64; the ratio is Undercroft ÷ rival.',
      '',
      ...tableOf(run, ofMeasure('rate'), { head: HEAD }),
      '',
      ...limitNotes(ofMeasure('rate'), limits),
      ...idleNotes(run, table),
      '## A crowd',
      '',
      'The p99 of the latency that wrk sees while the others are connected and silent, slow or idle, ' +
        'and while they are not there.',
      '',
      ...tableOf(run, ofMeasure('p99'), { head: HEAD }),
      '',
      ...limitNotes(ofMeasure('p99'), limits)
    ]
  })
}

function sameFor ({ pinned, settings }) {
  const where = pinned
    ? 'Each server has one processor, wrk another one'
    : 'Servers and wrk shared the processors'
  return `${where}. Everybody has a copy of the same file with 400,000 people, WAL, ` +
    `\`synchronous = normal\` where nothing else is said, a page cache of ${settings.cacheKiB / 1000} MB and no ` +
    'memory map; and before the clock runs, everybody\'s answers are compared'
}

/** Which servers waited for wrk, since their requests a second are then wrk's. */
function idleNotes ({ cases }, table) {
  const notes = cases.flatMap(({ name, results }) => {
    const test = table.find(part => part.test.name === name)?.test
    if (test === undefined) return []
    const idle = Object.entries(results)
      .map(([key, { rounds = [] }]) => ({ key, busy: median(rounds.map(round => round.busy)) }))
      .filter(({ busy }) => busy < BUSY)
    return idle.length === 0 ? [] : [`- ${test.title}: ${idle.map(({ key, busy }) => `${nameOf(key)} ${percent(busy)}`).join(', ')}`]
  })
  if (notes.length === 0) return []
  return [`These servers used less than ${percent(BUSY)} of their processor, and waited for wrk:`, '', ...notes, '']
}

function nameOf (key) {
  const at = key.lastIndexOf('/')
  const name = key.slice(0, at)
  return name === 'undercroft' ? `${name}, ${key.slice(at + 1)}` : name
}

module.exports = { heading, markdown, series, isCharted, idleNotes }
