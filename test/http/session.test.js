'use strict'

// Sessions that JavaScript makes, read by the daemon's HTTP: whoever ends one, or changes it, has done so
// for the very next request.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const session = require('../../lib/kit/session')
const { random, newSeed } = require('../random')
const { project, serve, ask, raw } = require('./server')
const { doors: mounts } = require('../routes/doors')
const { quick } = require('../kit/helper')
const { fileTimeoutMs, until } = require('../helper')

t.setTimeout(fileTimeoutMs)

const ROUTES = `-- @get /me :one
-- @auth
select :_user as user, :_roles as roles;

-- @get /edit :text
-- @auth editor
select 'edited';

-- @get /perhaps :one
-- @public
select :_user as user;

-- @get /open :text
-- @public
select 'open';

-- @post /add :one
-- @auth
-- @param n integer
insert into t values (:n) returning n;

-- @get /count :text
-- @auth
select count(*) from t;
`

const SOMEBODY = { user: 7, roles: ['editor'] }
const REFUSED = { status: 401, body: 'not logged in' }

/** -> { daemon, store, sessions, me(token), login(who) }; table false: without the table of sessions; logs: in dir. */
async function serving (t, { args = [], table = true, target = null, unix = false, logs = false, ...options } = {}) {
  const dir = await project(t, ROUTES)
  const daemon = await serve(t, { dir, http: unix ? undefined : '127.0.0.1:0', args: ['--http-statuses', 'fine', ...logs ? ['--log-dir', path.join(dir, 'logs')] : [], ...args] })
  const store = open(target === 'file' ? path.join(dir, 'app.db') : daemon.url)
  t.teardown(() => store.close())
  if (table) await store.db.exec(session.migration.sqlite)
  const sessions = session(store, { passwords: quick, ...options })
  const get = (target, cookie, headers) => ask(daemon.to, { target, headers: { ...cookie === undefined ? {} : { Cookie: cookie }, ...headers } })
  return {
    dir,
    daemon,
    store,
    sessions,
    get,
    me: (token) => get('/me', `sid=${token}`),
    login: (who = SOMEBODY) => sessions.create(who)
  }
}

t.test('who is logged in, and what that allows', async (t) => {
  const { get, me, login } = await serving(t)
  const { token } = await login()
  const cookie = `theme=dark; sid=${token}`
  t.match(await me(token), { status: 200, body: '{"user":7,"roles":"[\\"editor\\"]"}' })
  t.match(await get('/edit', cookie), { status: 200, body: 'edited' })
  t.match(await get('/perhaps', cookie), { body: '{"user":7}' }, 'a public route that wants to know')
  t.match(await get('/perhaps'), { body: '{"user":null}' })
  t.match(await get('/open', cookie), { status: 200, body: 'open' })
  t.match(await get('/me'), REFUSED)
  t.match(await get('/nowhere', cookie), { status: 404 })
  const bob = await login({ user: 'bob', roles: [] })
  t.match(await me(bob.token), { body: '{"user":"bob","roles":"[]"}' })
  t.match(await get('/edit', `sid=${bob.token}`), { status: 403, body: 'not allowed' })
  t.match(await me((await login({ user: 'Zoë "x"', roles: ['a"b', '€'] })).token), { body: JSON.stringify({ user: 'Zoë "x"', roles: '["a\\"b","€"]' }) })
  t.match(await me(token.replace(/^./, (c) => c === 'A' ? 'B' : 'A')), REFUSED, 'another token')
})

for (const [name, options] of [['with the cache', {}], ['without a cache', { args: ['--set', 'cacheBytes=0'] }]]) {
  t.test(`what is changed is so for the next request, ${name}`, async (t) => {
    const { store, sessions, me, get, login } = await serving(t, options)
    const ways = [
      ['end', ({ id }) => sessions.end(id)],
      ['end, of his own', ({ id }) => sessions.end(id, 7)],
      ['endAll', () => sessions.endAll(7)],
      ['endOthers', async () => sessions.endOthers(await login())],
      ['logout', ({ token }) => sessions.logout({ headers: { cookie: `sid=${token}` }, socket: {} })],
      ['SQL', () => store.db.run('delete from session')],
      ['the end of its time', () => store.db.run('update session set expires = ?', [Date.now()])],
      ['a transaction', () => store.db.transaction(async (tx) => { await tx.run('delete from session') })]
    ]
    for (let round = 0; round < 5; round++) {
      for (const [way, end] of ways) {
        const made = await login()
        const before = await me(made.token)
        const again = await me(made.token)
        await end(made)
        const after = await me(made.token)
        if (before.status !== 200 || again.status !== 200 || after.status !== 401) return t.fail(`${way}, round ${round}: ${before.status} ${again.status} ${after.status}`)
      }
    }
    const { token } = await login()
    t.match(await get('/edit', `sid=${token}`), { status: 200 })
    for (let round = 0; round < 10; round++) {
      await sessions.setRoles(7, ['guest', `r${round}`])
      t.match(await get('/edit', `sid=${token}`), { status: 403 })
      t.match(await me(token), { body: `{"user":7,"roles":"[\\"guest\\",\\"r${round}\\"]"}` })
      await sessions.setRoles(7, ['editor'])
      t.match(await get('/edit', `sid=${token}`), { status: 200 })
    }
    t.match(await me(other), REFUSED)
    await store.db.run('insert into session(key, id, "user", roles, created, seen, expires) values (?, ?, ?, ?, 0, 0, ?)', [...placeOf(other), 9, '[]', Date.now() + 1e6])
    t.match(await me(other), { status: 200 }, 'that there was none is not kept')
  })
}

