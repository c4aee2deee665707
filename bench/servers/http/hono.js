'use strict'

// Hono on Bun and bun:sqlite, by hand: the notes' URL.

const { Hono } = require('hono')
const { job, HOST, endWith } = require('./job')
const { serviceOf, openDatabase, pageQuery } = require('./service')
const { Wrong } = require('./read')

const { Bun } = globalThis

const db = openDatabase(job)
const service = serviceOf(db)
const app = new Hono()

app.get('/dmail/user/q', c => c.json(service.page(pageQuery(c.req.query()))))
app.onError((err, c) => c.text(err instanceof Wrong ? err.message : 'internal error', err instanceof Wrong ? 400 : 500))

const server = Bun.serve({ port: job.port, hostname: HOST, fetch: app.fetch })
endWith(() => {
  server.stop(true)
  db.close()
})
