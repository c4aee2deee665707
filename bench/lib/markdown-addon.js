'use strict'

// RESULTS.md: the door into the process.

const limits = require('../limits').addon
const { amount, withUnit, times, percent } = require('./format')
const { page, limitNotes, titled, line, ranged, MARKS } = require('./markdown')
const { decodeLine } = require('./decode')

// The columns of the first table: which rival, and on which runtimes.
const COLUMNS = [
  { rival: 'better-sqlite3', kind: 'node' },
  { rival: 'node:sqlite', kind: 'node' },
  { rival: 'bun:sqlite', kind: 'bun' }
]

// The bars of the chart: the rival, on the first of these runtimes that ran.
const series = [
  { rival: 'better-sqlite3', runtimes: ['node24', 'node26'], kind: 'a' },
  { rival: 'node:sqlite', runtimes: ['node24', 'node26'], kind: 'b' },
  { rival: 'bun:sqlite', runtimes: ['bun'], kind: 'c' }
]

function columnsOf (run) {
  return COLUMNS.flatMap(({ rival, kind }) => run.runtimes
    .filter(runtime => runtime.kind === kind && !runtime.skip)
    .map(({ name, version }) => ({ rival, runtime: name, version })))
}

// What the chart is called.
const heading = 'Undercroft in the process, against other SQLite packages: times faster'

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return page(run, {
    title: 'Results',
    flags: '',
    chart: 'results.svg',
    body: [
      '## Times faster than the rival',
      '',
      'The median over the rounds of Undercroft ÷ rival, smallest and largest below it; ' +
        'the target after "of". ✓ reached, ✗ faster but below its target, ▼ slower than the rival. ' +
        'A row without a target is reported as it is.',
      '',
      ...ratioTable(run, all.filter(row => row.better === 'higher')),
      '',
      ...limitNotes(all, limits),
      '## Latency, memory, start',
      '',
      'Less is better. Medians over the rounds; memory is one measurement in a fresh process.',
      '',
      ...valueTable(run, all.filter(row => row.better === 'lower')),
      '',
      '## Every figure',
      '',
      'Medians, with the smallest and largest round. "Of pure C" is the share of what a C program ' +
        'reaches with the same SQLite, options and work on one thread, in the same rounds: gets and ' +
        'rows in read transactions, inserts in transactions as large as the calls in flight.',
      '',
      ...table.flatMap(part => figures(part)),
      ...(run.decode
        ? ['## Reading requests', '', decodeLine(run.decode), '']
        : [])
    ],
    end: [...compileOptions(run), '']
  })
}

function ratioTable (run, rows) {
  const columns = columnsOf(run)
  const head = columns.map(({ rival, runtime, version }) => `${rival}, ${titled(runtime, version)}`)
  return [
    line(['Case', ...head]),
    line(['---', ...head.map(() => '---')]),
    ...rows.map(row => line([
      row.title,
      ...columns.map(({ rival, runtime }) => cell(row.on.get(runtime), rival))
    ]))
  ]
}

function cell (row, name) {
  if (!row) return '–'
  if (!row.ours) return row.reason
  const rival = row.rivals.find(it => it.name === name)
  if (!rival) return '–'
  if (!rival.ratio) return rival.reason
  const { ratio, target, verdict } = rival
  const aim = target === null ? '' : ` of ${times(target)}`
  return `**${times(ratio.median)}**${aim}${MARKS[verdict]}<br>${times(ratio.min)} to ${times(ratio.max)}`
}

function valueTable (run, rows) {
  const runtimes = run.runtimes.filter(({ skip }) => !skip)
  const head = runtimes.map(({ name, version }) => titled(name, version))
  return [
    line(['Case', ...head]),
    line(['---', ...head.map(() => '---')]),
    ...rows.map(row => line([
      row.title,
      ...runtimes.map(({ name }) => values(row.on.get(name)))
    ]))
  ]
}

function values (row) {
  if (!row) return '–'
  const ours = row.ours
    ? `**${withUnit(row.ours.median, row.unit)}**${boundText(row)}`
    : row.reason
  return [ours, ...row.rivals.map(({ name, value, reason }) =>
    `${name} ${value ? withUnit(value.median, row.unit) : reason}`)].join('<br>')
}

const boundText = ({ bound }) =>
  bound ? ` of ${bound.atMost}${bound.reached ? ' ✓' : ' ✗ above its limit'}` : ''

function figures ({ test, rows }) {
  const lines = [
    `### ${test.title}`,
    '',
    line(['Row', 'Runtime', 'Undercroft', 'Of pure C', 'Rivals']),
    line(['---', '---', '---', '---', '---'])
  ]
  for (const { title, on } of rows) {
    for (const [runtime, row] of on) {
      lines.push(line([
        title,
        runtime,
        row.ours ? ranged(row.ours, row.unit) : row.reason,
        row.limit ? `${row.share === null ? '' : percent(row.share)} of ${amount(row.limit.median)}` : '–',
        row.rivals.map(({ name, value, ratio, reason }) => value
          ? `${name} ${ranged(value, row.unit)}${ratio ? `: ${times(ratio.median)}` : ''}`
          : `${name}: ${reason}`).join('<br>') || '–'
      ]))
    }
  }
  return [...lines, '']
}

function compileOptions ({ runtimes }) {
  const options = new Map()
  for (const { name, skip, contestants } of runtimes) {
    if (skip) continue
    for (const [contestant, it] of Object.entries(contestants)) {
      if (it.skip || it.error) continue
      const text = it.options.join(' ')
      const key = `${contestant}\n${text}`
      if (!options.has(key)) options.set(key, { contestant, text, on: [] })
      options.get(key).on.push(name)
    }
  }
  return [
    'Compile options, from `pragma compile_options`:', '',
    ...[...options.values()].map(({ contestant, text, on }) => `- ${contestant} (${on.join(', ')}): ${text}`)
  ]
}

module.exports = { heading, markdown, series }
