'use strict'

// A core of a few lines, for tests of the mounts: it answers routes_load, request and routes_drop as
// the wire says, from functions instead of statements. What a file declares is read from its tags, so
// a file may be changed, and be faulty.

const { UndercroftError } = require('../../lib/base/errors')

const JSON_TYPE = 'application/json'
const TEXT = 'text/plain; charset=utf-8'
const ALWAYS = ['content-type', 'origin', 'sec-fetch-site', 'host', 'idempotency-key', 'if-none-match']

const answer = (status, type, body, headers = []) => ({ status, type, headers, body: Buffer.from(body) })
const json = (value, headers) => answer(200, JSON_TYPE, JSON.stringify(value), headers)
const text = (status, body, headers) => answer(status, TEXT, body, headers)
const failing = (code, message, info) => () => { throw new UndercroftError(code, message, info) }

// What they take of the service.
const given = { '/echo': ['user', 'ip'], '/mine': ['user'], '/id': ['id'] }

// path -> (request) -> answer
const behaviour = {
  __proto__: null,
  '/echo': ({ method, target, headers, body, facts }) => json({
    method, target, headers: headers.filter((_, i) => headers[i - i % 2] !== 'host'), body: body?.toString() ?? null, user: facts.user, roles: facts.roles, ip: facts.ip
  }),
  '/host': ({ header }) => text(200, header('host') ?? 'none'),
  '/id': ({ facts }) => text(200, facts.id),
  '/empty': () => answer(200, '', ''),
  '/umlaut': () => json({ name: 'Zoë', sign: '€', face: '😀' }),
  '/page': () => answer(200, 'text/html; charset=utf-8', '<p>Grüße</p>'),
  '/counted': () => json([1, 2], ['x-total', '2', 'etag', '"1"']),
  '/tagged': ({ header }) => header('if-none-match') === '"7"' ? answer(304, '', '', ['etag', '"7"']) : json([7], ['etag', '"7"']),
  '/large': () => answer(200, TEXT, 'x'.repeat(200_000)),
  '/refused': () => text(400, 'name: must be 1 to 64 characters\nage: must be between 0 and 150'),
  '/mine': ({ facts }) => facts.user === null ? text(400, 'not logged in') : json({ user: facts.user }),
  '/broken': failing('SQLITE_ERROR', 'no such table: secret_table (sql: select 1)', { kind: 'sql' }),
  '/late': failing('UC_TIMEOUT', 'not done within 500 ms'),
  '/busy': failing('UC_BUSY', '10000 calls are in flight'),
  '/slow': ({ signal }) => new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new UndercroftError('UC_ABORTED', 'aborted')))
  }),
  '/add': ({ header, body }) => header('content-type') === JSON_TYPE ? json(JSON.parse(body)) : text(400, 'content-type: must be application/json')
}

// The tags of one file, in the order of its lines.
function readTags ([file, source], names) {
  const routes = []
  source.split('\n').forEach((line, i) => {
    const [, tag, first, second] = /^-- @(\w+) (\S+)(?: :(\S+))?/.exec(line) ?? []
    if (tag === undefined) return
    if (tag === 'get' || tag === 'post') {
      routes.push({ method: tag.toUpperCase(), path: first, form: second ?? (tag === 'get' ? 'many' : 'none'), about: '', file, line: i + 1, params: [], given: given[first] ?? [] })
    } else if (tag === 'header') {
      routes.at(-1).params.push({ name: first.replaceAll('-', '_'), in: 'header', header: first })
      if (!names.includes(first)) names.push(first)
    } else throw new UndercroftError('UC_ROUTE', `${file}:${i + 1}: unknown tag @${tag}`, { kind: 'usage' })
  })
  return routes
}

class FakeCore {
  /** number -> { routes }: what is loaded. */
  sets = new Map()
  /** Every call that came: [op, args]. */
  calls = []
  lines = []
  #last = 0

  constructor () {
    const line = (level) => (fields, msg) => { this.lines.push({ level, ...fields, msg }) }
    this.logger = { info: line('info'), warn: line('warn'), error: line('error') }
    this.log = () => this.logger
    this.send = (op, args, opts) => this.#send(op, args, opts)
  }

  async #send (op, args, opts = {}) {
    this.calls.push([op, args, opts])
    if (op === 'routes_load') return this.#load(...args)
    if (op === 'routes_drop') return this.sets.delete(args[0])
    if (op === 'request') return this.#request(args, opts)
    throw new Error(`no operation ${op}`)
  }

  #load (files) {
    const names = [...ALWAYS]
    const routes = files.filter(([name]) => name.endsWith('.sql')).flatMap((file) => readTags(file, names))
    this.sets.set(++this.#last, { routes })
    return [this.#last, routes, names]
  }

  /** As when a daemon has started anew. */
  forget () {
    this.sets.clear()
  }

  #request ([set, method, target, headers, body, facts], { signal }) {
    if (!this.sets.has(set)) throw new UndercroftError('UC_ROUTE', `there is no set ${set}`, { outcome: 'not-run' })
    const path = decodeURIComponent(target.split('?', 1)[0])
    const here = this.sets.get(set).routes.filter((route) => route.path === path)
    if (here.length === 0) return answer(0, '', '')
    if (!here.some((route) => route.method === method)) {
      return text(405, 'method not allowed', ['allow', here.map((route) => route.method === 'GET' ? 'GET, HEAD' : 'POST').join(', ')])
    }
    const header = (name) => { for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1] }
    return behaviour[path]({ method, target, headers, header, body, facts, signal })
  }
}

// A file that declares each of them, for GET or for what it is meant for.
const posts = ['/add', '/host']
const both = ['/echo']
const source = Object.keys(behaviour).flatMap((path) => [
  ...posts.includes(path) ? [] : [`-- @get ${path} :many`],
  ...posts.includes(path) || both.includes(path) ? [`-- @post ${path} :one`] : [],
  'select 1;', ''
]).join('\n')

module.exports = { FakeCore, source }
