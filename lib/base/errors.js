'use strict'

// UndercroftError and the table of this project's own codes. Engine errors
// keep the engine's name (SQLITE_CONSTRAINT_UNIQUE); ours begin with UC_.
// `kind` is the word to branch on: it is the same over engines.

const tables = require('./tables')

const BRAND = Symbol.for('undercroft.error')
const SQL_IN_MESSAGE = 1000

// code -> kind and whether the same call may succeed when simply repeated: those of the core, and
// those that only this end has.
const codes = Object.freeze({
  __proto__: null,
  ...tables.codes,
  UC_CACHE_SELF: { kind: 'usage', retryable: false },
  UC_VALUE_RANGE: { kind: 'usage', retryable: false },
  UC_TX_SELF: { kind: 'usage', retryable: false },
  UC_MIGRATION_CHANGED: { kind: 'usage', retryable: false },
  UC_MIGRATION_MISSING: { kind: 'usage', retryable: false },
  UC_NO_ADDON: { kind: 'not-found', retryable: false },
  UC_NO_DAEMON: { kind: 'not-found', retryable: false },
  UC_REQUEST_TOO_LARGE: { kind: 'too-big', retryable: false },
  UC_TABLE: { kind: 'usage', retryable: false },
  UC_COLUMN: { kind: 'usage', retryable: false },
  UC_QUERY: { kind: 'usage', retryable: false },
  UC_PASSWORD: { kind: 'usage', retryable: false },
  UC_RATE: { kind: 'busy', retryable: true },
  UC_SYNC_UNAVAILABLE: { kind: 'usage', retryable: false }
})

/**
 * The one error class. Fields besides `message`: `code`, `kind`, `retryable`,
 * and where they are known `sql`, `param`, `column`, `outcome` ('not-run':
 * it had no effect, 'unknown': it may have had, 'not-sent': it never left
 * this process), `op`, `offset` (of an error in the text and of any in a
 * script, in characters of the SQL) and `native` (the engine's number).
 */
class UndercroftError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {object} [info] any of the fields above, and `cause`
   */
  constructor (code, message, info) {
    super(message, info !== undefined && info.cause !== undefined
      ? { cause: info.cause }
      : undefined)
    const own = codes[code]
    this.code = code
    this.kind = own !== undefined ? own.kind : 'internal'
    // What may have run is repeated by who knows that it does no harm.
    this.retryable = own !== undefined && own.retryable && info?.outcome !== 'unknown'
    if (info === undefined) return
    for (const key of FIELDS) {
      if (info[key] !== undefined && info[key] !== null) this[key] = info[key]
    }
  }

  // Two copies of the package in one process agree on what is theirs.
  static [Symbol.hasInstance] (value) {
    if (this !== UndercroftError) {
      return Function.prototype[Symbol.hasInstance].call(this, value)
    }
    return typeof value === 'object' && value !== null && value[BRAND] === true
  }
}

const FIELDS = ['kind', 'retryable', 'sql', 'param', 'column', 'outcome', 'op',
  'offset', 'index', 'native', 'sqlstate', 'table', 'constraint', 'detail', 'hint']

// On the prototype and not enumerable, so that a logged error stays short.
Object.defineProperty(UndercroftError.prototype, 'name', {
  value: 'UndercroftError', configurable: true, writable: true
})
Object.defineProperty(UndercroftError.prototype, BRAND, { value: true })

/**
 * The error for an error reply of the core.
 *
 * @param {object} map the reply's map; hostile, so each field is checked
 * @param {string} [sql] the statement of the call
 * @param {string} [op] name of the operation
 */
function fromWire (map, sql, op) {
  if (map === null || typeof map !== 'object' || typeof map.code !== 'string') {
    return new UndercroftError('UC_FRAME', 'the core sent an error without a code', { sql, op })
  }
  const text = typeof map.message === 'string' ? map.message : map.code
  const err = new UndercroftError(map.code, withSql(text, sql), {
    kind: string(map.kind),
    retryable: typeof map.retryable === 'boolean' ? map.retryable : undefined,
    sql,
    param: typeof map.param === 'number' ? map.param : string(map.param),
    column: string(map.column),
    outcome: string(map.outcome),
    op,
    offset: characters(sql, map.offset),
    index: number(map.index),
    native: number(map.native),
    sqlstate: string(map.sqlstate),
    table: string(map.table),
    constraint: string(map.constraint),
    detail: string(map.detail),
    hint: string(map.hint)
  })
  // For the line of audit of a request to a route; no part of the error.
  if (typeof map.audit === 'string') Object.defineProperty(err, 'audit', { value: map.audit })
  return err
}

function withSql (text, sql) {
  if (sql === undefined) return text
  const cut = sql.length > SQL_IN_MESSAGE ? sql.slice(0, SQL_IN_MESSAGE) + '…' : sql
  return `${text} (sql: ${cut})`
}

// The engine counts the bytes of the text, JavaScript its UTF-16 units.
function characters (sql, bytes) {
  if (typeof bytes !== 'number') return undefined
  return sql === undefined ? bytes : Buffer.from(sql).toString('utf8', 0, bytes).length
}

function string (value) {
  return typeof value === 'string' ? value : undefined
}

function number (value) {
  return typeof value === 'number' ? value : undefined
}

/** A wrong argument, as a sentence of the form "expected X, got Y". */
function expected (code, what, wanted, got, info) {
  return new UndercroftError(code, `${what}: expected ${wanted}, got ${describe(got)}`, info)
}

/** A value in a few words, for messages. Never throws, whatever the value. */
function describe (value) {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return value.length > 40
        ? `a string of ${value.length} characters`
        : JSON.stringify(value)
    case 'number': return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint': return `${value}n`
    case 'boolean':
    case 'undefined': return String(value)
    case 'function': return 'a function'
    case 'symbol': return 'a symbol'
  }
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return 'a Date'
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 'a buffer'
  if (value instanceof Promise) return 'a promise'
  return 'an object'
}

module.exports = { UndercroftError, codes, fromWire, expected, describe, withSql }
