'use strict'
// undercroft routes --client and --types: the module is loaded and asked, the declarations are compiled with it.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { once } = require('node:events')
const { pathToFileURL } = require('node:url')
const t = require('tap')
const { client } = require('../../lib/cli/routes/client')
const { namesOf, typeName } = require('../../lib/cli/routes/names')
const { types } = require('../../lib/cli/routes/types')
const { root, tmpdir } = require('../helper')
const { body, described, param, part, route } = require('./routes-described')

async function load (t, routes = described) {
  const file = path.join(tmpdir(t), 'api.mjs')
  fs.writeFileSync(file, client(routes))
  return import(pathToFileURL(file))
}

// A module whose fetch answers with what is asked for.
async function loadWith (t, answer) {
  const api = await load(t)
  const seen = []
  api.configure({
    base: 'https://api.example',
    fetch: async (url, init) => {
      seen.push({ url, ...init })
      const { status = 200, type = 'application/json', text = '' } = await answer(url, init) ?? {}
      return new Response(text === '' ? null : text, { status, headers: { 'content-type': type } })
    }
  })
  return { api, seen }
}

t.test('its size: 2.5 kB and a line a route', async (t) => {
  const head = client([])
  t.ok(head.length < 2560, `${head.length}`)
  t.equal(client(described).split('\n').length - head.split('\n').length, described.length)
  t.match(client(described), "\nexport const dmailUserQ = (params, options) => call('GET', '/dmail/user/q', params, options)\n")
  t.match(client(described), "\nexport const dmailUserAdd = (params, options) => call('POST', '/dmail/user/add', params, options, { x_tenant: 'x-tenant' })\n")
})

t.test('a function for each route', async (t) => {
  const api = await load(t)
  t.same(Object.keys(api).sort(), ['RequestError', 'ServiceError', 'configure', ...namesOf(described)].sort())
})

t.test('a GET has its parameters in the query', async (t) => {
  const { api, seen } = await loadWith(t, () => ({ text: '[{"id":1}]' }))
  t.same(await api.dmailUserQ({ name: 'a&b ü', age: 4, ps: undefined }), [{ id: 1 }])
  t.match(seen[0], { url: 'https://api.example/dmail/user/q?name=a%26b+%C3%BC&age=4', method: 'GET', body: undefined, headers: {}, credentials: 'same-origin' })
  await api.dmailBoard({ ids: [1, 2], filter: { a: [1] } })
  t.equal(seen[1].url, 'https://api.example/dmail/board?ids=1%2C2&filter=%7B%22a%22%3A%5B1%5D%7D')
  await api.dmailBoard()
  await api.dmailBoard(null)
  await api.dmailBoard({ ids: null })
  t.same(seen.slice(2).map(({ url }) => url), Array(3).fill('https://api.example/dmail/board'), 'a query has no null')
  t.notOk(seen.some(({ headers }) => 'content-type' in headers))
})

t.test('a POST has them in a JSON body, and some as headers', async (t) => {
  const { api, seen } = await loadWith(t, () => ({ text: '{"id":5}' }))
  t.same(await api.dmailUserAdd({ name: 'x', born: new Date(0), tags: null, more: undefined, x_tenant: 'u' }, { idempotencyKey: 'k', headers: { a: 'b' } }), { id: 5 })
  t.match(seen[0], { url: 'https://api.example/dmail/user/add', method: 'POST', headers: { 'content-type': 'application/json', 'x-tenant': 'u', 'idempotency-key': 'k', a: 'b' } })
  t.same(JSON.parse(seen[0].body), { name: 'x', born: '1970-01-01T00:00:00.000Z', tags: null })
  await api.postVersion()
  t.equal(seen[1].body, '{}', 'never nothing')
})

