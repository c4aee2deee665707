'use strict'
// The parts of `npm test`, in the order in which a mistake is told soonest.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { runtimes } = require('./runtimes')
const { tapCounter } = require('./tap-count')

const root = path.join(__dirname, '..')
const isFull = process.env.CI === 'true'
const bin = name => path.join(root, 'node_modules/.bin', name)

// Suites in JavaScript: test/<name>/*.test.js. `alone`: they measure time or
// kill processes, and would disturb each other. `waits`: mostly for others, so
// that more of its files may run at once. `mixed`: one runtime drives it, as
// it is about the daemon, or starts processes on every runtime by itself.
const suites = [
  { name: 'unit', about: 'modules of lib/ and the repository itself' },
  { name: 'contract', about: 'behaviour, through every door', timeoutMs: 600_000, waits: true },
  { name: 'semantics', about: 'each sentence of the guarantees', alone: true },
  { name: 'daemon', about: 'undercroftd as a process, and clients that break every rule', alone: true, mixed: true },
  { name: 'ipc', about: 'many processes through one daemon: a model, kill -9, replacement', timeoutMs: 900_000, alone: true, mixed: true },
  {
    name: 'deploy',
    about: 'deployments to real SSH servers behind a real gateway',
    timeoutMs: 600_000,
    alone: isFull,
    mixed: true,
    slow: ['daemon', 'flow', 'graceful', 'hosts', 'kill', 'load-daemon', 'load-ports', 'logs', 'resume', 'rollback', 'ssh', 'start', 'status', 'systemd', 'upload', 'walk']
  },
  { name: 'life', about: 'closing, exiting, worker threads, collection', timeoutMs: 900_000, waits: true, long: true },
  { name: 'durability', about: 'kill -9, power cut, full disk', timeoutMs: 900_000, alone: true }
]

function parts () {
  return [
    check('lint', 'eslint', [bin('eslint'), '--max-warnings', '0', '.']),
    check('format', 'clang-format agrees with the C sources', [process.execPath, '.ci/clang.js'], { if: has('clang-format') }),
    check('types', 'index.d.ts against its tests', [bin('tsd')], { if: exists('test/types') }),
    ...suites.filter(({ name }) => exists(`test/${name}`)).flatMap(suite =>
      (suite.mixed ? runtimes().slice(0, 1) : runtimes()).map(runtime => javascript(suite, runtime))),
    make('c', 'C modules', 'test/c', ['test'], { beside: true }),
    check('tour', 'npm start -- --once', ['npm', 'start', '--silent', '--', '--once'], { if: exists('examples/tour.js') }),
    make('c@asan', 'C modules under ASan and UBSan', 'test/c', ['test', 'SAN=address,undefined'], { full: true }),
    make('c@tsan', 'C modules under TSan', 'test/c', ['test', 'SAN=thread'], { full: true }),
    sanitized('daemon@asan', 'address,undefined', /./),
    sanitized('daemon@tsan', 'thread', /^ipc/),
    check('fuzz', 'each fuzzer for a while', ['make', '-s', `-j${os.availableParallelism()}`, '-C', 'test/fuzz', 'fuzz', 'SECONDS=20'], { full: true, if: exists('test/fuzz/Makefile') }),
    check('fuzz-js', 'the decoder of replies in JavaScript, ten million runs', [process.execPath, 'test/fuzz/decode.js', '10000000'], { full: true }),
    check('tidy', 'clang-tidy', [process.execPath, '.ci/clang.js', '--tidy'], { full: true }),
    check('bench', 'each benchmark for a second', [process.execPath, 'bench', '--smoke'], { full: true, if: exists('bench/index.js') }),
    javascript({ name: 'pack', about: 'the tarball in an empty folder', alone: true, timeoutMs: 1_500_000 }, runtimes()[0], { full: true })
  ].filter(Boolean)
}

function exists (file) {
  return fs.existsSync(path.join(root, file))
}

function has (command) {
  return process.env.PATH.split(path.delimiter).some(dir => fs.existsSync(path.join(dir, command)))
}

// A command that either succeeds or shows why not.
function check (name, about, [file, ...args], options = {}) {
  if (options.if === false) return null
  return {
    name,
    about,
    full: options.full,
    async run () {
      const { code, output } = await execute(file, args, { timeoutMs: 1_800_000 })
      return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, report: tail(output) }
    }
  }
}

// A make target whose programs print TAP.
function make (name, about, dir, args, options = {}) {
  if (!exists(`${dir}/Makefile`)) return null
  return {
    name,
    about,
    full: options.full,
    beside: options.beside,
    run: () => tapOf(name, 'make', ['-s', `-j${os.availableParallelism()}`, '--no-print-directory', '-C', dir, ...args], { timeoutMs: 1_800_000 })
  }
}

// One suite on one runtime. The other runtimes belong to the long run.
function javascript (suite, runtime, options = {}) {
  const isOther = runtime !== runtimes()[0]
  const slow = (suite.slow ?? []).map(name => `test/${suite.name}/${name}.test.js`)
  return {
    name: isOther ? `${suite.name}@${runtime.name}` : suite.name,
    about: `${suite.about}, on ${runtime.name} ${runtime.version || ''}`.trim(),
    full: options.full || suite.long || isOther,
    async run () {
      if (runtime.skip) return { passed: 0, failed: 1, report: `${runtime.name}: ${runtime.skip}` }
      const files = testFiles(suite.name).filter(file => isFull || !slow.includes(file))
      const before = runtime.kind === 'bun' ? ['--preload', path.join(root, 'test/lite-bun.js')] : []
      const jobs = suite.alone ? 1 : os.availableParallelism() + (suite.waits ? 2 : 0)
      const result = sum(await pool(jobs, files, file =>
        tapOf(file, runtime.exec, [...before, path.join(root, file)], { timeoutMs: suite.timeoutMs || 300_000 })))
      if (!isFull && slow.length > 0) result.report = `${result.report}left out of this short run: ${suite.slow.join(', ')}\n`
      return result
    }
  }
}

