'use strict'

// The file that `deploy init` writes, in a real nginx before the daemon's HTTP: who a caller is, what is
// counted, what is in the logs, and which session a cookie names.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const t = require('tap')
const { spawnSync } = require('node:child_process')
const { open } = require('../..')
const session = require('../../lib/kit/session')
const { nginx } = require('../../lib/cli/routes/nginx')
const { describe } = require('../../lib/cli/routes/describe')
const { startNginx } = require('./parts/nginx')
const { project, serve } = require('../http/server')
const { quick } = require('../kit/helper')
const { until } = require('../helper')

t.setTimeout(300_000)

const ROUTES = `-- @get /ip :text
-- @public
select :_ip;

-- @post /seldom :text
-- @public
-- @rate 2/1h by ip
select 'seldom';

-- @get /me :one
-- @auth
select :_user as user;

-- @get /reset :text
-- @public
-- @param key text secret
select length(:key);
`

const has = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).error === undefined

// One request from an address of this machine.
function ask (url, { from = '127.0.0.1', method = 'GET', target, headers = {} }) {
  return new Promise((resolve, reject) => {
    const type = method === 'POST' ? { 'Content-Type': 'application/json', 'Content-Length': 2 } : {}
    const req = http.request(`${url}${target}`, { method, localAddress: from, agent: false, headers: { ...type, ...headers } }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text) => { body += text }).on('end', () => resolve({ status: res.statusCode, headers: res.headers, body }))
    })
    req.on('error', reject).end(method === 'POST' ? '{}' : undefined)
  })
}

t.test('behind the gateway', { skip: !has && 'nginx is not installed' }, async (t) => {
  const folder = await project(t, ROUTES)
  fs.mkdirSync(path.join(folder, 'run'))
  const daemon = await serve(t, { dir: folder, http: `unix:${folder}/run/http.sock` })
  const store = open(daemon.url)
  t.teardown(() => store.close())
  await store.db.exec(session.migration.sqlite)
  const routes = await describe(path.join(folder, 'routes'), { db: path.join(folder, 'app.db'), migrations: null })
  const gateway = await startNginx({ app: 'shop', folder, ports: [1, 2], routes: nginx(routes, { app: 'shop', door: `unix:${folder}/run/http.sock` }) })
  t.teardown(() => gateway.stop())

  await t.test('a caller is the address that it comes from, and none that it claims', async (t) => {
    t.equal((await ask(gateway.url, { target: '/ip', from: '127.0.0.2' })).body, '127.0.0.2')
    for (const headers of [{ 'X-Forwarded-For': '9.9.9.9' }, { 'X-Forwarded-For': ['9.9.9.9', '8.8.8.8'] }, { Forwarded: 'for=9.9.9.9', 'X-Real-IP': '9.9.9.9' }]) {
      t.equal((await ask(gateway.url, { target: '/ip', from: '127.0.0.3', headers })).body, '127.0.0.3')
    }
  })

  await t.test('@rate by ip counts each caller, whatever it says of itself', async (t) => {
    const seldom = async (from, n) => (await ask(gateway.url, { method: 'POST', target: '/seldom', from, headers: { 'X-Forwarded-For': `9.9.9.${n}` } })).status
    const first = []
    for (let n = 0; n < 5; n++) first.push(await seldom('127.0.0.4', n))
    t.same(first, [200, 200, 400, 400, 400])
    t.same([await seldom('127.0.0.5', 1), await seldom('127.0.0.5', 2), await seldom('127.0.0.5', 3)], [200, 200, 400], 'another one has a count of its own')
  })

  await t.test('a session, by the cookie that belongs to the way it came', async (t) => {
    const sessions = session(store, { passwords: quick })
    const { token, id } = await sessions.create({ user: 7, roles: [] })
    const me = async (Cookie) => (await ask(gateway.url, { target: '/me', headers: { Cookie, 'X-Forwarded-Proto': 'https' } }))
    t.match(await me(`sid=${token}`), { status: 200, body: '{"user":7}', headers: { 'cache-control': /no-store/ } })
    t.match(await me(`__Host-sid=${token}`), { status: 400 }, 'nobody can say that it is https')
    await sessions.end(id)
    t.match(await me(`sid=${token}`), { status: 400, body: 'not logged in' })
  })

  await t.test('each answer has an id, which the logs have', async (t) => {
    const { headers } = await ask(gateway.url, { target: '/reset?key=hidden', headers: { 'X-Request-Id': 'mine' } })
    t.match(headers['x-request-id'], /^[\da-f]{32}$/, 'one of the gateway, once')
    t.equal((await ask(gateway.url, { target: '/none' })).status, 502, 'the service is not there')
    const lines = (name) => fs.readFileSync(path.join(gateway.dir, name), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
    await until(() => lines('shop.access.json').some(({ url }) => url === '/none'), 'the line is there')
    t.match(lines('shop.access.json').find(({ reqId }) => reqId === headers['x-request-id']), { url: '/reset', status: 200 })
    t.ok(lines('shop.posts.json').every(({ method, url }) => method === 'POST' && url === '/seldom'))
    t.equal(lines('shop.posts.json').length, 8)
    t.notMatch(fs.readFileSync(path.join(gateway.dir, 'shop.access.json'), 'utf8'), 'hidden')
  })
})
