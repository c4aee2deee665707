'use strict'

// A chart of the results: for each row with a label, one bar a rival, from 1× (as fast) to
// the right where Undercroft is faster and to the left where it is slower. The
// scale is logarithmic: the ratios reach from a half to some hundreds.

const { times } = require('./format')

const TICKS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]

const WIDTH = 880
const LEFT = 250 // where the bars' space begins
const RIGHT = 90 // kept for the figure after the longest bar
const TOP = 92
const BAR = 11
const GAP = 16 // between rows
const FOOT = 58

const STYLE = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
    .card { fill: #ffffff; stroke: #d1d9e0 }
    .small { font-size: 11px; fill: #59636e }
    .title { font-size: 17px; font-weight: 600 }
    .figure { font-size: 10.5px }
    .grid { stroke: #d1d9e0; stroke-width: 1 }
    .one { stroke: #59636e; stroke-width: 1.5 }
    .spread { stroke: #1f2328; stroke-opacity: .55; stroke-width: 1 }
    .target { stroke: #1f2328; stroke-width: 2 }
    .a { fill: #2f81c6 } .b { fill: #e09b26 } .c { fill: #b0609a } .d { fill: #3c9d62 }
    .short { fill-opacity: .55 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .card { fill: #151b23; stroke: #3d444d }
      .small { fill: #9198a1 }
      .grid { stroke: #3d444d }
      .one { stroke: #9198a1 }
      .spread, .target { stroke: #e6edf3 }
    }`

/** `series`: [{ rival, runtimes, kind }], the bars of each row. */
function chart (run, table, series) {
  const groups = groupsOf(table, series)
  const ratios = groups.flatMap(({ bars }) =>
    bars.flatMap(({ ratio, target }) => [ratio.min, ratio.max, target ?? 1]))
  const ticks = ticksFor(ratios)
  const x = scale(ticks)
  let y = TOP
  const body = []
  for (const { label, bars } of groups) {
    const height = bars.length * BAR
    const middle = y + height / 2
    body.push(text(LEFT - 14, middle - 2, label[0], 'end'))
    body.push(text(LEFT - 14, middle + 12, label[1], 'end', 'small'))
    bars.forEach((bar, i) => body.push(...barOf(bar, y + i * BAR, x)))
    y += Math.max(height, 28) + GAP
  }
  const bottom = y - GAP / 2
  const height = bottom + FOOT
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="How many times faster Undercroft is than each rival">`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    '  ' + text(20, 30, 'How many times faster than the rival', 'start', 'title'),
    ...legend(run, series).map(indent),
    ...grid(ticks, x, bottom).map(indent),
    ...body.map(indent),
    '  ' + text(20, height - 16, caption(run), 'start', 'small'),
    '</svg>',
    ''
  ].join('\n')
}

const indent = line => `  ${line}`

function groupsOf (table, series) {
  return table.flatMap(({ rows }) => rows)
    .filter(({ label, better }) => label && better === 'higher')
    .map(({ label, on }) => ({
      label,
      bars: series.flatMap(({ rival, runtimes, kind }) => {
        const row = runtimes.map(name => on.get(name)).find(Boolean)
        const found = row && row.rivals.find(it => it.name === rival && it.ratio)
        return found ? [{ ...found, kind }] : []
      })
    }))
    .filter(({ bars }) => bars.length)
}

/** The ticks around all values, at least from 0.5 to 10. */
function ticksFor (values) {
  const low = Math.min(0.5, ...values)
  const high = Math.max(10, ...values)
  const from = TICKS.filter(tick => tick <= low).pop() ?? low
  const to = TICKS.find(tick => tick >= high) ?? high
  return [...new Set([from, ...TICKS.filter(tick => tick > from && tick < to), to])]
}

function scale (ticks) {
  const low = Math.log(ticks[0])
  const high = Math.log(ticks[ticks.length - 1])
  return value => LEFT + (WIDTH - RIGHT - LEFT) * (Math.log(value) - low) / (high - low)
}

function barOf ({ ratio, target, verdict, kind }, y, x) {
  const from = Math.min(x(1), x(ratio.median))
  const to = Math.max(x(1), x(ratio.median))
  const middle = y + BAR / 2
  const short = verdict === 'missed' || verdict === 'lost'
  const out = [
    `<rect class="${kind}${short ? ' short' : ''}" x="${at(from)}" y="${y + 1}" width="${at(Math.max(to - from, 1))}" height="${BAR - 2}"/>`,
    `<line class="spread" x1="${at(x(ratio.min))}" x2="${at(x(ratio.max))}" y1="${middle}" y2="${middle}"/>`
  ]
  if (target !== null) {
    out.push(`<line class="target" x1="${at(x(target))}" x2="${at(x(target))}" y1="${y}" y2="${y + BAR}"/>`)
  }
  const end = Math.max(to, x(ratio.max), target === null ? 0 : x(target))
  const word = { missed: ' below target', lost: ' slower' }[verdict] || ''
  out.push(text(end + 6, middle + 4, `${times(ratio.median)}${word}`, 'start', 'figure'))
  return out
}

function legend (run, series) {
  const out = []
  let left = 20
  for (const { rival, runtimes, kind } of series) {
    const runtime = runtimes.map(name => run.runtimes.find(it => it.name === name && !it.skip))
      .find(Boolean)
    if (!runtime) continue
    const label = `${rival}, ${runtime.kind === 'bun' ? 'Bun' : 'Node'} ${runtime.version}`
    out.push(`<rect class="${kind}" x="${left}" y="44" width="12" height="12"/>`)
    out.push(text(left + 18, 54, label, 'start', 'small'))
    left += 32 + label.length * 6.3
  }
  out.push(`<line class="target" x1="${left + 4}" x2="${left + 4}" y1="44" y2="56"/>`)
  out.push(text(left + 12, 54, 'target', 'start', 'small'))
  out.push(`<line class="spread" x1="${left + 58}" x2="${left + 82}" y1="50" y2="50"/>`)
  out.push(text(left + 88, 54, 'slowest to fastest round', 'start', 'small'))
  return out
}

function grid (ticks, x, bottom) {
  return ticks.flatMap(tick => [
    `<line class="${tick === 1 ? 'one' : 'grid'}" x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${TOP - 8}" y2="${bottom}"/>`,
    text(x(tick), TOP - 14, `${tick}×`, 'middle', 'small'),
    text(x(tick), bottom + 16, `${tick}×`, 'middle', 'small')
  ])
}

function caption ({ date, commit, machine, mode }) {
  return `${date.slice(0, 10)}, commit ${commit}, ${machine.cpu}, ${machine.cores} cores, ` +
    `${machine.fileSystem}; logarithmic scale${mode === 'full' ? '' : `; a ${mode} run`}`
}

const at = value => Number(value.toFixed(1))

function text (x, y, content, anchor, kind) {
  const safe = content.replace(/&/g, '&amp;').replace(/</g, '&lt;')
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${kind ? ` class="${kind}"` : ''}>${safe}</text>`
}

module.exports = { chart }
