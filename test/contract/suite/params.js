'use strict'

// Positional and named parameters, and what is said when they do not fit.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const { as } = open.sql
  const int = (...params) => params.map((param) => as(param, 'int')).join(', ')
  const text = (...params) => params.map((param) => as(param, 'text')).join(', ')

  t.test('positional: ?, ?NNN, and any of them repeated', async (t) => {
    const { db } = open(t)
    exact(t, await db.values(`select ${int('?')}, ${text('?', '?')}`, [1, 'b', null]), [[1, 'b', null]], '?')
    exact(t, await db.values(`select ${text('?2', '?1', '?2')}`, ['a', 'b']), [['b', 'a', 'b']], '?NNN')
    exact(t, await db.values('select 1', []), [[1]], 'none, as an empty array')
    exact(t, await db.values('select 1'), [[1]], 'none')
    exact(t, await db.values('select 1', undefined), [[1]], 'undefined')
    exact(t, await db.values('select 1', {}), [[1]], 'an empty object')
  })

  t.test('named: :a, @a and $a', async (t) => {
    const { db } = open(t)
    exact(t, await db.values(`select ${int(':a', '@b', '$c', ':a')}`, { a: 1, b: 2, c: 3 }), [[1, 2, 3, 1]], 'each prefix')
    exact(t, await db.values(`select ${int(':é')}`, { é: 1 }), [[1]], 'beyond ASCII')
    exact(t, await db.values(`select ${int(':a')}`, Object.assign(Object.create(null), { a: 1 })), [[1]], 'an object without prototype')
    exact(t, await db.values(`select ${int(':constructor', ':toString')}`, { constructor: 1, toString: 2 }), [[1, 2]], 'names that objects inherit')
  })

  t.test('an array gives named parameters their values by position', async (t) => {
    const { db } = open(t)
    exact(t, await db.values(`select ${int(':a', ':b')}`, [1, 2]), [[1, 2]], 'in the order of first appearance')
  })

  t.test('the order of keys does not matter', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int, b int)')
    await db.run('insert into t values (:a, :b)', { a: 1, b: 2 })
    await db.run('insert into t values (:a, :b)', { b: 4, a: 3 })
    await db.many('insert into t values (:a, :b)', [{ a: 5, b: 6 }, { b: 8, a: 7 }])
    exact(t, await db.values('select * from t'), [[1, 2], [3, 4], [5, 6], [7, 8]], 'values by name')
  })

  t.test('PostgreSQL: $1, ? where there is none, and its own question marks', open.only('pg', 'SQLite has no such operators'), async (t) => {
    const { db } = open(t)
    const values = async (query, params) => (await db.values(query, params))[0]
    exact(t, await values('select $2::int, $1::text', ['a', 2]), [2, 'a'], '$n in any order')
    exact(t, await values('select $1::int, $1::int + 1', [5]), [5, 6], '$n repeated')
    exact(t, await values('select $$?$$, $tag$ ? :a $1 $tag$, ?::int', [1]), ['?', ' ? :a $1 ', 1], 'dollar quotes')
    exact(t, await values("select '?', ':a', '@b', '$1', '''?', e'\\'?', ?::int", [1]), ['?', ':a', '@b', '$1', "'?", "'?", 1], 'strings')
    exact(t, await db.get('select ?::int as "a?:b@c$1"', [1]), { 'a?:b@c$1': 1 }, 'identifiers')
    exact(t, await values('select /* ? :a /* nested ? */ */ ?::int -- ? :b', [1]), [1], 'comments')
    exact(t, await values("select '{\"a\": 1}'::jsonb ?? 'a', '{\"a\": 1}'::jsonb ??| array['b', ?], '{\"a\": 1}'::jsonb ??& array[?]", ['a', 'b']), [true, true, false], 'operators with ??')
    exact(t, await values("select '{\"a\": 1}'::jsonb ? $1, '{\"a\": 1}'::jsonb ?| array[$1]", ['a']), [true, true], 'operators beside $1')
    exact(t, await values("select '{\"a\": [1]}'::jsonb @> ?::jsonb, '{\"a\": 1}'::jsonb -> ?, '{\"a\": {\"b\": 2}}'::jsonb #>> ?", ['{"a": [1]}', 'a', '{a,b}']), [true, 1, '2'], 'operators in front')
    exact(t, await values('select :a::int, :b::int + @a::int, (array[1, 2, 3])[2:3], (array[1, 2, 3])[:n]', { a: 1, b: 2, n: 2 }), [1, 3, [2, 3], 2], 'casts, slices and places of arrays')
    exact(t, await values("select :'é'::int".replace("'é'", 'é'), { é: 7 }), [7], 'beyond ASCII')
    exact(t, await values('select 1 where 5=?and 6 = ?', [5, 6]), [1], 'without blanks')
    exact(t, await values('select - ?::int, 2-?::int, @ -5, |/ ?::float8', [1, 1, 16]), [-1, 1, 5, 4], 'arithmetic')
    exact(t, await db.all('select x from generate_series(1, 5) as x limit ? offset ?', [2, 1]), [{ x: 2 }, { x: 3 }], 'limit and offset')
    exact(t, await db.all('select x from generate_series(1, 5) as x where x = any(?)', ['{2,4}']), [{ x: 2 }, { x: 4 }], 'any of an array')
    for (const bad of ["select '?", 'select "?', 'select $$?', 'select /* ?']) t.equal((await failure(db.get(bad))).kind, 'syntax', bad)
    t.equal((await failure(db.get('select $2::int', [1]))).code, 'UC_PARAM_COUNT', 'a number beyond the values')
    t.equal((await failure(db.get('select $0::int', [1]))).code, 'UC_PARAM_COUNT', '$0')
    t.equal((await failure(db.get('select $65536::int', [1]))).code, 'UC_PARAM_COUNT', 'beyond the protocol')
  })

  t.test('too few and too many', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int, b int)')
    for (const params of [undefined, [], [1], [1, 2, 3]]) {
      const err = await failure(db.run('insert into t values (?, ?)', params))
      t.equal(err.code, 'UC_PARAM_COUNT', `${JSON.stringify(params)}`)
      t.match(err.message, /2/, 'says how many there are')
      t.equal(err.kind, 'usage')
    }
    const extra = await failure(db.run('insert into t values (1, 2)', [1]))
    t.equal(extra.code, 'UC_PARAM_COUNT', 'a value for a statement without parameters')
    for (const verb of ['get', 'all', 'values', 'json']) {
      t.equal((await failure(db[verb]('select ?', []))).code, 'UC_PARAM_COUNT', verb)
    }
    t.equal((await failure(async () => { for await (const row of db.iterate('select ?', [])) t.comment(row) })).code, 'UC_PARAM_COUNT', 'iterate')
    t.equal((await db.get('select count(*) as n from t')).n, 0, 'nothing was inserted')
  })

  t.test('a missing name and an unknown name', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int, b int)')
    const missing = await failure(db.run('insert into t values (:alpha, :beta)', { alpha: 1 }))
    t.equal(missing.code, 'UC_PARAM_NAME')
    t.match(missing.message, /beta/, 'the missing one is named')
    t.match(String(missing.param), /beta/, 'also as a field')
    const unknown = await failure(db.run('insert into t values (:alpha, 1)', { alpha: 1, gamma: 2 }))
    t.equal(unknown.code, 'UC_PARAM_NAME')
    t.match(unknown.message, /gamma/, 'the unknown one is named')
    const none = await failure(db.run('insert into t values (:alpha, :beta)'))
    t.match(none.code, /^UC_PARAM_(NAME|COUNT)$/, 'no params at all')
    t.equal((await db.get('select count(*) as n from t')).n, 0, 'nothing was inserted')
  })

  t.test('an object for a statement with plain question marks', async (t) => {
    const { db } = open(t)
    const err = await failure(db.get('select ? as v', { a: 1 }))
    t.match(err.code, /^UC_PARAM_(NAME|COUNT)$/)
  })

  t.test('params that are neither array nor object', async (t) => {
    const { db } = open(t)
    for (const params of [1, 'a', true, 5n, Symbol('s'), () => {}]) {
      for (const verb of ['get', 'all', 'values', 'json', 'run']) {
        const err = await failure(() => db[verb]('select ? as v', params))
        t.match(err.code, /^UC_PARAM_/, `${verb}: ${typeof params}`)
        t.match(err.message, /array/, 'the sentence says what is expected')
      }
    }
    const err = await failure(() => db.get('select ? as v', new Date()))
    t.match(err.code, /^UC_PARAM_/, 'a Date is a value, not a list of them')
    const blob = await failure(() => db.get('select ? as v', Buffer.from('a')))
    t.match(blob.code, /^UC_PARAM_/, 'so is a Buffer')
  })

  t.test('the type of the parameter at fault is named', async (t) => {
    const { db } = open(t)
    const err = await failure(() => db.get('select ?, ?, ?', [1, 2, {}]))
    t.equal(err.code, 'UC_PARAM_TYPE')
    t.match(`${err.param}`, /3|2/, 'by its place')
    const named = await failure(() => db.get('select :a, :bad', { a: 1, bad: {} }))
    t.equal(String(named.param).replace(/^[:@$]/, ''), 'bad', 'or by its name')
  })

  t.test('as many parameters as SQLite allows', async (t) => {
    const { db } = open(t)
    const n = 32766
    const values = Array.from({ length: n }, (_, i) => i)
    const sql = `select count(*) as n, sum(${int('column1')}) as s from (values ${values.map(() => '(?)').join(',')}) as v`
    exact(t, await db.get(sql, values), { n, s: n * (n - 1) / 2 }, `${n}`)
    if (open.engine === 'sqlite') t.equal((await db.get(`select ?${n} as v`, values)).v, n - 1, `?${n}`)
  })

  t.test('no value stays bound for the next call', async (t) => {
    const { db } = open(t)
    const q = db.prepare(`select ${int('?')} as a, ${text('?')} as b`)
    exact(t, await q.get([1, 'x'.repeat(1000)]), { a: 1, b: 'x'.repeat(1000) }, 'first')
    t.equal((await failure(q.get([2]))).code, 'UC_PARAM_COUNT')
    exact(t, await q.get([null, null]), { a: null, b: null }, 'then nulls')
  })

  t.test('sparse arrays have undefined in them', async (t) => {
    const { db } = open(t)
    // eslint-disable-next-line no-sparse-arrays
    t.equal((await failure(() => db.get('select ?, ?', [1, ,]))).code.slice(0, 8), 'UC_PARAM')
  })

  t.test('a getter that throws rejects its own call only', async (t) => {
    const { db } = open(t)
    const params = { get a () { throw new RangeError('mine') } }
    const [one, other] = await Promise.all([failure(() => db.get('select :a as v', params)), db.get('select 1 as v')])
    t.equal(one.message, 'mine')
    exact(t, other, { v: 1 }, 'the other call of the turn')
  })

  t.test('a getter that calls the same handle', async (t) => {
    const { db } = open(t)
    let inner
    const params = { get a () { inner = db.get('select 7 as v'); return 'x'.repeat(100) }, b: 2 }
    exact(t, await db.get(`select ${text(':a')} as a, ${int(':b')} as b`, params), { a: 'x'.repeat(100), b: 2 }, 'the outer call')
    exact(t, await inner, { v: 7 }, 'the inner call')
  })
}
