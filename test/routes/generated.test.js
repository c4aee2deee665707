'use strict'

// A client that a tool of others (@hey-api/openapi-ts) makes from `routes --openapi` asks the vectors of
// core-vectors.js. What its types do not let it ask is asked by hand, so that the database goes the same
// way, and is counted with the reason.

const http = require('node:http')
const path = require('node:path')
const { once } = require('node:events')
const t = require('tap')
const esbuild = require('esbuild')
const undercroft = require('../..')
const { schema, vectors } = require('./core-vectors')
const { command } = require('../unit/routes-command')
const { isBun, tmpdir } = require('../helper')

const app = path.join(__dirname, 'app')
const FEWEST = 98

async function database (dir) {
  const file = path.join(dir, 'app.db')
  const store = undercroft.open(file)
  await store.db.exec(schema)
  await store.close()
  return file
}

async function describe (file) {
  const { code, out, err } = await command(['routes', app, '--openapi', '--db', file])
  if (code !== 0) throw new Error(err)
  return JSON.parse(out)
}

// -> what the client exports: a function for each operation, and `client`
async function generate (dir, document) {
  const { createClient } = await import('@hey-api/openapi-ts')
  const output = path.join(dir, 'client')
  await createClient({ input: document, output, plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'], logs: { level: 'silent' } })
  const outfile = path.join(dir, 'client.cjs')
  const contents = "export * from './sdk.gen'; export { client } from './client.gen'"
  await esbuild.build({ stdin: { contents, resolveDir: output, loader: 'ts' }, bundle: true, platform: 'node', format: 'cjs', outfile, logLevel: 'error' })
  return require(outfile)
}

async function serve (t, file) {
  const store = undercroft.open(file, { log: false })
  t.teardown(() => store.close())
  const routes = store.routes(app, { user: (caller) => JSON.parse(caller.header('x-user') ?? 'null') })
  await routes.ready
  const server = http.createServer(routes.node()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${server.address().port}`
}

// ---- from a request to a call ------------------------------------------------

class NotExpressible extends Error {}

const no = (why) => { throw new NotExpressible(why) }

// As the types of the client have it: they know no bounds.
function fits ({ type, enum: words, anyOf, items, properties, required = [] }, value) {
  if (anyOf !== undefined) return anyOf.some((one) => fits(one, value))
  if (words !== undefined && !words.includes(value)) return false
  const kinds = type === undefined ? [] : [type].flat()
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  if (kinds.length > 0 && !kinds.map((one) => one === 'integer' ? 'number' : one).includes(kind)) return false
  if (kind === 'array') return items === undefined || value.every((one) => fits(items, one))
  if (kind !== 'object' || properties === undefined) return true
  return required.every((name) => name in value) && Object.entries(value).every(([name, one]) => properties[name] !== undefined && fits(properties[name], one))
}

function valueOf (schema, text) {
  const [kind] = [schema.type].flat()
  if (kind === 'array') return text.split(',').map((item) => valueOf(schema.items, item))
  const value = kind === 'integer' || kind === 'number' ? Number(text) : kind === 'boolean' ? text === 'true' : text
  return String(value) === text && fits(schema, value) ? value : no('its type refuses a value')
}

function readQuery (text, params) {
  if (/%(?![\da-f]{2})/i.test(text)) no('its query is not encoded as a URL')
  const query = {}
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in query) no('a parameter is given twice')
    const param = params.find((one) => one.in === 'query' && one.name === name) ?? no('a parameter is not described')
    query[name] = valueOf(param.schema, value)
  }
  return query
}

// -> { name, options } of the function of the client
function callOf (document, { method, target, headers = {}, body }) {
  const [place, text = ''] = target.split('?')
  if (method === 'HEAD') no('HEAD is not described')
  const operation = document.paths[place]?.[method.toLowerCase()] ?? no('there is no such operation')
  const params = (operation.parameters ?? []).map((one) => one.$ref === undefined ? one : document.components.parameters[one.$ref.split('/').at(-1)])
  if (typeof body === 'string') no('its body is no value')
  const type = headers['Content-Type'] ?? 'application/json'
  if (type !== 'application/json') no('its body has another type')
  const query = readQuery(text, params)
  const given = new Set([...Object.keys(query), ...Object.keys(headers).map((name) => name.toLowerCase())])
  if (params.some(({ name, required }) => required && !given.has(name))) no('a parameter that is required is missing')
  const content = operation.requestBody?.content['application/json'].schema
  if (content !== undefined && !fits(resolved(document, content), body)) no('its type refuses the body')
  return { name: operation.operationId, options: { query, headers, ...body === undefined ? {} : { body } } }
}

const resolved = (document, schema) => schema.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1)]

// ---- the comparison ------------------------------------------------------------

function compare (t, { name, status, type = '', text, like, answer = {} }, { data, error, response }) {
  t.same([response.status, response.headers.get('content-type') ?? ''], [status, type], name)
  // The tool has no value for an empty body.
  const whole = response.ok ? data : error
  const found = typeof whole === 'string' ? whole.trimEnd() : whole
  if (like !== undefined) t.match(typeof found === 'string' ? found : JSON.stringify(found), like, name)
  else if (text !== '') t.same(found, text, name)
  else t.ok(found === '' || found === null || JSON.stringify(found) === '{}', name)
  for (const [header, value] of Object.entries(answer)) t[value instanceof RegExp ? 'match' : 'equal'](response.headers.get(header), value, `${name}: ${header}`)
}

async function askPlainly (base, { method, target, headers, body }) {
  const init = body === undefined ? {} : typeof body === 'string' ? { body } : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
  await fetch(base + target, { method, ...init, headers: { ...init.headers, ...headers } })
}

const skip = isBun && 'the tool is run by Node, and its client asks the same there'

t.test('a generated client', { skip }, async (t) => {
  const dir = tmpdir(t)
  const file = await database(dir)
  const document = await describe(file)
  const { Validator } = await import('@seriousme/openapi-schema-validator')
  const { valid, errors } = await new Validator().validate(document)
  t.ok(valid, JSON.stringify(errors))
  const api = await generate(dir, document)
  const base = await serve(t, file)
  api.client.setConfig({ baseUrl: base })
  const tags = new Map()
  const left = new Map()
  let asked = 0
  for (const vector of vectors) {
    const { user = null, roles = [], of, keeps } = vector
    const headers = { ...vector.headers, ...user === null ? {} : { 'X-User': JSON.stringify({ user, roles }) }, ...of === undefined ? {} : { 'If-None-Match': vector.with(tags.get(of)) } }
    const request = { ...vector, headers }
    try {
      const { name, options } = callOf(document, request)
      const answered = await api[name](options)
      compare(t, vector, answered)
      if (typeof keeps === 'string') tags.set(keeps, answered.response.headers.get('etag'))
      asked++
    } catch (err) {
      if (!(err instanceof NotExpressible)) throw err
      left.set(err.message, [...left.get(err.message) ?? [], vector.name])
      await askPlainly(base, request)
    }
  }
  t.comment(`${asked} of ${vectors.length} vectors; the others cannot be asked by it:`)
  for (const [why, names] of left) t.comment(`${why}: ${names.join('; ')}`)
  t.ok(asked >= FEWEST, `${asked} vectors, of ${FEWEST}`)
})
