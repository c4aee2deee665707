'use strict'
// npx undercroft new: what it writes, where it refuses to, and that what it writes runs.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')
const { spawn, spawnSync } = require('node:child_process')
const vm = require('node:vm')
const t = require('tap')
const { open } = require('../..')
const { version } = require('../../package.json')
const { isBun, tmpdir, until } = require('../helper')
const { command } = require('./routes-command')
const { install } = require('./routes-core')

const FILES = ['.gitignore', 'README.md', 'migrations/0001_product.sql', 'package.json', 'routes/product.sql', 'server.js', 'test/product.test.js']

const filesIn = (dir) => fs.readdirSync(dir, { recursive: true }).filter((name) => fs.statSync(path.join(dir, name)).isFile()).map((name) => name.replaceAll(path.sep, '/')).sort()

for (const [runtime, options] of [['node', []], ['bun', ['--bun']]]) {
  t.test(`a service for ${runtime}`, async (t) => {
    const dir = path.join(tmpdir(t), 'My Shop')
    const { code, out, err } = await command(['new', dir, ...options])
    t.same([code, err], [0, ''])
    t.same(filesIn(dir), FILES)
    for (const name of FILES) t.match(out, `wrote ${path.join(dir, name)}`)
    const read = (name) => fs.readFileSync(path.join(dir, name), 'utf8')
    const pkg = JSON.parse(read('package.json'))
    t.match(pkg, { name: 'my-shop', private: true, scripts: { start: `${runtime} server.js` }, dependencies: { undercroft: `^${version}` } })
    t.match(read('README.md'), /^# my-shop\n/)
    t.match(read('.gitignore'), 'node_modules/\n*.db\n')
    for (const name of ['server.js', 'test/product.test.js']) t.doesNotThrow(() => new vm.Script(`(async () => {${read(name)}})`), name)
    t.match(read('server.js'), runtime === 'bun' ? '{ fetch: routes.fetch }' : 'http.createServer(routes.node())')
  })
}

t.test('what its routes answer', async (t) => {
  const dir = path.join(tmpdir(t), 'shop')
  await command(['new', dir])
  const store = open(':memory:')
  t.teardown(() => store.close())
  await store.db.migrate(path.join(dir, 'migrations'))
  const routes = store.routes(path.join(dir, 'routes'), { check: true })
  const inject = (...args) => routes.inject(...args)
  const get = async (target) => JSON.parse((await inject('GET', target)).body)
  t.same((await get('/product/list')).rows.map(({ name }) => name), ['lamp', 'chair', 'table'])
  t.match(await get('/product/list?id=1&limit=1'), { rows: [{ name: 'chair' }], next: { id: 2 } })
  t.same((await get('/product/list?name=ta')).rows.map(({ name }) => name), ['table'])
  t.match(await get('/product/one?id=1'), { name: 'lamp', cents: 2900 })
  t.match(await inject('POST', '/product/add', { body: { name: 'lamp', cents: 1 } }), { status: 400, body: 'that name is taken' })
  t.equal((await inject('POST', '/product/add', { body: { name: 'sofa', cents: 1 } })).body, '{"id":4}')
  t.equal((await inject('POST', '/product/buy', { body: { id: 2, count: 3 } })).body, '{"id":2,"stock":1}')
  t.match(await inject('POST', '/product/buy', { body: { id: 2, count: 2 } }), { status: 400, body: 'not so many in stock' })
  t.match(await inject('POST', '/product/buy', { body: { id: 9 } }), { status: 400, body: 'no such product' })
})

// As npm would, with the runtime that this test runs on.
async function project (t) {
  const dir = path.join(tmpdir(t), 'shop')
  await command(['new', dir, ...isBun ? ['--bun'] : []])
  await install(dir)
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^NODE_|^TAP/.test(name)))
  return { dir, env, script: (name) => JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).scripts[name].split(' ').slice(1) }
}

t.test('its test is green', async (t) => {
  const { dir, env, script } = await project(t)
  const { status, stdout, stderr } = spawnSync(process.execPath, script('test'), { cwd: dir, env, encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
  t.match(stdout + stderr, /pass 4|4 pass/)
  const file = path.join(dir, 'routes/product.sql')
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace("'not so many in stock'", "'no'"))
  t.not(spawnSync(process.execPath, script('test'), { cwd: dir, env }).status, 0, 'and red when a route answers in another way')
})

t.test('it answers, and ends when it is told to', async (t) => {
  const { dir, env, script } = await project(t)
  const place = net.createServer().listen(0, '127.0.0.1')
  await once(place, 'listening')
  const { port } = place.address()
  place.close()
  await once(place, 'close')
  const proc = spawn(process.execPath, script('start'), { cwd: dir, env: { ...env, PORT: String(port) }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => proc.kill('SIGKILL'))
  let said = ''
  for (const stream of [proc.stdout, proc.stderr]) stream.setEncoding('utf8').on('data', (text) => { said += text })
  await until(() => said.includes(String(port)) || proc.exitCode !== null, 'it listens')
  const url = `http://127.0.0.1:${port}`
  t.same((await (await fetch(`${url}/product/list?limit=2`)).json()).rows.map(({ name }) => name), ['lamp', 'chair'], said)
  const bought = await fetch(`${url}/product/buy`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":1,"count":2}' })
  t.same(await bought.json(), { id: 1, stock: 10 })
  t.equal((await fetch(`${url}/health`)).status, 200)
  t.equal((await fetch(`${url}/other`)).status, 404)
  proc.kill('SIGTERM')
  const [code] = await once(proc, 'exit')
  t.equal(code, 0, said)
  t.ok(fs.existsSync(path.join(dir, 'service.db')))
})

t.test('an empty folder is fine, and one that is not is left alone', async (t) => {
  const [empty, full] = ['empty', 'full'].map((name) => path.join(tmpdir(t), name))
  for (const dir of [empty, full]) fs.mkdirSync(dir)
  t.equal((await command(['new', empty])).code, 0)
  const again = await command(['new', empty])
  t.match(again, { code: 1, out: '', err: `the folder ${empty} is not empty: nothing was written\n  give it another name` })
  fs.writeFileSync(path.join(full, '.hidden'), '')
  t.equal((await command(['new', full])).code, 1)
  t.same(filesIn(full), ['.hidden'])
  t.match(await command(['new', path.join(full, '.hidden')]), { code: 1, err: 'is a file' })
})

t.test('a wrong command line', async (t) => {
  const dir = tmpdir(t)
  for (const [args, message] of [
    [[], 'new: which folder?\n  npx undercroft new shop'],
    [['a', 'b'], "new: there is a word too many: 'b'"],
    [[path.join(dir, '...')], 'gives no name for a package'],
    [[path.join(dir, 'undercroft')], 'could not depend on undercroft']
  ]) {
    const { code, err } = await command(['new', ...args])
    t.equal(code, 2, args.join(' '))
    t.match(err, message)
  }
  t.same(fs.readdirSync(dir), [])
  const { out } = await command(['new', path.join(dir, 'shop'), '--json'])
  t.match(JSON.parse(out), { name: 'shop', dir: path.join(dir, 'shop'), written: FILES.map((name) => path.join(dir, 'shop', name)) })
})
