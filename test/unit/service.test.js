'use strict'

// The example service on a few cities: its answers without a server, then through its server, and the
// same files behind the daemon alone.

const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const { migrations } = require('../../examples/service/cities')
const { createRoutes, folder, serve } = require('../../examples/service/service')
const { ask } = require('../routes/doors')
const { startDaemon, tmpdir, tmpfile, until } = require('../helper')

const CITY = { alt_name: null, feature: 'PPL', admin: null, longitude: 2.3488, latitude: -48.85341 }

async function service (t, count = 30) {
  const lines = []
  const file = tmpfile(t)
  const store = open(file, { log: { destination: { write: (line) => { lines.push(JSON.parse(line)) } } } })
  t.teardown(() => store.close())
  const { db } = store
  await db.migrate(migrations)
  await db.table('city').insertMany(Array.from({ length: count }, (_, i) => ({
    id: i + 1, name: `${i % 2 ? 'Säo' : 'Par'} ${i}`, country: i % 3 ? 'FR' : 'BR', population: i * 1000, ...CITY
  })))
  await db.run("insert into city_text (city_text) values ('rebuild')")
  return { store, db, file, lines }
}

function asking (routes) {
  return async (target, body) => {
    const { status, body: text } = await routes.inject(body === undefined ? 'GET' : 'POST', target, { body, headers: { 'content-type': 'application/json' } })
    return [status, status === 200 ? JSON.parse(text) : text]
  }
}

const ids = (rows) => rows.map(({ id }) => id)

t.test('reads', async (t) => {
  const { store } = await service(t)
  const get = asking(createRoutes(store))
  t.same(await get('/city?id=2'), [200, { id: 2, name: 'Säo 1', country: 'FR', population: 1000, ...CITY }])
  t.same(await get('/city?id=99'), [400, 'not found'])
  t.same(await get('/city?id=x'), [400, 'id: must be an integer'])
  t.equal((await get('/nowhere'))[0], 404)

  const [, page] = await get('/cities?country=fr&name=Par&limit=2')
  t.same([ids(page.rows), page.next], [[3, 5], { id: 5 }])
  t.same(ids((await get('/cities?country=fr&name=Par&limit=2&id=5'))[1].rows), [9, 11])
  t.equal((await get('/cities'))[1].rows.length, 20)
  t.same(ids((await get('/cities?name=Par&limit=1000'))[1].rows), Array.from({ length: 15 }, (_, i) => 2 * i + 1), 'one filter alone')
  t.equal((await get('/cities?name=Par&limit=1000'))[1].next, null)
  t.same((await get('/cities?name=%25'))[1].rows, [], 'no character of a name is a pattern')
  t.equal((await get('/cities?limit=1001'))[0], 400)
  t.equal((await get('/cities?id=-1'))[0], 400)
  t.equal((await get('/cities?population=1'))[0], 400, 'what no file names is no filter')
  t.same(await get('/country/largest?country=br&limit=2'), [200, [{ id: 28, name: 'Säo 27', population: 27000 }, { id: 25, name: 'Par 24', population: 24000 }]])
  t.same(await get('/stats'), [200, { cities: 30, countries: 2, people: 435000, changes: 0 }])
})

t.test('a search', async (t) => {
  const { store } = await service(t)
  const get = asking(createRoutes(store))
  t.same(ids((await get('/search?q=sao+3'))[1]), [4])
  t.same(await get('/search?q=+'), [400, 'q: expected some words'])
  t.equal((await get('/search'))[0], 400)
  t.equal((await get('/search?q=a&limit=5'))[0], 400)
  for (const words of ['"+(*', 'a" OR "b', 'name:par', '-par', 'NEAR(a b)', '^par', "'", '\\', '{name}:par', 'a\0b']) {
    t.equal((await get(`/search?q=${encodeURIComponent(words)}`))[0], 200, `no character of ${JSON.stringify(words)} is an operator`)
  }
})

