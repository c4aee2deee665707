'use strict'

const t = require('tap')
const { Writer } = require('../../lib/wire/encode')
const decode = require('../../lib/wire/decode')
const { Shape, NO_SHAPE, OBJECTS, ARRAYS, columnsOf, generic } = require('../../lib/wire/shape')
const { at, cells } = require('../../lib/wire/cell')
const { parse, pack, page, reply, u32 } = require('./fake-core')

const NUMBER = 0

function written (write, size = 64) {
  const w = new Writer(size)
  write(w)
  return w.buf.subarray(0, w.pos)
}

const roundtrip = (params) => parse(written((w) => w.params(params)))[0]
const view = (b) => new DataView(b.buffer, b.byteOffset, b.length)

t.test('parameters: every type', (t) => {
  const numbers = [0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 31 - 1, -1, -32, -33, -128, -32769, -(2 ** 31), 1.5, -0.25, 1e300, Infinity, -Infinity]
  t.strictSame(roundtrip(numbers), numbers)
  const wide = [2 ** 31, 2 ** 32 - 1]
  t.strictSame(roundtrip(wide), wide)
  const long = [2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 40 + 12345]
  t.strictSame(roundtrip(long), long.map(BigInt), 'as 64-bit integers')
  t.strictSame(roundtrip([2 ** 53, 2 ** 63, -(2 ** 60)]), [2 ** 53, 2 ** 63, -(2 ** 60)], 'beyond 2^53 as doubles')
  t.ok(Object.is(roundtrip([-0])[0], -0))
  t.strictSame(roundtrip([5n, -5n, 2n ** 63n - 1n, -(2n ** 63n)]), [5n, -5n, 2n ** 63n - 1n, -(2n ** 63n)])
  t.strictSame(roundtrip([true, false, null]), [true, false, null])
  t.strictSame(roundtrip([new Date(0)]), ['1970-01-01T00:00:00.000Z'])
  const bytes = Buffer.from([1, 2, 3])
  const ab = new Uint8Array([1, 2, 3]).buffer
  t.strictSame(roundtrip([bytes, new Uint8Array(ab), ab, new DataView(ab), new Int8Array(ab)]), Array(5).fill(bytes))
  t.strictSame(roundtrip([new Uint16Array([258]), Buffer.alloc(0)]), [Buffer.from([2, 1]), Buffer.alloc(0)])
  t.strictSame(roundtrip(undefined), [])
  t.strictSame(roundtrip(null), [])
  t.end()
})

t.test('parameters: text of every length and alphabet', (t) => {
  for (const unit of ['a', 'é', '€', '😀', '\0']) {
    for (const n of [0, 1, 8, 15, 16, 23, 24, 31, 32, 33, 100, 255, 256, 70000]) {
      const text = unit.repeat(n)
      t.equal(roundtrip([text])[0], text, `${n} × U+${unit.codePointAt(0).toString(16)}`)
    }
  }
  t.equal(roundtrip(['abcé'])[0], 'abcé')
  for (const bad of ['\ud800', 'ab\udc00', 'x'.repeat(50) + '\ud800', '\ud800é']) {
    t.throws(() => roundtrip([1, bad]), { code: 'UC_PARAM_TYPE', param: 2, message: /lone surrogate/ })
  }
  t.end()
})

t.test('the answer to a request', (t) => {
  const read = (...fields) => {
    const b = Buffer.from([0x96, 0xce, ...u32(1), 6, ...fields.flatMap(pack)])
    return decode.simple(b, view(b), 0, b.length, 6, NUMBER)
  }
  t.strictSame(read(200, 'application/json', Buffer.from('[]'), ['etag', '"1"']), { status: 200, type: 'application/json', headers: ['etag', '"1"'], body: Buffer.from('[]') })
  t.strictSame(read(304, '', Buffer.alloc(0), []), { status: 304, type: '', headers: [], body: Buffer.alloc(0) })
  for (const bad of [['200', '', Buffer.alloc(0), []], [200, null, Buffer.alloc(0), []], [200, '', Buffer.alloc(0), null], [200, '', 'text', []]]) {
    t.throws(() => read(...bad), { code: 'UC_FRAME' })
  }
  t.end()
})

