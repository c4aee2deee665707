'use strict'

// deploy.config.js: what it may be, what it is when it is not given, and that every mistake is told by the
// name of its field.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const t = require('tap')
const { forAgent, load, validate } = require('../../deploy/config')
const { common, perHost, ssh } = require('../../deploy/fields')
const { survey } = require('../../deploy/files/manifest')
const { exact, failure, root, tmpdir } = require('../helper')

t.setTimeout(300_000)

const least = { app: 'shop', hosts: ['deploy@10.0.0.1'], start: ['server.js'] }

function check (t, more, dir = tmpdir(t)) {
  return validate({ ...least, ...more }, { file: path.join(dir, 'deploy.config.js') })
}

// What is wrong with a configuration, a line each, without the name of the file.
function faults (t, more) {
  try {
    check(t, more)
  } catch (err) {
    if (err.code !== 'UC_DEPLOY_CONFIG') throw err
    return err.message.split('\n').map((line) => line.replace(/^deploy\.config\.js: /, ''))
  }
  return []
}

t.test('the least that is needed, and what all the rest is then', async (t) => {
  const dir = tmpdir(t)
  const view = check(t, {}, dir).forHost(0)
  t.match(view, {
    app: 'shop',
    folder: '/srv/shop',
    source: dir,
    include: ['**'],
    ignore: [],
    never: ['deploy.config.js', '.undercroft', 'server-logs'],
    build: null,
    install: null,
    env: { file: null, set: {} },
    ports: [4000, 4001],
    instances: 1,
    start: ['server.js'],
    runtime: { name: 'node', path: 'node' },
    launcher: 'auto',
    systemd: { scope: 'user', sudo: false, unit: 'shop@.service' },
    health: { path: '/health', status: 200, timeoutMs: 30000, everyMs: 250, successes: 2 },
    switch: 'socket',
    watchMs: 10000,
    drainMs: 30000,
    killMs: 5000,
    gateway: null,
    migrations: null,
    daemon: null,
    order: 'one',
    keep: 5,
    logs: { application: ['shared/logs'], gateway: null, to: path.join(dir, 'server-logs') }
  })
  t.match(view.target, {
    name: '10.0.0.1',
    host: '10.0.0.1',
    user: 'deploy',
    port: 22,
    key: null,
    agent: true,
    knownHosts: path.join(os.homedir(), '.ssh/known_hosts'),
    hostKey: null,
    jump: null,
    connectTimeoutMs: 10000,
    keepaliveMs: 10000
  })
  t.ok(Object.isFrozen(view) && Object.isFrozen(view.health) && Object.isFrozen(view.target), 'nobody changes it')
})

// Every field with something that it cannot be. What is listed here is compared with the fields that there are.
const wrong = {
  app: [undefined, 'app: is required'],
  hosts: [[], 'hosts: expected a list of one to 256 hosts'],
  start: ['server.js', "start: expected a list such as ['server.js']"],
  source: [3, 'source: expected text, not 3'],
  include: [[], 'include: expected a list of patterns'],
  ignore: ['x', 'ignore: expected a list of patterns'],
  build: [[], 'build: expected a command'],
  install: [{ command: ['npm'], where: 'here' }, 'install.where: there is no such field'],
  migrations: [{ command: ['x'], when: 'later' }, "migrations.when: expected one of 'before-start', 'before-switch', not \"later\""],
  order: ['both', "order: expected one of 'one', 'all'"],
  hooks: [{ beforeStart: { command: ['x'], where: 'everywhere' } }, "hooks.beforeStart.where: expected one of 'here', 'there'"],
  folder: ['srv/shop', 'folder: expected an absolute path'],
  env: [{ set: { 'A-B': '1' } }, 'env.set["A-B"]: expected letters, digits and _ as the name'],
  ports: [[4000], 'ports: expected a list of ports with at least 2 items'],
  instances: [0, 'instances: expected a whole number from 1 to 64, not 0'],
  runtime: ['deno', "runtime: expected one of 'node', 'bun', not \"deno\""],
  launcher: ['pm2', "launcher: expected one of 'auto', 'systemd', 'process'"],
  systemd: [{ unit: 'shop' }, 'systemd.unit: expected the name of a template'],
  health: [{ path: 'health' }, 'health.path: expected a path such as "/health", not "health"'],
  switch: ['reload', "switch: expected one of 'socket', 'ports'"],
  socketMode: ['rw', 'socketMode: expected a mode such as "0660"'],
  watchMs: [-1, 'watchMs: expected a whole number from 0 to 3600000, not -1'],
  drainMs: ['30s', 'drainMs: expected a whole number from 0 to 3600000, not "30s"'],
  killMs: [1.5, 'killMs: expected a whole number from 0 to 600000, not 1.5'],
  gateway: [{ file: 'x' }, 'gateway.to: is required'],
  daemon: [{ db: 'x', socket: '/run/x.sock' }, 'daemon.socket: expected a path in the folder'],
  keep: [0, 'keep: expected a whole number from 1 to 1000, not 0'],
  logs: [{ to: '' }, 'logs.to: expected text, not ""'],
  ssh: [{ port: 'ssh' }, 'ssh.port: expected a whole number from 1 to 65535, not "ssh"']
}

