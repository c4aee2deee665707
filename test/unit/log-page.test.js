'use strict'

// A line as bytes is the line as text, to the byte, whatever is logged.

const t = require('tap')
const { Logger } = require('../../lib/log/logger')
const { standard } = require('../../lib/log/levels')
const { Page, SIZE } = require('../../lib/log/page')
const { Repeats, LONGEST, MOST, MOST_OF_ALL, PATIENCE } = require('../../lib/log/repeats')
const { within, Context } = require('../../lib/base/trace')

/** Two loggers that differ in how they make a line. -> { text, page, lines: { text, page } } */
function pair (tail = ',"pid":1,"hostname":"h"', maxLineBytes = 65536) {
  const lines = { text: [], page: [], aside: [] }
  const failed = err => { throw err }
  const core = { maxLineBytes, safeLength: Math.floor(maxLineBytes / 3), failed, levels: standard, customLevels: null }
  const page = new Page(length => { lines.page.push(page.bytes.toString('utf8', 0, length)) })
  const make = core => new Logger(core, { level: 10, owner: null }, tail, null)
  return {
    text: make({ ...core, page: null, sink: { write: line => { lines.text.push(line) } } }),
    // What does not fit into the page comes as text.
    page: make({ ...core, page, sink: { write: line => { lines.page.push(line); lines.aside.push(line) } } }),
    lines
  }
}

/** Logs the same on both sides and compares; -> the lines. */
function same (t, both, what, log) {
  const { now } = Date
  const { text, page } = both.lines
  const [a, b] = [text.length, page.length]
  // In the same millisecond.
  Date.now = () => 1700000000123
  try {
    log(both.text)
    log(both.page)
  } finally {
    Date.now = now
  }
  t.same(page.slice(b), text.slice(a), what)
  for (const line of page.slice(b)) JSON.parse(line)
  return page.slice(b)
}

let state = 12345
const random = n => {
  state = (state * 48271) % 2147483647
  return state % n
}
const pick = list => list[random(list.length)]

const STRINGS = ['', 'a', 'plain text', 'a "quoted" one', 'back\\slash', 'line\nbreak', '\0', '\x7f', '\x80', 'é', '日本語', '😀', '\ud800', 'x\udfffy',
  'a'.repeat(256), 'b'.repeat(257), 'ü'.repeat(300), 'c'.repeat(999), 'd'.repeat(1000), '"'.repeat(1500), 'e'.repeat(20000)]
const NUMBERS = [0, -0, 1, 9, 10, 99, 100, 999, 1000, 12345, 999999999, 1e9, 4294967296, 2 ** 53, 1e21, -1, -5.5, 0.5, 0.001, 0.0005, 12.34, 999.999, 999.9996,
  1000.5, 1e-7, Math.PI, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308]

function value () {
  switch (random(14)) {
    case 0: case 1: case 2: return pick(STRINGS)
    case 3: case 4: case 5: return pick(NUMBERS)
    case 6: return random(1e6) / 1000
    case 7: return random(2) === 1
    case 8: return null
    case 9: return undefined
    case 10: return () => {}
    case 11: return { a: [1, pick(STRINGS).slice(0, 50)], b: { c: pick(NUMBERS) } }
    case 12: return pick([10n, 2n ** 70n, Symbol('s'), new Date(0), new Map([['k', 1]]), Buffer.from('abc'), new URL('http://h/p')])
    default: return pick([[], {}, new Error('inside'), /x/g])
  }
}

t.test('whatever is logged', async t => {
  const both = pair(',"pid":1,"hostname":"hé"')
  for (let i = 0; i < 1500; i++) {
    const object = {}
    for (let n = random(7); n > 0; n--) object[pick(['reqId', 'url', 'ms', 'a"b', 'ключ', 'x'.repeat(150), 'err', 'n' + random(5)])] = value()
    const message = pick([undefined, 'request done', pick(STRINGS), value(), null, 5])
    same(t, both, `line ${i}`, log => log.info(object, message))
  }
})

t.test('texts that come again', async t => {
  const both = pair()
  const texts = ['GET', '', 'a "quoted" one', 'line\nbreak', 'é', '日本語', '\ud800', 'x'.repeat(LONGEST), 'y'.repeat(LONGEST + 1)]
  for (let round = 0; round < 3; round++) {
    for (const text of texts) same(t, both, `round ${round}`, log => log.info({ method: text, 'a"b': text, last: text }, text))
  }
  for (let i = 0; i < PATIENCE + 2 * MOST; i++) same(t, both, `text ${i}`, log => log.info({ method: 'GET', id: `id ${i}` }, `of ${i}`))
  for (const text of texts) same(t, both, 'after many', log => log.info({ method: text, id: text }, text))
})

t.test('what is kept of texts has a limit', t => {
  const places = Array.from({ length: 2 * MOST_OF_ALL / MOST }, () => new Repeats(',"a":', ''))
  const known = place => Array.from({ length: 2 * MOST }, (_, i) => place.find(`text ${i}`)).filter(piece => piece !== null).length
  const counts = places.map(known)
  t.equal(counts[0], MOST, 'of one place')
  const sum = counts.reduce((a, b) => a + b, 0)
  t.ok(sum > MOST && sum <= MOST_OF_ALL, `${sum} of all places`)
  t.same(places.map(known), counts, 'and they stay known')
  // What never repeats is not looked for any more, and its room is for others.
  for (const place of places) for (let i = 0; i <= PATIENCE + 2 * MOST; i++) place.find(`never again ${i}`)
  t.ok(places.every(place => place.find('text 1') === null), 'none is asked any more')
  t.equal(new Repeats('', '').find('text').length, 6, 'there is room again')
  t.end()
})

