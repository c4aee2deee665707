'use strict'

// Logins and sessions in one process.

const crypto = require('node:crypto')
const { inspect } = require('node:util')
const t = require('tap')
const session = require('../../lib/kit/session')
const { hasArgon2 } = require('../../lib/kit/session/password')
const { quick, request, stopped, withTable } = require('./helper')
const { addonDoor, failure, outcomes, until } = require('../helper')

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

// { store, sessions, clock, find }: ada is user 7, an editor, with the password below.
const password = 'correct horse'

async function made (t, options, storeOptions) {
  const store = await withTable(t, storeOptions)
  const clock = stopped()
  const sessions = session(store, { passwords: quick, now: clock, ...options })
  const hash = await sessions.hash(password)
  const find = name => name === 'ada' ? { user: 7, roles: ['editor'], hash } : undefined
  return { store, sessions, clock, find, hash }
}

const login = ({ sessions, find }, req = request()) => sessions.login(req, { name: 'ada', password }, find)
const rows = ({ store }) => store.db.all('select * from session order by seen', [], { integers: 'auto' })
const loads = async ({ store }) => (await store.cache.stats()).loads.begun

// ---- login -----------------------------------------------------------------------------

t.test('login, and who is logged in', async (t) => {
  const it = await made(t)
  const { sessions, clock } = it
  const one = await login(it, request({ ip: '192.0.2.1', 'user-agent': 'a browser' }))
  t.match(one, { user: 7, roles: ['editor'], id: /^[0-9a-f]{64}$/, token: /^[\w-]{43}$/, expires: clock.ms + 7 * DAY })
  t.equal(one.cookie, `sid=${one.token}; Path=/; Max-Age=${30 * 24 * 60 * 60}; HttpOnly; SameSite=Lax`)
  const { of } = sessions
  t.same(await of(request({ token: one.token })), { user: 7, roles: ['editor'], id: one.id }, 'of by itself, as routes call it')
  t.same(await of(new Request('http://h/', { headers: { cookie: `sid=${one.token}` } })), { user: 7, roles: ['editor'], id: one.id }, 'by fetch')
  t.equal(await of(request()), null, 'without a cookie')
  t.same(await sessions.list(7), [{ id: one.id, created: clock.ms, seen: clock.ms, expires: clock.ms + 7 * DAY, ip: '192.0.2.1', agent: 'a browser' }])
})

t.test('who is not let in', async (t) => {
  const { sessions, find, hash, store } = await made(t, { limit: false })
  const asked = []
  const look = name => {
    asked.push(name)
    return find(name)
  }
  for (const credentials of [{ name: 'ada', password: 'wrong horse' }, { name: 'eve', password }, { name: 'ada' }, { name: 'ada', password: '' }, { name: 'ada', password: ['correct horse'] }, { name: 'ada', password: 'x'.repeat(1e6) }]) {
    t.equal(await sessions.login(request(), credentials, look), null, JSON.stringify(credentials).slice(0, 60))
  }
  t.same(asked, ['ada', 'eve', 'ada', 'ada', 'ada', 'ada'])
  for (const credentials of [undefined, null, 'ada', 7, [], {}, { name: '', password }, { name: 7, password }, { name: ['ada'], password }, { name: { $ne: 1 }, password }, { name: 'a'.repeat(201), password }, { name: '\ud800', password }]) {
    t.equal(await sessions.login(request(), credentials, () => t.fail('nobody is looked for')), null, JSON.stringify(credentials)?.slice(0, 60))
  }
  for (const account of [null, undefined, { user: 7 }, { user: 7, hash: null }]) {
    t.equal(await sessions.login(request(), { name: 'ada', password }, () => account), null, `found: ${JSON.stringify(account)}`)
  }
  t.equal(await store.db.get('select count(*) as n from session').then(({ n }) => n), 0, 'no session')
  t.match(await sessions.login(request(), { name: 'ada', password }, async () => ({ user: 'ada', hash })), { user: 'ada', roles: [] }, 'one without roles')
})

