'use strict'

// Connections that are a burden: node crowd.js PORT COUNT. Of each hundred
//   90 have asked once and idle
//    4 send a byte of their next request each second
//    3 say nothing at all
//    2 ask sixteen at a time, each second, and read what comes
//    1 has asked for more than fits and never reads
// The parent says 'annoy' and 'rest'. One that the server closes for being late comes again. It tells its parent when all are there.

const net = require('node:net')

const [port, count] = process.argv.slice(2).map(Number)
const REQUEST = 'GET /db HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
const AT_ONCE = 200
const TURNS = 50 // of a second

const sockets = new Set()

function kindOf (i) {
  const n = i % 100
  return n < 90 ? 'idle' : n < 94 ? 'slow' : n < 97 ? 'silent' : n < 99 ? 'many' : 'deaf'
}

function join (i) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    const it = { kind: kindOf(i), at: 0, socket }
    socket.on('error', reject)
    socket.on('connect', () => {
      sockets.add(it)
      socket.removeAllListeners('error').on('error', () => {})
      if (it.kind === 'deaf') socket.pause()
      else socket.on('data', () => {})
      if (it.kind === 'idle') socket.write(REQUEST)
      if (it.kind === 'deaf') socket.write('GET /queries?queries=500 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(20))
      resolve()
    })
    socket.on('close', () => { if (sockets.delete(it)) join(i).catch(() => {}) })
  })
}

// Each once a second, and not all at once: strangers do not agree on a moment.
let turn = 0

function annoy () {
  const all = [...sockets].filter(({ kind }) => kind === 'slow' || kind === 'many')
  for (let i = turn++ % TURNS; i < all.length; i += TURNS) {
    const it = all[i]
    it.socket.write(it.kind === 'many' ? REQUEST.repeat(16) : REQUEST[it.at++ % REQUEST.length])
  }
}

async function main () {
  for (let i = 0; i < count; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, k) => join(i + k)))
  }
  let timer
  process.on('message', (word) => {
    clearInterval(timer)
    if (word === 'annoy') timer = setInterval(annoy, 1000 / TURNS)
  })
  process.on('disconnect', () => process.exit())
  process.send({})
}

main().catch((err) => {
  process.send({ problem: `${sockets.size} of ${count} connections: ${err.message}` })
  process.exitCode = 1
})
