'use strict'

// What a line looks like, whatever is logged.

const t = require('tap')
const { Log } = require('../../lib/log')
const { readLog } = require('../../lib/log/options')

/** A log into an array: { log, lines, last() -> the last line's object }. */
function collect (options) {
  const lines = []
  const log = new Log(readLog({ base: null, destination: { write: (line) => { lines.push(line) } }, ...options }))
  return { log, lines, last: () => JSON.parse(lines.at(-1)) }
}

const said = (make, options) => {
  const { log, lines } = collect(options)
  make(log)
  return lines.map((line) => line.replace(/"time":\d+/, '"time":0'))
}

t.test('lines as pino writes them', async (t) => {
  const { log, lines } = collect({ base: undefined })
  const before = Date.now()
  log.info({ reqId: 1, method: 'GET', ms: 1.5, ok: true, none: null }, 'request done')
  const { time, pid, hostname, ...rest } = JSON.parse(lines[0])
  t.ok(time >= before && time <= Date.now(), 'the time in milliseconds')
  t.equal(pid, process.pid)
  t.equal(hostname, require('node:os').hostname())
  t.match(lines[0], /^\{"level":30,"time":\d{13},"pid":\d+,"hostname":".+?","reqId":1,"method":"GET","ms":1.5,"ok":true,"none":null,"msg":"request done"\}\n$/)
  t.same(rest, { level: 30, reqId: 1, method: 'GET', ms: 1.5, ok: true, none: null, msg: 'request done' })
})

t.test('the time is that of the clock, whatever it says', async (t) => {
  const { log, lines } = collect()
  const { now } = Date
  t.teardown(() => { Date.now = now })
  const times = [0, 5, 999, 1000, 1001, 1700000000000, 1700000000007, 1700000000999, 1700000001000, 1700000000000, 12.5, -1500, 2 ** 53]
  for (const time of times) {
    Date.now = () => time
    log.info('x')
    log.info('x')
    log.warn('y')
  }
  t.same(lines.map((line) => JSON.parse(line).time), times.flatMap((time) => [time, time, time]))
  t.same(lines.slice(0, 3).map((line) => JSON.parse(line).level), [30, 30, 40])
})

t.test('what a call may be given', async (t) => {
  t.same(said((log) => log.info('text')), ['{"level":30,"time":0,"msg":"text"}\n'])
  t.same(said((log) => log.warn({ a: 'x' })), ['{"level":40,"time":0,"a":"x"}\n'])
  t.same(said((log) => log.warn({ a: 'x' }, 'm')), ['{"level":40,"time":0,"a":"x","msg":"m"}\n'])
  t.same(said((log) => log.warn({}, 'm')), ['{"level":40,"time":0,"msg":"m"}\n'])
  t.same(said((log) => log.warn({ a: 'x' }, 'm %s', 5)), ['{"level":40,"time":0,"a":"x","msg":"m 5"}\n'])
  t.same(said((log) => log.info()), ['{"level":30,"time":0}\n'])
  t.same(said((log) => log.info(null)), ['{"level":30,"time":0}\n'])
  t.same(said((log) => log.info(undefined, 'm')), ['{"level":30,"time":0,"msg":"m"}\n'])
  t.same(said((log) => log.info(null, 'm %d', 1)), ['{"level":30,"time":0,"msg":"m 1"}\n'])
  t.same(said((log) => log.info(42)), ['{"level":30,"time":0,"msg":42}\n'])
  t.same(said((log) => log.info(true)), ['{"level":30,"time":0,"msg":true}\n'])
  t.same(said((log) => log.info({ a: 1 }, 42)), ['{"level":30,"time":0,"a":1,"msg":42}\n'])
  t.same(said((log) => log.info(Symbol('s'))), ['{"level":30,"time":0,"msg":"Symbol(s)"}\n'])
  t.same(said((log) => log.info(() => {})), ['{"level":30,"time":0,"msg":null}\n'])
  t.same(said((log) => log.info({ a: undefined, f () {}, b: 1 })), ['{"level":30,"time":0,"b":1}\n'])
})