t.test('every field tells what it may be', async (t) => {
  t.same(Object.keys(wrong).sort(), ['hosts', 'install', 'ssh', ...Object.keys(common), ...Object.keys(perHost)].sort())
  for (const [name, [value, message]] of Object.entries(wrong)) {
    const found = faults(t, { [name]: value })
    t.equal(found.length, 1, `${name}: one mistake, told once`)
    t.match(found[0], message, name)
  }
})

t.test('all of ssh, for all hosts and for one', async (t) => {
  const wrong = { user: '', port: 0, key: 5, hostKey: 'MD5:00', agent: 1, knownHosts: null, jump: 7, connectTimeoutMs: 1, keepaliveMs: 'x' }
  t.same(Object.keys(wrong).sort(), Object.keys(ssh).sort())
  t.same(faults(t, { ssh: wrong }).map((line) => line.split(':')[0]).sort(), Object.keys(wrong).map((name) => `ssh.${name}`).sort())
  const one = faults(t, { hosts: [{ host: 'a', ...wrong }] })
  t.same(one.map((line) => line.split(':')[0]).sort(), Object.keys(wrong).map((name) => `hosts[0].${name}`).sort())
})

t.test('all mistakes at once, and the nearest name for an unknown field', async (t) => {
  const found = faults(t, { kep: 3, hosts: ['ok', { hots: 'x' }, { host: '10.0.0.2', port: 70000, helth: {} }], health: { paht: '/' }, zebra: 1 })
  for (const line of [
    "kep: there is no such field; did you mean 'keep'?",
    'hosts[1].host: is required: the name or the address of a host',
    "hosts[1].hots: there is no such field; did you mean 'host'?",
    'hosts[2].port: expected a whole number from 1 to 65535, not 70000',
    "hosts[2].helth: there is no such field; did you mean 'health'?",
    "health.paht: there is no such field; did you mean 'path'?"
  ]) t.ok(found.includes(line), line)
  t.ok(found.some((line) => line.startsWith('zebra: there is no such field; known are hosts, ssh')))
})

t.test('hosts as text', async (t) => {
  const { hosts } = check(t, { hosts: ['a', 'b:2222', 'deploy@c', 'deploy@d.example.com:23', '[::1]:24', 'deploy@fe80::1', 'x@[::2]'], ssh: { user: 'u' } })
  t.same(hosts.map(({ user, host, port }) => [user, host, port]), [
    ['u', 'a', 22], ['u', 'b', 2222], ['deploy', 'c', 22], ['deploy', 'd.example.com', 23], ['u', '::1', 24], ['deploy', 'fe80::1', 22], ['x', '::2', 22]
  ])
  for (const text of ['', 'a b', '-oProxyCommand=x', 'deploy@', 'a:x', '-u@a', 'a:0', 'a\nb', 'a@b@c']) {
    const found = faults(t, { hosts: [text] })
    t.ok(found.length > 0 && found.every((line) => line.startsWith('hosts[0]')), JSON.stringify(text))
  }
})

