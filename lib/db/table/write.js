'use strict'

// write - the changing statements of a table. A property that is undefined counts as not given:
// an insert leaves it to the column's default, an update leaves the column alone.

const { UndercroftError, describe } = require('../../base/errors')
const { VALUES, isValue, notValue } = require('../../wire/encode')
const { checkKey, targetParams, targetSql } = require('./select')

function fail (message) {
  return new UndercroftError('UC_QUERY', message)
}

function checkWritable (entry) {
  if (entry.writable) return
  throw new UndercroftError('UC_TABLE', `"${entry.name}" is a view: it can be read, not written`)
}

function writable (entry, name, what) {
  const column = entry.column(name, what)
  if (column.generated) {
    throw new UndercroftError('UC_COLUMN', `${what}: column "${name}" of "${entry.name}" is generated; the database computes it`,
      { column: name })
  }
  return column
}

// A row may be of any class, so long as its columns are its own properties.
function isRow (value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) &&
    !ArrayBuffer.isView(value) && !(value instanceof Date)
}

// An object is a value where its column has a type for it; the column is known here, where the call
// that binds it only counts.
function settle (entry, name, value, what, index) {
  if (typeof value !== 'object' || value === null || isValue(value)) return value
  const fail = (message) => new UndercroftError('UC_PARAM_TYPE', `${what}: column "${name}": ${message}`,
    { column: name, outcome: 'not-sent', ...(index !== undefined && { index }) })
  const text = entry.dialect.document(entry.columns.get(name), value, fail)
  if (text === undefined) throw fail(`expected ${VALUES}, got ${notValue(value)}`)
  return text
}

function settled (entry, { names, params }, what) {
  return params.map((value, i) => settle(entry, names[i], value, what))
}

// The given properties of a row.
function readRow (row, what) {
  if (!isRow(row)) throw fail(`${what}: expected an object of columns, got ${describe(row)}`)
  const names = []
  const params = []
  for (const name of Object.keys(row)) {
    const value = row[name]
    if (value === undefined) continue
    names.push(name)
    params.push(value)
  }
  return { names, params, shape: JSON.stringify(names) }
}

function returningSql (entry, returning) {
  if (returning === undefined) return ''
  return ` returning ${returning === true ? entry.star : returning.map((name) => entry.column(name, 'returning').select).join(', ')}`
}

function insertSql (entry, names, what) {
  checkWritable(entry)
  if (names.length === 0) return `insert into ${entry.sql} default values`
  return `${insertInto(entry, names, what)} values (${numbered(names)})`
}

// The same row, unless the schema is another by now: for what depends on the table's key.
function guardedInsertSql (entry, names, what) {
  if (entry.stamp.length === 0) return insertSql(entry, names, what)
  checkWritable(entry)
  return `${insertInto(entry, names, what)} select ${numbered(names)} where ${entry.guard(names.length + 1)}`
}

function insertInto (entry, names, what) {
  return `insert into ${entry.sql} (${names.map((name) => writable(entry, name, what).sql).join(', ')})`
}

function numbered (names) {
  return names.map((_, i) => `?${i + 1}`).join(', ')
}

function returningShape (returning) {
  return returning === undefined ? '' : '\0r' + JSON.stringify(returning)
}

function insertStatement (entry, given, returning) {
  const { names, shape } = given
  // Whole rows show the rowid where it is the only key.
  const isGuarded = returning === true && names.length > 0
  const sql = entry.plan(`i${shape}${returningShape(returning)}`, () =>
    (isGuarded ? guardedInsertSql : insertSql)(entry, names, 'insert') + returningSql(entry, returning))
  const params = settled(entry, given, 'insert')
  return { sql, params: isGuarded ? [...params, ...entry.stamp] : params }
}

// One statement for many rows: the first row says which columns, every row gives just these.
function insertManyStatement (entry, first) {
  const { names, shape } = readRow(first, 'insertMany: row 1')
  if (names.length === 0) throw fail('insertMany: row 1 gives no column')
  const sql = entry.plan(`i${shape}`, () => insertSql(entry, names, 'insertMany'))
  return { sql, form: entry.plan(`f${shape}`, () => ({ names, pick: picker(names), entry })) }
}

function uneven (index, message) {
  return new UndercroftError('UC_QUERY',
    `insertMany: row ${index + 1} ${message}; every row gives the same columns (null is a value)`, { index })
}

// A function row -> [values of names]. Written out for the names where the runtime allows it:
// several times faster than reading properties whose names are data.
function picker (names) {
  const list = names.map((name) => `row[${JSON.stringify(name)}]`)
  try {
    // eslint-disable-next-line no-new-func
    return new Function('row', `return [${list.join(', ')}]`)
  } catch {
    return (row) => names.map((name) => row[name])
  }
}

