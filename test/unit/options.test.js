'use strict'

const t = require('tap')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { open } = require('../../lib/store')
const { table, defaults, normalise, toWire, parseTarget, readCall } = require('../../lib/base/options')
const { options: core } = require('../../lib/base/tables')

t.test('defaults', (t) => {
  t.strictSame(normalise(), defaults)
  t.strictSame(normalise({}), defaults)
  t.strictSame(normalise({ readers: undefined }), defaults)
  t.ok(Object.isFrozen(defaults) && Object.isFrozen(table))
  for (const [name, row] of Object.entries(table)) {
    if (row.type === 'integer') t.ok(row.value >= row.min && row.value <= row.max, name)
  }
  t.end()
})

t.test('the options of the core are taken as it has them', (t) => {
  for (const [name, row] of Object.entries(core)) {
    t.equal(table[name], row, name)
    if (row.type !== 'integer') continue
    const ending = { ms: /Ms$/, bytes: /Bytes$/, count: /(?<!Ms|Bytes)$/ }[row.unit]
    t.match(name, ending, `${name} is counted in ${row.unit}`)
  }
  const wires = Object.values(table).map(({ wire }) => wire).filter((wire) => wire !== null)
  t.equal(new Set(wires).size, wires.length, 'each has a name of its own there')
  t.strictSame(wires.sort(), Object.values(core).map(({ wire }) => wire).sort(), 'and what the core does not know ends here')
  t.end()
})

