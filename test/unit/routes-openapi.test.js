'use strict'
// undercroft routes --openapi: the whole is checked by a validator, the parts against what routes say.

const t = require('tap')
const { openapi } = require('../../lib/cli/routes/openapi')
const { body, described, param, part, route } = require('./routes-described')

const at = (document, path, method = 'get') => document.paths[path][method]
const one = (each) => openapi([each]).paths[each.path][each.method.toLowerCase()]

t.test('it is OpenAPI 3.1', async (t) => {
  const { Validator } = await import('@seriousme/openapi-schema-validator')
  for (const fine of [false, true]) {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(openapi(described, { title: 'dmail', version: '1.2.3', fine }))
    t.ok(valid, JSON.stringify(errors))
    t.equal(validator.version, '3.1')
  }
  t.ok((await new Validator().validate(openapi([]))).valid, 'of no route, too')
  t.notOk((await new Validator().validate({ ...openapi(described), paths: { x: 1 } })).valid, 'the validator looks')
})

t.test('every route is there, under a name of its own, and every reference has its end', async (t) => {
  const document = openapi(described)
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]))
  t.same(operations.map(([name]) => name).sort(), described.map(({ method, path }) => `${method} ${path}`).sort())
  t.same(described.map(({ method, path }) => at(document, path, method.toLowerCase()).operationId),
    ['dmailUserQ', 'dmailUserAdd', 'dmailUserSet', 'dmailUserOne', 'dmailBoard', 'dmailPages', 'root', 'version', 'postVersion', 'login', '_delete'])
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path)
  t.ok(references.length > 10)
  for (const path of new Set(references)) t.ok(path.split('/').reduce((inner, step) => inner?.[step], document), path)
  t.equal(openapi([route('GET', '/', { public: true })]).components.securitySchemes, undefined)
  t.equal(openapi([route('GET', '/', { public: true })]).components.parameters, undefined)
})

t.test('parameters of a query and of headers', async (t) => {
  t.same(at(openapi(described), '/dmail/user/q').parameters, [
    { name: 'name', in: 'query', required: true, schema: { type: 'string', minLength: 1, maxLength: 64 } },
    { name: 'age', in: 'query', required: true, schema: { type: 'integer', format: 'int64', minimum: 0, maximum: 150 } },
    { name: 'id', in: 'query', description: 'the last id seen', schema: { type: 'integer', format: 'int64', minimum: 0, default: 0 } },
    { name: 'ps', in: 'query', description: 'page size', schema: { type: 'integer', format: 'int64', minimum: 1, maximum: 100, default: 10 } }
  ])
  t.same(at(openapi(described), '/dmail/board').parameters, [
    { name: 'ids', in: 'query', style: 'form', explode: false, schema: { type: 'array', items: { type: 'integer', format: 'int64' }, maxItems: 50 } },
    { name: 'filter', in: 'query', content: { 'application/json': { schema: {} } } }
  ])
  t.same(at(openapi(described), '/dmail/user/add', 'post').parameters, [
    { name: 'x-tenant', in: 'header', required: true, schema: { type: 'string', format: 'uuid' } },
    { $ref: '#/components/parameters/IdempotencyKey' }
  ])
})

t.test('a body', async (t) => {
  const { requestBody } = at(openapi(described), '/dmail/user/add', 'post')
  t.equal(requestBody.required, true)
  t.same(requestBody.content['application/json'].schema, {
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 64 },
      password: { type: 'string', format: 'password' },
      state: { type: 'string', enum: ['new', "it's"], default: 'new' },
      tags: { type: ['array', 'null'], items: { type: 'string' }, minItems: 0, maxItems: 5 },
      kinds: { type: ['array', 'null'], items: { type: 'string', enum: ['a', 'b'] } },
      born: { type: ['string', 'null'], format: 'date-time' },
      photo: { type: ['string', 'null'], contentEncoding: 'base64', minLength: 4, maxLength: 136 },
      more: {},
      ok: { type: 'boolean', default: false },
      state2: { type: ['string', 'null'], enum: ['x', null] }
    },
    required: ['name', 'password'],
    additionalProperties: false
  })
  t.same(one(route('POST', '/x')).requestBody, { required: true, content: { 'application/json': { schema: { type: 'object', properties: {}, additionalProperties: false } } } })
  t.same(one(route('POST', '/x', { params: [body('r', 'real', { least: 0.5 })] })).requestBody.content['application/json'].schema.properties, { r: { type: 'number', minimum: 0.5 } })
})