t.test('who is not there takes the work of who is', async (t) => {
  const { sessions, find } = await made(t, { limit: false })
  const name = hasArgon2 ? 'argon2' : 'scrypt'
  const real = crypto[name]
  t.teardown(() => { crypto[name] = real })
  const done = []
  crypto[name] = (...args) => {
    const parameters = args.find(one => typeof one === 'object' && !Buffer.isBuffer(one))
    const { m, memory, passes, parallelism, N, r, p, tagLength } = parameters
    done.push({ m, memory, passes, parallelism, N, r, p, length: tagLength ?? args[2] })
    return real(...args)
  }
  for (const who of ['ada', 'eve']) await sessions.login(request(), { name: who, password: 'wrong horse' }, find)
  await sessions.login(request(), { name: 'bob', password: 'wrong horse' }, () => ({ user: 8, hash: null }))
  t.equal(done.length, 3, 'each is one hash')
  t.same(done[1], done[0], 'of the same parameters')
  t.same(done[2], done[0], 'and so is one who has no password')
})

t.test('a new token at each login, and the planted one ends', async (t) => {
  const it = await made(t)
  const { sessions } = it
  const eves = await sessions.create({ user: 666 })
  const one = await login(it, request({ token: eves.token }))
  t.not(one.token, eves.token)
  t.equal(await sessions.of(request({ token: eves.token })), null, 'what eve knows is nobody')
  t.match(await sessions.of(request({ token: one.token })), { user: 7 })
  const unknown = 'x'.repeat(43)
  t.not((await login(it, request({ token: unknown }))).token, unknown, 'nor is one taken that is none')
  const again = await sessions.create({ user: 7, roles: ['admin'] }, request({ token: one.token }))
  t.equal(await sessions.of(request({ token: one.token })), null, 'more rights, another token')
  t.match(await sessions.of(request({ token: again.token })), { user: 7, roles: ['admin'] })
})

t.test('a weak hash is made again at the next login', async (t) => {
  const it = await made(t)
  const { store, hash } = it
  const warned = []
  const stronger = { ...quick, argon2id: { m: 16, t: 1 }, scrypt: { ln: 5 } }
  const sessions = session(store, { passwords: stronger, log: { warn: (...args) => warned.push(args) } })
  const saved = []
  const find = save => () => ({ user: 7, hash, save })
  t.equal(await sessions.login(request(), { name: 'ada', password: 'wrong horse' }, find(phc => saved.push(phc))), null)
  t.same(saved, [], 'not by who does not know it')
  t.ok(await sessions.login(request(), { name: 'ada', password }, find(async phc => saved.push(phc))))
  t.equal(saved.length, 1)
  t.same(await sessions.verify(password, saved[0]), { ok: true, rehash: false })
  t.ok(await sessions.login(request(), { name: 'ada', password }, () => ({ user: 7, hash: saved[0], save: () => t.fail('once') })))
  t.ok(await sessions.login(request(), { name: 'ada', password }, find(async () => { throw new Error('the disk is full') })), 'he gets in all the same')
  t.match(warned, [[{ err: { message: 'the disk is full' } }, /password/]])
  t.ok(await sessions.login(request(), { name: 'ada', password }, find()), 'and without save')
})

