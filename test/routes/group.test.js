'use strict'

// Writes of several requests share a transaction: one that fails takes nothing with it, and leaves nothing.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { tmpdir, tmpfile } = require('../helper')

const schema = `
  create table item (id integer primary key, name text not null unique, n integer not null check (n < 100));
  insert into item (name, n) values ('there', 1);
`
const text = `
-- @post /add :none
-- @param name text 1..64
-- @param n integer
-- @public
insert into item (name, n) values (:name, :n);

-- OR FAIL keeps the rows before the one that fails.
-- @post /all :none
-- @param rows json[] 1..10
-- @public
insert or fail into item (name, n) select value ->> 'name', value ->> 'n' from json_each(:rows);

-- @post /raise :none
-- @param name text 1..64
-- @public
update item set n = n + 100 where name = :name;

-- @get /names :many
-- @public
select name from item order by id limit 1000;
`

async function routesOf (t, target) {
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'item.sql'), text)
  const store = undercroft.open(target)
  t.teardown(() => store.close())
  await store.db.exec(schema)
  const routes = store.routes(dir)
  await routes.ready
  const post = async (target, body) => {
    const answer = await routes.inject('POST', target, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return answer.status === 200 ? 'ok' : answer.body
  }
  const names = async () => JSON.parse((await routes.inject('GET', '/names')).body).map(({ name }) => name)
  return { post, names }
}

for (const [where, target] of [['a file', tmpfile], ['memory', () => ':memory:']]) {
  t.test(`requests of one turn, ${where}`, async (t) => {
    const { post, names } = await routesOf(t, target(t))
    const expected = ['there']
    // The second time it is known of the statements what they may leave behind.
    for (const time of [1, 2, 3]) {
      const good = Array.from({ length: 20 }, (_, i) => `good ${time}.${i}`)
      const bad = [{ name: `half ${time}`, n: 1 }, { name: 'there', n: 1 }]
      const answers = await Promise.all([
        ...good.slice(0, 10).map((name) => post('/add', { name, n: 1 })),
        post('/all', { rows: bad }),
        post('/add', { name: 'there', n: 1 }),
        post('/raise', { name: 'there' }),
        post('/add', { name: 'much', n: 100 }),
        ...good.slice(10).map((name) => post('/add', { name, n: 1 }))
      ])
      expected.push(...good)
      t.same(answers.slice(10, 14), ['name: is taken', 'name: is taken', 'value: is not allowed', 'value: is not allowed'], 'each is told its own')
      t.same(new Set([...answers.slice(0, 10), ...answers.slice(14)]), new Set(['ok']), 'the others are not')
      t.same(await names(), expected, 'what is there')
    }
    t.equal(await post('/all', { rows: [{ name: 'a', n: 1 }, { name: 'b', n: 2 }] }), 'ok')
    t.same((await names()).slice(-2), ['a', 'b'])
  })
}
