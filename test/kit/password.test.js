'use strict'

// Hashes of passwords: known ones, the texts that are none, what is refused, and the queue.

const crypto = require('node:crypto')
const t = require('tap')
const session = require('../../lib/kit/session')
const { hasArgon2 } = require('../../lib/kit/session/password')
const { HashQueue } = require('../../lib/kit/session/queue')
const { quick } = require('./helper')
const { failure, gate, outcomes } = require('../helper')

const argon2 = { skip: !hasArgon2 && 'this runtime has no argon2id' }
const of = (algorithm, more) => session.passwords({ ...quick, algorithm, ...more })
const algorithms = hasArgon2 ? ['argon2id', 'scrypt'] : ['scrypt']

t.test('argon2id is what it is elsewhere', argon2, async (t) => {
  // Of the reference implementation's own tests.
  const known = [
    '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
  ]
  for (const phc of known) {
    t.same(await of('argon2id').verify('password', phc), { ok: true, rehash: false }, phc)
    t.same(await of('argon2id').verify('passwork', phc), { ok: false, rehash: false }, 'another one')
  }
})

t.test('scrypt is what it is elsewhere', async (t) => {
  // RFC 7914, section 12, the third one.
  const hash = Buffer.from('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887', 'hex')
  const text = bytes => bytes.toString('base64').replace(/=+$/, '')
  const phc = `$scrypt$ln=14,r=8,p=1$${text(Buffer.from('SodiumChloride'))}$${text(hash)}`
  t.same(await of('scrypt').verify('pleaseletmein', phc), { ok: true, rehash: false })
  t.same(await of('scrypt').verify('pleaseletmeout', phc), { ok: false, rehash: false })
})

for (const algorithm of algorithms) {
  t.test(`${algorithm}: what was made is known again`, async (t) => {
    const passwords = of(algorithm)
    const [one, two] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')])
    t.not(one, two, 'each has its own salt')
    for (const phc of [one, two]) {
      t.same(await passwords.verify('correct horse', phc), { ok: true, rehash: false })
      t.same(await passwords.verify('Correct horse', phc), { ok: false, rehash: false })
    }
    t.same(await passwords.verify('correct horse', passwords.nobody()), { ok: false, rehash: false }, "nobody's")
    const shape = phc => phc.split('$').slice(0, -2).join('$') + phc.length
    t.equal(shape(passwords.nobody()), shape(one), "nobody's is as much work")
  })
}

t.test('OWASP says how much work it is by default', async (t) => {
  t.match(session.passwords().nobody(), hasArgon2 ? /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/ : /^\$scrypt\$ln=17,r=8,p=1\$/)
  t.match(session.passwords({ algorithm: 'scrypt' }).nobody(), /^\$scrypt\$ln=17,r=8,p=1\$/)
})

t.test('the text', async (t) => {
  const passwords = of('scrypt')
  const same = async (a, b, what) => t.ok((await passwords.verify(b, await passwords.hash(a))).ok, what)
  await same('caf\u00e9 caf\u00e9', 'cafe\u0301 cafe\u0301', 'an accent in one code point or in two')
  await same('ｐａｓｓｗｏｒｄ', 'password', 'full width')
  await same('password', 'ｐａｓｓｗｏｒｄ', 'and back')
  await same(' spaces at both ends ', ' spaces at both ends ', 'spaces')
  await same('a\0bcdefgh', 'a\0bcdefgh', 'NUL')
  await same('🐎'.repeat(1024), '🐎'.repeat(1024), 'the longest')
  const differs = async (a, b, what) => t.notOk((await passwords.verify(b, await passwords.hash(a))).ok, what)
  await differs('password', 'Password', 'cases differ')
  await differs('a\0bcdefgh', 'a\0bcdefgi', 'behind a NUL')
  await differs('x'.repeat(100) + 'a', 'x'.repeat(100) + 'b', 'nothing is cut off')
  await differs(' password', 'password', 'a space')
})