t.test('too many tries', async (t) => {
  const it = await made(t, { limit: { tries: 3, pauseMs: 10 * MINUTE } })
  const { sessions, find } = it
  const wrong = (name, ip) => sessions.login(request({ ip }), { name, password: 'wrong horse' }, find)
  for (let i = 0; i < 2; i++) t.equal(await wrong('ada', '192.0.2.1'), null)
  t.ok(await login(it, request({ ip: '192.0.2.1' })), 'the third one is right: the count begins anew')
  for (let i = 0; i < 3; i++) t.equal(await wrong('ada', '192.0.2.1'), null)
  const err = await failure(sessions.login(request({ ip: '192.0.2.1' }), { name: 'ada', password }, () => t.fail('nobody is looked for')))
  t.match(err, { code: 'UC_RATE' })
  t.ok(err.retryAfterMs > 0 && err.retryAfterMs <= 10 * MINUTE)
  t.ok(await login(it, request({ ip: '192.0.2.2' })), 'he gets in from elsewhere')
  for (let i = 0; i < 3; i++) t.equal(await wrong('nobody', '192.0.2.3'), null)
  t.match(await failure(wrong('nobody', '192.0.2.3')), { code: 'UC_RATE' }, 'who is not there is counted alike')
})

t.test('tries that nobody looked at do not count', async (t) => {
  const it = await made(t, { limit: { tries: 100 }, passwords: { ...quick, running: 1, waiting: 0 } })
  const { sessions, find } = it
  const req = request({ ip: '192.0.2.1' })
  const found = await outcomes(Array.from({ length: 20 }, () => sessions.login(req, { name: 'ada', password: 'wrong horse' }, find)))
  const busy = found.filter(one => one === 'UC_BUSY').length
  t.ok(busy > 0, `${busy} of 20 found no place`)
  t.match(await failure(sessions.login(req, { name: 'ada', password }, () => { throw new Error('no table') })), { message: 'no table' })
  t.equal(await it.store.cache.namespace('undercroft.login').incr('ip 192.0.2.1', 0), 20 - busy)
})

t.test('nothing secret is told or kept', async (t) => {
  const lines = []
  const it = await made(t, { log: { warn: (...args) => lines.push(JSON.stringify(args)) } })
  const { store, sessions, hash } = it
  const one = await login(it, request({ ip: '192.0.2.1' }))
  const id = crypto.createHash('sha256').update(one.token).digest()
  const [row] = await rows(it)
  t.equal(Buffer.compare(row.id, id), 0, 'the row has what the token hashes to')
  t.equal(BigInt(row.key), id.readBigInt64BE(0))
  t.equal(one.id, id.toString('hex'))
  t.notMatch(inspect([await rows(it), await sessions.list(7)], { depth: 5 }), one.token)
  const errors = [
    await failure(sessions.hash('hunter2')),
    await failure(sessions.verify('hunter2!', hash.slice(1))),
    await failure(async () => sessions.cookie(`${one.token}x`)),
    await failure(sessions.login(request(), { name: 'ada', password: 'hunter2!' }, () => ({ user: 7, hash: 'hunter2!' })))
  ]
  for (const err of errors) t.notMatch(`${JSON.stringify(err)} ${err.stack}`, /hunter2|\$scrypt|\$argon2id|[\w-]{43}x/, err.message)
  await store.db.exec('drop table session')
  errors.push(await failure(sessions.of(request({ token: one.token }))))
  t.notMatch(JSON.stringify(errors.at(-1)) + errors.at(-1).stack + lines.join(), one.token)
})

// ---- who asks ----------------------------------------------------------------------------

t.test('hostile cookies', async (t) => {
  const it = await made(t)
  const { sessions, store } = it
  const { token } = await login(it)
  const before = (await store.cache.stats()).entries
  const begun = await loads(it)
  for (const cookie of [
    'sid=', 'sid=1', `sid=${token}x`, `sid=${token.slice(1)}`, `sid=${token};sid=${'y'.repeat(43)}`, `SID=${token}`, `__Host-sid=${token}`,
    "sid=' or 1=1 --", 'sid=\0', `sid=${'x'.repeat(1e5)}`, ';'.repeat(1e5), `a=${' '.repeat(3e4)};`, '='.repeat(3e4), 'sid='.repeat(8000)
  ]) t.equal(await sessions.of(request({ cookie })), null, cookie.slice(0, 60))
  t.equal(await loads(it), begun, 'nobody was looked up for them')
  for (let i = 0; i < 100; i++) t.equal(await sessions.of(request({ token: crypto.randomBytes(32).toString('base64url') })), null)
  t.equal((await store.cache.stats()).entries, before, 'tokens that are made up take no room')
  for (const req of [undefined, null, 7, {}, { headers: null }]) t.match(await failure(sessions.of(req)), { code: 'UC_OPTION' })
  for (const headers of [{ cookie: undefined }, { cookie: ['sid=1'] }, Object.create(null)]) t.equal(await sessions.of({ headers }), null)
  t.match(await sessions.of(request({ token })), { user: 7 }, 'the right one is still right')
})

