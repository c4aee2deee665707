'use strict'

// RESULTS.md: the door into the process. What markdown-ipc.js needs of it is
// exported too.

const limits = require('../limits').addon
const { amount, withUnit, times, percent } = require('./format')
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

const MARKS = { reached: ' ✓', missed: ' ✗ below target', lost: ' ▼ slower', ahead: '' }

function columnsOf (run) {
  return COLUMNS.flatMap(({ rival, kind }) => run.runtimes
    .filter(runtime => runtime.kind === kind && !runtime.skip)
    .map(({ name, version }) => ({ rival, runtime: name, version })))
}

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return [
    '# Results',
    '',
    '<!-- Written by `npm run bench -- --write`; changes by hand are lost. -->',
    '',
    ...intro(run),
    '',
    '![How many times faster than each rival](results.svg)',
    '',
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
      : []),
    '## What was measured',
    '',
    ...versions(run),
    '',
    ...compileOptions(run),
    ''
  ].join('\n')
}

/** `equal`: what is the same for all, when it is no database. */
function intro ({ date, commit, machine, timing, settings, command, seconds, mode }, equal) {
  const same = equal || 'Every library has the same file, WAL, ' +
    `\`synchronous = ${settings.synchronous}\`, a page cache of ${settings.cacheKiB / 1000} MB and no memory map`
  const lines = [
    `Measured ${date.slice(0, 10)} at commit ${commit} on ${machine.cpu}, ${machine.cores} cores, ` +
    `${machine.memoryGiB} GiB, ${machine.system}; files on ${machine.fileSystem}, whose disk ` +
    `has 4 KiB in ${machine.syncMicroseconds} µs (\`fdatasync\`).`,
    '',
    `\`${command}\`: ${timing.rounds} rounds of ${timing.ms} ms for each contestant, ` +
    `interleaved, after a warm-up of ${timing.warmMs} ms, each in its own process; ` +
    `${Math.round(seconds / 60)} minutes. ${same}. How it measures: [README.md](README.md).`
  ]
  if (mode !== 'full') lines.push('', `**A ${mode} run: too short to compare.**`)
  return lines
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

const titled = (runtime, version) =>
  runtime.startsWith('node') ? `Node ${version.split('.')[0]}` : `Bun ${version}`

const line = cells => `| ${cells.map(text => text.replace(/\|/g, '\\|')).join(' | ')} |`

function cell (row, name) {
  if (!row) return '–'
  if (!row.ours) return row.reason
  const rival = row.rivals.find(it => it.name === name)
  if (!rival) return '–'
  if (!rival.ratio) return rival.reason
  const { ratio, target, verdict } = rival
  const aim = target === null ? '' : ` of ${target}×`
  return `**${times(ratio.median)}**${aim}${MARKS[verdict]}<br>${times(ratio.min)} to ${times(ratio.max)}`
}

/** Under the table: why a row falls short, where a profile has said so. */
function limitNotes (rows, limits) {
  const notes = rows
    .filter(({ name, on }) => limits[name] && [...on.values()].some(short))
    .map(({ name, title }) => `- ${title}: ${limits[name]}`)
  return notes.length ? ['What limits the rows that fall short:', '', ...notes, ''] : []
}

function short ({ bound, rivals }) {
  return (bound && !bound.reached) ||
    rivals.some(({ verdict }) => verdict === 'missed' || verdict === 'lost')
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

const ranged = ({ median, min, max }, unit) =>
  `${withUnit(median, unit)} (${amount(min)} to ${amount(max)})`

function versions ({ runtimes }) {
  const lines = []
  for (const { name, version, skip, contestants } of runtimes) {
    if (skip) {
      lines.push(`- ${name}: skipped, ${skip}`)
      continue
    }
    lines.push(`- ${name} ${version}`)
    for (const [contestant, it] of Object.entries(contestants)) {
      if (it.skip || it.error) continue
      lines.push(`  - ${contestant} ${it.version}, ${it.about || `SQLite ${it.sqlite}`}`)
    }
  }
  return lines
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

module.exports = { markdown, series, intro, titled, line, short, limitNotes, ranged, versions, MARKS }
