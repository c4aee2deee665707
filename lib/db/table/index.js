'use strict'

// table - db.table(name): the everyday statements of one table, written for the caller.
//
// Built on the verbs alone (all, get, run, many, iterate), so it works alike on a database
// handle, in a transaction and in a snapshot, and through every door. Names of tables and columns
// are checked against the real schema (table/schema.js); values always travel as parameters.

const { UndercroftError, describe } = require('../../base/errors')
const { instead } = require('../../base/did-you-mean')
const { isPlain } = require('./where')
const { schemasOf } = require('./schema')
const select = require('./select')
const write = require('./write')
const bulk = require('./bulk')

const DEFAULTS = Object.freeze({ limit: 100, maxLimit: 10000 })

// insertMany: up to this many rows of an array go at once.
const SMALL = 1000

const TABLE_OPTIONS = ['schema', 'key', 'limit', 'maxLimit']
const CALL_OPTIONS = ['timeoutMs', 'signal', 'integers']

const MAX_READS = 8

const IN_FAILED_TRANSACTION = '25P02'

// Errors that may come from knowing an older schema.
function isStale (err, dialect) {
  if (!(err instanceof UndercroftError)) return false
  // What our own checks refuse, before anything is sent: a name, a view, a key of other columns.
  if (err.code === 'UC_COLUMN' || err.code === 'UC_TABLE' || err.code === 'UC_QUERY') return true
  return dialect.isStale(err)
}

function usage (message) {
  return new UndercroftError('UC_QUERY', message)
}

const reverse = (rows) => rows.reverse()

// The caller's options without ours; undefined where none are left.
function readOptions (options, own, what) {
  if (options === undefined) return undefined
  const allowed = [...own, ...CALL_OPTIONS]
  select.checkKeys(options, allowed, `${what}: options`)
  let rest
  for (const name of CALL_OPTIONS) {
    if (options[name] !== undefined) (rest ??= {})[name] = options[name]
  }
  return rest
}

function readReturning (options) {
  const value = options?.returning
  if (value === undefined || value === false) return undefined
  if (value === true) return true
  if (!Array.isArray(value) || value.length === 0) {
    throw usage(`returning: expected true or an array of columns, got ${describe(value)}`)
  }
  return value
}

function readNames (value, what) {
  if (value === undefined) return undefined
  const names = typeof value === 'string' ? [value] : value
  if (!Array.isArray(names) || names.length === 0 || names.some((name) => typeof name !== 'string')) {
    throw usage(`${what}: expected a column's name or an array of them, got ${describe(value)}`)
  }
  return names
}

function readLimit (value, name, fallback) {
  if (value === undefined) return fallback
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UndercroftError('UC_OPTION', `table: ${name}: expected a whole number from 1, got ${describe(value)}`)
  }
  return value
}

// An iterator over the rest of an array.
function from (rows, index) {
  return { next: () => index < rows.length ? { value: rows[index++], done: false } : { value: undefined, done: true } }
}

// A cursor and its first step, which tells whether the statement was a right one.
async function firstOf (cursor) {
  return { cursor, first: await cursor.next() }
}

// The rows of a statement that is only known once the schema is.
class Rows {
  #open
  #opening = null
  #cursor = null
  // The first step, until it is asked for.
  #first = null

  constructor (open) {
    this.#open = open
  }

  next () {
    if (this.#cursor === null) return this.#begin('next')
    const first = this.#first
    if (first === null) return this.#cursor.next()
    this.#first = null
    return Promise.resolve(first)
  }

  return (value) {
    if (this.#opening === null) {
      this.#opening = Promise.resolve({})
      this.#cursor = { next: async () => ({ value: undefined, done: true }), return: async (value) => ({ value, done: true }) }
    }
    this.#first = null
    return this.#cursor === null ? this.#begin('return', value) : this.#cursor.return(value)
  }

  async throw (err) {
    await this.return()
    throw err
  }

  [Symbol.asyncIterator] () {
    return this
  }

  async [Symbol.asyncDispose] () {
    await this.return()
  }

  async #begin (method, value) {
    if (this.#opening === null) this.#opening = this.#open()
    const { cursor, first } = await this.#opening
    if (this.#cursor === null) {
      this.#cursor = cursor
      this.#first = first
    }
    return this[method](value)
  }
}

class Table {
  #verbs
  #client
  #schemas
  #name
  #schema
  #key
  #id
  #limits

