'use strict'

// db.json: the bytes of a JSON array, built in C.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const { sql } = open
  const parsed = async (db, query, params) => JSON.parse(await db.json(query, params))

  t.test('compact, in the order of rows and columns', async (t) => {
    const { db } = open(t)
    const text = async (query, params) => (await db.json(query, params)).toString()
    t.equal(await text(`select 1 as a, 'x' as b, null as c union all select 2, 'y', ${sql.real('1.5')}`), '[{"a":1,"b":"x","c":null},{"a":2,"b":"y","c":1.5}]')
    t.equal(await text('select 1 as a where 1 = 0'), '[]', 'no rows')
  })

  t.test('every character that needs escaping, in values and in names', async (t) => {
    const { db } = open(t)
    const first = open.engine === 'sqlite' ? 0 : 1 // PostgreSQL's text has no NUL
    const all = Array.from({ length: 0x180 - first }, (_, i) => String.fromCharCode(i + first)).join('')
    exact(t, (await parsed(db, 'select ? as v', [all]))[0].v, all, 'U+0000 to U+017F')
    for (let i = first; i < 0x80; i++) {
      const text = 'é' + String.fromCharCode(i) + 'z'
      const [{ v }] = await parsed(db, 'select ? as v', [text])
      if (v !== text) t.ok(false, `U+${i.toString(16)} came back as ${JSON.stringify(v)}`)
    }
    const raw = (await db.json('select ? as v', ['"\\\b\f\n\r\t\u0001\u001f\u007f/'])).toString()
    t.equal(JSON.parse(raw)[0].v, '"\\\b\f\n\r\t\u0001\u001f\u007f/')
    t.match(raw, /\\u001f/i, 'control characters as \\u')
    for (const name of ['a"b', 'a\\b', 'é\n', '\t', '日', '😀', ...(open.engine === 'sqlite' ? [''] : []), ' ']) {
      exact(t, await parsed(db, `select 1 as "${name.replaceAll('"', '""')}"`), [{ [name]: 1 }], JSON.stringify(name))
    }
  })

  t.test('text of every width', async (t) => {
    const { db } = open(t)
    const text = 'aé\u07ff\u0800日\uffff😀\u{10ffff}\u2028\u2029'.repeat(3000)
    exact(t, (await parsed(db, 'select ? as v', [text]))[0].v, text, `${text.length} characters`)
    t.equal((await db.json('select ? as v', ['日😀'])).toString(), '[{"v":"日😀"}]', 'as UTF-8, not as \\u')
  })

  t.test('a blob is base64 text', async (t) => {
    const { db } = open(t)
    for (const n of [0, 1, 2, 3, 4, 5, 100, 1000, 100001]) {
      const blob = Buffer.from(Array.from({ length: n }, (_, i) => (i * 37) & 255))
      t.equal((await parsed(db, `select ${sql.as('?', sql.blob)} as v`, [blob]))[0].v, blob.toString('base64'), `${n} bytes`)
    }
  })

  t.test('Infinity is null, as in JSON.stringify', async (t) => {
    const { db } = open(t)
    t.equal((await db.json(`select ${sql.infinity} as a, -${sql.infinity} as b, 1 as c`)).toString(), '[{"a":null,"b":null,"c":1}]')
  })

  t.test('integers are always exact digits', async (t) => {
    const { db } = open(t)
    const values = ['0', '-1', '9007199254740991', '9007199254740993', '9223372036854775807', '-9223372036854775808']
    const text = (await db.json(`select ${values.map((v, i) => `${sql.big(v)} as c${i}`)}`)).toString()
    t.equal(text, `[{${values.map((v, i) => `"c${i}":${v}`)}}]`)
  })

  t.test('floats come back bit for bit', async (t) => {
    const { db } = open(t)
    const values = [0.1, 1 / 3, 2 / 3, 1e21, 1e-7, 123456789.123456789, 5e-324, 2.2250738585072014e-308, Number.MAX_VALUE, -Number.MAX_VALUE,
      1.7976931348623155e308, 0.30000000000000004, 4.35, 100.5, 1e15, 1e16, 1e17, 123456789012345680000, -1.5, Number.EPSILON]
    for (let i = 0; i < 300; i++) values.push((Math.random() - 0.5) * 10 ** Math.floor(Math.random() * 600 - 300))
    const rows = await parsed(db, `select column1 as v from (values ${values.map(() => `(${sql.as('?', 'float8')})`)}) as x`, values)
    const bad = rows.findIndex((row, i) => !Object.is(row.v, values[i]))
    t.equal(bad, -1, bad < 0 ? `${values.length} values` : `${values[bad]} came back as ${rows[bad].v}`)
    t.equal((await parsed(db, `select ${sql.real('3.0')} as v`))[0].v, 3, 'a whole one')
    t.equal(Number((await parsed(db, `select ${sql.as('?', 'float8')} as v`, [-0]))[0].v), 0, 'minus zero')
  })

  t.test('it equals all, for what JSON can say', async (t) => {
    const { db } = open(t)
    await db.exec(`create table t(id ${sql.id}, a text, b double precision, c bigint)`)
    await db.many('insert into t(a, b, c) values (?, ?, ?)', Array.from({ length: 5000 }, (_, i) => [i % 7 ? `té"xt\n${i}` : null, i / 3, 5 - i * 1e9]))
    exact(t, await parsed(db, 'select * from t order by id'), await db.all('select * from t order by id'), '5000 rows')
    exact(t, await parsed(db, 'select * from t where id between :a and :b', { a: 10, b: 12 }), await db.all('select * from t where id between 10 and 12'), 'named parameters')
  })

  t.test('an error in the middle gives no bytes', async (t) => {
    const { db } = open(t)
    await db.exec(`create table t(id ${sql.id}); with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000) insert into t select x from c`)
    t.equal((await failure(db.json(`select id, case when id = 4000 then ${sql.json("substr('no', 1, 1 + cast(id % 2 as int))")} end as v from t`))).code, sql.code.noData)
    exact(t, await parsed(db, 'select count(*) as n from t'), [{ n: 5000 }], 'the connection goes on')
  })

  t.test('several megabytes', async (t) => {
    const { db } = open(t)
    const bytes = await db.json("with recursive c(x) as (select 1 union all select x + 1 from c where x < 100000) select x as id, 'some text for row ' || x as text from c")
    const rows = JSON.parse(bytes)
    t.equal(rows.length, 100000)
    exact(t, rows[99999], { id: 100000, text: 'some text for row 100000' }, 'the last')
  })

  t.test('the Buffer is the caller\'s', async (t) => {
    const { db } = open(t)
    const one = await db.json("select 'first' as v")
    const two = await db.json("select 'other' as v")
    for (let i = 0; i < 20; i++) await db.json(`select ${sql.hex(sql.noise(5000))} as v`)
    t.equal(one.toString(), '[{"v":"first"}]')
    t.equal(two.toString(), '[{"v":"other"}]')
    one.fill(0)
    t.equal(two.toString(), '[{"v":"other"}]', 'writing into one does not touch another')
  })

  t.test('JSON of the engine\'s own stays text', open.only('sqlite', 'documents'), async (t) => {
    const { db } = open(t)
    exact(t, await parsed(db, "select json_object('a', 1) as v"), [{ v: '{"a":1}' }], 'a JSON text is a string')
  })
}
