'use strict'
// The log of a daemon, from outside: its options, its operations with what no client of ours
// sends, what lies in the directory when it starts, and its own messages.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const helper = require('../helper')
const { connect, start } = require('./raw')
const { ops } = require('../../lib/wire/ops')

const id = (n) => Buffer.alloc(16, n)
const bin = (text) => Buffer.from(text)
const lines = (from, to) => bin(Array.from({ length: to - from + 1 }, (_, i) => `{"n":${from + i}}\n`).join(''))
const put = (client, from, to) => client.ask(ops.LOG_PUT, [to, to - from + 1, lines(from, to)])
const MAGIC = 0x50534355

t.setTimeout(helper.fileTimeoutMs)

function logDaemon (t, options = {}) {
  const dir = options.dir ?? helper.tmpdir(t)
  return start(t, { ...options, dir, args: ['--log-dir', path.join(dir, 'logs'), ...(options.args ?? [])] })
}

// What is in the files after the daemon has ended.
function textOf (daemon) {
  const dir = path.join(daemon.dir, 'logs')
  return fs.readdirSync(dir).filter(name => /^app-.*\.log$/.test(name)).sort()
    .map(name => fs.readFileSync(path.join(dir, name), 'utf8')).join('')
}

function numbersIn (text) {
  return text.split('\n').filter(line => line.startsWith('{"n":')).map(line => JSON.parse(line).n)
}

t.test('without a log', async t => {
  const daemon = await start(t)
  const client = await connect(t, daemon)
  for (const [op, args] of [[ops.LOG_OPEN, [id(1)]], [ops.LOG_PUT, [1, 1, bin('\n')]], [ops.LOG_LEVEL, [30]], [ops.LOG_WATCH, [0]], [ops.LOG_FLUSH, [true]], [ops.LOG_STATS, []]]) {
    t.match((await client.ask(op, args)).value, { code: 'UC_NO_LOG', kind: 'usage', outcome: 'not-run' })
  }
  t.equal((await daemon.stop()).code, 0)
})

t.test('options', async t => {
  const dir = helper.tmpdir(t)
  const logs = path.join(dir, 'logs')
  const file = path.join(dir, 'file')
  fs.writeFileSync(file, '')
  const cases = [
    [['--log', 'name=a'], 2, /--log is about the log of --log-dir/],
    [['--log-dir', logs, '--log', 'nonsense=1'], 2, /--log nonsense=1: expected option=value/],
    [['--log-dir', logs, '--log', 'compress=rar'], 2, /--log compress=rar: .*'none', 'gzip' or 'zstd'/],
    [['--log-dir', logs, '--log', 'ringBytes=many'], 2, /--log ringBytes=many: .*number of bytes/],
    [['--log-dir', logs, '--log', 'keepDays=-1'], 2, /--log keepDays=-1: expected a number of days/],
    [['--log-dir', logs, '--log', 'slowMs=soon'], 2, /--log slowMs=soon: expected milliseconds/],
    [['--log-dir', logs, '--log', 'ringBytes=1'], 6, /cannot open the log in .*: log\.ringBytes/],
    [['--log-dir', logs, '--log', 'name=../a'], 6, /cannot open the log in .*name/],
    [['--log-dir', file], 6, /cannot open the log in /]
  ]
  for (const [args, code, message] of cases) {
    const daemon = await start(t, { dir, args, ready: false })
    t.equal((await daemon.done).code, code, args.join(' '))
    t.match(daemon.stderr, message)
  }
  const daemon = await logDaemon(t, { dir, args: ['--log', 'name=web', '--log', 'rotateDaily=false', '--log', 'compress=none', '--log', 'keepDays=1'] })
  t.equal((await daemon.stop()).code, 0)
  t.match(fs.readdirSync(logs).join(' '), /\bweb-\d{4}-\d\d-\d\d\.1\.log\b/)
})

