'use strict'

// The benchmark of routes, as far as it can be held without measuring: its cases, the rules of
// TechEmpower, and that the files of routes keep them.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const { doors } = require('../../bench/lib/doors')
const { select, rivalsOf, oursOf, fullRow } = require('../../bench/lib/cases')
const { rowsOf } = require('../../bench/lib/rows')
const { idleNotes } = require('../../bench/lib/markdown-http')
const { listed, on, cores } = require('../../bench/lib/pin')
const people = require('../../bench/lib/people')
const rules = require('../../bench/techempower/rules')
const { updatesOf } = require('../../bench/lib/http-case')
const { root, tmpdir } = require('../helper')

// ---- cases -----------------------------------------------------------------

for (const door of doors) {
  t.test(`cases of the door ${door.name}`, async (t) => {
    const names = door.contestants.map(({ name }) => name)
    for (const test of select(door)) {
      t.ok(door.order.includes(test.name), `${test.name} has its place in the report`)
      for (const plain of test.rows) {
        const row = fullRow(test, plain)
        const rivals = rivalsOf(test, row)
        const asked = rivals.map(({ contestant }) => contestant)
        t.same(Object.keys(row.targets).filter((name) => !names.includes(name)), [], `${row.name}: targets are contestants`)
        t.same(Object.keys(row.targets).filter((name) => !asked.includes(name)), [], `${row.name}: who has a target takes part`)
        t.same(Object.keys(row.rivals).filter((family) => !door.contestants.some((it) => it.family === family)), [], `${row.name}: families`)
        for (const [family, program] of [['ours', oursOf(row).split('/')[1]], ...Object.entries(row.rivals)]) {
          t.type(test.programs[family]?.[program], 'function', `${row.name}: ${family} has ${program}`)
        }
      }
    }
  })
}

t.test('names of rows are there once', async (t) => {
  for (const door of doors) {
    const names = select(door).flatMap(({ rows }) => rows.map(({ name }) => name))
    t.same(names.filter((name, i) => names.indexOf(name) !== i), [], door.name)
  }
})

t.test('what a row has to reach', async (t) => {
  const door = { contestants: [{ name: 'rival', family: 'rival' }] }
  const row = { name: 'a', measure: 'rate', ours: 'x', rivals: { rival: 'y' }, targets: {} }
  const test = (more) => ({ door, unit: 'requests/s', rows: [{ ...row, ...more }] })
  const results = { 'undercroft/x': { rounds: [{ rate: 100 }, { rate: 300 }, { rate: 200 }] }, 'rival/y': { skip: 'not built' } }
  const boundOf = (more, kind = 'node') => rowsOf(test(more), results, kind)[0].bound
  t.equal(boundOf({}), null)
  t.same(boundOf({ atLeast: { node: 200 } }), { atLeast: 200, reached: true })
  t.same(boundOf({ atLeast: { node: 201 } }), { atLeast: 201, reached: false })
  t.same(boundOf({ atMost: { node: 199 } }), { atMost: 199, reached: false })
  t.equal(boundOf({ atMost: { node: 199 } }, 'bun'), null)
  t.match(rowsOf(test({}), results, 'node')[0].rivals, [{ name: 'rival', reason: 'not built', ratio: null }])
})

t.test('servers that waited for wrk are named', async (t) => {
  const table = [{ test: { name: 'a', title: 'Plaintext' } }]
  const results = {
    'undercroft/door': { rounds: [{ busy: 0.4 }, { busy: 0.5 }, { busy: 0.6 }] },
    'axum + diesel/by hand': { rounds: [{ busy: 0.99 }] },
    'fastify + better-sqlite3/by hand': { skip: 'not there' }
  }
  t.match(idleNotes({ cases: [{ name: 'a', results }] }, table), [/less than 90 %/, '', '- Plaintext: undercroft, door 50 %', ''])
  t.same(idleNotes({ cases: [{ name: 'a', results: { 'x/y': { rounds: [{ busy: 1 }] } } }] }, table), [])
})

t.test('processors', async (t) => {
  t.same(listed('0-3,8'), [0, 1, 2, 3, 8])
  t.same(listed('5\n'), [5])
  const found = cores()
  const [command, args] = on('server', 'program', ['a'])
  if (found === null) t.same([command, args], ['program', ['a']])
  else t.same([command, args], ['taskset', ['-c', String(found.server), 'program', 'a']])
  if (found !== null) t.not(found.server, found.client)
})

// ---- rules -----------------------------------------------------------------

