'use strict'

// The parts of lib/routes that need no server; test/routes has the rest.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { UndercroftError } = require('../../lib/base/errors')
const { requestId, giveRequestId } = require('../../lib/base/request-id')
const { Refusal, answerFor, refusals } = require('../../lib/routes/answers')
const { Hangup } = require('../../lib/base/abort')
const { originForm } = require('../../lib/base/origin-form')
const { readFiles, readDir } = require('../../lib/routes/files')
const { readOptions } = require('../../lib/routes/options')
const { readOwn } = require('../../lib/routes/own')
const { plainAddress } = require('../../lib/base/peer')
const { Paths } = require('../../lib/routes/paths')
const { Routes } = require('../../lib/routes')
const { Store } = require('../../lib/store')
const { tmpdir } = require('../helper')

const root = path.join(__dirname, '../..')

// ---- files -----------------------------------------------------------------

function tree (t, files) {
  const dir = fs.mkdtempSync(path.join(tmpdir(t), 'files-'))
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
    fs.writeFileSync(path.join(dir, name), text)
  }
  return dir
}

const namesIn = (dir) => readFiles(dir).files.map(([name]) => name)

t.test('files of a directory', async (t) => {
  const dir = tree(t, {
    'user.sql': '\ufeff-- Zoë',
    'a/b/deep.sql': '2',
    'a/list.mustache': '3',
    'a/page.html': '4',
    'a/notes.md': '-',
    'Z.sql': '5',
    '.hidden.sql': '-',
    '.git/x.sql': '-',
    'node_modules/x.sql': '-',
    'x.sql.bak': '-'
  })
  const { files, dirs } = readFiles(dir)
  t.same(files, [['Z.sql', '5'], ['a/b/deep.sql', '2'], ['a/list.mustache', '3'], ['a/page.html', '4'], ['user.sql', '-- Zoë']], 'sorted, and without a byte order mark')
  t.same(dirs.map((each) => path.relative(dir, each)).sort(), ['', 'a', 'a/b'])
})

t.test('links are followed, and not for ever', async (t) => {
  const other = tree(t, { 'b.sql': 'b', 'c/d.sql': 'd' })
  const dir = tree(t, { 'a.sql': 'a', 'x/y.sql': 'y' })
  fs.symlinkSync(path.join(other, 'b.sql'), path.join(dir, 'b.sql'))
  fs.symlinkSync(path.join(other, 'c'), path.join(dir, 'c'))
  fs.symlinkSync(dir, path.join(dir, 'x/again'))
  fs.symlinkSync('.', path.join(dir, 'self'))
  t.same(namesIn(dir), ['a.sql', 'b.sql', 'c/d.sql', 'x/y.sql'])
  fs.symlinkSync('nowhere.sql', path.join(dir, 'gone.sql'))
  t.throws(() => readFiles(dir), { code: 'UC_ROUTE', message: `routes: ${path.join(dir, 'gone.sql')}: there is no such file or directory` })
})

t.test('files that cannot be routes', async (t) => {
  const fails = (files, message) => {
    const dir = tree(t, files)
    t.throws(() => readFiles(dir), { code: 'UC_ROUTE', kind: 'usage', message: `routes: ${message(dir)}` })
  }
  fails({ 'a.txt': '' }, (dir) => `${dir}: there is no *.sql in it`)
  fails({ 'a.sql': Buffer.from([0x2d, 0xff]) }, (dir) => `${dir}/a.sql: not valid UTF-8`)
  fails({ 'a.sql': 'x'.repeat(3e6), 'b.sql': 'x'.repeat(3e6) }, (dir) => `${dir}/b.sql: all files together are larger than 4194304 bytes`)
  fails({ [`${'d/'.repeat(9)}a.sql`]: '' }, (dir) => `${dir}${'/d'.repeat(9)}: deeper than 8 directories`)
  t.throws(() => readFiles('/nowhere/at/all'), { code: 'UC_ROUTE', message: 'routes: /nowhere/at/all: there is no such file or directory' })
  const [file] = fs.readdirSync(root).filter((name) => name === 'package.json')
  t.throws(() => readFiles(path.join(root, file)), { code: 'UC_ROUTE', message: /package\.json: ENOTDIR/ })
})

