'use strict'

// Levels, children, redaction, serialisers, and where lines go.

const fs = require('node:fs')
const path = require('node:path')
const { Writable } = require('node:stream')
const t = require('tap')
const { open } = require('../..')
const { Log } = require('../../lib/log')
const { readLog, toCore, table } = require('../../lib/log/options')
const { failure, runs, tmpdir, until } = require('../helper')

function collect (options) {
  const lines = []
  const log = new Log(readLog({ base: null, destination: { write: (line) => { lines.push(line) } }, ...options }))
  return { log, lines, last: () => JSON.parse(lines.at(-1)), messages: () => lines.map((line) => JSON.parse(line).msg) }
}

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 }

t.test('levels', async (t) => {
  for (const level of [...Object.keys(LEVELS), 'silent']) {
    const { log, lines } = collect({ level })
    t.equal(log.level, level)
    for (const name of Object.keys(LEVELS)) log[name](name)
    log.silent('never')
    const wanted = Object.entries(LEVELS).filter(([, number]) => number >= (LEVELS[level] ?? Infinity))
    t.same(lines.map((line) => [JSON.parse(line).msg, JSON.parse(line).level]), wanted)
    for (const [name, number] of Object.entries(LEVELS)) t.equal(log.isLevelEnabled(name), number >= (LEVELS[level] ?? Infinity))
  }
  const { log, messages } = collect()
  log.debug('no')
  log.level = 'debug'
  log.debug('yes')
  for (const bad of ['loud', 5, undefined, '30', '__proto__']) t.throws(() => { log.level = bad }, { code: 'UC_OPTION', message: /level: expected one of/ })
  t.equal(log.level, 'debug', 'nothing has changed')
  t.same(messages(), ['yes'])
  await log.setLevel('warn', { everywhere: true })
  t.equal(log.level, 'warn')
  await t.rejects(log.setLevel('loud'), { code: 'UC_OPTION' })
  await t.rejects(log.setLevel(null), { code: 'UC_OPTION' }, 'for one alone there is nothing to go back to')
  await log.setLevel(null, { everywhere: true })
  t.equal(log.level, 'info', 'that of its option again')
})

