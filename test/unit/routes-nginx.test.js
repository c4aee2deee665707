'use strict'
// undercroft routes --nginx: what is written, and a real nginx that runs it inside of deploy's site.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')
const { execFileSync, spawn } = require('node:child_process')
const t = require('tap')
const nginxConf = require('../../deploy/templates/nginx.conf')
const { nginx } = require('../../lib/cli/routes/nginx')
const { tmpdir, until } = require('../helper')
const { described, route } = require('./routes-described')

const program = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find((file) => fs.existsSync(file))

t.test('what goes into http', async (t) => {
  t.equal(nginx(described, { app: '2048-shop', door: '127.0.0.1:4000' }).http, `# The routes of 2048-shop: written by \`npx undercroft routes --nginx http\`, goes beside the site, to
# /etc/nginx/conf.d/2048-shop.routes.conf. Do not edit: what is your own is in deploy/nginx.conf.

upstream 2048_shop_routes {
    server 127.0.0.1:4000 max_fails=0;
    keepalive 16;
    keepalive_timeout 5s;
}

# A POST is never sent twice. So it takes no connection that the door may be about to close.
upstream 2048_shop_posts {
    server 127.0.0.1:4000 max_fails=0;
}

map $request_method $app_2048_shop_routes {
    default 2048_shop_routes;
    POST 2048_shop_posts;
}

# Who answers: in \`location /\`, proxy_pass http://$app_2048_shop_door;
map $uri $app_2048_shop_door {
    default 2048_shop;
    "/" $app_2048_shop_routes;
    "/delete" $app_2048_shop_routes;
    "/dmail/board" $app_2048_shop_routes;
    "/dmail/pages" $app_2048_shop_routes;
    "/dmail/user/add" $app_2048_shop_routes;
    "/dmail/user/one" $app_2048_shop_routes;
    "/dmail/user/q" $app_2048_shop_routes;
    "/dmail/user/set" $app_2048_shop_routes;
    "/login" $app_2048_shop_routes;
    "/version" $app_2048_shop_routes;
}

# What a log may have of a target: no query with a parameter that is secret.
map "$request_method $uri" $app_2048_shop_url {
    default $request_uri;
}

# What depends on who is logged in is in no cache that others share: in \`location /\`,
# add_header Cache-Control $app_2048_shop_store always;
map "$request_method $uri" $app_2048_shop_store {
    default "";
    "POST /dmail/user/add" no-store;
    "POST /dmail/user/set" no-store;
    "GET /dmail/user/one" no-store;
    "HEAD /dmail/user/one" no-store;
    "GET /dmail/pages" no-store;
    "HEAD /dmail/pages" no-store;
    "POST /version" no-store;
}

# @rate 10/1m ip
map "$request_method $uri" $app_2048_shop_rate_1 {
    default "";
    "POST /dmail/user/add" $binary_remote_addr;
    "POST /login" $binary_remote_addr;
}
limit_req_zone $app_2048_shop_rate_1 zone=2048_shop_rate_1:1m rate=10r/m;

# @rate 5/1h ip
map "$request_method $uri" $app_2048_shop_rate_2 {
    default "";
    "GET /version" $binary_remote_addr;
}
limit_req_zone $app_2048_shop_rate_2 zone=2048_shop_rate_2:1m rate=1r/m;
`)
})

t.test('what goes into the server', async (t) => {
  const { server } = nginx(described, { app: 'shop', door: '127.0.0.1:4000' })
  t.equal(server, `# The limits of shop: written by \`npx undercroft routes --nginx server\`; in the site's server block,
# include /etc/nginx/shop.routes;

limit_req zone=shop_rate_1 burst=10 nodelay;
limit_req zone=shop_rate_2 burst=5 nodelay;
limit_req_status 429;
error_page 429 = @shop_limited;
location @shop_limited {
    default_type text/plain;
    return 400 "too many requests\\n";
}
`)
  t.match(nginx(described, { app: 'shop', door: 'x', fine: true }).server, 'return 429 ')
  t.match(nginx([route('GET', '/', { public: true })], { app: 'shop', door: 'x' }).server, '\n# No route has @rate by ip.\nlimit_req_status 429;')
})

t.test('a limit is never less than that of the core', async (t) => {
  for (const [n, everyMs, rate] of [[1, 1000, '1r/s'], [3, 2000, '2r/s'], [59, 60_000, '59r/m'], [60, 60_000, '1r/s'], [61, 60_000, '2r/s'], [1, 86_400_000, '1r/m'], [1000, 500, '2000r/s'], [7, 90_000, '5r/m']]) {
    const { http } = nginx([route('GET', '/', { public: true, rate: { n, everyMs, by: 'ip' } })], { app: 'a', door: 'x' })
    t.match(http, ` rate=${rate};`, `${n} in ${everyMs} ms`)
  }
})

t.test('a path that a map would read in another way is in quotes', async (t) => {
  const { http } = nginx([route('GET', '/~a', { public: true }), route('GET', '/a~', { public: true })], { app: 'a', door: 'x' })
  t.match(http, '    "/a~" $app_a_routes;\n    "/~a" $app_a_routes;\n')
})

