'use strict'

// What a value of the engine becomes in JavaScript.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const { sql } = open

  t.test('each type of both engines becomes the documented JavaScript value', async (t) => {
    const { db } = open(t)
    const row = await db.get(`select null as n, 1 as i, -1 as neg, ${sql.real('1.5')} as f, ${sql.real('1.0')} as whole, 'a' as s, '' as empty,
      ${sql.bytes('0102')} as b, ${sql.bytes('')} as nob, 9007199254740991 as big, -9007199254740991 as small, ${sql.infinity} as inf, -${sql.infinity} as ninf`)
    t.ok(Buffer.isBuffer(row.b) || row.b instanceof Uint8Array, 'a blob is a byte array')
    t.ok(row.nob instanceof Uint8Array && row.nob.length === 0, 'an empty blob is an empty one, not null')
    exact(t, { ...row, b: Buffer.from(row.b), nob: 0 }, {
      n: null,
      i: 1,
      neg: -1,
      f: 1.5,
      whole: 1,
      s: 'a',
      empty: '',
      b: Buffer.from([1, 2]),
      nob: 0,
      big: 9007199254740991,
      small: -9007199254740991,
      inf: Infinity,
      ninf: -Infinity
    }, 'the row')
  })

  t.test('integers of every width', async (t) => {
    const { db } = open(t)
    const values = []
    for (let bit = 0; bit < 53; bit++) {
      for (const near of [-1, 0, 1]) values.push(2 ** bit + near, -(2 ** bit) + near)
    }
    const safe = [...new Set(values.map((v) => v + 0))].filter(Number.isSafeInteger)
    const rows = await db.values(`select ${sql.integer('value')} from ${sql.elements(`'${JSON.stringify(safe)}'`)}`)
    exact(t, rows.map((r) => r[0]), safe, `${safe.length} values`)
  })

  t.test('integers: number refuses what it cannot hold, and names column and option', async (t) => {
    const { db } = open(t)
    for (const big of ['9007199254740992', '-9007199254740992', '9223372036854775807', '-9223372036854775808']) {
      const err = await failure(db.get(`select 1 as small, ${sql.big(big)} as huge_one`))
      t.equal(err.code, 'UC_VALUE_RANGE', big)
      t.match(err.message, /huge_one/, 'names the column')
      t.match(err.message, /integers/, 'names the option')
      t.equal(err.column, 'huge_one', 'also as a field')
      for (const verb of ['all', 'values']) {
        t.equal((await failure(db[verb](`select ${sql.big(big)} as huge_one`))).code, 'UC_VALUE_RANGE', verb)
      }
    }
    t.equal((await db.get('select 1 as one')).one, 1, 'the handle goes on')
  })

  t.test('integers: bigint, string and auto, per call', async (t) => {
    const { db } = open(t)
    const query = `select 1 as a, 9223372036854775807 as b, ${sql.big('-9223372036854775808')} as c, ${sql.real('1.5')} as f, null as n, 'x' as s, 9007199254740992 as d`
    exact(t, await db.get(query, [], { integers: 'bigint' }),
      { a: 1n, b: 9223372036854775807n, c: -9223372036854775808n, f: 1.5, n: null, s: 'x', d: 9007199254740992n }, 'bigint')
    exact(t, await db.get(query, [], { integers: 'string' }),
      { a: '1', b: '9223372036854775807', c: '-9223372036854775808', f: 1.5, n: null, s: 'x', d: '9007199254740992' }, 'string')
    exact(t, await db.get(query, [], { integers: 'auto' }),
      { a: 1, b: 9223372036854775807n, c: -9223372036854775808n, f: 1.5, n: null, s: 'x', d: 9007199254740992n }, 'auto')
    exact(t, await db.values('select 5', [], { integers: 'bigint' }), [[5n]], 'values')
    exact(t, await db.all('select 5 as v', [], { integers: 'string' }), [{ v: '5' }], 'all')
    const seen = []
    for await (const row of db.iterate('select 5 as v union all select 9223372036854775807', [], { integers: 'auto' })) seen.push(row.v)
    exact(t, seen, [5, 9223372036854775807n], 'iterate')
    exact(t, await db.get('select 5 as v'), { v: 5 }, 'the next call has the default again')
  })

  t.test('integers as an option of the handle, overridden by a call', async (t) => {
    const { db } = open(t, { integers: 'bigint' })
    exact(t, await db.get('select 5 as v'), { v: 5n }, 'the handle\'s')
    exact(t, await db.get('select 5 as v', [], { integers: 'number' }), { v: 5 }, 'the call\'s')
  })

  t.test('one big integer does not fail the other replies of the burst', async (t) => {
    const { db } = open(t)
    const calls = []
    for (let i = 0; i < 40; i++) {
      calls.push(i % 8 === 3 ? failure(db.get('select 9223372036854775807 as v')) : db.get(`select ${sql.as('?', 'int')} as v`, [i]))
    }
    const done = await Promise.all(calls)
    t.ok(done.every((one, i) => i % 8 === 3 ? one.code === 'UC_VALUE_RANGE' : one.v === i), 'each call has its own end')
  })

  t.test('a lastInsertRowid beyond 2^53 is never rounded', open.only('sqlite', 'rowid'), async (t) => {
    const { db } = open(t)
    await db.exec('create table t(id integer primary key, a)')
    const done = await db.run('insert into t(id, a) values (9007199254740993, 1)').catch((err) => err)
    if (done instanceof Error) t.equal(done.code, 'UC_VALUE_RANGE')
    else t.equal(BigInt(done.lastInsertRowid), 9007199254740993n)
    const exactly = await db.run('insert into t(id, a) values (9223372036854775807, 1)', [], { integers: 'auto' })
    t.equal(BigInt(exactly.lastInsertRowid), 9223372036854775807n, 'with integers: auto')
    t.equal((await db.get('select count(*) as n from t')).n, 2, 'both rows are there')
  })

  t.test('column names are only names', async (t) => {
    const empty = open.engine === 'sqlite' ? '' : ' ' // PostgreSQL has no empty names
    const { db } = open(t)
    const row = await db.get(`select 1 as "__proto__", 2 as "constructor", 3 as "toString", 4 as "hasOwnProperty", 5 as "a b", 6 as "1", 7 as "é", 8 as "${empty}", 9 as "'\\"`)
    exact(t, Object.entries(row).sort(), Object.entries({
      1: 6, constructor: 2, toString: 3, hasOwnProperty: 4, 'a b': 5, é: 7, [empty]: 8, "'\\": 9, ['__proto__']: 1
    }).sort(), 'every name is an own property')
    t.ok(Object.hasOwn(row, '__proto__'), '__proto__ is an own property')
    t.equal(Object.getPrototypeOf(row), Object.prototype, 'and the prototype is untouched')
    const odd = ['`', '${1}', '\n', '\u2028', '*/', '//', ']', "');process.exit(1)//", '\\', '"', '😀'] // eslint-disable-line no-template-curly-in-string
    const query = `select ${odd.map((name, i) => `${i} as "${name.replaceAll('"', '""')}"`).join(', ')}`
    exact(t, await db.get(query), Object.fromEntries(odd.map((name, i) => [name, i])), 'names that look like code')
    const all = await db.all(query + ' union all ' + query)
    exact(t, all[1], Object.fromEntries(odd.map((name, i) => [name, i])), 'in the second row too')
  })

  t.test('of two columns with one name the last wins; values has both', async (t) => {
    const { db } = open(t)
    exact(t, await db.get('select 1 as a, 2 as b, 3 as a'), { a: 3, b: 2 }, 'get')
    exact(t, await db.values('select 1 as a, 2 as b, 3 as a'), [[1, 2, 3]], 'values')
    exact(t, JSON.parse(await db.json('select 1 as a, 2 as b, 3 as a')), [{ a: 3, b: 2 }], 'json, read by JSON.parse')
  })

  t.test('a thousand columns', async (t) => {
    const { db } = open(t)
    const list = Array.from({ length: 1000 }, (_, i) => `${i} as c${i}`).join(', ')
    const row = await db.get(`select ${list}`)
    t.equal(Object.keys(row).length, 1000)
    t.equal(row.c999, 999)
    const rows = await db.values(`select ${list} union all select ${list}`)
    t.equal(rows[1].length, 1000)
    t.equal(rows[1][500], 500)
    t.equal(JSON.parse(await db.json(`select ${list}`))[0].c7, 7)
  })

  t.test('a blob is a copy of its own, not a window on a shared buffer', async (t) => {
    const { db } = open(t)
    const rows = await db.all(`select ${sql.bytes('0102')} as b union all select ${sql.bytes('0304')}`)
    rows[0].b.fill(9)
    exact(t, [...rows[1].b], [3, 4], 'writing into one does not touch the other')
    const kept = (await db.get(`select ${sql.bytes('0a0b0c')} as b`)).b
    for (let i = 0; i < 50; i++) await db.all(`select ${sql.noise(2000)} as b`)
    exact(t, [...kept], [10, 11, 12], 'later replies do not overwrite it')
  })

  t.test('bytes that are no UTF-8 are repaired, and neighbours stay in step', open.only('sqlite', 'utf8'), async (t) => {
    const { db } = open(t)
    const bad = ['80', 'ff', 'c3', 'e697', 'f09f98', 'c0af', 'eda080', 'edb080', 'f8888080', 'fe', '41ff42', 'c3a9ff', 'f0808080', 'f4908080', 'e6ff97', '00ff00']
    for (const hex of bad) {
      const row = await db.get(`select 'before' as a, cast(x'${hex}' as text) as v, 'aprés 日' as z`)
      t.equal(row.a, 'before', hex)
      t.equal(row.z, 'aprés 日', `${hex}: what follows is whole`)
      t.match(row.v, /\ufffd/, `${hex}: replaced by U+FFFD`)
      t.equal(row.v.replaceAll(/\ufffd+/g, '?'), Buffer.from(hex, 'hex').toString('utf8').replaceAll(/\ufffd+/g, '?'), `${hex}: the rest kept`)
      t.equal(JSON.parse(await db.json(`select cast(x'${hex}' as text) as v`))[0].v.replaceAll(/\ufffd+/g, '?'), row.v.replaceAll(/\ufffd+/g, '?'), `${hex}: json stays valid`)
    }
    const mixed = await db.all(`select cast(x'${bad.join('')}' as text) as v union all select 'after'`)
    t.equal(mixed[1].v, 'after')
  })

  t.test('rows of get, all and iterate are equal in shape', async (t) => {
    const { db } = open(t)
    await db.exec(`create table t(id ${sql.id}, a text, b double precision); insert into t(a, b) values ('x', 1.5), ('y', 2.5)`)
    const one = await db.get('select * from t where id = 1')
    const [first] = await db.all('select * from t')
    exact(t, one, first, 'the same')
    exact(t, Object.keys(first), ['id', 'a', 'b'], 'columns in the order of the statement')
    for await (const row of db.iterate('select * from t')) {
      exact(t, row, one, 'iterate')
      break
    }
  })

  t.test('no rows', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
    exact(t, await db.get('select a from t'), undefined, 'get without a row')
    exact(t, await db.all('select a from t'), [], 'all without rows')
    exact(t, await db.values('select a from t'), [], 'values without rows')
    exact(t, await db.run('select a from t'), { changes: 0, lastInsertRowid: (await db.run('select 1')).lastInsertRowid }, 'run of a select')
    t.equal((await db.run('select a from t')).changes, 0)
  })
}