t.test('what is no password', async (t) => {
  const passwords = of('scrypt')
  const secret = 'hunter2'
  for (const [given, message] of [
    [secret, /^password: must have at least 8 characters$/],
    ['', /at least 8/],
    ['🐎'.repeat(7), /at least 8/],
    ['x'.repeat(1025), /at most 1024 characters/],
    ['x'.repeat(10_000_000), /at most 1024 characters/],
    ['password\ud800', /well-formed/],
    [undefined, /must be a text/], [null, /must be a text/], [12345678, /must be a text/], [{ toString: () => 'password' }, /must be a text/], [['password'], /must be a text/]
  ]) {
    const err = await failure(passwords.hash(given))
    t.match(err, { code: 'UC_PASSWORD', kind: 'usage', param: 'password', message })
    t.notMatch(JSON.stringify(err) + err.stack, secret, 'it is not told')
    t.same(await passwords.verify(given, passwords.nobody()), { ok: false, rehash: false }, 'nor is it anybody\'s')
  }
  t.match(await of('scrypt', { minLength: 1 }).hash('x'), /^\$scrypt/)
  const short = await of('scrypt', { minLength: 1 }).hash('short')
  t.ok((await passwords.verify('short', short)).ok, 'one of before the length was raised')
})

t.test('hashes that are none', async (t) => {
  const passwords = of('scrypt')
  const salt = 'c29tZXNhbHQ'
  const hash = 'nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'
  const wrong = [
    undefined, null, '', 'x', 7, {}, '$', '$scrypt', hash, '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
    `$scrypt$ln=4,r=8,p=1$${salt}`, `$scrypt$ln=4,r=8,p=1$$${hash}`, `$scrypt$ln=4,r=8,p=1$${salt}$`,
    `$scrypt$ln=4,r=8,p=1$${salt}$${hash}$`, ` $scrypt$ln=4,r=8,p=1$${salt}$${hash}`, `$scrypt$ln=4,r=8,p=1$${salt}$${hash}\n`,
    `$scrypt$ln=4,r=8$${salt}$${hash}`, `$scrypt$r=8,ln=4,p=1$${salt}$${hash}`, `$scrypt$ln=4,r=8,p=1,x=1$${salt}$${hash}`,
    `$scrypt$ln=04,r=8,p=1$${salt}$${hash}`, `$scrypt$ln=-4,r=8,p=1$${salt}$${hash}`, `$scrypt$ln=4.0,r=8,p=1$${salt}$${hash}`,
    `$scrypt$ln=0,r=8,p=1$${salt}$${hash}`, `$scrypt$ln=21,r=8,p=1$${salt}$${hash}`, `$scrypt$ln=20,r=64,p=1$${salt}$${hash}`,
    `$scrypt$ln=4,r=8,p=1000$${salt}$${hash}`, `$scrypt$ln=4,r=9999999999,p=1$${salt}$${hash}`,
    `$scrypt$v=1$ln=4,r=8,p=1$${salt}$${hash}`, `$scrypt$ln=4,r=8,p=1$c29t$${hash}`, `$scrypt$ln=4,r=8,p=1$${salt}$nf65EOg`,
    `$scrypt$ln=4,r=8,p=1$${salt}$${hash.slice(0, -1)}5`, `$scrypt$ln=4,r=8,p=1$${salt}$${'A'.repeat(10_000)}`,
    `$argon2id$m=256,t=2,p=1$${salt}$${hash}`, `$argon2id$v=16$m=256,t=2,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=4194304,t=2,p=1$${salt}$${hash}`, `$argon2id$v=19$m=256,t=1000,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=8,t=1,p=2$${salt}$${hash}`, `$argon2i$v=19$m=256,t=2,p=1$${salt}$${hash}`, `$argon2d$v=19$m=256,t=2,p=1$${salt}$${hash}`,
    `$scrypt$${'ln=4,'.repeat(50)}r=8,p=1$${salt}$${hash}`
  ]
  for (const phc of wrong) {
    const err = await failure(passwords.verify('password', phc))
    t.match(err, { code: 'UC_OPTION', message: /^the hash of a password: / }, String(phc).slice(0, 60))
    t.notMatch(err.message, hash, 'it is not told')
  }
})

