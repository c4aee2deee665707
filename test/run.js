'use strict'
// Everything that `npm test` runs, and the line that sums it up.
//
//   node test/run.js                     what fits into four minutes
//   CI=true node test/run.js             everything
//   node test/run.js unit contract@bun   some parts; contract@all on every runtime
//   node test/run.js --list              names and what they are
//   node test/run.js --repeat 20 FILE    a file that often, to see whether it is flaky
//   node test/run.js --times test/README.md    also write the table of times there
//
// test/README.md says how a run is made up. A part is told when its last job has
// ended: assertions where it says how many it made, otherwise 1 for what went well.

const os = require('node:os')
const { jobOf, parts } = require('./parts')
const { runtimes } = require('./runtimes')
const { byUrgency, schedule } = require('./schedule')
const { filesTable, partsTable, writeTimes } = require('./times')

const isFull = process.env.CI === 'true'
const cores = os.availableParallelism()

async function main (args) {
  if (args[0] === '--repeat') return repeat(args.slice(1))
  const times = valueOf(args, '--times')
  const all = parts()
  if (args.includes('--list')) {
    for (const { name, about, full } of all) console.log(`${name.padEnd(18)} ${about}${full ? ' (long run)' : ''}`)
    return 0
  }
  const unknown = args.filter(arg => !all.some(({ name }) => matches(name, arg)))
  if (unknown.length) {
    console.error(`no part is called ${unknown.join(', ')}: see --list`)
    return 2
  }
  const chosen = all.filter(({ name, full }) => args.length
    ? args.some(arg => matches(name, arg))
    : isFull || !full)

  const began = performance.now()
  const results = await runParts(chosen)
  const seconds = (performance.now() - began) / 1000
  const sum = results.reduce((sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }),
    { passed: 0, failed: 0 })

  console.log(`\n${partsTable(results)}\n${filesTable(results)}`)
  console.log(`${cores} cores, ${minutes(seconds)}; the processor was busy for ${minutes(total(results, 'cpu'))}\n`)
  if (times) writeTimes(times, results, { seconds, cores, isFull, sum })
  tellLeftOut(args.length ? [] : all.filter(part => !chosen.includes(part)), chosen)
  console.log(`${sum.passed} passed, ${sum.failed} failed`)
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1
}

function matches (name, arg) {
  return name === arg || (arg.endsWith('@all') && name.split('@')[0] === arg.slice(0, -4))
}

// Takes the option and its value out of args.
function valueOf (args, name) {
  const at = args.indexOf(name)
  return at < 0 ? undefined : args.splice(at, 2)[1]
}

// -> [{ part, passed, failed, skipped, seconds, cpu, jobs: [{ name, … }] }]
async function runParts (chosen) {
  const results = new Map(chosen.map(part => [part, { part, passed: 0, failed: 0, skipped: 0, seconds: 0, cpu: 0, jobs: [], reports: [] }]))
  const partOf = new Map(chosen.flatMap(part => part.jobs.map(job => [job, part])))
  // What a part needs of one that was not asked for.
  const needed = [...partOf.keys()].flatMap(job => job.after ?? []).filter(job => !partOf.has(job))
  const jobs = [...new Set([...needed, ...partOf.keys()])]
  const onEnd = (job, { passed, failed, skipped = 0, seconds = 0, cpu = 0, report }) => {
    const part = partOf.get(job)
    if (!part) return failed && console.log(report)
    const result = results.get(part)
    result.passed += passed
    result.failed += failed
    result.skipped += skipped
    result.seconds += seconds
    result.cpu += cpu
    result.jobs.push({ name: job.name, passed, failed, seconds, cpu })
    if (report) result.reports.push(report)
    if (result.jobs.length === part.jobs.length) console.log(told(result))
  }
  await schedule(byUrgency(jobs), { cores, onEnd })
  return [...results.values()]
}

function told ({ part, passed, failed, skipped, seconds, cpu, reports }) {
  const counts = `${passed} passed${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`
  const line = `${failed ? 'FAIL' : 'ok  '} ${part.name.padEnd(18)} ${counts} (${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of a processor)`
  return [line, ...reports.map(text => text.trimEnd().replace(/^/gm, '     '))].join('\n')
}

function tellLeftOut (notRun, chosen) {
  const names = notRun.map(part => part.name)
  const short = chosen.filter(part => part.leftOut)
  const shared = chosen.filter(part => part.chosen)
  if (names.length) console.log(`left out of this short run (CI=true npm test runs them): ${names.join(', ')}`)
  for (const { name, leftOut } of short) console.log(`left out of ${name} in this short run: ${leftOut.join(', ')}`)
  if (shared.length) console.log('left out by choice, as another runtime does it (test/README.md says why):')
  for (const { name, chosen } of shared) console.log(`  ${name}: ${chosen.join(', ')}`)
  if (names.length + short.length + shared.length > 0) console.log('')
}

function total (results, field) {
  return results.reduce((sum, result) => sum + result[field], 0)
}

function minutes (seconds) {
  return `${Math.floor(seconds / 60)} min ${String(Math.round(seconds % 60)).padStart(2, '0')} s`
}

// FILE is a test in JavaScript or a program under test/c/build; NAME@bun runs it there.
async function repeat ([count, ...files]) {
  if (!(Number(count) > 0) || files.length === 0) {
    console.error('usage: node test/run.js --repeat 20 FILE…   (FILE@bun: on that runtime)')
    return 2
  }
  const jobs = files.map(file => {
    const [name, on] = file.split('@')
    return jobOf(name, on && runtimes().find(runtime => runtime.name === on))
  })
  const sum = { passed: 0, failed: 0 }
  for (let i = 1; i <= Number(count); i++) {
    for (const job of jobs) {
      const { passed, failed, seconds, cpu, report } = await job.run()
      sum.passed += passed
      sum.failed += failed
      console.log(`${failed ? 'FAIL' : 'ok  '} ${i}/${count} ${job.name} ${passed} passed (${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of a processor)`)
      if (report) console.log(report.trimEnd().replace(/^/gm, '     '))
    }
  }
  console.log(`${sum.passed} passed, ${sum.failed} failed`)
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1
}

main(process.argv.slice(2)).then(code => { process.exitCode = code }, err => {
  console.error(err.stack)
  process.exitCode = 1
})
