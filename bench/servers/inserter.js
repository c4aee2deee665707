'use strict'

// One of several processes that insert: lib/crew.js says when. Ends when the
// process that started it goes.

const { doorOf } = require('../lib/doors')
const { inFlight, repeat } = require('../lib/loop')
const { entry } = require('../lib/data')

const SQL = 'insert into entry (name, age, city, created_at) values (?, ?, ?, ?)'
const ROWS = []
for (let i = 1; i <= 4096; i++) ROWS.push(Object.values(entry(i)))
const MASK = ROWS.length - 1

const job = JSON.parse(process.argv[2])
const contestant = doorOf(job.door).contestants.find(({ name }) => name === job.contestant)

let lib
let insert
let k = 0
let locked = 0

// A library of its own database has none but its own way to wait.
function insertOrRetry () {
  const row = ROWS[k++ & MASK]
  for (;;) {
    try {
      insert.run(row[0], row[1], row[2], row[3])
      return 1
    } catch (err) {
      if (!/locked/.test(err.message)) throw err
      locked++
    }
  }
}

const commands = {
  async open () {
    lib = await contestant.open(job.file, job.settings, {}, job.service)
    if (contestant.family === 'ours') {
      insert = lib.db.prepare(SQL)
    } else {
      lib.exec(`pragma busy_timeout = ${job.busyMs}`)
      insert = lib.prepare(SQL)
    }
    return {}
  },

  // Exactly `count` rows, the first ones.
  async some ({ count }) {
    k = 0
    if (contestant.family === 'ours') await Promise.all(ROWS.slice(0, count).map(row => insert.run(row)))
    else for (let i = 0; i < count; i++) insertOrRetry()
    return {}
  },

  async round ({ ms, calls }) {
    locked = 0
    const { rate } = contestant.family === 'ours'
      ? await inFlight(calls, ms, () => insert.run(ROWS[k++ & MASK]))
      : repeat(ms, insertOrRetry)
    return { rate, locked }
  }
}

process.on('message', async command => {
  try {
    process.send({ ok: await commands[command.name](command) })
  } catch (err) {
    process.send({ error: err.stack })
  }
})
process.on('disconnect', async () => {
  if (lib) await lib.close()
  process.exit(0)
})
