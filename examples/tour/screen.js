'use strict'

// screen - how the tour shows itself: steps with the code they run, and results beside a mark.
// Colours and a moving bar only on a terminal.

const isTerminal = process.stdout.isTTY === true && process.env.NO_COLOR === undefined

function paint (code) {
  return (text) => isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text
}

const bold = paint('1')
const dim = paint('2')
const green = paint('32')
const cyan = paint('36')
const red = paint('31')

let steps = 0

function title (text, ...lines) {
  console.log(`\n  ${bold(text)}`)
  for (const line of lines) console.log(`  ${dim(line)}`)
}

/** A step: its number, what it is about, and the code that runs now. */
function step (text, ...code) {
  console.log(`\n${bold(`${String(++steps).padStart(2)}  ${text}`)}`)
  for (const line of code) console.log(`    ${cyan(line)}`)
}

function result (text) {
  console.log(`    ${green('→')} ${text}`)
}

function wrong (text) {
  console.log(`    ${red('✗')} ${text}`)
}

function note (text) {
  console.log(`      ${dim(text)}`)
}

/** A bar that moves on a terminal; elsewhere nothing until it is full. */
function bar (percent, text) {
  if (!isTerminal) return
  const width = 40
  const full = Math.round(percent / 100 * width)
  process.stdout.write(`\r    ${green('█'.repeat(full))}${dim('░'.repeat(width - full))} ${text}`)
  if (percent >= 100) process.stdout.write('\r\x1b[K')
}

const count = (n) => Math.round(n).toLocaleString('en')

function duration (ms) {
  if (ms < 0.001) return `${(ms * 1e6).toFixed(0)} ns`
  if (ms < 1) return `${(ms * 1000).toFixed(ms < 0.01 ? 1 : 0)} µs`
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
  return `${(ms / 1000).toFixed(2)} s`
}

function size (bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let unit = 0
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024
    unit++
  }
  return `${bytes.toFixed(bytes < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`
}

/** Runs fn and tells how long it took: [value, ms]. */
async function timed (fn) {
  const began = performance.now()
  const value = await fn()
  return [value, performance.now() - began]
}

module.exports = { bar, bold, count, dim, duration, note, result, size, step, timed, title, wrong }
