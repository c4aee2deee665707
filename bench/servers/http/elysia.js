'use strict'

// Elysia on Bun and bun:sqlite, by hand: the notes' URL, its schema by Elysia's own types.

const { Elysia, t } = require('elysia')
const { job, HOST, endWith } = require('./job')
const { serviceOf, openDatabase } = require('./service')

const db = openDatabase(job)
const service = serviceOf(db)

const query = t.Object({
  name: t.String({ minLength: 1, maxLength: 64 }),
  age: t.Integer({ minimum: 0, maximum: 150 }),
  id: t.Integer({ minimum: 0, default: 0 }),
  ps: t.Integer({ minimum: 1, maximum: 100, default: 10 })
})

const app = new Elysia()
  .get('/dmail/user/q', ({ query }) => service.page(query), { query })
  .listen({ port: job.port, hostname: HOST })

endWith(async () => {
  await app.stop(true)
  db.close()
})