t.test('what is secret in a query is in no log', async (t) => {
  const { http } = nginx([route('GET', '/reset', { public: true, params: [{ name: 'key', secret: true }] }), route('POST', '/login', { public: true, params: [{ name: 'password', secret: true }] })], { app: 'a', door: 'x' })
  t.match(http, '    default $request_uri;\n    "GET /reset" $uri;\n    "HEAD /reset" $uri;\n}')
})

// ---- a real one ------------------------------------------------------------

const freePort = async () => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function backend (t, name) {
  const server = http.createServer((req, res) => res.end(`${name} ${req.url}`)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return server.address().port
}

t.test('nginx takes it, splits the paths and limits', { skip: program === undefined && 'there is no nginx here' }, async (t) => {
  const dir = tmpdir(t)
  const file = (name) => path.join(dir, name)
  const [door, node, port] = [await backend(t, 'door'), await backend(t, 'node'), await freePort()]
  const long = `/${'a'.repeat(200)}.b`
  const secret = route('GET', '/reset', { public: true, params: [{ name: 'key', secret: true }] })
  const routes = nginx([...described, secret, route('GET', long, { public: true })], { app: 'shop', door: `127.0.0.1:${door}` })
  const site = nginxConf({ app: 'shop', folder: dir, ports: [node], mode: 'ports', listen: `127.0.0.1:${port}`, logs: dir, routes, origins: ['https://www.example.com'] })
  fs.writeFileSync(file('nginx.conf'), `daemon off; worker_processes 1; pid ${file('pid')}; error_log ${file('error.log')};
events {}
http {
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${file(`${name}_temp`)};`).join('\n')}
${site}
}
`)
  const args = ['-p', dir, '-e', file('error.log'), '-c', file('nginx.conf')]
  try {
    execFileSync(program, [...args, '-t'], { stdio: 'pipe', encoding: 'utf8' })
    t.pass('nginx -t')
  } catch (err) {
    return t.fail(err.stderr)
  }
  const proc = spawn(program, args, { stdio: 'ignore' })
  t.teardown(async () => {
    proc.kill('SIGTERM')
    if (proc.exitCode === null) await once(proc, 'exit')
  })
  const ask = (target, init) => fetch(`http://127.0.0.1:${port}${target}`, init)
  const up = () => ask('/up').then(() => true, () => false)
  let isUp = false
  await until(() => { up().then((yes) => { isUp ||= yes }); return isUp }, 'it listens')

  for (const [target, who] of [['/dmail/user/q?name=2---&age=4', 'door'], ['/', 'door'], ['/dmail/user', 'node'], ['/dmail/user/q/', 'node'], ['/other', 'node'], ['/dmail/user%2fq', 'door']]) {
    t.equal(await (await ask(target)).text(), `${who} ${target}`)
  }
  t.equal((await ask('/dmail/user/one?id=1')).headers.get('cache-control'), 'no-store')
  t.equal((await ask('/dmail/user/q')).headers.get('cache-control'), null)

  t.equal(await (await ask(long)).text(), `door ${long}`)
  t.equal(await (await ask(long.replace('.b', 'xb'))).text(), `node ${long.replace('.b', 'xb')}`)

  // Routes answer preflights by themselves, and know their methods; nginx does for the service.
  const origin = 'https://www.example.com'
  const preflight = { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } }
  t.equal((await ask('/login', preflight)).headers.get('access-control-allow-origin'), null)
  t.equal((await ask('/other', preflight)).headers.get('access-control-allow-origin'), origin)
  t.equal((await ask('/other', { headers: { origin } })).headers.get('access-control-allow-origin'), origin)
  t.match((await ask('/other')).headers.get('x-request-id'), /^[\da-f]{32}$/)

  await ask('/reset?key=hidden')
  await ask('/other', { headers: { referer: `http://127.0.0.1:${port}/reset?key=hidden` } })
  await ask('/other?key=shown')
  await ask('/other', { method: 'POST', body: 'x' })
  const log = (name) => fs.readFileSync(file(name), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  await until(() => log('shop.access.json').some(({ method }) => method === 'POST'), 'the line is there')
  const urls = log('shop.access.json').map(({ url }) => url)
  t.ok(log('shop.access.json').some(({ referer }) => referer === `http://127.0.0.1:${port}/reset`))
  t.notMatch(fs.readFileSync(file('shop.access.json'), 'utf8'), 'hidden')
  t.ok(urls.includes('/reset') && urls.includes('/other?key=shown') && !urls.includes('/reset?key=hidden'))
  t.same(log('shop.posts.json').map(({ method, url }) => [method, url]), [['POST', '/other']])

  const answers = []
  for (let i = 0; i < 20; i++) answers.push(await ask('/login', { method: 'POST', body: '{}' }))
  t.ok(answers.filter(({ status }) => status === 200).length >= 10, 'as many as @rate says')
  const late = answers.at(-1)
  t.match([late.status, late.headers.get('content-type'), await late.text()], [400, /^text\/plain/, 'too many requests\n'])
  t.equal((await ask('/login')).status, 200, 'a GET of that path is not limited')
  t.equal((await ask('/dmail/board')).status, 200)
})