t.test('answers', async (t) => {
  const document = openapi(described)
  const ok = (path, method) => at(document, path, method).responses[200]
  const json = (path, method) => ok(path, method).content['application/json'].schema
  const row = (properties) => ({ type: 'object', properties, required: Object.keys(properties) })
  const [integer, text] = [{ type: ['integer', 'null'] }, { type: ['string', 'null'] }]
  t.same(json('/dmail/user/q'), { type: 'array', items: row({ id: integer, name: text, age: integer, score: { type: ['number', 'null'] }, 'x y': {} }) })
  t.same(json('/dmail/user/one'), row({ id: integer }))
  t.same(ok('/dmail/user/add', 'post'), {
    description: 'The row. The body is empty when there is none.',
    content: { 'application/json': { schema: row({ id: integer }) } },
    headers: { 'etag-of': { schema: { type: 'string' } } }
  }, 'a column that is a header is not in the body')
  t.same(ok('/dmail/user/set', 'post'), { description: 'Done. The body is empty.' })
  t.same(json('/dmail/board'), {
    type: 'object',
    properties: { users: { anyOf: [row({ total: {}, last: integer }), { type: 'null' }] }, newest: { type: 'array', items: row({ id: integer, name: text }) }, counted: row({ n: integer }), version: { type: 'string' } },
    required: ['users', 'newest', 'counted', 'version']
  })
  t.match(json('/dmail/pages'), { properties: { rows: { type: 'array', items: row({ id: integer, at: {} }) }, next: { type: ['object', 'null'] } }, required: ['rows', 'next'] })
  t.same(ok('/').content, { 'text/html; charset=utf-8': { schema: { type: 'string' } } })
  t.same(ok('/version').content, { 'text/plain; charset=utf-8': { schema: { type: 'string' } } })
  t.same(Object.keys(at(document, '/version').responses), ['200', '304', '400', '500'])
  t.same(Object.keys(at(document, '/version', 'post').responses), ['200', '400', '500'])
  for (const name of ['BadRequest', 'Failed']) t.same(Object.keys(document.components.responses[name].content), ['text/plain; charset=utf-8'])
  t.same(Object.keys(at(openapi(described, { fine: true }), '/version', 'post').responses), ['200', '400', '401', '403', '404', '409', '429', '500', '504'])
  t.same(one(route('GET', '/x', { parts: [part('none', {}), part('many', { a: 'TEXT' })] })).responses[200].content['application/json'].schema, { type: 'array', items: row({ a: text }) })
})

t.test('what the core has not said of a statement', async (t) => {
  const json = (rest) => one(route('POST', '/x', rest)).responses[200].content['application/json'].schema
  t.same(json({ form: 'many', parts: [{ name: '', form: 'many' }] }), { type: 'array', items: { type: 'object' } }, 'its columns')
  const [first, second, third] = [{ a: 'TEXT' }, { b: 'TEXT' }, {}].map((columns) => part('one', columns))
  t.same(json({ form: 'one', parts: [first, second, third] }).required, ['b'], 'the last one that returns rows answers')
  const preset = (type, value, rest) => one(route('POST', '/x', { params: [body('a', type, { preset: value, ...rest })] })).requestBody.content['application/json'].schema.properties.a.default
  t.same([preset('json', '{"a":[1]}'), preset('integer', '[1,2]', { list: true }), preset('text', '[1]')], [{ a: [1] }, [1, 2], '[1]'])
})

t.test('who may call it, and what it is about', async (t) => {
  const document = openapi(described)
  t.same(at(document, '/dmail/user/q').security, [])
  t.same(at(document, '/dmail/user/set', 'post').security, [{ session: [] }])
  t.same(at(document, '/dmail/user/one').security, [{ session: ['admin'] }, { session: ['editor'] }], 'one role is enough')
  t.match(document.components.securitySchemes, { session: { type: 'apiKey', in: 'cookie' } })
  t.match(at(document, '/dmail/user/q'), { summary: 'The people of one name and age, a keyset page', description: undefined, tags: ['user'] })
  t.match(at(document, '/dmail/user/set', 'post'), { summary: 'What is absent stays as it is', description: 'What is absent stays as it is.\nNull is null.' })
  t.equal(at(document, '/dmail/user/one').summary, undefined)
  t.same(openapi([]).info, { title: 'routes', version: '0.0.0' })
  t.same(param('x', 'text').words, [])
})

t.test('a key, where the route takes one', async (t) => {
  const keyOf = (rest) => (one(route('POST', '/x', rest)).parameters ?? []).length
  const secret = body('pin', 'text', { secret: true })
  t.same([keyOf({ public: true }), keyOf({ params: [secret] }), keyOf({ public: true, params: [secret] })], [1, 1, 0])
})
