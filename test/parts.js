'use strict'
// The parts of `npm test`, in the order in which a mistake is told soonest.
//
//   parts() -> [{ name, about, full, jobs: [job], leftOut?: [text], chosen?: [text] }]
//
// `full`: belongs to the long run only. A job is one program: see schedule.js
// for what it says about itself. `leftOut` is what the short run does not do,
// `chosen` what no run does here because another part does it.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { runtimes } = require('./runtimes')
const { execute, tapOf, tail } = require('./execute')
const { share, CHOSEN } = require('./choice')
const { readTimes } = require('./times')
const { budget } = require('./budget')

const root = path.join(__dirname, '..')
const isFull = process.env.CI === 'true'
const bin = name => path.join(root, 'node_modules/.bin', name)
const cores = os.availableParallelism()

// Suites in JavaScript: test/<name>/*.test.js. `cores`, `uses` and `alone` are
// those of its jobs; how many cores one keeps busy that is in the table of times
// is taken from there. `mixed`: one runtime drives it, as it is about the daemon,
// or starts processes on every runtime by itself. `first`: its files wait for
// each other and for the clock, so that they had better begin early. `folder`:
// where its files are, if not in one of its name; `files`: which of them.
const suites = [
  { name: 'unit', about: 'modules of lib/ and the repository itself', slow: ['pg-commands'] },
  { name: 'contract', about: 'behaviour, through every door', timeoutMs: 600_000, cores: 0.25, files: isOf => !isOf('pg-') },
  { name: 'contract-pg', folder: 'contract', about: 'the same on PostgreSQL', timeoutMs: 600_000, cores: 0.5, files: isOf => isOf('pg-'), slow: ['pg-ipc'] },
  { name: 'pg', about: 'PostgreSQL: its connections, logins, poolers and failures', timeoutMs: 600_000, cores: 0.5, slow: ['backup', 'copy', 'hosts', 'login', 'migrate', 'nonsense', 'partition', 'pooler'] },
  { name: 'routes', about: 'requests through every mount of routes', cores: 0.5 },
  { name: 'http', about: 'the HTTP of the daemon: bytes, clients, gateways, successors', timeoutMs: 600_000, cores: 0.5, uses: ['http'], mixed: true },
  { name: 'kit', about: 'what is built on the package: logins and sessions', cores: 0.6 },
  { name: 'semantics', about: 'each sentence of the guarantees', alone: true },
  { name: 'daemon', about: 'undercroftd as a process, and clients that break every rule', timeoutMs: 600_000, cores: 0.25, mixed: true },
  { name: 'ipc', about: 'many processes through one daemon: a model, kill -9, replacement', timeoutMs: 900_000, cores: 0.75, uses: ['ipc'], mixed: true },
  {
    name: 'deploy',
    about: 'deployments to real SSH servers behind a real gateway',
    timeoutMs: 900_000,
    cores: 0.4,
    // Two at a time are what the short run does; of the long ones some count
    // requests and want a machine that answers them.
    uses: isFull ? ['deploy'] : [],
    first: true,
    mixed: true,
    slow: ['daemon', 'flow', 'graceful', 'hosts', 'kill', 'load-daemon', 'load-ports', 'load-routes', 'logs', 'postgres', 'resume', 'rollback', 'ssh', 'start', 'status', 'systemd', 'upload', 'walk']
  },
  { name: 'life', about: 'closing, exiting, worker threads, collection', timeoutMs: 900_000, cores: 0.5, long: true },
  { name: 'durability', about: 'kill -9, power cut, full disk', timeoutMs: 900_000, cores: 0.6, uses: ['disk'], first: true }
]

