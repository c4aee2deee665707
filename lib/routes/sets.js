'use strict'

// The sets of routes that the core holds for us: the one that serves, and older ones until their
// last request is answered.
//
//   load(files) ──routes_load──> RouteSet ──swap──> current ──request──> …
//                                                    └─ the one before: routes_drop with its last answer
//
// A set ends with the connection to a daemon. Then it is loaded again from the texts that are here.

const { UndercroftError } = require('../base/errors')
const { Paths } = require('./paths')

// A set that is gone each time it was loaded is a mistake of the core.
const TRIES = 3

// What decides whether a POST may be read.
const OF_POST = ['content-type', 'origin', 'sec-fetch-site', 'host', 'idempotency-key']

class RouteSet {
  /**
   * @param {Array} files
   * @param {[*, object[], string[]]} reply of routes_load; what stands for the set is the core's affair
   * @param {object[]} own handlers
   */
  constructor (files, [handle, routes, names], own) {
    this.files = files
    this.handle = handle
    this.routes = routes
    // Those of the request that the core asks for.
    this.names = names
    this.namesOfGet = names.filter((name) => !OF_POST.includes(name) || routes.some(({ params }) => params.some(({ header }) => header === name)))
    this.paths = new Paths(routes, own)
    this.inUse = 0
    this.isOld = false
  }
}

class Sets {
  #send
  #now
  #options
  // Handlers of one's own.
  #own = []
  #current = null
  #closed = false
  // Loads come one after the other, so that the last one asked for is the one that stays.
  #loading
  // null: no set is being loaded anew after a lost connection.
  #again = null

  /**
   * @param {(op: string, args: Array, opts?: object) => Promise} send
   * @param {((args: Array, timeoutMs: number|undefined, takeBody: Function) => object|null)|null} now
   * @param {object} options of routes_load
   */
  constructor (send, now, options) {
    this.#send = send
    this.#now = now
    this.#options = options
    this.#loading = Promise.resolve()
  }

  /** The set that serves; null before the first one is loaded. */
  get current () {
    return this.#current
  }

  get isClosed () {
    return this.#closed
  }

  /** Resolves with the set that serves once it is loaded; rejects with what is wrong with the files. */
  load (files) {
    const loaded = this.#loading.then(() => this.#loadNow(files))
    this.#loading = loaded.catch(ignore)
    return loaded
  }

  async #loadNow (files) {
    if (this.#closed) throw closed()
    const reply = await this.#send('routes_load', [files, this.#options])
    try {
      if (this.#closed) throw closed()
      const next = new RouteSet(files, reply, this.#own)
      this.#swap(next)
      return next
    } catch (err) {
      this.#drop(reply[0])
      throw err
    }
  }

  #swap (next) {
    const before = this.#current
    this.#current = next
    if (before !== null) this.#retire(before)
  }

  #retire (set) {
    set.isOld = true
    if (set.inUse === 0) this.#drop(set.handle)
  }

  // Where that fails, the set has gone with its connection.
  #drop (handle) {
    this.#send('routes_drop', [handle]).catch(ignore)
  }

  /** One more handler of one's own. */
  add (own) {
    const all = [...this.#own, own]
    const paths = new Paths(this.#current?.routes ?? [], all)
    this.#own = all
    if (this.#current !== null) this.#current.paths = paths
  }

  get own () {
    return this.#own
  }

  /**
   * Asks the core.
   *
   * @param {RouteSet} set the one that was current when the request came
   * @param {Array} args of request; the set comes first and is filled in here
   * @param {{ timeoutMs?: number, signal?: AbortSignal }} opts
   */
  async request (set, args, opts, tries = TRIES) {
    set.inUse++
    args[0] = set.handle
    try {
      return await this.#send('request', args, opts)
    } catch (err) {
      if (!isGone(err) || tries === 1) throw err
    } finally {
      if (--set.inUse === 0 && set.isOld) this.#drop(set.handle)
    }
    return this.request(await this.#anew(set), args, opts, tries - 1)
  }

  // Of many requests that find their set gone one loads it.
  #anew (set) {
    if (this.#current !== set && this.#current !== null && !this.#current.isOld) return this.#current
    this.#again ??= this.load(set.files).finally(() => { this.#again = null })
    return this.#again
  }

  /**
   * Asks the core for what it has at once.
   *
   * @param {Function} takeBody see answerOf of wire/decode.js
   * @returns {object|null} null: ask by request()
   */
  requestNow (set, args, timeoutMs, takeBody) {
    if (this.#now === null) return null
    args[0] = set.handle
    return this.#now(args, timeoutMs, takeBody)
  }

  close () {
    if (this.#closed) return
    this.#closed = true
    const set = this.#current
    this.#current = null
    if (set !== null) this.#retire(set)
  }
}

// The core knows no such set (any more), and nothing has run.
function isGone (err) {
  return err?.code === 'UC_ROUTE' || (err?.code === 'UC_CONNECTION_LOST' && err.outcome === 'not-sent')
}

function closed () {
  return new UndercroftError('UC_CLOSED', 'the routes are closed', { outcome: 'not-sent' })
}

function ignore () {}

module.exports = { Sets, closed }
