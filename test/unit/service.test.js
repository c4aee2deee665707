'use strict'

// The example service: its handler on a few cities, then both kinds of body through its server.

const t = require('tap')
const { open } = require('../..')
const { migrations } = require('../../examples/service/cities')
const { createHandler } = require('../../examples/service/handler')
const { listenFrom } = require('../../examples/service/server')
const { tmpfile, until } = require('../helper')

const CITY = { alt_name: null, feature: 'PPL', admin: null, longitude: 2.3488, latitude: -48.85341 }

async function service (t, count = 30) {
  const lines = []
  const store = open(tmpfile(t), { log: { destination: { write: (line) => { lines.push(JSON.parse(line)) } } } })
  t.teardown(() => store.close())
  const { db } = store
  await db.migrate(migrations)
  await db.table('city').insertMany(Array.from({ length: count }, (_, i) => ({
    id: i + 1, name: `${i % 2 ? 'Säo' : 'Par'} ${i}`, country: i % 3 ? 'FR' : 'BR', population: i * 1000, ...CITY
  })))
  await db.run("insert into city_text (city_text) values ('rebuild')")
  return { store, db, lines, handle: createHandler(store) }
}

function request (target, method = 'GET', body = '') {
  const { pathname, searchParams } = new URL(target, 'http://x')
  return { method, path: pathname, query: searchParams, read: async () => body, signal: new AbortController().signal }
}

t.test('answers', async (t) => {
  const { db, handle } = await service(t)
  const ask = async (...args) => {
    const { status, body } = await handle(request(...args))
    return [status, JSON.parse(body)]
  }
  t.same(await ask('/city/2'), [200, { id: 2, name: 'Säo 1', country: 'FR', population: 1000, ...CITY }])
  t.equal((await ask('/city/99'))[0], 404)
  t.equal((await ask('/city/x'))[0], 400)
  t.equal((await ask('/nowhere'))[0], 404)
  t.equal((await ask('/city/2', 'DELETE'))[0], 405)

  const [, page] = await ask('/cities?country=fr&name=Par&limit=2')
  t.same(page.map((city) => city.id), [3, 5])
  t.same((await ask('/cities?country=fr&name=Par&limit=2&after=5'))[1].map((city) => city.id), [9, 11])
  t.equal((await ask('/cities'))[1].length, 20)
  t.equal((await ask('/cities?limit=1001'))[0], 400)
  t.equal((await ask('/cities?after=-1'))[0], 400)
  t.same((await ask('/search?q=sao+3'))[1].map((city) => city.id), [4])
  t.equal((await ask('/search?q='))[0], 400)
  t.equal((await ask('/search?q="+(*'))[0], 200, 'no character of a search is an operator')

  t.equal((await ask('/city/3', 'PATCH', '{"population": 7}'))[1].population, 7)
  t.match(await db.get('select * from population_change'), { city: 3, before: 2000, after: 7, at: /^\d{4}-/ })
  for (const body of ['', '[]', '{}', '{"population": -1}', '{"population": 1.5}', '{"population": 1, "name": "x"}']) {
    t.equal((await ask('/city/3', 'PATCH', body))[0], 400, body)
  }
  t.equal((await ask('/city/99', 'PATCH', '{"population": 7}'))[0], 404)
  t.equal((await db.get('select count(*) as n from population_change')).n, 1)
  t.equal((await ask('/health'))[1].ok, true)
  t.ok((await ask('/stats'))[1].statements.length > 0)
})

t.test('through its server', async (t) => {
  const { store, handle, lines } = await service(t, 5000)
  const server = await listenFrom(handle, 34000, store.log)
  const other = await listenFrom(handle, server.port, store.log)
  t.not(other.port, server.port, 'a taken port is passed over')
  await other.stop()
  const url = `http://127.0.0.1:${server.port}`
  const response = await fetch(`${url}/cities?limit=3`)
  t.match(response.headers.get('content-type'), 'application/json')
  t.equal((await response.json()).length, 3)
  await until(() => lines.length > 0, 'the line of the request')
  t.match(lines[0], { level: 30, method: 'GET', url: '/cities?limit=3', status: 200, msg: 'request done' })
  const text = await (await fetch(`${url}/export.ndjson`)).text()
  const rows = text.trimEnd().split('\n').map((line) => JSON.parse(line))
  t.equal(rows.length, 5000)
  t.equal(rows.at(-1).id, 5000)
  const patched = await fetch(`${url}/city/1`, { method: 'PATCH', body: '{"population": 12}' })
  t.equal((await patched.json()).population, 12)

  const stop = new AbortController()
  const left = await fetch(`${url}/export.ndjson`, { signal: stop.signal })
  await left.body.getReader().read()
  stop.abort()
  t.equal((await fetch(`${url}/health`)).status, 200, 'a client that leaves harms nobody')
  await server.stop()
  await t.rejects(fetch(`${url}/health`), undefined, 'stopped')
})