const common = { server: 'test', date: new Date().toUTCString(), 'content-length': '1' }
const asJson = { ...common, 'content-type': 'application/json' }
const asText = { ...common, 'content-type': 'text/plain; charset=utf-8' }
const asHtml = { ...common, 'content-type': 'text/html; charset=utf-8' }

const answering = (headers, body, status = 200) => async (target, options) =>
  ({ status, headers, body: typeof body === 'function' ? body(target, options) : body })

const random = () => 1 + Math.floor(Math.random() * 10000)
const row = () => ({ id: random(), randomNumber: random() })
const rowsFor = (name, { most = 500, least = 1, make = row } = {}) => (target) => {
  const n = Number(new URL(target, 'http://h').searchParams.get(name))
  return JSON.stringify(Array.from({ length: n >= 1 ? Math.min(n, most) : least }, make))
}

const page = (rows, { escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;') } = {}) =>
  '<!doctype html>\n<html><head><title>Fortunes</title></head>\n<body><table><tr><th>id</th><th>message</th></tr>' +
  rows.map(([id, message]) => `<tr><td>${id}</td><td>${escape(message)}</td></tr>`).join('\n') + '</table></body></html>'

const fortunes = [...people.FORTUNES.map((message, i) => [i + 1, message]), [0, rules.ADDED]]
  .sort(([, a], [, b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

// [test, what answers, what is wrong with it]
const vectors = [
  ['json', answering(asJson, '{"message":"Hello, World!"}'), []],
  ['json', answering({ ...asJson, 'content-type': 'application/json; charset=utf-8' }, '{"message":"Hello, World!"}'), []],
  ['json', answering(asJson, '{"message":"Hello, World!","more":1}'), [/the body/]],
  ['json', answering(asJson, 'Hello, World!'), [/the body/]],
  ['json', answering(asText, '{"message":"Hello, World!"}'), [/Content-Type/]],
  ['json', answering({ ...asJson, server: undefined }, '{"message":"Hello, World!"}'), [/Server/]],
  ['json', answering({ ...asJson, date: undefined }, '{"message":"Hello, World!"}'), [/Date/]],
  ['json', answering({ ...asJson, date: 'Thu, 01 Jan 1970 00:00:00 GMT' }, '{"message":"Hello, World!"}'), [/Date/]],
  ['json', answering({ ...asJson, 'content-length': undefined }, '{"message":"Hello, World!"}'), [/Content-Length/]],
  ['json', answering(asJson, '{"message":"Hello, World!"}', 500), [/status is 500/]],
  ['plaintext', answering(asText, 'Hello, World!'), []],
  ['plaintext', answering(asText, 'Hello, World'), [/the body/]],
  ['plaintext', answering(asHtml, 'Hello, World!'), [/Content-Type/]],
  ['db', answering(asJson, () => JSON.stringify(row())), []],
  ['db', answering(asJson, JSON.stringify({ id: 1, randomNumber: 2 })), [/the same row/]],
  ['db', answering(asJson, () => JSON.stringify([row()])), [/body/, /body/, /body/]],
  ['db', answering(asJson, () => JSON.stringify({ id: random(), randomnumber: 2 })), [/body/, /body/, /body/]],
  ['queries', answering(asJson, rowsFor('queries')), []],
  ['queries', answering(asJson, rowsFor('queries', { most: 501 })), [/queries=501: 501 rows instead of 500/]],
  ['queries', answering(asJson, rowsFor('queries', { least: 0 })), [/without queries: 0 rows/, /queries=: 0/, /queries=foo: 0/, /queries=0: 0/]],
  ['queries', answering(asJson, rowsFor('queries', { make: () => ({ id: 7, randomNumber: 7 }) })), [/queries=20: the rows are not random/, /500/, /501/]],
  ['queries', answering(asJson, rowsFor('queries', { make: () => ({ id: 0, randomNumber: 7 }) })), Array(12).fill(/./)],
  ['cached', answering(asJson, rowsFor('count')), []],
  ['cached', answering(asJson, rowsFor('queries')), [/count=2/, /count=20/, /count=500/, /count=501/]],
  ['fortunes', answering(asHtml, page(fortunes)), []],
  ['fortunes', answering(asText, page(fortunes)), [/Content-Type/]],
  ['fortunes', answering(asHtml, page(fortunes.filter(([id]) => id !== 0))), [/12 fortunes instead of 13/, /row/]],
  ['fortunes', answering(asHtml, page(fortunes.toReversed?.() ?? [...fortunes].reverse())), [/row 1 should be/]],
  ['fortunes', answering(asHtml, page(fortunes, { escape: (text) => text })), [/none of fortunes/]],
  ['fortunes', answering(asHtml, '<html>'), [/none of fortunes/]]
]

for (const [test, ask, wanted] of vectors) {
  t.test(`${test}: ${wanted.length === 0 ? 'kept' : wanted.slice(0, 2).join()}`, async (t) => {
    const problems = await rules[test](ask)
    t.equal(problems.length, wanted.length, problems.join('; '))
    wanted.forEach((pattern, i) => t.match(problems[i], pattern))
  })
}

// A table that is changed, or not as it says.
function world ({ forgets = false, strays = false } = {}) {
  const numbers = new Map(Array.from({ length: 10000 }, (_, i) => [i + 1, 0]))
  const body = (target, { body }) => {
    const n = Number(JSON.parse(body).queries)
    if (strays) numbers.set(1, random())
    return JSON.stringify(Array.from({ length: n >= 1 ? Math.min(n, 500) : 1 }, () => {
      const made = { id: strays ? 2 + random() % 9998 : random(), randomNumber: random() }
      if (!forgets) numbers.set(made.id, made.randomNumber)
      return made
    }))
  }
  return { ask: answering(asJson, body), numbersOf: async () => new Map(numbers) }
}

t.test('updates are looked up', async (t) => {
  const told = async (options) => {
    const { ask, numbersOf } = world(options)
    return rules.updates(ask, { post: true, numbersOf })
  }
  t.same(await told(), [])
  t.match(await told({ forgets: true }), [/do not have the number/, /rows have another number/])
  t.match(await told({ strays: true }), [/1 rows that were not answered/])
})

// ---- the routes ------------------------------------------------------------

/** A database with what the benchmark has, and few people. */
async function database (t) {
  const file = path.join(fs.mkdtempSync(path.join(tmpdir(t), 'bench-')), 'app.db')
  const store = open(file)
  t.teardown(() => store.close())
  await store.db.exec(people.SCHEMA)
  for (const [table, count, make] of people.tables(0.0025)) {
    const rows = Array.from({ length: count }, (_, i) => Object.values(make(i + 1)))
    await store.db.many(`insert into ${table} values (${rows[0].map(() => '?').join()})`, rows)
  }
  await store.db.exec(people.INDEXES)
  return { file, store }
}

/** As a rule asks, without a socket; what a server adds is added. */
const asking = (routes) => async (target, { method = 'GET', body } = {}) => {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' }
  const { status, type, headers: more, body: text } = await routes.inject(method, target, { headers, body })
  return { status, headers: { server: 'test', date: new Date().toUTCString(), 'content-length': '1', 'content-type': type, ...more }, body: text }
}

t.test("TechEmpower's tests, as routes", async (t) => {
  const { file, store } = await database(t)
  const routes = store.routes(path.join(root, 'bench/techempower/routes'))
  t.teardown(() => routes.close())
  await routes.ready
  const ask = asking(routes)
  for (const test of ['json', 'plaintext', 'db', 'queries', 'fortunes', 'cached']) t.same(await rules[test](ask), [], test)
  t.same(await rules.updates(ask, updatesOf({ file })), [], 'updates')
})

t.test('the people, as routes', async (t) => {
  const { store } = await database(t)
  const routes = store.routes(path.join(root, 'bench/routes'))
  t.teardown(() => routes.close())
  await routes.ready
  const ask = asking(routes)
  const wanted = Array.from({ length: 1000 }, (_, i) => people.person((i + 1) * 400)).filter(({ name, age }) => name === '2---' && age === 4)
  const { status, body } = await ask('/dmail/user/q?name=2---&ps=100&id=0&age=4')
  t.equal(status, 200)
  t.same(JSON.parse(body), wanted)
  const post = (target, value) => ask(target, { method: 'POST', body: JSON.stringify(value) })
  t.match(await post('/dmail/user/add', { name: 'x', age: 7 }), { status: 200, body: '' })
  const { id, ...row } = JSON.parse((await post('/dmail/user/ret', { name: 'x', age: 7 })).body)
  t.match(row, { name: 'x', age: 7, created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ })
  t.match(await post('/dmail/user/batch', { people: [{ name: 'x', age: 7 }, { name: 'x', age: 7 }] }), { status: 200, body: '' })
  t.equal(JSON.parse((await ask('/dmail/user/q?name=x&age=7')).body).length, 4)
  t.match(await ask('/dmail/user/q?name=x'), { status: 400 })
})
