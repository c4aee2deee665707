'use strict'

const { Client } = require('./client/client')
const { Database } = require('./db/database')
const { ops } = require('./wire/ops')
const { isAddress, shown } = require('./base/address')
const { normalise, parseTarget, refuseOfFiles, isPlain } = require('./base/options')
const { Cache, noCache } = require('./cache')
const { CacheLink } = require('./cache/link')
const { NoClient } = require('./client/no-client')
const { Slow } = require('./log/slow')
const { readLog } = require('./log/options')
const { UndercroftError } = require('./base/errors')

/** What `open` returns: the data, the cache, the log, and the life of the handle. */
class Store {
  #client
  #ready = null
  #link = null
  #cache = null
  #log = null
  #routes = []

  /**
   * @param {Client} client
   * @param {string|null} target null: a cache or a log without a database
   */
  constructor (client, target) {
    this.#client = client
    const slowMs = client.options.log?.slowMs ?? 0
    if (slowMs > 0) client.slow = new Slow(() => this.log, slowMs)
    this.target = target
    if (target !== null) this.db = new Database(client)
    else Object.defineProperty(this, 'db', { get: refuseDb })
  }

  /** Values under keys, shared by all who use the database. */
  get cache () {
    if (this.#cache === null) {
      const { cache, cacheValueBytes } = this.#client.options
      if (cache === null) {
        this.#cache = noCache
      } else {
        const isHere = typeof this.#client.native.cacheGet === 'function'
        this.#link = new CacheLink(this.#client, { firstLevel: cache.firstLevel, maxBytes: isHere ? cacheValueBytes : null })
        this.#cache = new Cache(this.#link)
      }
    }
    return this.#cache
  }

  /** Lines: to stdout, to files, or to the log of the daemon. */
  get log () {
    if (this.#log === null) {
      const { Log } = require('./log')
      this.#log = new Log(this.#client.options.log ?? readLog(), this.#client.native?.isRemote === true ? this.#client : null)
    }
    return this.#log
  }

  /**
   * Resolves to the store when the database is open; rejects with the reason
   * when it cannot be. Not asking is fine: each call then tells the same.
   */
  get ready () {
    if (this.#ready === null) {
      this.#ready = this.health().then(() => this)
      this.#ready.catch(ignore)
    }
    return this.#ready
  }

  get closed () {
    return this.#client.closed
  }

  /** { ok, ... } once the core answers; rejects when it does not. */
  health (opts) {
    return this.#client.call(ops.HEALTH, [], opts)
  }

  stats (opts) {
    return this.#client.call(ops.STATS, [], opts)
  }

  /** What serves the handle: { door: 'addon' }, or a daemon with its counters. */
  door (opts) {
    return this.#client.call(ops.DOOR, [], opts)
  }

  /**
   * A service that is declared in SQL files, for node:http, fastify, Hono and Bun.serve.
   *
   * @param {string|URL} dir
   * @param {object} [options] see lib/routes/options.js
   * @returns {Routes}
   */
  routes (dir, options) {
    if (this.target === null) refuseDb()
    const { Routes } = require('./routes')
    const made = new Routes({ ...routesOf(this.#client), log: () => this.log }, dir, options)
    this.#routes.push(made)
    return made
  }

  /** Waits for what is in flight, then closes. Idempotent. */
  close () {
    this.#endRoutes()
    this.#link?.end(false)
    if (this.#log === null) return this.#client.close()
    return this.#log.close().then(() => this.#client.close())
  }

  /** Closes at once: what is in flight rejects with UC_CLOSED. */
  destroy (cause) {
    this.#endRoutes()
    this.#link?.end(true)
    this.#log?.close().catch(ignore)
    this.#client.destroy(cause)
  }

  #endRoutes () {
    for (const routes of this.#routes.splice(0)) routes.close()
  }

  [Symbol.asyncDispose] () {
    return this.close()
  }
}

// The three operations of routes. What stands for a set there knows its connection: the next one
// may give its number to another.
function routesOf (client) {
  const send = (op, args, opts) => {
    if (op === 'routes_load') {
      return client.call(op, args, opts).then(([number, ...rest]) => [{ number, epoch: client.epoch }, ...rest])
    }
    const { number, epoch } = args[0]
    args[0] = number
    return op === 'request' ? client.request(args, opts, epoch) : client.call(op, args, opts, null, epoch)
  }
  const now = (args, timeoutMs, takeBody) => {
    const { number, epoch } = args[0]
    args[0] = number
    return client.requestNow(args, timeoutMs, epoch, takeBody)
  }
  return { send, now: client.answersNow ? now : null }
}

function refuseDb () {
  throw new UndercroftError('UC_NO_DB', 'this handle has no database: open(file) has one')
}

/**
 * Opens a database, or connects to a daemon that has. Returns at once; calls
 * made before it is open wait. open({ cache: { … } }), without a target, is a
 * cache in this process alone, open({ log: { … } }) a log.
 *
 * @param {string|URL} target a path, ':memory:', a file URL, a postgres:// or an ipc:// URL
 * @param {object} [options] see lib/base/options.js
 * @throws {UndercroftError} for wrong arguments; for a file, without a compiled addon
 */
function open (target, options) {
  if (options === undefined && isPlain(target)) {
    if (target.cache !== undefined && target.cache !== false) return openCache(target)
    if (target.log !== undefined && target.log !== false) return new Store(new NoClient(readOptions({ ...target, cache: false })), null)
  }
  const place = parseTarget(target)
  const checked = readOptions(options, place.ipc)
  if (!place.ipc) {
    if (isAddress(place.path)) refuseOfFiles(options)
    const { connector } = require('./transport/addon')
    return new Store(new Client(connector(place.path, checked), checked), isAddress(place.path) ? shown(place.path) : place.path)
  }
  const { connector } = require('./transport/ipc')
  const db = checked.db ?? place.db
  const url = db === null ? place.url : `${place.url}?db=${encodeURIComponent(db)}`
  return new Store(new Client(connector({ path: place.path, url: place.url, db }, checked), checked), url)
}

// The core of a database in memory that nobody sees.
function openCache (options) {
  const checked = readOptions({ readers: 1, cursors: 1, ...options })
  const { connector } = require('./transport/addon')
  return new Store(new Client(connector(':memory:', checked), checked), null)
}

// Those of the log are its own.
function readOptions (options, ipc) {
  const checked = normalise(options, ipc)
  if (options?.log !== undefined) checked.log = readLog(options.log)
  return checked
}

function ignore () {}

module.exports = { Store, open }