const other = 'iU7eiu_aWDo7D-6w5-K-Wz2Znp8hXSqUccYBUcFhKMc'

function placeOf (token) {
  const id = require('node:crypto').createHash('sha256').update(token).digest()
  return [id.readBigInt64BE(0), id]
}

t.test('another process writes to the file itself', async (t) => {
  const { sessions, me, login } = await serving(t, { target: 'file' })
  const { token, id } = await login()
  await until(async () => (await me(token)).status === 200, 'it is logged in')
  await sessions.end(id)
  await until(async () => (await me(token)).status === 401, 'it is not any more')
  t.pass('as soon as the daemon has seen it')
})

t.test('a session ends by its time, though nobody writes', async (t) => {
  const { me, login } = await serving(t, { idleMs: 1000 })
  const { token } = await login()
  t.match(await me(token), { status: 200 })
  await until(async () => (await me(token)).status === 401, 'it is over')
})

t.test('the door moves no end', async (t) => {
  const { store, me, login } = await serving(t, { touchMs: 0, now: () => Date.now() - 60_000 })
  const { token } = await login()
  const before = await store.db.get('select seen, expires from session')
  for (let i = 0; i < 3; i++) t.match(await me(token), { status: 200 })
  t.same(await store.db.get('select seen, expires from session'), before)
})

t.test('a database without the table has nobody who is logged in', async (t) => {
  const { daemon, store, me, get, login } = await serving(t, { table: false })
  const cookie = `sid=${other}`
  for (let i = 0; i < 3; i++) t.match(await me(other), REFUSED)
  t.match(await get('/perhaps', cookie), { status: 200, body: '{"user":null}' })
  t.match(await get('/open', cookie), { status: 200 })
  t.equal(daemon.stderr.split('there is no table session').length, 2, 'it is said once')
  await store.db.exec(session.migration.sqlite)
  t.match(await me((await login()).token), { status: 200 }, 'a migration needs no restart')
  await store.db.exec('drop table session')
  t.match(await me(other), REFUSED)
})

t.test('a row that is none of ours', async (t) => {
  const { daemon, store, me, login } = await serving(t)
  const { token } = await login()
  for (const [column, value] of [['roles', '{}'], ['roles', 'no json'], ['roles', '[1]'], ['"user"', 1.5], ['"user"', Buffer.from('x')]]) {
    await store.db.run(`update session set ${column} = ?`, [value])
    t.match(await me(token), { status: 500, body: 'internal error' }, `${column} ${value}`)
    t.match(await me(token), { status: 500 }, 'again')
  }
  t.match(daemon.stderr, /a session could not be read: its row/)
  await store.db.run('update session set "user" = 8, roles = ?', ['["x"]'])
  t.match(await me(token), { status: 200, body: '{"user":8,"roles":"[\\"x\\"]"}' })
})

t.test('the name of the cookie, and none', async (t) => {
  const named = await serving(t, { args: ['--http-session', 'shop'], name: 'shop' })
  const { token } = await named.login()
  t.match(await named.get('/me', `shop=${token}`), { status: 200 })
  t.match(await named.get('/me', `sid=${token}`), REFUSED)
  const off = await serving(t, { args: ['--http-session='] })
  t.match(await off.me((await off.login()).token), REFUSED)
})

t.test('behind https only what a browser has from this very host', async (t) => {
  const { get, login } = await serving(t, { unix: true })
  const { token } = await login()
  const https = { 'X-Forwarded-Proto': 'https' }
  const is = async (status, cookie, headers) => t.match(await get('/me', cookie, headers), { status }, `${cookie.slice(0, 12)} ${JSON.stringify(headers)}`)
  await is(401, `sid=${token}`, https)
  await is(200, `__Host-sid=${token}`, https)
  await is(401, `__Host-sid=${token}`)
  await is(200, `sid=${token}`)
  await is(200, `sid=${token}`, { 'X-Forwarded-Proto': 'http' })
  await is(200, `sid=${token}`, { 'X-Forwarded-Proto': ['https', 'http'] })
  const port = await serving(t)
  const made = await port.login()
  t.match(await port.get('/me', `sid=${made.token}`, https), { status: 200 }, 'a stranger is not believed')
  const secure = await serving(t, { args: ['--http-secure'] })
  const own = await secure.login()
  t.match(await secure.get('/me', `sid=${own.token}`), REFUSED)
  t.match(await secure.get('/me', `__Host-sid=${own.token}`), { status: 200 })
})