t.test('what is to be hashed again', async (t) => {
  const weak = await of('scrypt').hash('password')
  t.same(await of('scrypt', { scrypt: { ln: 5 } }).verify('password', weak), { ok: true, rehash: true }, 'N was raised')
  t.same(await of('scrypt', { scrypt: { ln: 4, p: 2 } }).verify('password', weak), { ok: true, rehash: true }, 'p was raised')
  t.same(await of('scrypt', { scrypt: { ln: 3 } }).verify('password', weak), { ok: true, rehash: false }, 'N was lowered')
  t.same(await of('scrypt', { scrypt: { ln: 5 } }).verify('wrong', weak), { ok: false, rehash: false }, 'only what is right')
})

t.test('from one algorithm to the other', argon2, async (t) => {
  const old = await of('scrypt').hash('password')
  t.same(await of('argon2id').verify('password', old), { ok: true, rehash: true }, 'to argon2id')
  const made = await of('argon2id').hash('password')
  t.same(await of('scrypt').verify('password', made), { ok: true, rehash: true }, 'and to what older runtimes know')
})

t.test('weak parameters', async (t) => {
  const open = (options) => session.passwords(options)
  for (const scrypt of [{ ln: 17, r: 8, p: 1 }, { ln: 16, r: 8, p: 2 }, { ln: 15, r: 8, p: 3 }, { ln: 14, r: 8, p: 5 }, { ln: 13, r: 8, p: 10 }]) {
    t.ok(open({ algorithm: 'scrypt', scrypt }), `OWASP: ${JSON.stringify(scrypt)}`)
  }
  for (const scrypt of [{ ln: 16 }, { ln: 14, p: 4 }, { ln: 13, p: 9 }, { ln: 12, p: 32 }, { ln: 17, r: 4 }]) {
    t.match(await failure(() => open({ algorithm: 'scrypt', scrypt })), { code: 'UC_OPTION', message: /weaker than OWASP/ }, JSON.stringify(scrypt))
  }
  t.match(await failure(() => open({ algorithm: 'scrypt', scrypt: { ln: 30 }, weakForTests: true })), { code: 'UC_OPTION', message: /beyond/ })
  const before = process.env.NODE_ENV
  t.teardown(() => { if (before === undefined) delete process.env.NODE_ENV; else process.env.NODE_ENV = before })
  process.env.NODE_ENV = 'production'
  t.match(await failure(() => open(quick)), { code: 'UC_OPTION', message: /NODE_ENV is production/ })
})

t.test('weak parameters of argon2id', argon2, async (t) => {
  for (const [m, time] of [[47104, 1], [19456, 2], [12288, 3], [9216, 4], [7168, 5]]) {
    t.ok(session.passwords({ argon2id: { m, t: time } }), `OWASP: ${m}, ${time}`)
  }
  for (const argon2id of [{ m: 19456, t: 1 }, { m: 7167, t: 10 }, { m: 7168, t: 4 }]) {
    t.match(await failure(() => session.passwords({ argon2id })), { code: 'UC_OPTION', message: /weaker than OWASP/ }, JSON.stringify(argon2id))
  }
})

t.test('options', async (t) => {
  for (const [options, message] of [
    [{ algoritm: 'scrypt' }, /there is no option 'algoritm'/],
    [{ algorithm: 'bcrypt' }, /algorithm/], [{ algorithm: '__proto__' }, /algorithm/],
    [{ algorithm: 'scrypt', scrypt: { n: 1 } }, /there is no option 'n'/],
    [{ ...quick, minLength: 0 }, /minLength/], [{ ...quick, running: 0 }, /running/], [{ ...quick, waiting: -1 }, /waiting/],
    [{ ...quick, timeoutMs: 1.5 }, /timeoutMs/], [null, /an object/], [[], /an object/]
  ]) {
    t.match(await failure(() => session.passwords(options)), { code: 'UC_OPTION', message }, JSON.stringify(options))
  }
})

