'use strict'

// What the pages with results share: the page itself, the table with a column
// for each runtime and the rivals in its cells, notes and versions.

const { amount, withUnit, times, percent } = require('./format')

const MARKS = { reached: ' ✓', missed: ' ✗ below target', lost: ' ▼ slower', ahead: '' }
const LATENCY_MARKS = { ...MARKS, lost: ' ▼ above it' }

// Over a table of `tableOf`.
const MORE_IS_BETTER = 'First Undercroft, in bold; then each rival, the median over the rounds of ' +
  'Undercroft ÷ rival, the smallest and largest in brackets, the target after "of". ✓ reached, ' +
  '✗ faster but below its target, ▼ slower than the rival. A row without a target is reported as it is.'

/**
 * A page. about: {
 *   title, flags    what it is called, and the options of the run that writes it
 *   chart           the name of the chart's file
 *   same            what is the same for all, when it is no database
 *   lead, end       lines before the chart and behind the versions
 *   body            lines between the chart and the versions, paragraphs with
 *                   an empty line behind each
 * }
 */
function page (run, { title, flags, chart, same, lead = [], body, end = [] }) {
  return [
    `# ${title}`,
    '',
    `<!-- Written by \`npm run bench -- ${flags}--write\`; changes by hand are lost. -->`,
    '',
    ...intro(run, same),
    '',
    ...lead,
    `![How many times faster than each rival](${chart})`,
    '',
    ...body,
    '## What was measured',
    '',
    ...versions(run),
    '',
    ...end
  ].join('\n')
}

/** `equal`: what is the same for all, when it is no database. */
function intro ({ date, commit, machine, timing, settings, command, seconds, mode }, equal) {
  const same = equal || 'Every library has the same file, WAL, ' +
    `\`synchronous = ${settings.synchronous}\`, a page cache of ${settings.cacheKiB / 1000} MB and no memory map` +
    (settings.synchronous === 'full' ? ' (better-sqlite3 by itself is compiled to NORMAL in WAL, where a power cut may take the last commits; it is set to FULL here)' : '')
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

const titled = (runtime, version) =>
  runtime.startsWith('node') ? `Node ${version.split('.')[0]}` : `Bun ${version}`

const line = cells => `| ${cells.map(text => text.replace(/\|/g, '\\|')).join(' | ')} |`

/** `head`: the titles of the columns, when they are not runtimes. */
function tableOf (run, rows, { limitName = 'C', head } = {}) {
  const runtimes = run.runtimes.filter(({ skip }) => !skip)
  head ??= runtimes.map(({ name, version }) => titled(name, version))
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
  return [`**${withUnit(ours.median, unit)}**${bound ? boundText(bound) : ''}`]
}

function boundText ({ atMost, atLeast, reached }) {
  if (atMost === undefined) return ` of ${atLeast}${reached ? ' ✓' : ' ✗ below it'}`
  return ` of ${atMost}${reached ? ' ✓' : ' ✗ above its limit'}`
}

function rivalText ({ name, value, ratio, target, verdict, reason }, { unit, better }) {
  if (!value) return `${name}: ${reason}`
  const text = `${name} ${withUnit(value.median, unit)}`
  if (!ratio || !Number.isFinite(ratio.median)) return text
  const aim = target === null ? '' : ` of ${times(target)}`
  const mark = (better === 'lower' ? LATENCY_MARKS : MARKS)[verdict]
  return `${text}: **${times(ratio.median)}**${aim}${mark} (${times(ratio.min)} to ${times(ratio.max)})`
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

module.exports = { page, MORE_IS_BETTER, tableOf, limitNotes, titled, line, ranged, MARKS }
