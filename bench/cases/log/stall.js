'use strict'

// The disk stands still for ten seconds while the service goes on logging. Who
// writes to it is stopped (SIGSTOP): of Undercroft the process that owns the
// directory, for the others a reader of the pipe that they take for their file.

const fs = require('node:fs')
const { execFileSync, fork, spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { rss, settle } = require('../../lib/memory')
const { now } = require('../../lib/loop')
const { eachLine, examine } = require('../../lib/log-lines')

const STALL_MS = 10000
const WARM_MS = 3000
const RATE = 20000 // lines a second
const MOST = 1000 // lines at once, when the loop was held up
const TICK_MS = 5
const RING = 8 * 2 ** 20
const HEAP = 8 * 2 ** 20 // what a heap goes up and down by itself
const MB = 1e6
const COPY_MS = 20000
const POLL_MS = 100

/** Lines from number `from` at RATE for `ms`; the longest call in ms. */
async function paced (lib, from, ms) {
  const start = now()
  let sent = 0
  let longest = 0
  for (let elapsed; (elapsed = now() - start) < ms;) {
    const due = Math.min(Math.floor(elapsed * RATE / 1000) - sent, MOST)
    for (let i = 0; i < due; i++) {
      const called = now()
      lib.log(from + sent++)
      longest = Math.max(longest, now() - called)
    }
    await sleep(TICK_MS)
  }
  return { sent, longest }
}

/** The highest resident size since the last call, in bytes. */
function peak () {
  const text = fs.readFileSync('/proc/self/status', 'utf8')
  fs.writeFileSync('/proc/self/clear_refs', '5')
  return Number(/VmHWM:\s+(\d+) kB/.exec(text)[1]) * 1024
}

async function stalled (lib, pid, scale, done) {
  const ms = scale(STALL_MS)
  const warm = await paced(lib, 0, scale(WARM_MS))
  await settle()
  peak()
  const before = rss()
  const stop = spawn('sh', ['-c', `kill -STOP ${pid}; sleep ${ms / 1000}; kill -CONT ${pid}`], { stdio: 'ignore' })
  const over = once(stop, 'close')
  const { sent, longest } = await paced(lib, warm.sent, ms)
  const memory = (peak() - before) / MB
  await over
  const count = warm.sent + sent
  const parts = await done(count)
  const { lost, twice, torn } = examine(parts, [{ from: 0, count }])
  if (twice || torn) throw new Error(`${twice} lines are there twice, ${torn} are torn`)
  return { memory, longest, lost: 100 * lost / count }
}

function ours (options) {
  return async ({ contestant, job, scale }) => {
    const dir = `${job.file}.logs`
    const rotate = { bytes: 0, daily: false }
    const owner = fork(path.join(__dirname, '../../servers/owner.js'), [dir, JSON.stringify({ rotate, ...options })])
    await once(owner, 'message')
    const lib = contestant.inDirectory(dir, { rotate, ...options })
    return {
      async round () {
        return stalled(lib, owner.pid, scale, async () => {
          await lib.flush()
          return lib.files().map(file => ({ file, from: 0 }))
        })
      },
      async close () {
        await lib.close()
        const ended = once(owner, 'exit')
        owner.disconnect()
        await ended
      }
    }
  }
}

/** A logger that writes into a pipe, which `cat` copies to a file. */
async function pipe ({ contestant, job, scale }) {
  const out = `${job.file}.out`
  execFileSync('mkfifo', [`${job.file}.log`])
  const reader = spawn('sh', ['-c', 'exec cat "$0" > "$1"', `${job.file}.log`, out], { stdio: 'ignore' })
  const lib = await contestant.open(job.file, job.settings)
  return {
    round: () => stalled(lib, reader.pid, scale, async count => {
      // Only files can be flushed with fsync: what comes out of the pipe is counted.
      await copied(out, count, lib)
      return [{ file: out, from: 0 }]
    }),
    // What still writes into the pipe must not wait for its reader.
    close: async () => { reader.kill('SIGKILL') }
  }
}

async function copied (file, count, lib) {
  const end = Date.now() + COPY_MS
  for (let lines = 0; lines < count && Date.now() < end;) {
    lib.flush().catch(() => {}) // it cannot sync a pipe, but it writes
    await sleep(POLL_MS)
    lines = 0
    eachLine(file, 0, id => { if (id >= 0) lines++ })
  }
}

const row = (name, title, unit, measure, program, more) => ({
  name, title, unit, measure, ours: program, rivals: program === 'block' ? { pino: 'pipe', other: 'pipe' } : {}, targets: {}, ...more
})
const bounded = bytes => ({ node: Math.ceil(bytes / MB), bun: Math.ceil(bytes / MB) })

module.exports = {
  title: 'A disk that stands still for 10 s',
  roundMs: 10000,
  once: true,
  opensItself: true,
  better: 'lower',
  flags: { node: ['--expose-gc'] },
  rows: [
    row('stall-memory', 'resident memory that 10 s add in which whoever writes to the disk is stopped, at 20,000 lines a second, the ring of 8 MiB full', 'MB', 'memory', 'block',
      { atMost: bounded(RING + HEAP) }),
    row('stall-longest', 'the longest call meanwhile', 'ms', 'longest', 'block'),
    row('stall-lost', 'lines that were dropped (and are counted in the log)', '%', 'lost', 'block'),
    row('stall-grow-memory', 'the same with `overflow: \'grow\'` up to 64 MiB', 'MB', 'memory', 'grow',
      { atMost: bounded(RING + 8 * RING + HEAP) }),
    row('stall-grow-lost', 'lines that were dropped then', '%', 'lost', 'grow', { atMost: { node: 0, bun: 0 } })
  ],
  programs: {
    ours: { block: ours({ overflow: 'block' }), grow: ours({ overflow: 'grow', growBytes: 8 * RING }) },
    pino: { pipe },
    other: { pipe }
  }
}
