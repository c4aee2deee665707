'use strict'
// What a route answers with, and what kind of JSON a column becomes: read here once for OpenAPI and TypeScript.

/**
 * @typedef {{ kind: 'text'|'html'|'none' } | { kind: 'json', mayBeEmpty: boolean, part: Part } |
 *   { kind: 'json', mayBeEmpty: boolean, parts: Part[] }} Shape parts: of an object, by their names
 * @typedef {{ name: string, form: string, columns: { name: string, type: string }[] }} Part
 */

/** @returns {Shape} */
function shapeOf ({ form, parts, replies }) {
  if (form === 'text' || form === 'html') return { kind: form }
  // What becomes a header is not in the body.
  const headers = new Set(replies)
  const answering = parts.filter((part) => part.form !== 'none').map((part) => ({ ...part, columns: part.columns.filter(({ name }) => !headers.has(name)) }))
  if (answering.some(({ name }) => name !== '')) return { kind: 'json', mayBeEmpty: false, parts: answering }
  if (form === 'none' || answering.length === 0) return { kind: 'none' }
  return { kind: 'json', mayBeEmpty: form === 'one', part: { ...answering[0], form } }
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