t.test('answers: JSON, text, nothing', async (t) => {
  const answers = [{ text: '' }, { type: 'text/plain; charset=utf-8', text: '1.2' }, { type: 'application/json; charset=utf-8', text: '7' }, { type: 'text/html', text: '<p>' }]
  const { api } = await loadWith(t, () => answers.shift())
  t.equal(await api.postVersion(), undefined)
  t.equal(await api.version(), '1.2')
  t.equal(await api.version(), 7)
  t.equal(await api.root(), '<p>')
})

t.test('400 and 500 are two errors', async (t) => {
  const answers = [
    { status: 400, type: 'text/plain', text: 'name: must have 1 to 64 characters\nage: must be an integer' }, { status: 400, type: 'text/plain', text: 'that name is taken' },
    { status: 429, text: 'busy' }, { status: 500, type: 'text/plain', text: 'internal error' }, { status: 503, text: 'busy' }
  ]
  const { api } = await loadWith(t, () => answers.shift())
  const errors = []
  for (let i = 0; i < 5; i++) await api.version().catch((err) => errors.push(err))
  t.same(errors.map(({ name, status, message }) => [name, status, message.split('\n')[0]]), [
    ['RequestError', 400, 'name: must have 1 to 64 characters'], ['RequestError', 400, 'that name is taken'], ['RequestError', 429, 'busy'], ['ServiceError', 500, 'internal error'], ['ServiceError', 503, 'busy']])
  t.same(errors[0].fields, { name: 'must have 1 to 64 characters', age: 'must be an integer' })
  t.same(errors[1].fields, {})
  t.ok(errors[0] instanceof api.RequestError && errors[3] instanceof api.ServiceError && !(errors[3] instanceof api.RequestError))
})