t.test('the directory', async (t) => {
  t.equal(readDir('routes'), path.resolve('routes'))
  t.equal(readDir(new URL('file:///srv/app/routes')), '/srv/app/routes')
  for (const bad of [undefined, '', 5, 'a\0b', new URL('http://x/routes')]) t.throws(() => readDir(bad), { code: 'UC_OPTION', message: /^routes: dir: expected the path of a directory/ })
})

// ---- options ---------------------------------------------------------------

t.test('options', async (t) => {
  t.match(readOptions(), { statuses: 'plain', bodyMost: 1048576, origins: [], timeoutMs: undefined, user: null, log: null, watch: false })
  const user = () => null
  t.match(readOptions({ statuses: 'fine', origins: ['https://a.example', 'http://localhost:5173'], user, timeoutMs: 5, log: console }), { statuses: 'fine', user, log: console })
  for (const [options, message] of [
    [{ status: 'fine' }, 'routes: unknown option "status"; did you mean "statuses"?'],
    [{ statuses: 'all' }, "routes: option statuses: expected 'plain' or 'fine', got \"all\""],
    [{ bodyMost: -1 }, 'routes: option bodyMost: expected an integer from 0 to 67108864, got -1'],
    [{ origins: '*' }, 'routes: option origins: expected a list of at most 1000 origins, got "*"'],
    [{ timeoutMs: 0 }, 'routes: option timeoutMs: expected an integer from 1 to 86400000, got 0'],
    [{ watch: 1 }, 'routes: option watch: expected true or false, got 1'],
    [{ user: 'ada' }, /^routes: option user: expected a function/],
    [{ log: {} }, /^routes: option log: expected a logger/],
    [{ trustProxy: true }, /^routes: option trustProxy: expected 'loopback', 'unix', a network/],
    [{ trustProxy: ['10.0.0.0/33'] }, /got "10\.0\.0\.0\/33"$/],
    [5, 'routes: options: expected an object, got 5']
  ]) t.throws(() => readOptions(options), { code: 'UC_OPTION', message })
  for (const origin of ['*', 'https://a.example/', 'https://A.example', 'a.example', 'https://a.example:443', 'null', 'ftp://a', 5]) {
    t.throws(() => readOptions({ origins: ['https://b.example', origin] }), { code: 'UC_OPTION', message: /^routes: option origins\[1\]: expected an origin/ }, String(origin))
  }
})

t.test('handlers of one\'s own', async (t) => {
  const fn = () => {}
  t.match(readOwn('get', '/a', { public: true }, fn), { method: 'GET', path: '/a', isPublic: true, roles: [] })
  t.match(readOwn('post', '/a', { auth: true }, fn), { method: 'POST', isPublic: false, roles: [] })
  t.match(readOwn('post', '/a', { auth: ['editor'] }, fn), { roles: ['editor'] })
  for (const args of [['a', { public: true }, fn], ['/a?b', { public: true }, fn], ['/a', { public: true }, 5], ['/a', null, fn], ['/a', {}, fn], ['/a', { public: true, auth: true }, fn],
    ['/a', { auth: 'editor' }, fn], ['/a', { auth: [5] }, fn], ['/a', { public: true, schema: {} }, fn], ['/a', { publik: true }, fn], ['/a', { public: 1 }, fn]]) {
    t.throws(() => readOwn('get', ...args), { code: 'UC_OPTION', message: /^routes\.get/ })
  }
})

// ---- answers ---------------------------------------------------------------

