'use strict'

const { Client } = require('./client')
const { Database } = require('./database')
const { ops } = require('./ops')
const { normalise, parseTarget } = require('./options')

/** What `open` returns: the data, and the life of the handle. */
class Store {
  #client
  #ready = null

  constructor (client, target) {
    this.#client = client
    this.target = target
    this.db = new Database(client)
  }

  /**
   * Resolves to the store when the database is open; rejects with the reason
   * when it cannot be. Not asking is fine: each call then tells the same.
   */
  get ready () {
    if (this.#ready === null) {
      this.#ready = this.db.health().then(() => this)
      this.#ready.catch(ignore)
    }
    return this.#ready
  }

  get closed () {
    return this.#client.closed
  }

  /** { ok, ... } once the core answers; rejects when it does not. */
  health (opts) {
    return this.db.health(opts)
  }

  stats (opts) {
    return this.db.stats(opts)
  }

  /** What serves the handle: { door: 'addon' }, or a daemon with its counters. */
  door (opts) {
    return this.#client.call(ops.DOOR, [], opts)
  }

  /** Waits for what is in flight, then closes. Idempotent. */
  close () {
    return this.#client.close()
  }

  /** Closes at once: what is in flight rejects with UC_CLOSED. */
  destroy (cause) {
    this.#client.destroy(cause)
  }

  [Symbol.asyncDispose] () {
    return this.close()
  }
}

/**
 * Opens a database, or connects to a daemon that has. Returns at once; calls
 * made before it is open wait.
 *
 * @param {string|URL} target a path, ':memory:', a file URL or an ipc:// URL
 * @param {object} [options] see lib/options.js
 * @throws {UndercroftError} for wrong arguments; for a file, without a compiled addon
 */
function open (target, options) {
  const place = parseTarget(target)
  const checked = normalise(options, place.ipc)
  if (!place.ipc) {
    const { connector } = require('./transport/addon')
    return new Store(new Client(connector(place.path, checked), checked), place.path)
  }
  const { connector } = require('./transport/ipc')
  const db = checked.db ?? place.db
  const url = db === null ? place.url : `${place.url}?db=${encodeURIComponent(db)}`
  return new Store(new Client(connector({ path: place.path, url: place.url, db }, checked), checked), url)
}

function ignore () {}

module.exports = { Store, open }
