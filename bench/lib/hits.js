'use strict'

// Hit ratios on traces of real accesses: c/hits.c plays them through the cache's
// own store and through its rivals' policies. The traces are not part of the
// repository; UNDERCROFT_TRACES names the directory that has them.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { buildHits } = require('../c/build')

const TRACES = process.env.UNDERCROFT_TRACES || path.join(__dirname, '../../../shared/traces')

/** { rows: [{ trace, capacity, ratios: { name: percent } }] } or { skip }. */
function measureHits () {
  if (!fs.existsSync(TRACES)) return { skip: 'the traces are not here (UNDERCROFT_TRACES names their directory)' }
  const program = buildHits()
  if (program === null) return { skip: 'there is no C compiler' }
  const [head, ...lines] = execFileSync(program, [TRACES], { encoding: 'utf8' }).trim().split('\n')
  const names = head.trim().split(/\s+/).slice(2)
  return {
    rows: lines.map(line => {
      const [trace, capacity, ...ratios] = line.trim().split(/\s+/)
      return {
        trace,
        capacity: Number(capacity),
        ratios: Object.fromEntries(names.map((name, i) => [name, Number(ratios[i])]))
      }
    })
  }
}

/** What each policy is away from the optimum, on average, in points. */
function distances (rows) {
  const names = Object.keys(rows[0].ratios).filter(name => name !== 'OPT')
  return names.map(name => ({
    name,
    points: rows.reduce((sum, { ratios }) => sum + ratios.OPT - ratios[name], 0) / rows.length
  }))
}

function hitLines (hits) {
  if (hits.skip) return [`hit ratios: skipped, ${hits.skip}`]
  return [
    'Hit ratios in %',
    ...hits.rows.map(({ trace, capacity, ratios }) => `    ${trace.padEnd(8)} ${String(capacity).padStart(5)}  ` +
      Object.entries(ratios).map(([name, ratio]) => `${name} ${ratio.toFixed(2)}`).join('  ')),
    `    away from OPT: ${distances(hits.rows).map(({ name, points }) => `${name} ${points.toFixed(2)}`).join(', ')} points`
  ]
}

function hitTable (hits) {
  if (hits.skip) return [`Not measured: ${hits.skip}.`]
  const names = Object.keys(hits.rows[0].ratios)
  const others = names.filter(name => name !== 'undercroft' && name !== 'OPT')
  const row = cells => `| ${cells.join(' | ')} |`
  return [
    'In %, on traces of real accesses; the capacity is in entries. Undercroft may be at most 2 points ' +
      'below the best of the three policies, and its mean distance to the optimum (Belady) has to be smaller ' +
      'than each of theirs.',
    '',
    row(['Trace', 'Capacity', ...names, 'against the best of the three']),
    row(['---', '---:', ...names.map(() => '---:'), '---:']),
    ...hits.rows.map(({ trace, capacity, ratios }) => {
      const gap = ratios.undercroft - Math.max(...others.map(name => ratios[name]))
      return row([trace, capacity, ...names.map(name => ratios[name].toFixed(2)),
        `${gap >= 0 ? '+' : ''}${gap.toFixed(2)}${gap >= -2 ? ' ✓' : ' ✗'}`])
    }),
    '',
    `Mean distance to the optimum, in points: ${distances(hits.rows).map(({ name, points }) => `${name} ${points.toFixed(2)}`).join(', ')}.`
  ]
}

module.exports = { measureHits, hitLines, hitTable }
