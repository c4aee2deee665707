'use strict'

// The verbs, for whatever they run on: a handle, a transaction, a snapshot.
// Each returns a bare promise: an async function here would cost a promise
// and a turn of the microtask queue a call.

const { ops } = require('../wire/ops')
const { want } = require('../client/call')
const { many } = require('./many')
const { batch } = require('../client/batch')
const { Cursor } = require('./cursor')
const { Statement } = require('./statement')
const { copyFrom, copyTo } = require('./copy')
const { hidesChange } = require('./dialect')

class ReadVerbs {
  #client
  #scope

  /**
   * @param {Client} client
   * @param {Scope|null} scope null: the handle itself
   */
  constructor (client, scope) {
    this.#client = client
    this.#scope = scope
  }

  /** The first row, or undefined. */
  get (sql, params, opts) {
    return this.#client.query(ops.GET, want.ROW, sql, params, opts, this.#scope)
  }

  /** All rows, as objects. */
  all (sql, params, opts) {
    return this.#client.query(ops.ALL, want.OBJECTS, sql, params, opts, this.#scope)
  }

  /** All rows, as arrays. */
  values (sql, params, opts) {
    return this.#client.query(ops.ALL, want.ARRAYS, sql, params, opts, this.#scope)
  }

  /** All rows as a Buffer that holds a JSON array. */
  json (sql, params, opts) {
    return this.#client.query(ops.JSON, want.BYTES, sql, params, opts, this.#scope)
  }

  /** The rows one by one, in constant memory; starts with the first next(). */
  iterate (sql, params, opts) {
    return new Cursor(this.#client, this.#scope, sql, params, opts)
  }

  /** The verbs with their SQL bound. */
  prepare (sql) {
    return new Statement(this, sql)
  }

  /** The everyday statements of one table. */
  table (name, options) {
    const { Table } = require('./table')
    return new Table(this, name, options, this.#client)
  }
}

class Verbs extends ReadVerbs {
  #client
  #scope

  constructor (client, scope) {
    super(client, scope)
    this.#client = client
    this.#scope = scope
  }

  /** Runs a statement: { changes, lastInsertRowid }. */
  run (sql, params, opts) {
    const result = this.#client.query(ops.RUN, want.RUN, sql, params, opts, this.#scope)
    return hidesChange(this.#client, sql) ? this.#changes(result) : result
  }

  // What is known of the tables is dropped, before what is called next and once it is done.
  async #changes (result) {
    const { changed } = require('./table/schema')
    changed(this, this.#client)
    try {
      return await result
    } finally {
      changed(this, this.#client)
    }
  }

  /** Runs a script of any number of statements. */
  exec (sql, opts) {
    const result = this.#client.exec(sql, opts, this.#scope)
    return hidesChange(this.#client, sql) ? this.#changes(result) : result
  }

  /** COPY into a table, on PostgreSQL: rows, or bytes in chunks. */
  copyFrom (target, source, opts) {
    return copyFrom(this, this.#client, this.#scope, target, source, opts)
  }

  /** COPY of a query or a table, on PostgreSQL: a Readable of bytes. */
  copyTo (what, opts) {
    return copyTo(this, this.#client, this.#scope, what, opts)
  }

  /** One statement for each row of parameters, in one transaction. */
  many (sql, rows, opts) {
    return many(this.#client, this.#scope, sql, rows, opts)
  }

  /** Several statements, [sql, params] each, in one transaction. */
  batch (statements, opts) {
    return batch(this.#client, this.#scope, statements, opts)
  }
}

module.exports = { ReadVerbs, Verbs }
