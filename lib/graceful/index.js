'use strict'

// The life of a service: it listens on a port of the loopback address, and on a unix
// socket where a deployment names one; a signal lets it finish what it has begun.
//
//   serving ── signal ──> draining: the listener stays open, each answer says
//                         `Connection: close`
//           ── quiet  ──> the listener closes, what is under way ends
//           ── done   ──> the framework, then the stores are closed; exit 0
//
// The listener stays open since a gateway may have connected, or be about to, when the signal
// comes: what waits in the queue of a listener that closes is lost. Connections that idle are
// left to the gateway for the same reason: only it knows whether it is about to use one.

const { builtin } = require('../base/builtin')
const os = builtin('node:os')
const fs = builtin('node:fs')
const { setTimeout: delay } = builtin('node:timers/promises')
const { readOptions } = require('./options')
const { recognise } = require('./target')
const { UndercroftError } = require('../base/errors')

// Times are milliseconds of performance.now(), which nobody sets.

// How often a drain looks whether it is done.
const LOOK_MS = 10
// Without any connection, how long nobody must have come: more than it takes to accept what waits.
const SETTLE_MS = 100
// As many may wait to be accepted: the backlog that Node asks for.
const MOST_TURNS = 511
// How long a store, or a framework, may take to close.
const CLOSE_MS = 5000
// A terminal tells npm and its child alike, and npm tells the child again: that is one signal.
const SAME_SIGNAL_MS = 100
// So many lines of what was cut off are enough.
const REPORT_LINES = 20

/**
 * Starts a service, and ends it rightly.
 *
 * @param {object|Function} target see lib/graceful/target.js
 * @param {object} [given] see lib/types/graceful.d.ts. `store` belongs to the service from the
 *   moment that this resolves; when it rejects nothing listens, and the stores are still the caller's
 * @returns {Promise<Service>}
 * @throws {UndercroftError} UC_OPTION; EADDRINUSE and the system's other codes when it cannot listen
 */
async function graceful (target, given = {}) {
  const { own, make } = recognise(target)
  const options = readOptions(given, own)
  const health = options.health === null ? null : { path: options.health, answer: () => healthOf(options.stores) }
  const server = await make({ health })
  let port
  try {
    port = await server.listen(options)
  } catch (err) {
    throw explained(err, options)
  }
  return new Service(server, port, options)
}

// Several services of a process end it together, and close what they share after the last of them.
const running = new Set()
const holders = new Map()
let exitCode = 0

class Service {
  #server
  #options
  #stop = new AbortController()
  #closing = null
  #onSignal = null

