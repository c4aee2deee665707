'use strict'

// The codec of cached values: every kind there and back, what is refused and how
// it is named, and bytes that are no value.

const t = require('tap')
const vm = require('node:vm')
const { exact, failure } = require('../helper')
const { encode, encodeFailure, writeBin } = require('../../lib/wire/value/encode')
const { decode, shareable } = require('../../lib/wire/value/decode')
const { Failure } = require('../../lib/wire/value/kinds')
const { Writer } = require('../../lib/wire/encode')

const MAX = 1024 * 1024

function read (bytes, freeze = false) {
  return decode(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length, freeze)
}

function round (v, freeze) {
  return read(encode(v, MAX), freeze)
}

const hex = (v) => encode(v, MAX).toString('hex')

t.test('every kind of value there and back', async (t) => {
  const values = [
    undefined, null, true, false, '', 'a', 'ä', '\0', 'x'.repeat(23), 'x'.repeat(24), 'x'.repeat(85), 'x'.repeat(86),
    'ä'.repeat(85), 'ä'.repeat(21845), 'x'.repeat(21846), '€'.repeat(30000), '😀'.repeat(100), 'x'.repeat(70000),
    0, -0, 1, 127, 128, 255, 256, 65535, 65536, 0xffffffff, 0x100000000, Number.MAX_SAFE_INTEGER,
    -1, -32, -33, -128, -129, -32768, -32769, -0x80000000, -0x80000001, Number.MIN_SAFE_INTEGER,
    1.5, Number.MAX_VALUE, Number.MIN_VALUE, NaN, Infinity, -Infinity, 2 ** 53, 1e300,
    0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, 3n ** 500n, -(3n ** 501n),
    new Date(0), new Date(-1), new Date(8.64e15),
    [], [1, [2, [3]]], [undefined, null], {}, { a: 1, b: { c: [] } }, { __proto__: null }, Array(20).fill('x'), Array(70000).fill(1),
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key${i}`, i])),
    Object.fromEntries(Array.from({ length: 70000 }, (_, i) => [`key${i}`, i])),
    new Map(), new Map([[1, 'a'], ['b', new Map([[{}, null]])]]), new Set(), new Set([1, 'a', [2]]), new Set([new Set()]),
    { d: new Date(5), m: new Map([[new Date(6), new Set([7n])]]) }, { '': 1, 'a b': 2, ü: 3, ['x'.repeat(300)]: 4 }
  ]
  for (const v of values) {
    const back = round(v)
    exact(t, back, v !== null && typeof v === 'object' && Object.getPrototypeOf(v) === null ? {} : v, short(v))
  }
  t.ok(Number.isNaN(round(new Date(NaN)).getTime()), 'an invalid Date')
  for (const bytes of [Buffer.from('abc'), new Uint8Array(300), new Uint8Array(70000), new Uint16Array([1, 2]), new ArrayBuffer(4), new DataView(new ArrayBuffer(3), 1)]) {
    const view = ArrayBuffer.isView(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.from(bytes)
    const back = round({ bytes }).bytes
    t.ok(Buffer.isBuffer(back) && back.equals(view), bytes.constructor.name)
  }
})

function short (v) {
  return require('node:util').inspect(v, { maxStringLength: 20, maxArrayLength: 3, breakLength: Infinity }).slice(0, 60)
}

t.test('numbers take their shortest form, as the core writes them', async (t) => {
  const forms = [[0, '00'], [127, '7f'], [128, 'cc80'], [256, 'cd0100'], [65536, 'ce00010000'], [2 ** 32, 'cf0000000100000000'],
    [-1, 'ff'], [-32, 'e0'], [-33, 'd0df'], [-129, 'd1ff7f'], [-32769, 'd2ffff7fff'], [-(2 ** 31) - 1, 'd3ffffffff7fffffff']]
  for (const [n, form] of forms) t.equal(hex(n), form, String(n))
  t.equal(hex(undefined), 'd40000')
  t.equal(hex('ä'), 'd902c3a4')
})

t.test('a plain object is one of any realm; __proto__ is a name like others', async (t) => {
  exact(t, round(vm.runInNewContext('({ a: [1, { b: 2 }] })')), { a: [1, { b: 2 }] }, 'of another realm')
  const odd = JSON.parse('{"__proto__": {"polluted": true}, "b": 1}')
  const back = round(odd)
  t.equal(Object.getPrototypeOf(back), Object.prototype, 'the prototype is as it was')
  t.equal(Object.getOwnPropertyDescriptor(back, '__proto__').value.polluted, true, 'the name is kept')
  t.equal({}.polluted, undefined)
})

t.test('what is refused, and where it stands', async (t) => {
  class User {}
  const cycle = { a: [] }
  cycle.a.push(cycle)
  let deep = {}
  for (let i = 0; i < 250; i++) deep = { deep }
  const cases = [
    [() => {}, /^value: expected .* got a function/], [Symbol('s'), /^value: .*a symbol/], [new User(), /^value: .*an instance of User/],
    [{ users: [1, { name: Symbol('s') }] }, /^value\.users\[1\]\.name: .*a symbol/], [{ 'a b': /x/ }, /^value\["a b"\]: .*RegExp/],
    [new Map([['k', Promise.resolve()]]), /^value\[1\]: .*Promise/], [new Set([() => {}]), /^value\[0\]: .*a function/],
    ['\ud800', /^value: .*lone surrogate/], ['x'.repeat(100) + '\udc00', /lone surrogate/], [{ a: ['\ud800'] }, /^value\.a\[0\]/],
    [{ '\ud800': 1 }, /name with a lone surrogate/], [cycle, /^value\.a\[0\]\.a.*200 levels/], [deep, /200 levels/],
    [new Error('x'), /instance of Error/], [new WeakMap(), /WeakMap/], [Object.create({ a: 1 }), /^value: /]
  ]
  for (const [v, message] of cases) {
    const err = await failure(() => encode(v, MAX))
    t.equal(err.code, 'UC_CACHE_VALUE')
    t.equal(err.kind, 'usage')
    t.match(err.message, message)
  }
})

t.test('what is too large is found before it is written', async (t) => {
  const sparse = []
  sparse.length = 2 ** 32 - 1
  for (const v of ['x'.repeat(2000), Buffer.alloc(2000), Array(2000).fill(1), { a: 'x'.repeat(600), b: 'y'.repeat(600) }, 3n ** 9000n, sparse,
    new Map([['a', Buffer.alloc(1100)]]), ['x'.repeat(1020), 'abcdefgh']]) {
    const err = await failure(() => encode(v, 1024))
    t.equal(err.code, 'UC_CACHE_VALUE', short(v))
    t.equal(err.kind, 'too-big')
  }
  t.equal(encode('x'.repeat(1021), 1024).length, 1024, 'all of it')
  t.equal((await failure(() => encode('x'.repeat(1022), 1024))).kind, 'too-big', 'and one more')
})

t.test('a getter that stores a value itself', async (t) => {
  const v = { get a () { return encode({ b: 'inner' }, MAX).length }, c: 'outer' }
  exact(t, round(v), { a: encode({ b: 'inner' }, MAX).length, c: 'outer' }, 'neither disturbs the other')
  const thrower = { get a () { throw new Error('mine') } }
  t.equal((await failure(() => encode(thrower, MAX))).message, 'mine')
  exact(t, round({ a: 1 }), { a: 1 }, 'and the next value is written as ever')
})

t.test('frozen values can be shared, others say that they cannot', async (t) => {
  const v = round({ a: [{ b: 1 }], c: 'x' }, true)
  t.ok(shareable())
  t.ok(Object.isFrozen(v) && Object.isFrozen(v.a) && Object.isFrozen(v.a[0]), 'all of it')
  for (const own of [new Date(1), Buffer.from('x'), new Map(), new Set(), { a: { b: [new Date(1)] } }]) {
    round(own, true)
    t.notOk(shareable(), short(own))
  }
  round('text', true)
  t.ok(shareable(), 'what cannot be changed anyway')
})

t.test('a loader’s error', async (t) => {
  const made = read(encodeFailure('it broke'))
  t.ok(made instanceof Failure)
  t.equal(made.message, 'it broke')
  const nested = Buffer.concat([Buffer.from([0x91]), encodeFailure('x')])
  t.equal((await failure(() => read(nested))).code, 'UC_CACHE_VALUE', 'is nothing within a value')
})

t.test('as a bin behind other things', async (t) => {
  const w = new Writer(16)
  w.uint(5)
  writeBin(w, { a: 'x'.repeat(100) }, MAX)
  t.equal(w.buf[1], 0xc6)
  const n = w.view.getUint32(2)
  t.equal(w.pos, 6 + n)
  exact(t, decode(w.buf, w.view, 6, w.pos, false), { a: 'x'.repeat(100) }, 'the value')
})

t.test('bytes that are no value', async (t) => {
  const bad = ['', 'c1', 'd9', 'd905', 'a2ff', '91', '9901', 'dd7fffffff', 'dfffffffff', '81', '8101', '810101', 'c7', 'c70500', 'c70105', 'd60100000000',
    'd70201', 'c7000200', 'c7010200', 'c90000000503910101', '0000', 'c0c0', 'd40900', 'c70103c0', 'c702039101', 'c70203', 'ca00', 'cb00000000', 'c4ff', 'c6ffffffff', '91'.repeat(300) + 'c0']
  for (const text of bad) {
    const err = await failure(() => read(Buffer.from(text, 'hex')))
    t.equal(err.code, 'UC_CACHE_VALUE', text.slice(0, 20))
    t.equal(err.kind, 'corrupt')
  }
})

t.test('random bytes and random values', async (t) => {
  let seed = 7
  const random = (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % n
  }
  let wrong = 0
  for (let i = 0; i < 20000; i++) {
    const bytes = Buffer.from(Array.from({ length: random(40) }, () => random(256)))
    try {
      read(bytes)
    } catch (err) {
      if (err.code !== 'UC_CACHE_VALUE') wrong++
    }
  }
  t.equal(wrong, 0, 'bytes end in a value or in our error')
  const make = (depth) => {
    switch (random(depth > 4 ? 8 : 12)) {
      case 0: return null
      case 1: return random(2) === 0
      case 2: return random(1 << 24) - random(1 << 24)
      case 3: return (random(1 << 24) - random(1 << 24)) * 2 ** random(40)
      case 4: return random(1000) / 7
      case 5: return String.fromCodePoint(...Array.from({ length: random(30) }, () => random(0xd000)))
      case 6: return BigInt(random(1 << 24)) ** BigInt(random(9))
      case 7: return random(2) === 0 ? undefined : new Date(random(1 << 24) * 1000)
      case 8: return Array.from({ length: random(20) }, () => make(depth + 1))
      case 9: return new Map(Array.from({ length: random(5) }, () => [make(depth + 1), make(depth + 1)]))
      case 10: return new Set(Array.from({ length: random(5) }, () => make(depth + 1)))
    }
    return Object.fromEntries(Array.from({ length: random(20) }, (_, i) => [`k${random(50)}-${i}`, make(depth + 1)]))
  }
  for (let i = 0; i < 500; i++) {
    const v = make(0)
    const bytes = encode(v, 1 << 26)
    if (!require('node:util').isDeepStrictEqual(read(bytes), v)) wrong++
    if (!encode(read(bytes), 1 << 26).equals(bytes)) wrong++
    const cut = bytes.subarray(0, random(bytes.length))
    if (bytes.length > 1) {
      try {
        read(Buffer.from(cut))
        wrong++
      } catch (err) {
        if (err.code !== 'UC_CACHE_VALUE') wrong++
      }
    }
  }
  t.equal(wrong, 0, 'values come back, have one form, and none is the front of another')
})
