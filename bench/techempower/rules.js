'use strict'

// The rules of TechEmpower's benchmark (its wiki: Project Information, Framework Tests),
// as far as answers show them. A test asks, and returns what is wrong as sentences.
//
//   ask(target, { method, body }) -> { status, headers, body }   names of headers in lower case
//
// What can only be read in a source is not looked at: that each row is asked for by a
// query of its own, that fortunes are sorted outside of the database.

const { FORTUNES } = require('../lib/people')

const WORLDS = 10_000
// Of a server that does not say what it is.
const NO_NAME = 'there is no header Server'
const ADDED = 'Additional fortune added at request time.'

// Values of `queries`, and how many rows each of them means.
const COUNTS = [[undefined, 1], ['', 1], ['foo', 1], ['0', 1], ['1', 1], ['2', 2], ['20', 20], ['500', 500], ['501', 500]]

const types = {
  json: /^application\/json(; ?charset=utf-8)?$/i,
  text: /^text\/plain(; ?charset=utf-8)?$/i,
  html: /^text\/html; ?charset=utf-8$/i
}

/** What every answer has to have. */
function commonProblems ({ status, headers }, type) {
  const problems = []
  const want = (isFine, sentence) => { if (!isFine) problems.push(sentence) }
  want(status === 200, `the status is ${status}`)
  want(headers.server, NO_NAME)
  want(Math.abs(Date.parse(headers.date) - Date.now()) < 60_000, `Date is ${headers.date}`)
  want(headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined, 'there is neither Content-Length nor Transfer-Encoding')
  want(types[type].test(headers['content-type']), `Content-Type is ${headers['content-type']}`)
  return problems
}

