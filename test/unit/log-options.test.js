'use strict'

// pino's options: each beside pino itself, which is given the same.

const fs = require('node:fs')
const path = require('node:path')
const http = require('node:http')
const t = require('tap')
const pino = require('pino')
const pinoHttp = require('pino-http')
const { Log } = require('../../lib/log')
const { Logger } = require('../../lib/log/logger')
const { readLog, TAKEN } = require('../../lib/log/options')
const { filesOf } = require('../../lib/log/read')
const { parse, pretty } = require('../../lib/log/pretty')
const { readQuery } = require('../../lib/cli/commands/logs')
const { runs, tmpdir } = require('../helper')

function collect (options) {
  const lines = []
  const log = new Log(readLog({ destination: { write: (line) => { lines.push(line) } }, ...options }))
  return { log, lines, last: () => JSON.parse(lines.at(-1)) }
}

/** Both with the same options. -> what each has written, without the time */
function beside (options, use) {
  const { log, lines } = collect(options)
  const theirs = []
  use(log)
  use(pino(options, { write: (line) => { theirs.push(line) } }))
  const bare = (list) => list.map((line) => line.replace(/"(time|at)":("[^"]+"|\d+)/, '"$1":0'))
  return [bare(lines), bare(theirs)]
}

const err = Object.assign(new RangeError('it broke'), { code: 'E_X' })

const use = (log) => {
  log.info('text')
  log.info('%s is %d', 'a', 5)
  log.info({ a: 1, b: 'x' })
  log.warn({ a: 1 }, 'm')
  log.info({}, 'm')
  log.error(err)
  log.error(err, 'm')
  log.error({ err }, 'm')
  log.info({ error: 'a text', user: { id: 5, name: 'n' } })
  log.info({ msg: 'own', message: 'own' })
  const child = log.child({ reqId: 1, user: { id: 6, name: 'n' } }, { msgPrefix: '[c] ' })
  child.info('of a child')
  child.info({ a: 1 }, 'of a child')
  child.child({ deep: true }).info('deeper')
}

const user = (value) => value.id

for (const [what, options] of Object.entries({
  serializers: { serializers: { user } },
  'a serialiser of the error': { serializers: { err: (e) => e.message } },
  'a serialiser of the message': { serializers: { msg: (msg) => msg.toUpperCase() } },
  'a serialiser of base': { base: { user: { id: 1 } }, serializers: { user } },
  'no timestamp': { timestamp: false },
  isoTime: { timestamp: pino.stdTimeFunctions.isoTime },
  'a timestamp': { timestamp: () => `,"at":${Date.now()}` },
  messageKey: { messageKey: 'message' },
  errorKey: { errorKey: 'error' },
  'errorKey with a serialiser': { errorKey: 'error', serializers: { err: (e) => e.message } },
  nestedKey: { nestedKey: 'payload' },
  'formatters.level': { formatters: { level: (label, number) => ({ severity: label.toUpperCase(), number }) } },
  'formatters.bindings': { formatters: { bindings: ({ pid }) => ({ process: { pid } }) } },
  'formatters.log': { formatters: { log: (object) => ({ ...object, more: true }) } },
  mixin: { mixin: (object, level) => ({ n: Object.keys(object).length, level2: level, a: 'less than the own' }) },
  msgPrefix: { msgPrefix: '[all] ' },
  name: { name: 'service' },
  'name without base': { name: 'service', base: null },
  'name and base': { name: 'service', base: { app: 'x' } },
  all: { timestamp: false, messageKey: 'message', errorKey: 'error', nestedKey: 'p', mixin: () => ({ m: 1 }), formatters: { level: (level) => ({ level }), log: (o) => o }, msgPrefix: '> ', serializers: { user } },
  'with redact': { messageKey: 'message', nestedKey: 'p', redact: ['user.name'] }
})) {
  t.test(what, async (t) => {
    const [ours, theirs] = beside(options, use)
    t.equal(ours.length, 13)
    const { msgPrefix = '', messageKey = 'msg' } = options
    for (const [i, line] of ours.entries()) {
      const wanted = JSON.parse(theirs[i])
      // pino leaves the prefix out where an error alone is the message.
      if (i === 5) wanted[messageKey] = msgPrefix + wanted[messageKey]
      t.same(JSON.parse(line), wanted, theirs[i])
    }
  })
}

t.test('an error under errorKey', async (t) => {
  const [ours, theirs] = beside({ errorKey: 'error' }, (log) => { log.error({ error: err }); log.error({ error: err }, 'm') })
  t.same(ours, theirs)
})

t.test('levels', async (t) => {
  const levels = (options) => beside(options, (log) => {
    for (const name of ['debug', 'info', 'audit', 'warn']) {
      log[name]('m')
      log[name]({ a: 1 }, 'm %s', 'x')
      log.child({}).child({})[name]('of a child')
    }
    log.level = 'audit'
    for (const name of ['info', 'audit']) log[name]('m')
  })
  for (const options of [{}, { level: 'debug' }, { level: 'INFO' }, { level: 'audit' }, { formatters: { level: (level) => ({ level }) } }]) {
    const [ours, theirs] = levels({ customLevels: { audit: 35, verbose: 5 }, ...options })
    t.same(ours, theirs, JSON.stringify(options))
  }
  const [{ log, last }, other] = [collect({ customLevels: { audit: 35 } }), pino({ customLevels: { audit: 35 } })]
  t.same(log.levels, other.levels)
  t.equal(log.levels.values.silent, other.levels.values.silent)
  t.equal(log.levelVal, other.levelVal)
  for (const name of ['audit', 'debug', 'fatal', 'silent', 'loud', '', undefined, 'constructor']) t.equal(log.isLevelEnabled(name), other.isLevelEnabled(name), String(name))
  for (const level of [40, 'WARN', 'Warn', 'audit', 35, Infinity]) {
    log.level = level
    t.equal(log.level, { 40: 'warn', WARN: 'warn', Warn: 'warn', audit: 'audit', 35: 'audit', Infinity: 'silent' }[level])
  }
  for (const level of ['loud', 36, NaN, null]) t.throws(() => { log.level = level }, { code: 'UC_OPTION', message: /audit/ })
  log.levelVal = 20
  log.child({}, { level: 'AUDIT' }).info('not this one')
  log.child({}, { level: 35 }).audit('this one')
  t.match(last(), { level: 35, msg: 'this one' })
  const members = (of) => Object.getOwnPropertyNames(of.prototype)
  for (const name of [...members(Logger), ...members(Log)]) t.ok(TAKEN[name] ?? (name in {} || log.levels.values[name] !== undefined), name)
})

t.test('setBindings', async (t) => {
  const [ours, theirs] = beside({ redact: ['b.secret'], serializers: { user } }, (log) => {
    const child = log.child({ a: 1 })
    child.setBindings({ b: { secret: 'hidden' }, user: { id: 5 } })
    child.info('m')
    child.child({ c: 2 }).info('m')
    log.info('m')
  })
  t.same(ours, theirs)
  t.throws(() => collect().log.setBindings('x'), { code: 'UC_OPTION', message: /setBindings/ })
})

t.test('options of a child', async (t) => {
  const make = (options) => () => collect().log.child({}, options)
  for (const options of [{ serializer: {} }, { msgprefix: 'x' }, { levl: 'info' }, { base: null }, { customLevels: { a: 35 } }, { messageKey: 'm' }, { msgPrefix: 5 }, { formatters: { levels () {} } }, null]) {
    t.throws(make(options), { code: 'UC_OPTION', message: /^child: |formatters/ }, JSON.stringify(options))
  }
  make({ genReqId () {}, autoLogging: true, logger: undefined, level: undefined, msgPrefix: undefined })()
  const [ours, theirs] = beside({ base: { app: 'x' } }, (log) => {
    const child = log.child({ a: 1 }, { formatters: { bindings: (b) => ({ b }), log: (o) => ({ ...o, more: 1 }) } })
    child.info({ c: 1 }, 'm')
    child.child({ d: 1 }).info('m')
    log.child({}, { serializers: { msg: (msg) => msg.length } }).info('text')
  })
  t.same(ours, theirs)
  const { log, last } = collect()
  log.child({}, { formatters: { level: (level) => ({ level }) } }).child({}).info('m')
  t.equal(last().level, 'info', 'where pino takes no heed of it')
  log.info('m')
  t.equal(last().level, 30)
})

t.test('what throws, logs itself or is too long', async (t) => {
  const thrown = () => { throw new Error('no') }
  for (const options of [{ mixin: thrown }, { formatters: { log: thrown } }, { serializers: { a: thrown } }, { formatters: { level: thrown } }, { serializers: { msg: thrown } }]) {
    const { log, last } = collect(options)
    log.info({ a: 1, b: 2 }, 'm')
    t.match(JSON.stringify(last()), /\[unreadable: no\]/)
    t.equal(last().msg, 'm')
  }
  let calls = 0
  const { log, lines, last } = collect({ mixin: () => { log.info(`mixin ${++calls}`); return { mixed: 1 } }, messageKey: 'message', nestedKey: 'p', maxLineBytes: 2048 })
  log.info({ a: 1 }, 'm')
  t.same(lines.map((line) => JSON.parse(line).message), ['mixin 1', 'm'])
  log.info({ small: 1, text: 'ä'.repeat(5000), more: 'ä'.repeat(5000) }, 'x'.repeat(5000))
  t.ok(Buffer.byteLength(lines.at(-1)) <= 2048)
  t.match(last(), { truncated: true, p: { small: 1, text: /^ä+…\[\d+ more\]$/, mixed: 1 }, message: /^x+…/ })
})

t.test('the names of files and of lines', async (t) => {
  const dir = tmpdir(t)
  const { stderr } = await runs(t, async ({ undercroft, args: { dir } }) => {
    const path = require('node:path')
    for (const [own, log] of [['a', { name: 'shop' }], ['b', { name: 'shop' }], ['c', { name: 'my shop', file: 'web' }], ['d', { file: 'web', name: 'x', base: {}, timestamp: false, messageKey: 'message' }]]) {
      const store = undercroft.open({ log: { dir: path.join(dir, own), ...log, reopenOnHup: false } })
      store.log.info('m')
      await store.close()
    }
  }, { args: { dir } })
  const files = (own) => filesOf(path.join(dir, own))
  t.same(['a', 'b', 'c', 'd'].map((own) => files(own)[0].name), ['shop', 'shop', 'web', 'web'])
  t.equal(fs.readFileSync(files('d')[0].path, 'utf8'), '{"level":30,"name":"x","message":"m"}\n')
  t.match(fs.readFileSync(files('c')[0].path, 'utf8'), '"name":"my shop","msg":"m"')
  t.equal(stderr.match(/log\.name is a field of each line/g).length, 1, 'said once')
  t.throws(() => readLog({ dir: 'x', name: 'my shop' }), { code: 'UC_OPTION', message: /log\.name.*log\.file/ })
  t.equal(readLog({ dir: 'x', name: 'my shop', file: 'web' }).file, 'web')
  t.equal(readLog({ dir: 'x', file: 'web' }).name, null)
})

t.test('logs reads lines whose level is a name and whose time is a text', async (t) => {
  const { log, lines } = collect({ base: null, timestamp: 'iso', formatters: { level: (level) => ({ level }) } })
  log.warn({ a: 1 }, 'm')
  t.match(lines[0], /^\{"level":"warn","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","a":1,"msg":"m"\}\n$/)
  t.match(parse(lines[0]), { level: 40, time: Number })
  t.match(pretty(lines[0], false), /^\d\d:\d\d:\d\d\.\d{3} WARN {2}m a=1\n$/)
  const has = (values) => readQuery(values).matches(lines[0]) !== undefined
  for (const values of [{ level: 'warn' }, { level: '40' }, { since: '1h' }, { field: ['level=warn'] }, { field: ['a=1'] }]) t.ok(has(values), JSON.stringify(values))
  for (const values of [{ level: 'error' }, { until: '1h' }, { field: ['level=info'] }]) t.notOk(has(values), JSON.stringify(values))
})

t.test('pino-http', async (t) => {
  const { log, lines } = collect({ base: null, customLevels: { audit: 35 } })
  const logged = pinoHttp({ logger: log, customLogLevel: (req, res) => req.url === '/audit' ? 'audit' : res.statusCode >= 500 ? 'error' : 'info', serializers: { req: ({ id, method, url }) => ({ id, method, url }) }, genReqId: () => 'r1' })
  const server = http.createServer((req, res) => {
    logged(req, res)
    req.log.info('inside')
    res.statusCode = req.url === '/bad' ? 500 : 200
    res.end('x')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  for (const url of ['/ok', '/bad', '/audit']) {
    lines.length = 0
    await fetch(`http://127.0.0.1:${server.address().port}${url}`, { headers: { connection: 'close', authorization: 'secret' } }).then((res) => res.text())
    while (lines.length < 2) await new Promise((resolve) => setImmediate(resolve))
    t.match(lines.map((line) => JSON.parse(line)), [
      { level: 30, req: { id: 'r1', method: 'GET', url }, msg: 'inside' },
      { level: { '/ok': 30, '/bad': 50, '/audit': 35 }[url], req: { id: 'r1' }, res: { statusCode: url === '/bad' ? 500 : 200 }, responseTime: Number, msg: url === '/bad' ? 'request errored' : 'request completed' }
    ])
    t.notMatch(lines[0], /secret/)
  }
})
