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
const { quote } = require('./names')

const MAX_PLANS = 256
const MAX_COLUMNS = 2000

const COLUMNS = `
  select l.schema, l.name as "table", l.type as kind, l.wr, x.name, x.type, x."notnull", x.pk, x.hidden,
    exists (select 1 from pragma_index_list(l.name, l.schema) i where i.origin = 'pk') as "pkIndex",
    undercroft_schema(l.schema) as version
  from pragma_table_list(?1) l, pragma_table_xinfo(l.name, l.schema) x
  where l.name = ?1 collate nocase and (?2 is null or l.schema = ?2 collate nocase)
  order by l.schema <> 'temp', l.schema <> 'main', l.schema, x.cid`

const TABLES = `
  select distinct name from pragma_table_list
  where type <> 'shadow' and name not like 'sqlite\\_%' escape '\\' and (?1 is null or schema = ?1 collate nocase)
  order by name`

// Whatever the handle makes of integers, these are read as numbers.
const PLAIN = Object.freeze({ integers: 'number' })

// What pragma_table_xinfo says in `hidden`.
const VIRTUAL = 2
const STORED = 3

const ROWID_NAMES = ['rowid', '_rowid_', 'oid']

class TableSchema {
  // print: what the rows were, to see whether a later reading brought news; version: the number
  // that the schema had then.
  constructor (rows, print, version, key) {
    const first = rows[0]
    this.print = print
    this.version = version
    this.name = first.table
    this.kind = first.kind
    this.sql = `${quote(first.schema)}.${quote(first.table)}`
    this.plans = new Map()
    this.columns = new Map()
    for (const row of rows) {
      // A WITHOUT ROWID table's key and a rowid alias are never null, whatever was declared.
      this.columns.set(row.name, {
        name: row.name,
        sql: quote(row.name),
        select: quote(row.name),
        nullable: row.notnull === 0 && !(row.pk > 0 && (row.wr === 1 || row.pkIndex === 0)),
        generated: row.hidden === VIRTUAL || row.hidden === STORED,
        hidden: row.hidden === 1
      })
    }
    this.writable = first.kind !== 'view'
    this.rowid = null
    if (first.wr === 0 && first.kind !== 'view') this.#nameRowid()
    this.key = this.#chooseKey(rows, key)
    // A table whose only key is its rowid shows it, or its rows could not be named.
    const isKeyless = this.key.length === 1 && this.key[0].rowid === true
    // SQLite's rows have room for so many columns and no more.
    this.width = rows.filter((row) => row.hidden !== 1).length
    const showsRowid = isKeyless && this.width < MAX_COLUMNS
    this.showsKey = !isKeyless || showsRowid
    this.star = showsRowid ? `${this.key[0].select}, *` : '*'
    this.guardSql = `undercroft_schema('${first.schema.replaceAll("'", "''")}', ?`
  }

  // A condition that fails once the schema is another than this one; its parameter is `version`.
  guard (number) {
    return `${this.guardSql}${number})`
  }

  // rowid is a column too, unless another one has taken its name.
  #nameRowid () {
    const taken = new Set(Array.from(this.columns.keys(), (name) => name.toLowerCase()))
    const free = ROWID_NAMES.find((name) => !taken.has(name))
    if (free === undefined) return
    const sql = quote(free)
    // Named in every result: SQLite would call it by the name of the column it stands for.
    this.rowid = { name: free, sql, select: `${sql} as ${sql}`, nullable: false, generated: false, hidden: true, rowid: true }
    this.columns.set(free, this.rowid)
  }

  // The columns that name one row: what the caller stated, the primary key, the rowid, or none.
  #chooseKey (rows, key) {
    if (key !== undefined) return key.map((name) => this.column(name, 'the option "key"'))
    const primary = rows.filter((row) => row.pk > 0).sort((a, b) => a.pk - b.pk)
    if (primary.length > 0) return primary.map((row) => this.columns.get(row.name))
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

  // Settles when the reading under way is over; null while there is none.
  gate = null

  constructor (verbs, parent) {
    this.#verbs = verbs
    this.#parent = parent
  }

  peek (id) {
    return this.#entries.get(id) ?? (this.#parent === null ? undefined : known.get(this.#parent)?.peek(id))
  }

  forget () {
    this.#entries.clear()
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
    const found = await this.#verbs.all(COLUMNS, [name, schema ?? null], PLAIN)
    if (found.length === 0) {
      this.#entries.delete(id)
      const tables = await this.#verbs.all(TABLES, [schema ?? null], PLAIN)
      const place = schema === undefined ? 'the database' : `the schema "${schema}"`
      throw new UndercroftError('UC_TABLE',
        `${place} has no table "${name}"; ${instead(name, tables.map((row) => row.name))}`)
    }
    const [{ version }] = found
    const rows = found.filter((row) => row.schema === found[0].schema).map(({ version, ...row }) => row)
    const print = JSON.stringify(rows)
    const before = this.peek(id)
    if (before?.print === print && before.version === version) return before
    const entry = new TableSchema(rows, print, version, key)
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
    schemas = new Schemas(verbs, isHandle ? null : client)
    known.set(key, schemas)
  }
  return schemas
}

// Drops all that is known about the tables of a session: after a migration or a restore.
function forget (client) {
  known.get(client)?.forget()
}

module.exports = { TableSchema, MAX_COLUMNS, forget, schemasOf }
