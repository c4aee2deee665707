'use strict'

// deploy init: what it writes can be read again by what reads it, and what is there stays.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { spawnSync } = require('node:child_process')
const { load } = require('../../deploy/config')
const { survey } = require('../../deploy/files/manifest')
const { SCRIPTS, init } = require('../../deploy/init')
const { failure, tmpdir } = require('../helper')
const { startNginx } = require('./parts/nginx')
const nginxConf = require('../../deploy/templates/nginx.conf')
const unit = require('../../deploy/templates/unit')
const { nginx } = require('../../lib/cli/routes/nginx')
const { route } = require('../unit/routes-described')

t.setTimeout(300_000)

// -> { read(name), dir, run(options) }, a folder of its own
function project (t, name, files = {}) {
  const dir = path.join(tmpdir(t), name)
  fs.mkdirSync(dir)
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text)
  const said = []
  const report = { answer: (value, text) => said.push(text) }
  return {
    dir,
    said,
    run: (options = {}) => init(options, { report }, dir),
    read: (name) => fs.readFileSync(path.join(dir, name), 'utf8'),
    names: () => fs.readdirSync(dir, { recursive: true }).sort()
  }
}

const has = (program, ...args) => spawnSync(program, args, { stdio: 'ignore' }).error === undefined

t.test('what it writes is a valid configuration', async (t) => {
  for (const [name, pkg, options, wanted] of [
    ['plain', { name: 'shop' }, {}, { app: 'shop', folder: '/srv/shop', hosts: [{ user: 'deploy', host: 'host.example.com' }] }],
    ['scoped', { name: '@team/My_Shop.API', type: 'module', main: './src/server.js' }, {}, { app: 'my-shop-api', start: ['server.js'] }],
    ['odd name', undefined, {}, { app: 'odd-name', runtime: { name: 'node' } }],
    ['told', { name: 'x' }, { app: 'told', host: ['me@a:23', '[::1]:24'], folder: '/opt/told/', runtime: 'bun', origin: ['https://a.example', 'http://localhost:3000'] },
      { app: 'told', folder: '/opt/told', runtime: { name: 'bun' }, hosts: [{ user: 'me', host: 'a', port: 23 }, { host: '::1', port: 24 }] }],
    ['built', { name: 'built', scripts: { build: 'tsc' } }, {}, { build: { command: 'npm run build', where: 'here' } }]
  ]) {
    const { dir, run } = project(t, name, pkg && { 'package.json': `${JSON.stringify(pkg, null, 2)}\n` })
    const { written, kept } = await run(options)
    t.equal(written.length, 4, `${name}: four files`)
    t.same(kept, [])
    const config = await load({ cwd: dir })
    const { hosts, ...fields } = wanted
    t.match(config.forHost(0), fields, name)
    if (hosts !== undefined) t.match(config.hosts, hosts, name)
  }
})

t.test('databases and logs stay here, wherever they are', async (t) => {
  for (const from of [null, '../../examples/deployed/deploy.config.js']) {
    const { dir, run } = project(t, from === null ? 'ignores' : 'example', { 'package.json': '{}', 'server.js': '' })
    if (from === null) await run()
    else fs.copyFileSync(path.join(__dirname, from), path.join(dir, 'deploy.config.js'))
    fs.mkdirSync(path.join(dir, 'data'))
    for (const name of ['shop.db', 'data/shop.db', 'data/shop.db-wal', 'data/out.log', 'data/cities.json']) fs.writeFileSync(path.join(dir, name), '')
    const { files } = await survey(await load({ cwd: dir }))
    t.same(files.map(([name]) => name), ['data/cities.json', 'package.json', 'server.js'])
  }
})

t.test('what starts is what the package names', async (t) => {
  const { dir, run } = project(t, 'main', { 'package.json': '{ "main": "./lib/main.js" }' })
  fs.mkdirSync(path.join(dir, 'lib'))
  fs.writeFileSync(path.join(dir, 'lib/main.js'), '')
  await run()
  t.same((await load({ cwd: dir })).forHost(0).start, ['lib/main.js'])
})