// The parameters of row number `index` (from 0; messages count from 1).
function rowParams ({ names, pick, entry }, row, index) {
  if (!isRow(row)) {
    throw new UndercroftError('UC_QUERY', `insertMany: row ${index + 1}: expected an object of columns, got ${describe(row)}`, { index })
  }
  const params = pick(row)
  for (let i = 0; i < params.length; i++) {
    if (params[i] === undefined) throw uneven(index, `does not give "${names[i]}", which the first one gives`)
    params[i] = settle(entry, names[i], params[i], `insertMany: row ${index + 1}`, index)
  }
  let given = 0
  for (const name in row) {
    given++
    if (given <= names.length && names[given - 1] === name) continue
    if (row[name] !== undefined && !names.includes(name)) throw uneven(index, `gives "${name}", which the first one does not give`)
  }
  return params
}

/**
 * Rows on their way into many(): each becomes its parameters when its turn comes, so that a
 * large array does not hold the event loop and a stream is never all in memory.
 */
class RowParams {
  #form
  #first
  #iterator
  #index = 0
  // The same object each time: many() takes the value out before it asks again.
  #step = { value: undefined, done: false }

  constructor (form, first, iterator) {
    this.#form = form
    this.#first = first
    this.#iterator = iterator
  }

  [Symbol.asyncIterator] () {
    return this
  }

  next () {
    const index = this.#index++
    if (index === 0) return this.#give(this.#first, 0)
    const step = this.#iterator.next()
    if (typeof step.then === 'function') return step.then((step) => step.done ? step : this.#give(step.value, index))
    return step.done ? step : this.#give(step.value, index)
  }

  return () {
    return this.#iterator.return?.()
  }

  #give (row, index) {
    this.#step.value = rowParams(this.#form, row, index)
    return this.#step
  }
}

function upsertStatement (entry, given, conflict, returning) {
  const { names, shape } = given
  const sql = entry.plan(`u${shape}\0${conflict === undefined ? '' : JSON.stringify(conflict)}${returningShape(returning)}`, () => {
    const on = conflict === undefined ? entry.key : conflict.map((name) => entry.column(name, 'conflict'))
    if (on.length === 0 || on.some((column) => column.rowid)) {
      throw fail(`upsert: "${entry.name}" has no primary key; name the columns of a unique index with { conflict: [...] }`)
    }
    for (const column of on) {
      if (!names.includes(column.name) && !column.generated) {
        throw fail(`upsert: the row does not give "${column.name}", by which it would be found; use insert, or { conflict: [...] }`)
      }
    }
    const insert = guardedInsertSql(entry, names, 'upsert')
    const rest = names.map((name) => entry.columns.get(name)).filter((column) => !on.includes(column))
    // Without a column to change, the key is set to itself, so that `returning` has its row.
    const changed = rest.length > 0 ? rest : on.filter((column) => !column.generated).slice(0, 1)
    return `${insert} on conflict (${on.map((column) => column.sql).join(', ')}) do update set ` +
      changed.map((column) => `${column.sql} = excluded.${column.sql}`).join(', ') + returningSql(entry, returning)
  })
  return { sql, params: [...settled(entry, given, 'upsert'), ...entry.stamp] }
}

// An update or delete whose conditions leave no row out is a slip more often than a wish: filters
// that were gathered somewhere, and of which none was set.
function checkMeant ({ everyRow, what }, all) {
  if (!everyRow || all) return
  throw fail(`${what}: the conditions leave no row out, so every row would be ${what}d; say { all: true } if that is meant`)
}

function updateStatement (entry, target, given) {
  const { names, shape } = given
  checkKey(entry, target)
  const sql = entry.plan(`w${shape}\0${target.shape}`, () => {
    checkWritable(entry)
    const sets = names.map((name, i) => `${writable(entry, name, 'update').sql} = ?${i + 1}`)
    const where = targetSql(entry, target, names.length + 1)
    return `update ${entry.sql} set ${sets.join(', ')}${where === '' ? '' : ` where ${where}`}`
  })
  return { sql, params: [...settled(entry, given, 'update'), ...targetParams(entry, target)] }
}

function deleteStatement (entry, target) {
  checkKey(entry, target)
  const sql = entry.plan(`d${target.shape}`, () => {
    checkWritable(entry)
    const where = targetSql(entry, target, 1)
    return `delete from ${entry.sql}${where === '' ? '' : ` where ${where}`}`
  })
  return { sql, params: targetParams(entry, target) }
}

module.exports = {
  RowParams,
  checkMeant,
  deleteStatement,
  insertInto,
  insertManyStatement,
  insertStatement,
  readRow,
  rowParams,
  updateStatement,
  upsertStatement
}
