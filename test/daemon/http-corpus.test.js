'use strict'
// The daemon's HTTP, byte by byte: what it has to accept is answered, what it has to refuse is
// refused, and nothing behind that is answered at all.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const corpus = require('../http/corpus')
const { startDaemon, tmpdir } = require('../helper')

// -> the statuses of all answers, the interim ones left out, when the server has ended the connection
function statuses (socketPath, bytes) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: socketPath, allowHalfOpen: true })
    let text = ''
    socket.setEncoding('latin1').on('data', chunk => { text += chunk })
    // Who has said more than the server wanted to hear may see a reset behind the answer.
    socket.on('error', err => ['ECONNRESET', 'EPIPE'].includes(err.code) ? undefined : reject(err))
    socket.on('close', () => resolve([...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)).filter(status => status !== 100)))
    socket.end(bytes)
  })
}

function listens (socketPath) {
  return new Promise(resolve => {
    const socket = net.connect({ path: socketPath })
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.end()
  })
}

t.test('requests that are fine and that are not', async t => {
  const dir = tmpdir(t)
  const socket = path.join(dir, 'http.sock')
  fs.mkdirSync(path.join(dir, 'routes'))
  fs.writeFileSync(path.join(dir, 'routes/one.sql'), '-- @get /one :one\n-- @public\nselect 1 as one;\n')
  const daemon = startDaemon(t, ['--db', path.join(dir, 'app.db'), '--http', `unix:${socket}`, '--routes', path.join(dir, 'routes')])
  while (!daemon.over && !await listens(socket)) await new Promise(resolve => setTimeout(resolve, 20))
  const wrong = []
  for (const { name, requests, status, bytes } of corpus) {
    const got = await statuses(socket, bytes)
    // None of them asks for a route that is there.
    const wanted = [...Array(requests).fill(404), ...(status === 0 ? [] : [status])]
    if (String(got) !== String(wanted)) wrong.push(`${name}: ${got}`)
  }
  t.same(wrong, [])
  t.ok(corpus.length >= 150, 'they are not a few')
})
