'use strict'

// service - the routes of routes/cities.sql in node:http, or in Bun.serve where there is Bun, and
// what SQL alone does not do:
//
//   GET /search?q=sao+pau      full text: the words become an expression for FTS5
//   GET /export.ndjson         all rows, one a line, as fast as the client takes them

const http = require('node:http')
const path = require('node:path')
const { Readable, pipeline } = require('node:stream')
const { graceful } = require('undercroft')
const v = require('valibot')

const folder = path.join(__dirname, 'routes')

const DEADLINE_MS = 2000
const PORTS_TRIED = 100
// Nobody keeps connections to it, as a gateway would: it need not wait for their next request.
const LIFE = { health: '/health', drainMs: 5000, idleMs: 300 }
const WORDS_MOST = 8
// Rows joined into one piece of a streamed body.
const PIECE_CHARACTERS = 32768

const search = `
  select c.id, c.name, c.country, c.population from city_text join city c on c.id = city_text.rowid
  where city_text match ? order by c.population desc limit 20`

// The words as prefixes, quoted so that no character of them is an operator.
const query = v.strictObject({
  q: v.pipe(
    v.string(),
    v.transform((text) => text.split(/[\s\p{Cc}]+/u).filter(Boolean).slice(0, WORDS_MOST)),
    v.minLength(1, 'expected some words'),
    v.transform((words) => words.map((word) => `"${word.replaceAll('"', '""')}"*`).join(' ')))
})

function createRoutes (store) {
  return store.routes(folder, { timeoutMs: DEADLINE_MS })
    .get('/search', { schema: query, public: true, about: 'Cities by words of their names' }, async ({ q }, { signal, reply }) => {
      // The rows never become objects here: the body is made of them in C.
      const body = await store.db.json(search, [q], { signal, timeoutMs: DEADLINE_MS })
      return reply(body, { type: 'application/json; charset=utf-8' })
    })
}

// The next rows are fetched when the server asks for the next piece, and it asks when the client has
// taken the last one: a slow client costs two pages of memory, not the table.
async function * lines (db) {
  let piece = ''
  for await (const city of db.table('city').iterate()) {
    piece += JSON.stringify(city) + '\n'
    if (piece.length < PIECE_CHARACTERS) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}

const NDJSON = { 'content-type': 'application/x-ndjson' }
const TEXT = { 'content-type': 'text/plain; charset=utf-8' }

// What graceful() serves. Each request has its line in the log.
function createServer ({ db, log }, routes) {
  if (typeof globalThis.Bun === 'object') {
    const GET = log.bun(() => new Response(lines(db), { headers: NDJSON }))
    return { routes: { '/export.ndjson': { GET } }, fetch: log.bun(routes.fetch) }
  }
  return http.createServer(log.http(routes.node((req, res) => {
    if (req.method !== 'GET' || req.url !== '/export.ndjson') return res.writeHead(404, TEXT).end('not found')
    res.writeHead(200, NDJSON)
    pipeline(Readable.from(lines(db)), res, () => {})
  })))
}

/**
 * Serves the cities on the first free port from options.port on; the store is closed with it.
 *
 * @param {object} store migrated, and with its cities
 * @param {object} options of graceful
 */
async function serve (store, { port, ...options }) {
  const routes = await createRoutes(store).ready
  for (let last = port + PORTS_TRIED; ; port++) {
    try {
      return await graceful(createServer(store, routes), { store, log: store.log, ...LIFE, ...options, port })
    } catch (err) {
      if (err.code !== 'EADDRINUSE' || port >= last) throw err
    }
  }
}

module.exports = { createRoutes, folder, serve }