t.test('nothing is overwritten, unless it is wanted', async (t) => {
  const { run, read, said, names } = project(t, 'there', { 'package.json': '{ "name": "shop" }', 'deploy.config.cjs': '// mine' })
  t.match(await run(), { written: ['deploy/nginx.conf', 'deploy/shop@.service', 'deploy/logrotate.conf'], kept: ['deploy.config.cjs'] })
  t.equal(read('deploy.config.cjs'), '// mine')
  t.match(said[0], 'kept  deploy.config.cjs, which is there already (--force overwrites it)')
  t.match(said[0], /npm install --save-dev ssh2/)
  t.match(said[0], 'ssh deploy@host.example.com true')
  const before = names()
  const second = await run()
  t.same([second.written, second.scripts], [[], []])
  t.same(names(), before)
  await run({ force: true, host: ['me@[::1]:2222'] })
  t.match(said.at(-1), 'ssh -p 2222 me@::1 true')
  t.match(said.at(-1), 'scp -P 2222 deploy/* me@[::1]:')
  t.match(read('deploy.config.cjs'), /module\.exports = \{/)
})

t.test("the gateway's file: what is one's own is kept, the rest is written again", async (t) => {
  const { run, read, dir } = project(t, 'own', { 'package.json': '{ "name": "shop" }' })
  const file = path.join(dir, 'deploy/nginx.conf')
  const origin = ['https://www.example.com']
  const routes = (path) => ({ routes: async (site) => nginx([route('GET', path, { public: true })], site) })
  await run({ origin, ...routes('/one') })
  const before = read('deploy/nginx.conf')
  t.match(before, '"/one" $app_shop_routes;')
  t.match(before, 'server unix:/srv/shop/run/http.sock max_fails=0;')
  t.match(read('deploy.config.js'), "daemon: { db: '$SHARED/app.db', routes: 'routes', args: ['--http-origin', 'https://www.example.com'] },")
  const own = '    listen 443 ssl;\n    server_name shop.example; # $& $1\n    ssl_certificate /etc/x.pem;\n    location /files/ { root /srv; }'
  fs.writeFileSync(file, before.replace(nginxConf.readOwn(before), () => own))

  t.match(await run(routes('/one')), { written: [] }, 'nothing has changed')
  t.match(await run(routes('/two')), { written: ['deploy/nginx.conf'] })
  const after = read('deploy/nginx.conf')
  t.match(after, '"/two" $app_shop_routes;')
  t.notMatch(after, '"/one"')
  t.equal(nginxConf.readOwn(after), own)
  t.same(nginxConf.readOrigins(after), origin, 'the origins are those that were given first')
  t.ok(nginxConf.isOurs(after))

  fs.writeFileSync(file, after.replace('server_tokens off;', 'server_tokens on;'))
  t.match(await run(routes('/three')), { written: [] }, 'changed by hand')
  t.match(read('deploy/nginx.conf'), 'server_tokens on;')
  await run({ force: true, origin: ['https://other.example'], ...routes('/three') })
  t.match(read('deploy/nginx.conf'), /"\/three" [^]*server_tokens off;/)
  t.equal(nginxConf.readOwn(read('deploy/nginx.conf')), own, 'what is their own is kept even then')
  t.same(nginxConf.readOrigins(read('deploy/nginx.conf')), ['https://other.example'])
  const long = [`https://${'long.'.repeat(20)}example.com`, 'https://a.example:8443']
  for (const more of [{}, routes('/a')]) t.same(nginxConf.readOrigins(nginxConf({ app: 'a', folder: '/a', ports: [1, 2], origins: long, ...more.routes && { routes: await more.routes({ app: 'a', door: 'x' }) } })), long)

  fs.writeFileSync(file, '# all mine\n')
  t.match(await run(routes('/four')), { written: [] })
  t.equal(read('deploy/nginx.conf'), '# all mine\n')
})

t.test('with a folder of routes the command line asks the core for their paths', async (t) => {
  const { dir, read } = project(t, 'routes', { 'package.json': '{ "name": "shop" }' })
  for (const [name, text] of Object.entries({
    'migrations/0001_t.sql': 'create table t(n integer primary key);\n',
    'routes/t.sql': '-- @get /t :many\n-- @public\n-- @rate 10/1m by ip\nselect n from t limit 10;\n'
  })) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
    fs.writeFileSync(path.join(dir, name), text)
  }
  const cli = () => spawnSync(process.execPath, [path.join(__dirname, '../../lib/cli/main.js'), 'deploy', 'init'], { cwd: dir, encoding: 'utf8' })
  const { status, stderr } = cli()
  t.equal(status, 0, stderr)
  t.match(read('deploy/nginx.conf'), '"GET /t" $binary_remote_addr;')
  t.match(read('deploy/nginx.conf'), '    limit_req zone=shop_rate_1 burst=10 nodelay;')
  t.match((await load({ cwd: dir })).forHost(0), { daemon: { routes: 'routes', http: 'run/http.sock' }, hooks: { beforeUpload: { command: 'npx undercroft routes check' } } })
  fs.writeFileSync(path.join(dir, 'routes/t.sql'), '-- @get /t\nselect 1')
  const bad = cli()
  t.not(bad.status, 0)
  t.match(bad.stderr, /the routes cannot be read: t\.sql:2/)
})

