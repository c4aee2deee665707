'use strict'
// npx undercroft new: what it writes, where it refuses to. test/pack installs and runs it.

const fs = require('node:fs')
const path = require('node:path')
const vm = require('node:vm')
const t = require('tap')
const { open } = require('../..')
const { version } = require('../../package.json')
const { tmpdir } = require('../helper')
const { command } = require('./routes-command')
const { parse, service } = require('./routes-mini')

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
    t.equal(parse(read('routes/product.sql')).length, 4)
    t.match(read('server.js'), runtime === 'bun' ? '{ fetch: routes.fetch }' : 'http.createServer(routes.node())')
  })
}

t.test('what its routes answer', async (t) => {
  const dir = path.join(tmpdir(t), 'shop')
  await command(['new', dir])
  const store = open(':memory:')
  t.teardown(() => store.close())
  await store.db.migrate(path.join(dir, 'migrations'))
  const { inject } = service(store.db, path.join(dir, 'routes'))
  const get = async (target) => JSON.parse((await inject('GET', target)).body)
  t.same((await get('/product/list')).map(({ name }) => name), ['lamp', 'chair', 'table'])
  t.same((await get('/product/list?after=1&limit=1')).map(({ name }) => name), ['chair'])
  t.same((await get('/product/list?name=ta')).map(({ name }) => name), ['table'])
  t.match(await get('/product/one?id=1'), { name: 'lamp', cents: 2900 })
  t.match(await inject('POST', '/product/add', { body: { name: 'lamp', cents: 1 } }), { status: 400, body: 'that name is taken' })
  t.equal((await inject('POST', '/product/add', { body: { name: 'sofa', cents: 1 } })).body, '{"id":4}')
  t.equal((await inject('POST', '/product/buy', { body: { id: 2, count: 3 } })).body, '{"id":2,"stock":1}')
  t.match(await inject('POST', '/product/buy', { body: { id: 2, count: 2 } }), { status: 400, body: 'not so many in stock' })
  t.match(await inject('POST', '/product/buy', { body: { id: 9 } }), { status: 400, body: 'no such product' })
})

// As its runtime would run them; of what is asked from bun:test there is enough for that.
t.test('its tests are green', async (t) => {
  const assert = require('node:assert')
  for (const options of [[], ['--bun']]) {
    const dir = path.join(tmpdir(t), `shop${options.length}`)
    await command(['new', dir, ...options])
    const tests = []
    const ends = []
    const expect = (value) => ({ toEqual: (other) => assert.deepStrictEqual(value, other), toBe: (other) => assert.strictEqual(value, other), toMatch: (other) => assert.match(value, other) })
    const test = (name, fn) => tests.push([name, fn])
    const modules = {
      'node:test': test,
      'bun:test': { test, expect, afterEach: (fn) => ends.push(fn) },
      'node:assert': assert,
      'node:path': path,
      undercroft: { open: (target) => { const store = open(target); return { db: store.db, close: () => store.close(), routes: (dir) => service(store.db, dir) } } }
    }
    const file = path.join(dir, 'test/product.test.js')
    vm.runInThisContext(`(function (require, __dirname) {${fs.readFileSync(file, 'utf8')}\n})`, { filename: file })((name) => modules[name], path.dirname(file))
    t.equal(tests.length, 4)
    for (const [name, fn] of tests) {
      await fn({ after: (end) => ends.push(end) })
      t.pass(name)
    }
    for (const end of ends) await end()
  }
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
