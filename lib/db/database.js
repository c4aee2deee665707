'use strict'

const { ops } = require('../wire/ops')
const { Verbs } = require('./verbs')
const { Sync } = require('./sync')
const { transaction, snapshot } = require('./transaction')
const { Watch } = require('./watch')
const { Listen } = require('./listen')

/** `store.db`: the verbs on a handle, and what only a handle can do. */
class Database extends Verbs {
  #sync = null

  /** @param {Client} client */
  constructor (client) {
    super(client, null)
    Object.defineProperty(this, 'client', { value: client })
  }

  /** The verbs that block; only where the core is in this process. */
  get sync () {
    if (this.#sync === null) this.#sync = new Sync(this.client)
    return this.#sync
  }

  /** Runs fn(tx) in a transaction: commits, or rolls back when it throws. */
  transaction (fn, opts) {
    return transaction(this.client, fn, opts)
  }

  /** Runs fn(s) on one unchanging view of the database. */
  snapshot (fn, opts) {
    return snapshot(this.client, fn, opts)
  }

  /**
   * What is committed from here on, as an async iterator of { tables, gen }:
   * the tables that have changed, of those named or of all.
   */
  watch (tables, opts) {
    return new Watch(this.client, tables, opts)
  }

  /**
   * What is notified on a channel from here on (NOTIFY of PostgreSQL), as an async iterator of
   * { channel, payload, missed }.
   */
  listen (channel, opts) {
    return new Listen(this.client, channel, opts)
  }

  /** Brings the schema up to date from a directory of numbered SQL files. */
  migrate (directory, opts) {
    return require('./migrate').migrate(this, directory, opts)
  }

  /** Copies the database to a file while it is in use. */
  backup (path, opts) {
    return require('./backup').backup(this, path, opts)
  }

  /** Replaces the content of the database by that of a file. */
  restore (path, opts) {
    return require('./backup').restore(this, path, opts)
  }

  /** Counters of statements, queues, connections and the WAL. */
  stats (opts) {
    return this.client.call(ops.STATS, [], opts)
  }

  /** Resolves when the database is open and answers. */
  health (opts) {
    return this.client.call(ops.HEALTH, [], opts)
  }
}

module.exports = { Database }