// SQLite's own (3.53): FTS5 looks at the byte behind the end of a LIKE pattern,
// and does nothing with it.
const notOurs = /^==\d+==ERROR: AddressSanitizer: heap-buffer-overflow[^\n]*\nREAD of size 1 [^\n]*\n *#0 \w+ in sqlite3Fts5ExprPattern /m

// The suites behind the socket against a daemon that was built for a sanitizer;
// whatever it has to report fails the part.
function sanitized (name, kinds, chosen) {
  const variant = kinds.replace(',', '-')
  if (!exists('test/c/Makefile')) return null
  return {
    name,
    about: `undercroftd under ${kinds} sanitizers, at the suites behind the socket`,
    full: true,
    async run () {
      const { code, output } = await execute('make', ['-s', '-C', 'test/c', 'daemon', `SAN=${kinds}`], { timeoutMs: 600_000 })
      if (code !== 0) return { passed: 0, failed: 1, report: tail(output) }
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
      const files = ['contract', 'daemon', 'ipc'].flatMap(testFiles)
        .filter(file => !file.startsWith('test/contract/') || file.includes('/ipc-'))
        .filter(file => chosen.test(file.slice('test/'.length)))
      const isContract = file => file.startsWith('test/contract/')
      const one = file => tapOf(file, runtimes()[0].exec, [file], { timeoutMs: 600_000, env })
      const result = sum([
        ...await pool(os.availableParallelism() + 1, files.filter(isContract), one),
        ...await pool(1, files.filter(file => !isContract(file)), one)
      ])
      const found = fs.readdirSync(reports).flatMap(file => fs.readFileSync(path.join(reports, file), 'utf8').split(/^={18,}$/m))
        .filter(report => report.trim() && !notOurs.test(report))
      fs.rmSync(reports, { recursive: true })
      result.failed += found.length
      for (const report of found.slice(0, 5)) result.report += `${report.split('\n').slice(0, 40).join('\n')}\n`
      return result
    }
  }
}

function testFiles (name) {
  return fs.readdirSync(path.join(root, 'test', name))
    .filter(file => file.endsWith('.test.js')).sort().map(file => `test/${name}/${file}`)
}

// ---- running ---------------------------------------------------------------

// A program's TAP, counted. How it ended counts too, when its points do not say. node-tap gives a file
// 30 s unless told, which a slow machine can need: it shall end, and name what hangs, shortly before we do.
async function tapOf (name, file, args, options) {
  const tap = tapCounter()
  const env = { ...(options.env ?? process.env), TAP_TIMEOUT: String(Math.floor(options.timeoutMs / 1000) - 10) }
  const { code, signal, output, late } = await execute(file, args, { ...options, env, onOut: text => tap.write(text) })
  const result = tap.end()
  if (late) {
    result.failed++
    result.failures.push(`not over after ${options.timeoutMs / 1000} s`)
  } else if (code !== 0 && result.failed === 0) {
    result.failed++
    result.failures.push(`ended with ${signal || `exit code ${code}`}`)
  }
  if (result.failed === 0) return result
  const report = [`${name}:`, ...result.failures.slice(0, 20), ...stray(output)].join('\n')
  return { ...result, report }
}

// What a program said besides TAP is often the reason: the end of stderr, or
// the first report of a sanitizer, which says in its first lines what it found.
function stray (output) {
  if (!output.err.trim()) return []
  const report = /^(?:WARNING: ThreadSanitizer|==\d+==ERROR: |[^\n]*: runtime error: )/m.exec(output.err)
  return ['stderr:', report
    ? output.err.slice(report.index).split('\n').slice(0, 60).join('\n')
    : tail({ out: '', err: output.err }, 25)]
}

// -> { code, signal, late, output: { out, err } }. The whole process group is
// killed at the end of its time: nothing outlives a test run.
function execute (file, args, { timeoutMs, onOut, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { out: '', err: '' }
    let late = false
    const timer = setTimeout(() => {
      late = true
      kill(child.pid)
    }, timeoutMs)
    const stop = () => {
      kill(child.pid)
      process.exit(130)
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    child.stdout.setEncoding('utf8').on('data', text => {
      if (onOut) onOut(text)
      else output.out += text
    })
    child.stderr.setEncoding('utf8').on('data', text => { output.err = (output.err + text).slice(-100_000) })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      resolve({ code, signal, late, output })
    })
  })
}

function kill (pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

async function pool (size, items, work) {
  const results = []
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index])
    }
  }
  await Promise.all(Array.from({ length: size }, worker))
  return results
}

function sum (results) {
  const total = { passed: 0, failed: 0, skipped: 0, report: '' }
  for (const { passed, failed, skipped, report } of results) {
    total.passed += passed
    total.failed += failed
    total.skipped += skipped
    if (report) total.report += `${report}\n`
  }
  return total
}

function tail ({ out, err }, lines = 60) {
  return `${out}\n${err}`.trim().split('\n').slice(-lines).join('\n')
}

module.exports = { parts }
