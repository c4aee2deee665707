'use strict'

// The same requests through every door to the core: in this process, behind a daemon, and the
// daemon's own HTTP.

const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { doors: mounts, ask } = require('./doors')
const { schema, vectors } = require('./core-vectors')
const session = require('../../lib/kit/session')
const { program: gateway, startGateway } = require('../http/gateway')
const { tmpdir, tmpfile, startDaemon, until } = require('../helper')

const app = path.join(__dirname, 'app')
// Who is logged in is a header to a mount, whose option `user` reads it, and a session to the daemon.
const who = { user: (caller) => caller.header('x-user') === undefined ? null : JSON.parse(caller.header('x-user')) }

async function filled (t) {
  const file = tmpfile(t)
  const store = undercroft.open(file)
  await store.db.exec(schema)
  await store.db.exec(session.migration.sqlite)
  await store.close()
  return file
}

async function mounted (t, target, start) {
  const store = undercroft.open(target)
  t.teardown(() => store.close())
  const routes = store.routes(app, who)
  await routes.ready
  const open = await start(routes, t)
  t.teardown(() => open.close())
  return open
}

const mount = (name) => mounts.find((door) => door.name === name)

const doors = [
  ...mounts.map(({ name, start }) => ({ name, start: async (t) => mounted(t, await filled(t), start) })),
  {
    name: 'inject, behind a daemon',
    async start (t) {
      const daemon = startDaemon(t, ['--db', await filled(t)])
      return mounted(t, daemon.url, mount('inject').start)
    }
  },
  { name: 'the daemon, a unix socket', start: (t) => daemonHttp(t, null) },
  { name: 'the daemon, a port', start: (t) => daemonHttp(t, '127.0.0.1:0') },
  ...gateway === null
    ? []
    : [{ name: 'the daemon, behind nginx', start: (t) => daemonHttp(t, null, async ({ socketPath }) => (await startGateway(t, socketPath)).to) }]
]

// The daemon's own HTTP, and sessions that are made beside it.
async function daemonHttp (t, address, behind = (to) => to) {
  const socketPath = path.join(tmpdir(t), 'http.sock')
  const daemon = startDaemon(t, ['--db', await filled(t), '--http', address ?? `unix:${socketPath}`, '--routes', app])
  await until(() => daemon.over || /serving \d+ routes/.test(daemon.stderr), 'it serves')
  const store = undercroft.open(daemon.url)
  t.teardown(() => store.close())
  const sessions = session(store)
  const to = await behind(address === null ? { socketPath } : { host: '127.0.0.1', port: Number(/http:\/\/[^\s]*:(\d+)$/m.exec(daemon.stderr)[1]) })
  return {
    request: (vector) => ask(to, vector),
    login: async (who) => ({ Cookie: `sid=${(await sessions.create(who)).token}` })
  }
}

function asked ({ method = 'GET', target, headers = {}, body }, login) {
  const all = { Host: 'localhost', ...headers, ...login }
  if (body === undefined || typeof body === 'string') return { method, target, headers: all, body }
  return { method, target, headers: { 'Content-Type': 'application/json', ...all }, body: JSON.stringify(body) }
}

function compare (t, { name, status, type = '', text, like, answer = {} }, got) {
  const found = { status: got.status, type: got.headers['content-type'] ?? '', body: got.body.trimEnd() }
  const wanted = { status, type, body: like !== undefined ? found.body : typeof text === 'string' ? text : JSON.stringify(text) }
  t.same(found, wanted, name)
  if (like !== undefined) t.match(got.body, like, name)
  for (const [header, value] of Object.entries(answer)) t[value instanceof RegExp ? 'match' : 'equal'](got.headers[header], value, `${name}: ${header}`)
}

if (gateway === null) t.comment('left out: there is no nginx here, to stand in front of the daemon')

// The ETags of earlier answers.
function withTag (vector, kept) {
  if (vector.of === undefined) return vector
  return { ...vector, headers: { ...vector.headers, 'If-None-Match': vector.with(kept.get(vector.of)) } }
}

function keepTag (t, { name, keeps }, { headers: { etag } }, kept) {
  if (keeps === null) t.equal(etag, undefined, `${name}: no tag`)
  if (typeof keeps !== 'string') return
  t.match(etag, /^"[\da-f]{16}-[\da-f]{32}"$/, `${name}: a tag`)
  kept.set(keeps, etag)
}

for (const door of doors) {
  t.test(door.name, async (t) => {
    const { request, login = (who) => ({ 'X-User': JSON.stringify(who) }) } = await door.start(t)
    const kept = new Map()
    for (const vector of vectors) {
      const { user = null, roles = [] } = vector
      const got = await request(asked(withTag(vector, kept), user === null ? {} : await login({ user, roles })))
      compare(t, vector, got)
      keepTag(t, vector, got, kept)
    }
  })
}
