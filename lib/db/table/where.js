'use strict'

// where - conditions as objects.
//
//   { name: 'a', age: { gte: 18, lt: 65 } }        all of them
//   { age: null }                                   is null
//   { id: [1, 2, 3] }                               in
//   { or: [{ a: 1 }, { b: 2 }], not: { c: 3 } }     and, or: arrays; not: one object
//   { '"or"': 1 }                                   the column of that name
//
// read() walks the object once: it collects the parameters and a list of nodes. The nodes say all
// that the SQL depends on and nothing of the values, so joined they are the shape by which the
// SQL is kept; render() turns them into SQL when the shape is new.

const { UndercroftError, describe } = require('../../base/errors')
const { VALUES, isValue, notValue } = require('../../wire/encode')
const { instead } = require('../../base/did-you-mean')

// A value with more than this many conditions was not written by hand.
const MAX_NODES = 1000
const MAX_LIST = 32000

const COMPARE = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'like', 'notLike', 'glob', 'match']

// Columns that are called like what joins conditions.
const COLUMNS = { __proto__: null, '"and"': 'and', '"or"': 'or', '"not"': 'not' }

const OPERATORS = [...COMPARE, 'in', 'notIn', 'between', 'isNull', 'startsWith']

function isPlain (value) {
  if (typeof value !== 'object' || value === null) return false
  const proto = Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

// A list may travel as one JSON text, whatever its length, if JSON says exactly what is meant.
function fitsJson (value) {
  switch (typeof value) {
    case 'string': return !value.includes('\0') && value.isWellFormed()
    case 'number': return Number.isSafeInteger(value) && !Object.is(value, -0)
    case 'bigint': return value >= -(2n ** 63n) && value < 2n ** 63n
    case 'boolean': return true
    default: return value instanceof Date && !Number.isNaN(value.getTime())
  }
}

function jsonItem (value) {
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
}

class Reader {
  constructor (what) {
    this.what = what
    this.nodes = []
    this.params = []
  }

  fail (message) {
    return new UndercroftError('UC_QUERY', `${this.what}: ${message}`)
  }

  push (...node) {
    if (this.nodes.length >= MAX_NODES) throw this.fail(`more than ${MAX_NODES} conditions`)
    this.nodes.push(node)
  }

  object (where) {
    if (!isPlain(where)) throw this.fail(`expected an object of conditions, got ${describe(where)}`)
    for (const name of Object.keys(where)) {
      const value = where[name]
      if (value === undefined) throw this.fail(`"${name}" is undefined; say null to find what is null`)
      if (name === 'and' || name === 'or') this.list(name, value)
      else if (name === 'not') this.not(value)
      else this.condition(COLUMNS[name] ?? name, value)
    }
  }

  list (word, value) {
    if (!Array.isArray(value)) throw this.fail(`"${word}" takes an array of conditions, got ${describe(value)}; a column of that name is written '"${word}"'`)
    this.push('(', word)
    for (const each of value) this.group(each)
    this.push(')')
  }

  not (value) {
    if (!isPlain(value)) throw this.fail(`"not" takes an object of conditions, got ${describe(value)}; a column of that name is written '"not"'`)
    this.push('not')
    this.group(value)
  }

  group (value) {
    this.push('(', 'and')
    this.object(value)
    this.push(')')
  }

  condition (name, value) {
    if (value === null) this.push('c', name, 'null')
    else if (Array.isArray(value)) this.set(name, value, false)
    else if (!isPlain(value)) this.compare(name, 'eq', value)
    else this.operators(name, value)
  }

  operators (name, value) {
    const words = Object.keys(value)
    if (words.length === 0) throw this.fail(`"${name}" is an empty object; it takes a value or operators`)
    for (const word of words) {
      const operand = value[word]
      if (operand === undefined) throw this.fail(`"${name}.${word}" is undefined`)
      if (word === 'in' || word === 'notIn') this.set(name, operand, word === 'notIn', word)
      else if (word === 'between') this.between(name, operand)
      else if (word === 'isNull') this.isNull(name, operand)
      else if (word === 'startsWith') this.startsWith(name, operand)
      else if (COMPARE.includes(word)) this.compare(name, word, operand)
      else throw this.fail(`"${name}" has the unknown operator "${word}"; ${instead(word, OPERATORS)}`)
    }
  }

  compare (name, word, value) {
    if (value === null) {
      if (word === 'eq') return this.push('c', name, 'null')
      if (word === 'ne') return this.push('c', name, 'notnull')
      throw this.fail(`"${name}.${word}" is null, which nothing compares to; say isNull`)
    }
    if (typeof value === 'object' && !isValue(value)) {
      throw new UndercroftError('UC_PARAM_TYPE', `${this.what}: column "${name}": expected ${VALUES}, got ${notValue(value)}`,
        { column: name, outcome: 'not-sent' })
    }
    this.params.push(value)
    this.push('c', name, word)
  }

  isNull (name, value) {
    if (typeof value !== 'boolean') throw this.fail(`"${name}.isNull" takes true or false, got ${describe(value)}`)
    this.push('c', name, value ? 'null' : 'notnull')
  }

  between (name, value) {
    if (!Array.isArray(value) || value.length !== 2 || value.some((end) => end === null || end === undefined)) {
      throw this.fail(`"${name}.between" takes an array of two values`)
    }
    this.params.push(value[0], value[1])
    this.push('c', name, 'between')
  }

  startsWith (name, value) {
    if (typeof value !== 'string') throw this.fail(`"${name}.startsWith" takes a string, got ${describe(value)}`)
    this.params.push(value)
    this.push('c', name, 'startsWith')
  }

  // SQL's own IN never finds a null and its NOT IN finds nothing beside one; here a null in the
  // list means what it says.
  set (name, value, negated, word = 'in') {
    if (!Array.isArray(value)) throw this.fail(`"${name}.${word}" takes an array, got ${describe(value)}`)
    let nulls = false
    let json = true
    const items = []
    for (let i = 0; i < value.length; i++) {
      const item = value[i]
      if (item === undefined) throw this.fail(`"${name}.${word}" holds undefined at ${i}`)
      if (item === null) nulls = true
      else {
        items.push(item)
        json = json && fitsJson(item)
      }
    }
    let form = 'json'
    if (items.length === 0) form = 'none'
    else if (json) this.params.push(`[${items.map(jsonItem).join(',')}]`)
    else form = this.spell(name, word, items)
    this.push('c', name, negated ? 'notin' : 'in', form, nulls)
  }

  // Fractions and bytes go as parameters of their own, in few lengths: the last one is repeated.
  spell (name, word, items) {
    if (items.length > MAX_LIST) {
      throw this.fail(`"${name}.${word}" holds ${items.length} values; with fractions or bytes among them at most ${MAX_LIST} go`)
    }
    let length = 1
    while (length < items.length) length *= 2
    if (length > MAX_LIST) length = MAX_LIST
    for (let i = 0; i < length; i++) this.params.push(items[Math.min(i, items.length - 1)])
    return length
  }
}

// Reads `where` (undefined: everything). what: how messages call it.
function read (where, what = 'where') {
  const reader = new Reader(what)
  if (where !== undefined) reader.object(where)
  return { nodes: reader.nodes, params: reader.params, shape: reader.nodes.length === 0 ? '' : JSON.stringify(reader.nodes) }
}

/**
 * Whether the conditions are true for every row, whatever is in it: they are empty, at any
 * depth, or exclude nothing.
 *
 * @param {Array} nodes of read()
 */
function isAlways (nodes) {
  let at = 0

  // Each gives true or false where the form alone decides, and null where the row does.
  function one ([, , word, form, nulls]) {
    return form === 'none' && !nulls ? word === 'notin' : null
  }

  function group (word) {
    const decides = word === 'or'
    let result = !decides
    while (at < nodes.length && nodes[at][0] !== ')') {
      const found = term()
      if (found === decides || result === decides) result = decides
      else if (found === null) result = null
    }
    at++
    return result
  }

  function term () {
    const node = nodes[at++]
    if (node[0] === '(') return group(node[1])
    if (node[0] !== 'not') return one(node)
    const found = term()
    return found === null ? null : !found
  }

  return group('and') === true
}

// The SQL of the nodes; '' without conditions. first: the number of the first parameter.
function render (entry, condition, first = 1, what = 'where') {
  const { nodes } = condition
  let next = first
  let at = 0

  function one ([, name, word, form, nulls]) {
    const { dialect } = entry
    const each = entry.column(name, what)
    const column = each.sql
    switch (word) {
      case 'null': return `${column} is null`
      case 'notnull': return `${column} is not null`
      case 'between': return `${column} between ?${next++} and ?${next++}`
      case 'in': return nulls ? `(${among(each, form)} or ${column} is null)` : among(each, form)
      case 'notin': return nulls ? `(${column} is not null and not ${among(each, form)})` : `not ${among(each, form)}`
      default: return dialect.compare(word, each, `?${next++}`)
    }
  }

  function among (column, form) {
    if (form === 'none') return 'false'
    if (form === 'json') return entry.dialect.among(column, `?${next++}`)
    return `${column.sql} in (${Array.from({ length: form }, () => `?${next++}`).join(', ')})`
  }

  // Everything up to the closing mark, joined by `word`. All of nothing is true, any of it false.
  function group (word) {
    const parts = []
    while (at < nodes.length && nodes[at][0] !== ')') parts.push(term())
    at++
    if (parts.length === 0) return word === 'and' ? 'true' : 'false'
    return parts.length === 1 ? parts[0] : `(${parts.join(` ${word} `)})`
  }

  function term () {
    const node = nodes[at++]
    if (node[0] === '(') return group(node[1])
    if (node[0] === 'not') return `not coalesce(${term()}, false)`
    return one(node)
  }

  const parts = []
  while (at < nodes.length) parts.push(term())
  return parts.join(' and ')
}

module.exports = { isAlways, isPlain, read, render }
