'use strict'

// Plain node:net: the bytes come back in the order in which they left, so a
// client has to count them only. What is written in a turn leaves together.

const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')

function service ({ socket, runtime }) {
  return { command: runtime.exec, args: [path.join(__dirname, '../../servers/net.js'), socket] }
}

async function open (file, settings, more, service) {
  const socket = net.connect(service.socket)
  await once(socket, 'connect')
  const waiting = [] // { resolve, size } in order
  let first = 0
  let got = 0
  let corked = false
  const uncork = () => {
    corked = false
    socket.uncork()
  }
  socket.on('data', chunk => {
    got += chunk.length
    while (first < waiting.length && got >= waiting[first].size) {
      got -= waiting[first].size
      waiting[first++].resolve()
    }
    if (first < waiting.length && first < KEPT) return
    waiting.splice(0, first)
    first = 0
  })
  return {
    counts: true, // what comes back is not put together
    /** Resolves when as many bytes as were sent have come back. */
    call (body) {
      if (!corked) {
        corked = true
        socket.cork()
        process.nextTick(uncork)
      }
      socket.write(body)
      return new Promise(resolve => { waiting.push({ resolve, size: body.length }) })
    },
    close: () => socket.destroy()
  }
}

// Entries of the queue that are over and not yet cut off.
const KEPT = 1024

module.exports = {
  name: 'node:net',
  family: 'echo',
  missing: () => null,
  about: () => 'plain echo',
  service,
  open,
  version: () => process.versions.bun || process.versions.node
}