t.test('numbers: what is there already is not taken twice', async t => {
  const daemon = await logDaemon(t)
  const [a, b] = await Promise.all([connect(t, daemon), connect(t, daemon)])
  t.match((await put(a, 1, 1)).value, { code: 'UC_FRAME' }, 'log_open comes first')
  t.same((await a.ask(ops.LOG_OPEN, [id(1)])).value.slice(0, 2), [0, 0])
  t.equal((await put(a, 1, 10)).value, 10)
  t.equal((await put(a, 1, 10)).value, 10, 'again')
  t.equal((await put(a, 6, 20)).value, 20, 'half of it again')
  await b.ask(ops.LOG_OPEN, [id(2)])
  t.equal((await put(b, 101, 110)).value, 110, 'another client has numbers of its own, from wherever')
  await a.destroy()
  const c = await connect(t, daemon)
  const [seen, , , dir] = (await c.ask(ops.LOG_OPEN, [id(1)])).value
  t.equal(seen, 20, 'on the next connection')
  t.equal(dir, fs.realpathSync(path.join(daemon.dir, 'logs')))
  const many = lines(21, 40_000)
  t.equal((await c.ask(ops.LOG_PUT, [40_000, 39_980, many])).value, 40_000, 'more than one record')
  t.equal((await c.ask(ops.LOG_FLUSH, [true])).kind, 'value')
  t.same(numbersIn(textOf(daemon)).sort((x, y) => x - y), [...Array.from({ length: 40_000 }, (_, i) => i + 1), ...Array.from({ length: 10 }, (_, i) => 101 + i)].sort((x, y) => x - y), 'after a flush they are in the file')
  const stats = async () => (await c.ask(ops.LOG_STATS)).value
  await helper.until(async () => (await stats()).clients === 2, 'the connection that has ended is cleared away')
  t.match(await stats(), { owner: true, stalled: false, dropped: 0, clients: 2, error: '' })
  t.equal((await daemon.stop()).code, 0)
})

t.test('a ring that is too small for what comes at once', async t => {
  const daemon = await logDaemon(t, { args: ['--log', 'ringBytes=65536'] })
  const client = await connect(t, daemon)
  await client.ask(ops.LOG_OPEN, [id(1)])
  // In one write, so that the later ones are there when the first has found no room.
  client.socket.cork()
  const sent = Array.from({ length: 40 }, (_, i) => put(client, i * 1000 + 1, i * 1000 + 1000))
  client.socket.uncork()
  const replies = await Promise.all(sent)
  const refused = replies.findIndex(reply => reply.kind === 'error')
  t.ok(refused >= 0, 'some are refused')
  t.ok(replies.slice(refused).every(({ value }) => value.code === 'UC_BUSY' && value.retryable), 'and all that come behind')
  for (let i = refused; i < 40;) {
    const reply = await put(client, i * 1000 + 1, i * 1000 + 1000)
    if (reply.kind === 'value') i++
    else await helper.delay(2)
  }
  t.equal((await client.ask(ops.LOG_FLUSH, [false])).kind, 'value')
  const long = bin(`{"n":0,"text":"${'x'.repeat(20_000)}"}\n`)
  t.equal((await client.ask(ops.LOG_PUT, [40_003, 3, Buffer.concat([bin('{"n":40001}\n'), long, bin('{"n":40003}\n')])])).value, 40_003, 'a line that does not fit at all is left out')
  t.equal((await daemon.stop()).code, 0)
  const text = textOf(daemon)
  t.same(numbersIn(text), [...Array.from({ length: 40_001 }, (_, i) => i + 1), 40_003], 'all of them, in order, once')
  t.match(text, /1 lines were dropped: they are too long for the ring/, 'which is told')
})

