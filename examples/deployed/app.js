'use strict'

// The service itself, as a server of node:http that does not listen yet.
//
//   GET  /                  what serves
//   POST /orders            {"number": 7, "item": "lamp"} -> 201
//   GET  /orders/7          the order

const http = require('node:http')
const { randomUUID } = require('node:crypto')

const MAX_BODY = 10_000
const INSIST_MS = 10_000
const release = process.env.UNDERCROFT_RELEASE ?? 'none'
const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`

function routes (db) {
  return [
    ['GET', /^\/$/, async () => [200, { service: 'shop', release, runtime }]],
    ['GET', /^\/orders\/(\d{1,15})$/, async (req, number) => {
      const order = await db.get('select number, item, release, at from orders where number = ?', [Number(number)])
      return order ? [200, order] : [404, { error: 'no such order' }]
    }],
    ['POST', /^\/orders$/, async req => {
      const { number, item } = await readJson(req)
      if (!Number.isSafeInteger(number) || typeof item !== 'string') return [400, { error: 'expected {"number": 7, "item": "lamp"}' }]
      const values = [number, item, release, new Date()]
      // Resolves when it is on the disk: an order that was answered is never lost.
      await insist(once => db.run('insert into orders(number, item, release, at) values (?, ?, ?, ?)', values, { once }))
      return [201, { number, release }]
    }]
  ]
}

// A daemon may be replaced while it has a write, whose answer is then missing. With a key, made for
// this request alone, the write can be repeated: it is applied once.
async function insist (write) {
  const key = randomUUID()
  for (const limit = Date.now() + INSIST_MS; ;) {
    try {
      return await write(key)
    } catch (err) {
      if (err.kind !== 'connection' || Date.now() > limit) throw err
    }
  }
}

async function readJson (req) {
  let text = ''
  for await (const piece of req.setEncoding('utf8')) {
    text += piece
    if (text.length > MAX_BODY) return {}
  }
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

function createServer ({ db, log }) {
  const all = routes(db)
  return http.createServer(async (req, res) => {
    let answer = [404, { error: 'no such page' }]
    try {
      const [pathname] = req.url.split('?', 1)
      for (const [method, pattern, handle] of all) {
        const match = pattern.exec(pathname)
        if (match && method === req.method) answer = await handle(req, ...match.slice(1))
      }
    } catch (err) {
      log.error(err)
      answer = [500, { error: 'internal error' }]
    }
    const body = JSON.stringify(answer[1])
    res.writeHead(answer[0], { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    res.end(body)
  })
}

module.exports = { createServer }
