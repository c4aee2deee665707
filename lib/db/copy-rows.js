'use strict'

// copy-rows - rows of JavaScript as lines of COPY's text format: columns with a tab between, a row a
// line, \N for null, and a backslash before what would be one of these.

const { builtin } = require('../base/builtin')
const { types } = builtin('node:util')
const { UndercroftError, describe } = require('../base/errors')

const CHUNK = 48 * 1024

const SPECIAL = /[\\\n\r\t\0]/
const ESCAPES = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Whether a value is a row: an array, or an object with a property for each column. */
function isRow (value) {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !(value instanceof Date)
}

function bad (place, name, message) {
  return new UndercroftError('UC_PARAM_TYPE', `${place()}: column ${name()}: ${message}`, { outcome: 'not-run' })
}

function text (value) {
  if (!SPECIAL.test(value)) return value
  return value.replace(/[\\\n\r\t]/g, (c) => ESCAPES[c])
}

// A value within an array literal; what has a letter of its syntax is quoted.
function element (value, fail) {
  if (value === null) return 'NULL'
  if (Array.isArray(value)) return array(value, fail)
  const plain = raw(value, fail)
  return `"${plain.replace(/["\\]/g, '\\$&')}"`
}

function array (list, fail) {
  return `{${list.map((each) => element(each, fail)).join(',')}}`
}

/**
 * The text of a value as the server reads it, without escapes of the format around it.
 *
 * @param {*} value not null
 * @param {(message: string) => Error} fail
 */
function raw (value, fail) {
  switch (typeof value) {
    case 'string':
      if (value.includes('\0')) throw fail('text with a NUL has no place in PostgreSQL')
      if (!value.isWellFormed()) throw fail('text with a lone surrogate')
      return value
    case 'number':
      if (Number.isNaN(value)) throw fail('NaN is no value')
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint': return String(value)
    case 'boolean': return value ? 't' : 'f'
    case 'object':
      if (ArrayBuffer.isView(value)) return '\\x' + Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
      if (types.isDate(value)) {
        if (Number.isNaN(value.getTime())) throw fail('an invalid Date')
        return value.toISOString()
      }
      if (Array.isArray(value)) return array(value, fail)
      return JSON.stringify(value)
    default:
      throw fail(`expected a value, got ${describe(value)}`)
  }
}

/** A value of a column's array, as it stands in the literal of that. */
function item (value, fail) {
  if (value === null) return 'NULL'
  return `"${raw(value, fail).replace(/["\\]/g, '\\$&')}"`
}

class Lines {
  #columns
  #pick
  #first
  #iterator
  #what
  #index = 0

  /**
   * @param {string[]|null} columns null: rows are arrays, of any length that the table has
   * @param {object|Array} first the first row
   * @param {Iterator|AsyncIterator} iterator the others
   * @param {string} what for errors
   */
  constructor (columns, first, iterator, what) {
    this.#columns = columns
    this.#first = first
    this.#iterator = iterator
    this.#what = what
  }

  /** Buffers of whole lines. */
  async * chunks () {
    let lines = ''
    for (let step = { value: this.#first, done: false }; !step.done;) {
      lines += this.#line(step.value)
      this.#index++
      if (lines.length >= CHUNK) {
        yield Buffer.from(lines)
        lines = ''
      }
      step = this.#iterator.next()
      if (typeof step.then === 'function') step = await step
    }
    if (lines !== '') yield Buffer.from(lines)
  }

  #place = () => `${this.#what}: row ${this.#index + 1}`

  #line (row) {
    const columns = this.#columns
    if (!isRow(row)) throw this.#wrong(`expected an array or an object, got ${describe(row)}`)
    if (!Array.isArray(row)) return this.#ofObject(row)
    if (columns !== null && row.length !== columns.length) throw this.#wrong(`expected ${columns.length} values, got ${row.length}`)
    let line = ''
    for (let i = 0; i < row.length; i++) {
      if (i > 0) line += '\t'
      line += this.#value(row[i], i)
    }
    return line + '\n'
  }

  #ofObject (row) {
    const columns = this.#columns
    if (columns === null) throw this.#wrong('expected an array, as the first one is, got an object')
    let line = ''
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) line += '\t'
      line += this.#value(row[columns[i]], i)
    }
    return line + '\n'
  }

  #value (value, i) {
    switch (typeof value) {
      case 'number':
        if (Number.isFinite(value) && value !== 0) return String(value)
        break
      case 'string':
        if (!SPECIAL.test(value) && value.isWellFormed()) return value
        break
      case 'undefined':
        throw this.#fail(i)('undefined is no value; say null')
    }
    return value === null ? '\\N' : text(raw(value, this.#fail(i)))
  }

  #fail (i) {
    return (message) => {
      const name = this.#columns === null ? i + 1 : `"${this.#columns[i]}"`
      return Object.assign(bad(this.#place, () => name, message), { index: this.#index })
    }
  }

  #wrong (message) {
    return new UndercroftError('UC_PARAM_TYPE', `${this.#place()}: ${message}`, { index: this.#index, outcome: 'not-run' })
  }
}

module.exports = { Lines, isRow, item, literal: array }