t.test('what a host says of itself goes over what is said of all', async (t) => {
  const config = check(t, {
    ssh: { user: 'all', key: '~/.ssh/all', jump: 'bastion' },
    health: { path: '/alive', timeoutMs: 1000 },
    env: { set: { A: 1, B: 'b' } },
    keep: 3,
    hosts: [
      'one',
      { host: '10.0.0.2', name: 'two', user: 'own', jump: null, folder: '/opt/shop/', health: { timeoutMs: 5000 }, env: { set: { B: true } }, ports: [5000, 5001], launcher: 'process' },
      { host: '10.0.0.2', name: 'three', keep: 9, hostKey: `SHA256:${'x'.repeat(43)}` }
    ]
  })
  const [one, two, three] = config.hosts.map((_, i) => config.forHost(i))
  t.match(one, { folder: '/srv/shop', keep: 3, health: { path: '/alive', timeoutMs: 1000 }, env: { set: { A: '1', B: 'b' } } })
  t.match(one.target, { user: 'all', key: path.join(os.homedir(), '.ssh/all'), jump: [{ host: 'bastion', port: 22, user: null }] })
  t.match(two, { folder: '/opt/shop', keep: 3, health: { path: '/alive', timeoutMs: 5000 }, env: { set: { A: '1', B: 'true' } }, ports: [5000, 5001], launcher: 'process' })
  t.match(two.target, { name: 'two', user: 'own', jump: null })
  t.match(three, { keep: 9, folder: '/srv/shop' })
  t.same(faults(t, { hosts: ['a', { host: 'b', health: { status: 9 } }] }), ['hosts[1].health.status: expected a whole number from 100 to 599, not 9'])
  t.same(faults(t, { health: { status: 9 }, hosts: ['a', { host: 'b', health: { timeoutMs: 5000 } }] }), ['health.status: expected a whole number from 100 to 599, not 9'])
})

t.test('hosts on the way', async (t) => {
  const jump = (jump) => check(t, { ssh: { jump } }).hosts[0].jump
  t.match(jump('a@one,b@two:2222'), [{ host: 'one', user: 'a', port: 22 }, { host: 'two', user: 'b', port: 2222 }])
  t.match(jump(['one', { host: 'two', key: '~/k' }]), [{ host: 'one' }, { host: 'two', key: path.join(os.homedir(), 'k') }])
  t.match(jump({ host: 'one', user: 'a' }), [{ host: 'one', user: 'a', port: 22, key: null, hostKey: null }])
  t.equal(jump(null), null)
  t.same(faults(t, { ssh: { jump: ['ok', { host: 'x', prot: 1 }] } }), ["ssh.jump[1].prot: there is no such field; did you mean 'port'?"])
  for (const value of ['', [], 'a,,b', Array(9).fill('a'), true]) t.equal(faults(t, { ssh: { jump: value } }).length, 1, JSON.stringify(value))
})

t.test('hosts that are the same', async (t) => {
  t.same(faults(t, { hosts: ['a', 'a'] }), ['hosts[1].name: "a" is already the name of hosts[0]', 'hosts[1]: is the same host and folder as hosts[0]'])
  t.same(faults(t, { hosts: [{ host: 'a', name: 'x' }, { host: 'a', name: 'y', folder: '/srv/other' }] }), [])
  t.same(faults(t, { hosts: [{ host: 'a', name: 'x y' }] }).length, 1)
})

t.test('ports: two for each instance, none twice', async (t) => {
  t.same(check(t, { instances: 3 }).forHost(0).ports, [4000, 4001, 4002, 4003, 4004, 4005])
  t.same(faults(t, { instances: 2, ports: [1, 2, 3] }), ['ports: expected two ports for each instance: 4, not 3'])
  t.same(faults(t, { ports: [4000, 4000] }), ['ports: the same port is in it twice'])
  t.same(faults(t, { ports: [4000, '4001'] }), ['ports[1]: expected a whole number from 1 to 65535, not "4001"'])
})

