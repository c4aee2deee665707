'use strict'

// SIGKILL at random moments, 200 times: what is lost of the lines that were said
// to survive, by their numbers; what is there twice, and what is torn.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')
const { eachLine, FIRST } = require('../../lib/log-lines')
const { LogDaemon } = require('../../lib/log-daemon')
const { filesOf } = require('../../contestants/log/undercroft')

const KILLS = 200
const APART = 100000 // lines of a life at most
const LIFE_MS = 20
const START_MS = 30000
const RATE = 20000 // lines a second while the daemon is killed
const TICK_MS = 5
// For what a daemon that is always being killed cannot take: what has no room is
// dropped and said to be, which is no loss by a kill.
const ROOM = { overflow: 'grow', growBytes: 512 * 2 ** 20 }

/** What was told before a kill: how many of a life's lines are to be there. */
class Lives {
  #told
  #covered = []

  constructor (file) {
    this.#told = `${file}.told`
  }

  /** Starts a service, lets it log for a moment and kills it. */
  async live (job) {
    fs.writeFileSync(this.#told, Buffer.alloc(4))
    const child = spawn(process.execPath, [path.join(__dirname, '../../servers/victim.js'), JSON.stringify({
      ...job, told: this.#told, first: this.#covered.length * APART, most: APART
    })], { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = once(child, 'exit')
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', chunk => { errors += chunk })
    const end = Date.now() + START_MS
    while (this.#count() === 0 && child.exitCode === null && Date.now() < end) await sleep(1)
    await sleep(Math.random() * LIFE_MS)
    child.kill('SIGKILL')
    const [code] = await ended
    if (code !== null) throw new Error(`the service exited with ${code}: ${errors}`)
    this.#covered.push(this.#count())
  }

  /** Looks for all that is to be there: { lost, twice, torn, covered }. */
  judge (files) {
    const seen = new Uint8Array(this.#covered.length * APART)
    const found = { lost: 0, twice: 0, torn: 0, covered: 0 }
    for (const file of files) countLines(file, seen, found)
    this.#covered.forEach((count, life) => {
      found.covered += count
      for (let i = 0; i < count; i++) if (seen[life * APART + i] === 0) found.lost++
    })
    return found
  }

  #count () {
    return fs.readFileSync(this.#told).readUInt32LE()
  }
}

/** A line that is no JSON, or two in one, is torn. */
function countLines (file, seen, found) {
  eachLine(file, 0, (id, bytes, start, end) => {
    try {
      const { reqId } = JSON.parse(bytes.toString('utf8', start, end))
      if (reqId !== undefined && seen[reqId - FIRST]++) found.twice++
    } catch {
      found.torn++
    }
  })
}

/** A service that writes its files itself. */
function alone (filesOf, covers = 'call') {
  return async ({ contestant, job, scale }) => ({
    async round () {
      const lives = new Lives(job.file)
      for (let i = 0; i < scale(KILLS); i++) {
        await lives.live({ contestant: job.contestant, file: job.file, settings: job.settings, covers })
      }
      // Whoever opens it next finds what the last one left.
      const lib = await contestant.open(job.file, job.settings)
      await lib.flush()
      await lib.close()
      return lives.judge(filesOf(job.file))
    }
  })
}

/** A service that logs through a daemon. */
function service (covers, options) {
  return async ({ job, scale }) => ({
    round: () => withDaemon(job, async (daemon, dir) => {
      const lives = new Lives(job.file)
      for (let i = 0; i < scale(KILLS); i++) {
        await lives.live({ contestant: job.contestant, target: daemon.target, dir, options, covers })
      }
      await daemon.stop()
      return lives.judge(filesOf(dir))
    })
  })
}

/** A daemon that is killed and started again while a service logs. */
async function daemonKilled ({ contestant, job, scale }) {
  return {
    round: () => withDaemon(job, async (daemon, dir) => {
      const lib = await contestant.overDaemon(daemon.target, dir, ROOM)
      const writing = new Paced(lib)
      for (let i = 0; i < scale(KILLS); i++) {
        await sleep(Math.random() * LIFE_MS)
        await daemon.kill()
        await daemon.start()
      }
      const count = await writing.stop()
      await lib.flush()
      await lib.close()
      await daemon.stop()
      const seen = new Uint8Array(count)
      const found = { lost: 0, twice: 0, torn: 0, covered: count }
      for (const file of filesOf(dir)) countLines(file, seen, found)
      for (const times of seen) if (times === 0) found.lost++
      return found
    })
  }
}

async function withDaemon (job, use) {
  const dir = `${job.file}.daemon`
  const daemon = new LogDaemon(dir)
  try {
    await daemon.start()
    return await use(daemon, dir)
  } finally {
    await daemon.stop()
  }
}

/** Writes lines at RATE until it is stopped, which says how many. */
class Paced {
  #count = 0
  #over = false
  #ended

  constructor (lib) {
    this.#ended = this.#run(lib)
  }

  async stop () {
    this.#over = true
    await this.#ended
    return this.#count
  }

  async #run (lib) {
    const start = Date.now()
    while (!this.#over) {
      const due = (Date.now() - start) * RATE / 1000
      while (this.#count < due) lib.log(this.#count++)
      await sleep(TICK_MS)
    }
  }
}

function rowsOf (name, what, ours, rivals) {
  const none = { node: 0, bun: 0 }
  const row = (measure, title, more) => ({ name: `${name}-${measure}`, title, measure, ours, rivals, targets: {}, ...more })
  return [
    row('lost', `${what}: lost lines of those covered`, { atMost: none }),
    row('twice', `${what}: lines twice`, { atMost: none }),
    row('torn', `${what}: torn lines`, { atMost: none }),
    row('covered', `${what}: lines covered`, { better: 'higher', rivals: {} })
  ]
}

const pinoFile = file => [`${file}.log`]

module.exports = {
  title: '200 kills (-9)',
  unit: 'lines',
  better: 'lower',
  roundMs: 60000,
  once: true,
  opensItself: true,
  rows: [
    ...rowsOf('kills', '200 kills of the process, each line whose call had returned', 'alone', { pino: 'alone' }),
    ...rowsOf('kills-service', '200 kills of the service over IPC, lines of turns that had ended', 'service', {}),
    ...rowsOf('kills-line', '200 kills of the service over IPC with `sync: \'line\'`, each line whose call had returned', 'line', {}),
    ...rowsOf('kills-daemon', '200 kills of the daemon, every line', 'daemon', {})
  ],
  programs: {
    ours: {
      alone: alone(file => filesOf(`${file}.logs`)),
      service: service('turn'),
      line: service('call', { sync: 'line' }),
      daemon: daemonKilled
    },
    pino: { alone: alone(pinoFile) }
  }
}