t.test('all kinds of values after all others', async (t) => {
  const values = [undefined, null, 1, 1.25, -0.5, NaN, Infinity, 1e21, 123456789, 2 ** 53, true, 'text', 'quo"te', 'umläut', '', 'x'.repeat(60), {}, { a: 1 }, [1, 'x'], 5n]
  const { log, lines, last } = collect()
  for (const a of values) {
    for (const b of values) {
      for (const msg of [undefined, 'short', 'with "quotes"', 'long '.repeat(30)]) {
        lines.length = 0
        log.info({ a, b }, msg)
        const wanted = JSON.parse(JSON.stringify({ level: 30, a: a === 5n ? 5 : a, b: b === 5n ? 5 : b, msg }))
        const { time, ...found } = last()
        if (!t.same(found, wanted) || lines.length !== 1) return
      }
    }
  }
})

t.test('numbers keep all their digits', async (t) => {
  const { log, last } = collect()
  let seed = 12345
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648
  let wrong = 0
  for (let i = 0; i < 20000; i++) {
    const n = [random() * 1000, Math.round(random() * 1e6) / 1000, Math.round(random() * 1e7) / 10000, i, i / 10, random() * 1e-7, -random()][i % 7]
    log.info({ n })
    if (last().n !== n) wrong++
  }
  t.equal(wrong, 0)
  log.info({ n: -0 })
  t.equal(last().n, 0)
  log.info({ n: 0.001, m: 999.999, o: 0.0005 })
  t.match(last(), { n: 0.001, m: 999.999, o: 0.0005 })
})

t.test('text of every kind', async (t) => {
  const { log, lines, last } = collect()
  const texts = ['\n', '\0', '\\', '"', '\u007f', 'é', '日本', '\u{1f600}', '\u2028', 'a\tb']
  for (const text of [...texts, ...texts.map((each) => each.repeat(100))]) {
    log.info({ text, nested: { [text]: text } }, text)
    t.match(last(), { text, nested: { [text]: text }, msg: text })
    t.equal(lines.at(-1).indexOf('\n'), lines.at(-1).length - 1, 'one line')
  }
  log.info({ [texts.join('')]: 1 })
  t.equal(last()[texts.join('')], 1, 'names too')
  for (const half of ['\ud800', 'x\udc00y', '\ud83dx'.repeat(30)]) {
    log.info({ half }, half)
    t.ok(lines.at(-1).isWellFormed(), 'half a character becomes an escape')
    t.equal(last().half, half)
  }
  log.info({ __proto__: null, constructor: 1, toString: 2, ['__proto__']: 3 })
  t.match(lines.at(-1), '"constructor":1,"toString":2,"__proto__":3')
})

t.test('printf', async (t) => {
  const text = (...args) => {
    const { log, last } = collect()
    log.info(...args)
    return last().msg
  }
  t.equal(text('disk %d%%', 91), 'disk 91%')
  t.equal(text('%s %s', 'a', 5), 'a 5')
  t.equal(text('%i %d %f', 4.7, '4.7', 4.7), '4 4.7 4.7')
  t.equal(text('%j %o %O', { a: [1] }, 'x', function named () {}), '{"a":[1]} \'x\' named')
  t.equal(text('%s', null), 'null')
  t.equal(text('%d %s', null, 'x'), '%d x', 'null is no number')
  t.equal(text('%s %s', 'a'), 'a %s', 'an argument is missing')
  t.equal(text('%x %s', 'a'), '%x a', 'an unknown letter')
  t.equal(text('100%', 5), '100%')
  t.equal(text('no arguments %%'), 'no arguments %%')
  t.equal(text('%s', Object.create(null)), '{}')
  t.equal(text('%d', 5n), '5')
  t.equal(text('%d', Symbol('x')), 'NaN')
  t.equal(text('%s', { toString () { throw new Error('no') } }), '{}')
  const circular = {}
  circular.self = circular
  t.equal(text('%j', circular), '{"self":"[Circular]"}')
})