t.test('half of the bits are not enough', async (t) => {
  // A row is found by 64 bits; the others have to be right as well.
  const it = await made(t)
  const { token } = await login(it)
  await it.store.db.run('update session set id = zeroblob(32)')
  t.equal(await it.sessions.of(request({ token })), null)
})

t.test('behind https', async (t) => {
  const it = await made(t, { trustProxy: 'loopback' })
  const { sessions } = it
  const gateway = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' }
  const one = await login(it, request(gateway))
  t.equal(one.cookie, `__Host-sid=${one.token}; Path=/; Max-Age=${30 * 24 * 60 * 60}; HttpOnly; SameSite=Lax; Secure`)
  t.equal((await sessions.list(7))[0].ip, '203.0.113.7')
  t.match(await sessions.of(request({ cookie: `__Host-sid=${one.token}`, ...gateway })), { user: 7 })
  t.equal(await sessions.of(request({ cookie: `sid=${one.token}`, ...gateway })), null, 'a cookie that somebody else may have set')
  t.match(await sessions.logout(request({ cookie: `__Host-sid=${one.token}`, ...gateway })), /^__Host-sid=; Path=\/; Max-Age=0;.*Secure$/)
  const strict = session(it.store, { passwords: quick, secure: true, name: 'shop' })
  t.match(strict.cookie(one.token), /^__Host-shop=.*; Secure$/)
  t.match(session(it.store, { passwords: quick, secure: false, trustProxy: 'loopback' }).cookie(one.token, request(gateway)), /^sid=/)
})

t.test('logout', async (t) => {
  const it = await made(t)
  const { sessions } = it
  const { token } = await login(it)
  t.equal(await sessions.logout(request({ token })), 'sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax')
  t.equal(await sessions.of(request({ token })), null)
  t.match(await sessions.logout(request({ token })), /Max-Age=0/, 'a second time')
  t.match(await sessions.logout(request()), /Max-Age=0/, 'without one')
})

t.test('a read of the cache, and a row for each', async (t) => {
  const it = await made(t)
  const { sessions } = it
  const one = await login(it)
  for (let i = 0; i < 50; i++) await sessions.of(request({ token: one.token }))
  const begun = await loads(it)
  for (let i = 0; i < 20; i++) {
    const other = await sessions.create({ user: i })
    await sessions.of(request({ token: one.token }))
    await sessions.end(other.id)
    t.match(await sessions.of(request({ token: one.token })), { user: 7 })
  }
  t.equal(await loads(it), begun, "others' logins and logouts drop nothing of it")
  await sessions.setRoles(7, [])
  t.same(await sessions.of(request({ token: one.token })), { user: 7, roles: [], id: one.id })
  t.equal(await loads(it), begun + 1, 'a change of its own does')
})

t.test('what is given is shared by nobody', async (t) => {
  const it = await made(t)
  const { token } = await login(it)
  const one = await it.sessions.of(request({ token }))
  one.user = 1
  t.throws(() => one.roles.push('admin'), TypeError)
  t.match(await it.sessions.of(request({ token })), { user: 7, roles: ['editor'] })
})

