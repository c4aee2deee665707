'use strict'

const t = require('tap')
const { open, uuidv7 } = require('../..')

const FORM = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

// Milliseconds since 1970 that it carries.
function msOf (id) {
  const [, high, low] = FORM.exec(id)
  return Number.parseInt(high + low, 16)
}

function check (t, ids, from, to) {
  t.equal(ids.filter((id) => !FORM.test(id)).length, 0, 'version 7 of RFC 9562')
  t.equal(new Set(ids).size, ids.length, 'each once')
  t.same(ids.toSorted?.() ?? [...ids].sort(), ids, 'each greater than those before')
  t.ok(msOf(ids[0]) >= from, 'not before it was asked for')
  // The milliseconds go ahead of the clock where more than 4,096 are made in one.
  t.ok(msOf(ids.at(-1)) <= to + ids.length / 2048, 'nor far ahead')
  t.equal(new Set(ids.map((id) => id.slice(24))).size, ids.length, 'and random at its end')
}

t.test('in JavaScript', async (t) => {
  const from = Date.now()
  const ids = Array.from({ length: 50_000 }, () => uuidv7())
  check(t, ids, from, Date.now())
})

t.test('when the clock goes back', async (t) => {
  const { now } = Date
  t.teardown(() => { Date.now = now })
  const before = uuidv7()
  Date.now = () => now() - 3_600_000
  const ids = Array.from({ length: 100 }, () => uuidv7())
  t.ok(ids.every((id, i) => id > (ids[i - 1] ?? before)))
})

t.test('in SQL of SQLite', async (t) => {
  const store = open(':memory:')
  t.teardown(() => store.close())
  const { db } = store
  const from = Date.now()
  const ids = (await db.values('with recursive c(i) as (select 1 union all select i + 1 from c where i < 20000) select uuidv7() from c')).flat()
  check(t, ids, from, Date.now())
  await db.exec('create table e(id text primary key default (uuidv7()), n int) without rowid')
  const made = await db.table('e').insert({ n: 1 }, { returning: true })
  t.match(made.id, FORM, 'as a default')
  t.ok(made.id > ids.at(-1), 'and after those')
})