  /**
   * @param {object} verbs  a database handle, transaction or snapshot
   * @param {string} name
   * @param {object} [options] schema, key, limit, maxLimit
   * @param {Client} [client] the session of the verbs, which shares what is known of the schema
   */
  constructor (verbs, name, options = {}, client = undefined) {
    if (typeof name !== 'string' || name === '') {
      throw new UndercroftError('UC_TABLE', `table: expected a table's name, got ${describe(name)}`)
    }
    for (const option of Object.keys(options)) {
      if (!TABLE_OPTIONS.includes(option)) {
        throw new UndercroftError('UC_OPTION', `table: unknown option "${option}"; ${instead(option, TABLE_OPTIONS)}`)
      }
    }
    this.#verbs = verbs
    this.#client = client
    this.#schemas = schemasOf(verbs, client)
    this.#name = name
    this.#schema = options.schema
    this.#key = readNames(options.key, 'key')
    this.#id = JSON.stringify([name, this.#schema ?? null, this.#key ?? null])
    const max = readLimit(options.maxLimit, 'maxLimit', DEFAULTS.maxLimit)
    this.#limits = { max, fallback: Math.min(readLimit(options.limit, 'limit', DEFAULTS.limit), max) }
  }

  get name () {
    return this.#name
  }

  /** The row with this key, or the first one that matches; undefined when there is none. */
  get (idOrWhere, options) {
    return this.#do(() => {
      const rest = readOptions(options, ['columns'], 'get')
      const columns = select.readColumns(options?.columns)
      const target = select.readTarget(idOrWhere, 'get')
      return (entry) => {
        const { sql, params } = select.getStatement(entry, target, columns)
        return this.#verbs.get(sql, params, rest)
      }
    })
  }

  /** The rows of one page, as an array. */
  find (query = {}, options) {
    return this.#do(() => {
      const rest = readOptions(options, [], 'find')
      if (query?.total !== undefined) throw usage('find: it returns the rows alone; page() returns { rows, next, prev, total }')
      const read = select.readQuery(query, this.#limits, 'find')
      return (entry) => {
        const { sql, params } = select.pageStatement(entry, read, false)
        const rows = this.#verbs.all(sql, params, rest)
        return read.backwards ? rows.then(reverse) : rows
      }
    })
  }

  /** The rows of one page as the bytes of a JSON array, for an HTTP body. */
  json (query = {}, options) {
    return this.#do(() => {
      const rest = readOptions(options, [], 'json')
      select.checkKeys(query, ['where', 'order', 'after', 'limit', 'offset', 'columns'], 'json')
      const read = select.readQuery(query, this.#limits, 'json')
      return (entry) => {
        const { sql, params } = select.pageStatement(entry, read, false)
        return this.#verbs.json(sql, params, rest)
      }
    })
  }

  /**
   * One page and where its neighbours start: { rows, next, prev, total? }. next goes into
   * `after`, prev into `before`; null where there is nothing.
   */
  page (query = {}, options) {
    return this.#do(() => {
      const rest = readOptions(options, [], 'page')
      const read = select.readQuery(query, this.#limits, 'page')
      if (read.limit === 0) throw usage('page: limit is 0')
      const limit = read.limit++
      return (entry) => this.#page(entry, read, limit, rest)
    })
  }

  // One row more than asked for tells whether there is a next page.
  async #page (entry, read, limit, rest) {
    const keyed = entry.key.length > 0
    const { sql, params, terms, extra, carries } = select.pageStatement(entry, read, keyed)
    // Both leave in one turn; in a snapshot or a transaction they see one state.
    const [rows, total] = await Promise.all([
      this.#verbs.all(sql, params, rest),
      read.total ? this.#count(entry, read.condition, rest) : undefined
    ])
    const more = rows.length > limit
    if (more) rows.pop()
    if (read.backwards) rows.reverse()
    const started = read.from !== undefined || read.offset > 0
    const hasNext = read.backwards ? rows.length > 0 : more
    const hasPrev = rows.length > 0 && (read.backwards ? more : started)
    if (keyed && !carries && (hasNext || hasPrev)) {
      throw usage(`page: rows of all columns of "${entry.name}" have no room for ${terms.at(-1).column.name}, which names them; give columns`)
    }
    const mark = (row) => {
      const values = terms.map(({ column }) => select.endless(row[column.name]))
      // An object by itself would be taken for a row.
      return values.length === 1 && !isPlain(values[0]) ? values[0] : values
    }
    const page = {
      rows,
      next: keyed && hasNext ? mark(rows.at(-1)) : null,
      prev: keyed && hasPrev ? mark(rows[0]) : null
    }
    if (extra.length > 0) {
      page.rows = rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !extra.includes(name))))
    }
    if (read.total) page.total = total
    return page
  }

  /** How many rows match; all of them without a condition. */
  count (where, options) {
    return this.#do(() => {
      const rest = readOptions(options, [], 'count')
      const condition = select.readCondition(where)
      return (entry) => this.#count(entry, condition, rest)
    })
  }

  async #count (entry, condition, rest) {
    const { sql, params } = select.countStatement(entry, condition)
    const row = await this.#verbs.get(sql, params, rest)
    return Number(row.n)
  }

  /** Every row that matches, in order, in constant memory. */
  iterate (query = {}, options) {
    return new Rows(() => this.#do(() => {
      const rest = readOptions(options, [], 'iterate')
      select.checkKeys(query, ['where', 'order', 'columns'], 'iterate')
      const read = select.readQuery(query, this.#limits, 'iterate')
      return (entry) => {
        const { sql, params } = select.scanStatement(entry, read)
        return firstOf(this.#verbs.iterate(sql, params, rest))
      }
    }))
  }

  /** { changes, lastInsertRowid }, or with `returning` the row as it was stored. */
  insert (row, options) {
    return this.#do(() => {
      const rest = readOptions(options, ['returning'], 'insert')
      const returning = readReturning(options)
      const given = write.readRow(row, 'insert')
      return (entry) => this.#runOrGet(write.insertStatement(entry, given, returning), returning, rest)
    })
  }

  #runOrGet ({ sql, params }, returning, rest) {
    return returning === undefined ? this.#verbs.run(sql, params, rest) : this.#verbs.get(sql, params, rest)
  }

  /** Any number of rows, from anything that iterates, in one transaction: all or none. */
  async insertMany (rows, options) {
    const rest = readOptions(options, [], 'insertMany')
    const start = typeof rows === 'object' && rows !== null ? rows[Symbol.asyncIterator] ?? rows[Symbol.iterator] : undefined
    if (typeof start !== 'function' || ArrayBuffer.isView(rows)) {
      throw usage(`insertMany: expected rows (anything that iterates), got ${describe(rows)}`)
    }
    if (Array.isArray(rows)) {
      if (rows.length === 0) return { changes: 0, lastInsertRowid: 0 }
      return await this.#do(() => (entry) => this.#insertAll(entry, rows, rest))
    }
    const iterator = start.call(rows)
    const first = await iterator.next()
    if (first.done) return { changes: 0, lastInsertRowid: 0 }
    // A stream flows once: after an error it cannot be tried again, as #do() would.
    let spent = null
    return await this.#do(() => async (entry) => {
      if (spent !== null) throw spent
      const { sql, form } = write.insertManyStatement(entry, first.value)
      const params = new write.RowParams(form, first.value, iterator)
      try {
        if (entry.dialect.bulk?.copies(entry)) return await bulk.copied(this.#verbs, this.#client, entry, form, params, rest)
        return await this.#verbs.many(sql, params, rest)
      } catch (err) {
        spent = err
        throw err
      }
    })
  }

  // All rows of an array, which can be gone through again.
  async #insertAll (entry, rows, rest) {
    const { sql, form } = write.insertManyStatement(entry, rows[0])
    const all = () => new write.RowParams(form, rows[0], from(rows, 1))
    const ways = entry.dialect.bulk
    if (ways !== null && rows.length >= ways.copyFrom && ways.copies(entry)) {
      try {
        return await bulk.copied(this.#verbs, this.#client, entry, form, all(), rest)
      } catch (err) {
        if (!ways.isRefused(err) || this.#verbs.client === undefined) throw err
      }
    } else if (ways !== null && rows.length > 1) {
      const statement = bulk.arraysStatement(entry, form, rows)
      if (statement !== null) return await this.#verbs.run(statement.sql, statement.params, rest)
    }
    const params = rows.length <= SMALL ? rows.map((row, i) => write.rowParams(form, row, i)) : all()
    return await this.#verbs.many(sql, params, rest)
  }

  /** Inserts, or updates the row that is already there by the key or the unique columns `conflict`. */
  upsert (row, options) {
    return this.#do(() => {
      const rest = readOptions(options, ['conflict', 'returning'], 'upsert')
      const returning = readReturning(options)
      const conflict = readNames(options?.conflict, 'conflict')
      const given = write.readRow(row, 'upsert')
      return (entry) => this.#runOrGet(write.upsertStatement(entry, given, conflict, returning), returning, rest)
    })
  }

  /** Changes one row by its key, or all that match. */
  update (idOrWhere, changes, options) {
    return this.#do(() => {
      const rest = readOptions(options, ['all'], 'update')
      const given = write.readRow(changes, 'update')
      if (given.names.length === 0) throw usage('update: nothing to change')
      const target = select.readTarget(idOrWhere, 'update')
      write.checkMeant(target, options?.all === true)
      return (entry) => {
        const { sql, params } = write.updateStatement(entry, target, given)
        return this.#verbs.run(sql, params, rest)
      }
    })
  }

  /** Deletes one row by its key, or all that match. */
  delete (idOrWhere, options) {
    return this.#do(() => {
      const rest = readOptions(options, ['all'], 'delete')
      const target = select.readTarget(idOrWhere, 'delete')
      write.checkMeant(target, options?.all === true)
      return (entry) => {
        const { sql, params } = write.deleteStatement(entry, target)
        return this.#verbs.run(sql, params, rest)
      }
    })
  }

  // prepare() reads the arguments, before anything is awaited: they may change afterwards. What it
  // returns then runs with what is known of the table. When a name turns out wrong, the schema is
  // read again and it runs once more, with what is then known; a name that is still wrong is the
  // caller's error. A statement with a wrong name never compiled, so nothing happens twice.
  async #do (prepare) {
    const work = prepare()
    let entry = this.#schemas.gate === null ? this.#schemas.peek(this.#id) : undefined
    let fresh = false
    if (entry === undefined) {
      while (this.#schemas.gate !== null) await this.#schemas.gate
      entry = this.#schemas.peek(this.#id)
      if (entry === undefined) {
        entry = await this.#read()
        fresh = true
      }
    }
    for (let tries = fresh ? 1 : 0; ; tries++) {
      try {
        return await work(entry)
      } catch (err) {
        // What was just read is wrong again only where schemas change all the time.
        const { dialect } = entry
        if (!isStale(err, dialect) || tries >= (dialect.isOutdated(err) ? MAX_READS : 1)) throw err
        entry = await this.#readAfter(err)
      }
    }
  }

  // Within a transaction that the error has ended, it is the error that counts.
  async #readAfter (err) {
    try {
      return await this.#read()
    } catch (later) {
      throw later.sqlstate === IN_FAILED_TRANSACTION ? err : later
    }
  }

  #read () {
    return this.#schemas.read(this.#id, this.#name, this.#schema, this.#key)
  }
}

module.exports = { Table }