function parts () {
  const built = c('', 'C modules', { also: ['stub'] })
  const asan = c('address,undefined', 'C modules under ASan and UBSan', { full: true, also: ['daemon', 'objects'] })
  const tsan = c('thread', 'C modules under TSan', { full: true, also: ['daemon'] })
  return planned([
    check('lint', 'eslint', [bin('eslint'), '--max-warnings', '0', '--cache', '--cache-strategy', 'content', '--cache-location', 'node_modules/.cache/eslint/', '.']),
    check('format', 'clang-format agrees with the C sources', [process.execPath, '.ci/clang.js'], { if: has('clang-format') }),
    check('types', 'index.d.ts against its tests', [bin('tsd')], { if: exists('test/types') }),
    ...suites.filter(({ name, folder = name }) => exists(`test/${folder}`)).flatMap(suite =>
      (suite.mixed ? runtimes().slice(0, 1) : runtimes()).map(runtime => javascript(suite, runtime, { after: built ? { [STUB]: [built.jobs[0]] } : {} }))),
    built,
    check('tour', 'npm start -- --once', ['npm', 'start', '--silent', '--', '--once'], { if: exists('examples/tour.js') }),
    asan,
    tsan,
    asan && sanitized('daemon@asan', 'address,undefined', /./, asan.jobs[0]),
    tsan && sanitized('daemon@tsan', 'thread', /^(http|ipc)/, tsan.jobs[0]),
    asan && fuzzers(asan.jobs[0]),
    check('fuzz-js', `the decoder of replies in JavaScript, for ${budget.seconds} s`,
      [process.execPath, 'test/fuzz/decode.js'], { full: true }),
    check('tidy', 'clang-tidy', [process.execPath, '.ci/clang.js', '--tidy', '--jobs=1', '--nodes=75000'], { full: true }),
    bench(),
    javascript({ name: 'pack', about: 'the tarball in an empty folder', timeoutMs: 1_500_000 }, runtimes()[0], { full: true })
  ].filter(Boolean))
}

// A run of everything is planned by what the last one took. A fifth less: what a job
// takes on average it takes at some times and not at others, and when two that compute
// both wait, a third has the core.
function planned (all) {
  const times = isFull ? readTimes(path.join(root, 'test/README.md')) : new Map()
  for (const job of all.flatMap(({ jobs }) => jobs)) {
    const { seconds, cpu } = times.get(job.name) ?? {}
    if (seconds === undefined) continue
    job.expected = seconds
    job.cores = Math.min(cores, Math.max(0.15, 0.8 * cpu / seconds))
  }
  return all
}

function exists (file) {
  return fs.existsSync(path.join(root, file))
}

function has (command) {
  return process.env.PATH.split(path.delimiter).some(dir => fs.existsSync(path.join(dir, command)))
}

// A command that either succeeds or shows why not.
async function succeeds (name, [file, ...args], { counts = 1, ...options } = {}) {
  const { code, late, output, seconds, cpu } = await execute(file, args, { timeoutMs: 1_800_000, ...options })
  if (code === 0) return { passed: counts, failed: 0, seconds, cpu }
  const report = `${name}: ${late ? 'not over' : 'failed'} after ${seconds.toFixed(1)} s\n${tail(output)}`
  return { passed: 0, failed: 1, seconds, cpu, report }
}

function check (name, about, command, { full, alone, if: isWanted = true } = {}) {
  if (!isWanted) return null
  return { name, about, full, jobs: [{ name, alone, run: () => succeeds(name, command) }] }
}

// Each program of the benchmark for a moment, beside what it is compared with.
function bench () {
  if (!exists('bench/index.js')) return null
  const command = (...args) => [process.execPath, 'bench', ...args]
  const build = { name: 'bench: build', run: () => succeeds('bench: build', command('--setup', '--smoke'), { counts: 0 }) }
  const smoke = { name: 'bench', after: [build], run: () => succeeds('bench', command('--smoke')) }
  return { name: 'bench', about: 'each benchmark for a second', full: true, jobs: [build, smoke] }
}

// ---- programs in C ---------------------------------------------------------