t.test('parameters: named', (t) => {
  t.strictSame(roundtrip({ a: 1, ':b': 'x', '@c': null, $d: -5 }), { a: 1, b: 'x', c: null, d: -5 })
  t.strictSame(roundtrip(Object.create(null, { z: { value: 0, enumerable: true } })), { z: 0 })
  t.end()
})

t.test('parameters: what is refused, by name', (t) => {
  for (const [bad, words] of [
    [undefined, /undefined/], [NaN, /NaN/], [{}, /an object/], [[], /an array/], [() => {}, /a function/],
    [Symbol('x'), /a symbol/], [new Date(NaN), /invalid Date/], [2n ** 63n, /64 bits/], [-(2n ** 63n) - 1n, /64 bits/],
    [new Map(), /an object/], [Promise.resolve(), /a promise/], [Object('boxed'), /an object/]
  ]) {
    t.throws(() => roundtrip(['ok', bad]), { code: 'UC_PARAM_TYPE', param: 2, message: words })
    t.throws(() => roundtrip({ ok: 1, it: bad }), { code: 'UC_PARAM_TYPE', param: 'it', message: /parameter :it/ })
  }
  for (const bad of [5, 'text', true, new Map(), new Date(), Buffer.alloc(1), Promise.resolve()]) {
    t.throws(() => roundtrip(bad), { code: 'UC_PARAM_TYPE', message: /parameters: expected/ })
  }
  t.end()
})

t.test('the writer grows', (t) => {
  const big = Buffer.alloc(100000, 7)
  const params = [1, 'x'.repeat(50000), big, 2, 'é'.repeat(30000), ...Array(500).fill(123456789)]
  t.strictSame(parse(written((w) => w.params(params), 16))[0], params)
  t.strictSame(parse(written((w) => w.any({ a: [1, { b: 'c' }], d: null }), 16))[0], { a: [1, { b: 'c' }], d: null })
  t.end()
})

t.test('request header', (t) => {
  const frame = parse(written((w) => {
    w.head(6, 10, 0x7fffffff, 500, { key: 'x'.charCodeAt(0), id: 70000 })
    w.statement(300, 0xfedcba98)
    w.params([1])
  }))[0]
  t.strictSame(frame, [10, 0x7fffffff, { x: 70000, t: 500 }, 300, 0xfedcba98, [1]])
  t.end()
})

// Decodes one page with the generated and with the generic decoder.
function rowsOf (columns, rows, form = OBJECTS, ints = NUMBER) {
  const b = Buffer.from(page(rows))
  const out = []
  const end = decode.page(b, view(b), 0, b.length, columns.length, columnsOf(columns).decoder(form, ints), out)
  if (end !== b.length) throw new Error('the page was not read to its end')
  const other = []
  decode.page(b, view(b), 0, b.length, columns.length, generic(columns, form, cells[ints]), other)
  return [out, other]
}

t.test('cells of every type', (t) => {
  const values = [0, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1, -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31),
    BigInt(2 ** 40), -BigInt(2 ** 40), 1.5, -0, Infinity, null, '', 'abc', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(255),
    'x'.repeat(256), 'x'.repeat(70000), Buffer.from([1, 2])]
  const columns = values.map((v, i) => 'c' + i)
  const wanted = values.map((v) => typeof v === 'bigint' ? Number(v) : v)
  for (const got of rowsOf(columns, [values, values], ARRAYS)) t.strictSame(got, [wanted, wanted])
  const [objects] = rowsOf(columns, [values])
  t.strictSame(Object.values(objects[0]), wanted)
  const wide = [...values, 'é', '€uro', '😀']
  for (const got of rowsOf([...columns, 'x', 'y', 'z'], [wide, wide], ARRAYS)) {
    t.strictSame(got[1], [...wanted, 'é', '€uro', '😀'], 'text cut by UTF-16 units')
  }
  t.end()
})