for (const [what, options, storeOptions] of [['each read from the database', { cache: false }], ['a store without a cache', { limit: false }, { cache: false }]]) {
  t.test(what, async (t) => {
    const it = await made(t, options, storeOptions)
    const { sessions } = it
    const { token, id } = await login(it)
    t.match(await sessions.of(request({ token })), { user: 7, roles: ['editor'], id })
    await sessions.end(id)
    t.equal(await sessions.of(request({ token })), null)
  })
}

// ---- time ----------------------------------------------------------------------------------

const seen = async it => (await rows(it))[0]?.seen

t.test('the end moves, with a write now and then', async (t) => {
  const it = await made(t, { idleMs: HOUR, touchMs: 5 * MINUTE, absoluteMs: DAY })
  const { sessions, clock } = it
  const begin = clock.ms
  const { token } = await login(it)
  const ask = () => sessions.of(request({ token }))
  clock.ms += 5 * MINUTE - 1
  for (let i = 0; i < 10; i++) t.ok(await ask())
  t.equal(await seen(it), begin, 'nothing is written so soon')
  clock.ms += 1
  const { db } = it.store
  await db.exec('create table write(n); create trigger counted after update on session begin insert into write values (1); end')
  await Promise.all(Array.from({ length: 20 }, ask))
  await until(async () => await seen(it) === clock.ms, 'it is written')
  await Promise.all(Array.from({ length: 20 }, ask))
  t.same(await db.get('select count(*) as n from write'), { n: 1 }, 'once, however many asked')
  clock.ms += HOUR - 1
  t.ok(await ask(), 'an hour later, nearly')
  await until(async () => await seen(it) === clock.ms, 'it is written')
  clock.ms += HOUR
  t.equal(await ask(), null, 'an hour of silence ends it')
  t.equal(await ask(), null)
  t.same(await sessions.list(7), [], 'and it is in no list')
})

t.test('it ends once, however often it is used', async (t) => {
  const it = await made(t, { idleMs: HOUR, touchMs: 5 * MINUTE, absoluteMs: 3 * HOUR })
  const { sessions, clock } = it
  const begin = clock.ms
  const { token } = await login(it)
  for (clock.ms += 30 * MINUTE; clock.ms < begin + 3 * HOUR; clock.ms += 30 * MINUTE) {
    t.ok(await sessions.of(request({ token })), `after ${(clock.ms - begin) / MINUTE} minutes`)
    await until(async () => await seen(it) === clock.ms, 'it is written')
  }
  t.equal(await sessions.of(request({ token })), null)
  t.equal((await rows(it))[0].expires, begin + 3 * HOUR)
})

t.test('a clock that is set back', async (t) => {
  const it = await made(t, { idleMs: HOUR, absoluteMs: 2 * HOUR })
  const { sessions, clock } = it
  const right = clock.ms
  clock.ms += 365 * DAY
  const { token } = await login(it)
  clock.ms = right
  t.ok(await sessions.of(request({ token })), 'he is not thrown out')
  await until(async () => await seen(it) === right, 'the row is brought back')
  t.match(await rows(it), [{ created: right, seen: right, expires: right + HOUR }])
  clock.ms += HOUR
  t.equal(await sessions.of(request({ token })), null, 'and it lives no longer than others')
})

t.test('a clock that is set forward', async (t) => {
  const it = await made(t, { idleMs: HOUR })
  const { sessions, clock } = it
  const { token } = await login(it)
  const right = clock.ms
  clock.ms += 365 * DAY
  t.equal(await sessions.of(request({ token })), null, 'it is over')
  clock.ms = right
  t.ok(await sessions.of(request({ token })), 'unless it was a mistake, and nobody has swept')
})

t.test('a clock between milliseconds', async (t) => {
  const it = await made(t)
  it.clock.ms += 0.5
  const { token } = await login(it)
  t.match(await it.sessions.of(request({ token })), { user: 7 })
  t.equal((await rows(it))[0].seen, Math.floor(it.clock.ms))
})