t.test('the loop goes on meanwhile', async (t) => {
  let isOver = false
  const over = session.passwords({ algorithm: 'scrypt', scrypt: { ln: 14 }, weakForTests: true }).hash('password').then(() => { isOver = true })
  let turns = 0
  while (!isOver) {
    await new Promise(resolve => setImmediate(resolve))
    turns++
  }
  await over
  t.ok(turns > 1, `${turns} turns`)
})

t.test('some at a time, some in a queue, and nobody beyond', async (t) => {
  // Bun does not tell.
  const timers = () => process.getActiveResourcesInfo?.().filter(one => one === 'Timeout').length
  const before = timers()
  const queue = new HashQueue({ running: 2, waiting: 2, timeoutMs: 60_000 })
  const gates = Array.from({ length: 4 }, gate)
  const begun = []
  const calls = gates.map(({ opened }, i) => queue.run(() => {
    begun.push(i)
    return opened
  }))
  t.same(begun, [0, 1], 'two at a time')
  t.match(await failure(queue.run(() => t.fail('it does not run'))), { code: 'UC_BUSY', kind: 'busy', outcome: 'not-run' })
  gates[1].open('b')
  t.equal(await calls[1], 'b')
  t.same(begun, [0, 1, 2], 'in their order')
  gates[0].open(Promise.reject(new Error('no')))
  t.match(await failure(calls[0]), { message: 'no' })
  await Promise.resolve()
  t.same(begun, [0, 1, 2, 3], 'one that fails gives its place back')
  gates[2].open('c')
  gates[3].open('d')
  t.same(await Promise.all(calls.slice(2)), ['c', 'd'])
  t.equal(await queue.run(() => 'e'), 'e', 'all places are free again')
  t.equal(timers(), before, 'and nothing holds the process')
})

t.test('nobody slips in between two of the queue', async (t) => {
  const queue = new HashQueue({ running: 1, waiting: 1000, timeoutMs: 60_000 })
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    await null
    running--
  }
  const calls = []
  for (let i = 0; i < 100; i++) {
    calls.push(queue.run(work))
    await Promise.race([null, calls[i]])
  }
  await Promise.all(calls)
  t.equal(most, 1)
})

t.test('who waits too long is told so, and the others go on', async (t) => {
  const queue = new HashQueue({ running: 1, waiting: 10, timeoutMs: 5 })
  const { opened, open } = gate()
  const first = queue.run(() => opened)
  t.match(await failure(queue.run(() => t.fail('it does not run'))), { code: 'UC_TIMEOUT', outcome: 'not-run' })
  open('a')
  t.equal(await first, 'a', 'what has begun is not given up')
  t.equal(await queue.run(() => 'b'), 'b')
})

t.test('a flood of passwords', async (t) => {
  const passwords = of('scrypt', { running: 2, waiting: 10 })
  const phc = passwords.nobody()
  const found = await outcomes(Array.from({ length: 50 }, () => passwords.verify('password', phc)))
  t.same(found.filter(one => one === 'fulfilled').length, 12)
  t.same(found.filter(one => one === 'UC_BUSY').length, 38)
  t.same(await passwords.verify('password', phc), { ok: false, rehash: false }, 'then it is quiet again')
})

t.test('hashes are compared in constant time', async (t) => {
  const { timingSafeEqual } = crypto
  t.teardown(() => { crypto.timingSafeEqual = timingSafeEqual })
  let calls = 0
  crypto.timingSafeEqual = (...args) => {
    calls++
    return timingSafeEqual(...args)
  }
  await of('scrypt').verify('password', of('scrypt').nobody())
  t.equal(calls, 1)
})