t.test('integers: four ways', (t) => {
  const big = 2n ** 60n
  const row = [[1, -5, 300, 70000, big, 'x', 1.5, null]]
  const columns = ['a', 'b', 'c', 'd', 'big', 'x', 'y', 'z']
  for (const got of rowsOf(columns, row, ARRAYS, 1)) t.strictSame(got, [[1n, -5n, 300n, 70000n, big, 'x', 1.5, null]])
  for (const got of rowsOf(columns, row, ARRAYS, 2)) t.strictSame(got, [['1', '-5', '300', '70000', String(big), 'x', 1.5, null]])
  for (const got of rowsOf(columns, row, ARRAYS, 3)) t.strictSame(got, [[1, -5, 300, 70000, big, 'x', 1.5, null]])
  t.throws(() => rowsOf(columns, row), { code: 'UC_VALUE_RANGE', column: 'big' })
  for (const edge of [2n ** 53n - 1n, -(2n ** 53n) + 1n]) t.strictSame(rowsOf(['a'], [[edge]])[0], [{ a: Number(edge) }])
  for (const edge of [2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    t.throws(() => rowsOf(['a'], [[edge]]), { code: 'UC_VALUE_RANGE', column: 'a' }, String(edge))
    t.strictSame(rowsOf(['a'], [[edge]], OBJECTS, 3)[0], [{ a: edge }])
  }
  t.end()
})

t.test('column names', (t) => {
  const names = ['__proto__', 'constructor', 'a b', '"', '\\', '\n', '\u2028', '1', '', 'then', '${x}', '`'] // eslint-disable-line no-template-curly-in-string
  for (const [row] of rowsOf(names, [names.map((_, i) => i)])) {
    t.strictSame(Object.keys(row).sort(), [...names].sort())
    for (const [i, name] of names.entries()) t.equal(Object.getOwnPropertyDescriptor(row, name).value, i)
    t.equal(Object.getPrototypeOf(row), Object.prototype)
  }
  for (const [row] of rowsOf(['a', 'b', 'a'], [[1, 2, 3]])) t.strictSame(row, { a: 3, b: 2 }, 'the last of equal names')
  const many = Array.from({ length: 300 }, (_, i) => 'c' + i)
  t.equal(rowsOf(many, [many.map((_, i) => i)])[0][0].c299, 299)
  t.end()
})

t.test('blobs do not share memory with the buffer they came in', (t) => {
  const b = Buffer.from(page([[Buffer.from([1, 2, 3])]]))
  const out = []
  decode.page(b, view(b), 0, b.length, 1, columnsOf(['a']).decoder(OBJECTS, NUMBER), out)
  b.fill(0)
  t.strictSame(out[0].a, Buffer.from([1, 2, 3]))
  t.end()
})

t.test('text of several replies is cut from one piece', (t) => {
  const shape = new Shape(1, columnsOf(['a', 'b']))
  const frames = [['one', 'x'.repeat(20)], ['two', 'é'], ['three', 'y'.repeat(6000)], ['', '']]
    .map((row) => reply.rows(1, { shape: 1, pages: [[row]] }))
  const b = Buffer.concat(frames)
  decode.forgetText()
  const got = []
  let p = 0
  for (const frame of frames) {
    got.push(decode.row(b, view(b), p, p + frame.length, b.length, shape, NUMBER))
    p += frame.length
  }
  t.strictSame(got, [{ a: 'one', b: 'x'.repeat(20) }, { a: 'two', b: 'é' }, { a: 'three', b: 'y'.repeat(6000) }, { a: '', b: '' }])
  t.end()
})

t.test('values', (t) => {
  const v = { a: [1, -1, 300, 70000, 1.5, 'text', 'é'.repeat(40), null, true, false], b: Buffer.from('x'), big: 2n ** 60n, n: 2n ** 40n, m: {} }
  const b = Buffer.from(pack(v))
  t.strictSame(decode.valueAt(b, view(b), 0, b.length), { ...v, n: 2 ** 40 })
  const proto = Buffer.from([0x81, 0xa9, ...Buffer.from('__proto__'), 1])
  t.strictSame(Object.keys(decode.valueAt(proto, view(proto), 0, proto.length)), ['__proto__'])
  t.end()
})

// Every cut and every changed byte of a frame must end in a value or in an
// error of ours: never in another exception, never in a loop.
t.test('hostile frames', (t) => {
  const row = [1, 300, 70000, -5, 1.5, 'text', null, Buffer.from('blob'), 'long '.repeat(20), 'é']
  const frames = [
    reply.rows(1, { shape: 1, columns: row.map((_, i) => 'c' + i), cursor: 5, pages: [[row, row], [row]] }),
    reply.rows(1, { shape: 1, columns: ['a'], pages: [[[1]]] }),
    reply.value(1, { a: [1, 'x', { b: null }], c: 1.5 }),
    reply.error(1, { code: 'X', message: 'y', offset: 5 }),
    reply.run(1, 5, 2n ** 60n),
    reply.bytes(1, Buffer.from('abc')),
    reply.multi(1, [reply.run(0, 1, 1), reply.rows(0, { shape: 2, columns: ['a'], pages: [[['x']]] })])
  ]
  const read = (b, dv, end) => {
    const kind = b[decode.KIND]
    decode.forgetText()
    if (kind === 2) {
      decode.rowsHeader(b, dv, 0, end, NO_SHAPE)
      const known = decode.head.shape
      decode.row(b, dv, 0, end, end, known, NUMBER)
      decode.rowsHeader(b, dv, 0, end, NO_SHAPE)
      decode.allRows(b, dv, end, OBJECTS, NUMBER)
    } else if (kind === 1) {
      decode.valueAt(b, dv, decode.BODY, end)
    } else {
      decode.simple(b, dv, 0, end, kind, NUMBER)
    }
  }
  let refused = 0
  const tryIt = (b, end) => {
    try {
      read(b, view(b), end)
    } catch (err) {
      const code = decode.frameError(err).code
      if (code !== 'UC_FRAME' && code !== 'UC_VALUE_RANGE') throw err
      refused++
    }
  }
  for (const frame of frames) {
    for (let end = decode.BODY; end < frame.length; end++) {
      tryIt(frame.subarray(0, end), end)
      // The bytes behind the frame are those of another one.
      tryIt(Buffer.concat([frame.subarray(0, end), frame]), end)
    }
    for (let i = decode.KIND + 1; i < frame.length; i++) {
      for (const value of [0, 1, 0x7f, 0x80, 0x8f, 0x9f, 0xbf, 0xc0, 0xc1, 0xc6, 0xcb, 0xcf, 0xd3, 0xdb, 0xdd, 0xdf, 0xff]) {
        const bad = Buffer.from(frame)
        bad[i] = value
        tryIt(bad, bad.length)
      }
    }
  }
  t.ok(refused > 1000, `${refused} frames refused`)
  const claims = Buffer.from([0x96, 0xce, ...u32(1), 2, 0xce, ...u32(1), 0xdd, ...u32(0xffffffff)])
  t.throws(() => decode.rowsHeader(claims, view(claims), 0, claims.length, NO_SHAPE), { code: 'UC_FRAME' })
  const rows = Buffer.from(page([[1]]))
  rows.writeUInt32BE(0xffffffff, 2)
  t.throws(() => decode.page(rows, view(rows), 0, rows.length, 1, columnsOf(['a']).decoder(OBJECTS, NUMBER), []), { code: 'UC_FRAME' })
  t.throws(() => decode.page(rows, view(rows), 0, rows.length, 0, columnsOf([]).decoder(OBJECTS, NUMBER), []), { code: 'UC_FRAME' })
  const deep = Buffer.from([0x93, 0xce, ...u32(1), 0, ...Array(100).fill(0x91), 0])
  t.throws(() => decode.simple(deep, view(deep), 0, deep.length, 0, NUMBER), { code: 'UC_FRAME' })
  t.type(at.p, 'number')
  t.end()
})

t.test('without code generation', async (t) => {
  const { spawnSync } = require('node:child_process')
  const code = `
    const { columnsOf } = require('./lib/wire/shape')
    const rows = columnsOf(['a', '__proto__']).decoder(0, 0)
    const b = Buffer.from([1, 0xa1]), out = []
    rows(b, new DataView(b.buffer, b.byteOffset, 2), 0, 1, 'x', 0, out, 0)
    console.log(JSON.stringify(Object.entries(out[0])))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '-e', code],
    { cwd: require('node:path').join(__dirname, '../..'), encoding: 'utf8' })
  t.equal(stdout, '[["a",1],["__proto__","x"]]\n', stderr)
})
