'use strict'
// The routes as OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1), whose schemas are JSON Schema 2020-12.

const { isRequired } = require('./overview')
const { namesOf } = require('./names')
const { kindOf, shapeOf } = require('./shape')

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
// Of undercroft/kit/session, unless its option name is another.
const COOKIE = 'sid'

// With the option statuses: 'fine', in place of 400 and 500 alone.
const FINE = {
  401: 'Nobody is logged in.',
  403: 'Not for this role, or from a page of another site.',
  404: 'There is no such row.',
  409: 'It exists already, or the Idempotency-Key belongs to another request.',
  429: 'Too many requests.',
  504: 'Timed out.'
}

const BAD = 'What the caller has to change, one problem a line: `name: sentence`.'
const FAILED = 'internal error, or timed out; more is in the log.'

/**
 * @param {object[]} routes
 * @param {{ title?: string, version?: string, fine?: boolean }} [service]
 * @returns {object} the document
 */
function openapi (routes, { title = 'routes', version = '0.0.0', fine = false } = {}) {
  const names = namesOf(routes)
  const paths = {}
  routes.forEach((route, i) => {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route, names[i], fine)
  })
  return { openapi: '3.1.1', info: { title, version }, paths, components: components(routes, fine) }
}

function operation (route, name, fine) {
  const { method, about, params } = route
  const isPost = method === 'POST'
  const body = params.filter((param) => param.in === 'body')
  const parameters = [
    ...params.filter((param) => param.in !== 'body').map(parameter),
    ...(takesKey(route) ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : [])
  ]
  return {
    operationId: name,
    tags: [route.file.replace(/\.sql$/, '')],
    ...words(about),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(isPost ? { requestBody: requestBody(body) } : {}),
    responses: responses(route, fine),
    security: security(route)
  }
}

function words (about) {
  const text = about.trim()
  if (text === '') return {}
  const [line] = text.split('\n')
  const summary = line.replace(/\.$/, '')
  return text === line ? { summary } : { summary, description: text }
}

// Each role is enough: a list of requirements is one of "or".
function security ({ public: isPublic, roles }) {
  if (isPublic) return []
  return roles.length === 0 ? [{ session: [] }] : roles.map((role) => ({ session: [role] }))
}

// ---- what comes in ---------------------------------------------------------

function parameter (param) {
  const isHeader = param.in === 'header'
  const out = { name: isHeader ? param.header : param.name, in: param.in, ...description(param) }
  if (isRequired(param)) out.required = true
  if (param.type === 'json' && !param.list) return { ...out, content: { [JSON_TYPE]: { schema: schemaOf(param) } } }
  // A list is written a,b,c.
  if (param.list) Object.assign(out, { style: isHeader ? 'simple' : 'form', explode: false })
  return { ...out, schema: schemaOf(param) }
}

function requestBody (params) {
  const required = params.filter(isRequired).map(({ name }) => name)
  const schema = {
    type: 'object',
    properties: Object.fromEntries(params.map((param) => [param.name, { ...orNull(schemaOf(param), param), ...description(param) }])),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false
  }
  // {} where there is nothing to say: a POST without a content type is refused.
  return { required: true, content: { [JSON_TYPE]: { schema } } }
}

const description = ({ about }) => about === '' ? {} : { description: about }

// What may be absent may be null in a body, which is not the same.
function orNull (schema, { optional }) {
  if (!optional || schema.type === undefined) return schema
  return { ...schema, type: [schema.type, 'null'], ...(schema.enum ? { enum: [...schema.enum, null] } : {}) }
}

function schemaOf (param) {
  const preset = param.preset === null ? {} : { default: presetOf(param) }
  if (!param.list) return { ...one(param), ...preset }
  const { least, most } = param
  return { type: 'array', items: one({ ...param, least: null, most: null }), ...bounds('minItems', least, 'maxItems', most), ...preset }
}

// As a value of JSON; what is bound as its text comes as that.
function presetOf ({ type, list, preset }) {
  return (list || type === 'json') && typeof preset === 'string' ? JSON.parse(preset) : preset
}

