'use strict'

// A command of the configuration: with its output as it comes, a deadline, and
// an end for everything it has started. Used on the host and, for what runs
// `here`, by the deployer.

const { spawn } = require('node:child_process')
const { constants: { signals } } = require('node:os')

const LAST_LINES = 20
const LINE_BYTES = 4096
const KILL_MS = 5000 // from SIGTERM to SIGKILL
const PIPE_MS = 1000 // for the last words, when something it started still has its output open

/**
 * Runs a command to its end.
 *
 * @param {string[] | string} command a program with its arguments, which no
 *   shell sees, or a line for `sh -c` as it was written
 * @param {object} options
 * @param {string} options.cwd
 * @param {object} [options.env] the whole environment; default: that of this process
 * @param {number} options.timeoutMs
 * @param {function(string): void | Promise} [options.onLine] each line of its
 *   output; while what it returns is not settled no more is read
 * @param {AbortSignal} [options.signal] ends it
 * @returns {Promise<{ ok, code, signal, late, missing, lines, ms }>} `lines`:
 *   the last ones; `missing`: there is no such program. Rejects with the
 *   signal's reason when it was ended by that
 */
async function run (command, { cwd, env, timeoutMs, onLine, signal }) {
  signal?.throwIfAborted()
  const [file, ...args] = typeof command === 'string' ? ['sh', '-c', command] : command
  const started = performance.now()
  const lines = []
  // A group of its own: its children end with it.
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise(resolve => {
    child.once('error', err => resolve({ code: null, signal: null, missing: err.code === 'ENOENT', why: err.message }))
    child.once('exit', (code, by) => resolve({ code, signal: by, missing: false }))
  })
  const kill = name => {
    try {
      if (child.pid) process.kill(-child.pid, name)
    } catch {
      // It has ended.
    }
  }
  let late = false
  const timers = []
  const stop = () => {
    kill('SIGTERM')
    timers.push(setTimeout(kill, KILL_MS, 'SIGKILL'))
  }
  timers.push(setTimeout(() => {
    late = true
    stop()
  }, timeoutMs))
  signal?.addEventListener('abort', stop, { once: true })
  const say = line => {
    lines.push(line)
    if (lines.length > LAST_LINES) lines.shift()
    return onLine?.(line)
  }
  const read = [eachLine(child.stdout, say), eachLine(child.stderr, say)]
  try {
    const { code, signal: by, missing, why } = await ended
    if (why) lines.push(why)
    const end = setTimeout(() => [child.stdout, child.stderr].forEach(stream => stream?.destroy()), PIPE_MS)
    await Promise.all(read)
    clearTimeout(end)
    if (signal?.aborted) throw signal.reason
    return { ok: code === 0 && !late, code, signal: by, late, missing, lines, ms: Math.round(performance.now() - started) }
  } finally {
    timers.forEach(clearTimeout)
    signal?.removeEventListener('abort', stop)
    // Whatever it left behind in its group.
    kill('SIGKILL')
  }
}

async function eachLine (stream, say) {
  if (!stream) return
  let rest = ''
  try {
    for await (const chunk of stream.setEncoding('utf8')) {
      const found = (rest + chunk).split(/\r\n|\n|\r/)
      rest = found.pop().slice(0, LINE_BYTES)
      for (const line of found) await say(line.slice(0, LINE_BYTES))
    }
  } catch (err) {
    if (err.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw err
  }
  if (rest) await say(rest)
}

/** How a command ended, in words. */
function howItEnded ({ code, signal, late, missing }, timeoutMs) {
  if (late) return `was not over after ${timeoutMs / 1000} s`
  if (missing) return 'was not found'
  if (signal) return `was ended by ${signal}`
  // A shell tells of a signal by its number above 128.
  const name = code > 128 && Object.keys(signals).find(key => signals[key] === code - 128)
  return `ended with exit code ${code}${name ? ` (${name})` : ''}`
}

/** A command as it is shown. */
const shown = command => typeof command === 'string' ? command : command.join(' ')

module.exports = { run, howItEnded, shown }
