'use strict'

// Pages of templates over the real core: mistakes that are told when files are loaded, and limits.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { tmpdir } = require('../helper')

const page = (sql, form = ':html page.mustache') => `-- @get /page ${form}\n-- @public\n${sql}`

const bodyOf = async (routes, target = '/page') => (await routes.inject('GET', target)).body.toString()

async function loaded (t, files, options) {
  const dir = tmpdir(t)
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text)
  const store = undercroft.open(':memory:', options)
  t.teardown(() => store.close())
  await store.db.exec("create table person(id integer primary key, name text); insert into person values (1, 'Ada')")
  return store.routes(dir)
}

const people = page('select id, name as message from person order by id limit 100;')

const mistakes = [
  ['a column that no statement has', people, '<ul>\n{{#rows}}\n<li>{{mesage}}\n{{/rows}}', "page.mustache:3: there is no 'mesage': did you mean 'message'?"],
  ['a section that no statement has', people, '{{#row}}{{/row}}', "page.mustache:1: there is no 'row': did you mean 'rows'?"],
  ['a column outside of its section', people, '{{message}}', "page.mustache:1: 'message' is a column of 'rows': it stands between {{#rows}} and {{/rows}}"],
  ['the only column of a row that has two', people, '{{#rows}}{{.}}{{/rows}}', /^page\.mustache:1: '\.' is the value of a section/],
  ['a section without an end', people, '\n{{#rows}}', "page.mustache:2: the section 'rows' has no end"],
  ['a template that is not there', page('select 1 as a limit 1;', ':html pag.mustache'), '', "page.sql:1: there is no template 'pag.mustache': did you mean 'page.mustache'?"],
  ['a statement that has no rows', page("insert into person(name) values ('x');").replace('@get', '@post'), '{{#rows}}{{/rows}}', /^page\.sql:3: the answer is made of rows/]
]

t.test('mistakes', async (t) => {
  for (const [name, sql, template, message] of mistakes) {
    const routes = await loaded(t, { 'page.sql': sql, 'page.mustache': template })
    await t.rejects(routes.ready, { code: 'UC_ROUTE', message }, name)
  }
})

t.test('a column of a piece may be named, and is nothing without it', async (t) => {
  const sql = page('select id { , name || :mark as marked } from person limit 1;').replace('-- @public', '-- @param mark text ?\n-- @public')
  const routes = await loaded(t, { 'page.sql': sql, 'page.mustache': '{{#rows}}{{id}}{{marked}}{{^marked}}-{{/marked}}{{/rows}}' })
  await routes.ready
  t.equal(await bodyOf(routes), '1-')
  t.equal(await bodyOf(routes, '/page?mark=!'), '1Ada!')
})

t.test('columns that come while it runs', async (t) => {
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'page.sql'), page('select * from person limit 9;'))
  fs.writeFileSync(path.join(dir, 'page.mustache'), '{{#rows}}{{name}}{{/rows}}')
  const store = undercroft.open(':memory:')
  t.teardown(() => store.close())
  await store.db.exec("create table person(id integer primary key, name text); insert into person values (1, 'Ada')")
  const routes = store.routes(dir)
  await routes.ready
  t.equal(await bodyOf(routes), 'Ada')
  await store.db.exec("alter table person rename column name to old; alter table person add column more; alter table person add column name text default 'Bob'")
  t.equal(await bodyOf(routes), 'Bob', 'it is found where it stands now')
})

t.test('a page that is too large is an error, and no part of it is sent', async (t) => {
  const rows = (n) => page(`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${n}) select i, printf('%.100c', 'x') as t from n limit 1000;`)
  const template = '{{#rows}}{{#rows}}{{t}}{{/rows}}{{/rows}}'
  for (const [n, status] of [[10, 200], [1000, 500]]) {
    const routes = await loaded(t, { 'page.sql': rows(n), 'page.mustache': template }, { maxReplyBytes: 1024 * 1024 })
    await routes.ready
    const answer = await routes.inject('GET', '/page')
    t.equal(answer.status, status, `${n} rows`)
    t.equal(answer.body.toString(), status === 200 ? 'x'.repeat(n * n * 100) : 'internal error')
  }
})

t.test('a page without end is given up', async (t) => {
  const files = { 'page.sql': page('select column1 as i from (values (1), (2)) limit 2;'), 'page.mustache': '{{#rows}}'.repeat(30) + '{{/rows}}'.repeat(30) }
  const routes = await loaded(t, files)
  await routes.ready
  t.equal((await routes.inject('GET', '/page')).status, 500)
})

t.test('nor does one go on for whom nobody waits', async (t) => {
  // What it would take without a look at the clock ends as the one above.
  const sql = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i, 'x' as t from n limit 1000;"
  const template = '{{#rows}}{{#rows}}{{#rows}}{{^i}}{{t}}{{/i}}{{/rows}}{{/rows}}{{/rows}}'
  for (const [method, begin] of [['GET', page(sql)], ['POST', page(`insert into person(name) values ('x');\n${sql}`).replace('@get', '@post')]]) {
    const routes = await loaded(t, { 'page.sql': begin.replace('-- @public', '-- @public\n-- @timeout 30ms'), 'page.mustache': template }, { log: false })
    await routes.ready
    const { status, body } = await routes.inject(method, '/page', method === 'POST' ? { body: {} } : {})
    t.same([status, body.toString()], [500, 'timed out'], method)
  }
})
