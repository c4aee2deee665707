'use strict'

// What the README and the pages of docs/ say is run and compared: their examples, limits, codes, figures and links.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const t = require('tap')
const undercroft = require('../..')
const { codes } = require('../../lib/base/errors')
const { defaults, parseTarget } = require('../../lib/base/options')
const { table: logOptions } = require('../../lib/log/options')
const { fileTimeoutMs, root, tmpdir } = require('../helper')
const postgres = require('../pg')
const differs = require('../contract/differs')

t.setTimeout(fileTimeoutMs)

const AsyncFunction = (async () => {}).constructor

const pages = ['README.md', ...fs.readdirSync(path.join(root, 'docs')).sort().map((name) => `docs/${name}`)]
const texts = new Map(pages.map((page) => [page, fs.readFileSync(path.join(root, page), 'utf8')]))

function text (page) {
  return texts.get(`docs/${page}.md`)
}

function blocks (part) {
  return Array.from(part.matchAll(/```js\n([^]*?)```/g), (match) => match[1])
}

// The programs of a page: a block that requires the package begins one, and the next blocks continue it.
// Each block is a scope inside of the one before, so that a name may be taken again.
function programs (page) {
  const all = []
  for (const block of blocks(page)) {
    if (all.length === 0 || /^(async function main|const .* = require\()/.test(block)) all.push([block])
    else all.at(-1).push(block)
  }
  return all
}

function nested (program, last = '') {
  return '{\n' + program.join('\n{\n') + '\n' + last + '\n}'.repeat(program.length)
}

// Runs a program as the body of an async function in a folder that is empty but for a migration.
async function runIn (t, program, last, page = '', server = null) {
  const dir = tmpdir(t)
  const before = process.cwd()
  fs.mkdirSync(path.join(dir, 'migrations'), { recursive: true })
  fs.writeFileSync(path.join(dir, 'migrations/0001_note.sql'), 'create table note(id integer primary key)')
  // What the page has to be put into files.
  for (const [, name, sql] of page.matchAll(/^Put this into `([^`]+)`:\n\n```(?:sql|html)\n([^]*?)```/gm)) {
    fs.mkdirSync(path.join(dir, path.dirname(name)), { recursive: true })
    fs.writeFileSync(path.join(dir, name), sql)
  }
  process.chdir(dir)
  t.teardown(() => process.chdir(before))
  const stores = []
  const served = []
  const asked = []
  const face = {
    uuidv7: undercroft.uuidv7,
    open (target, ...args) {
      // A server of the documents is one of the test.
      const isServer = /^postgres:\/\//.test(target)
      const store = undercroft.open(isServer ? server.fresh(t) : target, ...args)
      stores.push(store)
      return store
    },
    graceful (server, options) {
      // On a free port, silent, in a process that goes on.
      const service = undercroft.graceful(server, { ...options, log: undefined, port: 0, idleMs: 1, exit: false, signals: [] })
      served.push(service)
      return service
    }
  }
  const load = (name) => name === 'undercroft' ? face : require(name)
  const said = []
  const console = { log: (...args) => said.push(args), error: (...args) => t.fail(args.join(' ')) }
  const fetch = async (url) => {
    asked.push(url)
    return new Response('{"total":7}', { headers: { etag: '"1"' } })
  }
  const run = new AsyncFunction('require', 'console', 'fetch', 'url', nested(program, last))
  try {
    const value = await run(load, console, fetch, 'http://report/')
    const bodies = []
    for (const service of served) bodies.push(await (await globalThis.fetch((await service).url)).text())
    return { value, said, asked, bodies }
  } finally {
    for (const service of served) await (await service).close()
    for (const store of stores) await store.close()
  }
}

// The first js block of a document is what a reader pastes first. Those of docs/ run below, with all
// the others of their pages; these two are pasted into an empty project: the README's is a whole
// program, the other's a line of a service, of which the text has said what stands before it.
const pasted = {
  'README.md': pasteProgram,
  'deploy/README.md': pasteService
}

function firstBlock (name) {
  // In a list it is indented.
  const [, indent, code] = /^( *)```js\n([^]*?)^\1```$/m.exec(fs.readFileSync(path.join(root, name), 'utf8')) ?? []
  return code?.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
}

// The documents of the repository: not what others have brought, nor what was made.
function documents (dir = '') {
  const entries = fs.readdirSync(path.join(root, dir), { withFileTypes: true })
  return entries.flatMap(entry => {
    const name = path.join(dir, entry.name)
    if (entry.isDirectory()) return /^\.|^(node_modules|build|vendor|prebuilds)$/.test(entry.name) ? [] : documents(name)
    return name.endsWith('.md') ? [name] : []
  })
}

t.test('each document whose first block is JavaScript has it run', async (t) => {
  const run = [...Object.keys(pasted), ...pages.filter((page) => programs(texts.get(page)).length > 0)]
  t.same(documents().filter((name) => firstBlock(name) !== undefined && !run.includes(name)), [])
  t.same(Object.keys(pasted).filter((name) => firstBlock(name) === undefined), [])
})

for (const [name, paste] of Object.entries(pasted)) {
  t.test(`the first block of ${name}, pasted`, async (t) => paste(t, firstBlock(name)))
}

// An empty folder, in which nothing is installed but the package.
function emptyProject (t) {
  const dir = fs.mkdtempSync(path.join(tmpdir(t), 'pasted-'))
  fs.mkdirSync(path.join(dir, 'node_modules'))
  fs.symlinkSync(root, path.join(dir, 'node_modules/undercroft'), 'dir')
  return dir
}

// As somebody would: saved in an empty folder and run. npm init writes "type": "commonjs".
function pasteProgram (t, code) {
  for (const [file, manifest] of [
    ['app.js', null], ['app.mjs', null], ['app.cjs', null],
    ['app.js', { type: 'commonjs' }], ['app.js', { type: 'module' }]
  ]) {
    const dir = emptyProject(t)
    fs.writeFileSync(path.join(dir, file), code)
    if (manifest !== null) fs.writeFileSync(path.join(dir, 'package.json'), JSON.stringify(manifest))
    const what = `${file}, ${JSON.stringify(manifest)}`
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: dir, encoding: 'utf8', env: plainEnv() })
    t.equal(status, 0, `${what} ${stderr}`)
    t.equal(stderr, '', `${what} says nothing`)
    t.match(stdout, /id: 1,\s+name: ['"]Ada['"],\s+age: 36/, what)
    t.ok(fs.existsSync(path.join(dir, 'app.db')), what)
  }
}

// Behind a server and a store: it listens, answers, and ends well when it is told to.
function pasteService (t, code) {
  const dir = emptyProject(t)
  fs.writeFileSync(path.join(dir, 'server.js'), `
const http = require('node:http')
const server = http.createServer((req, res) => res.end('hello'))
const store = require('undercroft').open('app.db')
// Without an agent no connection is kept, for which the end would wait.
const ask = path => new Promise((resolve, reject) => http.get({ port: server.address().port, host: '127.0.0.1', path, agent: false }, res => {
  let text = ''
  res.on('data', chunk => { text += chunk }).on('end', () => resolve(res.statusCode + ' ' + text))
}).on('error', reject))
server.on('listening', async () => {
  await ask('/health')
  console.log(await ask('/'))
  process.kill(process.pid, 'SIGTERM')
})
${code}`)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['server.js'], { cwd: dir, encoding: 'utf8', timeout: 60_000, env: { ...plainEnv(), PORT: '0' } })
  t.equal(status, 0, stderr)
  t.match(stdout, '200 hello')
}

// Without what the test runner tells the processes that it starts.
function plainEnv () {
  const { NODE_OPTIONS, ...env } = process.env
  return env
}

// What is looked at beyond its running: [what the program returns at its end, what has to hold of it].
const looks = {
  'README.md 2': ['return list', (t, { value }) => t.same(value, [])],
  'docs/api.md 1': ['return { age, n, rows: rows.length, page, placed, again, changes, people, cached }', async (t, { value }) => {
    t.equal(value.age, 38)
    t.equal(value.rows, value.n.n)
    t.same(value.again, value.placed)
    t.same(await value.changes.next(), { value: undefined, done: true }, 'the watch has ended')
    t.equal(value.page.rows.length, 2)
    t.ok(value.people.length > 0)
    t.equal(value.cached.name, 'Ada')
  }],
  'docs/cache.md 1': ['return { cached, fresh, report, names: await cache.get("names") }', (t, { value, asked }) => {
    t.equal(value.cached, undefined)
    t.equal(value.fresh.name, 'Ada')
    t.same(value.report, { etag: '"1"', body: { total: 7 } })
    t.same(asked, ['http://report/'])
    t.same(value.names, ['ann', 'bob'])
  }],
  'docs/daemon.md 1': ['', (t, { said }) => t.same(said, [[{ id: 1, name: 'Ada', age: 36 }]])],
  'docs/errors.md 1': ['', (t, { said }) => t.same(said, [['SQLITE_CONSTRAINT_UNIQUE', 1]])],
  'docs/guarantees.md 1': ['return n', (t, { value }) => t.equal(value, 1)],
  'docs/log.md 1': ['return log.stats()', (t, { value }) => {
    t.match(value, { lines: 4, dropped: 0 })
    t.match(lines('app'), '"msg":"disk 91%"')
  }],
  'docs/log.md 2': ['return { lines, dropped, span }', (t, { value }) => {
    t.match(value, { lines: 4, dropped: 0 })
    t.match(lines('app'), /"user":\{"name":"Ada","token":"\[Redacted\]"\},"msg":"signed in"\}\n/)
    t.match(lines('app'), '"msg":"[import] reading took 12 ms"')
    t.match(lines('app'), value.span.traceId)
  }],
  'docs/log.md 3': ['', (t) => {
    t.match(JSON.parse(lines('shop')), { level: 'audit', time: /Z$/, name: 'The shop', user: 7, message: 'signed in' })
  }],
  'docs/log.md 4': ['return [fetch, server]', async (t, { value: [handler, server] }) => {
    t.equal(await (await handler(new Request('http://h/'), {})).text(), 'hello')
    t.equal(server.listenerCount('request'), 1)
  }],
  'docs/session.md 1': [`
    const { url: at } = await running
    const post = (body) => globalThis.fetch(at + '/login', { method: 'POST', body: JSON.stringify(body) })
    const [wrong, right] = [await post({ name: 'ada', password: 'wrong horse' }), await post({ name: 'ada', password: 'correct horse' })]
    const cookie = right.headers.get('set-cookie').split(';')[0]
    return [wrong.status, await wrong.text(), right.status, await (await globalThis.fetch(at, { headers: { cookie } })).text(), ok, rehash]`,
  (t, { value, bodies }) => {
    t.same(value, [400, 'wrong name or password', 200, 'hello, user 1', true, false])
    t.same(bodies, ['hello, stranger'])
  }],
  'docs/postgres.md 1': ['return { tags, both, addresses, page, changes, csv }', (t, { value, said }) => {
    t.same(said[0], [[{ name: 'Ada', age: 37 }]])
    t.ok(said.some((line) => line.join(' ') === 'unique PG_UNIQUE_VIOLATION 23505 mail_once'))
    t.equal(value.tags, true)
    t.same(value.both, { a: 'y', b: 'x' })
    t.match(value.page, { rows: [{ kind: 'start' }], next: value.page.rows[0].id })
    t.equal(value.changes, 1)
    t.equal(value.csv, 'kind,size\nstart,1\nend,\ncopied,3\n')
    for (const address of value.addresses) t.ok(parseTarget(address), address)
  }],
  'docs/routes.md 1': ['return [added.status, added.body, people.body, (await routes.inject("GET", "/people.html")).body]', (t, { value }) => {
    t.same(value.slice(0, 3), [200, '{"id":1}', '{"rows":[{"id":1,"name":"Ada","age":36}],"next":null}'])
    t.match(value[3], /<ul>\n {2}<li id="p1">Ada, 36 years old<\/li>\n {2}<li id="p0">Nobody<\/li>\n<\/ul>\n$/, 'its page')
  }],
  'docs/serving.md 1': ['', (t, { bodies }) => t.same(bodies, ['[]'])]
}

function lines (name) {
  return fs.readdirSync('logs').filter((file) => file.startsWith(`${name}-`) && file.endsWith('.log'))
    .map((file) => fs.readFileSync(path.join('logs', file), 'utf8')).join('')
}

// A program that begins with a server of PostgreSQL.
const wantsServer = (program) => /\bopen\('postgres:/.test(program[0])

// They would leave something behind: a program that is pasted above, and a daemon in /tmp (test/ipc starts those).
const parsed = ['README.md 1', 'docs/daemon.md 2']

t.test('the examples run', async (t) => {
  const seen = []
  const noServer = postgres.whyNot()
  const server = noServer === null ? await postgres.start(t) : null
  for (const [page, content] of texts) {
    for (const [at, program] of programs(content).entries()) {
      const name = `${page} ${at + 1}`
      seen.push(name)
      if (parsed.includes(name)) {
        t.ok(new AsyncFunction(nested(program)), name)
        continue
      }
      const skip = wantsServer(program) && noServer !== null && noServer
      await t.test(name, { skip }, async (t) => {
        const [last, look] = looks[name] ?? ['', () => {}]
        await look(t, await runIn(t, program, last, content, server))
      })
    }
  }
  for (const name of [...Object.keys(looks), ...parsed]) t.ok(seen.includes(name), `${name} is there`)
})

t.test('the README is a door', async (t) => {
  const { length } = texts.get('README.md').trimEnd().split('\n')
  t.ok(length <= 200, `at most 200 lines: ${length}`)
  for (const page of pages.slice(1)) t.match(texts.get('README.md'), `](${page})`, `it leads to ${page}`)
})

t.test('a page begins with something to paste', async (t) => {
  for (const page of pages.slice(1)) t.match(texts.get(page), /^# [^\n]+\n\n(Put this into `[^`]+`:\n\n```sql\n[^]*?```\n\n)?```(js|sh)\n/, page)
})

t.test('what an operator pastes is right', { skip: postgres.whyNot() ?? false }, async (t) => {
  const server = await postgres.start(t)
  const name = server.nameOf(server.fresh(t))
  const page = text('operating-postgres')
  const statements = Array.from(page.matchAll(/```sql\n([^]*?)```/g), (match) => match[1])
  t.ok(statements.length > 5)
  for (const statement of statements) t.doesNotThrow(() => server.sql(statement, name), statement)
  const [, rows] = /## Settings\n([^]*?)## Vacuum/.exec(page)
  const settings = Array.from(rows.matchAll(/^\| `(\w+)`/gm), (match) => match[1])
  const known = server.sql('select name from pg_settings', name).split('\n')
  t.same(settings.filter((setting) => !known.includes(setting)), [], 'settings that PostgreSQL has')
  const starred = Array.from(rows.matchAll(/^\| `(\w+)` \*/gm), (match) => match[1])
  t.same(server.sql("select name from pg_settings where context = 'postmaster'", name).split('\n').filter((setting) => settings.includes(setting)).sort(), starred.sort(), 'those that want a restart')
})

// test/contract shows each of them to be so.
t.test('what differs on PostgreSQL is in one table', async (t) => {
  const rows = differs.map(({ what, instead }) => `| ${what} | ${instead} |`)
  const [, found] = /<!-- differs -->\n([^]*?)\n?<!-- \/differs -->/.exec(text('postgres'))
  t.same(found.split('\n').slice(2), rows, 'docs/postgres.md, between the two marks')
})

t.test('limits and options', async (t) => {
  const part = text('limits')
  for (const [name, value] of Object.entries(defaults)) {
    const row = part.split('\n').find((line) => line.startsWith(`| \`${name}\` |`))
    if (row === undefined) {
      t.match(part.slice(part.indexOf('Other options')), `\`${name}\``, name)
      continue
    }
    t.ok(row.includes(`| ${value === null ? 'null' : value.toLocaleString('en')}`), `${name}: ${value}`)
  }
})