t.test('errors', async (t) => {
  const { log, last } = collect()
  const cause = new RangeError('inner')
  const err = Object.assign(new TypeError('outer', { cause }), { code: 'E_CODE', details: { a: 1 } })
  log.error(err)
  t.equal(last().msg, 'outer')
  t.match(last().err, { type: 'TypeError', message: 'outer', stack: err.stack, code: 'E_CODE', details: { a: 1 }, cause: { type: 'RangeError', message: 'inner', stack: cause.stack } })
  log.error(err, 'and why')
  t.match(last(), { msg: 'and why', err: { message: 'outer' } })
  log.error({ err, a: 1 })
  t.match(last(), { msg: 'outer', a: 1, err: { type: 'TypeError' } })
  log.error({ err: 'text' }, 'm')
  t.match(last(), { msg: 'm', err: 'text' })
  log.error({ reason: err })
  t.equal(last().reason.type, 'TypeError', 'under any name')
  log.error(new AggregateError([new Error('one'), 'two'], 'all'))
  t.match(last().err, { message: 'all', aggregateErrors: [{ message: 'one' }, 'two'] })
  const round = new Error('round')
  round.cause = round
  log.error(round)
  t.equal(last().err.cause, '[Circular]')
  let deep = new Error('0')
  for (let i = 1; i < 100; i++) deep = new Error(String(i), { cause: deep })
  log.error(deep)
  t.ok(JSON.stringify(last()).includes('[Object]'), 'a long chain of causes ends')
  class Odd extends Error {
    get message () { throw new Error('no') }
  }
  log.error(new Odd())
  t.match(last().err, { type: 'Odd', message: '[unreadable: no]' })
})

t.test('nothing throws', async (t) => {
  const { log, lines, last } = collect()
  const circular = { a: 1 }
  circular.self = { circular }
  log.info({ circular })
  t.match(last().circular, { a: 1, self: { circular: '[Circular]' } })
  log.info({ get bad () { throw new Error('no') }, good: 1 }, 'm')
  t.match(last(), { bad: '[unreadable: no]', good: 1, msg: 'm' })
  log.info({ nested: { get bad () { throw new Error('no') }, good: 1 } })
  t.same(last().nested, { bad: '[unreadable: no]', good: 1 })
  log.info({ get bad () { throw { toString () { throw new Error('x') } } } })
  t.equal(last().bad, '[unreadable: it throws]')
  log.info({ o: { toJSON () { throw new Error('no') } } })
  t.equal(last().o, '[unreadable: no]')
  log.info({ big: 2n ** 70n, small: 5n, s: Symbol('x') })
  t.match(last(), { big: String(2n ** 70n), small: 5, s: 'Symbol(x)' })
  log.info({ date: new Date(0), wrong: new Date(NaN), map: new Map([['a', 1]]), pairs: new Map([[1, 2]]), set: new Set([1, 'x']), re: /x/g, url: new URL('http://a/b') })
  t.match(last(), { date: '1970-01-01T00:00:00.000Z', wrong: null, map: { a: 1 }, pairs: [[1, 2]], set: [1, 'x'], re: '/x/g', url: 'http://a/b' })
  log.info({ short: Buffer.from('abc'), long: Buffer.alloc(1e6), f64: new Float64Array(1), ab: new ArrayBuffer(2) })
  t.match(last(), { short: '[3 bytes: 616263]', ab: '[2 bytes: 0000]', f64: '[8 bytes: 0000000000000000]' })
  t.ok(last().long.length < 100)
  log.info({ list: [undefined, () => {}, Symbol('x')], nested: { f () {}, u: undefined } })
  t.match(last(), { list: [null, null, 'Symbol(x)'], nested: {} })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  t.doesNotThrow(() => log.info({ p: revoked.proxy }))
  t.match(last().p, /unreadable/)
  t.equal(lines.length, 10)
})

