'use strict'

// Sessions of several processes on one file: what ends in one is over in all of them.

const t = require('tap')
const session = require('../../lib/kit/session')
const { quick, request } = require('./helper')
const { addonDoor, child, fileTimeoutMs, outcomes, startDaemon, tmpfile, until } = require('../helper')
const { open } = require('../..')

t.setTimeout(fileTimeoutMs)

// A service: it answers each line, a token, with who that is.
const service = async ({ undercroft, args, say, require, root }) => {
  const store = undercroft.open(args.target)
  const sessions = require(`${root}/lib/kit/session`)(store, { passwords: args.quick })
  const lines = require('node:readline').createInterface({ input: process.stdin })
  say('ready')
  for await (const token of lines) {
    if (token === 'end') break
    const who = await sessions.of({ headers: { cookie: `sid=${token}` } })
    say(JSON.stringify(who && { user: who.user, roles: who.roles }))
  }
  await store.close()
  process.exit(0)
}

// -> { ask(token), done }
async function elsewhere (t, target) {
  const it = child(t, service, { args: { target, quick } })
  await until(() => it.lines.length === 1, 'it is ready')
  return {
    async ask (token) {
      const n = it.lines.length
      it.proc.stdin.write(`${token}\n`)
      await until(() => it.lines.length > n || it.code !== null, 'it answers')
      return JSON.parse(it.lines[n])
    },
    async end () {
      it.proc.stdin.end('end\n')
      t.equal((await it.done).code, 0, it.stderr)
    }
  }
}

async function served (t) {
  const daemon = startDaemon(t, ['--db', tmpfile(t)])
  const store = open(daemon.url, { connectTimeoutMs: 60_000, timeoutMs: 60_000 })
  t.teardown(() => store.close())
  await store.db.exec(session.migration.sqlite)
  return { daemon, store, sessions: session(store, { passwords: quick }) }
}

t.test('through a daemon: the next read elsewhere knows it', async (t) => {
  const { daemon, sessions } = await served(t)
  const others = await Promise.all([elsewhere(t, daemon.url), elsewhere(t, daemon.url)])
  const ask = async token => Promise.all(others.map(other => other.ask(token)))
  const both = who => [who, who]
  for (let round = 0; round < 20; round++) {
    const { token, id } = await sessions.create({ user: 7, roles: ['editor'] })
    // Often enough for the first level of each process to have it.
    for (let i = 0; i < 3; i++) t.same(await ask(token), both({ user: 7, roles: ['editor'] }))
    await sessions.setRoles(7, ['reader'])
    t.same(await ask(token), both({ user: 7, roles: ['reader'] }))
    if (round % 2 === 0) await sessions.end(id)
    else await sessions.logout(request({ token }))
    t.same(await ask(token), both(null))
  }
  const mine = await sessions.create({ user: 7 })
  const stolen = await sessions.create({ user: 7 })
  t.same(await ask(stolen.token), both({ user: 7, roles: [] }))
  await sessions.endOthers(mine)
  t.same([await ask(stolen.token), await ask(mine.token)], [both(null), both({ user: 7, roles: [] })])
  await Promise.all(others.map(other => other.end()))
})

t.test('through a daemon: tries are counted for all processes', async (t) => {
  const { daemon, store } = await served(t)
  const options = { passwords: quick, limit: { tries: 6, pauseMs: 600_000 } }
  const second = open(daemon.url, { connectTimeoutMs: 60_000 })
  t.teardown(() => second.close())
  const services = [session(store, options), session(second, options)]
  const found = await outcomes(Array.from({ length: 20 }, (_, i) => services[i % 2].login(request(), { name: 'ada', password: 'wrong horse' }, () => undefined)))
  t.equal(found.filter(one => one === 'fulfilled').length, 6)
  t.equal(found.filter(one => one === 'UC_RATE').length, 14)
})

t.test('through a daemon: one that is killed forgets no session', async (t) => {
  const file = tmpfile(t)
  const first = startDaemon(t, ['--db', file], { killed: true })
  const store = open(first.url, { connectTimeoutMs: 60_000, timeoutMs: 60_000 })
  t.teardown(() => store.close())
  await store.db.exec(session.migration.sqlite)
  const sessions = session(store, { passwords: quick })
  const kept = await sessions.create({ user: 7 })
  const ended = await sessions.create({ user: 7 })
  await sessions.of(request({ token: ended.token }))
  await sessions.end(ended.id)
  await first.stop('SIGKILL')
  startDaemon(t, ['--db', file], { socket: first.socket })
  await until(() => sessions.of(request({ token: kept.token })).then(who => who?.user === 7, () => false), 'the new one serves')
  t.equal(await sessions.of(request({ token: ended.token })), null)
})

t.test('without a daemon: two processes on one file', async (t) => {
  const store = addonDoor()(t)
  await store.db.exec(session.migration.sqlite)
  const sessions = session(store, { passwords: quick })
  const other = await elsewhere(t, store.target)
  for (let round = 0; round < 5; round++) {
    const { token, id } = await sessions.create({ user: 7 })
    t.same(await other.ask(token), { user: 7, roles: [] })
    await sessions.end(id)
    // The file is looked at now and then: docs/cache.md, other writers.
    await until(async () => await other.ask(token) === null, 'it is over there too')
  }
  await other.end()
})

t.test('without a cache the very next read knows it', async (t) => {
  const store = addonDoor()(t)
  await store.db.exec(session.migration.sqlite)
  const sessions = session(store, { passwords: quick, cache: false })
  const second = addonDoor().at(t, store.target)
  const other = session(second, { passwords: quick, cache: false })
  const { token, id } = await sessions.create({ user: 7 })
  t.match(await other.of(request({ token })), { user: 7 })
  await sessions.end(id)
  t.equal(await other.of(request({ token })), null)
})
