'use strict'

// Bun.serve and bun:sqlite, by hand, with the routes of Bun itself.

const querystring = require('node:querystring')
const { job, HOST, endWith } = require('./job')
const { serviceOf, openDatabase, pageQuery, personBody, peopleBody } = require('./service')
const { Wrong, count } = require('./read')

const { Bun } = globalThis
const TEXT = { 'content-type': 'text/plain; charset=utf-8' }
const HTML = { 'content-type': 'text/html; charset=utf-8' }

const db = openDatabase(job)
const service = serviceOf(db)

function queryOf (req) {
  const at = req.url.indexOf('?')
  return at < 0 ? {} : querystring.parse(req.url.slice(at + 1))
}

const empty = () => new Response('', { headers: TEXT })

const server = Bun.serve({
  port: job.port,
  hostname: HOST,
  routes: {
    '/dmail/user/q': { GET: req => Response.json(service.page(pageQuery(queryOf(req)))) },
    '/dmail/user/add': {
      async POST (req) {
        service.add(personBody(await req.json()))
        return empty()
      }
    },
    '/dmail/user/ret': { POST: async req => Response.json(service.addReturning(personBody(await req.json()))) },
    '/dmail/user/batch': {
      async POST (req) {
        service.addAll(peopleBody(await req.json()))
        return empty()
      }
    },
    '/json': { GET: () => Response.json({ message: 'Hello, World!' }) },
    '/plaintext': { GET: () => new Response('Hello, World!', { headers: TEXT }) },
    '/db': { GET: () => Response.json(service.world()) },
    '/queries': { GET: req => Response.json(service.worlds(count(queryOf(req).queries))) },
    '/cached-queries': { GET: req => Response.json(service.worlds(count(queryOf(req).count))) },
    '/updates': { POST: async req => Response.json(service.updateWorlds(count((await req.json()).queries))) },
    '/fortunes': { GET: () => new Response(service.fortunes(), { headers: HTML }) }
  },
  error (err) {
    const isWrong = err instanceof Wrong || err instanceof SyntaxError
    return new Response(isWrong ? err.message : 'internal error', { status: isWrong ? 400 : 500, headers: TEXT })
  }
})

endWith(() => {
  server.stop(true)
  db.close()
})
