'use strict'

// The log as what pino writes to, and as the logger of fastify: with both as they are
// published, and beside what pino itself writes.

const path = require('node:path')
const t = require('tap')
const pino = require('pino')
const fastify = require('fastify')
const { open } = require('../..')
const { Log } = require('../../lib/log')
const { readLog } = require('../../lib/log/options')
const { filesOf, linesOf } = require('../../lib/log/read')
const { tmpdir } = require('../helper')

/** A log into an array, and pino into another. */
function both (options = {}, pinoOptions = {}) {
  const lines = []
  const log = new Log(readLog({ destination: { write: (line) => { lines.push(line) } }, ...options }))
  const theirs = []
  const other = pino(pinoOptions, { write: (line) => { theirs.push(line) } })
  return { log, lines, other, theirs }
}

t.test('pino writes into it', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const store = open({ log: { dir, reopenOnHup: false } })
  const logger = pino({ level: 'debug', base: { app: 'x' } }, store.log.destination())
  logger.info({ reqId: 1, text: 'ä"\u{1f600}' }, 'first')
  const child = logger.child({ of: 'child' })
  for (let i = 0; i < 500; i++) child.debug({ i }, 'many')
  logger.error(new TypeError('it broke'))
  await new Promise((resolve, reject) => logger.flush((err) => err ? reject(err) : resolve()))
  const read = async () => {
    const lines = []
    for (const file of filesOf(dir)) for await (const line of linesOf(file)) lines.push(JSON.parse(line))
    return lines
  }
  const lines = await read()
  t.equal(lines.length, 502, 'all of them are in the file when flush calls back')
  t.match(lines[0], { level: 30, app: 'x', reqId: 1, text: 'ä"\u{1f600}', msg: 'first' })
  t.ok(lines.slice(1, 501).every((line, i) => line.i === i && line.of === 'child' && line.level === 20))
  t.match(lines[501], { level: 50, err: { type: 'TypeError', message: 'it broke', stack: /at / }, msg: 'it broke' })
  logger.warn('last')
  await store.close()
  t.equal((await read()).at(-1).msg, 'last')
  t.equal((await store.log.stats()).dropped, 0)
})

t.test('a line is what pino would have written', async (t) => {
  const { log, lines, other, theirs } = both()
  const err = Object.assign(new RangeError('it broke'), { code: 'E_X' })
  const calls = [
    ['text'], ['%s is %d %j', 'a', 5, { b: 1 }], ['%d%% %i %f', 1.5, 2.7, 3.5], ['%s'], ['%o %O', { a: 1 }, [1]], ['100%'],
    [{ a: 1, b: 'x', c: null, d: undefined, e: [1, { f: 2 }], g: true }], [{ a: 1 }, 'm'], [{ a: 1 }, 'm %s', 'x'], [{}, 'm'],
    [{ 'a"b': 'c\n', ü: '日' }, 'ä'], [null, 'm'], [undefined, 'm'], [{ date: new Date(0), url: new URL('http://h/p') }],
    [{ nested: { toJSON: () => 'j' } }], [{ n: NaN, i: Infinity, big: 1e21, small: 1e-7 }],
    [err], [err, 'm'], [{ err }], [{ err }, 'm'], [{ err, a: 1 }, 'm %s', 'x']
  ]
  const fields = (line) => {
    const { time, ...rest } = JSON.parse(line)
    return rest
  }
  for (const args of calls) {
    for (const name of ['info', 'error']) {
      log[name](...args)
      other[name](...args)
      t.same(fields(lines.at(-1)), fields(theirs.at(-1)), JSON.stringify(args))
    }
  }
  t.equal(lines.length, theirs.length)
  const child = [log, other].map((each) => each.child({ reqId: 1 }, { level: 'debug', msgPrefix: '[p] ', serializers: { user: (user) => user.id }, redact: ['token', 'a.*'] }))
  for (const each of child) each.debug({ user: { id: 5, name: 'n' }, token: 't', a: { b: 1 } }, 'm')
  t.same(fields(lines.at(-1)), fields(theirs.at(-1)), 'of a child with options')
  const { pid, hostname, ...bindings } = child[0].bindings()
  t.same(bindings, child[1].bindings(), 'pino leaves out two of base here')
})

t.test('what pino redacts in base, and how it names a request', async (t) => {
  const { IncomingMessage, ServerResponse } = require('node:http')
  const base = { app: 'x', token: 't', deep: { password: 'p' } }
  const redact = ['token', 'deep.password']
  const { log, lines, other, theirs } = both({ base, redact }, { base, redact })
  const req = Object.assign(new IncomingMessage({ remoteAddress: '::1' }), { method: 'GET', url: '/a' })
  for (const each of [log, other]) {
    each.info('m')
    each.info(req)
    each.info(new ServerResponse(req), 'm')
  }
  const [ours, own] = [lines, theirs].map((list) => list.map((line) => JSON.parse(line)))
  const { time, ...first } = ours[0]
  t.match(own[0], first)
  for (const i of [1, 2]) t.same(Object.keys(ours[i]).sort(), Object.keys(own[i]).sort())
  t.match(ours[1].req, { method: own[1].req.method, url: own[1].req.url })
})

