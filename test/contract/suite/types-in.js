'use strict'

// What a parameter may be, and what the engine then holds.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const { sql } = open

  // What SQLite says about a value it was given: its type, and its text or hex form.
  const seen = async (db, value) => db.get('select typeof(?1) as type, quote(?1) as quoted', [value])

  t.test('each accepted type arrives as the documented SQLite type', open.only('sqlite', 'types'), async (t) => {
    const { db } = open(t)
    const rows = [
      [null, 'null', 'NULL'],
      [0, 'integer', '0'],
      [-0, 'real', '0.0'],
      [1, 'integer', '1'],
      [-1, 'integer', '-1'],
      [127, 'integer', '127'],
      [128, 'integer', '128'],
      [255, 'integer', '255'],
      [256, 'integer', '256'],
      [-32, 'integer', '-32'],
      [-33, 'integer', '-33'],
      [-128, 'integer', '-128'],
      [-129, 'integer', '-129'],
      [65535, 'integer', '65535'],
      [65536, 'integer', '65536'],
      [-32768, 'integer', '-32768'],
      [-32769, 'integer', '-32769'],
      [2147483647, 'integer', '2147483647'],
      [-2147483648, 'integer', '-2147483648'],
      [-2147483649, 'integer', '-2147483649'],
      [4294967295, 'integer', '4294967295'],
      [4294967296, 'integer', '4294967296'],
      [Number.MAX_SAFE_INTEGER, 'integer', '9007199254740991'],
      [Number.MIN_SAFE_INTEGER, 'integer', '-9007199254740991'],
      [1.5, 'real', '1.5'],
      [-2.25, 'real', '-2.25'],
      [0n, 'integer', '0'],
      [-1n, 'integer', '-1'],
      [9223372036854775807n, 'integer', '9223372036854775807'],
      [-9223372036854775808n, 'integer', '-9223372036854775808'],
      ['', 'text', "''"],
      ['a', 'text', "'a'"],
      ['é', 'text', "'é'"],
      ['日本語', 'text', "'日本語'"],
      ['😀', 'text', "'😀'"],
      ["it's", 'text', "'it''s'"],
      [true, 'integer', '1'],
      [false, 'integer', '0'],
      [Buffer.from([1, 2, 255]), 'blob', "X'0102FF'"],
      [Buffer.alloc(0), 'blob', "X''"],
      [new Uint8Array([7, 8]), 'blob', "X'0708'"],
      [new Int8Array([-1]), 'blob', "X'FF'"],
      [new Uint8ClampedArray([300]), 'blob', "X'FF'"],
      [new Uint16Array([0x0102]), 'blob', "X'0201'"],
      [new Float64Array([1]), 'blob', "X'000000000000F03F'"],
      [new BigUint64Array([1n]), 'blob', "X'0100000000000000'"],
      [new Uint8Array([1, 2, 3, 4]).subarray(1, 3), 'blob', "X'0203'"],
      [new DataView(new Uint8Array([5, 6, 7]).buffer, 1, 2), 'blob', "X'0607'"],
      [new Uint8Array([9, 10]).buffer, 'blob', "X'090A'"],
      [new ArrayBuffer(0), 'blob', "X''"],
      [new Date(0), 'text', "'1970-01-01T00:00:00.000Z'"],
      [new Date('2024-02-29T12:34:56.789Z'), 'text', "'2024-02-29T12:34:56.789Z'"]
    ]
    for (const [value, type, quoted] of rows) {
      const name = `${typeof value} ${Object.prototype.toString.call(value)} ${quoted.slice(0, 40)}`
      exact(t, await seen(db, value), { type, quoted }, name)
    }
  })

  t.test('floats keep every bit', async (t) => {
    const { db } = open(t)
    const values = [0.1, 1 / 3, 5e-324, -5e-324, Number.MAX_VALUE, Number.MIN_VALUE, Number.EPSILON, 1e21, 1e-7,
      -0, Infinity, -Infinity, 2 ** 53, 2 ** 63, -(2 ** 63), 2 ** 64, 1e308, 123456789.123456789]
    for (const value of values) {
      const { v } = await db.get(`select ${sql.as('?', 'float8')} as v`, [value], { integers: 'auto' })
      t.ok(Object.is(Number(v), value), `${value} comes back`)
    }
  })

  t.test('a number beyond the safe integers is a float, not a rounded integer', open.only('sqlite', 'types'), async (t) => {
    const { db } = open(t)
    for (const value of [2 ** 53, 2 ** 60, -(2 ** 60), 1e19]) {
      t.equal((await seen(db, value)).type, 'real', `${value}`)
    }
  })

  t.test('a bigint that does not fit 64 bits is refused by name', async (t) => {
    const { db } = open(t)
    for (const value of [9223372036854775808n, -9223372036854775809n, 2n ** 64n, 2n ** 200n]) {
      const err = await failure(db.get('select ? as v', [value]))
      t.match(err.code, /^UC_(VALUE_RANGE|PARAM_TYPE)$/, `${value}: ${err.code}`)
      t.match(err.message, /1|parameter/, 'the message tells which parameter')
    }
    const err = await failure(db.get('select :big as v', { big: 2n ** 64n }))
    t.match(err.message, /big/, 'a named one is named')
  })

  t.test('what is no value is refused, and nothing runs', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
    const bad = { object: { a: 1 }, array: [1], function: () => {}, symbol: Symbol('s'), map: new Map(), regexp: /x/ }
    for (const [name, value] of Object.entries(bad)) {
      const err = await failure(() => db.run('insert into t values (?)', [value]))
      t.equal(err.code, 'UC_PARAM_TYPE', name)
      const named = await failure(() => db.run('insert into t values (:who)', { who: value }))
      t.equal(named.code, 'UC_PARAM_TYPE', `${name}, named`)
      t.match(named.message, /who/, `${name}: the message names the parameter`)
      const many = await failure(() => db.many('insert into t values (?)', [[1], [value]]))
      t.equal(many.code, 'UC_PARAM_TYPE', `${name} in many`)
      const batch = await failure(() => db.batch([['insert into t values (?)', [1]], ['insert into t values (?)', [value]]]))
      t.equal(batch.code, 'UC_PARAM_TYPE', `${name} in batch`)
    }
    t.equal((await db.get('select count(*) as n from t')).n, 0, 'nothing was written')
    exact(t, await db.run('insert into t values (?)', [5]), sql.ran(1, 1), 'the handle goes on')
  })

  t.test('an encoder that fails half way leaves the other calls of the turn whole', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int, b text)')
    const calls = [
      db.run('insert into t values (?, ?)', [1, 'one']),
      failure(() => db.run('insert into t values (?, ?)', ['long '.repeat(5000), Symbol('s')])),
      db.run('insert into t values (?, ?)', [2, 'two'])
    ]
    const done = await Promise.all(calls)
    t.equal(done[1].code, 'UC_PARAM_TYPE')
    exact(t, await db.values('select a, b from t order by a'), [[1, 'one'], [2, 'two']], 'both neighbours arrived')
  })

  t.test('an invalid Date is refused', async (t) => {
    const { db } = open(t)
    const err = await failure(() => db.get('select ? as v', [new Date(NaN)]))
    t.match(err.code, /^UC_(PARAM_TYPE|VALUE_RANGE)$/)
  })

  t.test('NaN is refused: SQLite would make it NULL', async (t) => {
    const { db } = open(t)
    const err = await failure(() => db.get('select ?, ? as v', [1, NaN]))
    t.equal(err.code, 'UC_PARAM_TYPE')
    t.match(err.message, /2.*NaN/, 'the parameter and the value are named')
  })

  t.test('undefined is refused: it is more often a mistake than a NULL', async (t) => {
    const { db } = open(t)
    const err = await failure(() => db.get('select ? as v', [undefined]))
    t.equal(err.code, 'UC_PARAM_TYPE')
    const named = await failure(() => db.get('select :name as v', { name: undefined }))
    t.equal(named.code, 'UC_PARAM_TYPE')
    t.match(named.message, /name/)
  })

  t.test('boxed strings and numbers, and toJSON, are not guessed at', async (t) => {
    const { db } = open(t)
    /* eslint-disable no-new-wrappers */
    for (const value of [new String('a'), new Number(1), { toJSON: () => 1 }, { valueOf: () => 1 }]) {
      t.equal((await failure(() => db.get('select ? as v', [value]))).code, 'UC_PARAM_TYPE')
    }
  })

  t.test('a Date of another realm is still a Date', async (t) => {
    const { db } = open(t)
    const date = require('node:vm').runInNewContext('new Date(0)')
    const out = await db.get('select ? as v', [date])
    exact(t, out.v, '1970-01-01T00:00:00.000Z', 'ISO text')
  })

  t.test('a lone surrogate is refused: it has no UTF-8', async (t) => {
    const { db } = open(t)
    for (const text of ['\ud800', '\udc00', 'a\ud800b', '\ude00\ud83d', 'x'.repeat(100) + '\ud800', '\ud800'.repeat(50), 'é'.repeat(30) + '\udfff']) {
      const err = await failure(() => db.get('select ? as v', [text]))
      t.equal(err.code, 'UC_PARAM_TYPE')
      t.match(err.message, /surrogate/)
      t.equal((await failure(() => db.get('select :v as v', { v: text }))).code, 'UC_PARAM_TYPE', 'named')
    }
    t.equal((await failure(() => db.get("select '\ud800' as v"))).code, 'UC_PARAM_TYPE', 'in the SQL itself')
    exact(t, await db.get('select ? as v', ['\ud83d\ude00']), { v: '\ud83d\ude00' }, 'a pair is whole')
  })

  t.test('text with NUL keeps all its characters', open.only('sqlite', 'nul'), async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a text)')
    for (const text of ['\0', 'a\0b', '\0\0\0', 'end\0', 'é\0日\0😀']) {
      await db.run('delete from t')
      await db.run('insert into t values (?)', [text])
      const { a, hex } = await db.get('select a, hex(a) as hex from t where a = ?', [text])
      t.equal(a, text, 'comes back whole')
      t.equal(hex, Buffer.from(text).toString('hex').toUpperCase(), 'every byte is stored')
    }
  })

  t.test('a big text and a big blob of several MB', async (t) => {
    const { db } = open(t)
    await db.exec(`create table t(id ${sql.id}, a text, b ${sql.blob})`)
    const text = 'aé日😀'.repeat(400000)
    const ascii = 'abcdefgh'.repeat(600000)
    const blob = Buffer.alloc(5000000, 'undercroft')
    await db.run('insert into t(id, a, b) values (1, ?, null), (2, ?, null), (3, null, ?)', [text, ascii, blob])
    t.ok((await db.get('select a from t where id = 1')).a === text, `${text.length} mixed characters`)
    t.ok((await db.get('select a from t where id = 2')).a === ascii, `${ascii.length} ASCII characters`)
    t.ok(blob.equals((await db.get('select b from t where id = 3')).b), `${blob.length} bytes`)
    const sizes = await db.values('select length(a), octet_length(a) from t order by id')
    exact(t, sizes[0], [[...text].length, Buffer.byteLength(text)], 'the engine counts the same')
  })

  t.test('strings of every length around the encoder\'s limits', async (t) => {
    const { db } = open(t)
    const lengths = [31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 4095, 4096, 65535, 65536, 65537]
    for (const unit of ['a', 'é', '日', '😀']) {
      const values = lengths.map((n) => unit.repeat(n))
      const query = `select ${values.map((_, i) => `${sql.as('?', 'text')} as c${i}`).join(', ')}`
      const [row] = await db.values(query, values)
      t.ok(row.every((v, i) => v === values[i]), `lengths ${lengths[0]}..${lengths.at(-1)} of ${unit}`)
    }
    const blobs = [0, 1, 255, 256, 65535, 65536].map((n) => Buffer.alloc(n, 7))
    const [row] = await db.values(`select ${blobs.map(() => sql.as('?', sql.blob)).join(', ')}`, blobs)
    t.ok(row.every((v, i) => blobs[i].equals(v)), 'blobs around the length classes')
  })

  t.test('a parameter changed after the call does not change what was sent', async (t) => {
    const { db } = open(t)
    await db.exec(`create table t(a int, b ${sql.blob})`)
    const blob = Buffer.from([1, 2, 3])
    const params = [1, blob]
    const call = db.run('insert into t values (?, ?)', params)
    params[0] = 99
    blob[0] = 99
    await call
    const row = await db.get(`select a, ${sql.hex('b')} as b from t`)
    exact(t, row, { a: 1, b: '010203' }, 'the values of the moment of the call')
  })

  t.test('a view on shared memory is a blob too', async (t) => {
    const { db } = open(t)
    const view = new Uint8Array(new SharedArrayBuffer(2))
    view[0] = 65
    exact(t, await db.get(`select ${sql.hex(sql.as('?', sql.blob))} as v`, [view]), { v: '4100' }, 'its bytes')
  })
}