t.test('frames that are wrong', async t => {
  const daemon = await logDaemon(t)
  const client = await connect(t, daemon)
  for (const bad of [null, 1, 'x'.repeat(16), Buffer.alloc(15), Buffer.alloc(17), [id(1)]]) {
    t.match((await client.ask(ops.LOG_OPEN, [bad])).value, { code: 'UC_FRAME' })
  }
  await client.ask(ops.LOG_OPEN, [id(1)])
  const bad = {
    'no line end': [1, 1, bin('{"n":1}')],
    'fewer lines than it says': [2, 2, bin('{"n":1}\n')],
    'more lines than it says': [1, 1, bin('{"n":1}\n{"n":2}\n')],
    'no lines': [0, 0, bin('')],
    'numbers below 1': [1, 2, bin('\n\n')],
    'a number beyond all': [2n ** 63n - 1n + 1n - 1n, 2 ** 32 - 1, bin('\n')],
    'a count below 0': [1, -1, bin('\n')],
    text: [1, 1, '{"n":1}\n'],
    nil: [1, 1, null]
  }
  for (const [name, args] of Object.entries(bad)) t.match((await client.ask(ops.LOG_PUT, args)).value, { code: 'UC_FRAME', outcome: 'not-run' }, name)
  for (const level of [-1, 1_000_001, 1.5, 'info', []]) t.match((await client.ask(ops.LOG_LEVEL, [level])).value, { code: 'UC_FRAME' }, `level ${level}`)
  for (const op of [ops.LOG_WATCH, ops.LOG_FLUSH]) t.match((await client.ask(op, ['x'])).value, { code: 'UC_FRAME' })
  t.match((await client.ask(ops.LOG_PUT, [1, 1])).value, { code: 'UC_FRAME' }, 'an argument is lacking')
  t.match((await client.ask(ops.LOG_PUT, [1, 1, bin('\n')], { meta: { r: true } })).value, { code: 'UC_NOT_REPEATED' })
  t.equal((await put(client, 1, 1)).value, 1, 'nothing of it was taken')
  t.same(numbersIn(textOf(await daemon.stop().then(() => daemon))), [1])
})

t.test('levels and who waits for them', async t => {
  const daemon = await logDaemon(t, { args: ['--drain-ms', '60000'] })
  const [a, b] = await Promise.all([connect(t, daemon), connect(t, daemon)])
  const [level, generation] = (await a.ask(ops.LOG_LEVEL, [null])).value
  t.equal(level, 0)
  const waiting = a.ask(ops.LOG_WATCH, [generation])
  const other = a.ask(ops.LOG_WATCH, [generation], { id: 900 })
  await a.ask(ops.PING, [])
  t.same((await b.ask(ops.LOG_LEVEL, [20])).value, [20, generation + 1])
  t.same([(await waiting).value, (await other).value], [[20, generation + 1], [20, generation + 1]])
  t.same((await b.ask(ops.LOG_LEVEL, [20])).value, [20, generation + 1], 'the same again is no news')
  t.same((await a.ask(ops.LOG_WATCH, [generation])).value, [20, generation + 1], 'who comes late is told at once')
  const ended = a.ask(ops.LOG_WATCH, [generation + 1], { id: 901 })
  a.send(ops.CANCEL, [901, 0], { id: 0 })
  t.match((await ended).value, { code: 'UC_ABORTED' })
  const stand = Array.from({ length: 64 }, () => a.ask(ops.LOG_WATCH, [generation + 1]))
  t.match((await a.ask(ops.LOG_WATCH, [generation + 1])).value, { code: 'UC_BUSY' }, 'as many as may stand')
  const gone = await connect(t, daemon)
  gone.ask(ops.LOG_WATCH, [generation + 1])
  await gone.ask(ops.PING, [])
  await gone.destroy()
  t.equal((await daemon.stop()).code, 0, 'an end does not wait for them')
  t.match((await stand[0])?.value, { code: 'UC_CLOSED' })
})

// ---- the directory ---------------------------------------------------------------------

function record (last, text, { magic = MAGIC, length, count } = {}) {
  const bytes = bin(text)
  const head = Buffer.alloc(24)
  head.writeUInt32LE(magic, 0)
  head.writeUInt32LE(length ?? bytes.length, 4)
  head.writeUInt32LE(count ?? text.split('\n').length - 1, 8)
  head.writeBigUInt64LE(BigInt(last), 16)
  return Buffer.concat([head, bytes, Buffer.alloc(-bytes.length & 7)])
}