function one (param) {
  const { type, least, most, words, secret } = param
  switch (type) {
    case 'text': return { type: 'string', ...bounds('minLength', least, 'maxLength', most), ...(secret ? { format: 'password' } : {}) }
    case 'integer': return { type: 'integer', format: 'int64', ...bounds('minimum', least, 'maximum', most) }
    case 'real': return { type: 'number', ...bounds('minimum', least, 'maximum', most) }
    case 'boolean': return { type: 'boolean' }
    case 'time': return { type: 'string', format: 'date-time' }
    case 'uuid': return { type: 'string', format: 'uuid' }
    case 'words': return { type: 'string', enum: words }
    // Three bytes are four characters, and the range counts bytes.
    case 'blob': return { type: 'string', contentEncoding: 'base64', ...bounds('minLength', base64(least), 'maxLength', base64(most)) }
    default: return {}
  }
}

const base64 = (bytes) => bytes === null ? null : Math.ceil(bytes / 3) * 4

function bounds (low, least, high, most) {
  return { ...(least === null ? {} : { [low]: least }), ...(most === null ? {} : { [high]: most }) }
}

// ---- what goes out ---------------------------------------------------------

function responses (route, fine) {
  const out = { 200: { ...success(route), ...headers(route) } }
  if (route.method === 'GET') out[304] = { description: 'Nothing has changed since the ETag of If-None-Match.' }
  out[400] = { $ref: '#/components/responses/BadRequest' }
  if (fine) for (const status of Object.keys(FINE)) out[status] = { $ref: `#/components/responses/Status${status}` }
  out[500] = { $ref: '#/components/responses/Failed' }
  return out
}

function success (route) {
  const shape = shapeOf(route)
  switch (shape.kind) {
    case 'none': return { description: 'Done. The body is empty.' }
    case 'text': return { description: 'The text.', content: { [TEXT]: { schema: { type: 'string' } } } }
    case 'html': return { description: 'The page.', content: { 'text/html; charset=utf-8': { schema: { type: 'string' } } } }
  }
  const schema = shape.part === undefined ? object(shape.parts) : ofPart(shape.part)
  return {
    description: shape.mayBeEmpty ? 'The row. The body is empty when there is none.' : 'The answer.',
    content: { [JSON_TYPE]: { schema } }
  }
}

function object (parts) {
  return {
    type: 'object',
    properties: Object.fromEntries(parts.map((part) => [part.name, part.form === 'one' ? { anyOf: [row(part), { type: 'null' }] } : ofPart(part)])),
    required: parts.map(({ name }) => name)
  }
}

function ofPart (part) {
  const rows = { type: 'array', items: row(part) }
  if (part.form === 'many') return rows
  if (part.form === 'page') return { type: 'object', properties: { rows, next: { type: ['object', 'null'], description: 'The parameters of the next page; null: there is none.' } }, required: ['rows', 'next'] }
  return part.form === 'text' ? { type: 'string' } : row(part)
}

// Whether a column may be null is not known of a statement.
function row ({ columns }) {
  if (columns === null) return { type: 'object' }
  return {
    type: 'object',
    properties: Object.fromEntries(columns.map(({ name, type }) => [name, column(kindOf(type))])),
    required: columns.map(({ name }) => name)
  }
}

const column = (kind) => kind === 'any' ? {} : { type: [kind, 'null'] }

function headers ({ replies }) {
  if (replies.length === 0) return {}
  return { headers: Object.fromEntries(replies.map((name) => [name.replaceAll('_', '-'), { schema: { type: 'string' } }])) }
}

// ---- what all have in common -----------------------------------------------

function components (routes, fine) {
  const isClosed = routes.some((route) => !route.public)
  const text = (description) => ({ description, content: { [TEXT]: { schema: { type: 'string' } } } })
  const out = { responses: { BadRequest: text(BAD), Failed: text(FAILED) } }
  if (fine) for (const [status, description] of Object.entries(FINE)) out.responses[`Status${status}`] = text(description)
  if (routes.some(takesKey)) out.parameters = { IdempotencyKey: idempotencyKey }
  if (isClosed) {
    out.securitySchemes = {
      session: { type: 'apiKey', in: 'cookie', name: COOKIE, description: 'The session of who is logged in; behind https it is __Host-sid.' }
    }
  }
  return out
}

// As the core: a public route with secrets takes none.
function takesKey ({ method, public: isPublic, params }) {
  return method === 'POST' && !(isPublic && params.some(({ secret }) => secret))
}

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'A request with the key of an earlier one of the same caller is answered with what that was answered, and nothing is done again.',
  schema: { type: 'string' }
}

module.exports = { openapi }
