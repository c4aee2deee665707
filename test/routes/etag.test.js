'use strict'

// A 304 is right whoever has written, and so is an answer that is kept. A number that only grows tells:
// an answer may have a later one than was known when it was asked for, and never an earlier one.

const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { fork } = require('node:child_process')
const t = require('tap')
const { open } = require('../..')
const { budget } = require('../budget')
const { newSeed, random } = require('../random')
const { ask } = require('./doors')
const { tmpdir, tmpfile, startDaemon, until } = require('../helper')

const NUMBERS = 4

const schema = `
  create table number(id integer primary key, n integer not null);
  create table pair(id integer primary key, n integer not null);
  create table other(x text);
  create view seen as select id, n from number;
  insert into number values (0, 0), (1, 0), (2, 0), (3, 0);
  insert into pair select id, n from number;
`

const source = `
-- @get /n :text
-- @param id integer 0..
-- @public
select n from number where id = :id;

-- @get /kept :text
-- @param id integer 0..
-- @public
-- @cache 1h
select n from number where id = :id;

-- @get /pairs :one
-- @param n integer 1..20
-- @public
-- @repeat :n
-- @random 0..3
-- @cache 1h
select id, n from pair where id = :_random;

-- @post /pairs :none
-- @public
update pair set n = n + 1;

-- @get /seen :text
-- @param id integer 0..
-- @public
select n from seen where id = :id;

-- @get /other :text
-- @public
select count(*) from other;

-- @post /raise :text
-- @param id integer 0..
-- @public
update number set n = n + 1 where id = :id returning n;

-- @post /other :none
-- @public
insert into other values ('x');
`

function folder (t, text = source) {
  const dir = fs.mkdtempSync(path.join(tmpdir(t), 'routes-'))
  fs.writeFileSync(path.join(dir, 'all.sql'), text)
  return dir
}

async function service (t, file, dir = folder(t), options = {}) {
  const store = open(file)
  t.teardown(() => store.close())
  if (file === ':memory:') await store.db.exec(schema)
  const routes = store.routes(dir, options)
  await routes.ready
  const get = async (target, tag) => {
    const { status, headers, body } = await routes.inject('GET', target, { headers: tag === undefined ? {} : { 'If-None-Match': tag } })
    return { status, tag: headers.etag, body }
  }
  const raise = async (id) => Number((await routes.inject('POST', '/raise', { body: { id } })).body)
  return { store, routes, get, raise }
}

async function filled (t) {
  const file = tmpfile(t)
  const store = open(file)
  await store.db.exec(schema)
  await store.close()
  return file
}

// Another process on the file: do({ id }) or do({ sql }).
async function secondWriter (t, file) {
  const child = fork(path.join(__dirname, 'second-writer.js'), [file])
  t.teardown(() => { child.kill() })
  await once(child, 'message')
  let last = Promise.resolve()
  return (message) => {
    last = last.then(async () => {
      child.send(message)
      const [{ n }] = await once(child, 'message')
      return n
    })
    return last
  }
}

t.test('10^4 random writes, of two handles and another process', async (t) => {
  const seed = newSeed()
  t.comment(`UNDERCROFT_SEED=${seed}`)
  const pick = random(seed)
  const file = await filled(t)
  const first = await service(t, file)
  const second = await service(t, file)
  const other = await secondWriter(t, file)
  const known = new Array(NUMBERS).fill(0)
  const wrong = []
  const seen = { 200: 0, 304: 0 }
  let left = budget.of(10_000)

  const writes = [(id) => first.raise(id), (id) => second.raise(id), (id) => other({ id }),
    async (id) => (await first.store.db.get('update number set n = n + 1 where id = ? returning n', [id])).n]

  async function write (raise) {
    while (left-- > 0) {
      const id = pick(NUMBERS)
      const n = await raise(id)
      known[id] = Math.max(known[id], n)
      if (pick(4) === 0) await first.routes.inject('POST', '/other', { body: {} })
      // Sometimes there is time to ask twice.
      if (pick(3) === 0) await new Promise((resolve) => setTimeout(resolve, pick(3)))
    }
  }

  // What each client has, with its tag.
  async function read ({ get }, path) {
    const have = new Map()
    while (left > 0) {
      const id = pick(NUMBERS)
      const { tag, n: old } = have.get(id) ?? {}
      const least = known[id]
      const answer = await get(`${path}?id=${id}`, tag)
      seen[answer.status]++
      const n = answer.status === 304 ? old : Number(answer.body)
      if (!(n >= least)) wrong.push({ path, id, status: answer.status, n, least })
      if (answer.tag !== undefined) have.set(id, { tag: answer.tag, n })
    }
  }

  await Promise.all([...writes.map(write), read(first, '/n'), read(second, '/n'), read(first, '/kept'), read(second, '/kept'), read(second, '/seen')])
  t.same(wrong, [])
  t.ok(seen[200] > 0 && seen[304] > 0, `${seen[200]} answers, ${seen[304]} times 304`)
  for (let id = 0; id < NUMBERS; id++) {
    for (const path of ['/n', '/kept', '/seen']) t.equal(Number((await first.get(`${path}?id=${id}`)).body), known[id])
  }
})

