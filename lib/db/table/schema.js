'use strict'

// schema - what a table is made of, read from the database itself and kept.
//
// One Schemas belongs to one set of verbs (a database handle, a transaction). A transaction's
// looks into its handle's too and keeps what it had to read itself: a table that it has created
// or altered may never be committed. A kept entry is a guess. What is wrong with it shows in a name
// that is unknown, or in the number of the schema, which statements carry that depend on the table's
// key: the core refuses them once the schema has another (csrc/core/data/sqlite/cookie.c). Then it
// is read again.
//
// While an entry is being read, every later call on any table of the same verbs waits for it
// (`gate`), so that calls made in one turn reach the engine in the order they were made.

const { UndercroftError } = require('../../base/errors')
const { instead } = require('../../base/did-you-mean')
const { dialectOf } = require('../dialect')

const MAX_PLANS = 256

// Whatever the handle makes of integers, these are read as numbers.
const PLAIN = Object.freeze({ integers: 'number' })

class TableSchema {
  /**
   * @param {object} dialect
   * @param {object} described what the dialect's describe() returned: print, by which a later reading
   *   sees whether there is news; version, what the guard compares with; name, sql, writable, columns
   *   ({ name, sql, select, nullable, generated, hidden }), primary (names), rowid (a column or null)
   * @param {string[]} [key] the names of the columns that the caller states as its key
   */
  constructor (dialect, described, key) {
    this.dialect = dialect
    this.print = described.print
    this.version = described.version
    this.name = described.name
    this.sql = described.sql
    this.writable = described.writable
    this.isTable = described.isTable ?? described.writable
    this.plans = new Map()
    this.columns = new Map(described.columns.map((column) => [column.name, column]))
    this.rowid = described.rowid
    if (this.rowid !== null) this.columns.set(this.rowid.name, this.rowid)
    this.key = this.#chooseKey(described.primary, key)
    // A table whose only key is its rowid shows it, or its rows could not be named.
    const isKeyless = this.key.length === 1 && this.key[0].rowid === true
    // The engine's rows have room for so many columns and no more.
    this.maxColumns = dialect.maxColumns
    this.width = described.columns.filter((column) => !column.hidden).length
    const showsRowid = isKeyless && this.width < this.maxColumns
    this.showsKey = !isKeyless || showsRowid
    this.star = showsRowid ? `${this.key[0].select}, *` : '*'
    this.guardSql = described.guard
    // What a guard takes as its parameter: nothing where there is none.
    this.stamp = this.guardSql === null ? [] : [this.version]
  }

  // A condition that fails once the schema is another than this one, with its parameter's number; ''
  // where the engine has none.
  guard (number) {
    return this.guardSql === null ? '' : this.guardSql(`?${number}`)
  }

  // The columns that name one row: what the caller stated, the primary key, the rowid, or none.
  #chooseKey (primary, key) {
    if (key !== undefined) return key.map((name) => this.column(name, 'the option "key"'))
    if (primary.length > 0) return primary.map((name) => this.columns.get(name))
    return this.rowid === null ? [] : [this.rowid]
  }

  // The columns that put the rows into a total order. A primary key that may be null (SQLite
  // allows it in a rowid table) may also repeat its nulls: the rowid decides then.
  get totalKey () {
    const key = this.key
    if (this.rowid === null || !key.some((column) => column.nullable)) return key
    return [...key, this.rowid]
  }

  column (name, where) {
    const column = this.columns.get(name)
    if (column !== undefined) return column
    const names = []
    for (const each of this.columns.values()) if (!each.hidden) names.push(each.name)
    throw new UndercroftError('UC_COLUMN', `${where}: table "${this.name}" has no column "${name}"; ${instead(String(name), names)}`,
      { column: String(name) })
  }

  // The SQL of a query's shape: built once, then the same text for ever, so that the engine's
  // prepared statement is found again. The oldest of too many goes.
  plan (shape, build) {
    let plan = this.plans.get(shape)
    if (plan === undefined) {
      plan = build()
      if (this.plans.size >= MAX_PLANS) this.plans.delete(this.plans.keys().next().value)
      this.plans.set(shape, plan)
    }
    return plan
  }
}

class Schemas {
  #verbs
  #parent
  #entries = new Map()
  #client
  #dialect = null

  // Settles when the reading under way is over; null while there is none.
  gate = null

  constructor (verbs, parent, client) {
    this.#verbs = verbs
    this.#parent = parent
    this.#client = client
  }

  // What is known of the engine: null before the first reading.
  get dialect () {
    return this.#dialect
  }

  peek (id) {
    return this.#entries.get(id) ?? (this.#parent === null ? undefined : known.get(this.#parent)?.peek(id))
  }

  // alone: nor does it ask its handle's, which does not see what a transaction has changed.
  forget (alone = false) {
    this.#entries.clear()
    if (alone) this.#parent = null
  }

  // Reads the table anew and holds the gate meanwhile.
  read (id, name, schema, key) {
    const work = this.#read(id, name, schema, key)
    const over = () => { if (this.gate === gate) this.gate = null }
    const gate = work.then(over, over)
    this.gate = gate
    return work
  }

  async #read (id, name, schema, key) {
    const dialect = this.#dialect ??= await dialectOf(this.#client)
    const { sql, params } = dialect.columnsOf(name, schema)
    const found = await this.#verbs.all(sql, params, PLAIN)
    if (found.length === 0) {
      this.#entries.delete(id)
      const { sql, params } = dialect.tablesOf(schema)
      const tables = await this.#verbs.all(sql, params, PLAIN)
      const place = schema === undefined ? 'the database' : `the schema "${schema}"`
      throw new UndercroftError('UC_TABLE',
        `${place} has no table "${name}"; ${instead(name, tables.map((row) => row.name))}`)
    }
    const described = dialect.describe(found)
    const { print, version } = described
    const before = this.peek(id)
    if (before?.print === print && before.version === version) return before
    const entry = new TableSchema(dialect, described, key)
    // Another table has changed: the statements stay as they are.
    if (before?.print === print) entry.plans = before.plans
    this.#entries.set(id, entry)
    return entry
  }
}

const known = new WeakMap()

/**
 * What is known of the tables that `verbs` reach.
 *
 * @param {object} verbs a database handle, a transaction or a snapshot
 * @param {object} [client] the session they share, under which the handle's knowledge stands
 */
function schemasOf (verbs, client) {
  const isHandle = client === undefined || verbs.client === client
  const key = isHandle ? client ?? verbs : verbs
  let schemas = known.get(key)
  if (schemas === undefined) {
    schemas = new Schemas(verbs, isHandle ? null : client, client)
    known.set(key, schemas)
  }
  return schemas
}

// Drops all that is known about the tables of a session: after a migration or a restore.
function forget (client) {
  known.get(client)?.forget()
}

/**
 * Drops what is known where a statement may have changed it, on an engine that does not tell.
 *
 * @param {object} verbs what runs it
 * @param {Client} client
 */
function changed (verbs, client) {
  if (verbs.client !== client) {
    schemasOf(verbs, client).forget(true)
    changers.add(verbs)
  }
  forget(client)
}

// Transactions that may have changed a schema.
const changers = new WeakSet()

// A transaction has been committed.
function committed (verbs, client) {
  if (changers.has(verbs)) forget(client)
}

module.exports = { TableSchema, changed, committed, forget, schemasOf }
