'use strict'

// Servers that are none: whatever they send ends that connection alone, with an error that says so, and
// what comes next is well.

const net = require('node:net')
const t = require('tap')
const { failure, fileTimeoutMs, delay } = require('../helper')
const { newSeed, random } = require('../random')
const { store } = require('./common')

t.setTimeout(fileTimeoutMs)

const message = (type, ...parts) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
const i32 = (n) => [n >>> 24 & 255, n >>> 16 & 255, n >>> 8 & 255, n & 255]
const cells = (...texts) => message('D', [0, texts.length], ...texts.flatMap((text) => [i32(text.length), text]))

const PID = 4711
const READY = message('Z', 'I')
const GREETING = Buffer.concat([
  message('R', i32(0)), message('S', 'client_encoding\0UTF8\0'), message('S', 'DateStyle\0ISO, MDY\0'),
  message('S', 'server_version\0' + '15.1\0'), message('K', i32(PID), i32(1)), READY
])
const COLUMN = message('T', [0, 1], 'a\0', i32(0), [0, 0], i32(23), [0, 4], i32(-1), [0, 0])

// What a server says to each kind of message; the facts of a connection first.
function answer (type, text) {
  if (type === 'Q' && /pg_backend_pid/.test(text)) return Buffer.concat([message('T', [0, 0]), cells(String(PID), 'f', 'off', 'on', '150001', 'f'), message('C', 'SELECT 1\0'), READY])
  if (type === 'Q') return Buffer.concat([message('C', 'SET\0'), READY])
  return { P: message('1'), D: Buffer.concat([message('t', [0, 0]), COLUMN]), B: message('2'), E: Buffer.concat([cells('7'), message('C', 'SELECT 1\0')]), S: READY, C: message('3') }[type]
}

// A server that speaks well until `wrong(state)` gives it other bytes to say, and closes then. What is well, `says` tells.
async function fake (t, wrong, says = answer) {
  const state = { connections: 0, asked: 0 }
  const sockets = new Set()
  const server = net.createServer((socket) => {
    const mine = { number: ++state.connections, greeted: false }
    let rest = Buffer.alloc(0)
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data])
      for (;;) {
        if (!mine.greeted) {
          if (rest.length < 4 || rest.length < rest.readUInt32BE(0)) return
          rest = rest.subarray(rest.readUInt32BE(0))
          mine.greeted = true
          const bytes = wrong({ ...state, ...mine, type: '' })
          if (bytes !== undefined) return socket.end(bytes)
          socket.write(GREETING)
          continue
        }
        if (rest.length < 5 || rest.length < rest.readUInt32BE(1) + 1) return
        const type = String.fromCharCode(rest[0])
        const body = rest.subarray(5, rest.readUInt32BE(1) + 1)
        rest = rest.subarray(rest.readUInt32BE(1) + 1)
        if (type === 'X') return socket.end()
        state.asked += type === 'E'
        const bytes = wrong({ ...state, ...mine, type, text: body.toString('latin1') })
        if (bytes !== undefined) return socket.end(bytes)
        socket.write(says(type, body.toString('latin1'), mine))
      }
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `postgres://user@127.0.0.1:${server.address().port}/db?sslmode=disable&connect_timeout=5`, state }
}

t.test('a server that speaks well', async (t) => {
  const { url } = await fake(t, () => undefined)
  const { db } = store(t, url)
  t.same(await db.all('select a from t'), [{ a: 7 }])
})

t.test('a transaction whose end fails is rolled back before another has its connection', async (t) => {
  const error = (state) => Buffer.concat([message('E', `SERROR\0C${state}\0Mno\0\0`), message('Z', 'E')])
  const seen = []
  const { url } = await fake(t, () => undefined, (type, text, mine) => {
    if (type !== 'Q' || !/^(begin|commit|rollback)/.test(text)) return answer(type, text)
    const [verb] = text.match(/^\w+/)
    seen.push(`${mine.number} ${verb}`)
    if (verb === 'begin' && mine.aborted) return error('25P02')
    mine.aborted = verb === 'commit' && seen.filter((one) => one.endsWith('commit')).length === 1
    if (mine.aborted) return error('57014')
    return Buffer.concat([message('C', `${verb.toUpperCase()}\0`), message('Z', verb === 'begin' ? 'T' : 'I')])
  })
  const { db } = store(t, url)
  t.equal((await failure(db.transaction(async () => {}))).sqlstate, '57014', 'as a cancel does it')
  t.equal(await db.transaction(async () => 'done'), 'done', 'the next one finds none')
  const [, number] = seen[0].match(/^(\d+)/)
  t.same(seen, ['begin', 'commit', 'rollback', 'begin', 'commit'].map((verb) => `${number} ${verb}`), 'on the same connection')
})