function parsed (text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const within = (value, least, most) => Number.isInteger(value) && value >= least && value <= most

function isWorld (row) {
  return typeof row === 'object' && row !== null && Object.keys(row).join() === 'id,randomNumber' &&
    within(row.id, 1, WORLDS) && within(row.randomNumber, 0, WORLDS)
}

const cut = text => text.length > 100 ? `${text.slice(0, 100)}…` : text

async function json (ask) {
  const answer = await ask('/json')
  const value = parsed(answer.body)
  const isFine = value?.message === 'Hello, World!' && Object.keys(value).length === 1
  return [...commonProblems(answer, 'json'), ...isFine ? [] : [`the body is ${cut(answer.body)}`]]
}

async function plaintext (ask) {
  const answer = await ask('/plaintext')
  return [...commonProblems(answer, 'text'), ...answer.body === 'Hello, World!' ? [] : [`the body is ${cut(answer.body)}`]]
}

async function db (ask) {
  const answers = [await ask('/db'), await ask('/db'), await ask('/db')]
  const problems = answers.flatMap(answer => [
    ...commonProblems(answer, 'json'),
    ...isWorld(parsed(answer.body)) ? [] : [`the body is ${cut(answer.body)}`]
  ])
  if (answers.every(({ body }) => body === answers[0].body)) problems.push('each request has the same row')
  return problems
}

function listProblems (answer, count, what) {
  const rows = parsed(answer.body)
  const problems = commonProblems(answer, 'json').map(problem => `${what}: ${problem}`)
  if (!Array.isArray(rows)) return [...problems, `${what}: the body is ${cut(answer.body)}`]
  if (rows.length !== count) return [...problems, `${what}: ${rows.length} rows instead of ${count}`]
  if (!rows.every(isWorld)) problems.push(`${what}: a row is ${cut(JSON.stringify(rows.find(row => !isWorld(row))))}`)
  if (count >= 20 && new Set(rows.map(row => row?.id)).size < count / 2) problems.push(`${what}: the rows are not random`)
  return problems
}

/** How a test takes its number: in a query, or in the JSON of a POST. */
const inQuery = (path, name) => (ask, value) => ask(value === undefined ? path : `${path}?${name}=${value}`)
const inBody = (path, name) => (ask, value) =>
  ask(path, { method: 'POST', body: JSON.stringify(value === undefined ? {} : { [name]: /^\d+$/.test(value) ? Number(value) : value }) })

async function counted (ask, request, name) {
  const problems = []
  for (const [value, count] of COUNTS) {
    problems.push(...listProblems(await request(ask, value), count, value === undefined ? `without ${name}` : `${name}=${value}`))
  }
  return problems
}

const queries = ask => counted(ask, inQuery('/queries', 'queries'), 'queries')
const cached = ask => counted(ask, inQuery('/cached-queries', 'count'), 'count')

/**
 * @param {object} [options]
 * @param {boolean} [options.post] the number is in the JSON of a POST
 * @param {Function} [options.numbersOf] ids -> a promise of Map(id -> number) of the database:
 *   whether they are changed there
 */
async function updates (ask, { post = false, numbersOf } = {}) {
  const request = (post ? inBody : inQuery)('/updates', 'queries')
  const problems = await counted(ask, request, 'queries')
  if (numbersOf === undefined) return problems
  const before = await numbersOf()
  const rows = parsed((await request(ask, '500')).body) ?? []
  const after = await numbersOf()
  // A row may be chosen twice; the last number is then the one that stays.
  const last = new Map(rows.map(row => [row.id, row.randomNumber]))
  const wrong = [...last].filter(([id, number]) => after.get(id) !== number)
  if (wrong.length > 0) problems.push(`${wrong.length} of ${last.size} rows do not have the number that was answered`)
  const changed = [...last.keys()].filter(id => before.get(id) !== after.get(id))
  if (changed.length < last.size / 2) problems.push(`${changed.length} of ${last.size} rows have another number than before`)
  const strangers = [...after].filter(([id, number]) => !last.has(id) && before.get(id) !== number)
  if (strangers.length > 0) problems.push(`${strangers.length} rows that were not answered have changed`)
  return problems
}

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'", '#x27': "'", '#34': '"', '#x2F': '/', '#x2f': '/' }
const unescaped = text => text.replace(/&(#?\w+);/g, (all, name) => entities[name] ?? all)

/** The cells of the page, when it is one as it should be; else null. */
function fortunesOf (page) {
  const text = page.trim().replace(/>\s+/g, '>').replace(/\s+</g, '<')
  const [, list] = /^<!doctype html><html><head><title>Fortunes<\/title><\/head><body><table><tr><th>id<\/th><th>message<\/th><\/tr>(.*)<\/table><\/body><\/html>$/is.exec(text) ?? []
  if (list === undefined) return null
  const rows = Array.from(list.matchAll(/<tr><td>(\d+)<\/td><td>([^<>]*)<\/td><\/tr>/g), ([all, id, message]) => ({ all, id: Number(id), message: unescaped(message) }))
  return rows.map(({ all }) => all).join('') === list ? rows : null
}

const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))

async function fortunes (ask) {
  const answer = await ask('/fortunes')
  const problems = commonProblems(answer, 'html')
  const rows = fortunesOf(answer.body)
  if (rows === null) return [...problems, `the page is none of fortunes: ${cut(answer.body)}`]
  const wanted = [...FORTUNES.map((message, i) => ({ id: i + 1, message })), { id: 0, message: ADDED }]
    .sort((a, b) => byBytes(a.message, b.message))
  if (rows.length !== wanted.length) problems.push(`${rows.length} fortunes instead of ${wanted.length}`)
  const wrong = wanted.findIndex(({ id, message }, i) => rows[i]?.id !== id || rows[i].message !== message)
  if (wrong >= 0) problems.push(`row ${wrong + 1} should be ${wanted[wrong].id}, ${cut(wanted[wrong].message)}`)
  return problems
}

module.exports = { json, plaintext, db, queries, fortunes, updates, cached, fortunesOf, ADDED, NO_NAME }
