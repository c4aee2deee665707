'use strict'

// handler - the service itself, knowing nothing of servers: a request goes in as
//   { method, path, query: URLSearchParams, read(): Promise<string>, signal, log }
// and what comes out is
//   { status, type, headers?, body: string | Buffer | async iterable of strings }
//
//   GET   /city/:id
//   GET   /cities?country=FR&name=Par&after=<id>&limit=20     a keyset page by id
//   GET   /search?q=sao+pau                                   full text, best first
//   PATCH /city/:id  {"population": 5}                        in a transaction
//   GET   /export.ndjson                                      all rows, one a line
//   GET   /stats   GET /health

const JSON_TYPE = 'application/json; charset=utf-8'
const DEADLINE_MS = 2000
const MAX_BODY = 10000

// Rows joined into one piece of a streamed body.
const PIECE_CHARACTERS = 32768

class HttpError extends Error {
  constructor (status, message) {
    super(message)
    this.status = status
  }
}

// How the kinds of database errors look from outside; the rest is 500.
const STATUS = { busy: 503, full: 503, timeout: 504, closed: 503 }

const json = (body, status = 200) => ({ status, type: JSON_TYPE, body: JSON.stringify(body) })

function integer (text, name, min, max) {
  const value = Number(text)
  if (text === '' || !Number.isInteger(value) || value < min || value > max) {
    throw new HttpError(400, `${name}: expected a whole number from ${min} to ${max}`)
  }
  return value
}

function optional (query, name, min, max) {
  return query.has(name) ? integer(query.get(name), name, min, max) : undefined
}

// The words as prefixes, quoted so that no character of them is an operator.
function toMatch (text) {
  const words = text.split(/\s+/).filter(Boolean).slice(0, 8)
  if (words.length === 0) throw new HttpError(400, 'q: expected some words')
  return words.map((word) => `"${word.replaceAll('"', '""')}"*`).join(' ')
}

/** The service on an open store: async (request) -> response. Never throws. */
function createHandler (store) {
  const { db } = store
  const cities = db.table('city', { maxLimit: 1000, limit: 20 })

  const search = `
    select c.* from city_text join city c on c.id = city_text.rowid
    where city_text match ? order by c.population desc limit 20`

  async function getCity ({ signal }, id) {
    const city = await cities.get(integer(id, 'id', 1, Number.MAX_SAFE_INTEGER), { signal, timeoutMs: DEADLINE_MS })
    if (city === undefined) throw new HttpError(404, 'no such city')
    return json(city)
  }

  // The rows never become objects here: the body is made of them in C.
  async function getCities ({ query, signal }) {
    const where = {}
    if (query.has('country')) where.country = query.get('country').toUpperCase()
    if (query.has('name')) where.name = { startsWith: query.get('name') }
    const after = optional(query, 'after', 0, Number.MAX_SAFE_INTEGER)
    const limit = optional(query, 'limit', 1, 1000)
    const body = await cities.json({ where, after, limit }, { signal, timeoutMs: DEADLINE_MS })
    return { status: 200, type: JSON_TYPE, body }
  }

  async function getSearch ({ query, signal }) {
    const match = toMatch(query.get('q') ?? '')
    return { status: 200, type: JSON_TYPE, body: await db.json(search, [match], { signal, timeoutMs: DEADLINE_MS }) }
  }

  async function patchCity ({ read }, id) {
    id = integer(id, 'id', 1, Number.MAX_SAFE_INTEGER)
    const changes = parse(await read())
    const { population, ...rest } = changes
    if (Object.keys(rest).length > 0 || !Number.isSafeInteger(population) || population < 0) {
      throw new HttpError(400, 'expected {"population": <a whole number from 0>}')
    }
    const city = await db.transaction(async (tx) => {
      const row = await tx.table('city').get(id, { columns: ['population'] })
      if (row === undefined) throw new HttpError(404, 'no such city')
      await tx.table('population_change').insert({ city: id, before: row.population, after: population, at: new Date() })
      await tx.table('city').update(id, { population })
      return tx.table('city').get(id)
    }, { timeoutMs: DEADLINE_MS })
    return json(city)
  }

  // The next rows are fetched when the server asks for the next piece, and it asks when the
  // client has taken the last one: a slow client costs two pages of memory, not the table.
  async function * lines () {
    let piece = ''
    for await (const city of cities.iterate()) {
      piece += JSON.stringify(city) + '\n'
      if (piece.length < PIECE_CHARACTERS) continue
      yield piece
      piece = ''
    }
    if (piece !== '') yield piece
  }

  const routes = [
    ['GET', /^\/city\/([^/]+)$/, getCity],
    ['PATCH', /^\/city\/([^/]+)$/, patchCity],
    ['GET', /^\/cities$/, getCities],
    ['GET', /^\/search$/, getSearch],
    ['GET', /^\/export\.ndjson$/, () => ({ status: 200, type: 'application/x-ndjson', body: lines() })],
    ['GET', /^\/stats$/, async () => json(await db.stats())],
    ['GET', /^\/health$/, async ({ signal }) => json(await db.health({ signal, timeoutMs: DEADLINE_MS }))]
  ]

  function find (request) {
    const fitting = routes.filter(([, path]) => path.test(request.path))
    if (fitting.length === 0) throw new HttpError(404, 'no such page')
    const route = fitting.find(([method]) => method === request.method)
    if (route === undefined) throw new HttpError(405, `expected ${fitting.map(([method]) => method).join(' or ')}`)
    const [, path, answer] = route
    return answer(request, ...path.exec(request.path).slice(1))
  }

  return async function handle (request) {
    try {
      return await find(request)
    } catch (err) {
      const status = err.status ?? STATUS[err.kind] ?? 500
      if (status === 500 && !request.signal?.aborted) request.log.error(err)
      const response = json({ error: status === 500 ? 'internal error' : err.message }, status)
      if (status === 503) response.headers = { 'retry-after': '1' }
      return response
    }
  }
}

function parse (text) {
  if (text.length > MAX_BODY) throw new HttpError(413, 'the body is too large')
  let value
  try {
    value = JSON.parse(text)
  } catch {
    throw new HttpError(400, 'the body is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new HttpError(400, 'expected a JSON object')
  return value
}

module.exports = { HttpError, MAX_BODY, createHandler }
