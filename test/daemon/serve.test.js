'use strict'
// undercroftd as its user starts it: readiness, requests, an orderly end.

const fs = require('node:fs')
const t = require('tap')
const { ANSWER, connect, start } = require('./raw')

t.test('it serves, and ends in order', async t => {
  const daemon = await start(t)
  const client = await connect(t, daemon)
  const { value } = await client.ask(7, [{ v: [1, 1], client: 'test' }])
  t.equal(client.greeting, ANSWER, 'the hello of a REP peer')
  t.equal(value.v, 1)
  t.match(value.server, /^undercroftd\/\d/)
  t.equal(value.db, 'app')
  t.same(value.dbs, ['app'])
  t.equal(value.pid, daemon.pid)
  t.equal((await client.ask(16, ['create table t(a)'])).kind, 'run')
  client.send(8, [1, 'insert into t values (?)'], { id: 0 })
  const replies = await Promise.all(Array.from({ length: 200 }, (_, i) => client.ask(12, [1, 0, [i]])))
  t.same(new Set(replies.map(reply => reply.kind)), new Set(['run']), '200 writes at once')
  t.equal((await daemon.stop()).code, 0)
  t.match(client.reason, { code: 'UC_CLOSED' }, 'the client is told')
  t.notOk(fs.existsSync(daemon.socket), 'the socket is gone')
  t.notOk(fs.existsSync(`${daemon.file}-wal`), 'and the WAL: it was checkpointed')
})

t.test('ids of the envelope and of the frame need not be the same', async t => {
  const client = await connect(t, await start(t))
  const first = client.ask(1, ['a'], { id: 7, sp: 0x80000001 })
  const second = client.ask(1, ['b'], { id: 8, sp: 0xffffffff })
  t.match(await first, { sp: 0x80000001, id: 7, value: 'a' })
  t.match(await second, { sp: 0xffffffff, id: 8, value: 'b' })
})
