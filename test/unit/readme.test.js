'use strict'

// What the README says is run and compared: its examples, its limits, its codes.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const t = require('tap')
const undercroft = require('../..')
const { codes } = require('../../lib/errors')
const { defaults } = require('../../lib/options')
const { table: logOptions } = require('../../lib/log/options')
const { root, tmpdir } = require('../helper')

const text = fs.readFileSync(path.join(root, 'README.md'), 'utf8')

function section (title) {
  const start = text.indexOf(`\n## ${title}\n`)
  return text.slice(start, text.indexOf('\n## ', start + 1))
}

function blocks (part) {
  return Array.from(part.matchAll(/```js\n([^]*?)```/g), (match) => match[1])
}

// Runs code as the body of an async function in a folder of its own.
async function runIn (t, code) {
  const AsyncFunction = (async () => {}).constructor
  const dir = tmpdir(t)
  const before = process.cwd()
  fs.mkdirSync(path.join(dir, 'migrations'), { recursive: true })
  fs.writeFileSync(path.join(dir, 'migrations/0001_note.sql'), 'create table note(id integer primary key)')
  process.chdir(dir)
  t.teardown(() => process.chdir(before))
  const stores = []
  const open = (...args) => {
    const store = undercroft.open(...args)
    stores.push(store)
    return store
  }
  const said = []
  const run = new AsyncFunction('require', 'open', 'console', code)
  try {
    const load = (name) => name === 'undercroft' ? { open } : require(name)
    return { value: await run(load, open, { log: (...args) => said.push(...args) }), said }
  } finally {
    for (const store of stores) await store.close()
  }
}

// As somebody would: saved in an empty folder, in which nothing is installed but the package, and
// run. npm init writes "type": "commonjs".
t.test('the first program, pasted', async (t) => {
  const [code] = blocks(section('Use it'))
  for (const [file, manifest] of [
    ['app.js', null], ['app.mjs', null], ['app.cjs', null],
    ['app.js', { type: 'commonjs' }], ['app.js', { type: 'module' }]
  ]) {
    const dir = fs.mkdtempSync(path.join(tmpdir(t), 'pasted-'))
    fs.mkdirSync(path.join(dir, 'node_modules'))
    fs.symlinkSync(root, path.join(dir, 'node_modules/undercroft'), 'dir')
    fs.writeFileSync(path.join(dir, file), code)
    if (manifest !== null) fs.writeFileSync(path.join(dir, 'package.json'), JSON.stringify(manifest))
    const what = `${file}, ${JSON.stringify(manifest)}`
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: dir, encoding: 'utf8', env: plainEnv() })
    t.equal(status, 0, `${what} ${stderr}`)
    t.equal(stderr, '', `${what} says nothing`)
    t.match(stdout, /id: 1,\s+name: ['"]Ada['"],\s+age: 36/, what)
    t.ok(fs.existsSync(path.join(dir, 'app.db')), what)
  }
})

// Without what the test runner tells the processes that it starts.
function plainEnv () {
  const { NODE_OPTIONS, ...env } = process.env
  return env
}

t.test('the API by example', async (t) => {
  const all = blocks(section('The API by example'))
  t.ok(all.length >= 7)
  const { value } = await runIn(t, all.join('\n') + '\nreturn { age, n, rows: rows.length, page, placed, again, changes, people }')
  t.equal(value.age, 38)
  t.equal(value.rows, value.n.n)
  t.same(value.again, value.placed)
  t.same(await value.changes.next(), { value: undefined, done: true }, 'the watch has ended')
  t.equal(value.page.rows.length, 2)
  t.ok(value.people.length > 0)
})

t.test('the log', async (t) => {
  const [use, pinos, requests] = blocks(section('Log'))
  const { value } = await runIn(t, use + '\nreturn { lines, dropped, span }')
  t.match(value, { lines: 4, dropped: 0 })
  const text = fs.readdirSync('logs').filter((name) => name.endsWith('.log')).map((name) => fs.readFileSync(path.join('logs', name), 'utf8')).join('')
  t.match(text, /"user":\{"name":"Ada","token":"\[Redacted\]"\},"msg":"signed in"\}\n/)
  t.match(text, '"msg":"[import] reading took 12 ms"')
  t.match(text, value.span.traceId)
  await runIn(t, pinos)
  const [file] = fs.readdirSync('logs').filter((name) => name.startsWith('shop-'))
  t.match(JSON.parse(fs.readFileSync(path.join('logs', file), 'utf8')), { level: 'audit', time: /Z$/, name: 'The shop', user: 7, message: 'signed in' })
  const { value: [handler, server] } = await runIn(t, requests + '\nreturn [fetch, server]')
  t.equal(await (await handler(new Request('http://h/'), {})).text(), 'hello')
  t.equal(server.listenerCount('request'), 1)
  const part = section('Log')
  for (const name of Object.keys(logOptions)) {
    t.ok(part.split('\n').some((line) => line.startsWith('|') && line.split('|')[1].includes(`\`${name}\``)), name)
  }
})

t.test('limits and options', async (t) => {
  const part = section('Limits')
  for (const [name, value] of Object.entries(defaults)) {
    const row = part.split('\n').find((line) => line.startsWith(`| \`${name}\` |`))
    if (row === undefined) {
      t.match(part.slice(part.indexOf('Other options')), `\`${name}\``, name)
      continue
    }
    t.ok(row.includes(`| ${value === null ? 'null' : value.toLocaleString('en')}`), `${name}: ${value}`)
  }
})

t.test('every code has its place', async (t) => {
  const part = section('Errors')
  for (const [code, { kind }] of Object.entries(codes)) {
    const row = part.split('\n').find((line) => line.includes(`\`${code}\``) && line.startsWith('|'))
    t.ok(row !== undefined && row.split('|')[1].includes(`\`${kind}\``), `${code} is of kind ${kind}`)
  }
})

t.test('links lead somewhere', async (t) => {
  for (const [, target] of text.matchAll(/\]\(([^)#:]+)\)/g)) {
    t.ok(fs.existsSync(path.join(root, target)), target)
  }
})