  constructor (server, port, options) {
    this.#server = server
    this.#options = options
    this.port = port
    this.host = options.host
    this.socket = options.socket
    this.url = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`
    running.add(this)
    for (const store of options.stores) holders.set(store, (holders.get(store) ?? 0) + 1)
    this.#listen()
    options.log?.info({ port, socket: options.socket ?? undefined }, `listening on ${this.url}${options.socket ? ` and ${options.socket}` : ''}`)
  }

  /** Aborted when draining begins: for what would not end by itself, such as event streams. */
  get signal () {
    return this.#stop.signal
  }

  get draining () {
    return this.#stop.signal.aborted
  }

  /**
   * Drains and closes everything, as a signal does, but lets the process live. Idempotent.
   *
   * @returns {Promise<{ ms: number, cut: string[] }>} what had to be cut off at the deadline
   */
  close () {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose] () {
    return this.close().then(() => {})
  }

  #listen () {
    let first = null
    this.#onSignal = name => {
      if (first === null) {
        first = performance.now()
        this.#options.log?.info(`${name}: draining`)
        this.close().then(({ cut }) => { this.#exit(cut.length === 0 ? 0 : 1) }, err => {
          say(`undercroft: the service could not be closed: ${err?.stack ?? err}`)
          this.#exit(1)
        })
      } else if (performance.now() - first >= SAME_SIGNAL_MS && this.#options.exit) {
        const left = this.#server.describe()
        say(`undercroft: ${name} again: ending at once${left.length ? `, ${list(left)}` : ''}`)
        process.exit(128 + os.constants.signals[name])
      }
    }
    for (const name of this.#options.signals) process.on(name, this.#onSignal)
  }

  #exit (code) {
    exitCode = Math.max(exitCode, code)
    if (this.#options.exit && running.size === 0) process.exit(exitCode)
  }

  async #close () {
    const began = performance.now()
    const cut = await this.#drain(began)
    const { log, stores } = this.#options
    if (cut.length > 0) {
      const text = `not done ${Math.round(performance.now() - began)} ms after the signal, cut off: ${list(cut)}`
      if (log) log.warn({ cut: cut.length }, text)
      else say(`undercroft: ${text}`)
    }
    const ms = Math.round(performance.now() - began)
    if (cut.length === 0) log?.info({ ms }, `drained in ${ms} ms`)
    const failed = []
    const step = (what, close) => within(close, what).catch(err => { failed.push(err) })
    await step('the server', () => this.#server.destroy())
    // Last, when nobody can ask for it any more; in turn, as the second may be the log of the first.
    for (const store of stores) {
      const left = holders.get(store) - 1
      if (left > 0) holders.set(store, left)
      else {
        holders.delete(store)
        await step('a store', () => store.close())
      }
    }
    // A second signal is heard up to here.
    for (const name of this.#options.signals) process.off(name, this.#onSignal)
    running.delete(this)
    if (failed.length > 0) throw failed[0]
    return { ms, cut }
  }

  // -> what was still under way at the deadline
  async #drain (began) {
    const server = this.#server
    const { drainMs, acceptMs, idleMs } = this.#options
    server.drain()
    this.#stop.abort(new UndercroftError('UC_CLOSED', 'the service is draining'))
    const quiet = () => {
      const now = performance.now()
      const ms = server.connections === 0 ? Math.min(SETTLE_MS, idleMs) : idleMs
      return server.busy === 0 && now - began >= Math.min(SETTLE_MS, idleMs) && now - server.last >= ms
    }
    const limit = began + acceptMs
    do {
      await this.#until(quiet, limit)
      await settled(server)
    } while (!quiet() && performance.now() < limit)
    server.stopListening()
    const isDone = () => quiet() || (server.busy === 0 && server.connections === 0)
    if (await this.#until(isDone, began + drainMs)) return []
    return server.describe()
  }

  async #until (isTrue, limit) {
    while (!isTrue()) {
      if (performance.now() >= limit) return false
      await delay(LOOK_MS)
    }
    return true
  }
}

// Resolves when a look at the listener has found nobody waiting. A turn of the loop accepts one
// connection of each listener (libuv since 1.46), and what is left in the queue is lost with it.
async function settled (server) {
  let before
  let turns = MOST_TURNS
  do {
    before = server.arrivals
    await new Promise(resolve => { setImmediate(resolve) })
  } while (server.arrivals !== before && --turns > 0)
}

async function healthOf (stores) {
  try {
    for (const store of stores) if (typeof store.health === 'function') await store.health({ timeoutMs: 2000 })
    return { status: 200, body: '{"ok":true}' }
  } catch (err) {
    return { status: 503, body: JSON.stringify({ ok: false, error: String(err?.message ?? err) }) }
  }
}

async function within (close, what) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new UndercroftError('UC_TIMEOUT', `${what} was not closed after ${CLOSE_MS} ms`)), CLOSE_MS)
  })
  try {
    await Promise.race([close(), late])
  } finally {
    clearTimeout(timer)
  }
}

function explained (err, { host, port }) {
  if (err instanceof UndercroftError || err?.code !== 'EADDRINUSE') return err
  return new UndercroftError('EADDRINUSE', `port ${port} of ${host} is taken by another process: end it, or set PORT`, { kind: 'busy', cause: err })
}

function list (entries) {
  const more = entries.length - REPORT_LINES
  return entries.slice(0, REPORT_LINES).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function say (text) {
  try {
    fs.writeSync(2, `${text}\n`)
  } catch {
    // There is nobody to tell.
  }
}

module.exports = { graceful }