// All rows of `pair` have the same number after each commit.
t.test('each time of @repeat is kept, and all of one request are of one snapshot', async (t) => {
  const file = await filled(t)
  const first = await service(t, file)
  const second = await service(t, file)
  const other = await secondWriter(t, file)
  const wrong = []
  let known = 0
  let left = budget.of(3000)

  const statements = async ({ store }) => {
    const { rows } = await store.db.stats().then(({ statements }) => statements.find(({ sql }) => sql.includes('from pair')))
    return rows
  }
  const ask = async ({ get }) => {
    const { body, tag } = await get('/pairs?n=20')
    t.equal(tag, undefined, 'all of it has no tag')
    return JSON.parse(body)
  }
  for (let i = 0; i < 20; i++) await ask(first)
  const rows = await statements(first)
  for (let i = 0; i < 20; i++) t.ok((await ask(first)).every(({ id, n }) => id < NUMBERS && n === 0))
  t.equal(await statements(first), rows, 'nothing has run')

  async function write (raise) {
    while (left-- > 0) {
      const least = known + 1
      await raise()
      known = Math.max(known, least)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  async function read ({ get }) {
    while (left > 0) {
      const least = known
      const rows = JSON.parse((await get('/pairs?n=20')).body)
      if (rows.some(({ n }) => n < least || n !== rows[0].n)) wrong.push({ rows, least })
    }
  }

  const raise = ({ routes }) => () => routes.inject('POST', '/pairs', { body: {} })
  await Promise.all([write(raise(first)), write(raise(second)), write(() => other({ sql: 'update pair set n = n + 1' })), read(first), read(second), read(second)])
  t.same(wrong, [])
  const [{ n }] = await ask(first)
  t.equal((await first.store.db.get('select max(n) as n from pair')).n, n)
})

t.test('a table that others write to', async (t) => {
  const file = await filled(t)
  const { get, routes } = await service(t, file)
  const other = await secondWriter(t, file)
  for (const path of ['/n?id=1', '/kept?id=1', '/seen?id=1']) {
    const before = await get(path)
    t.same(await get(path, before.tag), { status: 304, tag: before.tag, body: '' })
    await routes.inject('POST', '/other', { body: {} })
    t.equal((await get(path, before.tag)).status, 304, 'another table')
    const n = await other({ id: 1 })
    const after = await get(path, before.tag)
    t.equal(after.status, 200, 'another process')
    t.equal(after.body, String(n))
    t.not(after.tag, before.tag)
    t.equal((await get(path, after.tag)).status, 304, 'and it is known again')
  }
})

t.test('each start has tags of its own', async (t) => {
  const file = await filled(t)
  const first = await service(t, file)
  const { tag } = await first.get('/n?id=1')
  await first.store.close()
  const second = await service(t, file)
  const after = await second.get('/n?id=1', tag)
  t.equal(after.status, 200)
  t.not(after.tag, tag)
})

t.test('a read sees the writes before it, and so does its tag', async (t) => {
  for (const file of [':memory:', await filled(t)]) {
    const { store, get } = await service(t, file)
    for (let i = 0; i < 20; i++) {
      const { tag } = await get('/n?id=1')
      t.equal((await get('/n?id=1', tag)).status, 304)
      const [{ n }, { status, body }] = await Promise.all([store.db.get('update number set n = n + 1 where id = 1 returning n'), get('/n?id=1', tag)])
      t.same([status, body], [200, String(n)], file)
    }
  }
})

t.test('a transaction that is rolled back changes no tag, and an open one none yet', async (t) => {
  const file = await filled(t)
  const { get } = await service(t, file)
  const { store } = await service(t, file)
  const { tag } = await get('/n?id=1')
  const undone = store.db.transaction(async (tx) => {
    await tx.run('update number set n = 7')
    const { status } = await get('/n?id=1', tag)
    throw new Error(`undone after ${status}`)
  })
  await t.rejects(undone, { message: 'undone after 304' })
  t.equal((await get('/n?id=1', tag)).status, 304)
})

t.test('what has no tag, and is not kept', async (t) => {
  const { store } = await service(t, await filled(t))
  const cases = [
    [':_random', 'select :_random', '-- @random 1..9\n'], [':_now', 'select :_now'], [':_ip', 'select :_ip'], [':_id', 'select :_id'],
    ['random', 'select random()'], ['strftime', "select strftime('%Y', 'now')"], ['current_timestamp', 'select current_timestamp'],
    ['date', 'select date(n) from number limit 1'], ['sqlite_master', 'select count(*) from sqlite_schema'],
    ['dbstat', 'select count(*) from dbstat']
  ]
  for (const [name, sql, tags = ''] of cases) {
    const routes = store.routes(folder(t, `-- @get /x :text\n-- @public\n${tags}${sql};\n`))
    await routes.ready
    t.equal((await routes.inject('GET', '/x')).headers.etag, undefined, sql)
    const kept = store.routes(folder(t, `-- @get /x :text\n-- @cache 1s\n-- @public\n${tags}${sql};\n`))
    await t.rejects(kept.ready, { code: 'UC_ROUTE', message: /^all.sql:1: @cache: nobody would know how long an answer is right: .*/ }, name)
    routes.close()
  }
  for (const sql of ['select 1', 'with c as (select n from number) select count(*) from c', "select count(*) from json_each('[1]')", 'select sum(n), upper(max(n)) from number']) {
    const routes = store.routes(folder(t, `-- @get /x :text\n-- @cache 1s\n-- @public\n${sql};\n`))
    await routes.ready
    t.match((await routes.inject('GET', '/x')).headers.etag, /^"/, sql)
    routes.close()
  }
})

t.test('what routes check says of plans', async (t) => {
  const { store } = await service(t, await filled(t))
  await store.db.exec('create index by_x on other(x)')
  const load = async (sql, tags = '') => {
    const routes = store.routes(folder(t, `-- @get /x :many\n-- @param a integer ?\n-- @public${tags}\n${sql};\n`), { check: true })
    try {
      await routes.ready
      return null
    } catch (err) {
      return err.message
    } finally {
      routes.close()
    }
  }
  const scan = (table) => `all.sql:4: all of table ${table} is read: give it an index, or say '@scan ok'`
  const cases = [
    ['select n from number where n = :a limit 5', scan('number')],
    ['select n from number as k where k.n = :a limit 5', scan('number')],
    ['select n from "number" as "k" where "k".n = :a limit 5', scan('number')],
    ['select n from seen where n = :a limit 5', scan('number')],
    ['select count(x) as x, :a as a from other limit 1', scan('other')],
    ['select n from number where id = 1 { or n = :a } limit 5', scan('number')],
    ['select n from number where id = :a limit 5', null],
    ['select x from other where x = :a limit 5', null],
    ['select value from json_each(:a) limit 5', null],
    ['with c(v) as (values (1), (2)) select v from c where v = :a limit 5', null],
    ['select * from (select 1 as v union all select 2) as s where v = :a limit 5', null]
  ]
  for (const [sql, wanted] of cases) {
    t.equal(await load(sql), wanted, sql)
    const tagged = await load(sql, '\n-- @scan ok')
    t.equal(tagged, wanted === null ? 'all.sql:1: @scan ok: no table is read as a whole' : null, sql)
  }
})

t.test('a view that becomes another one', async (t) => {
  const file = await filled(t)
  const { store, get } = await service(t, file)
  const other = await secondWriter(t, file)
  const changes = [(sql) => store.db.exec(sql), (sql) => other({ sql })]
  for (const change of changes) {
    await change('drop view seen; create view seen as select id, n from number')
    const { tag } = await get('/seen?id=1')
    await change('drop view seen; create view seen as select rowid as id, x as n from other')
    await change("delete from other; insert into other(rowid, x) values (1, 'a')")
    const a = await get('/seen?id=1', tag)
    t.same([a.status, a.body], [200, 'a'])
    t.equal((await get('/seen?id=1', a.tag)).status, 304, 'it is known what it reads now')
    await change("update other set x = 'b'")
    const b = await get('/seen?id=1', a.tag)
    t.same([b.status, b.body], [200, 'b'])
  }
})

t.test('two daemons on one file', async (t) => {
  const file = await filled(t)
  const dir = folder(t)
  const doors = []
  for (let i = 0; i < 2; i++) {
    const socketPath = path.join(tmpdir(t), `http-${i}.sock`)
    const daemon = startDaemon(t, ['--db', file, '--http', `unix:${socketPath}`, '--routes', dir])
    await until(() => daemon.over || daemon.stderr.includes('http://'), 'it serves')
    doors.push(async (method, target, more = {}, body = undefined) => {
      const { status, headers, body: text } = await ask({ socketPath }, { method, target, headers: { Host: 'localhost', ...more }, body })
      return { status, tag: headers.etag, body: text }
    })
  }
  const [one, two] = doors
  const raise = async (door) => (await door('POST', '/raise', { 'Content-Type': 'application/json' }, '{"id":2}')).body
  const a = await one('GET', '/kept?id=2')
  const b = await two('GET', '/kept?id=2')
  t.not(a.tag, b.tag, 'each has tags of its own')
  t.equal((await two('GET', '/kept?id=2', { 'If-None-Match': b.tag })).status, 304)
  for (const writer of doors) {
    const n = await raise(writer)
    for (const door of doors) {
      for (const { tag } of [a, b]) t.same((({ status, body }) => [status, body])(await door('GET', '/kept?id=2', { 'If-None-Match': tag })), [200, n])
    }
  }
})
