'use strict'
// What becomes of each column: which of them nobody outside sees, what a caller may give, what the
// database gives, and the type that a parameter has.

// Anywhere in a name, or as one of its words.
const SECRET = /passw|passphrase|pwd|token|secret|credential|apikey|privatekey/
const SECRET_WORDS = new Set(['hash', 'pw', 'salt', 'otp', 'pin', 'role', 'roles', 'admin', 'isadmin', 'superuser', 'permission', 'permissions'])

/** Whether a column is left out of what is written, whatever it holds. */
function isSecret (name) {
  const parts = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase().split(/[^a-z0-9]+/).filter(Boolean)
  return SECRET.test(parts.join('')) || parts.some((part) => SECRET_WORDS.has(part) || part.endsWith('hash'))
}

// The type of a parameter for what was declared. The first ones are names that SQLite gives no
// meaning; then its own rules, in their order (sqlite.org/datatype3.html).
const TYPES = [
  [/^bool/, 'boolean'],
  [/^uuid$/, 'uuid'],
  [/^jsonb?$/, 'json'],
  [/^(datetime|timestamp)/, 'time'],
  [/^date$/, 'text'],
  [/int/, 'integer'],
  [/char|clob|text/, 'text'],
  [/blob/, 'blob'],
  [/real|floa|doub|num|dec/, 'real']
]

/** @returns {string} type and range of a parameter, as a file has them */
function paramType ({ name, type }, words) {
  const list = words.get(name)
  if (list !== undefined) return list.map((word) => `'${word}'`).join('|')
  const declared = type.toLowerCase().trim()
  const found = TYPES.find(([pattern]) => pattern.test(declared))?.[1] ?? 'text'
  if (declared === 'date') return 'text 10..10'
  const size = /\(\s*(\d+)\s*\)/.exec(declared)?.[1]
  return found === 'text' && size !== undefined ? `text 0..${size}` : found
}

const isBlob = ({ type }) => /blob/i.test(type)

// ---- defaults --------------------------------------------------------------

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)$/
const QUOTED = /^'((?:[^']|'')*)'$/

/**
 * The default as a parameter has it, behind `=`.
 *
 * @returns {string|null} null: it is computed, or null, so that it stays the database's affair
 */
function literalOf ({ preset }, type) {
  if (preset === null || /^null$/i.test(preset)) return null
  const text = preset.replace(/^\(\s*([^()]*?)\s*\)$/, '$1')
  if (type === 'boolean') return { 0: 'false', 1: 'true', false: 'false', true: 'true' }[text.toLowerCase()] ?? null
  if (/^(integer|real)/.test(type)) return NUMBER.test(text) && (type !== 'integer' || /^[+-]?\d+$/.test(text)) ? text.replace(/^\+/, '') : null
  // A line is a line.
  if (!QUOTED.test(text) || /[\r\n]/.test(text)) return null
  return /^(text|')/.test(type) || (type === 'json' && isJson(QUOTED.exec(text)[1].replaceAll("''", "'"))) ? text : null
}

function isJson (text) {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const hasComputed = (column, type) => column.preset !== null && !/^null$/i.test(column.preset) && literalOf(column, type) === null

// ---- times -----------------------------------------------------------------

const CREATED = /^(created|inserted)(_?(at|on|time))?$/i
const UPDATED = /^(updated|modified)(_?(at|on|time))?$/i

const isCreated = ({ name }) => CREATED.test(name)
const isUpdated = ({ name }) => UPDATED.test(name)

/**
 * The expression for a column that says when its row was made or changed: what its default computes,
 * so that all rows have one form, or the time of the request.
 *
 * @returns {string|null} null: it is none of them
 */
function nowOf (column, type) {
  if (!isCreated(column) && !isUpdated(column)) return null
  if (hasComputed(column, type)) return /^current_\w+$/i.test(column.preset) ? column.preset.toLowerCase() : `(${column.preset})`
  if (/int/i.test(column.type)) return ':_now'
  return /^(|text|any|datetime.*|timestamp.*|varchar.*)$/i.test(column.type.trim()) ? "strftime('%Y-%m-%dT%H:%M:%fZ', :_now / 1000.0, 'unixepoch')" : null
}

module.exports = { hasComputed, isBlob, isCreated, isSecret, isUpdated, literalOf, nowOf, paramType }
