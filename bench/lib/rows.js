'use strict'

// From raw rounds to the rows of the report.

const { summary, ratios } = require('./stats')
const { fullRow, rivalsOf, oursOf, limitOf } = require('./cases')

/**
 * The rows of one case on one runtime.
 *
 * @param {object} results what runCase returned
 * @returns {object[]} { name, title, unit, better, ours, limit, share, atMost,
 *   rivals: [{ name, value, ratio, target, verdict }] }; `ours`, `limit`,
 *   `value` and `ratio` are { median, min, max }, null where nothing was
 *   measured; verdict is 'reached' | 'missed' | 'lost' | 'ahead'
 */
function rowsOf (test, results, kind) {
  return test.rows.map(plain => {
    const row = fullRow(test, plain)
    const ours = values(results[oursOf(row)], row.measure)
    const limit = limitOf(row) ? values(results[limitOf(row)], row.measure) : null
    return {
      name: row.name,
      title: row.title,
      label: row.label || null,
      measure: row.measure,
      unit: row.unit,
      better: row.better,
      ours: ours && summary(ours),
      reason: ours ? null : reasonOf(results[oursOf(row)]),
      limit: limit && summary(limit),
      share: ours && limit && row.measure === 'rate'
        ? summary(ratios(ours, limit, 'higher')).median
        : null,
      bound: ours && boundOf(row, summary(ours).median, kind),
      rivals: rivalsOf(test, row).map(({ key, contestant }) =>
        against(row, ours, results[key], key, contestant)).filter(Boolean)
    }
  })
}

/** What a row has to reach in its unit, and whether it does; null for none. */
function boundOf ({ atMost, atLeast }, median, kind) {
  if (atMost[kind] !== undefined) return { atMost: atMost[kind], reached: median <= atMost[kind] }
  if (atLeast[kind] !== undefined) return { atLeast: atLeast[kind], reached: median >= atLeast[kind] }
  return null
}

function against (row, ours, result, key, contestant) {
  const theirs = values(result, row.measure)
  const target = row.targets[contestant] ?? null
  const name = contestant === 'undercroft' ? `undercroft, ${key.split('/')[1]}` : contestant
  if (!theirs) {
    const reason = reasonOf(result)
    // Another runtime's library is no gap in this runtime's table.
    return reason && /^measured on|^bun:sqlite is/.test(reason)
      ? null
      : { name, reason, target, value: null, ratio: null, verdict: null }
  }
  const ratio = ours && summary(ratios(ours, theirs, row.better))
  return { name, target, value: summary(theirs), ratio, verdict: ratio && verdict(ratio.median, target) }
}

function verdict (ratio, target) {
  if (target !== null && ratio >= target) return 'reached'
  if (ratio < 1) return 'lost'
  return target === null ? 'ahead' : 'missed'
}

function values (result, measure) {
  if (!result || !result.rounds || result.rounds.length === 0) return null
  if (result.rounds[0][measure] === undefined) return null
  return result.rounds.map(round => round[measure])
}

function reasonOf (result) {
  if (!result) return 'not measured'
  if (result.rounds && result.rounds.length) return 'not told apart: both sides are one process'
  return result.skip || (result.error ? `failed: ${result.error.split('\n')[0]}` : 'not measured')
}

module.exports = { rowsOf }
