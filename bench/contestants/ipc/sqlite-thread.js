'use strict'

// A synchronous library in threads of their own, one message a request, as
// better-sqlite3's documentation on threads does: a request goes to the thread
// with the fewest unanswered.

const path = require('node:path')
const { Worker } = require('node:worker_threads')
const { once } = require('node:events')
const betterSqlite3 = require('../better-sqlite3')
const bunSqlite = require('../bun-sqlite')

const SERVER = path.join(__dirname, '../../servers/sqlite-thread.js')

const opener = (library, threads) => async (file, settings) => {
  const workers = []
  for (let i = 0; i < threads; i++) {
    const worker = new Worker(SERVER, { workerData: { library, file, settings } })
    await once(worker, 'online')
    const it = { worker, waiting: new Map() }
    worker.on('message', ({ id, body, error }) => {
      const { resolve, reject } = it.waiting.get(id)
      it.waiting.delete(id)
      if (error) reject(new Error(error))
      else resolve(body)
    })
    workers.push(it)
  }
  let id = 0
  function call (method, sql, param) {
    let { worker, waiting } = workers[0]
    for (const other of workers) {
      if (other.waiting.size < waiting.size) ({ worker, waiting } = other)
    }
    const mine = ++id
    worker.postMessage({ id: mine, method, sql, param })
    return new Promise((resolve, reject) => { waiting.set(mine, { resolve, reject }) })
  }
  return {
    get: (sql, param) => call('get', sql, param),
    all: (sql, param) => call('all', sql, param),
    async close () {
      for (const { worker } of workers) await worker.terminate()
    }
  }
}

function contestant (library, threads) {
  const count = threads === 1 ? 'a thread' : `${threads} threads`
  return {
    name: `${library.name} in ${count}`,
    family: 'thread',
    missing: library.missing,
    about: () => `${count} with one connection each`,
    open: opener(library.name, threads),
    version: library.version
  }
}

module.exports = [
  contestant(betterSqlite3, 1),
  contestant(betterSqlite3, 2),
  contestant(bunSqlite, 1)
]