t.test('options of the log', async (t) => {
  for (const name of Object.keys(logOptions)) {
    t.ok(text('log').split('\n').some((line) => line.startsWith('|') && line.split('|')[1].includes(`\`${name}\``)), name)
  }
})

t.test('every code has its place', async (t) => {
  const part = text('errors')
  for (const [code, { kind }] of Object.entries(codes)) {
    const row = part.split('\n').find((line) => line.includes(`\`${code}\``) && line.startsWith('|'))
    t.ok(row !== undefined && row.split('|')[1].includes(`\`${kind}\``), `${code} is of kind ${kind}`)
  }
})

// After a new measurement the README has to follow. The ratio stands behind the rival's name, in a row of Node 24 or
// in its column, which is the first.
t.test('the figures at a glance are those of the pages that they link to', async (t) => {
  const rows = Array.from(texts.get('README.md').matchAll(/^\| [^|]+ \| ([^|]+) \| \**([\d.]+×)\** \| \[[^\]]+\]\((bench\/[^)]+)\) \|$/gm))
  t.ok(rows.length >= 10, `${rows.length} rows`)
  for (const [row, rival, ratio, page] of rows) {
    const name = rival.split(' ').at(-1)
    const cell = new RegExp(`(?:^|>| )${name} [^<]*: \\**${ratio}`)
    const found = fs.readFileSync(path.join(root, page), 'utf8').split('\n')
      .some((line) => cell.test(line.includes('| node24 |') ? line : line.split(' | ')[1]))
    t.ok(found, row)
  }
})

// As GitHub makes the anchor of a heading.
function anchors (content) {
  const heads = content.replace(/^```[^]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)
  return Array.from(heads, ([, head]) => head.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))
}

t.test('links lead somewhere', async (t) => {
  for (const [page, content] of texts) {
    for (const [, target] of content.replace(/^```[^]*?^```$/gm, '').matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [name, anchor] = target.split('#')
      const file = name === '' ? path.join(root, page) : path.resolve(root, path.dirname(page), name)
      if (!t.ok(fs.existsSync(file), `${page}: ${target}`) || anchor === undefined) continue
      t.ok(anchors(fs.readFileSync(file, 'utf8')).includes(anchor), `${page}: the heading ${target}`)
    }
  }
})