t.test('what is to be done once on a host is said as commands, which end with a service that comes back', async (t) => {
  const { dir, run, read, said } = project(t, 'commands', { 'package.json': '{ "name": "shop" }' })
  await run({ host: ['anna@host'], runtime: 'bun', folder: '/opt/shop' })
  t.match(said[0], 'install -d -o anna -g anna /opt/shop')
  t.match(said[0], 'rm -f /etc/nginx/sites-enabled/default')
  const command = (pattern) => pattern.exec(said[0])[1]
  const sh = (line, env = {}) => spawnSync('sh', ['-c', line], { cwd: path.join(dir, 'deploy'), encoding: 'utf8', env: { ...process.env, ...env } }).stdout
  const sudoers = sh(command(/^ +(grep .*) \| install /m))
  t.equal(sudoers.match(/^anna ALL=\(root\) NOPASSWD: \/usr\/bin\/systemctl .*shop@4001\.service$/mg).length, 6)
  t.equal(sudoers.split('\n').length, 7, 'and nothing else')
  // With a crontab of ours and a bun in a place of its own.
  const bin = path.join(dir, 'bin')
  fs.mkdirSync(bin)
  fs.writeFileSync(path.join(bin, 'bun'), '', { mode: 0o755 })
  fs.writeFileSync(path.join(bin, 'crontab'), `#!/bin/sh\ntest "$1" = - && cat > '${dir}/tab' || echo '# mine'\n`, { mode: 0o755 })
  sh(command(/^ +ssh anna@host '(.*)'$/m), { PATH: `${bin}:${process.env.PATH}` })
  t.equal(read('tab'), `# mine\n@reboot flock /opt/shop/.deploy/lock ${bin}/bun /opt/shop/.deploy/agent/boot.js\n`)
  await run({ force: true, host: ['root@host'] })
  t.notMatch(said[1], 'sudoers', 'root needs none')
})