t.test('a database that cannot be written', async (t) => {
  const it = await made(t)
  const { clock, store } = it
  const { token } = await login(it)
  const warned = []
  const reader = addonDoor().at(t, store.target, { readonly: true })
  const sessions = session(reader, { passwords: quick, now: clock, log: { warn: (...args) => warned.push(args) } })
  clock.ms += HOUR
  for (let i = 0; i < 20; i++) t.match(await sessions.of(request({ token })), { user: 7 }, 'who asks does not notice')
  await until(() => warned.length > 0, 'it is told')
  for (let i = 0; i < 20; i++) {
    await sessions.of(request({ token }))
    await reader.db.get('select 1')
  }
  t.ok(warned.length < 10, `not by each request: ${warned.length}`)
})

// ---- the sessions of a user ------------------------------------------------------------

t.test('his sessions', async (t) => {
  const it = await made(t)
  const { sessions, clock } = it
  const all = []
  for (let i = 0; i < 3; i++) {
    all.push(await sessions.create({ user: 7 }, request({ 'user-agent': `browser ${i}` })))
    clock.ms += 1
  }
  const others = await sessions.create({ user: '7' })
  t.same((await sessions.list(7)).map(({ agent }) => agent), ['browser 2', 'browser 1', 'browser 0'], 'the last one first')
  t.same((await sessions.list('7')).map(({ id }) => id), [others.id], 'a text is another user than a number')
  const lives = async () => Promise.all([...all, others].map(async ({ token }) => await sessions.of(request({ token })) !== null))
  t.equal(await sessions.end(others.id, 7), false, 'not of another user')
  t.equal(await sessions.end(all[0].id, 7), true)
  t.equal(await sessions.end(all[0].id, 7), false, 'it is gone')
  for (const id of [undefined, null, '', 7, 'x', all[1].id.toUpperCase(), `${all[1].id} `, all[1].token, {}]) t.equal(await sessions.end(id), false, String(id))
  t.same(await lives(), [false, true, true, true])
  t.equal(await sessions.endOthers(await sessions.of(request({ token: all[2].token }))), 1)
  t.same(await lives(), [false, false, true, true])
  t.equal(await sessions.endAll(7), 1)
  t.same(await lives(), [false, false, false, true])
  for (const one of [{}, { user: 7 }, { user: 7, id: 'x' }]) t.match(await failure(sessions.endOthers(one)), { code: 'UC_OPTION' })
})

t.test('the one that was not used for longest gives way', async (t) => {
  const it = await made(t, { perUser: 3 })
  const { sessions, clock } = it
  const other = await sessions.create({ user: 8 })
  const all = []
  for (let i = 0; i < 5; i++) {
    clock.ms += 1
    all.push(await sessions.create({ user: 7 }))
  }
  t.same((await sessions.list(7)).map(({ id }) => id), [all[4], all[3], all[2]].map(({ id }) => id))
  t.equal(await sessions.of(request({ token: all[0].token })), null)
  t.ok(await sessions.of(request({ token: other.token })), 'others are not concerned')
})

t.test('what is over is deleted in steps', async (t) => {
  const it = await made(t, { idleMs: HOUR })
  const { sessions, store, clock } = it
  const insert = `insert into session select value, zeroblob(32), value, '[]', 0, 0, :at + (value % 2) * 86400000, null, null
    from generate_series(1, 2400)`
  const series = 'with recursive generate_series(value) as (select 1 union all select value + 1 from generate_series where value < 2400) '
  await store.db.run(series + insert.replace('generate_series(1, 2400)', 'generate_series'), { at: clock.ms })
  const count = async () => (await store.db.get('select count(*) as n from session')).n
  await sessions.create({ user: 'ada' })
  t.equal(await count(), 2400 + 1 - 4, 'a login takes four along')
  t.equal(await sessions.sweep(), 1196)
  t.equal(await count(), 1201, 'what lives is left')
  t.equal(await sessions.sweep(), 0)
  const plan = await store.db.all('explain query plan delete from session where key in (select key from session where expires <= 1 order by expires limit 4)')
  t.match(plan.map(({ detail }) => detail).join(), /session_expires/, 'by the index')
})

