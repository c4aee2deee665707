'use strict'

// select - the reading statements of a table: rows by key, by condition, page by page, counts.
//
// Keyset pages. The rows stand in a total order: the columns asked for, then the key (in the
// direction of the last one, so that an index over them serves both). What comes after the row
// with the values (a, b, c) is then, in this order and without overlap,
//
//     a = ?, b = ?, c after ?
//     a = ?, b after ?
//     a after ?
//
// Each of these is one range of an index over (a, b, c), mixed directions and nulls included, so
// a page is their UNION ALL, each cut at the limit. Where all columns run in one direction and none
// can be null, the three are one comparison of row values.
//
// Nulls stand where the engine puts them, since that is where its indexes have them. SQLite sorts
// them before everything: ascending, what follows null is what is not null; descending, null follows
// everything and nothing follows null. On PostgreSQL it is the other way round.

const { UndercroftError, describe } = require('../../base/errors')
const { instead } = require('../../base/did-you-mean')
const { isAlways, isPlain, read, render } = require('./where')

const QUERY_KEYS = ['where', 'order', 'after', 'before', 'limit', 'offset', 'columns', 'total']

function fail (message) {
  return new UndercroftError('UC_QUERY', message)
}

// ---- reading a query -------------------------------------------------------------------

function checkKeys (query, keys, what) {
  if (!isPlain(query)) throw fail(`${what}: expected an object, got ${describe(query)}`)
  for (const name of Object.keys(query)) {
    if (!keys.includes(name)) throw fail(`${what}: unknown field "${name}"; ${instead(name, keys)}`)
  }
}

function readCount (value, name, max) {
  if (value === undefined) return undefined
  if (!Number.isSafeInteger(value) || value < 0) throw fail(`${name}: expected a whole number from 0, got ${describe(value)}`)
  if (max !== undefined && value > max) {
    throw fail(`${name}: ${value} is beyond this table's maximum of ${max} (option maxLimit); read page by page, or all with iterate()`)
  }
  return value
}

function readColumns (value) {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0 || value.some((name) => typeof name !== 'string')) {
    throw fail('columns: expected an array of column names')
  }
  return value
}

// 'name', { name: 'desc' } or an array of these -> [[name, descending], ...]
function readOrder (value) {
  const order = []
  if (value === undefined) return order
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item === 'string') {
      order.push([item, false])
      continue
    }
    if (!isPlain(item)) throw fail(`order: expected a column's name or { column: 'asc' | 'desc' }, got ${describe(item)}`)
    for (const name of Object.keys(item)) {
      const word = item[name]
      if (word !== 'asc' && word !== 'desc') throw fail(`order: "${name}" is 'asc' or 'desc', got ${describe(word)}`)
      order.push([name, word === 'desc'])
    }
  }
  return order
}

// A query with its shape: all that its SQL depends on.
function readQuery (query, limits, what) {
  checkKeys(query, QUERY_KEYS, what)
  const from = query.after !== undefined ? query.after : query.before
  if (query.after !== undefined && query.before !== undefined) throw fail(`${what}: "after" and "before" exclude each other`)
  if (from === null) throw fail(`${what}: "${query.before === null ? 'before' : 'after'}" is null; leave it out for the first page`)
  const offset = readCount(query.offset, 'offset')
  if (from !== undefined && offset !== undefined) throw fail(`${what}: "offset" goes with neither "after" nor "before"`)
  const order = readOrder(query.order)
  const columns = readColumns(query.columns)
  const condition = read(query.where)
  return {
    condition,
    order,
    columns,
    from,
    backwards: query.before !== undefined,
    offset,
    limit: readCount(query.limit, 'limit', limits.max) ?? limits.fallback,
    total: query.total === true,
    shape: condition.shape + (order.length === 0 ? '' : '\0o' + JSON.stringify(order)) +
      (columns === undefined ? '' : '\0c' + JSON.stringify(columns))
  }
}

// ---- order -----------------------------------------------------------------------------

// The total order of a query: [{ column, desc }].
function totalOrder (entry, order) {
  const terms = []
  const seen = new Set()
  for (const [name, desc] of order) {
    const column = entry.column(name, 'order')
    if (seen.has(column)) throw fail(`order: "${name}" stands there twice`)
    seen.add(column)
    terms.push({ column, desc })
  }
  const desc = terms.length > 0 && terms.at(-1).desc
  for (const column of entry.totalKey) if (!seen.has(column)) terms.push({ column, desc })
  return terms
}

function orderBy (terms, backwards) {
  if (terms.length === 0) return ''
  return ' order by ' + terms.map(({ column, desc }) => column.sql + (desc !== backwards ? ' desc' : '')).join(', ')
}

// Whether the order ends with a rowid that only tells apart rows whose key is null.
function hasTie (entry, terms) {
  const last = terms.at(-1).column
  return last.rowid === true && !entry.key.includes(last)
}

// What JSON has no number for, as next and prev of page() carry it.
function endless (value) {
  return value === Infinity || value === -Infinity ? { infinity: Math.sign(value) } : value
}

