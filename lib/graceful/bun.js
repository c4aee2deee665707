'use strict'

// Bun.serve as something that drains. It runs twice, on the port and on the socket, with
// the same handlers, which are wrapped: Bun counts what is under way by itself, but does
// not say who asked, nor how many connections idle.

const { builtin } = require('../base/builtin')
const fs = builtin('node:fs')
const { originForm } = require('../base/origin-form')
const { clearStale } = require('./socket')

// Seconds; see KEEP_ALIVE_MS in node.js. Bun's own, 10, also ends answers that pause.
const IDLE_SECONDS = 72

class BunServer {
  #options
  #health
  #servers = []
  #isDraining = false
  #unanswered = new Map()
  #last = performance.now()
  /** How many requests came: all that Bun tells of connections. */
  arrivals = 0

  /**
   * @param {object} options of Bun.serve, without a place to listen
   * @param {{ health: { path: string, answer: Function } | null }} how
   */
  constructor (options, { health }) {
    this.#health = health
    this.#options = { idleTimeout: IDLE_SECONDS, ...options }
    // Without a fetch, with routes alone, Bun answers the rest by itself.
    const rest = options.fetch ? (req, server) => options.fetch(req, server) : () => new Response('Not Found', { status: 404 })
    this.#options.fetch = this.#wrap((req, server) => this.#healthOf(req) ?? rest(req, server))
    if (options.routes) {
      this.#options.routes = Object.fromEntries(Object.entries(options.routes).map(([path, route]) => [path, this.#route(route)]))
    }
  }

  async listen ({ host, port, socket, socketMode }) {
    const { unix, ...options } = this.#options
    const { serve } = globalThis.Bun
    this.#servers.push(serve({ ...options, hostname: host, port }))
    if (socket !== null) {
      try {
        await clearStale(socket)
        const { hostname, port, ...rest } = options
        this.#servers.push(serve({ ...rest, unix: socket }))
        fs.chmodSync(socket, socketMode)
      } catch (err) {
        for (const server of this.#servers) server.stop(true)
        throw err
      }
    }
    return this.#servers[0].port
  }

  drain () {
    this.#isDraining = true
  }

  get busy () {
    return this.#servers.reduce((sum, { pendingRequests, pendingWebSockets }) => sum + pendingRequests + pendingWebSockets, 0)
  }

  /** null: Bun does not say. */
  get connections () {
    return null
  }

  /** When somebody last asked or was being answered, in ms of performance.now(). */
  get last () {
    if (this.#servers.some(({ pendingRequests }) => pendingRequests > 0)) this.#last = performance.now()
    return this.#last
  }

  stopListening () {
    for (const server of this.#servers) server.stop(false)
  }

  describe () {
    const now = performance.now()
    const known = Array.from(this.#unanswered.values(), ({ req, began }) => `${req.method} ${pathOf(req)} (${Math.round(now - began)} ms)`)
    const sockets = this.#servers.reduce((sum, { pendingWebSockets }) => sum + pendingWebSockets, 0)
    const streams = Math.max(0, this.busy - sockets - known.length)
    return [...known, ...Array(streams).fill('an answer that streams'), ...Array(sockets).fill('a WebSocket')]
  }

  async destroy () {
    await Promise.all(this.#servers.map(server => server.stop(true)))
  }

  #healthOf (req) {
    if (this.#health === null || pathOf(req) !== this.#health.path) return undefined
    return this.#health.answer().then(({ status, body }) => new Response(body, {
      status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }
    }))
  }

  // A handler, or an object of handlers by method; answers that are there already stay as they are.
  #route (route) {
    if (typeof route === 'function') return this.#wrap(route)
    if (Object.getPrototypeOf(route ?? null) !== Object.prototype) return route
    return Object.fromEntries(Object.entries(route).map(([method, handler]) => [method, this.#route(handler)]))
  }

  #wrap (handler) {
    return (req, server) => {
      this.#last = performance.now()
      this.arrivals++
      const answer = handler(req, server)
      if (typeof answer?.then !== 'function') return this.#marked(answer)
      const key = {}
      this.#unanswered.set(key, { req, began: performance.now() })
      return answer.then(response => this.#marked(response)).finally(() => { this.#unanswered.delete(key) })
    }
  }

  // See leave() in node.js. An upgraded request has no answer.
  #marked (response) {
    if (!this.#isDraining || !(response instanceof Response)) return response
    try {
      response.headers.set('connection', 'close')
      return response
    } catch {
      // The headers of what fetch() has brought cannot be changed.
      const { status, statusText } = response
      const headers = new Headers(response.headers)
      headers.set('connection', 'close')
      return new Response(response.body, { status, statusText, headers })
    }
  }
}

function pathOf ({ url }) {
  return originForm(url).split('?', 1)[0]
}

module.exports = { BunServer }