t.test('what cannot be read at all leaves the rest of its line', async (t) => {
  const { log, lines, last } = collect({ base: { app: 'x' } })
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const noKeys = new Proxy({}, { ownKeys () { throw new Error('no keys') } })
  const oddly = Object.defineProperty(() => {}, 'name', { get () { throw new Error('no name') } })
  const rules = log.child({ reqId: 7 }, { serializers: { other: () => 1 }, redact: ['secret'] })
  for (const each of [log, rules]) {
    lines.length = 0
    each.warn(proxy, 'important')
    t.match(last(), { level: 40, app: 'x', err: /^\[unreadable: .*revoked/, msg: 'important' })
    each.info(noKeys, 'what of %s', 'it')
    t.match(last(), { level: 30, app: 'x', err: '[unreadable: no keys]', msg: 'what of it' })
    each.info(proxy)
    t.match(last(), { app: 'x', err: /revoked/, msg: undefined })
    each.info('%o %j %s', oddly, noKeys, proxy)
    t.match(last().msg, /^<anonymous> "\[unreadable: no keys\]" /)
    each.info({ get err () { throw new Error('none') }, a: 1 })
    t.match(last(), { a: 1, err: '[unreadable: none]' })
    each.info({ get err () { throw new Error('none') }, a: 1 }, 'm')
    t.match(last(), { a: 1, err: '[unreadable: none]', msg: 'm' })
    t.equal(lines.length, 6)
  }
  t.equal((await log.stats()).unreadable, 6, 'and it is counted')
  log.child(noKeys).info('m')
  t.match(last(), { app: 'x', err: '[unreadable: no keys]', msg: 'm' })
  const span = log.span('work', { get bad () { throw new Error('no') }, file: 'a' })
  span.end({ get worse () { throw new Error('never') }, rows: 1 })
  t.match(last(), { level: 30, msg: 'work', file: 'a', rows: 1, bad: '[unreadable: no]', worse: '[unreadable: never]' })
  log.span('work', proxy).end(noKeys)
  t.match(last(), { msg: 'work', span: 'work', err: '[unreadable: no keys]' })
})

t.test('an error of which a part cannot be read', async (t) => {
  const { log, last } = collect()
  for (const name of ['cause', 'errors', 'constructor', 'stack', 'code']) {
    const err = Object.defineProperty(new RangeError('it broke'), name, { enumerable: name === 'code', get () { throw new Error('no') } })
    log.error(err)
    const { err: { type, message, stack, aggregateErrors, ...more }, msg } = last()
    t.same([type, message, msg], [name === 'constructor' ? 'Error' : 'RangeError', 'it broke', 'it broke'], name)
    if (name !== 'stack') t.match(stack, /^RangeError: it broke\n/, name)
    const told = name === 'stack' ? stack : name === 'errors' ? aggregateErrors : more[name]
    if (name !== 'constructor') t.equal(told, '[unreadable: no]', name)
  }
})

t.test('a getter that logs', async (t) => {
  const { log, lines } = collect()
  log.info({ a: { get x () { log.info({ inner: 'text' }, 'in between'); return 1 } }, b: 'text' }, 'outer')
  t.same(lines.map((line) => JSON.parse(line).msg), ['in between', 'outer'])
  t.match(JSON.parse(lines[1]), { a: { x: 1 }, b: 'text' })
})

t.test('everything is bounded', async (t) => {
  const max = 64 * 1024
  const { log, lines, last } = collect({ maxLineBytes: max })
  const bytes = () => Buffer.byteLength(lines.at(-1))
  log.info({ s: 'x'.repeat(1e6) }, 'm')
  t.match(last().s, /x…\[98\d{4} more\]$/, 'a huge text is cut, and the mark says by how much')
  t.equal(last().msg, 'm')
  log.info('y'.repeat(1e6))
  t.match(last().msg, /…\[\d+ more\]$/)
  log.info({ s: '日'.repeat(16000) }, 'm')
  t.ok(bytes() <= max, `bytes count, not characters: ${bytes()}`)
  log.info(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, 'z'.repeat(5000)])), 'much')
  t.ok(bytes() <= max)
  t.match(last(), { msg: 'much', truncated: true })
  log.info({ list: Array.from({ length: 5000 }, (_, i) => i) })
  t.equal(last().list.length, 1001)
  t.match(last().list.at(-1), '…[4000 more]')
  let deep = {}
  for (let i = 0; i < 1000; i++) deep = { deep }
  log.info({ deep })
  t.match(lines.at(-1), '[Object]')
  const wide = (depth) => depth === 0 ? 1 : Array.from({ length: 50 }, () => wide(depth - 1))
  log.info({ wide: wide(4) })
  t.ok(bytes() <= max, 'many small values as well')
  log.info({ s: '\u{1f600}'.repeat(1e5) })
  t.ok(last().s.isWellFormed(), 'not cut between the halves of a character')
  const { log: small, lines: own } = collect({ maxLineBytes: 1024 })
  small.child({ big: 'b'.repeat(5000) }).info({ a: 'a'.repeat(5000) }, 'm'.repeat(5000))
  t.ok(Buffer.byteLength(own[0]) <= 1024)
  t.match(JSON.parse(own[0]), { big: /more\]$/, a: /more\]$/, msg: /more\]$/ })
})