t.test('children', async (t) => {
  const { log, last, lines, messages } = collect({ base: { app: 'x' } })
  const child = log.child({ reqId: 'a"b', n: 1 })
  child.info({ more: true }, 'm')
  t.match(lines[0], /"app":"x","reqId":"a\\"b","n":1,"more":true,"msg":"m"\}/)
  t.same(child.bindings(), { app: 'x', reqId: 'a"b', n: 1 })
  const grandchild = child.child({ deep: { a: [1] }, u: undefined, err: new Error('e') })
  grandchild.info('m')
  t.match(last(), { app: 'x', reqId: 'a"b', deep: { a: [1] }, err: { type: 'Error', message: 'e' } })
  log.info('no bindings of children')
  t.same(Object.keys(last()), ['level', 'time', 'app', 'msg'])
  log.level = 'warn'
  child.info('the level of the parent holds for children')
  const own = log.child({}, { level: 'debug' })
  own.debug('own level')
  own.level = 'error'
  t.equal(log.level, 'warn', 'and stays its own')
  const late = log.child()
  const under = late.child()
  late.level = 'fatal'
  t.same([log.level, child.level, late.level, under.level], ['warn', 'warn', 'fatal', 'warn'], 'given later, too')
  log.level = 'error'
  t.same([log.level, child.level, late.level, under.level], ['error', 'error', 'fatal', 'error'])
  log.level = 'warn'
  log.child({}, { msgPrefix: 'pre: ' }).warn('fixed')
  log.child({}, { msgPrefix: 'a ' }).child({}, { msgPrefix: 'b ' }).warn('fixed')
  t.same(messages().slice(3), ['own level', 'pre: fixed', 'a b fixed'])
  t.throws(() => log.child('x'), { code: 'UC_OPTION' })
  t.throws(() => log.child({}, { level: 'x' }), { code: 'UC_OPTION', message: /child: option level/ })
  t.throws(() => log.child({}, { serializers: { a: 5 } }), { code: 'UC_OPTION', message: /serializers\.a/ })
})

t.test('redaction', async (t) => {
  const secret = { password: 'p', user: { token: 't', card: { number: 1, cvc: 2 }, name: 'n' }, list: [{ key: 'k', id: 1 }, { key: 'l' }], headers: { 'set-cookie': 'c', host: 'h' } }
  const seen = (redact, value = secret) => {
    const { log, last } = collect({ redact })
    log.info(value)
    const { level, time, ...rest } = last()
    return rest
  }
  const R = '[Redacted]'
  t.same(seen(['password']), { ...secret, password: R })
  t.same(seen(['user.token', 'list[*].key', 'headers["set-cookie"]']), { ...secret, user: { ...secret.user, token: R }, list: [{ key: R, id: 1 }, { key: R }], headers: { 'set-cookie': R, host: 'h' } })
  t.same(seen(['*.token', 'list[1].key']), { ...secret, user: { ...secret.user, token: R }, list: [{ key: 'k', id: 1 }, { key: R }] })
  t.same(seen(['user.card.*', '*.name']), { ...secret, user: { token: 't', card: { number: R, cvc: R }, name: R } })
  t.same(seen({ paths: ['password', 'user'], remove: true }), { list: secret.list, headers: secret.headers })
  t.same(seen({ paths: ['password'], censor: (value, path) => `${path}:${value.length}` }).password, 'password:1')
  t.same(seen({ paths: ['password'], censor: null }).password, null)
  t.same(seen({ paths: ['password'], censor: () => { throw new Error('no') } }).password, '[unreadable: no]', 'a censor that throws shows nothing')
  t.same(seen(['err.config.auth'], { err: Object.assign(new Error('x'), { config: { auth: 'a', url: 'u' } }) }).err.config, { auth: R, url: 'u' })
  const { log, lines } = collect({ redact: ['password', 'req.secret'] })
  log.child({ password: 'hidden' }).info({ req: { secret: 'hidden' } })
  log.child({}, { redact: ['other'] }).info({ password: 'hidden', other: 'hidden', shown: 1 })
  t.ok(lines.every((line) => !line.includes('hidden')), 'in bindings and in children as well')
  t.match(lines[1], '"shown":1')
  const pairs = { map: new Map([['password', 'p'], [1, { token: 't' }], [{ token: 't' }, 'v'], [true, 'x']]), plain: new Map([['password', 'p'], ['x', 1]]) }
  t.same(seen(['map.password', '*.*.token', 'plain.password', 'map.true'], pairs), {
    map: [['password', R], [1, { token: R }], [{ token: R }, 'v'], [true, R]],
    plain: { password: R, x: 1 }
  }, 'in maps, whatever their keys are')
  t.same(seen({ paths: ['map.password', 'map.1'], remove: true }, pairs).map, [[{ token: 't' }, 'v'], [true, 'x']])
  const { log: based, last } = collect({ base: { app: 'x', token: 'hidden', deep: { password: 'hidden' } }, redact: ['token', 'deep.password'] })
  based.info('m')
  t.match(last(), { app: 'x', token: R, deep: { password: R } }, 'and in base')
  for (const bad of [5, [5], [''], ['a..b'], ['a['], ['a]'], ['.a'], { paths: 5 }, { paths: ['a'], censors: 1 }, { paths: ['a'], remove: 5 }, {}]) {
    t.throws(() => collect({ redact: bad }), { code: 'UC_OPTION', message: /log\.redact/ }, JSON.stringify(bad))
  }
})

t.test('serialisers', async (t) => {
  const { log, last } = collect()
  const child = log.child({ user: { id: 1, name: 'x' } }, { serializers: { user: (user) => user.id, bad: () => { throw new Error('no') }, req: (req) => ({ url: req.url }) } })
  child.info({ req: { url: '/', socket: {} }, bad: 5, other: 1 })
  t.match(last(), { user: 1, req: { url: '/' }, bad: '[unreadable: no]', other: 1 })
  t.notOk('socket' in last().req)
  child.child({}, { serializers: { other: () => 2 } }).info({ other: 1, req: { url: '/b', x: 1 } })
  t.same([last().other, last().req], [2, { url: '/b' }])
})

t.test('as fastify uses a logger', async (t) => {
  const { log, last, messages } = collect()
  for (const name of ['info', 'error', 'debug', 'fatal', 'warn', 'trace', 'child']) t.equal(typeof log[name], 'function')
  const logger = log.child({}, { serializers: { req: (req) => ({ method: req.method, url: req.url }), res: (reply) => ({ statusCode: reply.statusCode }), err: (err) => ({ type: err.name, message: err.message }) } })
  const request = logger.child({ reqId: 'req-1' })
  request.info({ req: { method: 'GET', url: '/', raw: {} } }, 'incoming request')
  request.error({ req: {}, res: { statusCode: 500 }, err: new TypeError('x') }, 'x')
  request.info({ res: { statusCode: 200, raw: {} }, responseTime: 1.25 }, 'request completed')
  t.same(messages(), ['incoming request', 'x', 'request completed'])
  t.match(last(), { reqId: 'req-1', res: { statusCode: 200 }, responseTime: 1.25 })
  t.notOk('raw' in last().res)
})

t.test('what pino would write goes through', async (t) => {
  const { log, lines } = collect()
  const destination = log.destination()
  t.equal(destination[Symbol.for('pino.metadata')], true)
  destination.write('{"level":30,"msg":"from pino"}\n')
  destination.write('no end')
  t.same(lines, ['{"level":30,"msg":"from pino"}\n', 'no end\n'])
  await new Promise((resolve, reject) => destination.flush((err) => err ? reject(err) : resolve()))
  destination.flushSync()
  destination.end()
})

t.test('a descriptor, a stream, and after the end', async (t) => {
  const file = path.join(tmpdir(t), 'out')
  const fd = fs.openSync(file, 'a')
  const log = new Log(readLog({ destination: fd, base: null }))
  log.info('one ä')
  t.match(fs.readFileSync(file, 'utf8'), /"msg":"one ä"\}\n$/, 'there when the call returns')
  await log.flush({ sync: true })
  await new Promise((resolve, reject) => log.flush((err) => err ? reject(err) : resolve()))
  t.match(await log.stats(), { sink: 'stdout', lines: 1, dropped: 0 })
  log.reopen()
  log.rotate()
  fs.closeSync(fd)
  const gone = new Log(readLog({ destination: fd, base: null }))
  t.doesNotThrow(() => gone.info('nowhere'))
  gone.info('nowhere')
  t.equal((await gone.stats()).lines, 0)

  const chunks = []
  const slow = new Writable({ highWaterMark: 1, decodeStrings: false, write (chunk, _, done) { setImmediate(() => { chunks.push(chunk); done() }) } })
  const streamed = new Log(readLog({ destination: slow, base: null }))
  for (let i = 0; i < 10; i++) streamed.info(`${i}`)
  await streamed.flush()
  t.equal(chunks.filter((chunk) => chunk.length > 0).length, 10)
  t.match(await streamed.stats(), { sink: 'stream', lines: 10 })
  const broken = new Log(readLog({ destination: { write () { throw new Error('no') } } }))
  t.doesNotThrow(() => broken.info('x'))
  t.equal((await broken.stats()).dropped, 1)
  await broken.close()
})