t.test('the option cache', (t) => {
  const read = (cache, ipc) => normalise({ cache }, ipc)
  const MiB = 1024 * 1024
  t.strictSame(read(true), defaults)
  t.strictSame(read({}), defaults)
  const off = read(false)
  t.same([off.cache, off.cacheBytes, toWire(off).cache_bytes], [null, 0, 0])
  const small = read({ bytes: MiB })
  t.same([small.cacheBytes, small.cacheValueBytes], [MiB, MiB / 4], 'a value takes a quarter at most')
  t.strictSame(read({ bytes: 100 * MiB, maxValueBytes: 5000, firstLevel: false }).cache, { firstLevel: null })
  t.strictSame(read({ firstLevel: { entries: 5 } }, true).cache, { firstLevel: { bytes: 8 * MiB, entries: 5 } })
  t.equal(normalise({ cacheBytes: 2 * MiB }).cacheValueBytes, MiB / 2)
  const bad = [{ byte: 5 }, { bytes: 5 }, { bytes: 1.5 }, { bytes: 4 * MiB, maxValueBytes: MiB + 1 }, { maxValueBytes: 0 }, { firstLevel: 5 },
    { firstLevel: { size: 5 } }, { firstLevel: { bytes: 5 } }, { firstLevel: { entries: 0 } }]
  for (const value of bad) t.throws(() => read(value), { code: 'UC_OPTION', message: /option "?cache\./ }, JSON.stringify(value))
  for (const value of [{ bytes: MiB }, { maxValueBytes: MiB }]) t.throws(() => read(value, true), { code: 'UC_OPTION', message: /belongs to the daemon.*--set cache/ })
  t.end()
})

t.test('each option names itself when it is wrong', (t) => {
  for (const [name, row] of Object.entries(table)) {
    const bad = { boolean: [1, 'yes', null], integer: ['x', 1.5, row.min - 1, row.max + 1, NaN, 5n, null], choice: ['?', 5, null], pragmas: [5, { a: {} }, { 'a;b': 1 }, []], attach: ['x', { a: 5 }, { 'a b': 'x' }], name: ['', 5, null], spawn: [5, {}, { db: 5 }, { db: '' }, { db: {} }, { db: 'x', foo: 1 }, { db: 'x', idleExitMs: 5 }, { db: { 'a b': 'x' } }], cache: [5, null, 'x', []], log: [5, null, 'x', []] }[row.type]
    const read = row.type === 'log' ? open : (options) => normalise(options, row.where === 'ipc')
    for (const value of bad) {
      t.throws(() => read({ [name]: value }), { code: 'UC_OPTION', message: new RegExp(`option "?(?:${name}\\b.*expected|${name}\\.foo)`) })
    }
  }
  t.throws(() => normalise({ reader: 1 }), { code: 'UC_OPTION', message: /unknown option "reader".*readers/ })
  t.throws(() => normalise({ __proto__: null, constructor: 1 }), { code: 'UC_OPTION' })
  for (const bad of [null, 5, 'x', []]) t.throws(() => normalise(bad), { code: 'UC_OPTION' })
  t.throws(() => normalise({ readonly: true, create: true }), { code: 'UC_OPTIONS_CONFLICT' })
  t.equal(normalise({ readonly: true }).create, false)
  t.end()
})

t.test('the map for the core', (t) => {
  const wire = toWire(normalise({ busyTimeoutMs: 7, pragmas: { cache_size: -2000, temp_store: 'memory', recursive_triggers: true }, attach: { other: 'x.db', mem: ':memory:' } }))
  t.match(wire, { busy_ms: 7, tx_ms: 10000, snapshot_turn_ms: 10, synchronous: 'full', readonly: false, timeout_ms: 30000 })
  t.strictSame(wire.pragmas, { cache_size: -2000, temp_store: 'memory', recursive_triggers: 1 })
  t.strictSame(wire.attach, { other: path.resolve('x.db'), mem: ':memory:' })
  t.notOk('integers' in wire)
  t.notOk('stacks' in wire)
  t.end()
})

t.test('targets', (t) => {
  t.strictSame(parseTarget(':memory:'), { path: ':memory:', ipc: false, url: null, db: null })
  t.equal(parseTarget('a.db').path, path.resolve('a.db'))
  const file = path.join(__dirname, 'no such.db')
  t.equal(parseTarget(pathToFileURL(file)).path, file)
  t.equal(parseTarget(pathToFileURL(file).href).path, file)
  t.throws(() => parseTarget(''), { code: 'UC_OPTION', message: /empty/ })
  t.throws(() => parseTarget('a\0b'), { code: 'UC_OPTION' })
  t.throws(() => parseTarget(__dirname), { code: 'UC_OPTION', message: /directory/ })
  t.throws(() => parseTarget('https://example.org/a.db'), { code: 'UC_OPTION' })
  t.throws(() => parseTarget(new URL('https://example.org/a.db')), { code: 'UC_OPTION' })
  t.throws(() => parseTarget('file://host/%2F'), { code: 'UC_OPTION' })
  for (const bad of [undefined, null, 5, {}, []]) t.throws(() => parseTarget(bad), { code: 'UC_OPTION' })
  t.end()
})

t.test('targets that are sockets', (t) => {
  t.strictSame(parseTarget('ipc:///run/app/x.sock'), { path: '/run/app/x.sock', ipc: true, url: 'ipc:///run/app/x.sock', db: null })
  t.match(parseTarget('ipc:///run/50%#.sock?db=a%20b'), { path: '/run/50%#.sock', db: 'a b' })
  t.equal(parseTarget(new URL('ipc:///run/x.sock?db=main')).db, 'main')
  const long = '/x'.repeat(54)
  t.throws(() => parseTarget(`ipc://${long}`), { code: 'UC_OPTION', message: /108 bytes.*107/ })
  t.equal(parseTarget(`ipc://${long.slice(1)}`.replace('//x', '///')).path.length, 107)
  for (const bad of ['ipc:', 'ipc://', 'ipc:///', 'ipc://run/x.sock', 'ipc:/run/x.sock', 'ipc:x', 'ipc:///run/', 'ipc:///x?db=', 'ipc:///x?name=y']) {
    t.throws(() => parseTarget(bad), { code: 'UC_OPTION', message: /expected/ }, bad)
  }
  t.end()
})

t.test('options of a handle, of a file and of a connection', (t) => {
  const handle = { readonly: true, maxQueue: 5, statementCache: 9, timeoutMs: 7, integers: 'auto', stacks: true }
  t.match(normalise(handle, true), handle)
  t.match(normalise({ connectTimeoutMs: 9, db: 'main' }, true), { connectTimeoutMs: 9, db: 'main', spawn: null })
  for (const [name, row] of Object.entries(table)) {
    if (row.where === 'ipc') t.throws(() => normalise({ [name]: 1 }), { code: 'UC_OPTION', message: /is for a daemon/ }, name)
    if (row.where === undefined) t.throws(() => normalise({ [name]: row.value }, true), { code: 'UC_OPTION', message: /belongs to the daemon.*--set/ }, name)
  }
  t.strictSame(normalise({ spawn: { db: 'a.db' } }, true).spawn, { db: { '': path.resolve('a.db') }, idleExitMs: 60000, options: {} })
  t.strictSame(normalise({ spawn: { db: { a: 'a.db', b: ':memory:' }, idleExitMs: 5000, options: { synchronous: 'normal', readers: 2 } } }, true).spawn,
    { db: { a: path.resolve('a.db'), b: ':memory:' }, idleExitMs: 5000, options: { synchronous: 'normal', readers: 2 } })
  for (const options of [{ stacks: true }, { pragmas: {} }, { readers: 'x' }, { nope: 1 }, 5]) {
    t.throws(() => normalise({ spawn: { db: 'a.db', options } }, true), { code: 'UC_OPTION', message: /spawn\.options/ })
  }
  t.end()
})

t.test('options of a call', (t) => {
  const { signal } = new AbortController()
  t.match(readCall(undefined, 2), { timeoutMs: -1, signal: null, integers: 2 })
  t.match(readCall({ timeoutMs: 5, signal, integers: 'auto' }, 0), { timeoutMs: 5, signal, integers: 3 })
  t.match(readCall({ timeoutMs: undefined }, 0), { timeoutMs: -1, signal: null })
  t.match(readCall({ once: 'k' }, 0, false, true), { once: 'k' })
  t.match(readCall({}, 0, false, true), { once: null })
  t.throws(() => readCall({ once: 'k' }, 0), { code: 'UC_OPTION', message: /only run, many and batch/ })
  for (const bad of ['', 5, null, 'é'.repeat(101), '\ud800']) {
    t.throws(() => readCall({ once: bad }, 0, false, true), { code: 'UC_OPTION', message: /1 to 200 bytes/ })
  }
  for (const bad of [{ timeoutMs: -1 }, { timeoutMs: '5' }, { signal: {} }, { signal: null }, { integers: 'x' }, { foo: 1 }, 5, []]) {
    t.throws(() => readCall(bad, 0), { code: 'UC_OPTION' })
  }
  t.throws(() => readCall({ signal }, 0, true), { code: 'UC_OPTION', message: /blocking/ })
  t.end()
})
