'use strict'

// A daemon that serves routes over HTTP, and clients of HTTP that say what they like.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { tmpdir, startDaemon, until } = require('../helper')

const ROUTES = `-- @get /one :one
-- @public
select 1 as one;

-- @get /echo :text
-- @public
-- @param text text 0..100
select :text;

-- @get /ip :text
-- @public
select :_ip;

-- @get /large :text
-- @public
-- @param bytes integer 1..4000000
select printf('%.*c', :bytes, 'x');

-- @post /add :one
-- @public
-- @param n integer
insert into t values (:n) returning n;

-- @get /count :text
-- @public
select count(*) from t;
`

let last = 0

/** A folder of routes; the database is made beside it. */
function project (t, routes = ROUTES) {
  const dir = path.join(tmpdir(t), `http-${++last}`)
  fs.mkdirSync(path.join(dir, 'routes'), { recursive: true })
  fs.writeFileSync(path.join(dir, 'routes/all.sql'), routes)
  const { open } = require('../..')
  const store = open(path.join(dir, 'app.db'))
  return store.db.exec('create table if not exists t(n integer)').then(() => store.close()).then(() => dir)
}

/**
 * @param {object} options dir, http (an address; a unix socket without it), args, socket
 * @returns {Promise<object>} the daemon of test/helper.js with `to`: where http.request finds it
 */
async function serve (t, { dir, http: address, args = [], ...options }) {
  const socketPath = path.join(dir, 'http.sock')
  const daemon = startDaemon(t, [
    '--db', path.join(dir, 'app.db'), '--http', address ?? `unix:${socketPath}`, '--routes', path.join(dir, 'routes'), ...args
  ], options)
  await until(() => daemon.over || /serving \d+ routes/.test(daemon.stderr), 'it serves')
  if (daemon.over) throw new Error(`it does not serve: ${daemon.stderr}`)
  const [, port] = /http:\/\/[^\s]*?:(\d+)$/m.exec(daemon.stderr) ?? []
  daemon.to = address === undefined ? { socketPath } : { host: '127.0.0.1', port: Number(port) }
  return daemon
}

/** One request; agent false: over a connection of its own. -> { status, headers, body } */
function ask (to, { method = 'GET', target = '/one', headers = {}, body, agent = false }) {
  return new Promise((resolve, reject) => {
    const all = body === undefined ? headers : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers }
    const req = http.request({ ...to, method, path: target, headers: { Host: 'localhost', ...all }, agent }, (res) => {
      const chunks = []
      res.on('data', (chunk) => { chunks.push(chunk) })
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() }))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** Bytes on a connection, until the server ends it. -> all that came, as latin1 */
function raw (to, bytes, { end = true } = {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...to, path: to.socketPath, allowHalfOpen: true })
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk) => { text += chunk })
    // Who has said more than the server wanted to hear may see a reset behind the answer.
    socket.on('error', (err) => ['ECONNRESET', 'EPIPE'].includes(err.code) ? undefined : reject(err))
    socket.on('end', () => { socket.end() })
    socket.on('close', () => resolve(text))
    if (end) socket.end(bytes)
    else socket.write(bytes)
  })
}

/** The statuses of all answers, the interim ones left out. */
function statuses (text) {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)).filter((status) => status !== 100)
}

/** A client that asks over and over, each answer checked, until it is told to stop. */
function load (to, { clients = 4, keepAlive = true } = {}) {
  const agent = keepAlive ? new http.Agent({ keepAlive: true, maxSockets: clients }) : false
  const found = { right: 0, wrong: [] }
  let goesOn = true
  async function one (i) {
    for (let n = 0; goesOn; n++) {
      const text = `${i}.${n}`
      try {
        const { status, body } = await ask(to, { target: `/echo?text=${text}`, agent })
        if (status === 200 && body === text) found.right++
        else found.wrong.push(`${text}: ${status} ${body}`)
      } catch (err) {
        found.wrong.push(`${text}: ${err.code ?? err.message}`)
      }
    }
  }
  const all = Array.from({ length: clients }, (_, i) => one(i))
  return {
    found,
    async stop () {
      goesOn = false
      await Promise.all(all)
      if (agent !== false) agent.destroy()
      return found
    }
  }
}

module.exports = { project, serve, ask, raw, statuses, load, ROUTES }
