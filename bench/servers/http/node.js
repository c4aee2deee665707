'use strict'

// node:http and better-sqlite3, by hand.

const http = require('node:http')
const querystring = require('node:querystring')
const { job, HOST, endWith } = require('./job')
const { serviceOf, openDatabase, pageQuery, personBody, peopleBody } = require('./service')
const { Wrong, count } = require('./read')

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
const HTML = 'text/html; charset=utf-8'

const db = openDatabase(job)
const service = serviceOf(db)

const gets = {
  '/dmail/user/q': (res, query) => send(res, JSON_TYPE, JSON.stringify(service.page(pageQuery(query)))),
  '/json': res => send(res, JSON_TYPE, JSON.stringify({ message: 'Hello, World!' })),
  '/plaintext': res => send(res, TEXT, 'Hello, World!'),
  '/db': res => send(res, JSON_TYPE, JSON.stringify(service.world())),
  '/queries': (res, { queries }) => send(res, JSON_TYPE, JSON.stringify(service.worlds(count(queries)))),
  '/cached-queries': (res, query) => send(res, JSON_TYPE, JSON.stringify(service.worlds(count(query.count)))),
  '/fortunes': res => send(res, HTML, service.fortunes())
}

const posts = {
  '/dmail/user/add' (res, body) {
    service.add(personBody(body))
    send(res, TEXT, '')
  },
  '/dmail/user/ret': (res, body) => send(res, JSON_TYPE, JSON.stringify(service.addReturning(personBody(body)))),
  '/dmail/user/batch' (res, body) {
    service.addAll(peopleBody(body))
    send(res, TEXT, '')
  },
  '/updates': (res, { queries }) => send(res, JSON_TYPE, JSON.stringify(service.updateWorlds(count(queries))))
}

function send (res, type, body) {
  res.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  res.end(body)
}

function fail (res, err) {
  const isWrong = err instanceof Wrong || err instanceof SyntaxError
  res.writeHead(isWrong ? 400 : 500, { 'content-type': TEXT })
  res.end(isWrong ? err.message : 'internal error')
}

function answer (res, handler, value) {
  try {
    handler(res, value)
  } catch (err) {
    fail(res, err)
  }
}

function onBody (req, done) {
  const chunks = []
  req.on('data', chunk => { chunks.push(chunk) })
  req.on('end', () => done(Buffer.concat(chunks).toString()))
}

const server = http.createServer((req, res) => {
  const at = req.url.indexOf('?')
  const path = at < 0 ? req.url : req.url.slice(0, at)
  const handler = (req.method === 'POST' ? posts : gets)[path]
  if (handler === undefined) {
    res.writeHead(404)
    res.end()
  } else if (req.method === 'POST') {
    onBody(req, text => answer(res, (_, body) => handler(res, JSON.parse(body)), text))
  } else {
    answer(res, handler, at < 0 ? {} : querystring.parse(req.url.slice(at + 1)))
  }
})
server.listen(job.port, HOST)
endWith(() => {
  server.closeAllConnections()
  db.close()
})
