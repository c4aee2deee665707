'use strict'

// A chart of the results: for each row with a label, one bar a rival, from 1× (as fast) to
// the right where Undercroft is faster and to the left where it is slower. The
// scale is logarithmic: the ratios reach from a half to some hundreds.

const { times } = require('./format')

// The least room between two ticks.
const TICK_ROOM = 44
// What a character of the fonts takes at most, on average over a label: no browser is asked.
const CHARACTER = { small: 6.6, figure: 6.6 }

const WIDTH = 880
const LEFT = 250 // where the bars' space begins
const RIGHT = 110 // kept for the figure after the longest bar
const EDGE = 20
const HEAD = 50 // the first line of the legend
const LINE = 18 // from one line of the legend to the next
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
    .a { fill: #2f81c6 } .b { fill: #e09b26 } .c { fill: #b0609a } .d { fill: #3c9d62 } .e { fill: #7d6fd0 } .f { fill: #8a8f45 }
    .short { fill-opacity: .55 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .card { fill: #151b23; stroke: #3d444d }
      .small { fill: #9198a1 }
      .grid { stroke: #3d444d }
      .one { stroke: #9198a1 }
      .spread, .target { stroke: #e6edf3 }
    }`

/**
 * @param {string} title what is compared with what
 * @param {Array} series [{ rival, runtimes, kind, isServer }], the bars of each row; `isServer`: its
 *   name says what it runs on
 * @param {Function} [isCharted] which rows that have a label have a place in it
 */
function chart (run, table, series, title, isCharted = ({ better }) => better === 'higher') {
  const groups = groupsOf(table, series, isCharted)
  const ratios = groups.flatMap(({ bars }) =>
    bars.flatMap(({ ratio, target }) => [ratio.min, ratio.max, target ?? 1]))
  const ticks = ticksFor(ratios)
  const x = scale(ticks)
  const { lines, bottom: legendEnd } = legend(run, series)
  const top = legendEnd + 34
  let y = top
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
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}: how many times faster Undercroft is than each rival">`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    '  ' + text(EDGE, 30, title, 'start', 'title'),
    ...lines.map(indent),
    ...grid(ticks, x, top, bottom).map(indent),
    ...body.map(indent),
    '  ' + text(20, height - 16, caption(run), 'start', 'small'),
    '</svg>',
    ''
  ].join('\n')
}

const indent = line => `  ${line}`

function groupsOf (table, series, isCharted) {
  return table.flatMap(({ rows }) => rows)
    .filter(row => row.label && isCharted(row))
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

/**
 * The ends of the scale, which are round numbers around all values, and what is marked between
 * them: 1, 2 and 5 of each power of ten while there is room for them, else the powers alone.
 */
function ticksFor (values) {
  const low = Math.min(0.5, ...values)
  const high = Math.max(10, ...values)
  const fine = rounds([1, 2, 5], low, high)
  const space = WIDTH - RIGHT - LEFT
  const range = Math.log(fine.at(-1) / fine[0])
  if (space * Math.log(2) / range >= TICK_ROOM) return fine
  const ends = [fine[0], fine.at(-1)]
  const apart = (a, b) => space * Math.abs(Math.log(a / b)) / range >= TICK_ROOM
  return [ends[0], ...rounds([1], low, high).filter(tick => tick > ends[0] && tick < ends[1] && ends.every(end => apart(tick, end))), ends[1]]
}

// The numbers m × 10^n from the last one below `low` to the first one above `high`.
function rounds (factors, low, high) {
  const all = []
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    for (const factor of factors) all.push(Number(`${factor}e${power}`))
  }
  const from = all.findLastIndex(each => each <= low)
  const to = all.findIndex(each => each >= high)
  return all.slice(from, to + 1)
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
  const label = `${times(ratio.median)}${verdict === 'lost' ? ' (slower)' : ''}`
  // It stands before the end of the picture, whatever the bar is.
  const left = Math.min(end + 6, WIDTH - EDGE - label.length * CHARACTER.figure)
  out.push(text(left, middle + 4, label, 'start', 'figure'))
  return out
}

// The rivals and the marks, in as many lines as they take.
function legend (run, series) {
  const lines = []
  let left = EDGE
  let y = HEAD
  const add = (mark, gap, label) => {
    const width = gap + label.length * CHARACTER.small + 14
    if (left > EDGE && left + width > WIDTH - EDGE) {
      left = EDGE
      y += LINE
    }
    lines.push(mark(left, y), text(left + gap, y + 4, label, 'start', 'small'))
    left += width
  }
  for (const { rival, runtimes, kind, isServer } of series) {
    const runtime = runtimes.map(name => run.runtimes.find(it => it.name === name && !it.skip))
      .find(Boolean)
    if (!runtime) continue
    const on = isServer ? '' : `, ${runtime.kind === 'bun' ? 'Bun' : 'Node'} ${runtime.version}`
    add((x, y) => `<rect class="${kind}" x="${at(x)}" y="${y - 6}" width="12" height="12"/>`, 18, `${rival}${on}`)
  }
  add((x, y) => `<line class="target" x1="${at(x + 4)}" x2="${at(x + 4)}" y1="${y - 6}" y2="${y + 6}"/>`, 12, 'what we aim for')
  add((x, y) => `<line class="spread" x1="${at(x)}" x2="${at(x + 24)}" y1="${y}" y2="${y}"/>`, 30, 'slowest to fastest round')
  return { lines, bottom: y }
}

function grid (ticks, x, top, bottom) {
  const marked = ticks.includes(1) ? ticks : [...ticks, 1]
  return marked.flatMap(tick => [
    `<line class="${tick === 1 ? 'one' : 'grid'}" x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${top - 8}" y2="${bottom}"/>`,
    ...ticks.includes(tick) ? [text(x(tick), top - 14, `${tick}×`, 'middle', 'small'), text(x(tick), bottom + 16, `${tick}×`, 'middle', 'small')] : []
  ])
}

function caption ({ date, commit, machine, mode }) {
  return `${date.slice(0, 10)}, commit ${commit}, ${machine.cpu}, ${machine.cores} cores, ` +
    `${machine.fileSystem}; logarithmic scale${mode === 'full' ? '' : `; a ${mode} run`}`
}

const at = value => Number(value.toFixed(1))

function text (x, y, content, anchor, kind) {
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${kind ? ` class="${kind}"` : ''}>${escaped(content)}</text>`
}

function escaped (content) {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')
}

module.exports = { chart, ticksFor, TICK_ROOM, WIDTH }