// The job that builds, and then one for each program: they print TAP.
function c (kinds, about, { full, also = [] } = {}) {
  if (!exists('test/c/Makefile')) return null
  const variant = kinds ? kinds.replace(',', '-') : 'plain'
  const name = { '': 'c', 'address,undefined': 'c@asan', thread: 'c@tsan' }[kinds]
  const make = ['make', '-s', `-j${cores}`, '--no-print-directory', '-C', 'test/c', 'all', ...also, `SAN=${kinds}`]
  const build = { name: `${name}: build`, run: () => succeeds(`${name}: build`, make, { counts: 0 }) }
  const programs = fs.readdirSync(path.join(root, 'test/c')).filter(file => /^test_.*\.c$/.test(file)).sort()
    .map(file => `build/${variant}/${path.basename(file, '.c')}`)
  return {
    name,
    about,
    full,
    jobs: [build, ...programs.map(program => ({
      name: `test/c/${program}`,
      cores: WAITS.has(path.basename(program)) ? 0.5 : 1,
      after: [build],
      run: () => tapOf(`test/c/${program}`, 'test/c/run', [`test/c/${program}`], { timeoutMs: 900_000 })
    }))]
  }
}

// It has a build of its own, whose objects are mostly those of the programs in C.
const STUB = 'test/contract/stub.test.js'

// Of the programs in C those that mostly wait for a clock or a disk.
const WAITS = new Set(['test_alloc', 'test_io', 'test_log', 'test_log_kill', 'test_log_shared', 'test_log_sync', 'test_core'])

// How many inputs, of those that are counted and not timed: what strangers send is to be tried a million
// times in a run of everything.
const INPUTS = { fuzz_http: 1_000_000, fuzz_pg: 1_000_000 }

const howLong = name => name in INPUTS ? `RUNS=${budget.of(INPUTS[name])}` : `SECONDS=${budget.seconds}`

function fuzzers (core) {
  const make = (...args) => ['make', '-s', '--no-print-directory', '-C', 'test/fuzz', ...args]
  const build = { name: 'fuzz: build', after: [core], run: () => succeeds('fuzz: build', make('all'), { counts: 0 }) }
  const names = fs.readdirSync(path.join(root, 'test/fuzz')).filter(file => /^fuzz_.*\.c$/.test(file)).sort()
    .map(file => path.basename(file, '.c'))
  return {
    name: 'fuzz',
    about: `each fuzzer for ${budget.seconds} s, those of HTTP and PostgreSQL for ${budget.of(INPUTS.fuzz_http)} inputs`,
    full: true,
    jobs: [build, ...names.map(name => ({
      name: `fuzz: ${name}`,
      after: [build],
      run: () => succeeds(`fuzz: ${name}`, make('fuzz', `ONLY=${name}`, howLong(name)))
    }))]
  }
}

// ---- suites in JavaScript --------------------------------------------------

// What makes a file run with test/lite.js in tap's place. Bun needs that. Elsewhere to load tap takes more of a
// processor than most files do, so that it runs once: on the machine's Node, in a run of everything.
function lite ({ kind }) {
  return [kind === 'bun' ? '--preload' : '--require', path.join(root, 'test/lite-preload.js')]
}

// One suite on one runtime. The other runtimes belong to the long run, and of
// those that choice.js names each does its share.
function javascript (suite, runtime, options = {}) {
  const isOther = runtime !== runtimes()[0]
  const name = isOther ? `${suite.name}@${runtime.name}` : suite.name
  const slow = (suite.slow ?? []).map(name => `test/${suite.folder ?? suite.name}/${name}.test.js`)
  const about = `${suite.about}, on ${runtime.name} ${runtime.version || ''}`.trim()
  const part = { name, about, full: options.full || suite.long || isOther }
  if (runtime.skip) {
    const report = `${runtime.name}: ${runtime.skip}`
    return { ...part, jobs: [{ name, run: async () => ({ passed: 0, failed: 1, report }) }] }
  }
  const all = testFiles(suite.folder ?? suite.name).filter(file => isFull || !slow.includes(file))
    .filter(file => suite.files?.(start => path.basename(file).startsWith(start)) ?? true)
  const { files, env, chosen } = share(suite.name, runtime.name, all)
  const before = isOther || !isFull ? lite(runtime) : []
  return {
    ...part,
    chosen,
    leftOut: !isFull && slow.length > 0 ? suite.slow : undefined,
    jobs: files.map(file => ({
      name: isOther ? `${file}@${runtime.name}` : file,
      first: suite.first,
      cores: suite.cores,
      uses: suite.uses,
      alone: suite.alone,
      after: options.after?.[file],
      run: () => tapOf(file, runtime.exec, [...before, path.join(root, file)], {
        timeoutMs: suite.timeoutMs || 300_000,
        env: { ...process.env, ...env }
      })
    }))
  }
}

