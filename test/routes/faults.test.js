'use strict'

// What only the database knows of a file: the sentences, and the lines that they name. Faults of the
// text alone are in test/c/routes_faults.h.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { tmpdir } = require('../helper')

const GET = '-- @get /a\n-- @public\n'
const POST = '-- @post /a\n-- @public\n'

const faults = {
  'a table that is not there': [`${GET}select id from thing limit 1;`, '3: no such table: thing'],
  'a column that is not there': [`${GET}select id,\n  nme\n from item limit 1;`, '4: no such column: nme'],
  'a misspelt keyword, lines further on': [`${GET}select id\n  from item -- of it\n  whre id = 1 limit 1;`, '5: near "id": syntax error'],
  'in a piece': [`${GET}-- @param n text ?\nselect id from item where true\n  { and\n nme = :n }\n limit 1;`, '6: no such column: nme'],
  'behind pieces that may be absent': [`${GET}-- @param n text ?\n-- @param m text ?\nselect id from item where true\n { and name = :n\n\n }\n { and (name = :m\n\n ) or }\n id = 2 limit 1;`, '12: near "id": syntax error'],
  'a GET that writes': [`${GET}delete from item;`, '3: a GET only reads: make it a @post'],
  'a GET that asks what was written': [`${GET}select changes() as n;`, /^3: /],
  'a transaction in a transaction': [`${POST}begin;\ndelete from item;\ncommit;`, '3: a POST is one transaction already, and a GET one snapshot: BEGIN, COMMIT and the like are not needed'],
  VACUUM: [`${POST}vacuum;`, '3: VACUUM and pragmas that act on the file have no place in a route'],
  'a temporary table': [`${GET}select name from sqlite_temp_schema limit 1;`, '3: TEMP tables belong to a connection, and routes have none of their own'],
  ATTACH: [`${POST}attach 'x.db' as x;`, /^3: ATTACH is connection state/],
  'rows that are none': ['-- @post /a :one\n-- @public\ninsert into item(name) values (1);', '3: the answer is made of rows, and this statement has none: add RETURNING, or say :none'],
  'a page without its column': ['-- @get /a :page id\n-- @public\n-- @param id integer = 0\n-- @param n integer 1..9 = 9\nselect name from item where id > :id order by id limit :n;', "5: :page: there is no column 'id'"],
  'a refusal of two columns': [`${POST}select 'no' as refuse, 1 where true;\ndelete from item;`, '3: a statement that refuses has one column, its sentence'],
  'two columns of one name': [`${GET}select a.id, b.id from item a, item b limit 1;`, "3: two columns are called 'id': give one of them another name with 'as'"],
  'the same, of :one': ['-- @get /a :one\n-- @public\nselect 1 as x, 2 as y, 3 as x;', "3: two columns are called 'x': give one of them another name with 'as'"],
  'a header of no column': [`${GET}-- @reply x_a\n-- @reply x_b\nselect id, 1 as x_a from item limit 1;`, '1: @reply x_b: no statement has this column'],
  'a cached answer that changes by itself': [`${GET}-- @cache 1s\nselect :_now as a;`, '1: @cache: nobody would know how long an answer is right: it is another one each time: :_now'],
  'a cached answer of chance': [`${GET}-- @cache 1s\nselect random() as a;`, '1: @cache: nobody would know how long an answer is right: it calls a function that is not deterministic: random'],
  'no table of audit': [`${POST}-- @audit log\ndelete from item;`, /^3: @audit log: no such table: (main\.)?log\. The table it needs: create table log\(/]
}

// Each of them is right where the one beside it is wrong.
const right = {
  'a header from one of several': `${GET}-- @reply x_a\n-- @as a :one\nselect 1 as x_a;\n-- @as b :one\nselect 2 as b;`,
  'the same name in two statements': `${GET}-- @as a :one\nselect 1 as x;\n-- @as b :one\nselect 2 as x;`,
  'two columns of which one cell is sent': '-- @get /a :text\n-- @public\nselect 1 as x, 2 as x;',
  'a POST that asks what it has written': '-- @post /a :text\n-- @public\ndelete from item where id = 1;\nselect changes();',
  'an answer that is cached': `${GET}-- @cache 1s\nselect id from item limit 1;`
}

t.test('faults that a database finds', async (t) => {
  const store = undercroft.open(':memory:', { log: false })
  t.teardown(() => store.close())
  await store.db.exec('create table item(id integer primary key, name text)')
  const load = async (text) => {
    const dir = tmpdir(t)
    fs.writeFileSync(path.join(dir, 'x.sql'), text)
    const routes = store.routes(dir)
    await routes.ready
    routes.close()
  }
  for (const [name, [text, sentence]] of Object.entries(faults)) {
    const err = await load(text).then(() => null, (err) => err)
    t.match(err, { code: 'UC_ROUTE', kind: 'usage', message: /^x\.sql:\d+: / }, name)
    const said = err.message.slice('x.sql:'.length)
    if (typeof sentence === 'string') t.equal(said, sentence, name)
    else t.match(said, sentence, name)
  }
  for (const [name, text] of Object.entries(right)) await t.resolves(load(text), name)
})
