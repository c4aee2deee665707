'use strict'

// @rate: what stays over a reload, whose address is counted, and the status.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { ask, ofServer } = require('./doors')
const { tmpdir } = require('../helper')

const text = `
-- @get /login :text
-- @rate 2/1h by ip
-- @public
select 'in';
`

async function routesOf (t, options) {
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'login.sql'), text)
  const store = undercroft.open(':memory:')
  t.teardown(() => store.close())
  const routes = store.routes(dir, options)
  await routes.ready
  return { routes, dir }
}

async function statuses (n, ask) {
  const out = []
  for (; n > 0; n--) out.push((await ask()).status)
  return out
}

t.test('a reload keeps what was counted', async (t) => {
  const { routes, dir } = await routesOf(t, { statuses: 'fine' })
  const login = () => routes.inject('GET', '/login')
  t.same(await statuses(1, login), [200])
  fs.writeFileSync(path.join(dir, 'login.sql'), `${text}\n-- @get /other :text\n-- @public\nselect 1;\n`)
  await routes.reload()
  t.same(await statuses(3, login), [200, 429, 429])
  const { headers, body } = await login()
  const seconds = Number(headers['retry-after'])
  t.ok(seconds > 0 && seconds <= 1800, 'half an hour at most')
  t.equal(body, `too many requests, try again in ${seconds} s`)
})

t.test('the caller\'s address, where a trusted proxy says it', async (t) => {
  const { routes } = await routesOf(t, { trustProxy: 'loopback' })
  const open = await ofServer(http.createServer(routes.node()))
  t.teardown(() => open.close())
  const from = (ip) => statuses(3, () => ask(open.to, { method: 'GET', target: '/login', headers: { 'X-Forwarded-For': ip } }))
  t.same(await from('192.0.2.1'), [200, 200, 400])
  t.same(await from('192.0.2.2'), [200, 200, 400])
  t.same(await from('2001:db8::1'), [200, 200, 400])
  t.same(await from('2001:db8::2'), [400, 400, 400], 'of IPv6 the network counts')
})

t.test('who lies about it is counted by the address that is known', async (t) => {
  const { routes } = await routesOf(t, { trustProxy: false })
  const open = await ofServer(http.createServer(routes.node()))
  t.teardown(() => open.close())
  let last = 0
  const lie = () => ask(open.to, { method: 'GET', target: '/login', headers: { 'X-Forwarded-For': `192.0.2.${++last}` } })
  t.same(await statuses(3, lie), [200, 200, 400])
})

t.test('callers without an address are counted together', async (t) => {
  const { routes } = await routesOf(t)
  const open = await ofServer(http.createServer(routes.node()), { path: path.join(tmpdir(t), 'http.sock') })
  t.teardown(() => open.close())
  t.same(await statuses(3, () => ask(open.to, { method: 'GET', target: '/login', headers: {} })), [200, 200, 400])
})
