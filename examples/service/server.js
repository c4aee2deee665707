'use strict'

// server - the handler behind node:http, or Bun.serve where there is Bun. Both listen on the
// loopback address alone and stop in the same way: no new connections, what is under way ends
// or, after a while, is cut off.

const http = require('node:http')
const { once } = require('node:events')
const { Readable } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const { HttpError, MAX_BODY } = require('./handler')

const HOST = '127.0.0.1'

// How long stop() waits for a client that does not take its answer.
const GRACE_MS = 5000

/**
 * @param {Function} handle see handler.js
 * @param {number} port
 * @param {Log} log gets a line for each request
 * @returns {Promise<{ port: number, stop(): Promise<void> }>}
 */
function listen (handle, port, log) {
  return typeof globalThis.Bun === 'object' ? listenBun(handle, port, log) : listenNode(handle, port, log)
}

/** The same on the first free port from `port` on. */
async function listenFrom (handle, port, log) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await listen(handle, port + attempt, log)
    } catch (err) {
      if (err.code !== 'EADDRINUSE' || attempt >= 100) throw err
    }
  }
}

// ---- Node ------------------------------------------------------------------------------

async function listenNode (handle, port, log) {
  const server = http.createServer(log.http((req, res) => {
    answer(handle, req, res).catch(() => res.destroy())
  }))
  server.listen(port, HOST)
  await once(server, 'listening')
  return {
    port: server.address().port,
    async stop () {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const late = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await closed
      clearTimeout(late)
    }
  }
}

async function answer (handle, req, res) {
  const url = new URL(req.url, `http://${HOST}`)
  // A client that has left needs no answer: its statement is stopped.
  const gone = new AbortController()
  res.on('close', () => { if (!res.writableFinished) gone.abort() })
  const { status, type, headers, body } = await handle({
    method: req.method,
    path: url.pathname,
    query: url.searchParams,
    read: () => readBody(req),
    signal: gone.signal,
    log: req.log
  })
  if (res.destroyed) return
  const all = { 'content-type': type, ...headers }
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    res.writeHead(status, { ...all, 'content-length': Buffer.byteLength(body) })
    res.end(body)
    return
  }
  res.writeHead(status, all)
  await pipeline(Readable.from(body), res)
}

async function readBody (req) {
  let text = ''
  for await (const piece of req.setEncoding('utf8')) {
    text += piece
    if (text.length > MAX_BODY) throw new HttpError(413, 'the body is too large')
  }
  return text
}

// ---- Bun -------------------------------------------------------------------------------

async function listenBun (handle, port, log) {
  const server = globalThis.Bun.serve({
    hostname: HOST,
    port,
    fetch: log.bun(async (request, server, own) => {
      const url = new URL(request.url)
      const { status, type, headers, body } = await handle({
        method: request.method,
        path: url.pathname,
        query: url.searchParams,
        read: () => request.text(),
        signal: request.signal,
        log: own
      })
      const isWhole = typeof body === 'string' || Buffer.isBuffer(body)
      return new Response(isWhole ? body : pull(body), { status, headers: { 'content-type': type, ...headers } })
    })
  })
  return {
    port: server.port,
    async stop () {
      const late = setTimeout(() => server.stop(true), GRACE_MS)
      await server.stop()
      clearTimeout(late)
    }
  }
}

function pull (pieces) {
  const iterator = pieces[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull (controller) {
      const { value, done } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel () {
      await iterator.return()
    }
  })
}

module.exports = { listen, listenFrom }