t.test('paths', async (t) => {
  for (const folder of ['/', '/srv/../etc', '/srv/a\0b', '/srv/a\nb', '', '//']) {
    t.equal(faults(t, { folder }).length, 1, JSON.stringify(folder))
  }
  t.equal(check(t, { folder: "/srv/it's $HOME; rm -rf" }).forHost(0).folder, "/srv/it's $HOME; rm -rf", 'odd names are names')
  t.match(faults(t, { folder: `/srv/${'x'.repeat(70)}` })[0], /unix sockets are made in it; it has 75/)
  const dir = tmpdir(t)
  const config = check(t, { source: 'dist', env: { file: '.env.production' }, gateway: { file: 'deploy/nginx.conf', to: '/etc/nginx/conf.d/shop.conf' } }, dir)
  t.equal(config.source, path.join(dir, 'dist'))
  t.equal(config.forHost(0).env.file, path.join(dir, '.env.production'))
  t.equal(config.forHost(0).gateway.file, path.join(dir, 'deploy/nginx.conf'))
  t.same(config.forHost(0).gateway.test, ['sudo', '-n', 'nginx', '-t'])
})

t.test('what is secret or belongs to this machine is not sent', async (t) => {
  const never = (more, dir) => check(t, more, dir).forHost(0).never
  const always = ['deploy.config.js', '.undercroft']
  t.same(never({ ignore: ['a'], logs: { to: 'var/[logs]' } }), [...always, 'var/[logs]'], 'names, no patterns')
  t.same(never({ logs: { to: '../elsewhere' } }), always)
  t.same(never({ source: 'dist' }), [], 'it is not there')
  t.same(never({ source: '..', logs: { to: '/elsewhere' } }, '/srv/anna/shop'), ['shop/deploy.config.js', 'shop/.undercroft'])
  const named = never({
    env: { file: 'config/production.env' },
    ssh: { key: './keys/deploy_key', jump: { host: 'b', key: 'keys/bastion' } },
    hosts: ['a', { host: 'b', env: { file: '..env/b' }, key: '/etc/ssh/x' }]
  })
  t.same(named, [...always, 'config/production.env', 'server-logs', 'keys/deploy_key', 'keys/bastion', '..env/b'], 'of every host')
  t.same(never({ source: '~', ssh: { key: '~/.ssh/id' }, logs: { to: '/elsewhere' } }, '/opt/shop'), ['.ssh/id'])

  // By another name, and through a link.
  const dir = tmpdir(t)
  fs.mkdirSync(path.join(dir, 'real/secret'), { recursive: true })
  fs.symlinkSync('real', path.join(dir, 'link'))
  fs.symlinkSync('secret', path.join(dir, 'real/alias'))
  t.same(check(t, { source: 'real', ssh: { key: 'link/alias/key' } }, dir).never, ['secret/key'])
  t.same(check(t, { source: 'link', ssh: { key: 'real/key' } }, dir).never, ['key'])

  for (const name of ['server.js', 'prod.env', 'prod.deploy.js', 'key', 'nginx.conf']) fs.writeFileSync(path.join(dir, 'real/secret', name), '')
  const raw = { ...least, source: '..', env: { file: 'prod.env' }, ssh: { key: './key' }, gateway: { file: 'nginx.conf', to: '/etc/nginx/x' } }
  const { files } = await survey(validate(raw, { file: path.join(dir, 'real/secret/prod.deploy.js') }))
  t.same(files.map(([name]) => name), ['secret/nginx.conf', 'secret/server.js'], 'so it is when the files are looked at')
})

t.test('what is no pattern is told before anything runs', async (t) => {
  t.same(faults(t, { include: ['a', '!b'], ignore: ['/etc', '[z-a]', 5, ''] }).map((line) => line.replace(/: .*/, '')),
    ['include[1]', 'ignore[0]', 'ignore[1]', 'ignore[2]', 'ignore[3]'])
  t.same(faults(t, { ignore: ['../x'] }), ['ignore[0]: "../x": a pattern is relative to the source, and stays in it'])
})