t.test('who may have one', async (t) => {
  const it = await made(t)
  const { sessions } = it
  for (const user of [7, 0, -1, Number.MAX_SAFE_INTEGER, 'ada', 'ä'.repeat(100)]) {
    const { token } = await sessions.create({ user, roles: ['a', 'b'] })
    t.same((await sessions.of(request({ token }))).user, user, String(user).slice(0, 20))
  }
  for (const user of [undefined, null, '', 1.5, NaN, 2 ** 53, 1n, {}, [], true, '\ud800', 'x'.repeat(201)]) {
    t.match(await failure(sessions.create({ user })), { code: 'UC_OPTION', message: /user/ }, String(user))
    t.match(await failure(async () => sessions.list(user)), { code: 'UC_OPTION' })
  }
  for (const roles of ['admin', [''], [7], [null], Array(65).fill('x'), ['x'.repeat(65)], ['\ud800'], { length: 0 }]) {
    t.match(await failure(sessions.create({ user: 7, roles })), { code: 'UC_OPTION', message: /roles/ }, JSON.stringify(roles).slice(0, 40))
    t.match(await failure(sessions.setRoles(7, roles)), { code: 'UC_OPTION' })
  }
})

t.test('other roles, everywhere at once', async (t) => {
  const it = await made(t)
  const { sessions } = it
  const two = [await login(it), await login(it)]
  await Promise.all(two.map(({ token }) => sessions.of(request({ token }))))
  t.equal(await sessions.setRoles(7, ['reader']), 2)
  for (const { token } of two) t.match(await sessions.of(request({ token })), { roles: ['reader'] })
})

t.test('a new process knows the old sessions', async (t) => {
  const it = await made(t)
  const { token, id } = await login(it)
  await it.store.close()
  const store = addonDoor().at(t, it.store.target)
  t.match(await session(store, { passwords: quick, now: it.clock }).of(request({ token })), { user: 7, roles: ['editor'], id })
})

// ---- options -----------------------------------------------------------------------------

t.test('options', async (t) => {
  const store = await withTable(t)
  for (const [options, message] of [
    [{ idle: 1 }, /there is no option 'idle'; there are name, secure/], [{ name: 'a b' }, /name/], [{ name: '' }, /name/], [{ name: 7 }, /name/],
    [{ secure: 'auto' }, /secure/], [{ trustProxy: 'all' }, /trustProxy/], [{ trustProxy: true }, /trustProxy/], [{ trustProxy: ['10.0.0.0/99'] }, /trustProxy/], [{ peer: 'x' }, /peer/], [{ idleMs: 1 }, /idleMs/],
    [{ idleMs: HOUR, touchMs: HOUR }, /touchMs/], [{ idleMs: HOUR, absoluteMs: MINUTE }, /absoluteMs/], [{ perUser: 0 }, /perUser/], [{ cache: 1 }, /cache/],
    [{ log: {} }, /log/], [{ now: 1 }, /now/], [{ limit: true }, /limit/], [{ passwords: { running: 0 } }, /running/], [null, /object/], [7, /object/]
  ]) t.match(await failure(() => session(store, options)), { code: 'UC_OPTION', message }, JSON.stringify(options))
  t.ok(session(store), 'none at all')
  t.match(await failure(session(store).login(request(), {}, 7)), { code: 'UC_OPTION', message: /function/ })
  const strangers = session(store, { trustProxy: ['203.0.113.1'], passwords: quick })
  t.match(strangers.clearing(request({ ip: '203.0.113.1', 'x-forwarded-proto': 'https' })), /__Host-/)
  t.notMatch(strangers.clearing(request({ ip: '127.0.0.1', 'x-forwarded-proto': 'https' })), /__Host-/)
})