t.test('a line that is too long keeps what is small', async (t) => {
  const max = 16 * 1024
  for (const rules of [undefined, { redact: ['secret'] }]) {
    const { log, lines, last } = collect({ maxLineBytes: max, base: { app: 'x' }, ...rules })
    const bytes = () => Buffer.byteLength(lines.at(-1))
    const large = 'x'.repeat(70000)
    log.info({ reqId: 7, a: large, b: large, c: large, d: large, e: large, f: large, secret: 's', status: 200, list: [1, 2] }, 'big')
    const { level, time, ...line } = last()
    t.match(line, { app: 'x', reqId: 7, status: 200, list: [1, 2], a: /^x{2000,}…\[\d+ more\]$/, f: /more\]$/, msg: 'big', truncated: true })
    t.equal(line.secret, rules === undefined ? 's' : '[Redacted]')
    t.ok(bytes() <= max && bytes() > max / 2, `${bytes()} bytes`)
    const err = Object.assign(new Error('it broke'), { code: 'E_X', body: Array.from({ length: 900 }, () => 'y'.repeat(100)) })
    log.error({ err, reqId: 8 })
    const { err: shown, ...rest } = last()
    t.match(rest, { reqId: 8, msg: 'it broke' })
    t.match(shown, { type: 'Error', message: 'it broke', stack: /at /, code: 'E_X' })
    t.match(shown.body.at(-1), /\d+ more\]$/, 'what was cut is marked')
    t.ok(bytes() <= max && bytes() > max / 2, `${bytes()} bytes`)
    log.error(err)
    t.match(last(), { err: { message: 'it broke', code: 'E_X' }, truncated: true })
    // Bytes and escapes count, not characters.
    for (const text of ['日'.repeat(9000), '\u0001'.repeat(9000), '"'.repeat(20000), '\u{1f600}'.repeat(9000)]) {
      log.info({ reqId: 9, a: text, b: text, c: [text, text], [text]: 1 }, text)
      t.match(last(), { reqId: 9, msg: /more\]$/, truncated: true })
      t.ok(bytes() <= max, `${bytes()} bytes`)
    }
    log.child({ a: large, b: large, c: large, d: large, reqId: 10 }, { msgPrefix: 'pre: ' }).info({ e: 1, f: large, g: large, h: large }, 'm')
    t.match(last(), { app: 'x', reqId: 10, e: 1, msg: 'pre: m', truncated: true })
    log.child({ a: large, b: large }).child({ c: large, d: large, e: large }).info(large)
    t.match(last(), { app: 'x', msg: /^x{100,}…/, truncated: true })
    log.span('s', () => log.info({ a: [large, large, large, large], b: [large, large] }, 'm'))
    t.match(JSON.parse(lines.at(-2)), { msg: 'm', truncated: true, traceId: last().traceId })
    log.info({ get bad () { throw new Error('no') }, a: [large, large, large, large], b: [large, large] })
    t.match(last(), { bad: '[unreadable: no]', truncated: true })
  }
})

