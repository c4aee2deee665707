'use strict'

// One of several processes that share a cache: lib/cache-crew.js says when. Ends
// when the process that started it goes.
//
// A round of `stale-reads`: a process writes the next number of its own key and,
// when that is acknowledged, says so on the board, a file with a number for each
// process. It then reads the key of another: what the board said *before* the
// read began must not be newer than what the read brings.

const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { open } = require(path.join(__dirname, '../..'))

const job = JSON.parse(process.argv[2])
const cell = Buffer.alloc(8)
// Some rounds only read, or no first level would ever have a value.
const WRITES_OF = 8

let store
let board
let count = 0

function told (i) {
  fs.readSync(board, cell, 0, 8, 8 * i)
  return Number(cell.readBigUInt64LE())
}

function tell (value) {
  cell.writeBigUInt64LE(BigInt(value))
  fs.writeSync(board, cell, 0, 8, 8 * job.number)
}

const keyOf = i => `counter:${i}`

const commands = {
  async open () {
    store = open(job.target)
    await store.ready
    board = fs.openSync(job.board, 'r+')
    await store.cache.set(keyOf(job.number), 0)
    return {}
  },

  async wrap ({ key, times, loadMs }) {
    let loads = 0
    const load = async () => {
      loads++
      await sleep(loadMs)
      return `${process.pid}`
    }
    const values = await Promise.all(Array.from({ length: times }, () => store.cache.wrap(key, load, { ttlMs: 60000 })))
    return { loads, values: [...new Set(values)] }
  },

  async rounds ({ rounds }) {
    const { cache } = store
    let stale = 0
    let first = 0
    for (let i = 0; i < rounds; i++) {
      if (i % WRITES_OF === 0) {
        await cache.set(keyOf(job.number), ++count)
        tell(count)
      }
      const other = (job.number + 1 + i % (job.of - 1)) % job.of
      const least = told(other)
      const key = keyOf(other)
      let value = cache.peek(key)
      if (value !== undefined) first++
      else value = await cache.get(key)
      if (!(value >= least)) stale++
    }
    return { stale, first, reads: rounds }
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
  if (store) await store.close()
  process.exit(0)
})