// SQLite's own (3.53): FTS5 looks at the byte behind the end of a LIKE pattern,
// and does nothing with it.
const notOurs = /^==\d+==ERROR: AddressSanitizer: heap-buffer-overflow[^\n]*\nREAD of size 1 [^\n]*\n *#0 \w+ in sqlite3Fts5ExprPattern /m

// The suites behind the socket against a daemon that was built for a sanitizer;
// whatever it has to report fails the file.
function sanitized (name, kinds, wanted, build) {
  const variant = kinds.replace(',', '-')
  const files = ['contract', 'daemon', 'http', 'ipc'].flatMap(testFiles)
    .filter(file => !file.startsWith('test/contract/') || /\/(pg-)?ipc/.test(file))
    .filter(file => wanted.test(file.slice('test/'.length)))
  return {
    name,
    about: `undercroftd under ${kinds} sanitizers, at the suites behind the socket`,
    full: true,
    jobs: files.map(file => ({
      name: `${file} with ${name}`,
      cores: file.startsWith('test/contract/') ? 0.5 : 1,
      uses: suites.find(suite => file.startsWith(`test/${suite.name}/`)).uses,
      after: [build],
      run: () => withReports(file, variant)
    }))
  }
}

async function withReports (file, variant) {
  const reports = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-reports-'))
  const to = `log_path=${reports}/report`
  const env = {
    ...process.env,
    CI: '',
    UNDERCROFT_DAEMON: path.join(root, 'test/c/build', variant, 'undercroftd'),
    // A small quarantine: the tests look at the memory that is used.
    ASAN_OPTIONS: `${to}:detect_leaks=1:halt_on_error=0:quarantine_size_mb=32`,
    UBSAN_OPTIONS: `${to}:print_stacktrace=1`,
    TSAN_OPTIONS: `${to}:second_deadlock_stack=1:suppressions=${root}/test/c/tsan.supp`
  }
  const result = await tapOf(file, runtimes()[0].exec, [...lite(runtimes()[0]), file], { timeoutMs: 600_000, env })
  const found = fs.readdirSync(reports).flatMap(file => fs.readFileSync(path.join(reports, file), 'utf8').split(/^={18,}$/m))
    .filter(report => report.trim() && !notOurs.test(report))
  fs.rmSync(reports, { recursive: true })
  if (found.length === 0) return result
  const shown = found.slice(0, 5).map(report => report.split('\n').slice(0, 40).join('\n'))
  return {
    ...result,
    failed: result.failed + found.length,
    report: [result.report ?? `${file}:`, ...shown].join('\n')
  }
}

function testFiles (name) {
  return fs.readdirSync(path.join(root, 'test', name))
    .filter(file => file.endsWith('.test.js')).sort().map(file => `test/${name}/${file}`)
}

// One file, as its suite would run it: for --repeat.
function jobOf (file, runtime = runtimes()[0]) {
  const name = path.relative(root, path.resolve(file))
  const before = runtime.kind === 'bun' ? lite(runtime) : []
  const command = /\.js$/.test(name) ? [runtime.exec, ...before, path.join(root, name)] : [path.join(root, 'test/c/run'), path.join(root, name)]
  return { name, run: () => tapOf(name, command[0], command.slice(1), { timeoutMs: 900_000 }) }
}

module.exports = { CHOSEN, jobOf, parts }
