'use strict'

// log - the part of the tour about the log: what a line costs, and a process that is killed amid
// thousands of them.

const path = require('node:path')
const { execFile, spawn } = require('node:child_process')
const { promisify } = require('node:util')
const { open } = require('undercroft')
const { count, duration, note, result, size, step, timed, wrong } = require('./screen')

const LINES = 100000
const MOST_BYTES = 512 * 1024 * 1024
const KILL_AT = 20000

// What npx undercroft runs.
const command = path.join(path.dirname(require.resolve('undercroft/package.json')), 'lib/cli/main.js')

/** What `npx undercroft logs` says of a directory: its lines as objects. */
async function read (dir, ...args) {
  const { stdout } = await promisify(execFile)(process.execPath, [command, 'logs', '--dir', dir, '--json', ...args], { maxBuffer: MOST_BYTES })
  return stdout.trimEnd().split('\n').map((line) => JSON.parse(line))
}

async function lines ({ dir }) {
  const place = path.join(dir, 'lines')
  const { log, close } = logOf(place)
  step('A log whose lines survive the process', "const { log } = open({ log: { dir: 'logs' } })", "log.info({ reqId, method, url, status, ms }, 'request done')")
  const fields = (i) => ({ reqId: i, method: 'GET', url: '/city/2988507', status: 200, ms: i % 1000 / 100 })
  for (let i = 0; i < LINES / 10; i++) log.info(fields(i), 'warming up')
  const [, ms] = await timed(() => { for (let i = 0; i < LINES; i++) log.info(fields(i), 'request done') })
  const [, flushMs] = await timed(() => log.flush({ sync: true }))
  const stats = await log.stats()
  await close()
  result(`${count(LINES)} calls of ${duration(ms / LINES)}; ${duration(flushMs)} later all of it is on disk`)
  note(`${count(stats.lines)} lines, ${size(stats.bytes)}, ${stats.dropped} dropped`)
}

async function killed ({ dir }) {
  const place = path.join(dir, 'killed')
  step('kill -9 a process that logs', `process.kill(pid, 'SIGKILL')    // after ${count(KILL_AT)} lines`, 'npx undercroft logs --dir logs')
  const child = spawn(process.execPath, [path.join(__dirname, 'logger.js'), place], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = 0
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const numbers = (rest + text).split('\n')
    rest = numbers.pop()
    if (numbers.length > 0) told = Number(numbers.at(-1))
    if (told >= KILL_AT) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.on('close', resolve))
  const found = (await read(place)).map((line) => line.n)
  const isWhole = found.length >= told && found.every((n, i) => n === i + 1)
  const text = `${count(told)} calls had returned; ${count(found.length)} lines are there, ` +
    (isWhole ? 'in order, none twice' : 'and not the ones that should be')
  if (isWhole) return result(text)
  wrong(text)
  throw new Error('lines of the log are missing')
}

function logOf (dir) {
  const store = open({ log: { dir } })
  return { log: store.log, close: () => store.close() }
}

/** Shows what comes into a log, as it comes; ends with stop(). */
function tail (dir) {
  const child = spawn(process.execPath, [command, 'logs', '--dir', dir, '--follow'], { stdio: ['ignore', 'inherit', 'inherit'] })
  return { stop: () => { child.kill() } }
}

module.exports = { parts: [lines, killed], command, read, tail }
