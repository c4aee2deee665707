'use strict'
// What a route answers with, and what kind of JSON a column becomes: read here once for OpenAPI and TypeScript.

/**
 * @typedef {{ kind: 'text'|'html'|'none' } | { kind: 'json', mayBeEmpty: boolean, part: Part } |
 *   { kind: 'json', mayBeEmpty: boolean, parts: Part[] }} Shape parts: of an object, by their names
 * @typedef {{ name: string, form: string, columns: { name: string, type: string }[]|null }} Part columns: null where
 *   nobody has looked at them
 */

/** @returns {Shape} */
function shapeOf ({ form, parts, replies }) {
  if (form === 'text' || form === 'html') return { kind: form }
  const answering = parts.filter((part) => part.form !== 'none').map((part) => bodyOf(part, replies))
  if (answering.some(({ name }) => name !== '')) return { kind: 'json', mayBeEmpty: false, parts: answering.filter(({ name }) => name !== '') }
  if (form === 'none' || answering.length === 0) return { kind: 'none' }
  // Of a POST with several the last one that returns rows answers.
  const part = answering.findLast(({ columns }) => columns === null || columns.length > 0) ?? answering.at(-1)
  return { kind: 'json', mayBeEmpty: form === 'one', part: { ...part, form } }
}

// What becomes a header is not in the body.
function bodyOf ({ name, form, columns = null }, replies) {
  return { name, form, columns: columns?.filter((column) => !replies.includes(column.name)) ?? null }
}

// As SQLite finds the affinity of a declared type (sqlite.org/datatype3.html), and PostgreSQL's names.
// A column holds what was stored, whatever was declared: what may be of either kind is 'any'.
const KINDS = [
  [/^(|any|numeric|decimal.*|json|jsonb|date|datetime|timestamp.*|time|bool|boolean)$/, 'any'],
  [/int|serial/, 'integer'],
  [/char|clob|text|uuid|name|interval|inet/, 'string'],
  [/blob|bytea/, 'string'],
  [/real|floa|doub/, 'number']
]

/** @returns {'integer'|'number'|'string'|'any'} */
function kindOf (declared) {
  const type = declared.toLowerCase().replace(/\(.*$/, '').trim()
  return KINDS.find(([pattern]) => pattern.test(type))?.[1] ?? 'any'
}

module.exports = { kindOf, shapeOf }
