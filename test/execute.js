'use strict'
// Runs one program of a test run: counts its TAP, and measures it.
//
//   await execute(file, args, { timeoutMs, env, onOut }) -> { code, signal, late, output, seconds, cpu }
//   await tapOf(name, file, args, options) -> { passed, failed, skipped, report?, seconds, cpu }
//
// `seconds` is the time on the clock, `cpu` the processor's: of the program and
// of all those below it that somebody waited for. A daemon that ends by itself
// after its parent is in neither.

const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { tapCounter } = require('./tap-count')

const root = path.join(__dirname, '..')

// How many failures of a file are shown, how much of each, and of what it said last.
const FAILURES = 10
const FAILURE_LINES = 25
const LAST_LINES = 15

// The shell stays to say how much of the processor its child took. Descriptor 3
// is its own: what is tested does not see it.
const MEASURED = '"$@" 3>&-; code=$?; times >&3; exit $code'

// A program's TAP, counted. How it ended counts too, when its points do not say. node-tap gives a file
// 30 s unless told, which a slow machine can need: it shall end, and name what hangs, shortly before we do.
async function tapOf (name, file, args, options) {
  const tap = tapCounter()
  const env = { ...(options.env ?? process.env), TAP_TIMEOUT: String(Math.floor(options.timeoutMs / 1000) - 10) }
  const { code, signal, output, late, seconds, cpu } = await execute(file, args, {
    ...options,
    env,
    onOut: text => tap.write(text)
  })
  const result = { ...tap.end(), seconds, cpu }
  if (late) {
    result.failed++
    result.failures.push(`not over after ${options.timeoutMs / 1000} s`)
  } else if (code !== 0 && result.failed === 0) {
    result.failed++
    result.failures.push(`ended with ${signal || `exit code ${code}`}`)
  }
  if (result.failed === 0) return result
  const end = `${result.failed} failed after ${seconds.toFixed(1)} s`
  const more = result.failures.length - FAILURES
  const report = [`${name}: ${end}`, ...result.failures.slice(0, FAILURES).map(brief),
    ...(more > 0 ? [`and ${more} failures more`] : []), ...stray(output), ...lastLines(output)].join('\n')
  return { ...result, report }
}

function brief (failure) {
  return failure.split('\n').slice(0, FAILURE_LINES).join('\n')
}

// What a program said besides TAP is often the reason: the end of stderr, or
// the first report of a sanitizer, which says in its first lines what it found.
function stray (output) {
  if (!output.err.trim()) return []
  const report = /^(?:WARNING: ThreadSanitizer|==\d+==ERROR: |[^\n]*: runtime error: )/m.exec(output.err)
  return ['stderr:', report
    ? output.err.slice(report.index).split('\n').slice(0, 60).join('\n')
    : tail({ out: '', err: output.err }, LAST_LINES)]
}

// Where it was when it ended.
function lastLines (output) {
  return output.out.trim() ? ['the last lines:', tail({ out: output.out, err: '' }, LAST_LINES)] : []
}

// The whole process group is killed at the end of its time, or of ours: nothing
// outlives a test run.
function execute (file, args, { timeoutMs, onOut, env } = {}) {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const child = spawn('sh', ['-c', MEASURED, 'sh', file, ...args], {
      cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe']
    })
    const output = { out: '', err: '' }
    let times = ''
    let late = false
    const timer = setTimeout(() => {
      late = true
      kill(child.pid)
    }, timeoutMs)
    running.add(child.pid)
    child.stdout.setEncoding('utf8').on('data', text => {
      onOut?.(text)
      output.out = (output.out + text).slice(-100_000)
    })
    child.stderr.setEncoding('utf8').on('data', text => { output.err = (output.err + text).slice(-100_000) })
    child.stdio[3].setEncoding('utf8').on('data', text => { times += text })
    child.on('error', reject)
    child.on('close', (status, own) => {
      clearTimeout(timer)
      running.delete(child.pid)
      resolve({ ...ending(status, own), late, output, seconds: (performance.now() - began) / 1000, cpu: cpuOf(times) })
    })
  })
}

const running = new Set()

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const pid of running) kill(pid)
    process.exit(130)
  })
}

// A shell tells of its child's signal by a number.
function ending (status, own) {
  if (own !== null) return { code: null, signal: own }
  const name = status > 128 && Object.entries(os.constants.signals).find(([, n]) => n === status - 128)?.[0]
  return name ? { code: null, signal: name } : { code: status, signal: null }
}

// The second line is of the children: "0m1.230000s 0m0.040000s".
function cpuOf (times) {
  const fields = times.trim().split('\n')[1]?.match(/(\d+)m([\d.]+)s/g) ?? []
  return fields.reduce((sum, field) => {
    const [, minutes, seconds] = /(\d+)m([\d.]+)s/.exec(field)
    return sum + minutes * 60 + Number(seconds)
  }, 0)
}

function kill (pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function tail ({ out, err }, lines = 60) {
  return `${out}\n${err}`.trim().split('\n').slice(-lines).join('\n')
}

module.exports = { execute, tapOf, tail }
