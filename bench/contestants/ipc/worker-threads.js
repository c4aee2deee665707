'use strict'

// A thread and a MessagePort: no other process, but what JavaScript brings along.

const path = require('node:path')
const { Worker, MessageChannel } = require('node:worker_threads')
const { once } = require('node:events')

async function open () {
  const { port1: port, port2 } = new MessageChannel()
  const worker = new Worker(path.join(__dirname, '../../servers/thread.js'), {
    workerData: { port: port2 }, transferList: [port2]
  })
  await once(worker, 'online')
  const waiting = new Map()
  let id = 0
  port.on('message', message => {
    const resolve = waiting.get(message.id)
    waiting.delete(message.id)
    resolve(message.body)
  })
  return {
    call (body) {
      const mine = ++id
      port.postMessage({ id: mine, body })
      return new Promise(resolve => { waiting.set(mine, resolve) })
    },
    close: () => worker.terminate()
  }
}

module.exports = {
  name: 'worker_threads',
  family: 'echo',
  missing: () => null,
  about: () => 'a MessagePort',
  open,
  version: () => process.versions.bun || process.versions.node
}