t.test('what lies in spools when it starts', async t => {
  const dir = helper.tmpdir(t)
  const spool = path.join(dir, 'logs/.rings/spool')
  const first = await logDaemon(t, { dir })
  const client = await connect(t, first)
  await client.ask(ops.LOG_OPEN, [id(1)])
  await put(client, 1, 3)
  t.equal((await first.stop('SIGKILL')).signal, 'SIGKILL')
  const name = (n) => path.join(spool, id(n).toString('hex'))
  // It has 1 to 3 already; then a record that is cut off.
  fs.writeFileSync(`${name(1)}.done`, Buffer.concat([record(2, '{"n":1}\n{"n":2}\n'), record(5, '{"n":4}\n{"n":5}\n'), record(6, '{"n":6}\n').subarray(0, 30)]))
  fs.writeFileSync(name(2), record(7, '{"n":7}\n'))
  const old = name(3)
  fs.writeFileSync(old, record(8, '{"n":8}\n'))
  fs.utimesSync(old, 1, 1)
  const bad = {
    4: Buffer.alloc(100_000, 0xa5),
    5: record(1, '{"n":-1}\n', { length: 0xffffffff }),
    6: record(1, '{"n":-1}\n', { count: 2 }),
    7: record(0, '{"n":-1}\n'),
    8: record(9, 'no line end'),
    9: record(9, '{"n":-1}\n', { magic: 1 }),
    10: Buffer.alloc(0)
  }
  for (const [n, bytes] of Object.entries(bad)) fs.writeFileSync(`${name(Number(n))}.done`, bytes)
  fs.symlinkSync('/etc/passwd', `${name(11)}.done`)
  fs.mkdirSync(`${name(12)}.done`)
  fs.writeFileSync(path.join(spool, 'notes.txt'), 'not ours')
  const daemon = await logDaemon(t, { dir })
  const again = await connect(t, daemon)
  t.equal((await again.ask(ops.LOG_OPEN, [id(1)])).value[0], 5)
  t.equal((await again.ask(ops.LOG_OPEN, [id(2)])).value[0], 7)
  t.same(new Set(fs.readdirSync(spool)), new Set([path.basename(name(2)), `${path.basename(name(11))}.done`, `${path.basename(name(12))}.done`, 'notes.txt']), 'what was taken in is gone, but for that of a client that may be there')
  t.equal((await daemon.stop()).code, 0)
  t.same(numbersIn(textOf(daemon)).sort(), [1, 2, 3, 4, 5, 7, 8], 'each line once')
})

t.test('spools of any size, a step at a time', async t => {
  const dir = helper.tmpdir(t)
  const spool = path.join(dir, 'logs/.rings/spool')
  fs.mkdirSync(spool, { recursive: true })
  const file = path.join(spool, `${id(1).toString('hex')}.done`)
  // 137 MiB in records as clients write them, one of which is longer than what is read at once.
  const pad = 'x'.repeat(4000)
  let last = 0
  const batch = (count) => {
    let text = ''
    for (let i = 0; i < count; i++) text += `{"n":${++last},"pad":"${pad}"}\n`
    return record(last, text)
  }
  const fd = fs.openSync(file, 'w')
  for (const count of [1, 500, ...new Array(1150).fill(32)]) fs.writeSync(fd, batch(count))
  fs.writeSync(fd, Buffer.alloc(33, 1))
  fs.closeSync(fd)
  t.ok(fs.statSync(file).size > 137 << 20)
  const directory = path.join(spool, `${id(2).toString('hex')}.done`)
  fs.mkdirSync(directory)

  const daemon = await logDaemon(t, { dir, args: ['--log', 'compress=none', '--log', 'rotateBytes=0'] })
  const client = await connect(t, daemon)
  let longest = 0
  await helper.until(async () => {
    const began = performance.now()
    await client.ask(ops.PING, [1])
    longest = Math.max(longest, performance.now() - began)
    return !fs.existsSync(file)
  }, 'it is taken in', 60_000)
  t.comment(`the longest answer took ${Math.round(longest)} ms`)
  t.equal((await daemon.stop()).code, 0)
  const text = textOf(daemon)
  const found = numbersIn(text)
  t.ok(found.length === last && found.every((n, i) => n === i + 1), `${last} lines, in order, once`)
  t.match(text, /33 bytes that a client has left in .*\.done could not be read/, 'what is no line is told')
  t.equal(text.match(/cannot be taken in: /g)?.length, 1, 'so is what cannot be taken in, once')
})