t.test('a stream that takes nothing is not waited for without end', async (t) => {
  const stalled = new Writable({ highWaterMark: 1, write () {} })
  const log = new Log(readLog({ destination: stalled, base: null }))
  log.info('one')
  log.info('two')
  const err = await failure(log.flush({ timeoutMs: 30 }))
  t.equal(err.code, 'UC_TIMEOUT')
  t.match(err.message, /within 30 ms/)
  t.same(['drain', 'close', 'error'].map((event) => stalled.listenerCount(event)), [0, 0, 0])
  const began = performance.now()
  await log.close()
  t.ok(performance.now() - began < 8000, 'nor by its end')
})

t.test('a descriptor that cannot be written to for a while', async (t) => {
  const file = path.join(tmpdir(t), 'out')
  const fd = fs.openSync(file, 'a')
  t.teardown(() => fs.closeSync(fd))
  const { writeSync } = fs
  t.teardown(() => { fs.writeSync = writeSync })
  const said = []
  let room = Infinity
  fs.writeSync = (to, data, ...rest) => {
    if (to === 2) return said.push(String(data))
    if (to !== fd) return writeSync(to, data, ...rest)
    const bytes = Buffer.from(data).subarray(rest[0] ?? 0)
    if (room === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const n = writeSync(to, bytes, 0, Math.min(room, bytes.length))
    room -= n
    return n
  }
  const log = new Log(readLog({ destination: fd, base: null }))
  log.info('one')
  room = 20
  log.info('torn')
  for (let i = 0; i < 10; i++) log.info('no room')
  t.match(await log.stats(), { lines: 1, dropped: 11 })
  room = Infinity
  log.info('not at once')
  await until(() => {
    log.info('back')
    return fs.readFileSync(file, 'utf8').includes('back')
  }, 'it is tried again')
  log.info('last')
  const [first, torn, told, ...others] = fs.readFileSync(file, 'utf8').split('\n')
  t.equal(JSON.parse(first).msg, 'one')
  t.equal(torn, first.slice(0, 20), 'of a line that had begun the rest is missing, and its end is there')
  const { dropped } = JSON.parse(told)
  t.match(JSON.parse(told), { level: 40, msg: /^\d+ lines were dropped: they could not be written$/ })
  t.ok(dropped >= 12, `${dropped} are told`)
  t.same(others.map((line) => line && JSON.parse(line).msg), ['back', 'last', ''])
  t.equal((await log.stats()).dropped, dropped)
  t.match(said, [/^undercroft: the log cannot be written to descriptor \d+: ENOSPC.*; lines are dropped/], 'said once')
  t.equal(said.length, 1)
  room = 0
  log.info('at the end')
  room = Infinity
  await log.close()
  t.match(fs.readFileSync(file, 'utf8'), /"msg":"1 lines were dropped.*\}\n$/, 'the end tells it too')
})

t.test('a full disk at the other end of stdout', { skip: !fs.existsSync('/dev/full') && 'no /dev/full' }, async (t) => {
  const { stderr } = await runs(t, async ({ require, root }) => {
    const { Log } = require(`${root}/lib/log`)
    const { readLog } = require(`${root}/lib/log/options`)
    const fd = require('node:fs').openSync('/dev/full', 'w')
    const log = new Log(readLog({ destination: fd, base: null }))
    for (let i = 0; i < 100; i++) log.info('x')
    const { lines, dropped } = await log.stats()
    if (lines !== 0 || dropped !== 100) throw new Error(`${lines} lines, ${dropped} dropped`)
    await log.close()
  })
  t.match(stderr, /^undercroft: the log cannot be written to descriptor \d+: ENOSPC.*\n$/)
})

t.test('a pipe that is full is waited for, one that is closed is not', async (t) => {
  const { stdout } = await runs(t, async ({ require, root }) => {
    const { Log } = require(`${root}/lib/log`)
    const { readLog } = require(`${root}/lib/log/options`)
    const log = new Log(readLog({ base: null }))
    // A pipe that does not block is full after 64 KiB.
    process.stdout._handle?.setBlocking?.(false)
    for (let i = 0; i < 3000; i++) log.info({ i, text: 'x'.repeat(100) })
  })
  const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line).i)
  t.same(lines, Array.from({ length: 3000 }, (_, i) => i))
  await runs(t, async ({ require, root }) => {
    const { Log } = require(`${root}/lib/log`)
    const { readLog } = require(`${root}/lib/log/options`)
    const { spawn } = require('node:child_process')
    const reader = spawn('true', { stdio: ['pipe', 'ignore', 'ignore'] })
    await new Promise((resolve) => reader.on('exit', resolve))
    const log = new Log(readLog({ destination: reader.stdin._handle?.fd ?? 1 }))
    for (let i = 0; i < 100; i++) log.info('to nobody')
  }, { name: 'and nothing is thrown when nobody reads' })
})