t.test('refusals are those of the core', async (t) => {
  const header = fs.readFileSync(path.join(root, 'csrc/core/routes/request.h'), 'utf8')
  const [, map] = /#define UC_REFUSAL_MAP\(X\)([^]*?)\n\n/.exec(header)
  const core = [...map.matchAll(/X\((\w+), (\d+), (\d+)\)/g)].map(([, name, ...statuses]) => [name, statuses.map(Number)])
  t.same(Object.entries(refusals).sort(), core.filter(([name]) => name !== 'NONE').sort())
})

t.test('the answer for an error', async (t) => {
  const error = (code, info) => new UndercroftError(code, 'secret words (sql: select secret)', info)
  const http = (status, more) => Object.assign(new Error('no such photo'), { status, expose: true, ...more })
  for (const [err, statuses, text] of [
    [error('UC_TIMEOUT'), [500, 504], 'timed out'],
    [error('UC_TX_EXPIRED'), [500, 504], 'timed out'],
    [AbortSignal.timeout(0).reason ?? new DOMException('late', 'TimeoutError'), [500, 504], 'timed out'],
    [error('UC_BUSY'), [503, 503], 'busy'],
    [error('SQLITE_BUSY', { kind: 'busy' }), [503, 503], 'busy'],
    [error('UC_CLOSED'), [503, 503], 'busy'],
    [error('UC_CONNECT'), [503, 503], 'busy'],
    [error('UC_CONNECTION_LOST', { outcome: 'not-sent' }), [503, 503], 'busy'],
    [error('UC_CONNECTION_LOST', { outcome: 'unknown' }), [500, 500], 'internal error'],
    [error('SQLITE_CONSTRAINT_UNIQUE', { kind: 'unique' }), [400, 409], 'value: is taken'],
    [error('SQLITE_CONSTRAINT_UNIQUE', { kind: 'unique', column: 'name' }), [400, 409], 'name: is taken'],
    [error('SQLITE_CONSTRAINT_FOREIGNKEY', { kind: 'foreign-key' }), [400, 400], 'value: refers to nothing'],
    [error('SQLITE_CONSTRAINT_CHECK', { kind: 'check' }), [400, 400], 'value: is not allowed'],
    [error('UC_ONCE_CONFLICT'), [400, 409], 'idempotency-key: belongs to another request'],
    [error('UC_REQUEST_TOO_LARGE'), [413, 413], 'body: is too large'],
    [error('UC_PARAM_TYPE'), [500, 500], 'internal error'],
    [error('SQLITE_ERROR'), [500, 500], 'internal error'],
    [error('PG_NUMERIC_VALUE_OUT_OF_RANGE', { kind: 'constraint' }), [400, 400], 'value: is not allowed'],
    [error('PG_DIVISION_BY_ZERO', { kind: 'usage' }), [500, 500], 'internal error'],
    [http(404), [400, 404], 'no such photo'],
    [http(413), [413, 413], 'no such photo'],
    [http(500), [500, 500], 'internal error'],
    [http(404, { expose: false }), [500, 500], 'internal error'],
    [new TypeError('secret'), [500, 500], 'internal error'],
    [new Refusal('LOGIN'), [400, 401], 'not logged in'],
    [new Refusal('REFUSED', 'no'), [400, 400], 'no'],
    ['secret', [500, 500], 'internal error'],
    [null, [500, 500], 'internal error'],
    [undefined, [500, 500], 'internal error']
  ]) {
    const [plain, fine] = [answerFor(err, false), answerFor(err, true)]
    t.same([[plain.status, fine.status], plain.body, fine.body, plain.type], [statuses, text, text, 'text/plain; charset=utf-8'], `${err?.code ?? err} ${text}`)
  }
})

t.test('errors that speak to the caller', async (t) => {
  const password = answerFor(new UndercroftError('UC_PASSWORD', 'password: must have at least 8 characters'), true)
  t.match(password, { status: 400, body: 'password: must have at least 8 characters', headers: [] })
  const err = Object.assign(new UndercroftError('UC_RATE', 'too many tries: again in 3 s'), { retryAfterMs: 2500 })
  t.match(answerFor(err, true), { status: 429, body: 'too many tries: again in 3 s', headers: ['retry-after', '3'] })
  t.equal(answerFor(err, false).status, 400)
})