t.test('messages alone', async t => {
  const both = pair()
  for (const message of [...STRINGS, ...NUMBERS, true, null, undefined, 10n]) same(t, both, undefined, log => log.warn(message))
  same(t, both, 'with arguments', log => log.info('%s is %d %j', 'é', 5, { a: 1 }))
  same(t, both, 'with an object and arguments', log => log.info({ a: 1 }, 'a %s', 'b'))
})

t.test('every number that has thousandths', async t => {
  const { page, lines } = pair()
  for (let from = 0; from < 1000000; from += 1009) {
    const wanted = from / 1000
    page.info({ wanted })
    const { wanted: got } = JSON.parse(lines.page.at(-1))
    if (got !== wanted || !lines.page.at(-1).includes(`"wanted":${wanted}}`)) t.equal(got, wanted)
  }
  t.equal(lines.page.length, 992)
})

t.test('children, errors and prefixes', async t => {
  const both = pair()
  const err = new Error('it broke', { cause: new Error('why') })
  for (const bindings of [{ reqId: 1 }, { user: 'Zoë' }, { long: 'x'.repeat(5000) }, { longer: 'y'.repeat(SIZE) }]) {
    same(t, both, 'bindings', log => log.child(bindings).error({ a: 1 }, 'm'))
  }
  same(t, both, 'levels take turns', log => {
    for (const name of ['info', 'error', 'info', 'trace', 'fatal']) log[name]({ name }, 'm')
  })
  same(t, both, 'an error', log => log.error(err))
  same(t, both, 'an error as a field says the message', log => log.error({ err }))
  same(t, both, 'a prefix', log => log.child({}, { msgPrefix: 'p" ' }).info('m'))
  same(t, both, 'redaction', log => log.child({}, { redact: ['a'] }).info({ a: 1, b: 2 }, 'm'))
  same(t, both, 'inherited fields are not its own', log => log.info(Object.create({ a: 1 }, { b: { value: 2, enumerable: true } }), 'm'))
})

t.test('inside of a span', async t => {
  const both = pair()
  within(new Context('a'.repeat(32), 'b'.repeat(16), ',"user":"ü"'), () => {
    const [line] = same(t, both, 'its ids', log => log.info({ a: 'x' }, 'm'))
    t.match(line, /"a":"x","user":"ü","traceId":"a{32}","spanId":"b{16}","msg":"m"\}\n$/)
    same(t, both, 'without a message', log => log.info({ a: 1 }))
  })
})

t.test('getters that throw, and such that log', async t => {
  const both = pair()
  const thrower = { before: 1, get bad () { throw new Error('no "value"') }, after: 2 }
  same(t, both, 'a getter that throws', log => log.info(thrower, 'm'))
  const [inner, outer] = same(t, both, 'a getter that logs', log =>
    log.info({ first: 'x', get second () { log.info({ inner: true }, 'inside'); return 'y' } }, 'outside'))
  t.match(inner, /"inner":true,"msg":"inside"/)
  t.match(outer, /"first":"x","second":"y","msg":"outside"/)
  same(t, both, 'and the page is free again', log => log.info({ a: 1 }, 'm'))
})

t.test('what has no room in the page', async t => {
  const both = pair()
  const aside = () => both.lines.aside.splice(0).length
  same(t, both, 'a small one', log => log.info({ a: 1 }, 'm'))
  t.equal(aside(), 0)
  // Around the end of the page, field by field and at the message.
  for (const length of [SIZE - 400, SIZE - 120, SIZE - 100, SIZE - 80, SIZE - 60, SIZE - 40, SIZE, SIZE * 2]) {
    const fields = Object.fromEntries(Array.from({ length: Math.ceil(length / 200) }, (_, i) => [`f${i}`, 'v'.repeat(190)]))
    same(t, both, `${length} in fields`, log => log.info(fields, 'm'))
    for (let more = 0; more < 12; more++) same(t, both, `${length} in one`, log => log.info({ a: [' '.repeat(length + more)] }, 'm'))
    same(t, both, `${length} in the message`, log => log.info({ a: 1 }, [' '.repeat(length)]))
  }
  t.ok(aside() > 0, 'some came as text')
})

t.test('requests, and what cannot be read', async t => {
  const { IncomingMessage, ServerResponse } = require('node:http')
  const both = pair()
  const req = Object.assign(new IncomingMessage({ remoteAddress: '::1' }), { method: 'GET', url: '/ä' })
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  class Own { a = 'x' }
  for (const object of [req, new ServerResponse(req), proxy, new Own(), { __proto__: null, a: 1 }, [1, 'x'], new Map([['a', 1]]), { get err () { throw new Error('no') } }]) {
    same(t, both, 'alone', log => log.info(object))
    same(t, both, 'with a message', log => log.info(object, 'm %s', 'é'))
  }
})

t.test('a line that is longer than one may be', async t => {
  const both = pair('', 1000)
  for (const length of [100, 300, 600, 900, 1100, 3000, SIZE, 2 * SIZE]) {
    for (const c of ['x', 'é', '"', '日', '\u0001']) {
      const text = c.repeat(length)
      same(t, both, `${length} of ${c}`, log => log.info({ id: 1, text, list: [text, 2], ok: true, more: text }, text))
      same(t, both, `${length} of ${c} and a prefix`, log => log.child({ text }, { msgPrefix: 'p ' }).info({ id: 1 }, text))
    }
  }
  const [line] = same(t, both, 'shortened', log => log.info({ a: 'x'.repeat(900), b: 'y'.repeat(900) }, 'm'))
  t.match(JSON.parse(line), { truncated: true, msg: 'm' })
  same(t, both, 'a short one after it', log => log.info('m'))
})
