'use strict'

// writing - the steps of the tour that change something, or fail to.

const path = require('node:path')
const { spawn } = require('node:child_process')
const { open } = require('undercroft')
const { bar, count, duration, note, result, size, step, timed, wrong } = require('./screen')

const KILL_AFTER_MS = 700

async function rollback ({ db }) {
  step('A transaction that fails has never been',
    'await db.transaction(async (tx) => {',
    "  await tx.table('city').delete({ country: 'FR' })",
    "  throw new Error('second thoughts')",
    '})')
  const cities = db.table('city')
  const before = await cities.count({ country: 'FR' })
  let inside
  try {
    await db.transaction(async (tx) => {
      await tx.table('city').delete({ country: 'FR' })
      inside = await tx.table('city').count({ country: 'FR' })
      throw new Error('second thoughts')
    })
  } catch (err) {
    const after = await cities.count({ country: 'FR' })
    result(`${count(before)} French cities before, ${inside} inside, ${count(after)} after "${err.message}"`)
  }
}

async function constraint ({ db }) {
  step('An error says what is wrong, and where in your program',
    "await db.table('city').update(2988507, { population: -1 })")
  try {
    await db.table('city').update(2988507, { population: -1 })
  } catch (err) {
    const [head] = err.message.split(' (sql:')
    result(`${err.code}, kind '${err.kind}': ${head}`)
    const line = err.stack.split('\n').find((each) => each.includes(path.basename(__filename)))
    if (line !== undefined) note(line.trim())
  }
}

async function deadline ({ db }) {
  step('A query that would never end is stopped at its deadline',
    "await db.get('with recursive c(x) as (select 1 union all select x + 1 from c) select max(x) from c',",
    '  [], { timeoutMs: 250 })')
  let last = performance.now()
  let pause = 0
  const ticker = setInterval(() => {
    const now = performance.now()
    pause = Math.max(pause, now - last - 1)
    last = now
  }, 1)
  const began = performance.now()
  try {
    await db.get('with recursive c(x) as (select 1 union all select x + 1 from c) select max(x) from c', [], { timeoutMs: 250 })
  } catch (err) {
    result(`${err.code} after ${duration(performance.now() - began)}; meanwhile the event loop never paused for more than ${duration(pause)}`)
  } finally {
    clearInterval(ticker)
  }
}

// Starts the program that writes, and kills it while it does: the rows it saw acknowledged.
function crash (file) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(__dirname, 'crash.js'), file], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    let timer = null
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      text += piece
      timer ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`the program to be killed ended by itself (${code})`))
      // A line that the kill cut in the middle was not said.
      resolve(text.slice(0, text.lastIndexOf('\n')).split('\n').map(Number))
    })
  })
}

async function kill ({ dir }) {
  step('kill -9 in the midst of writes: what was acknowledged is there',
    'await insert.run([id, text]); say(id)      // 32 at a time, in a process of its own',
    "child.kill('SIGKILL')")
  const file = path.join(dir, 'ledger.db')
  const acknowledged = await crash(file)
  const store = open(file)
  const found = new Set((await store.db.values('select id from ledger')).map(([id]) => id))
  const lost = acknowledged.filter((id) => !found.has(id))
  await store.close()
  const text = `${count(acknowledged.length)} writes acknowledged (${count(acknowledged.length / KILL_AFTER_MS * 1000)} a second, ` +
    `each on disk), ${count(found.size)} rows found, ${lost.length} lost`
  if (lost.length === 0) return result(text)
  wrong(text)
  throw new Error('acknowledged writes were lost')
}

async function backup ({ db, dir }) {
  step('A backup while the database is in use',
    "await db.backup('copy.db', { onProgress: ({ percent }) => … })")
  const file = path.join(dir, 'copy.db')
  let steps = 0
  const [done, ms] = await timed(() => db.backup(file, {
    onProgress: ({ percent, remaining }) => {
      steps++
      bar(percent, `${count(remaining)} pages to go`)
    },
    pagesPerStep: 256
  }))
  const copy = open(file, { readonly: true })
  const cities = await copy.db.table('city').count()
  await copy.close()
  result(`${count(done.pages)} pages (${size(done.pages * 4096)}) in ${steps} steps, ${duration(ms)}; the copy holds ${count(cities)} cities`)
}

module.exports = [rollback, constraint, deadline, kill, backup]