t.test('SIGHUP, and messages of its own', async t => {
  const daemon = await logDaemon(t)
  const client = await connect(t, daemon)
  await client.ask(ops.LOG_OPEN, [id(1)])
  await put(client, 1, 1)
  await client.ask(ops.LOG_FLUSH, [false])
  const logs = path.join(daemon.dir, 'logs')
  const current = path.join(logs, fs.readlinkSync(path.join(logs, 'current')))
  const moved = path.join(daemon.dir, 'moved.log')
  fs.renameSync(current, moved)
  daemon.proc.kill('SIGHUP')
  let last = 1
  await helper.until(async () => {
    await put(client, ++last, last)
    await client.ask(ops.LOG_FLUSH, [false])
    return fs.existsSync(path.join(logs, 'current'))
  }, 'there is a file again')
  const bad = await connect(t, daemon)
  bad.write(bin('garbage garbage garbage'))
  await bad.closed
  t.equal((await daemon.stop()).code, 0)
  const before = fs.readFileSync(moved, 'utf8')
  const after = textOf(daemon)
  const numbers = [...numbersIn(before), ...numbersIn(after)]
  t.same(numbers, Array.from({ length: last }, (_, i) => i + 1), 'no line is lost between the files')
  t.ok(numbersIn(after).includes(last), 'the new one has the rest')
  const own = (before + after).split('\n').filter(line => line.includes('"undercroftd"')).map(line => JSON.parse(line))
  t.match(own[0], { level: 30, pid: daemon.pid, time: Number, hostname: String, name: 'undercroftd', msg: /^serving on ipc:/ })
  t.ok(own.some(line => line.level === 40 && /is closed/.test(line.msg)), 'what it warns of')
  t.match(own.at(-1).msg, /shutting down/)
  t.match(daemon.stderr, /^undercroftd: serving on /m, 'stderr has it as well')
})

t.test('slow statements, with the ids of the work that they belong to', async t => {
  const slow = 'with recursive c(x) as (select 1 union all select x + 1 from c where x < 200000) select count(*) as n from c'
  const daemon = await logDaemon(t, { args: ['--log', 'slowMs=1'] })
  const store = open(`ipc://${daemon.socket}`)
  const span = store.log.span('work')
  await span.run(() => store.db.get(slow))
  await span.run(() => store.db.exec(`${slow}; select '"${'é'.repeat(2000)}'`))
  await store.db.get(slow)
  for (let i = 0; i < 20; i++) await store.db.get('select 1')
  await store.db.batch([[slow], ['select 2']])
  await store.db.exec('create table if not exists slow_one(a)')
  await store.db.all(`select n from (${slow}) union all select 2`)
  await store.db.run(`insert into slow_one select n from (${slow}) union all select 2 union all select 3`)
  await store.db.many(`insert into slow_one select n + ? from (${slow})`, [[1], [2]])
  for await (const row of store.db.iterate(`select n from (${slow}) union all select 2`)) t.ok(row)
  const failed = await helper.failure(store.db.get(`select abs(-9223372036854775808) from (${slow})`))
  t.equal(failed.code, 'SQLITE_ERROR')
  await store.close()
  t.equal((await daemon.stop()).code, 0)
  const all = textOf(daemon).trim().split('\n').map(JSON.parse).filter(({ msg }) => msg === 'slow statement')
  const found = all.filter(({ sql }) => sql === undefined || sql.includes('recursive'))
  t.ok(all.length - found.length < 20, 'a busy machine may make one of them slow, not each')
  t.match(found, [
    { level: 40, name: 'undercroftd', sql: slow, op: 'get', ms: Number, rows: 1, traceId: span.traceId, spanId: span.spanId },
    { op: 'exec', rows: 0, traceId: span.traceId, sql: /^with recursive.*"é+…$/s },
    { op: 'get', traceId: undefined },
    { op: 'batch', sql: undefined },
    { op: 'all', rows: 2 },
    { op: 'run', rows: 3 },
    { op: 'many', rows: 2 },
    { op: 'cursor_open', rows: undefined },
    { op: 'get', rows: undefined }
  ])
  t.equal(found.length, 9)

  const client = await connect(t, await logDaemon(t))
  for (const trace of [Buffer.alloc(23), Buffer.alloc(25), 'a'.repeat(24), 1]) {
    t.match((await client.ask(ops.PING, [1], { meta: { w: trace } })).value, { code: 'UC_FRAME' }, 'ids of another size')
  }
  t.equal((await client.ask(ops.PING, [1], { meta: { w: Buffer.alloc(24) } })).value, 1)
})
