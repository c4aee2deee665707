'use strict'

// An echo in a thread.

const { workerData: { port } } = require('node:worker_threads')

port.on('message', message => port.postMessage(message))