function finite (value) {
  const sign = isPlain(value) ? value.infinity : undefined
  return sign === 1 || sign === -1 ? sign * Infinity : value
}

// The values a page starts from: given as one value where the order has one column, as an array
// in the order's order, or as an object that has them, such as the last row itself.
function startValues (entry, terms, from, name) {
  if (entry.key.length === 0) {
    throw fail(`${name}: "${entry.name}" has no key to page by; use offset, or db.table(name, { key }) with columns that name one row`)
  }
  let values = [from]
  if (Array.isArray(from)) values = from.slice()
  else if (isPlain(from)) values = terms.map(({ column }) => from[column.name])

  const tie = hasTie(entry, terms)
  if (tie && values.length === terms.length && values.at(-1) === undefined) values = values.slice(0, -1)
  const short = tie && values.length === terms.length - 1
  const wanted = terms.map(({ column }) => column.name).join(', ')
  if (values.length !== terms.length && !short) {
    throw fail(`${name}: this order takes the values of ${wanted} (${terms.length}); got ${values.length}`)
  }
  for (let i = 0; i < values.length; i++) {
    const { column } = terms[i]
    values[i] = finite(values[i])
    if (values[i] === undefined) throw fail(`${name}: the value of "${column.name}" is missing; this order takes ${wanted}`)
    if (values[i] !== null) continue
    if (!column.nullable) throw fail(`${name}: "${column.name}" is null there, but is never null in "${entry.name}"`)
    if (short && entry.key.includes(column)) {
      throw fail(`${name}: "${column.name}" is null there, so only its ${entry.rowid.name} names the row: take next of page()`)
    }
  }
  return values
}

// The conditions of the ranges that follow the start, nearest first, and the values they bind.
// next: the number of the first free parameter.
function ranges (terms, values, backwards, next, nullsFirst) {
  const params = []
  const numbers = values.map((value) => {
    if (value === null) return 0
    params.push(value)
    return next++
  })
  const used = terms.slice(0, values.length)
  const down = used.map(({ desc }) => desc !== backwards)

  if (used.length > 1 && down.every((each) => each === down[0]) && used.every(({ column }) => !column.nullable)) {
    const columns = used.map(({ column }) => column.sql).join(', ')
    return { params, conditions: [`(${columns}) ${down[0] ? '<' : '>'} (${numbers.map((n) => '?' + n).join(', ')})`] }
  }

  const conditions = []
  for (let last = used.length - 1; last >= 0; last--) {
    const same = used.slice(0, last).map(({ column }, i) => numbers[i] === 0 ? `${column.sql} is null` : `${column.sql} = ?${numbers[i]}`)
    const add = (condition) => conditions.push([...same, condition].join(' and '))
    const { sql, nullable } = used[last].column
    const nullsFollow = down[last] === nullsFirst
    if (numbers[last] === 0) {
      if (!nullsFollow) add(`${sql} is not null`)
    } else {
      add(`${sql} ${down[last] ? '<' : '>'} ?${numbers[last]}`)
      if (nullsFollow && nullable) add(`${sql} is null`)
    }
  }
  return { params, conditions }
}

// ---- statements ------------------------------------------------------------------------

function selectList (entry, columns, extra) {
  const list = columns === undefined ? entry.star : columns.map((name) => entry.column(name, 'columns').select).join(', ')
  return extra.length === 0 ? list : `${list}, ${extra.map((column) => column.select).join(', ')}`
}

// A condition's SQL with the guard of the schema: what the rows show and how they are ordered hangs
// on the table's key.
function guarded (entry, where, condition) {
  const parts = [where, entry.guard(condition.params.length + 1)].filter((each) => each !== '')
  return parts.length === 0 ? '' : ` where ${parts.join(' and ')}`
}

// Columns of the order that the rows would not carry.
function missing (entry, columns, terms) {
  const shown = (column) => columns !== undefined
    ? columns.includes(column.name)
    : !column.hidden || (entry.showsKey && entry.key.length === 1 && entry.key[0] === column)
  return terms.map(({ column }) => column).filter((column) => !shown(column))
}

/**
 * The statement of a page.
 *
 * @param {TableSchema} entry
 * @param {object} query what readQuery returned
 * @param {boolean} carry whether the rows must carry all columns of the order
 * @returns {{ sql, params, terms, extra, carries }} extra: names of columns that were not asked for;
 *   carries: whether the rows do, for which there may be no room
 */
