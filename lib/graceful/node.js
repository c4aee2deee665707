'use strict'

// A node:http (or https) server, of Node or of Bun, as something that drains: it counts
// what is under way, and says `Connection: close` when it is told to.

const { builtin } = require('../base/builtin')
const fs = builtin('node:fs')
const http = builtin('node:http')
const net = builtin('node:net')
const { once } = builtin('node:events')
const { clearStale } = require('./socket')

// Node closes an idle connection after 5 seconds, at the very moment when a gateway that keeps
// it as long may send the next request. A server has to be the more patient of the two: nginx
// keeps connections to its upstreams for 60 seconds unless it is told otherwise.
const NODE_KEEP_ALIVE_MS = 5000
const KEEP_ALIVE_MS = 72_000

// What a second server, for the socket, hands on.
const handedOn = ['checkContinue', 'checkExpectation', 'clientError', 'connect', 'upgrade']

class NodeServer {
  #server
  #listen
  #end
  #health
  #second = null
  #sockets = new Set()
  #upgraded = new Set()
  // Of each response its request, in the order in which they came.
  #requests = new Map()
  // Of each connection the responses that it waits for: pipelined ones come before their turn.
  #lines = new WeakMap()
  #isDraining = false
  #last = performance.now()
  /** How many connections were accepted. */
  arrivals = 0

  /**
   * @param {import('node:http').Server} server listening or not
   * @param {{ health: { path: string, answer: Function } | null, listen?: Function, end?: Function }} how
   *   listen(where) and end() of a framework, where they are more than the server's
   */
  constructor (server, { health, listen = null, end = null }) {
    this.#server = server
    this.#health = health
    this.#listen = listen
    this.#end = end
    if (server.keepAliveTimeout === NODE_KEEP_ALIVE_MS) server.keepAliveTimeout = KEEP_ALIVE_MS
    // In front of every listener, also of those that are added later: nothing else sees all
    // requests, or can keep one from them.
    const { emit } = server
    server.emit = (event, ...args) => this.#sees(event, args) || emit.call(server, event, ...args)
  }

  /**
   * Listens on both.
   *
   * @returns {Promise<number>} the port
   */
  async listen ({ host, port, socket, socketMode }) {
    const server = this.#server
    const wasListening = server.listening
    if (!wasListening) {
      if (this.#listen) await this.#listen({ host, port })
      else await listening(server, { host, port })
    }
    if (socket !== null) {
      try {
        await clearStale(socket)
        this.#second = secondServer(server)
        await listening(this.#second, { path: socket })
        fs.chmodSync(socket, socketMode)
      } catch (err) {
        this.#second?.close()
        if (!wasListening) server.close()
        throw err
      }
    }
    return server.address()?.port ?? null
  }

  drain () {
    this.#isDraining = true
    const last = new Map()
    for (const [res, { req }] of this.#requests) last.set(req.socket, res)
    for (const res of last.values()) leave(res)
  }

  /** Requests that are not answered to the last byte, and connections that became something else. */
  get busy () {
    return this.#requests.size + this.#upgraded.size
  }

  get connections () {
    return this.#sockets.size
  }

  /** When somebody last connected, asked or was answered, in ms of performance.now(). */
  get last () {
    return this.#last
  }

  /** No new connections; those that are open stay. */
  stopListening () {
    const server = this.#server
    if (server.listening) {
      // close() also cuts the connections that idle, which a peer may be about to use.
      server.closeIdleConnections = () => {}
      server.close()
      delete server.closeIdleConnections
    }
    if (this.#second?.listening) this.#second.close()
  }

  /** What is under way, for a report. */
  describe () {
    const now = performance.now()
    return [
      ...Array.from(this.#requests.values(), ({ req, began }) => `${req.method} ${req.url} (${Math.round(now - began)} ms)`),
      ...Array.from(this.#upgraded, () => 'an upgraded connection')
    ]
  }

  /** Cuts what is left, then ends the framework. */
  async destroy () {
    this.stopListening()
    for (const socket of this.#upgraded) socket.destroy()
    for (const socket of this.#sockets) socket.destroy()
    this.#server.closeAllConnections?.()
    this.#second?.closeAllConnections?.()
    if (this.#end) await this.#end()
  }

  // -> true: nobody else is to see it
  #sees (event, args) {
    switch (event) {
      case 'connection':
        this.arrivals++
        this.#keep(this.#sockets, args[0])
        return false
      case 'upgrade':
      case 'connect':
        this.#keep(this.#upgraded, args[1])
        return false
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
        return this.#begin(args[0], args[1])
    }
    return false
  }

  #keep (set, socket) {
    this.#last = performance.now()
    if (set.has(socket)) return
    set.add(socket)
    socket.once('close', () => { set.delete(socket) })
  }

  // A connection that is gone ends all that it waits for: Node 20 tells only the first of them.
  #line (socket) {
    let line = this.#lines.get(socket)
    if (line === undefined) {
      line = new Set()
      this.#lines.set(socket, line)
      socket.once('close', () => { for (const res of line) this.#over(res, line) })
    }
    return line
  }

  #over (res, line) {
    line.delete(res)
    if (this.#requests.delete(res)) this.#last = performance.now()
  }

  #begin (req, res) {
    // One that a checkContinue listener passes on comes by twice.
    if (this.#requests.has(res)) return false
    const line = this.#line(req.socket)
    if (this.#isDraining) {
      const before = Array.from(line).at(-1)
      // What comes behind an answer that says close is not run (RFC 9112, section 9.6).
      if (before?.headersSent && !before.shouldKeepAlive) return true
      if (before) stay(before, this.#requests.get(before))
    }
    this.#requests.set(res, { req, began: performance.now(), isKept: res.shouldKeepAlive })
    line.add(res)
    res.once('close', () => { this.#over(res, line) })
    if (this.#isDraining) leave(res)
    if (this.#health === null || req.url.split('?', 1)[0] !== this.#health.path) return false
    this.#health.answer().then(({ status, body }) => {
      res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' })
      res.end(body)
    })
    return true
  }
}

// The header that tells the peer not to send another request on this connection (RFC 9112,
// section 9.6); the server closes it when the answer is through. So it belongs to the last one.
function leave (res) {
  if (!res.headersSent) res.shouldKeepAlive = false
}

// Another one has come behind it.
function stay (res, { isKept }) {
  if (!res.headersSent) res.shouldKeepAlive = isKept
}

async function listening (server, where) {
  // once() rejects when 'error' comes first.
  const open = once(server, 'listening')
  server.listen(where)
  await open
}

// One server listens in one place. In Node connections of the other place can be handed to it, as
// its documentation says of the event; those of Bun are no streams, there requests are handed on.
function secondServer (server) {
  if (server instanceof net.Server) {
    return net.createServer({ allowHalfOpen: true }, socket => { server.emit('connection', socket) })
  }
  const second = http.createServer((req, res) => { server.emit('request', req, res) })
  second.on('connection', socket => { server.emit('connection', socket) })
  for (const event of handedOn) {
    if (server.listenerCount(event) > 0) second.on(event, (...args) => { server.emit(event, ...args) })
  }
  return second
}

module.exports = { NodeServer }
