'use strict'

// Sessions as the option user of routes, and in handlers beside them, through each way that a request
// comes by.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const t = require('tap')
const session = require('../../lib/kit/session')
const { Routes } = require('../../lib/routes')
const { FakeCore } = require('../routes/fake-core')
const { quick, withTable } = require('./helper')
const { tmpdir } = require('../helper')

async function made (t, options) {
  const store = await withTable(t)
  const sessions = session(store, { passwords: quick, limit: { tries: 3, pauseMs: 60_000 } })
  const hash = await sessions.hash('correct horse')
  const find = name => name === 'ada' ? { user: 7, roles: ['editor'], hash } : undefined
  const dir = path.join(tmpdir(t), 'routes')
  fs.mkdirSync(dir)
  fs.writeFileSync(path.join(dir, 'empty.sql'), '')
  const routes = new Routes(new FakeCore(), dir, { user: sessions.of, ...options })
  t.teardown(() => routes.close())
  const bare = cookie => ({ type: '', headers: { 'Set-Cookie': cookie } })
  routes
    .post('/login', { public: true }, async (body, context) => {
      const made = await sessions.login(context, body, find)
      if (made === null) context.refuse('wrong name or password')
      return context.reply('', bare(made.cookie))
    })
    .post('/logout', { public: true }, async (_, context) => context.reply('', bare(await sessions.logout(context))))
    .post('/password', { auth: true }, ({ password }) => sessions.hash(password).then(() => {}))
    .get('/me', { auth: true }, (_, { user, roles }) => ({ user, roles }))
    .get('/edit', { auth: ['editor'] }, () => ({ edited: true }))
    .get('/admin', { auth: ['admin'] }, () => ({ never: true }))
  return { sessions, routes }
}

const cookieOf = text => text.split(';')[0]

t.test('by inject', async (t) => {
  const { routes, sessions } = await made(t, { statuses: 'fine' })
  const post = (path, body = {}, headers = {}) => routes.inject('POST', path, { body, headers })
  t.match(await routes.inject('GET', '/me'), { status: 401 })
  t.match(await post('/login', { name: 'ada', password: 'wrong horse' }), { status: 400, body: 'wrong name or password' })
  const login = await post('/login', { name: 'ada', password: 'correct horse' })
  t.equal(login.status, 200)
  const headers = { cookie: cookieOf(login.headers['set-cookie']) }
  t.match(await routes.inject('GET', '/me', { headers }), { status: 200, body: '{"user":7,"roles":["editor"]}' })
  t.match(await routes.inject('GET', '/edit', { headers }), { status: 200 })
  t.match(await routes.inject('GET', '/admin', { headers }), { status: 403 })
  t.match(await post('/password', { password: 'short' }, headers), { status: 400, body: 'password: must have at least 8 characters' })
  await sessions.setRoles(7, ['admin'])
  t.match(await routes.inject('GET', '/admin', { headers }), { status: 200 }, 'other rights at once')
  t.match(await post('/logout', {}, headers), { headers: { 'set-cookie': /Max-Age=0/ } })
  t.match(await routes.inject('GET', '/me', { headers }), { status: 401 })
  for (let i = 0; i < 3; i++) await post('/login', { name: 'eve', password: 'wrong horse' })
  t.match(await post('/login', { name: 'eve', password: 'wrong horse' }), { status: 429, body: /^too many tries: again in \d+ s$/, headers: { 'retry-after': /^\d+$/ } })
})

t.test('by node:http and by fetch', async (t) => {
  const { routes } = await made(t)
  const server = http.createServer(routes.node())
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${server.address().port}`
  for (const ask of [(path, init) => fetch(`${url}${path}`, init), (path, init) => routes.fetch(new Request(`${url}${path}`, init))]) {
    const login = await ask('/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"ada","password":"correct horse"}' })
    t.equal(login.status, 200)
    const cookie = cookieOf(login.headers.get('set-cookie'))
    t.match(cookie, /^sid=/)
    t.equal(await (await ask('/me', { headers: { cookie } })).text(), '{"user":7,"roles":["editor"]}')
    t.equal((await ask('/me')).status, 400)
    t.equal((await ask('/me', { headers: { cookie: `${cookie}; sid=${'x'.repeat(43)}` } })).status, 400)
  }
  const secure = await routes.fetch(new Request('https://h/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"ada","password":"correct horse"}' }))
  t.match(secure.headers.get('set-cookie'), /^__Host-sid=.*; Secure$/)
})
