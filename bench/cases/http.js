'use strict'

// What does a service gain? A page of ten users by name and age after an id, as
// JSON over HTTP: node:http, or Bun.serve on Bun, under 64 connections.

const http = require('node:http')
const querystring = require('node:querystring')
const wrk = require('../lib/wrk')

const CONNECTIONS = 64
const PATH = '/user/q?name=2---&ps=10&id=354757&age=4'

// The page size is part of the text: a bound LIMIT is slow in the SQLite that
// the rivals bring (it is prepared again at each execution since 3.53).
const sqlOf = size =>
  `select id, name, age, city, created_at from user
   where name = ? and age = ? and id > ? order by id limit ${size}`

/** One prepared statement a page size, made at its first use. */
function pages (prepare) {
  const known = new Map()
  return size => {
    let statement = known.get(size)
    if (!statement) {
      if (!(size >= 1 && size <= 100)) throw new RangeError('ps is not 1 to 100')
      statement = prepare(sqlOf(Math.trunc(size)))
      known.set(size, statement)
    }
    return statement
  }
}

/** The server; `answer(name, age, id, size)` makes the body, or its promise. */
async function serve (answer) {
  const skip = wrk.missing()
  const body = query => answer(query.name, Number(query.age), Number(query.id), Number(query.ps))
  const { port, close } = process.versions.bun
    ? serveBun(body)
    : await serveNode(body)
  const url = `http://127.0.0.1:${port}${PATH}`
  async function check () {
    const res = await fetch(url)
    return [res.status, res.headers.get('content-type'), await res.json()]
  }
  if (skip) {
    const [status] = await check()
    await close()
    return { skip: `${skip}; one request was answered with ${status}` }
  }
  return { check, close, round: ms => wrk.load(url, ms, CONNECTIONS) }
}

async function serveNode (body) {
  const server = http.createServer(async (req, res) => {
    try {
      const at = req.url.indexOf('?')
      const out = await body(querystring.parse(req.url.slice(at + 1)))
      res.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(out)
      })
      res.end(out)
    } catch (err) {
      res.writeHead(500)
      res.end(String(err))
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    close: () => new Promise(resolve => {
      server.close(resolve)
      server.closeAllConnections()
    })
  }
}

function serveBun (body) {
  const { Bun } = globalThis
  const headers = { 'content-type': 'application/json' }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch (req) {
      const at = req.url.indexOf('?')
      const out = await body(querystring.parse(req.url.slice(at + 1)))
      return new Response(out, { headers })
    }
  })
  return { port: server.port, close: () => server.stop(true) }
}

module.exports = {
  title: 'HTTP',
  unit: 'requests/s',
  roundMs: 1000,
  rows: [{
    name: 'http',
    label: ['HTTP, a page of 10 rows', 'wrk -c64'],
    title: 'HTTP: `GET /user/q?name=…&ps=10&id=354757&age=4`, wrk -c64',
    ours: 'json',
    rivals: { sync: 'stringify', async: 'stringify' },
    targets: { 'better-sqlite3': 1.7, 'node:sqlite': 1.7, 'bun:sqlite': 1.1 }
  }],
  programs: {
    ours: {
      json ({ lib: { db } }) {
        const page = pages(sql => db.prepare(sql))
        return serve((name, age, id, size) => page(size).json([name, age, id]))
      }
    },
    sync: {
      stringify ({ lib }) {
        const page = pages(sql => lib.prepare(sql))
        return serve((name, age, id, size) => JSON.stringify(page(size).all(name, age, id)))
      }
    },
    async: {
      stringify ({ lib }) {
        const page = pages(sql => lib.prepare(sql))
        return serve(async (name, age, id, size) =>
          JSON.stringify(await page(size).all(name, age, id)))
      }
    }
  }
}