t.test('commands: a list, a line, or an object', async (t) => {
  const { build, hooks, install, migrations } = check(t, {
    build: 'npm run build && true',
    install: ['npm', 'ci'],
    migrations: { command: 'node migrate.js', once: 'first-host', timeoutMs: 5 },
    hooks: { beforeUpload: ['npm', 'test'], afterStart: async () => {}, beforeStart: { command: ['./warm'], where: 'there' }, afterSwitch: null }
  })
  t.same(build, { command: 'npm run build && true', where: 'here', timeoutMs: 1800000 })
  t.same(install, { command: ['npm', 'ci'], timeoutMs: 600000 })
  t.same(migrations, { command: 'node migrate.js', when: 'before-start', once: 'first-host', timeoutMs: 5 })
  t.same(hooks.beforeUpload, { command: ['npm', 'test'], where: 'here', timeoutMs: 600000 })
  t.type(hooks.afterStart, 'function')
  t.equal(hooks.beforeStart.where, 'there')
  t.equal(hooks.afterUpload, null)
  for (const command of ['', '  ', [], [''], ['a', 1], 5, ['a\0b'], {}]) t.equal(faults(t, { build: command }).length, 1, JSON.stringify(command))
})

t.test('migrations on the first host alone need hosts one after the other', async (t) => {
  const once = (migrations, order, hosts = ['a', 'b']) => faults(t, { migrations, order, hosts })
  t.match(once({ command: 'x', once: 'first-host' }, 'all'), [/^migrations\.once: 'first-host' does not go with order: 'all'.* set order: 'one'$/])
  t.same(once({ command: 'x', once: 'first-host' }, 'one'), [])
  t.same(once({ command: 'x', once: 'first-host' }, 'all', ['a']), [])
  t.same(once('x', 'all'), [])
})

t.test('what installs the dependencies is seen from the lock file', async (t) => {
  const dir = tmpdir(t)
  const write = (name, text = '') => fs.writeFileSync(path.join(dir, name), text)
  const command = (more) => check(t, more, dir).install?.command
  t.equal(command({}), undefined, 'nothing to install')
  write('package.json', '{ "dependencies": {} }')
  t.equal(command({}), undefined)
  write('package.json', '{ "dependencies": { "fastify": "5" } }')
  t.throws(() => command({}), { message: /^deploy\.config\.js: install: package\.json names dependencies and there is no lock file/ })
  t.equal(command({ install: null }), undefined, 'unless it is wanted so')
  write('package-lock.json', '{}')
  t.same(command({}), ['npm', 'ci', '--omit=dev'])
  t.same(command({ runtime: 'bun' }), ['npm', 'ci', '--omit=dev'])
  write('bun.lock')
  t.same(command({ runtime: 'bun' }), ['bun', 'install', '--frozen-lockfile', '--production'])
  t.same(command({}), ['npm', 'ci', '--omit=dev'])
  t.same(command({ install: 'make deps' }), 'make deps')
})

t.test('the environment of the service', async (t) => {
  t.same(faults(t, { env: { set: { PORT: 1, HOST: 'x', UNDERCROFT_SHARED: 'x', OK: {} } } }), [
    'env.set.OK: expected text, a number or a boolean, not an object',
    'env.set.PORT: is given to each instance by the deployment',
    'env.set.HOST: is given to each instance by the deployment',
    'env.set.UNDERCROFT_SHARED: is given to each instance by the deployment'
  ])
})