t.test('a change', async (t) => {
  const { store, db } = await service(t)
  const ask = asking(createRoutes(store))
  t.same(await ask('/city/population', { id: 3, population: 7 }), [200, { id: 3, name: 'Par 2', population: 7 }])
  t.match(await db.get('select * from population_change'), { city: 3, before: 2000, after: 7, at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ })
  for (const body of ['', '[]', '{}', '{"id": 3}', '{"id": 3, "population": -1}', '{"id": 3, "population": 1.5}', '{"id": 3, "population": "1"}', '{"id": 3, "population": 1, "name": "x"}']) {
    t.equal((await ask('/city/population', body))[0], 400, body)
  }
  t.same(await ask('/city/population', { id: 99, population: 7 }), [400, 'no such city'])
  t.equal((await db.get('select count(*) as n from population_change')).n, 1, 'what was refused has left nothing')
  t.equal((await db.get('select population from city where id = 3')).population, 7)
})

t.test('through its server', async (t) => {
  const { store, db, lines } = await service(t, 5000)
  const life = { port: 34000, exit: false, signals: false, idleMs: 50 }
  const server = await serve(store, life)
  const other = await serve(store, { ...life, port: server.port })
  t.not(other.port, server.port, 'a taken port is passed over')
  await other.close()
  const { url } = server
  const response = await fetch(`${url}/cities?limit=3`)
  t.match(response.headers.get('content-type'), 'application/json')
  t.equal((await response.json()).rows.length, 3)
  const done = () => lines.find(({ msg }) => msg === 'request done')
  await until(done, 'the line of the request')
  t.match(done(), { level: 30, method: 'GET', url: '/cities?limit=3', status: 200, reqId: response.headers.get('x-request-id') })
  t.equal((await (await fetch(`${url}/search?q=par+2`)).json())[0].name, 'Par 2998')
  t.equal((await fetch(`${url}/nowhere`)).status, 404)
  t.equal((await fetch(`${url}/export.ndjson`, { method: 'POST' })).status, 404)

  const exported = await fetch(`${url}/export.ndjson`)
  t.equal(exported.headers.get('content-type'), 'application/x-ndjson')
  const rows = (await exported.text()).trimEnd().split('\n').map((line) => JSON.parse(line))
  t.equal(rows.length, 5000)
  t.equal(rows.at(-1).id, 5000)
  const changed = await fetch(`${url}/city/population`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id": 1, "population": 12}' })
  t.equal((await changed.json()).population, 12)

  const stop = new AbortController()
  const left = await fetch(`${url}/export.ndjson`, { signal: stop.signal })
  await left.body.getReader().read()
  stop.abort()
  await until(async () => (await db.stats()).connections.pins === 0, 'its cursor is given back')
  t.equal((await fetch(`${url}/health`)).status, 200, 'a client that leaves harms nobody')
  t.same((await server.close()).cut, [])
  await t.rejects(fetch(`${url}/health`), undefined, 'stopped')
  await t.rejects(db.get('select 1'), { code: 'UC_CLOSED' }, 'the store with it')
})

t.test('the daemon serves the same files', async (t) => {
  const { store, file } = await service(t)
  const routes = createRoutes(store)
  const socketPath = path.join(tmpdir(t), 'http.sock')
  const daemon = startDaemon(t, ['--db', file, '--http', `unix:${socketPath}`, '--routes', folder])
  await until(() => daemon.over || daemon.stderr.includes('http://'), 'it serves')
  for (const target of ['/city?id=2', '/city?id=99', '/cities?country=fr&name=Par&limit=2', '/country/largest?country=br', '/stats', '/cities?limit=0']) {
    const { status, body } = await routes.inject('GET', target)
    const answer = await ask({ socketPath }, { method: 'GET', target, headers: { host: 'localhost' } })
    t.same([answer.status, answer.body], [status, body], target)
  }
})