// ---- who and where -----------------------------------------------------------

t.test('addresses', async (t) => {
  for (const [text, wanted] of [
    ['203.0.113.9', '203.0.113.9'], ['203.0.113.9:4711', '203.0.113.9'], ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8::1', '2001:db8::1'], ['[2001:db8::1]:80', '2001:db8::1'], ['[2001:db8::1]', '2001:db8::1'],
    ['', null], ['unknown', null], ['_hidden', null], ['1.2.3', null], ['1.2.3.4, 5.6.7.8', null], ['[1.2.3.4', null]
  ]) t.equal(plainAddress(text), wanted, text)

  const ip = (address) => ({ address, isUnix: false })
  const unix = { address: null, isUnix: true }
  const unknown = { address: null, isUnix: false }
  for (const [trusted, peer, forwarded, wanted] of [
    ['loopback', ip('127.0.0.1'), '203.0.113.9', '203.0.113.9'],
    ['loopback', ip('::1'), '203.0.113.9', '203.0.113.9'],
    ['loopback', ip('127.9.9.9'), '203.0.113.9', '203.0.113.9'],
    ['loopback', ip('::ffff:127.0.0.1'), '203.0.113.9', '203.0.113.9'],
    ['loopback', ip('203.0.113.1'), '10.0.0.1', '203.0.113.1'],
    ['loopback', unix, '10.0.0.1', null],
    ['loopback', unknown, '10.0.0.1', null],
    ['unix', unknown, '10.0.0.1', null],
    ['unix', unix, '10.0.0.1', '10.0.0.1'],
    [false, ip('127.0.0.1'), '10.0.0.1', '127.0.0.1'],
    ['loopback', ip('127.0.0.1'), '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    [['loopback', '203.0.113.0/24'], ip('127.0.0.1'), '1.1.1.1, 203.0.113.9', '1.1.1.1'],
    [['loopback', '203.0.113.9'], ip('127.0.0.1'), '1.1.1.1, 203.0.113.9', '1.1.1.1'],
    [['loopback', '2001:db8::/32'], ip('127.0.0.1'), '1.1.1.1, [2001:db8::5]:443', '1.1.1.1'],
    [['loopback', '10.0.0.0/8'], ip('127.0.0.1'), '10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['loopback', ip('127.0.0.1'), '1.1.1.1, nonsense', '127.0.0.1'],
    ['loopback', ip('127.0.0.1'), '', '127.0.0.1'],
    [['loopback', '10.0.0.0/8'], ip('127.0.0.1'), ['1.1.1.1', ...Array(50).fill('10.0.0.1')].join(','), '10.0.0.1']
  ]) t.equal(readOptions({ trustProxy: trusted }).trustProxy.addressOf(peer, forwarded), wanted, `${trusted}: ${forwarded.slice(0, 40)}`)
})

t.test('ids', async (t) => {
  t.equal(requestId({}, 'a-b/c+1=@2'), 'a-b/c+1=@2')
  const made = [undefined, null, '', 'a b', 'a\nb', 'ä', 'x'.repeat(129), 5].map((given) => requestId({}, given))
  t.equal(new Set(made).size, made.length, 'each is another one')
  for (const id of made) t.match(id, /^[0-9a-f]{10}-[0-9a-z]+$/)
  const request = {}
  t.equal(giveRequestId(request, 'first'), 'first')
  t.equal(requestId(request, 'second'), 'first', 'one request has one')
  t.equal(giveRequestId(request), 'first')
})

t.test('the answer for a handler elsewhere', async (t) => {
  const lines = []
  const log = { info () {}, warn (...line) { lines.push(line) }, error (...line) { lines.push(line) } }
  const core = { log: () => log, send: async () => [1, [], []] }
  const routes = new Routes(core, tree(t, { 'a.sql': '' }))
  const rate = Object.assign(new UndercroftError('UC_RATE', 'too many tries: again in 3 s'), { retryAfterMs: 2500 })
  t.same(routes.answer(rate), { status: 400, type: 'text/plain; charset=utf-8', headers: { 'retry-after': '3' }, body: 'too many tries: again in 3 s' })
  t.same(lines, [])
  const err = new Error('secret')
  for (let i = 0; i < 2; i++) t.match(routes.answer(err), { status: 500, headers: {}, body: 'internal error' })
  t.match(lines, [[{ err }, 'request failed']], 'one line for one error')
  t.equal(lines.length, 1)
})

t.test('targets', async (t) => {
  for (const [url, wanted] of [
    ['/a?b=1', '/a?b=1'], ['/', '/'], ['http://host/a?b', '/a?b'], ['https://host:80/', '/'], ['http://host', '/'], ['http://host?a=/', '/?a=/'],
    ['//host/a', '//host/a'], ['*', '*'], ['host:443', 'host:443']
  ]) t.equal(originForm(url), wanted, url)

  const own = { method: 'POST', path: '/b' }
  const paths = new Paths([{ method: 'GET', path: '/a' }, { method: 'POST', path: '/a' }, { method: 'GET', path: '/b' }], [own, { method: 'GET', path: '/d' }])
  t.match(paths.find('/a'), { allow: 'GET, HEAD, POST', isOwn: false })
  t.equal(paths.find('/b?x=/a').ownFor('POST'), own)
  t.equal(paths.find('/b').ownFor('GET'), null)
  t.equal(paths.find('/b').ownFor('DELETE'), null)
  t.match(paths.find('/d'), { allow: 'GET, HEAD', isOwn: true })
  for (const target of ['/', '', '/A', '/a/', '/%61', '/a%zz', '*', '/__proto__']) t.equal(paths.find(target), undefined, target)
})

t.test('a caller that hangs up', async (t) => {
  const hangup = new Hangup()
  const heard = []
  const first = () => heard.push('first')
  hangup.addEventListener('abort', first)
  hangup.removeEventListener('abort', first)
  for (const fn of [first, () => heard.push('second'), () => heard.push('third')]) hangup.addEventListener('abort', fn)
  hangup.removeEventListener('abort', first)
  t.equal(hangup.aborted, false)
  hangup.abort()
  hangup.abort()
  t.same(heard, ['second', 'third'])
  t.match(hangup, { aborted: true, reason: { name: 'AbortError' } })
})

// ---- the store -------------------------------------------------------------

t.test('a set is asked for on the connection that it was loaded on', async (t) => {
  const calls = []
  const client = {
    options: { log: null },
    request: (args, opts, epoch) => client.call('request', args, opts, null, epoch),
    native: {},
    epoch: 1,
    async call (op, args, opts, scope, epoch) {
      if (epoch !== undefined && epoch !== client.epoch) throw new UndercroftError('UC_CONNECTION_LOST', 'lost', { outcome: 'not-sent' })
      calls.push([op, args[0], epoch])
      if (op === 'routes_load') return [1, [{ method: 'GET', path: '/a' }], []]
      return { status: 200, type: '', headers: [], body: Buffer.alloc(0) }
    }
  }
  const routes = new Store(client, ':memory:').routes(tree(t, { 'a.sql': '' }))
  t.equal((await routes.inject('GET', '/a')).status, 200)
  client.epoch = 2
  t.equal((await routes.inject('GET', '/a')).status, 200)
  t.match(calls, [['routes_load'], ['request', 1, 1], ['routes_load'], ['request', 1, 2]], 'and dropped on no other')
  t.equal(calls.length, 4)
  routes.close()
  t.same(calls[4], ['routes_drop', 1, 2])
})
