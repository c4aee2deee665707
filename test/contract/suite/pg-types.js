'use strict'

// What the types of PostgreSQL become in JavaScript, each by its own values, in every way that rows come.

const { exact, failure } = require('../../helper')

// [type, text of a literal, what it becomes, as JSON where that is something else]
const VALUES = [
  ['bool', 'true', true],
  ['bool', 'false', false],
  ['int2', '-32768', -32768],
  ['int2', '32767', 32767],
  ['int4', '-2147483648', -2147483648],
  ['int4', '2147483647', 2147483647],
  ['int8', '0', 0],
  ['int8', '9007199254740991', 9007199254740991],
  ['int8', '-9007199254740991', -9007199254740991],
  ['oid', '4294967295', 4294967295],
  ['float4', '0.1', 0.1],
  ['float4', '3.4028235e38', 3.4028235e38],
  ['float4', '1e-45', 1e-45],
  ['float4', '-0', -0, 0],
  ['float8', '0.1', 0.1],
  ['float8', '5e-324', 5e-324],
  ['float8', '1.7976931348623157e308', Number.MAX_VALUE],
  ['float8', '-0', -0, 0],
  ['float8', 'NaN', NaN, null],
  ['float8', 'Infinity', Infinity, null],
  ['float4', '-Infinity', -Infinity, null],
  ['numeric', '1.10', '1.10'],
  ['numeric', '123456789012345678901234567890.5', '123456789012345678901234567890.5'],
  ['numeric', 'NaN', 'NaN'],
  ['text', '', ''],
  ['text', 'é日😀 "quoted" \\ {a,b}', 'é日😀 "quoted" \\ {a,b}'],
  ['varchar(3)', 'abc', 'abc'],
  ['char(3)', 'a', 'a  '],
  ['name', 'a', 'a'],
  ['"char"', 'c', 'c'],
  ['bytea', '\\x', Buffer.alloc(0), ''],
  ['bytea', '\\x00ff10', Buffer.from([0, 255, 16]), 'AP8Q'],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['json', '{"a": [1, null, "é"], "b": {"c": 1.5}}', { a: [1, null, 'é'], b: { c: 1.5 } }],
  ['json', '"text"', 'text'],
  ['json', 'null', null],
  ['json', '5', 5],
  ['jsonb', '{"b":1,"a":true}', { a: true, b: 1 }],
  ['jsonb', '[]', []],
  ['date', '2024-02-29', '2024-02-29'],
  ['date', 'infinity', 'infinity'],
  ['date', '0044-03-15 BC', '0044-03-15 BC'],
  ['time', '12:34:56.789', '12:34:56.789'],
  ['timetz', '12:34:56+02', '12:34:56+02'],
  ['timestamp', '2024-02-29 12:34:56.123456', '2024-02-29 12:34:56.123456'],
  ['timestamptz', '2024-02-29 12:34:56.123456+00', '2024-02-29 12:34:56.123456+00'],
  ['timestamptz', 'infinity', 'infinity'],
  ['interval', '1 day 02:03:04', '1 day 02:03:04'],
  ['inet', '10.0.0.1/8', '10.0.0.1/8'],
  ['cidr', '10.0.0.0/8', '10.0.0.0/8'],
  ['macaddr', '08:00:2b:01:02:03', '08:00:2b:01:02:03'],
  ['bit(3)', '101', '101'],
  ['varbit', '10', '10'],
  ['point', '(1,2)', '(1,2)'],
  ['int4range', '[1,5)', '[1,5)'],
  ['tsvector', "'a' 'b'", "'a' 'b'"],
  ['xml', '<a/>', '<a/>'],
  ['money', '1.50', '$1.50'],
  ['pg_lsn', '0/16B3748', '0/16B3748'],
  ['int4[]', '{1,2,NULL}', [1, 2, null]],
  ['int4[]', '{}', []],
  ['int4[]', '[2:3]={1,2}', [1, 2]],
  ['int4[]', '{{1,2},{3,4}}', [[1, 2], [3, 4]]],
  ['int8[]', '{1,9007199254740991}', [1, 9007199254740991]],
  ['bool[]', '{t,f}', [true, false]],
  ['float8[]', '{0.1,-2.5}', [0.1, -2.5]],
  ['text[]', '{a,"b c","d\\"e","f\\\\g",NULL,"NULL","",é}', ['a', 'b c', 'd"e', 'f\\g', null, 'NULL', '', 'é']],
  ['varchar[]', '{a}', ['a']],
  ['uuid[]', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
  ['numeric[]', '{1.10}', ['1.10']],
  ['jsonb[]', '{"{\\"a\\": 1}"}', [{ a: 1 }]],
  ['date[]', '{2024-02-29}', ['2024-02-29']]
]

module.exports = (t, open) => {
  const literal = (text) => `'${text.replaceAll("'", "''")}'`

  t.test('each type becomes what the documentation says, whatever way its row comes', async (t) => {
    const { db } = open(t)
    for (const [type, text, wanted, json = wanted] of VALUES) {
      const query = `select ${literal(text)}::${type} as v`
      const name = `${type} ${text}`
      // Twice: what has been described may come in another form.
      for (const turn of ['first', 'again']) exact(t, (await db.get(query)).v, wanted, `${name}: ${turn}`)
      exact(t, await db.all(`${query} union all select null`), [{ v: wanted }, { v: null }], `${name}: all`)
      exact(t, JSON.parse(await db.json(query)), [{ v: json }], `${name}: json`)
      for await (const row of db.iterate(query)) exact(t, row.v, wanted, `${name}: iterate`)
      exact(t, (await db.batch([query]))[0], [{ v: wanted }], `${name}: batch`)
    }
  })

  t.test('a null of each type', async (t) => {
    const { db } = open(t)
    const types = [...new Set(VALUES.map(([type]) => type))]
    const query = `select ${types.map((type, i) => `null::${type} as c${i}`)}`
    for (let i = 0; i < 2; i++) t.ok(Object.values(await db.get(query)).every((v) => v === null))
    t.ok(Object.values(JSON.parse(await db.json(query))[0]).every((v) => v === null))
  })

  t.test('each type takes back as a parameter what it has given', async (t) => {
    const { db } = open(t)
    const asText = (v) => v === null || Array.isArray(v) || (typeof v === 'object' && !Buffer.isBuffer(v))
    for (const [type, text, wanted] of VALUES) {
      const value = asText(wanted) || ['json', 'jsonb'].includes(type) ? text : wanted
      if (Number.isNaN(value)) continue
      const query = `select ?::${type} as v`
      for (const turn of ['first', 'again']) exact(t, (await db.get(query, [value])).v, wanted, `${type} ${text}: ${turn}`)
    }
  })

  t.test('a type of one\'s own is text: enum, domain, composite', async (t) => {
    const { db } = open(t)
    await db.exec("create type mood as enum ('sad', 'glad'); create domain small as int check (value < 10); create type pair as (a int, b text)")
    const row = { mood: 'glad', small: 5, pair: '(1,x)' }
    for (let i = 0; i < 2; i++) exact(t, await db.get("select 'glad'::mood as mood, 5::small as small, (1, 'x')::pair as pair"), row, 'as rows')
    exact(t, await db.get('select ?::mood as mood', ['sad']), { mood: 'sad' }, 'as a parameter')
    t.equal((await failure(db.get('select ?::mood as mood', ['angry']))).kind, 'constraint')
    t.equal((await failure(db.get('select ?::small as small', [10]))).kind, 'check')
  })

  t.test('integers beyond 2^53 are never rounded, in any form', async (t) => {
    const { db } = open(t)
    const big = '9223372036854775807'
    for (let i = 0; i < 2; i++) {
      t.equal((await failure(db.get(`select ${big}::int8 as v`))).code, 'UC_VALUE_RANGE')
      exact(t, await db.get(`select ${big}::int8 as v`, [], { integers: 'bigint' }), { v: BigInt(big) }, 'bigint')
      exact(t, await db.get(`select ${big}::int8 as v`, [], { integers: 'string' }), { v: big }, 'string')
      t.equal((await db.json(`select ${big}::int8 as v`)).toString(), `[{"v":${big}}]`, 'json')
      exact(t, await db.get(`select array[${big}]::int8[] as v`), { v: [big] }, 'within an array it is text')
    }
    exact(t, await db.get('select ?::int8 as v', [BigInt(big)], { integers: 'bigint' }), { v: BigInt(big) }, 'as a parameter')
    exact(t, await db.get('select count(*) as n, sum(x) as s from generate_series(1, 3) as x'), { n: 3, s: 6 }, 'count and sum of int')
    exact(t, await db.get('select sum(x) as s from generate_series(1, 3::int8) as x'), { s: '6' }, 'the sum of int8 is a numeric')
  })

  t.test('what a value has not the form of is refused, and says which', async (t) => {
    const { db } = open(t)
    for (const [query, value, code] of [
      ['select ?::int4 as v', 'x', 'PG_INVALID_TEXT_REPRESENTATION'],
      ['select ?::int4 as v', 1.5, 'PG_INVALID_TEXT_REPRESENTATION'],
      ['select ?::int2 as v', 40000, 'PG_NUMERIC_VALUE_OUT_OF_RANGE'],
      ['select ?::uuid as v', 'x', 'PG_INVALID_TEXT_REPRESENTATION'],
      ['select ?::date as v', '2024-13-01', 'PG_DATETIME_FIELD_OVERFLOW'],
      ['select ?::json as v', '{', 'PG_INVALID_TEXT_REPRESENTATION']
    ]) {
      for (let i = 0; i < 2; i++) {
        const err = await failure(db.get(query, [value]))
        t.equal(err.code, code, `${query} of ${value}`)
        t.equal(err.kind, 'constraint')
      }
    }
    for (const [query, value, code] of [
      ['select 1 / ?::int4 as v', 0, 'PG_DIVISION_BY_ZERO'],
      ['select sqrt(?::float8) as v', -1, 'PG_INVALID_ARGUMENT_FOR_POWER_FUNCTION'],
      ['select ln(?::float8) as v', 0, 'PG_INVALID_ARGUMENT_FOR_LOGARITHM'],
      ["select substring('abc' from 1 for ?::int4) as v", -1, 'PG_SUBSTRING_ERROR']
    ]) {
      for (let i = 0; i < 2; i++) {
        const err = await failure(db.get(query, [value]))
        t.equal(err.code, code, `${query} of ${value}`)
        t.equal(err.kind, 'usage', 'what is computed with it is the statement\'s own')
      }
    }
    exact(t, await db.get('select 1 as v'), { v: 1 }, 'the handle goes on')
  })

  t.test('booleans, moments and bytes as parameters, before and after the server has said their types', async (t) => {
    const { db } = open(t)
    await db.exec('create table p(a bool, b bytea, c timestamptz, d date, e int, f text)')
    const at = new Date('2024-05-06T07:08:09.123Z')
    for (let i = 0; i < 3; i++) {
      await db.run('insert into p(a, b, c, d) values (?, ?, ?, ?)', [i === 1, Buffer.from([i, 255]), at, at])
      exact(t, await db.get('select a, b, c, d from p where a = ? and b = ?', [i === 1, Buffer.from([i, 255])]),
        { a: i === 1, b: Buffer.from([i, 255]), c: '2024-05-06 07:08:09.123+00', d: '2024-05-06' }, `turn ${i}`)
      exact(t, await db.get('select ?::bool as a, not ?::bool as b', [true, true]), { a: true, b: false }, 'of a cast')
    }
    for (let i = 0; i < 2; i++) {
      t.match((await failure(db.run('insert into p(e) values (?)', [Buffer.from([0, 0, 0, 5])]))).code, /^(PG_|UC_PARAM)/, 'bytes are no integer')
    }
    await db.run('insert into p(f) values (?)', [Buffer.from([0xff, 0])])
    exact(t, await db.get('delete from p where f is not null returning f'), { f: '\\xff00' }, 'a column of text takes their digits, as the server casts them')
    exact(t, await db.get('select count(*) as n from p'), { n: 3 }, 'nothing else was stored')
  })
}

module.exports.pg = 'it is about the types of PostgreSQL'