t.test('a thousand cookies are read as JavaScript reads them', async (t) => {
  const { dir, store, sessions, get, login } = await serving(t, { unix: true })
  const routes = store.routes(path.join(dir, 'routes'), { user: sessions.of, statuses: 'fine' })
  await routes.ready
  const mount = await mounts.find(({ name }) => name === 'node, unix socket').start(routes, t)
  t.teardown(() => mount.close())
  const [mine, his] = [(await login()).token, (await login({ user: 'bob', roles: ['guest'] })).token]
  const seed = newSeed()
  t.comment(`UNDERCROFT_SEED=${seed}`)
  const next = random(seed)
  const bits = ['sid', '=', '; ', ' ', '\t', '"', mine, mine, his, mine.slice(1), 'a', ',', 'é', '__Host-', 'sid=', `sid=${mine}`, `; sid="${mine}"`, `__Host-sid=${his};`]
  const found = { 200: 0, 401: 0 }
  for (let i = 0; i < 1000; i++) {
    const cookie = Array.from({ length: 1 + next(8) }, () => bits[next(bits.length)]).join('').trim()
    const headers = next(4) === 0 ? { 'X-Forwarded-Proto': 'https' } : {}
    const wanted = await mount.request({ method: 'GET', target: '/me', headers: { Host: 'localhost', Cookie: cookie, ...headers } })
    const got = await get('/me', cookie, headers)
    if (got.status !== wanted.status || got.body !== wanted.body) return t.fail(JSON.stringify({ i, cookie, headers, got: got.body, wanted: wanted.body }))
    found[got.status]++
  }
  t.ok(found[200] > 50 && found[401] > 50, `of both kinds: ${JSON.stringify(found)}`)
})

t.test('many at once for a session that nobody has read yet', async (t) => {
  const { me, store, login } = await serving(t)
  for (let round = 0; round < 5; round++) {
    const { token } = await login()
    const all = await Promise.all(Array.from({ length: 40 }, () => me(token)))
    t.same([...new Set(all.map(({ status }) => status))], [200])
    const none = await Promise.all(Array.from({ length: 40 }, () => me(other)))
    t.same([...new Set(none.map(({ status }) => status))], [401])
  }
  const { entries } = await store.cache.stats()
  t.ok(entries <= 5, 'a token that somebody has made up takes no room')
})

t.test('requests of one connection run in their order', async (t) => {
  const { daemon, login } = await serving(t)
  const cookie = `Cookie: sid=${(await login()).token}\r\n`
  const get = (target, own = '') => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${own}\r\n`
  const post = (n) => `POST /add HTTP/1.1\r\nHost: localhost\r\n${cookie}Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"n":${n}}`
  let bytes = ''
  for (let i = 1; i < 10; i++) bytes += post(i) + get('/count', cookie) + get('/open')
  const text = await raw(daemon.to, bytes)
  const bodies = text.split(/HTTP\/1\.1 /).slice(1).map((answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4))
  t.equal(bodies.length, 27)
  for (let i = 0; i < 9; i++) {
    const [added, count, last] = bodies.slice(3 * i)
    t.same([added, last], [`{"n":${i + 1}}`, 'open'])
    t.ok(Number(count) > i, 'it sees what was sent before it')
  }
})

t.test('reloads lose no request that waits for its session', async (t) => {
  const { daemon, me, login } = await serving(t)
  const found = {}
  let goesOn = true
  async function client () {
    while (goesOn) {
      const { token } = await login()
      for (let i = 0; i < 3; i++) {
        const { status } = await me(token)
        found[status] = (found[status] ?? 0) + 1
      }
    }
  }
  const clients = Array.from({ length: 4 }, client)
  const read = () => daemon.stderr.split('read again').length - 1
  for (let n = 1; n <= 30; n++) {
    daemon.proc.kill('SIGHUP')
    await until(() => read() >= n, 'it has read them')
  }
  goesOn = false
  await Promise.all(clients)
  t.same(Object.keys(found), ['200'], JSON.stringify(found))
})

t.test('no log has a token', async (t) => {
  const { dir, daemon, store, get, login } = await serving(t, { logs: true })
  const { token } = await login()
  const cookie = `sid=${token}`
  await get('/me', cookie)
  await ask(daemon.to, { method: 'POST', target: '/add', body: '{"n":1}', headers: { Cookie: cookie } })
  await store.db.run('update session set roles = 7')
  await get('/me', cookie)
  await store.db.exec('drop table session')
  await get('/me', cookie)
  await raw(daemon.to, `GET /me HTTP/1.1\r\nHost: localhost\r\nCookie: ${cookie}\r\nCookie\r\n: x\r\n\r\n`)
  await store.close()
  t.equal((await daemon.stop()).code, 0)
  const logs = path.join(dir, 'logs')
  const files = fs.readdirSync(logs, { recursive: true }).map((name) => path.join(logs, name)).filter((file) => fs.statSync(file).isFile())
  const text = files.map((file) => fs.readFileSync(file, 'latin1')).join('') + daemon.stderr
  t.match(text, /"user":7.*"audit"/, 'there are lines, which say who it was')
  t.notOk(text.includes(token.slice(4, 30)))
})