t.test('the agent gets plain data, and nothing of this machine', async (t) => {
  const view = check(t, {
    source: '~',
    ssh: { key: '~/.ssh/secret' },
    env: { file: '.env.production', set: { A: 1 } },
    hooks: { afterStart: () => {}, beforeStart: { command: ['x'], where: 'there' }, beforeUpload: ['y'] },
    gateway: { file: 'nginx.conf', to: '/etc/nginx/conf.d/shop.conf' },
    build: ['make']
  }).forHost(0)
  const there = forAgent(view)
  exact(t, JSON.parse(JSON.stringify(there)), there, 'it survives JSON')
  t.notMatch(JSON.stringify(there), /secret|\.env\.production|nginx\.conf"/)
  t.same(there.env, { set: { A: '1' } })
  t.same(Object.keys(there.hooks), ['beforeStart'])
  t.equal(there.build, null)
})

// ---- the file ---------------------------------------------------------------------------------

const body = "{ app: 'shop', hosts: ['h'], start: ['server.js'] }"

t.test('the file: CommonJS, a module, an object, a function, a promise', async (t) => {
  const texts = {
    'deploy.config.js': [`module.exports = ${body}`, `module.exports = () => (${body})`, `module.exports = async () => (${body})`, `module.exports = Promise.resolve(${body})`],
    'deploy.config.cjs': [`module.exports = ${body}`],
    'deploy.config.mjs': [`export default ${body}`, `export default async ({ action }) => ({ ...${body}, app: action })`]
  }
  for (const [name, list] of Object.entries(texts)) {
    for (const [i, text] of list.entries()) {
      // A folder each: what has been imported is not read again.
      const dir = path.join(tmpdir(t), `${name}-${i}`)
      fs.mkdirSync(dir)
      fs.writeFileSync(path.join(dir, name), text)
      const config = await load({ cwd: dir, action: 'shop' })
      t.match(config, { app: 'shop', dir, file: path.join(dir, name) }, text)
    }
  }
})

t.test('the file: missing, twice, broken', async (t) => {
  const dir = tmpdir(t)
  const none = await failure(load({ cwd: dir }))
  t.match(none, { code: 'UC_DEPLOY_CONFIG', message: `there is no deploy.config.js in ${dir}`, hint: /deploy init/ })
  t.match(await failure(load({ cwd: dir, file: 'other.js' })), { code: 'UC_DEPLOY_CONFIG', message: `there is no file ${path.join(dir, 'other.js')}` })
  for (const [name, text, message] of [
    ['throws.js', "throw new Error('no luck')", 'throws.js, line 1, cannot be run: no luck'],
    ['syntax.js', 'module.exports = {\n  app: }', /^syntax\.js, line 2, cannot be run: /],
    ['rejects.js', "module.exports = async () => { throw new Error('later') }", 'rejects.js, line 1, cannot be run: later'],
    ['number.js', 'module.exports = 5', /^number\.js: expected an object .*, not 5$/],
    ['nothing.js', '', /./],
    ['list.js', 'module.exports = []', /not an array$/],
    ['class.js', 'module.exports = new (class Config {})()', /not an object$/]
  ]) {
    fs.writeFileSync(path.join(dir, name), text)
    t.match(await failure(load({ cwd: dir, file: name })), { code: 'UC_DEPLOY_CONFIG', message }, name)
  }
  for (const name of ['deploy.config.js', 'deploy.config.mjs']) fs.writeFileSync(path.join(dir, name), '')
  t.match(await failure(load({ cwd: dir })), { message: /^there are deploy\.config\.js and deploy\.config\.mjs/ })
})

t.test('the README has every field, and what it is when it is not given', async (t) => {
  const text = fs.readFileSync(path.join(root, 'deploy/README.md'), 'utf8')
  for (const name of ['hosts', 'ssh', 'install', ...Object.keys(common), ...Object.keys(perHost)]) {
    t.ok(text.split('\n').some((line) => line.startsWith('|') && line.split('|')[1].includes(`\`${name}\``)), name)
  }
  const { forHost } = check(t, {})
  for (const name of ['instances', 'launcher', 'switch', 'watchMs', 'drainMs', 'killMs', 'order', 'keep']) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${name}\``))
    const value = forHost(0)[name]
    t.ok(row.split('|')[2].includes(typeof value === 'number' ? value.toLocaleString('en') : `'${value}'`), `${name}: ${value}`)
  }
})

t.test('the types have every field', async (t) => {
  const text = fs.readFileSync(path.join(root, 'lib/types/deploy.d.ts'), 'utf8')
  const fields = (name) => {
    const from = text.indexOf(`export interface ${name} `)
    return Array.from(text.slice(from, text.indexOf('\n}\n', from)).matchAll(/^ {2}(\w+)\??:/gm), (match) => match[1])
  }
  t.same(fields('Ssh').sort(), Object.keys(ssh).sort())
  t.same(fields('PerHost').sort(), Object.keys(perHost).sort())
  t.same(fields('Host').sort(), ['host', 'name'])
  t.same(fields('Config').sort(), ['hosts', 'install', 'ssh', 'start', ...Object.keys(common)].sort())
})
