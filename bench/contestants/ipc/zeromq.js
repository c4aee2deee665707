'use strict'

// zeromq.js: a dealer here, a router in a process of its own, over ipc://. A
// socket takes one send at a time, so what is called meanwhile waits in a list.

const path = require('node:path')

function missing () {
  if (process.versions.bun) return 'zeromq.js needs a function of libuv that Bun lacks (uv_poll_init_socket)'
  try {
    require('zeromq')
    return null
  } catch (err) {
    return `npm zeromq does not load: ${err.message.split('\n')[0]}`
  }
}

function service ({ socket, runtime }) {
  return { command: runtime.exec, args: [path.join(__dirname, '../../servers/zeromq.js'), socket] }
}

async function open (file, settings, more, { socket }) {
  const zmq = require('zeromq')
  const dealer = new zmq.Dealer({ linger: 0 })
  dealer.connect(`ipc://${socket}`)
  const waiting = []
  const unsent = []
  let sending = false
  let first = 0
  async function send () {
    sending = true
    for (let i = 0; i < unsent.length; i++) await dealer.send(unsent[i])
    unsent.length = 0
    sending = false
  }
  async function receive () {
    for await (const [body] of dealer) {
      waiting[first++](body)
      if (first < waiting.length && first < KEPT) continue
      waiting.splice(0, first)
      first = 0
    }
  }
  const received = receive()
  return {
    call (body) {
      unsent.push(body)
      if (!sending) send()
      return new Promise(resolve => { waiting.push(resolve) })
    },
    async close () {
      dealer.close()
      await received.catch(() => {})
    }
  }
}

// Entries of the queue that are over and not yet cut off.
const KEPT = 1024

module.exports = {
  name: 'zeromq',
  family: 'echo',
  missing,
  about: () => `libzmq ${require('zeromq').version}`,
  service,
  open,
  version: () => require('zeromq/package.json').version
}
