'use strict'

// The doors that a request can come through. Each is { name, start(routes, t) -> { request, url, close } }:
// request({ method, target, headers, body }) -> { status, headers, body }, headers with names in lower case.

const http = require('node:http')
const path = require('node:path')
const express = require('express')
const fastify = require('fastify')
const { Hono } = require('hono')
const { isBun, tmpdir } = require('../helper')

// One request over a connection of its own.
function ask (where, { method, target, headers: own, body }) {
  // Node announces no body of a GET by itself.
  const headers = body === undefined ? own : { ...own, 'Content-Length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    const req = http.request({ ...where, method, path: target, headers, agent: false }, (res) => {
      const chunks = []
      res.on('data', (chunk) => { chunks.push(chunk) })
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() }))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end(body)
  })
}

async function listening (server, where = { port: 0, host: '127.0.0.1' }) {
  await new Promise((resolve) => server.listen(where, resolve))
  return where.path === undefined ? { host: '127.0.0.1', port: server.address().port } : { socketPath: where.path }
}

async function ofServer (server, where) {
  const to = await listening(server, where)
  return {
    to,
    server,
    request: (vector) => ask(to, vector),
    close: () => new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections?.()
    })
  }
}

async function startFastify (routes, options) {
  const app = fastify()
  // The application's own handler of what is missing answers as the vectors want it.
  app.setNotFoundHandler((request, reply) => {
    reply.code(404).header('vary', 'origin').header('x-request-id', 'none').type('text/plain; charset=utf-8').send('not found')
  })
  // An application with bodies of its own keeps them.
  app.post('/json', (request) => ({ got: request.body }))
  app.register(routes.fastify, options)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const to = { host: '127.0.0.1', port: app.server.address().port }
  return { to, app, request: (vector) => ask(to, vector), close: () => app.close() }
}

function startExpress (routes) {
  const app = express()
  app.disable('x-powered-by')
  app.use(routes.node())
  app.post('/json', express.json(), (req, res) => { res.json({ got: req.body }) })
  app.use((req, res) => {
    res.status(404).set({ vary: 'origin', 'x-request-id': 'none' }).type('text/plain').end('not found')
  })
  return ofServer(http.createServer(app))
}

function honoApp (routes) {
  const app = new Hono()
  app.use(routes.hono)
  app.post('/json', async (context) => context.json({ got: await context.req.json() }))
  app.notFound((context) => context.text('not found', 404, { vary: 'origin', 'x-request-id': 'none', 'content-type': 'text/plain; charset=utf-8' }))
  return app
}

function startHono (routes) {
  const { createAdaptorServer } = require('@hono/node-server')
  return ofServer(createAdaptorServer({ fetch: honoApp(routes).fetch }))
}

function startBun (fetch) {
  const server = globalThis.Bun.serve({ port: 0, hostname: '127.0.0.1', fetch })
  const to = { host: '127.0.0.1', port: server.port }
  return { to, request: (vector) => ask(to, vector), close: () => server.stop(true) }
}

const doors = [
  {
    name: 'inject',
    start: (routes) => ({
      async request ({ method, target, headers, body }) {
        const { status, type, headers: own, body: text } = await routes.inject(method, target, { headers, body })
        return { status, headers: type === '' ? own : { ...own, 'content-type': type }, body: text }
      },
      close () {}
    })
  },
  { name: 'node', start: (routes) => ofServer(http.createServer(routes.node())) },
  { name: 'node, unix socket', start: (routes, t) => ofServer(http.createServer(routes.node()), { path: path.join(tmpdir(t), 'http.sock') }), isUnix: true },
  { name: 'express', start: startExpress },
  { name: 'fastify', start: (routes) => startFastify(routes) },
  { name: 'fastify, path by path', start: (routes) => startFastify(routes, { wildcard: false }) },
  {
    name: 'fetch',
    start: (routes) => ({
      async request ({ method, target, headers, body }) {
        const request = new Request(`http://127.0.0.1${target}`, { method, headers, body })
        const response = await routes.fetch(request, { remoteAddr: { transport: 'tcp', hostname: '127.0.0.1' } })
        const own = Object.fromEntries(response.headers)
        if (own['set-cookie'] !== undefined) own['set-cookie'] = response.headers.getSetCookie()
        return { status: response.status, headers: own, body: await response.text() }
      },
      close () {}
    })
  },
  { name: isBun ? 'hono, in Bun.serve' : 'hono', start: (routes) => isBun ? startBun(honoApp(routes).fetch) : startHono(routes) },
  ...isBun ? [{ name: 'bun', start: (routes) => startBun(routes.fetch) }] : []
]

module.exports = { doors, ask, ofServer, startFastify, honoApp, startBun }
