'use strict'

// IPC.md: the door of the daemon. Rivals differ from row to row, so a table has a
// column for each runtime and names the rivals in its cells.

const limits = require('../limits').ipc
const { withUnit, times, percent } = require('./format')
const { intro, titled, line, limitNotes, versions, MARKS } = require('./markdown')

// The bars of the chart: the rival, on the first of these runtimes that ran.
const node = ['node24', 'node26']
const series = [
  { rival: 'ioredis', runtimes: node, kind: 'a' },
  { rival: 'redis', runtimes: node, kind: 'b' },
  { rival: 'better-sqlite3 in a thread', runtimes: node, kind: 'c' },
  { rival: 'better-sqlite3 in each process', runtimes: node, kind: 'c' },
  { rival: 'node:net', runtimes: node, kind: 'd' }
]

const LATENCY_MARKS = { ...MARKS, lost: ' ▼ above it' }

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return [
    '# Results of the IPC door',
    '',
    '<!-- Written by `npm run bench -- --door ipc --write`; changes by hand are lost. -->',
    '',
    ...intro(run),
    '',
    'Client and server are two processes that share the processors, as they do in a service; ' +
      'only worker_threads and SQLite in a thread are one. The C limit is both sides of a socket in C: ' +
      'no request is parsed and none is looked up.',
    '',
    '![How many times faster than each rival](ipc.svg)',
    '',
    '## Times faster than the rival',
    '',
    'First Undercroft, in bold; then each rival, the median over the rounds of Undercroft ÷ rival, ' +
      'the smallest and largest in brackets, the target after "of". ✓ reached, ✗ faster but below ' +
      'its target, ▼ slower than the rival. A row without a target is reported as it is.',
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
    '',
    '## What was measured',
    '',
    ...versions(run),
    ''
  ].join('\n')
}

function tableOf (run, rows, limitName = 'C') {
  const runtimes = run.runtimes.filter(({ skip }) => !skip)
  const head = runtimes.map(({ name, version }) => titled(name, version))
  return [
    line(['Case', ...head]),
    line(['---', ...head.map(() => '---')]),
    ...rows.map(row => line([row.title, ...runtimes.map(({ name }) => cell(row.on.get(name), limitName))]))
  ]
}

function cell (row, limitName) {
  if (!row) return '–'
  return [
    ...oursText(row),
    ...row.rivals.map(rival => rivalText(rival, row)),
    ...(row.limit ? [`${limitName}: ${withUnit(row.limit.median, row.unit)}${row.share ? `, ours is ${percent(row.share)}` : ''}`] : [])
  ].join('<br>')
}

function oursText ({ ours, unit, bound, reason }) {
  if (!ours) return [reason]
  const aim = bound ? ` of ${bound.atMost}${bound.reached ? ' ✓' : ' ✗ above its limit'}` : ''
  return [`**${withUnit(ours.median, unit)}**${aim}`]
}

function rivalText ({ name, value, ratio, target, verdict, reason }, { unit, better }) {
  if (!value) return `${name}: ${reason}`
  const text = `${name} ${withUnit(value.median, unit)}`
  if (!ratio || !Number.isFinite(ratio.median)) return text
  const aim = target === null ? '' : ` of ${target}×`
  const mark = (better === 'lower' ? LATENCY_MARKS : MARKS)[verdict]
  return `${text}: **${times(ratio.median)}**${aim}${mark} (${times(ratio.min)} to ${times(ratio.max)})`
}

module.exports = { markdown, series, tableOf }