t.test('what a line may cost does not grow with its fields', async (t) => {
  for (const rules of [undefined, { redact: ['secret'] }]) {
    const { log, lines, last } = collect({ maxLineBytes: 16 * 1024, ...rules })
    let reads = 0
    const list = new Proxy(Array.from({ length: 1000 }, (_, i) => i), { get (target, name) { reads++; return target[name] } })
    log.info(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`f${i}`, list])), 'm')
    t.ok(reads < 60000, `${reads} reads`)
    t.match(last(), { msg: 'm', truncated: true })
    log.info(Object.fromEntries(Array.from({ length: 20000 }, (_, i) => [`f${i}`, i])), 'm')
    t.match(last(), { f0: 0, f100: 100, '…': /^\[\d+ more\]$/, msg: 'm' })
    t.ok(lines.every(line => Buffer.byteLength(line) <= 16 * 1024))
  }
})

t.test('lines for people', async (t) => {
  const text = (make, options) => said(make, { pretty: true, ...options }).join('').replace(/^\d\d:\d\d:\d\d\.\d{3}/gm, 'TIME')
  t.equal(text((log) => log.info({ a: 1, s: 'plain', q: 'two words', o: { x: [1] }, n: null }, 'what it says')), 'TIME INFO  what it says a=1 s=plain q="two words" o={"x":[1]} n=null\n')
  t.equal(text((log) => log.child({ name: 'web' }).warn('w')), 'TIME WARN  web w\n')
  t.equal(text((log) => log.info()), 'TIME INFO \n')
  const failed = text((log) => log.error(Object.assign(new TypeError('outer', { cause: new Error('inner') }), { code: 'E' })))
  t.match(failed, /^TIME ERROR outer\n {4}TypeError: outer\n {6}at .*\n(?: {6}.*\n)* {6}code=E\n {4}caused by\n {8}Error: inner\n {10}at /)
  t.equal(text((log) => log.info({ err: 'text' }, 'm')), 'TIME INFO  m err=text\n')
  const tricks = '\x1b[2J\x9b\x07'
  const shown = text((log) => log.info({ [tricks]: tricks, o: { tricks } }, tricks))
  t.notMatch(shown, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/, 'no text moves the cursor of a terminal') // eslint-disable-line no-control-regex
  const { wantsColours } = require('../../lib/log/pretty')
  t.same([wantsColours(true, {}), wantsColours(false, {}), wantsColours(true, { NO_COLOR: '1' }), wantsColours(false, { FORCE_COLOR: '1' }), wantsColours(true, { TERM: 'dumb' }), wantsColours(true, { FORCE_COLOR: '0' })],
    [true, false, false, true, false, false])
})

t.test('requests and responses of node:http are not taken apart', async (t) => {
  const { IncomingMessage, ServerResponse } = require('node:http')
  const { log, last } = collect()
  const req = Object.assign(new IncomingMessage({ remoteAddress: '::1' }), { method: 'GET', url: '/a' })
  log.info({ req, res: new ServerResponse(req) })
  t.match(last(), { req: { method: 'GET', url: '/a', remoteAddress: '::1' }, res: { statusCode: 200 } })
})

t.test('a request or a response alone has the name that pino gives it', async (t) => {
  const { IncomingMessage, ServerResponse } = require('node:http')
  const req = Object.assign(new IncomingMessage({ remoteAddress: '::1' }), { method: 'GET', url: '/a' })
  req.headers.authorization = 'secret'
  const { log, last, lines } = collect()
  log.info(req, 'seen')
  t.match(last(), { req: { method: 'GET', url: '/a', remoteAddress: '::1' }, msg: 'seen' })
  log.info(req)
  t.same(Object.keys(last()), ['level', 'time', 'req'])
  log.info(new ServerResponse(req))
  t.match(last(), { res: { statusCode: 200 } })
  t.notMatch(lines.join(''), /secret|_events/)
  const own = log.child({}, { serializers: { req: ({ url, headers }) => ({ url, headers }) }, redact: ['req.headers.authorization'] })
  own.info(req)
  t.match(last(), { req: { url: '/a', headers: { authorization: '[Redacted]' } } }, 'so that serialisers and paths find it')
  class Odd extends require('node:events') {
    get method () { throw new Error('no') }
    x = 1
  }
  log.info(new Odd())
  t.match(last(), { x: 1 })
})