t.test('a real server: time-out, signal, headers of all calls', async (t) => {
  const server = http.createServer((req, res) => {
    if (req.url === '/version') return res.setHeader('content-type', 'text/plain') && res.end(req.headers.authorization)
    // It never answers.
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const api = await load(t)
  api.configure({ base: `http://127.0.0.1:${server.address().port}`, headers: { authorization: 'me' } })
  t.equal(await api.version(), 'me')
  await t.rejects(api.dmailBoard({}, { timeoutMs: 20 }), { name: 'TimeoutError' })
  api.configure({ timeoutMs: 20 })
  await t.rejects(api.dmailBoard(), { name: 'TimeoutError' })
  const stop = new AbortController()
  const call = api.dmailBoard({}, { signal: stop.signal, timeoutMs: 60_000 })
  stop.abort()
  await t.rejects(call, { name: 'AbortError' })
})

// ---- names -----------------------------------------------------------------

t.test('names are different, valid and in their order', async (t) => {
  const name = (...routes) => namesOf(routes.map((each) => { const [method, path] = each.split(' '); return { method, path } }))
  t.same(name('GET /', 'GET /a', 'POST /a', 'GET /a-b', 'GET /a/b', 'GET /aB', 'POST /c', 'GET /2x', 'GET /class', 'GET /call', 'GET /~', 'POST /class'),
    ['root', 'a', 'postA', 'aB', 'aB2', 'aB3', 'c', '_2x', '_class', '_call', 'root2', 'postClass'])
  t.same(name('GET /Users/All', 'GET /users/all'), ['usersAll', 'usersAll2'])
  t.same(['dmailUserQ', '_class', '_2x'].map(typeName), ['DmailUserQ', 'Class', '_2x'])
})

// ---- types -----------------------------------------------------------------

t.test('what the declarations say', async (t) => {
  const text = types(described)
  t.match(text, `export interface DmailUserQParams {
  name: string
  age: number
  /** the last id seen */
  id?: number
  /** page size */
  ps?: number
}
export interface DmailUserQRow {
  id: number | null
  name: string | null
  age: number | null
  score: number | null
  'x y': any
}
export type DmailUserQAnswer = DmailUserQRow[]
/**
 * The people of one name and age, a keyset page.
 * GET /dmail/user/q, user.sql:2
 */
export function dmailUserQ(params: DmailUserQParams, options?: CallOptions): Promise<DmailUserQAnswer>
`)
  t.match(text, "  state?: 'new' | 'it\\'s'\n  tags?: readonly string[] | null\n  kinds?: readonly ('a' | 'b')[] | null\n  born?: string | Date | null\n")
  t.match(text, 'export type DmailUserAddAnswer = DmailUserAddRow | undefined\n')
  t.match(text, 'export type DmailBoardAnswer = { users: DmailBoardRow_users | null, newest: DmailBoardRow_newest[], counted: DmailBoardRow_counted, version: string }\n')
  t.match(text, 'export type DmailPagesAnswer = { rows: DmailPagesRow[], next: Partial<DmailPagesRow> | null }\n')
  t.match(types([route('GET', '/x', { parts: [{ name: '', form: 'many' }] })]), 'export type XRow = Record<string, any>\nexport type XAnswer = XRow[]\n', 'where its columns are not known')
  t.match(text, 'export function version(params?: null, options?: CallOptions): Promise<VersionAnswer>\n')
  t.match(text, "  'GET /dmail/user/q': { params: DmailUserQParams, answer: DmailUserQAnswer }\n")
})

t.test('they compile, and hold a caller to them', async (t) => {
  const ts = require('typescript')
  const dir = tmpdir(t)
  const odd = route('GET', '/odd', { about: 'ends */ a comment', params: [body('a', 'integer', { about: '*/ x' })], parts: [part('many', { "it's": 'TEXT', 'new\nline': 'BLOB' })] })
  const all = [...described, odd, route('GET', '/odd2', { params: [param('z', 'json', { list: true })] })]
  fs.writeFileSync(path.join(dir, 'api.d.mts'), types(all))
  fs.writeFileSync(path.join(dir, 'good.mts'), `import { RequestError, configure, dmailUserAdd, dmailUserQ, dmailBoard, version, type Routes } from './api.mjs'
configure({ base: '/x', timeoutMs: 1 })
const rows = await dmailUserQ({ name: 'x', age: 1 })
const id: number | null | undefined = rows[0]?.id
await dmailUserAdd({ name: 'x', password: 'y', kinds: ['a'], born: new Date(), x_tenant: 'u' }, { idempotencyKey: 'k' })
const { users, newest } = await dmailBoard()
const text: string = await version(null, { timeoutMs: 1 })
type Q = Routes['GET /dmail/user/q']['params']
try { throw id } catch (err) { if (err instanceof RequestError) console.log(err.fields.name, err.status, users?.last, newest.length, text) }
export const q: Q = { name: '', age: 1 }
`)
  const wrong = ["dmailUserQ({ name: 'x' })", "dmailUserQ({ name: 'x', age: '1' })", "dmailUserQ({ name: 'x', age: 1, nonsense: 1 })", "dmailUserAdd({ name: 'x', password: '', x_tenant: '', state: 'old' })", 'dmailUserSet({ id: null })', '(await dmailUserAdd(undefined as any)).id', 'version({ a: 1 })']
  fs.writeFileSync(path.join(dir, 'bad.mts'), `import { dmailUserAdd, dmailUserQ, dmailUserSet, version } from './api.mjs'\n${wrong.map((line) => `${line}\n;`).join('')}export {}\n`)
  const program = ts.createProgram(['good.mts', 'bad.mts'].map((name) => path.join(dir, name)), {
    strict: true, noEmit: true, types: [], module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], typeRoots: [path.join(root, 'node_modules/none')]
  })
  const found = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => ({ file: path.basename(file?.fileName ?? ''), line: file?.getLineAndCharacterOfPosition(start).line, text: ts.flattenDiagnosticMessageText(messageText, '\n') }))
  t.same(found.filter(({ file }) => file !== 'bad.mts'), [])
  t.same([...new Set(found.filter(({ file }) => file === 'bad.mts').map(({ line }) => line))], wrong.map((_, i) => i + 1), 'each of them is one')
})
