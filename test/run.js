'use strict'
// Everything that `npm test` runs, and the line that sums it up.
//
//   node test/run.js                     what fits into five minutes
//   CI=true node test/run.js             everything
//   node test/run.js unit contract@bun   some parts; contract@all on every runtime
//   node test/run.js --list              names and what they are
//
// Each part is { name, about, full?, run }: `full` parts belong to the long run
// only. A part `beside` the others mostly waits for a disk: it starts with the
// first and is told in its place. run() gives { passed, failed, skipped?, report? }: assertions where the
// part says how many it made, otherwise 1 for a part that went well.

const { parts } = require('./parts')

const isFull = process.env.CI === 'true'

async function main (args) {
  if (args.includes('--list')) {
    for (const { name, about, full } of parts()) console.log(`${name.padEnd(18)} ${about}${full ? ' (long run)' : ''}`)
    return 0
  }
  const all = parts()
  const unknown = args.filter(arg => !all.some(({ name }) => matches(name, arg)))
  if (unknown.length) {
    console.error(`no part is called ${unknown.join(', ')}: see --list`)
    return 2
  }
  const chosen = all.filter(({ name, full }) => args.length
    ? args.some(arg => matches(name, arg))
    : isFull || !full)
  const sum = { passed: 0, failed: 0 }
  const begun = new Map(chosen.filter(part => part.beside && !isFull).map(part => [part, attempt(part)]))
  for (const part of chosen) {
    const { result, text } = await (begun.get(part) || attempt(part))
    console.log(text)
    sum.passed += result.passed
    sum.failed += result.failed
  }
  if (!args.length && !isFull) leftOut(all)
  console.log(`${sum.passed} passed, ${sum.failed} failed`)
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1
}

function matches (name, arg) {
  return name === arg || (arg.endsWith('@all') && name.split('@')[0] === arg.slice(0, -4))
}

async function attempt (part) {
  const started = Date.now()
  let result
  try {
    result = await part.run()
  } catch (err) {
    result = { passed: 0, failed: 1, report: err.stack }
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  const { passed, failed, skipped = 0, report } = result
  const counts = `${passed} passed${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`
  const line = `${failed ? 'FAIL' : 'ok  '} ${part.name.padEnd(18)} ${counts} (${seconds} s)`
  return { result, text: report ? `${line}\n${report.trimEnd().replace(/^/gm, '     ')}` : line }
}

function leftOut (all) {
  const names = all.filter(part => part.full).map(part => part.name)
  if (names.length) console.log(`\nleft out of this short run (CI=true npm test runs them): ${names.join(', ')}\n`)
}

main(process.argv.slice(2)).then(code => { process.exitCode = code })