t.test('a log without a database', async (t) => {
  const lines = []
  const store = open({ log: { destination: { write: (line) => lines.push(line) } } })
  t.equal(await store.ready, store)
  store.log.info('x')
  t.equal(lines.length, 1)
  t.throws(() => store.db, { code: 'UC_NO_DB' })
  t.equal((await failure(store.stats())).code, 'UC_NO_DB')
  t.equal((await failure(store.cache.get('x'))).code, 'UC_NO_CACHE')
  t.same(await store.door(), { door: 'none' })
  t.equal(store.target, null)
  await store.close()
  t.equal(store.closed, true)
  t.equal((await failure(store.health())).code, 'UC_CLOSED')
  t.equal(open({ log: { level: 'silent' } }).log.level, 'silent')
})

t.test('options', async (t) => {
  t.match(readLog(), { dir: null, file: 'app', name: null, level: 'info', overflow: 'block', compress: 'gzip', rotate: { bytes: 67108864, daily: true }, keep: { days: 60, bytes: 10737418240 } })
  t.equal(readLog(false).level, 'silent')
  t.same(readLog(true), readLog())
  const bad = {
    dir: [5, '', 'a\0'],
    file: ['', 'a b', 'a/b', 'x'.repeat(65)],
    name: ['', 5, 'x'.repeat(1001)],
    level: ['loud', 5],
    customLevels: [5, [], { audit: 0 }, { audit: 1.5 }, { audit: 30 }, { info: 35 }, { child: 35 }, { toString: 35 }, { 'a b': 35 }, { a: 35, b: 35 }],
    serializers: [5, { a: 5 }],
    timestamp: [5, 'local', () => 'x', () => ',x', () => 5],
    messageKey: ['', 5],
    errorKey: [''],
    nestedKey: [''],
    mixin: [{}],
    formatters: [5, { level: 5 }, { line: () => {} }],
    msgPrefix: [5],
    ringBytes: [1, 1.5, 2 ** 40],
    overflow: ['wait'],
    growBytes: [1],
    blockMs: [-1],
    rotate: [5, { bytes: -1 }, { daily: 1 }, { hourly: true }],
    compress: [true, 'lz4'],
    keep: [5, { days: -1 }, { day: 1 }],
    syncMs: ['x'],
    redact: [5],
    base: [5, []],
    pretty: ['yes'],
    maxLineBytes: [10],
    slowMs: [-1],
    reopenOnHup: [1],
    sync: ['call'],
    bufferBytes: [1],
    destination: ['x', -1, {}]
  }
  t.same(Object.keys(bad).sort(), Object.keys(table).sort(), 'all of them')
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) t.throws(() => readLog({ [name]: value }), { code: 'UC_OPTION', message: new RegExp(`option "?log\\.${name}\\b`) }, `${name}: ${JSON.stringify(value)}`)
  }
  t.throws(() => readLog({ dirr: 'x' }), { code: 'UC_OPTION', message: /unknown option "log\.dirr"; did you mean "dir"/ })
  t.throws(() => readLog({ where: 'x' }), { code: 'UC_OPTION', message: /unknown option "log\.where"; known are dir/ })
  t.throws(() => readLog({ dir: 'x', destination: 1 }), { code: 'UC_OPTIONS_CONFLICT' })
  t.throws(() => readLog({ ringBytes: 65536 }), { code: 'UC_OPTION', message: /maxLineBytes.*quarter/ })
  t.throws(() => readLog({ overflow: 'grow', growBytes: 1048576 }), { code: 'UC_OPTION', message: /growBytes/ })
  t.same(toCore(readLog({ dir: '/l', keep: { days: 2 }, rotate: { bytes: 5 }, compress: false })), {
    dir: '/l',
    name: 'app',
    ring_bytes: 8388608,
    overflow: 'block',
    grow_bytes: 67108864,
    block_ms: 1000,
    rotate_bytes: 5,
    daily: true,
    compress: 'none',
    keep_ms: 2 * 86400000,
    keep_bytes: 10737418240,
    sync_ms: 1000
  })
})
