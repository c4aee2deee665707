'use strict'

// The notes' URL and a single query by hand on our own core: what a mount is compared
// with. JSON is made by the core, as for a route.

const http = require('node:http')
const querystring = require('node:querystring')
const { job, HOST, endWith } = require('./job')
const { pageQuery } = require('./service')
const { Wrong } = require('./read')
const { open } = require('../../contestants/undercroft')

const WORLDS = 10_000
const TYPE = 'application/json'

async function start () {
  const { store, db } = await open(job.file, job.settings)
  const page = db.prepare('select id, created_at, name, age from person where name = ? and age = ? and id > ? order by id limit ?')
  const world = db.prepare('select id, randomnumber as "randomNumber" from world where id = ?')
  const handlers = {
    '/dmail/user/q' (query) {
      const { name, age, id, ps } = pageQuery(query)
      return page.json([name, age, id, ps])
    },
    async '/db' () {
      // An array of one row, without its brackets.
      const list = await world.json([1 + Math.floor(Math.random() * WORLDS)])
      return list.subarray(1, -1)
    }
  }
  const close = () => store.close()
  if (process.versions.bun) serveBun(handlers, close)
  else serveNode(handlers, close)
}

/** [path, parsed query] */
function read (target) {
  const at = target.indexOf('?')
  return at < 0 ? [target, {}] : [target.slice(0, at), querystring.parse(target.slice(at + 1))]
}

const failed = err => err instanceof Wrong ? [400, err.message] : [500, 'internal error']

function serveNode (handlers, close) {
  const server = http.createServer(async (req, res) => {
    const [path, query] = read(req.url)
    const handler = handlers[path]
    if (handler === undefined) return res.writeHead(404).end()
    try {
      const body = await handler(query)
      res.writeHead(200, { 'content-type': TYPE, 'content-length': Buffer.byteLength(body) })
      res.end(body)
    } catch (err) {
      const [status, text] = failed(err)
      res.writeHead(status).end(text)
    }
  })
  server.listen(job.port, HOST)
  endWith(async () => {
    server.closeAllConnections()
    await close()
  })
}

function serveBun (handlers, close) {
  const made = { headers: { 'content-type': TYPE } }
  const server = globalThis.Bun.serve({
    port: job.port,
    hostname: HOST,
    async fetch (req) {
      const [path, query] = read(req.url.slice(req.url.indexOf('/', 8)))
      const handler = handlers[path]
      if (handler === undefined) return new Response('', { status: 404 })
      try {
        return new Response(await handler(query), made)
      } catch (err) {
        const [status, text] = failed(err)
        return new Response(text, { status })
      }
    }
  })
  endWith(async () => {
    server.stop(true)
    await close()
  })
}

start()
