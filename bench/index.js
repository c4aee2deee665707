'use strict'

// npm run bench: what Undercroft does beside its rivals. README.md here says how
// it measures; `--help` what it takes.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parse, HELP } = require('./lib/args')
const { runtimes, thisNode } = require('./lib/runtimes')
const machine = require('./lib/machine')
const cases = require('./lib/cases')
const { doors, doorOf } = require('./lib/doors')
const { runCase, probe, buildFixture, SETTINGS } = require('./lib/run')
const { rowsOf } = require('./lib/rows')
const { caseLines } = require('./lib/console')
const { setup, isOptimized } = require('./lib/setup')
const { measureDecode, decodeLine } = require('./lib/decode')
const { measureHits, hitLines } = require('./lib/hits')
const { cores } = require('./lib/pin')
const report = require('./lib/report')

const BUILD = path.join(__dirname, 'build')
const DATA = path.join(__dirname, 'lib/data.js')
const BUSY = 0.5 // load average a core above which the figures are worth little

async function main () {
  const args = parse(process.argv.slice(2))
  const say = line => (args.json ? console.error(line) : console.log(line))
  if (args.help) return say(HELP)
  const chosen = (args.door ? [doorOf(args.door)] : doors)
    .map(door => ({ door, tests: cases.select(door, args.words) }))
    .filter(({ tests }) => tests.length)
  if (chosen.length === 0) throw new Error(`no case is called like '${args.words.join("', '")}'`)
  if (args.list) return list(chosen, say)
  if (args.setup) return setup(say, args)
  if (args.report) return chosen.forEach(({ door }) => report.rewrite(door, say))

  if (!args.smoke && !isOptimized()) {
    throw new Error('the rivals were built for a smoke test, without optimizing: npm run bench -- --setup builds them anew')
  }
  // Beside the sources: a temporary directory is often in memory, where a
  // durable write is none.
  const dir = path.join(process.env.UNDERCROFT_BENCH_DIR || BUILD, `data-${process.pid}`)
  fs.mkdirSync(dir, { recursive: true })
  // A socket's path has room for 107 bytes only.
  const sockets = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-bench-'))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  process.once('exit', () => {
    for (const made of [dir, sockets]) fs.rmSync(made, { recursive: true, force: true })
  })
  const runs = []
  for (const { door, tests } of chosen) {
    const reason = door.server ? door.server.missing() : null
    if (reason !== null) {
      say(`door ${door.name}: skipped, ${reason}`)
      continue
    }
    const run = await measureAll(door, tests, args, { dir, sockets }, say)
    if (args.write) report.write(door, run, say)
    runs.push(run)
  }
  if (args.json) console.log(JSON.stringify(runs.length === 1 ? runs[0] : runs, null, 1))
  const failed = runs.flatMap(failures)
  for (const line of failed) say(`FAILED ${line}`)
  const units = runs.reduce((sum, run) =>
    sum + run.cases.length + run.runtimes.filter(({ skip }) => !skip).length, 0)
  say(`${units - failed.length} passed, ${failed.length} failed`)
  if (failed.length) process.exitCode = 1
}

async function measureAll (door, tests, args, { dir, sockets }, say) {
  const started = Date.now()
  const where = machine.describe(dir)
  say(`${where.cpu}, ${where.cores} cores, ${where.system}; files on ${where.fileSystem}, ` +
    `4 KiB are on its disk after ${where.syncMicroseconds} µs`)
  if (where.fileSystem === 'tmpfs') say('tmpfs: durable writes cost nothing here, do not believe them')
  if (door.pinned && cores() === null) say('servers and load share the processors: there are not two, or no taskset')
  if (where.load > where.cores * BUSY) say(`the machine is busy (load ${where.load.toFixed(1)})`)

  const wanted = args.smoke || door.ownRuntimes ? [thisNode()] : runtimes(args.runtimes)
  const present = []
  const described = []
  for (const runtime of wanted) {
    if (runtime.skip) {
      say(`${runtime.name}: skipped, ${runtime.skip}`)
      described.push({ ...runtime, contestants: {} })
      continue
    }
    const known = {}
    for (const contestant of door.contestants) {
      const it = known[contestant.name] = args.smoke && contestant.notInSmoke
        ? { skip: 'not in a smoke test' }
        : await probe(door, contestant, runtime, dir)
      if (it.error) say(`${runtime.name}: ${contestant.name} failed: ${it.error}`)
      else if (it.skip) say(`${runtime.name}: ${contestant.name} skipped, ${it.skip}`)
      else say(`${runtime.name}: ${contestant.name} ${it.version}, ${it.about || `SQLite ${it.sqlite}`}`)
    }
    present.push({ runtime, known })
    described.push({ ...runtime, exec: undefined, contestants: known })
  }

  const program = door.limit ? door.limit() : null
  if (door.limit && !program) say('pure C: skipped, it is not built: npm run bench -- --setup')
  const fixture = door.withoutDatabase ? null : await madeFixture(present, dir, door, args.timing)
  const prof = args.prof ? path.join(BUILD, 'prof') : null
  const server = door.server ? await door.server.start(dir, args.timing) : null
  if (server) say(`its server: ${server.version}`)
  try {
    return await measureCases({ door, tests, args, dir, sockets, present, described, program, fixture, prof, server, where, started }, say)
  } finally {
    await server?.stop()
  }
}

