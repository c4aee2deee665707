'use strict'

// What a run prints while it goes: a few lines for each case and runtime.

const { withUnit, times, percent } = require('./format')

const MARKS = { reached: 'reached', missed: 'MISSED', lost: 'LOST', ahead: '' }

function caseLines (rows, runtime) {
  const lines = []
  for (const row of rows) {
    lines.push(`  ${runtime.name.padEnd(7)} ${plain(row.title)}`)
    lines.push(`    ${'undercroft'.padEnd(18)} ${oursText(row)}`)
    for (const rival of row.rivals) {
      lines.push(`    ${rival.name.padEnd(18)} ${rivalText(rival, row)}`)
    }
    if (row.limit) {
      lines.push(`    ${'pure C'.padEnd(18)} ${withUnit(row.limit.median, row.unit).padEnd(20)}` +
        (row.share ? ` ours is ${percent(row.share)} of it` : ''))
    }
  }
  return lines
}

function oursText ({ ours, unit, bound, reason }) {
  if (!ours) return reason
  const text = withUnit(ours.median, unit).padEnd(20)
  if (!bound) return text
  const aim = bound.atMost === undefined ? `at least ${bound.atLeast}` : `at most ${bound.atMost}`
  return `${text} ${aim} ${bound.reached ? 'reached' : 'MISSED'}`
}

function rivalText ({ value, ratio, target, verdict, reason }, { unit }) {
  if (!value) return reason
  const text = withUnit(value.median, unit).padEnd(20)
  if (!ratio) return text
  const range = `(${times(ratio.min)} to ${times(ratio.max)})`
  const aim = target === null ? '' : `, to reach ${times(target)}`
  return `${text} ${times(ratio.median)} ${range}${aim} ${MARKS[verdict]}`.trimEnd()
}

const plain = title => title.replace(/`/g, '')

module.exports = { caseLines }
