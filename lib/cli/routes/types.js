'use strict'
// TypeScript declarations: what routes take and answer, and the functions of the module that --client writes.

const { isRequired } = require('./overview')
const { namesOf, typeName } = require('./names')
const { kindOf, shapeOf } = require('./shape')

const HEAD = `// Written by \`npx undercroft routes --types\`: what each route takes and answers. As api.d.mts beside the
// api.mjs that --client writes it declares that module; the interfaces serve without it as well.

export interface CallOptions {
  signal?: AbortSignal
  /** Milliseconds; those of configure() otherwise. */
  timeoutMs?: number
  headers?: Record<string, string>
  /** Of a POST that may be sent again: it is done once. */
  idempotencyKey?: string
}

export interface Settings {
  /** In front of each path: 'https://api.example.com'. */
  base?: string
  /** Milliseconds a call may take: 10000. */
  timeoutMs?: number
  headers?: Record<string, string>
  /** 'include' for the session's cookie on another origin. */
  credentials?: 'omit' | 'same-origin' | 'include'
  fetch?: typeof globalThis.fetch
}

export function configure(changes: Settings): void

/** 400, and HTTP's own from 401 to 499: what the caller has to change. */
export class RequestError extends Error {
  readonly status: number
  /** The sentence for each parameter that has one. */
  readonly fields: Record<string, string>
}

/** 500 and above: nothing that the caller could change. */
export class ServiceError extends Error {
  readonly status: number
}
`

/** @param {object[]} routes */
function types (routes) {
  const names = namesOf(routes)
  const blocks = routes.map((route, i) => block(route, names[i]))
  return [HEAD, ...blocks, table(routes, names)].join('\n')
}

function block (route, name) {
  const type = typeName(name)
  const out = []
  if (route.params.length > 0) out.push(`export interface ${type}Params ${members(route.params.map((param) => memberOf(param)))}`)
  const { declared, answer } = answerOf(shapeOf(route), type)
  out.push(...declared, `export type ${type}Answer = ${answer}`)
  const params = route.params.length === 0 ? 'params?: null' : `params${route.params.some(isRequired) ? '' : '?'}: ${type}Params`
  out.push(`${comment(`${route.about.trim() === '' ? '' : `${route.about.trim()}\n`}${route.method} ${route.path}, ${route.file}:${route.line}`)}` +
    `export function ${name}(${params}, options?: CallOptions): Promise<${type}Answer>`)
  return out.join('\n') + '\n'
}

// By method and path, for a client of one's own.
function table (routes, names) {
  const rows = routes.map(({ method, path, params }, i) => {
    const type = typeName(names[i])
    return `  ${text(`${method} ${path}`)}: { params: ${params.length === 0 ? 'null' : `${type}Params`}, answer: ${type}Answer }\n`
  })
  return `export interface Routes {\n${rows.join('')}}\n`
}

// ---- what comes in ---------------------------------------------------------

function memberOf (param) {
  const mayBeNull = param.optional && param.in === 'body'
  return { name: param.name, isOptional: !isRequired(param), type: `${typeOf(param)}${mayBeNull ? ' | null' : ''}`, about: param.about }
}

function typeOf (param) {
  const one = oneOf(param)
  if (!param.list) return one
  return `readonly ${one.includes('|') ? `(${one})` : one}[]`
}

function oneOf ({ type, words }) {
  switch (type) {
    case 'integer':
    case 'real': return 'number'
    case 'boolean': return 'boolean'
    case 'time': return 'string | Date'
    case 'json': return 'unknown'
    case 'words': return words.map(text).join(' | ')
    default: return 'string'
  }
}

// ---- what goes out ---------------------------------------------------------

function answerOf (shape, type) {
  if (shape.kind === 'none') return { declared: [], answer: 'undefined' }
  if (shape.kind !== 'json') return { declared: [], answer: 'string' }
  if (shape.part !== undefined) {
    const { declared, of } = partOf(shape.part, `${type}Row`)
    return { declared, answer: shape.mayBeEmpty ? `${of} | undefined` : of }
  }
  // With a line that no name of a route has.
  const parts = shape.parts.map((part) => ({ part, ...partOf(part, `${type}Row_${part.name}`) }))
  const inner = parts.map(({ part, of }) => `${key(part.name)}: ${of}${part.form === 'one' ? ' | null' : ''}`)
  return { declared: parts.flatMap(({ declared }) => declared), answer: `{ ${inner.join(', ')} }` }
}

function partOf ({ form, columns }, row) {
  if (form === 'text') return { declared: [], of: 'string' }
  if (columns === null) return { declared: [`export type ${row} = Record<string, any>`], of: rowsOf(form, row) }
  const declared = [`export interface ${row} ${members(columns.map(({ name, type }) => ({ name, type: columnType(kindOf(type)) })))}`]
  return { declared, of: rowsOf(form, row) }
}

function rowsOf (form, row) {
  return { many: `${row}[]`, page: `{ rows: ${row}[], next: Partial<${row}> | null }` }[form] ?? row
}

// Whether a column may be null is not known of a statement.
function columnType (kind) {
  return { any: 'any', string: 'string | null' }[kind] ?? 'number | null'
}

// ---- text ------------------------------------------------------------------

function members (list) {
  const lines = list.map(({ name, isOptional, type, about = '' }) =>
    `${comment(about, '  ')}  ${key(name)}${isOptional ? '?' : ''}: ${type}\n`)
  return `{\n${lines.join('')}}`
}

function comment (about, indent = '') {
  if (about === '') return ''
  const lines = about.replaceAll('*/', '* /').split('\n')
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd() + '\n').join('')}${indent} */\n`
}

const key = (name) => /^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name)

const text = (value) => `'${value.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`

module.exports = { text, types }
