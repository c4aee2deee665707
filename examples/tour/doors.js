'use strict'

// doors - the part of the tour about the second door: several processes on one database, through a
// daemon that dies in the midst of it.

const path = require('node:path')
const { spawn, execFileSync } = require('node:child_process')
const { open } = require('undercroft')
const { count, duration, note, result, step, wrong } = require('./screen')

const BEFORE_MS = 500
const AFTER_MS = 700

// Bun as it is installed, or as the tests have it.
const BUNS = ['bun', path.join(__dirname, '../../test/runtimes/node_modules/bun/bin/bun')]

function findBun () {
  return BUNS.find((bun) => {
    try {
      execFileSync(bun, ['--version'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}

// A process that writes; its `ids` are those it saw acknowledged, `pause` its longest silence.
function client (runtime, name, target, file) {
  const child = spawn(runtime, [path.join(__dirname, 'client.js'), target, file, name], { stdio: ['pipe', 'pipe', 'inherit'] })
  const it = { name, ids: [], pause: 0, started: null, ended: null, stop: () => child.stdin.end() }
  let rest = ''
  let heard = 0
  it.started = new Promise((resolve) => child.stdout.once('data', resolve))
  child.stdout.setEncoding('utf8').on('data', (piece) => {
    const now = performance.now()
    if (heard > 0) it.pause = Math.max(it.pause, now - heard)
    heard = now
    const lines = (rest + piece).split('\n')
    rest = lines.pop()
    for (const line of lines) it.ids.push(Number(line))
  })
  it.ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => code === 0 ? resolve() : reject(new Error(`the process ${name} ended with ${code}`)))
  })
  return it
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function doors ({ dir }) {
  const target = `ipc://${path.join(dir, 'undercroft.sock')}`
  const file = path.join(dir, 'shared.db')
  const bun = findBun()
  step('The other door: one daemon, several processes, the same API',
    "const { db } = open('ipc:///run/app/undercroft.sock', { spawn: { db: 'shared.db' } })",
    "await db.run('insert into ledger …', [name, id], { once: key })    // 16 at a time, in each process")
  const store = open(target, { spawn: { db: file } })
  const { db } = store
  await db.exec('create table ledger(who text, id integer, primary key(who, id)) without rowid')
  const { pid } = await store.door()
  const clients = [client(process.execPath, 'first', target, file), client(bun ?? process.execPath, 'second', target, file)]
  note(bun === undefined
    ? 'Bun is not installed here: both processes are Node'
    : `a process of ${process.versions.bun ? 'Bun' : 'Node'} and one of Bun write, process ${pid} is the daemon`)
  try {
    await Promise.race([Promise.all(clients.map(({ started }) => started)), ...clients.map(({ ended }) => ended)])
    await sleep(BEFORE_MS)
    process.kill(pid, 'SIGKILL')
    await sleep(AFTER_MS)
  } finally {
    for (const { stop } of clients) stop()
  }
  await Promise.all(clients.map(({ ended }) => ended))

  let lost = 0
  let written = 0
  for (const { name, ids } of clients) {
    const rows = await db.values('select id from ledger where who = ?', [name])
    const found = new Set(rows.map(([id]) => id))
    lost += ids.filter((id) => !found.has(id)).length
    written += ids.length
  }
  const after = await store.door()
  const text = `daemon ${pid} was killed with SIGKILL; ${after.pid} took its place and the clients went on after ` +
    `${duration(Math.max(...clients.map(({ pause }) => pause)))}: ${count(written)} writes acknowledged, ${lost} lost`
  await store.close()
  process.kill(after.pid, 'SIGTERM')
  if (lost === 0) return result(text)
  wrong(text)
  throw new Error('acknowledged writes were lost')
}

module.exports = [doors]