function pageStatement (entry, query, carry) {
  const { condition, from, backwards } = query
  const shape = `${backwards ? 'b' : 'p'}${carry ? '+' : ''}${query.shape}`
  const base = entry.plan(shape, () => {
    const terms = totalOrder(entry, query.order)
    const lacking = carry ? missing(entry, query.columns, terms) : []
    const width = query.columns?.length ?? entry.width
    const extra = width + lacking.length <= entry.maxColumns ? lacking : []
    return {
      terms,
      extra: extra.map((column) => column.name),
      carries: extra === lacking,
      list: selectList(entry, query.columns, extra),
      where: guarded(entry, render(entry, condition), condition),
      tail: orderBy(terms, backwards)
    }
  })

  const params = [...condition.params, ...entry.stamp]
  if (from === undefined) {
    const sql = entry.plan(`${shape}\0${query.offset === undefined ? 'l' : 'lo'}`, () => {
      const limit = ` limit ?${params.length + 1}`
      return `select ${base.list} from ${entry.sql}` + base.where + base.tail + limit + (query.offset === undefined ? '' : ` offset ?${params.length + 2}`)
    })
    params.push(query.limit)
    if (query.offset !== undefined) params.push(query.offset)
    return { sql, params, terms: base.terms, extra: base.extra, carries: base.carries }
  }

  const values = startValues(entry, base.terms, from, backwards ? 'before' : 'after')
  const nulls = values.map((value) => value === null ? '0' : '1').join('')
  const limitAt = params.length + 1
  const sql = entry.plan(`${shape}\0k${nulls}`, () => {
    const ends = ranges(base.terms, values, backwards, limitAt + 1, entry.dialect.nullsFirst).conditions
    const limit = ` limit ?${limitAt}`
    const conditions = ends.map((each) => base.where === '' ? each : `${base.where.slice(' where '.length)} and ${each}`)
    const { list, tail } = base
    if (conditions.length > 1) return entry.dialect.union({ from: entry.sql, list, conditions, tail, limit })
    return `select ${list} from ${entry.sql} where ${conditions[0] ?? nothing(base.where)}${tail}${limit}`
  })
  params.push(query.limit)
  for (const value of values) if (value !== null) params.push(value)
  return { sql, params, terms: base.terms, extra: base.extra, carries: base.carries }
}

// Every parameter is named, or a server could not tell its type.
function nothing (where) {
  return where === '' ? 'false' : `${where.slice(' where '.length)} and false`
}

// All rows of a condition in order, without a limit: for iterate().
function scanStatement (entry, query) {
  const sql = entry.plan(`s${query.shape}`, () => {
    const list = selectList(entry, query.columns, [])
    return `select ${list} from ${entry.sql}${guarded(entry, render(entry, query.condition), query.condition)}${orderBy(totalOrder(entry, query.order), false)}`
  })
  return { sql, params: [...query.condition.params, ...entry.stamp] }
}

function countStatement (entry, condition) {
  const sql = entry.plan(`n${condition.shape}`, () => {
    const where = render(entry, condition)
    return `select count(*) as n from ${entry.sql}${where === '' ? '' : ` where ${where}`}`
  })
  return { sql, params: condition.params }
}

/**
 * What names rows: a condition object, or the key's value (an array for a key of several columns).
 *
 * @returns {{ shape, params, everyRow, condition, what }} everyRow: whatever the rows are;
 *   condition: null for a key
 */
function readTarget (value, what) {
  if (isPlain(value)) {
    const condition = read(value, what)
    return { shape: condition.shape, params: condition.params, everyRow: isAlways(condition.nodes), condition, what }
  }
  if (value === undefined || value === null) throw fail(`${what}: expected a key or an object of conditions, got ${describe(value)}`)
  return { shape: '\0key', params: Array.isArray(value) ? value.slice() : [value], everyRow: false, condition: null, what }
}

// Its condition as SQL, parameters numbered from `first`; a key's with the guard of the schema. A
// condition of the caller's means the same columns whatever the key is, and has none.
function targetSql (entry, { condition, what }, first) {
  if (condition !== null) return render(entry, condition, first, what)
  const { key } = entry
  return [...key.map((column, i) => `${column.sql} = ?${first + i}`), entry.guard(first + key.length)].filter((each) => each !== '').join(' and ')
}

// The values of targetSql().
function targetParams (entry, { condition, params }) {
  return condition !== null ? params : [...params, ...entry.stamp]
}

// A key must have the columns that the table's has.
function checkKey (entry, { condition, params, what }) {
  if (condition !== null) return
  const { key } = entry
  if (key.length === 0) {
    throw fail(`${what}: "${entry.name}" has no key; use an object of conditions, or db.table(name, { key })`)
  }
  if (params.length !== key.length || params.some((each) => each === undefined || each === null)) {
    throw fail(`${what}: the key of "${entry.name}" is ${key.map((column) => column.name).join(', ')}; expected ` +
      `${key.length === 1 ? 'one value' : `an array of ${key.length} values`}`)
  }
}

function getStatement (entry, target, columns) {
  checkKey(entry, target)
  const sql = entry.plan(`g${target.shape}${columns === undefined ? '' : '\0c' + JSON.stringify(columns)}`, () => {
    const where = target.condition === null ? ` where ${targetSql(entry, target, 1)}` : guarded(entry, render(entry, target.condition), target.condition)
    return `select ${selectList(entry, columns, [])} from ${entry.sql}${where} limit 1`
  })
  return { sql, params: [...target.params, ...entry.stamp] }
}

module.exports = {
  checkKey,
  checkKeys,
  countStatement,
  endless,
  getStatement,
  pageStatement,
  readColumns,
  readCondition: read,
  readQuery,
  readTarget,
  scanStatement,
  targetParams,
  targetSql
}
