'use strict'

// Queries for the main thread: one message a request, statements prepared once.

const { parentPort, workerData: { library, file, settings } } = require('node:worker_threads')
const contestants = require('../contestants')

const db = contestants.find(({ name }) => name === library).open(file, settings)
const statements = new Map()

parentPort.on('message', ({ id, method, sql, param }) => {
  try {
    let stmt = statements.get(sql)
    if (!stmt) statements.set(sql, stmt = db.prepare(sql))
    parentPort.postMessage({ id, body: stmt[method](param) })
  } catch (err) {
    parentPort.postMessage({ id, error: err.message })
  }
})
