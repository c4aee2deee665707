'use strict'
// How long each part and each file of a run took, slowest first.
//
//   partsTable(results), filesTable(results)   texts for the end of a run
//   writeTimes(file, results, facts)           the same between the marks of a Markdown file
//   readTimes(file)                            -> Map of name -> { seconds, cpu }, from there

const fs = require('node:fs')
const os = require('node:os')
const { execFileSync } = require('node:child_process')

// Files that take less are told in one line.
const SHORT_S = 2
const BEGIN = '<!-- times -->'
const END = '<!-- /times -->'

const HEAD = ['seconds', 'of a processor', 'assertions']

function rowsOf (list) {
  return list.map(({ name, seconds, cpu, passed, failed }) =>
    [name, seconds.toFixed(1), cpu.toFixed(1), String(passed + failed)])
}

const slowestFirst = (a, b) => b.seconds - a.seconds

function partsOf (results) {
  return results.map(({ part, ...rest }) => ({ name: part.name, ...rest })).sort(slowestFirst)
}

function filesOf (results) {
  const all = results.flatMap(({ jobs }) => jobs).sort(slowestFirst)
  const slow = all.filter(({ seconds }) => seconds >= SHORT_S)
  const rest = all.slice(slow.length)
  if (rest.length > 0) slow.push(rest.reduce(add, { name: `${rest.length} others, less than ${SHORT_S} s each`, seconds: 0, cpu: 0, passed: 0, failed: 0 }))
  return slow
}

function add (a, b) {
  return { name: a.name, seconds: a.seconds + b.seconds, cpu: a.cpu + b.cpu, passed: a.passed + b.passed, failed: a.failed + b.failed }
}

function text (first, list) {
  const rows = [[first, ...HEAD], ...rowsOf(list)]
  const widths = rows[0].map((_, i) => Math.max(...rows.map(row => row[i].length)))
  return rows.map(row => row.map((cell, i) => i === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[i])).join('  ')).join('\n') + '\n'
}

function markdown (first, list) {
  const line = cells => `| ${cells.join(' | ')} |`
  return [line([first, ...HEAD]), line(['---', '---:', '---:', '---:']), ...rowsOf(list).map(line)].join('\n')
}

function partsTable (results) {
  return text('part', partsOf(results))
}

function filesTable (results) {
  return text('file', filesOf(results))
}

function writeTimes (file, results, { seconds, cores, isFull, sum }) {
  const before = fs.readFileSync(file, 'utf8')
  const from = before.indexOf(BEGIN)
  const to = before.indexOf(END)
  if (from < 0 || to < from) throw new Error(`${file} has no ${BEGIN} … ${END} to write the times between`)
  const run = isFull ? '`CI=true npm test`' : '`npm test`'
  const cpu = results.reduce((sum, result) => sum + result.cpu, 0)
  const facts = `${run} at ${commit()}, ${new Date().toISOString().slice(0, 10)}, ${os.cpus()[0].model.trim()}, ` +
    `${cores} cores: ${(seconds / 60).toFixed(1)} minutes, ${(cpu / 60).toFixed(1)} of a processor, ` +
    `${sum.passed} passed, ${sum.failed} failed.`
  const tables = [facts, markdown('part', partsOf(results)), markdown('file', filesOf(results))].join('\n\n')
  fs.writeFileSync(file, `${before.slice(0, from)}${BEGIN}\n${tables}\n${before.slice(to)}`)
}

// What a run of everything has been measured to take, which the next one is planned by.
function readTimes (file) {
  const whole = fs.readFileSync(file, 'utf8')
  const between = whole.slice(whole.indexOf(BEGIN), whole.indexOf(END))
  const rows = between.matchAll(/^\| (\S[^|]*) \| (\d+\.\d) \| (\d+\.\d) \| \d+ \|$/gm)
  return new Map([...rows].map(([, name, seconds, cpu]) => [name, { seconds: Number(seconds), cpu: Number(cpu) }]))
}

function commit () {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'an unknown commit'
  }
}

module.exports = { filesTable, partsTable, readTimes, writeTimes }
