'use strict'

// Quick reads, which are answered on the event loop: when they are, when they are not, and that nobody can
// tell from the answer. What was answered there comes out of the mount without a promise.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const { tmpdir, tmpfile } = require('../helper')

const TRIES = 200

const FILES = {
  'note.sql': `-- @get /note :one!
-- @param id integer 1..
-- @public
select id, text from note where id = :id;

-- @get /some :many
-- @param least integer 1.. = 1
-- @public
select id, text from note where id >= :least order by id limit 10;

-- @get /board
-- @public
-- @as total :one
select count(*) as n from note;
-- @as newest :many
select id from note order by id desc limit 2;

-- @get /long :text
-- @public
select count(*) from (with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select i from n);

-- @get /large :text
-- @public
select text from large where id = 1;

-- @get /counted :text
-- @rate 3/1h ip
-- @public
select 'counted';

-- @get /mine :text
-- @auth
select :_user;

-- @post /note/set :none
-- @param id integer 1..
-- @param text text 1..64
-- @public
update note set text = :text where id = :id;
`
}

const WHERE = { remoteAddr: { transport: 'tcp', hostname: '127.0.0.1' } }

async function service (t, options) {
  const dir = tmpdir(t)
  for (const [name, text] of Object.entries(FILES)) fs.writeFileSync(path.join(dir, name), text)
  const store = open(tmpfile(t))
  t.teardown(() => store.close())
  await store.db.exec("create table note(id integer primary key, text text); insert into note values (1, 'Zoë €'), (2, 'two'); " +
    'create table large(id integer primary key, text text); insert into large values (1, printf(\'%.*c\', 400000, \'x\'))')
  const routes = store.routes(dir, { audit: false, ...options })
  await routes.ready
  const ask = (target, init) => routes.fetch(new Request(`http://127.0.0.1${target}`, init), WHERE)
  return { store, routes, ask }
}

const isAtOnce = (answer) => !(answer instanceof Promise)

// Asked until it comes at once: the machine may be slow for a while.
async function atOnce (ask, target, init) {
  for (let i = 0; i < TRIES; i++) {
    const answer = ask(target, init)
    if (isAtOnce(answer)) return answer
    await answer
  }
  return null
}

async function read (answer) {
  const response = await answer
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}

t.test('the same answer, at once and otherwise', async (t) => {
  const { ask } = await service(t)
  const beside = await service(t, { inline: false })
  for (const target of ['/note?id=1', '/note?id=2', '/note?id=3', '/note', '/note?id=x', '/note?id=1&more=1', '/some', '/some?least=2', '/board', '/mine', '/note/set']) {
    const answer = await atOnce(ask, target)
    t.ok(answer, `${target}: at once`)
    const other = beside.ask(target)
    t.notOk(isAtOnce(other), `${target}: not at once`)
    t.same(await read(answer), await read(other), target)
  }
})

t.test('HEAD, and an answer larger than what is kept for replies', async (t) => {
  const { ask } = await service(t)
  const head = await atOnce(ask, '/note?id=1', { method: 'HEAD' })
  t.same(await read(head), { status: 200, type: 'application/json', text: '' })
  await read(ask('/large'))
  for (let i = 0; i < 20; i++) t.equal((await read(ask('/large'))).text.length, 400_000)
})

t.test('who awaits one after the other comes back to the event loop', async (t) => {
  const { ask } = await service(t)
  let longest = 0
  for (let round = 0; round < 20 && longest < 30; round++) {
    t.ok(await atOnce(ask, '/note?id=1'), 'they come at once')
    let inARow = 0
    for (let i = 0; i < 300; i++) {
      const answer = ask('/note?id=1')
      inARow = isAtOnce(answer) ? inARow + 1 : 0
      longest = Math.max(longest, inARow)
      await answer
    }
  }
  t.ok(longest >= 30 && longest <= 64, `${longest} in a row, and then one by the event loop`)
})

t.test('and where the event loop turns by itself, none has to wait for it', async (t) => {
  const { ask } = await service(t)
  let longest = 0
  for (let round = 0; round < 20 && longest < 150; round++) {
    t.ok(await atOnce(ask, '/note?id=1'), 'they come at once')
    let inARow = 0
    for (let i = 0; i < 300; i++) {
      const answer = ask('/note?id=1')
      inARow = isAtOnce(answer) ? inARow + 1 : 0
      longest = Math.max(longest, inARow)
      await answer
      if (i % 10 === 9) await new Promise(setImmediate)
    }
  }
  t.ok(longest >= 150, `${longest} in a row`)
})

t.test('a read sees the writes that were issued before it', async (t) => {
  const { store, ask } = await service(t)
  t.ok(await atOnce(ask, '/note?id=1'))
  for (let i = 0; i < 50; i++) {
    store.db.run('update note set text = ? where id = 1', [`n${i}`]).catch(t.threw)
    const answer = ask('/note?id=1')
    t.notOk(isAtOnce(answer), 'it waits for the write')
    t.equal((await read(answer)).text, `{"id":1,"text":"n${i}"}`)
    const headers = { 'content-type': 'application/json' }
    const [, after] = await Promise.all([
      read(ask('/note/set', { method: 'POST', headers, body: `{"id":2,"text":"m${i}"}` })),
      new Promise((resolve) => { setImmediate(resolve) }).then(() => read(ask('/note?id=1')))
    ])
    t.equal(after.status, 200)
    t.equal((await read(ask('/note?id=2'))).text, `{"id":2,"text":"m${i}"}`, 'an answered POST is seen')
  }
})

t.test('what is long runs beside', async (t) => {
  const { ask } = await service(t)
  for (let i = 0; i < 20; i++) {
    const answer = ask('/long')
    t.notOk(isAtOnce(answer))
    t.equal((await read(answer)).text, '100000')
  }
})

t.test('what is counted is counted once', async (t) => {
  const { ask } = await service(t)
  const statuses = []
  for (let i = 0; i < 5; i++) statuses.push((await read(ask('/counted'))).status)
  t.same(statuses, [200, 200, 200, 400, 400])
})

t.test('who asks is waited for, and the answer is theirs', async (t) => {
  const { ask } = await service(t, { user: async (request) => ({ user: request.header('x-user') ?? null }) })
  for (let i = 0; i < 30; i++) {
    const answers = await Promise.all(['a', 'b'].map((user) => read(ask('/mine', { headers: { 'x-user': user } }))))
    t.same(answers.map(({ text }) => text), ['a', 'b'])
  }
})

t.test('beside a transaction, and after the routes are closed', async (t) => {
  const { store, routes, ask } = await service(t)
  t.ok(await atOnce(ask, '/note?id=1'))
  await store.db.transaction(async (tx) => {
    await tx.run("update note set text = 'inside' where id = 1")
    t.not((await read(routes.inject('GET', '/note?id=1').then(({ status, type, body }) => new Response(body, { status, headers: { 'content-type': type } })))).text, '{"id":1,"text":"inside"}')
  })
  t.equal((await read(ask('/note?id=1'))).text, '{"id":1,"text":"inside"}')
  routes.close()
  t.equal((await read(ask('/note?id=1'))).status, 503)
})
