'use strict'

// fastify and better-sqlite3, by hand: schemas check what comes in and write what goes out.

const fastify = require('fastify')
const { job, HOST, endWith } = require('./job')
const { serviceOf, openDatabase } = require('./service')
const { count } = require('./read')

const TEXT = 'text/plain; charset=utf-8'
const HTML = 'text/html; charset=utf-8'

const db = openDatabase(job)
const service = serviceOf(db)

const name = { type: 'string', minLength: 1, maxLength: 64 }
const age = { type: 'integer', minimum: 0, maximum: 150 }
const pageQuery = {
  type: 'object',
  properties: {
    name,
    age,
    id: { type: 'integer', minimum: 0, default: 0 },
    ps: { type: 'integer', minimum: 1, maximum: 100, default: 10 }
  },
  required: ['name', 'age']
}
const personBody = { type: 'object', properties: { name, age }, required: ['name', 'age'] }
const peopleBody = {
  type: 'object',
  properties: { people: { type: 'array', minItems: 1, maxItems: 1000, items: personBody } },
  required: ['people']
}
const person = {
  type: 'object',
  properties: { id: { type: 'integer' }, created_at: { type: 'string' }, name: { type: 'string' }, age: { type: 'integer' } }
}
const world = { type: 'object', properties: { id: { type: 'integer' }, randomNumber: { type: 'integer' } } }
const listOf = items => ({ type: 'array', items })
const hello = { type: 'object', properties: { message: { type: 'string' } } }

const app = fastify()

app.get('/dmail/user/q', { schema: { querystring: pageQuery, response: { 200: listOf(person) } } }, async ({ query }) => service.page(query))
app.post('/dmail/user/add', { schema: { body: personBody } }, async ({ body }, reply) => {
  service.add(body)
  reply.type(TEXT)
  return ''
})
app.post('/dmail/user/ret', { schema: { body: personBody, response: { 200: person } } }, async ({ body }) => service.addReturning(body))
app.post('/dmail/user/batch', { schema: { body: peopleBody } }, async ({ body }, reply) => {
  service.addAll(body)
  reply.type(TEXT)
  return ''
})

app.get('/json', { schema: { response: { 200: hello } } }, async () => ({ message: 'Hello, World!' }))
app.get('/plaintext', async (request, reply) => {
  reply.type(TEXT)
  return 'Hello, World!'
})
app.get('/db', { schema: { response: { 200: world } } }, async () => service.world())
app.get('/queries', { schema: { response: { 200: listOf(world) } } }, async ({ query }) => service.worlds(count(query.queries)))
app.get('/cached-queries', { schema: { response: { 200: listOf(world) } } }, async ({ query }) => service.worlds(count(query.count)))
app.post('/updates', { schema: { response: { 200: listOf(world) } } }, async ({ body }) => service.updateWorlds(count(body.queries)))
app.get('/fortunes', async (request, reply) => {
  reply.type(HTML)
  return service.fortunes()
})

app.listen({ port: job.port, host: HOST })
endWith(() => {
  app.server.closeAllConnections()
  db.close()
})