t.test('package.json gets the scripts that it lacks, as it is written', async (t) => {
  for (const [text, wanted] of [
    ['{\n\t"name": "a",\n\t"scripts": {\n\t\t"deploy": "mine"\n\t}\n}\n', /^\{\n\t"name": "a",\n\t"scripts": \{\n\t\t"deploy": "mine",\n\t\t"deploy:plan": "undercroft deploy plan",\n[^]*\n\t\}\n\}\n$/],
    ['{\r\n    "name": "a"\r\n}', /^\{\r\n {4}"name": "a",\r\n {4}"scripts": \{\r\n {8}"deploy": "undercroft deploy",\r\n[^]*\r\n\}$/]
  ]) {
    const { read, run } = project(t, `scripts-${text.length}`, { 'package.json': text })
    await run()
    t.match(read('package.json'), wanted)
    t.same(Object.keys(JSON.parse(read('package.json')).scripts), Object.keys(SCRIPTS))
  }
})

t.test('wrong input changes nothing', async (t) => {
  for (const [options, message] of [
    [{ app: 'Shop' }, /^--app: expected a name of small letters/],
    [{ folder: 'srv' }, /^--folder: expected an absolute path/],
    [{ folder: '/srv/a;b' }, /^--folder: /],
    [{ origin: ['https://a.example/'] }, /^--origin: expected scheme, host and port/],
    [{ origin: ['*'] }, /^--origin: /],
    [{ host: ['a b'] }, /^--host: expected user@host/],
    [{ runtime: 'deno' }, /^--runtime: expected node or bun, not "deno"/]
  ]) {
    const { names, run } = project(t, `wrong-${Object.keys(options)[0]}-${Math.random()}`, {})
    t.match(await failure(run(options)), { code: 'UC_DEPLOY_USAGE', message })
    t.same(names(), [])
  }
  const { names, run } = project(t, 'broken', { 'package.json': '{ "name": ' })
  t.match(await failure(run()), { code: 'UC_DEPLOY_USAGE', message: /package\.json is not a JSON object/ })
  t.same(names(), ['package.json'])
})

t.test('nginx takes what is written', { skip: !has('nginx', '-v') && 'nginx is not installed' }, async (t) => {
  for (const [name, site] of Object.entries({
    sockets: {},
    ports: { mode: 'ports' },
    routes: { routes: nginx([route('GET', `/${'long/'.repeat(40)}`, { public: true }), route('POST', '/a', { rate: { n: 1, everyMs: 1000, by: 'ip' } })], { app: 'shop', door: 'unix:/srv/shop/run/http.sock' }), origins: ['https://www.example.com', `https://${'long.'.repeat(20)}example.com`] },
    several: { instances: 3, ports: [1, 2, 3, 4, 5, 6], origins: ['https://www.example.com', 'http://localhost:3000'] },
    'a-dash': { app: 'my-shop', body: '1g' },
    'a-digit': { app: '2048' }
  })) {
    const dir = path.join(tmpdir(t), name)
    fs.mkdirSync(dir)
    fs.writeFileSync(path.join(dir, 'site.conf'), nginxConf({ app: 'shop', folder: '/srv/shop', ports: [4000, 4001], listen: '127.0.0.1:4999', logs: dir, ...site }))
    fs.writeFileSync(path.join(dir, 'nginx.conf'), `pid ${dir}/pid; events {} http { ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${dir}/${kind};`).join(' ')} access_log off; include ${dir}/site.conf; }`)
    const { status, stderr } = spawnSync('nginx', ['-t', '-p', dir, '-c', path.join(dir, 'nginx.conf'), '-e', 'stderr'], { encoding: 'utf8' })
    t.equal(status, 0, `${name}: ${stderr}`)
    t.notMatch(stderr, /\[warn\]/)
  }
})

t.test('nginx answers preflights of the origins that are named, and of no others', { skip: !has('nginx', '-v') && 'nginx is not installed' }, async (t) => {
  // nginx reads a variable whose name begins with a digit as what a pattern has captured.
  for (const app of ['shop', '2048', '1-a']) {
    const gateway = await startNginx({ app, folder: tmpdir(t), ports: [1, 2], origins: ['https://www.example.com'] })
    t.teardown(() => gateway.stop())
    const ask = async (origin, method, headers) => {
      const answer = await fetch(gateway.url, { method, headers: { origin, ...headers } })
      return [answer.status, answer.headers.get('access-control-allow-origin')]
    }
    const preflight = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-a' }
    t.same(await ask('https://www.example.com', 'OPTIONS', preflight), [204, 'https://www.example.com'], app)
    t.same(await ask('https://www.example.com', 'GET'), [502, 'https://www.example.com'], 'there is no service')
    for (const origin of ['https://evil.example', 'https://www.example.com.evil.example', 'null']) {
      t.same(await ask(origin, 'OPTIONS', preflight), [502, null], `${app}: ${origin}`)
      t.same(await ask(origin, 'GET'), [502, null])
    }
  }
})

t.test('systemd takes what is written', { skip: !has('systemd-analyze', '--version') && 'systemd is not installed' }, async (t) => {
  for (const scope of ['system', 'user']) {
    const file = path.join(tmpdir(t), `${scope}@4000.service`)
    fs.writeFileSync(file, unit({ app: 'shop', folder: '/srv/my 100%', ports: [4000, 4001], user: 'root', start: ['--flag', 'a "b" $c.js'], scope }))
    const { stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
    t.notMatch(stderr, `${scope}@`, 'nothing is said of it')
    t.match(fs.readFileSync(file, 'utf8'), 'TimeoutStopSec=40')
  }
})

t.test('logrotate takes what is written', { skip: !has('logrotate', '--version') && 'logrotate is not installed' }, async (t) => {
  const dir = tmpdir(t)
  const file = path.join(dir, 'rotate.conf')
  fs.writeFileSync(file, require('../../deploy/templates/logrotate.conf')({ app: 'shop', logs: dir }))
  fs.chmodSync(file, 0o644)
  const { status, stderr } = spawnSync('logrotate', ['--debug', '--state', path.join(dir, 'state'), file], { encoding: 'utf8' })
  t.equal(status, 0, stderr)
  t.notMatch(stderr, /^error:/m)
})