const ROWS = {
  'bytes of another protocol': 'HTTP/1.1 400 Bad Request\r\n\r\n',
  'a message of 4 GiB': Buffer.from([68, 255, 255, 255, 255]),
  'a message of 2 GiB': Buffer.from([84, 127, 255, 255, 255]),
  'a length below itself': Buffer.from([68, 0, 0, 0, 0]),
  'a row that is longer than its message': message('D', [0, 1], i32(100), 'x'),
  'a row of more cells than there are': message('D', [255, 255], i32(1), 'x'),
  'a row of a negative length': message('D', [0, 1], i32(-2)),
  'a description of 65535 columns': message('T', [255, 255]),
  'a half of a description': message('T', [0, 1], 'a'),
  'a row before its time': cells('1'),
  'an end before its time': READY,
  'an error without a state': message('E', 'Mno\0\0'),
  'an error without an end': message('E', 'SERROR'),
  'a message that nobody knows': message('~', 'x'),
  copying: message('G', [0, 0, 0]),
  nothing: ''
}

for (const [name, bytes] of Object.entries(ROWS)) {
  t.test(name, async (t) => {
    const first = await fake(t, ({ number }) => number <= 2 ? Buffer.from(bytes) : undefined)
    const error = await failure(store(t, first.url).db.get('select a from t'))
    t.equal(error.kind, 'connection', `at the greeting: ${error.message}`)
    const at = await fake(t, ({ type, text, asked }) => type === 'B' && /u\d/.test(text) && asked < 1 ? Buffer.from(bytes) : undefined)
    const { db } = store(t, at.url)
    await db.health()
    const one = await db.get('select a from t').catch((error) => error)
    if (one instanceof Error) t.ok(['connection', 'internal'].includes(one.kind), `at the rows: ${one.code} ${one.message}`)
  })
}

t.test('bytes at random, again and again', async (t) => {
  const seed = newSeed()
  const pick = random(seed)
  t.comment(`UNDERCROFT_SEED=${seed}`)
  const bytes = () => {
    const all = [message('1'), COLUMN, message('t', [0, 0]), message('2'), cells('7'), message('C', 'SELECT 1\0'), READY, message('n'), message('E', 'SERROR\0C26000\0Mx\0\0'), message('E', 'SFATAL\0C57P01\0Mx\0\0')]
    const out = Buffer.concat(Array.from({ length: 1 + pick(9) }, () => all[pick(all.length)]))
    for (let i = pick(4); i > 0; i--) out[pick(out.length)] = pick(256)
    return out.subarray(0, 1 + pick(out.length))
  }
  let isWell = false
  const { url, state } = await fake(t, ({ type, text }) => isWell || type !== 'B' || !/u\d/.test(text) ? undefined : bytes())
  const { db } = store(t, url)
  await db.health()
  let ended = 0
  for (let i = 0; i < 60; i++) {
    await Promise.all(Array.from({ length: 5 }, () => db.all('select a from t', [], { timeoutMs: 2000 }).then(() => ended++, () => ended++)))
  }
  t.equal(ended, 300, `all end, over ${state.connections} connections`)
  isWell = true
  await delay(50)
  for (let i = 0; ; i++) {
    const rows = await db.all('select a from t').catch((error) => error)
    if (!(rows instanceof Error)) { t.same(rows, [{ a: 7 }]); break }
    if (i > 50) throw rows
    await delay(20)
  }
})

// What ends the connection is nobody's own failure: what shared its transaction, or waited for its commit,
// may be there, and is not sent again.
const GONE = {
  'a pooler that has lost its server': 'SFATAL\0C08P01\0Mserver conn crashed?\0\0',
  'a server that panics': 'SPANIK\0VPANIC\0CXX000\0Mcould not write\0\0',
  'a server that has crashed': 'SFATAL\0VFATAL\0C57P02\0Mcrash\0\0'
}

for (const [who, text] of Object.entries(GONE)) {
  for (const where of ['statement', 'Sync', 'COMMIT']) {
    t.test(`${who}, at the ${where} of a write`, async (t) => {
      const writes = []
      let isOver = false
      const { url } = await fake(t, ({ number, type, text: said }) => {
        if (type === 'P' && /insert into t/.test(said)) writes.push(number)
        if (isOver) return undefined
        isOver = writes.length > 0 && (where === 'COMMIT' ? type === 'Q' && /commit/.test(said) : type === (where === 'Sync' ? 'S' : 'E'))
        return isOver ? message('E', text) : undefined
      })
      const { db } = store(t, url)
      await db.health()
      const insert = (on, n) => on.run(`insert into t values (${n})`)
      const all = where === 'COMMIT'
        ? [db.transaction((tx) => insert(tx, 1))]
        : [insert(db, 1), insert(db, 2), insert(db, 3)]
      const errors = await Promise.all(all.map((one) => failure(one)))
      t.same(errors.map(({ kind, outcome }) => `${kind} ${outcome}`), all.map(() => 'connection unknown'), errors[0].message)
      t.same(await db.get('select a from t'), { a: 7 }, 'what comes next is well')
      await db.run('update t set a = 1')
      t.same(writes.filter((number) => number !== writes[0]), [], 'nothing was sent again, on another connection')
    })
  }
}