t.test('what pino redacts in the arguments of a message', async (t) => {
  for (const redact of [['password', '*.token', 'list[*].pin'], { paths: ['password', '*.token', 'list[*].pin'], censor: '***' }]) {
    const { log, lines, other, theirs } = both({ redact }, { redact })
    const secret = () => ({ password: 'hidden', user: { token: 'hidden', name: 'Ada' }, list: [{ pin: 'hidden', n: 1 }] })
    const children = [log, other].map((each) => each.child({ of: 'child' }))
    for (const each of [log, other, ...children]) {
      each.info('%o', secret())
      each.info('%j and %O', secret(), { password: 'hidden' })
      each.info({ a: 1 }, 'm %o', secret())
      each.info('%o', [{ token: 'hidden' }, 5])
    }
    const messages = (list) => list.map((line) => JSON.parse(line).msg)
    t.same(messages(lines), messages(theirs))
    t.notMatch(lines.join(''), /hidden/)
    log.info(undefined, secret())
    log.info('%s', Object.assign(Object.create(null), secret()))
    t.notMatch(lines.join(''), /hidden/, 'also a message that is an object')
  }
})

t.test('what pino redacts of messages, and the path that it tells a censor', async (t) => {
  const path = (value, path) => `${path.join('/')} was ${typeof value}`
  const rules = [['msg'], ['*'], { paths: ['msg', 'list[*]'], censor: path }, { paths: ['list[*].pin', 'deep.*.pin'], censor: path }]
  for (const redact of rules) {
    const plain = { base: null, timestamp: false }
    const { log, lines, other, theirs } = both({ ...plain, redact }, { ...plain, redact })
    const children = [log, other].map((each) => each.child({ of: 'child' }))
    for (const each of [log, other, ...children]) {
      each.info('a secret')
      each.info({ a: 1 }, 'a %s', 'secret')
      each.info({ msg: 'a secret' })
      each.info({ list: [{ pin: 1 }, { pin: 'x', n: 2 }], deep: { one: { pin: 1 }, two: { pin: 2 } } })
    }
    const each = (list) => list.map((line) => JSON.parse(line))
    t.same(each(lines), each(theirs), JSON.stringify(redact))
  }
  const bare = both({ base: null, timestamp: false })
  bare.log.child({}, { redact: ['msg'] }).info('a secret')
  t.equal(bare.lines[0], '{"level":30,"msg":"[Redacted]"}\n', 'a child by itself')
  const { log, lines } = both({ base: null, timestamp: false, redact: { paths: ['msg'], remove: true } })
  log.info({ a: 1 }, 'a secret')
  t.equal(lines[0], '{"level":30,"a":1}\n', 'where pino writes what is no JSON')
  log.child({}, { msgPrefix: '[p] ' }).warn('x'.repeat(500_000))
  t.notMatch(lines[1], /xxx/, 'nor of one that is too long')
})

t.test('the logger of fastify', async (t) => {
  const lines = []
  const log = new Log(readLog({ base: null, destination: { write: (line) => { lines.push(JSON.parse(line)) } } }))
  const app = fastify({ loggerInstance: log, genReqId: () => 'r1' })
  app.get('/ok', async (req) => {
    req.log.info({ step: 1 }, 'inside')
    return { ok: true }
  })
  app.get('/bad', async () => { throw Object.assign(new Error('it broke'), { statusCode: 500 }) })
  app.get('/quiet', { logLevel: 'warn' }, async (req) => {
    req.log.info('not this one')
    req.log.warn('this one')
    return 'x'
  })
  app.register(async (inner) => {
    inner.get('/serial', { logSerializers: { user: (user) => user.id } }, async (req) => {
      req.log.info({ user: { id: 7, name: 'n' } }, 'with serialisers')
      return 'x'
    })
  })
  t.teardown(() => app.close())
  const took = async (url) => {
    lines.length = 0
    const { statusCode } = await app.inject({ url, headers: { authorization: 'secret' } })
    return [statusCode, ...lines.map((line) => line.msg)]
  }
  t.same(await took('/ok'), [200, 'incoming request', 'inside', 'request completed'])
  t.match(lines, [
    { level: 30, reqId: 'r1', req: { method: 'GET', url: '/ok' } },
    { reqId: 'r1', step: 1 },
    { reqId: 'r1', res: { statusCode: 200 }, responseTime: Number }
  ])
  t.same(await took('/bad'), [500, 'incoming request', 'it broke', 'request completed'])
  t.match(lines[1], { level: 50, reqId: 'r1', err: { type: 'Error', message: 'it broke', stack: /at / } })
  t.same(await took('/quiet'), [200, 'this one'])
  t.same(await took('/serial'), [200, 'incoming request', 'with serialisers', 'request completed'])
  t.equal(lines[1].user, 7)
  t.same(await took('/none'), [404, 'incoming request', 'Route GET:/none not found', 'request completed'])
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.match(lines.at(-1).msg, /^Server listening at http:\/\/127\.0\.0\.1:/)
  lines.length = 0
  app.log.error(new Error('of the app'))
  t.match(lines, [{ level: 50, err: { message: 'of the app' }, msg: 'of the app' }])
  t.notMatch(JSON.stringify(lines), /secret/)
})
