'use strict'
// Tables, sizes and times as the commands print them.

/** Rows of [name, value] as two aligned columns. */
function pairs (rows) {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

/** A table with a head; numbers to the right. */
function table (head, rows) {
  const all = [head, ...rows.map(row => row.map(String))]
  const widths = head.map((_, i) => Math.max(...all.map(row => row[i].length)))
  const right = head.map((_, i) => rows.length > 0 && rows.every(row => typeof row[i] === 'number' || row[i] === '–'))
  return all.map(row => row.map((cell, i) => right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))
    .join('  ').trimEnd()).join('\n')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

function bytes (n) {
  let unit = 0
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024
    unit++
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[unit]}`
}

function duration (ms) {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return `${Math.round(ms)} ms`
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86400)} days`
}

module.exports = { pairs, table, bytes, duration }