async function measureCases ({ door, tests, args, dir, sockets, present, described, program, fixture, prof, server, where, started }, say) {
  const done = []
  for (const test of tests) {
    say(test.title.replace(/`/g, ''))
    for (const { runtime, known } of present) {
      const missing = new Map(Object.entries(known)
        .filter(([, it]) => it.skip || it.error)
        .map(([name, it]) => [name, it.skip || `failed: ${it.error.split('\n')[0]}`]))
      const results = await runCase(test, runtime, {
        door, dir, sockets, fixture, timing: args.timing, limit: program, missing, prof, server
      })
      const rows = rowsOf(test, results, runtime.kind)
      for (const line of caseLines(rows, runtime)) say(line)
      done.push({ name: test.name, runtime: runtime.name, kind: runtime.kind, results })
    }
  }
  // Part of the whole only: they are no cases with rounds.
  const whole = args.words.length === 0
  const decode = door.name === 'addon' && whole ? measureDecode(args.timing) : undefined
  if (decode) say(decodeLine(decode))
  const hits = door.name === 'cache' && whole ? measureHits() : undefined
  if (hits) hitLines(hits).forEach(line => say(line))
  return {
    door: door.name,
    date: new Date(started).toISOString(),
    seconds: Math.round((Date.now() - started) / 1000),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' ').replace(/=[^,\s]*\//g, '='),
    commit: machine.commit(),
    mode: args.mode,
    machine: where,
    server: server ? { version: server.version } : undefined,
    timing: args.timing,
    settings: SETTINGS,
    pinned: door.pinned ? cores() !== null : undefined,
    runtimes: described,
    cases: done,
    decode,
    hits
  }
}

/** The database, once, by whoever can write it; a rival if there is one. */
async function madeFixture (present, dir, { data = DATA }, { isSmoke, scale }) {
  const file = path.join(dir, `fixture-${path.basename(data, '.js')}.db`)
  if (fs.existsSync(file)) return file
  const door = doorOf('addon')
  const content = { data, scale: isSmoke ? scale : 1 }
  for (const family of ['sync', 'ours']) {
    for (const contestant of door.contestants.filter(it => it.family === family)) {
      for (const { runtime } of present) {
        if (await buildFixture(door, contestant, runtime, file, content)) return file
      }
    }
  }
  throw new Error('no runtime has a library that could write the database')
}

/** One line for each case and runtime where a contestant threw. */
function failures (run) {
  const lines = []
  for (const { runtime, contestants: known } of run.runtimes.map(it => ({ runtime: it.name, ...it }))) {
    if (known.undercroft && known.undercroft.error) {
      lines.push(`${runtime}: undercroft: ${known.undercroft.error}`)
    }
  }
  for (const { name, runtime, results } of run.cases) {
    const errors = Object.entries(results).filter(([, it]) => it.error)
    if (errors.length) {
      lines.push(`${name} on ${runtime}: ${errors.map(([key, it]) => `${key}: ${it.error}`).join('\n')}`)
    }
  }
  return lines
}

function list (chosen, say) {
  for (const { name, door, rows } of chosen.flatMap(({ tests }) => tests)) {
    say(`${name} (${door.name})`)
    for (const row of rows) say(`  ${row.name.padEnd(32)} ${row.title.replace(/`/g, '')}`)
  }
}

main().catch(err => {
  console.error(err.stack)
  process.exitCode = 1
})
