'use strict'

// The log of a daemon: services that are killed, daemons that are killed, a ring that is full, one
// level for all. What is counted is the lines in the files, by the numbers that their writers gave.

const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const t = require('tap')
const undercroft = require('../..')
const { child, delay, exact, fileTimeoutMs, tmpdir, until, whyNoOtherUser } = require('../helper')
const { budget } = require('../budget')
const { runtimes } = require('../runtimes')
const { start } = require('../daemon/raw')

t.setTimeout(fileTimeoutMs)

const kills = budget.of(120)
const others = runtimes().filter(({ skip }) => !skip)

function logDaemon (t, { dir = tmpdir(t), args = [] } = {}) {
  return start(t, { dir, args: ['--log-dir', path.join(dir, 'logs'), '--log', 'rotateBytes=300000', ...args] })
}

// The lines of the directory, with nobody at work on it.
async function linesIn (dir) {
  const store = undercroft.open({ log: { dir } })
  await store.log.flush({ sync: true })
  await store.close()
  const lines = []
  for (const name of fs.readdirSync(dir)) {
    const file = path.join(dir, name)
    if (!/^app-.*\.log(\.gz)?$/.test(name) || (name.endsWith('.log') && fs.existsSync(`${file}.gz`))) continue
    const bytes = fs.readFileSync(file)
    const text = (name.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString()
    if (text !== '' && !text.endsWith('\n')) throw new Error(`${name} ends with half a line`)
    lines.push(...text.split('\n').slice(0, -1).map((line) => JSON.parse(line)))
  }
  return lines
}

function numbersOf (lines, w) {
  return lines.filter((line) => line.w === w).map(({ n }) => n).sort((a, b) => a - b)
}

// 1 to told, each once, and no more than `more` behind it.
function judge (t, found, told, more, name) {
  const twice = found.length - new Set(found).size
  const lost = told - new Set(found.filter((n) => n <= told)).size
  const beyond = found.filter((n) => n > told + more).length
  if (twice + lost + beyond > 0) t.comment(`${name}: of ${told} lines ${lost} lost, ${twice} twice, ${beyond} beyond`)
  t.ok(twice + lost + beyond === 0, name)
}

// Writes until it is told to end. Notes where a kill cannot reach it how many lines have been
// written with a turn between, and how many calls have returned.
const service = async ({ undercroft, args, say, require }) => {
  const fs = require('node:fs')
  const store = undercroft.open(args.url, { log: args.log })
  const { log } = store
  const out = fs.openSync(args.counter, 'w')
  const told = new Float64Array(2)
  const bytes = new Uint8Array(told.buffer)
  const note = () => fs.writeSync(out, bytes, 0, 16, 0)
  let going = true
  process.stdin.once('data', () => { going = false })
  await log.flush()
  say('going')
  while (going) {
    told[0] = told[1]
    note()
    for (let i = 0; i < args.perTurn; i++) {
      log.info({ w: args.w, n: told[1] + 1 }, 'line')
      told[1]++
      note()
    }
    await new Promise((resolve) => args.pauseMs > 0 ? setTimeout(resolve, args.pauseMs) : setImmediate(resolve))
  }
  told[0] = told[1]
  note()
  await log.flush({ timeoutMs: 20000 })
  await store.close()
  process.stdin.destroy()
}

function begin (t, daemon, w, log, { exec, perTurn = 5, pauseMs = 1 } = {}) {
  const counter = path.join(tmpdir(t), `${w}.counter`)
  fs.writeFileSync(counter, '')
  const process = child(t, service, { exec, args: { url: `ipc://${daemon.socket}`, w, log, counter, perTurn, pauseMs }, deadlineMs: 600000 })
  process.going = new Promise((resolve, reject) => {
    process.proc.stdout.once('data', resolve)
    process.done.then(() => reject(new Error(`${w} ended: ${process.stderr}`)))
  })
  process.going.catch(() => {})
  process.told = () => {
    const bytes = fs.readFileSync(counter)
    return bytes.length < 16 ? [0, 0] : [bytes.readDoubleLE(0), bytes.readDoubleLE(8)]
  }
  return process
}

t.test('the daemon is killed again and again: its services lose nothing', async (t) => {
  let daemon = await logDaemon(t)
  const services = others.flatMap(({ name, exec }) => ['turn', 'line'].map((sync) =>
    begin(t, daemon, `${name}-${sync}`, { sync, bufferBytes: 1 << 28 }, { exec, pauseMs: 5 })))
  const names = others.flatMap(({ name }) => [`${name}-turn`, `${name}-line`])
  await Promise.all(services.map(({ going }) => going))
  for (let i = 0; i < kills; i++) {
    await delay(20 + Math.random() * 100)
    await daemon.stop('SIGKILL')
    if (i % 5 === 4) await delay(50)
    daemon = await logDaemon(t, { dir: daemon.dir })
  }
  for (const one of services) one.proc.stdin.write('end\n')
  await Promise.all(services.map(({ done }) => done))
  t.equal((await daemon.stop()).code, 0)
  const lines = await linesIn(path.join(daemon.dir, 'logs'))
  for (const [i, one] of services.entries()) {
    t.equal(one.code, 0, `${names[i]} ends by itself${one.code === 0 ? '' : one.stderr}`)
    judge(t, numbersOf(lines, names[i]), one.told()[1], 0, `${names[i]}: all ${one.told()[1]} lines, once`)
  }
  exact(t, fs.readdirSync(path.join(daemon.dir, 'logs/.rings/spool')), [], 'nothing is left in spools')
})

t.test('services are killed: the current turn at most, and with sync: line nothing', async (t) => {
  const daemon = await logDaemon(t)
  const all = []
  for (let i = 0; i < kills / 2; i++) {
    const { exec, name } = others[i % others.length]
    const pair = ['turn', 'line'].map((sync) => {
      const w = `${i}-${name}-${sync}`
      const one = begin(t, daemon, w, { sync }, { exec, perTurn: 1 + i * 7 % 50, pauseMs: i % 2 })
      all.push({ w, sync, one, perTurn: 1 + i * 7 % 50 })
      return one
    })
    await Promise.all(pair.map(({ going }) => going))
    await delay(Math.random() * 100)
    for (const one of pair) one.proc.kill('SIGKILL')
    await Promise.all(pair.map(({ done }) => done))
  }
  t.equal((await daemon.stop()).code, 0)
  const lines = await linesIn(path.join(daemon.dir, 'logs'))
  const total = all.reduce((sum, { one }) => sum + one.told()[1], 0)
  t.ok(total > 10 * all.length, `they have written, ${total} lines together`)
  for (const { w, sync, one, perTurn } of all) {
    const [turn, returned] = one.told()
    if (sync === 'line') judge(t, numbersOf(lines, w), returned, 1, `${w}: each of ${returned} calls that returned`)
    else judge(t, numbersOf(lines, w), turn, perTurn, `${w}: all ${turn} of turns that were over`)
  }
})

t.test('services are killed while the daemon stands still', async (t) => {
  const daemon = await logDaemon(t)
  const pair = ['turn', 'line'].map((sync) => begin(t, daemon, `stopped-${sync}`, { sync, bufferBytes: 1 << 26 }, { perTurn: 200, pauseMs: 0 }))
  await Promise.all(pair.map(({ going }) => going))
  daemon.proc.kill('SIGSTOP')
  // More than a socket takes.
  await until(() => pair.every((one) => one.told()[0] > 20000), 'they go on writing', 60000)
  for (const one of pair) one.proc.kill('SIGKILL')
  await Promise.all(pair.map(({ done }) => done))
  daemon.proc.kill('SIGCONT')
  t.equal((await daemon.stop()).code, 0)
  const lines = await linesIn(path.join(daemon.dir, 'logs'))
  judge(t, numbersOf(lines, 'stopped-turn'), pair[0].told()[0], 200, 'what a turn has written is there')
  judge(t, numbersOf(lines, 'stopped-line'), pair[1].told()[1], 1, 'what a call has written is there')
})

for (const [name, exec] of others.map(({ name, exec }) => [name, exec])) {
  t.test(`process.exit at once, on ${name}`, async (t) => {
    const daemon = await logDaemon(t)
    const result = child(t, async ({ undercroft, args }) => {
      const { log } = undercroft.open(args.url)
      await log.flush()
      for (let n = 1; n <= 1000; n++) log.info({ w: 'w', n }, 'line')
      process.exit(3)
    }, { exec, args: { url: `ipc://${daemon.socket}` } })
    await result.done
    t.equal(result.code, 3)
    const idle = child(t, async ({ undercroft, args }) => {
      const { log } = undercroft.open(args.url)
      for (let n = 1; n <= 1000; n++) log.info({ w: 'idle', n }, 'line')
    }, { exec, args: { url: `ipc://${daemon.socket}` } })
    await idle.done
    t.equal(idle.code, 0, 'a process with nothing else to do waits for the daemon, and ends')
    t.equal((await daemon.stop()).code, 0)
    const lines = await linesIn(path.join(daemon.dir, 'logs'))
    judge(t, numbersOf(lines, 'w'), 1000, 0, 'every line')
    judge(t, numbersOf(lines, 'idle'), 1000, 0, 'of both')
  })
}

t.test('a full ring: lines wait in their process, are dropped beyond its limit, and that is told', async (t) => {
  const dir = tmpdir(t)
  const logs = path.join(dir, 'logs')
  // Somebody else owns the files, and stands still.
  const owner = child(t, async ({ undercroft, args, say }) => {
    const { log } = undercroft.open({ log: { dir: args.dir } })
    log.info('first')
    await log.flush()
    say('going')
    setInterval(() => {}, 1000)
  }, { args: { dir: logs }, deadlineMs: 120000 })
  await new Promise((resolve) => { owner.proc.stdout.once('data', resolve) })
  owner.proc.kill('SIGSTOP')
  const daemon = await logDaemon(t, { dir, args: ['--log', 'ringBytes=65536'] })
  const store = undercroft.open(`ipc://${daemon.socket}`, { log: { bufferBytes: 1 << 18 } })
  t.teardown(() => store.destroy())
  const { log } = store
  const stats = async () => log.stats()
  let n = 0
  while ((await stats()).dropped === 0) {
    for (let i = 0; i < 200; i++) log.info({ w: 'w', n: ++n }, 'line')
    await delay(1)
  }
  const before = await stats()
  t.ok(before.waitingBytes <= 1 << 18, 'no more is kept than may be')
  owner.proc.kill('SIGCONT')
  await log.flush({ timeoutMs: 20000 })
  log.info({ w: 'w', n: 0 }, 'last')
  await log.flush()
  const after = await stats()
  t.equal(after.waiting, 0, 'all that was kept is there')
  await store.close()
  owner.proc.kill('SIGKILL')
  await owner.done
  t.equal((await daemon.stop()).code, 0)
  const lines = await linesIn(logs)
  const told = lines.reduce((sum, line) => sum + (line.dropped ?? 0), 0)
  const found = numbersOf(lines, 'w')
  t.equal(told, after.dropped, 'as many as are told to be')
  t.equal(found.length + told, n + 1, 'are lacking')
  t.equal(new Set(found).size, found.length, 'and none is there twice')
})

t.test('the level of all processes', async (t) => {
  let daemon = await logDaemon(t)
  const url = `ipc://${daemon.socket}`
  const [one, two] = [undercroft.open(url), undercroft.open(url, { log: { level: 'warn' } })]
  t.teardown(() => { one.destroy(); two.destroy() })
  await Promise.all([one.log.flush(), two.log.flush()])
  exact(t, [one.log.level, two.log.level], ['info', 'warn'], 'each has its own')
  await one.log.setLevel('debug', { everywhere: true })
  await until(() => two.log.level === 'debug', 'the other one hears of it')
  const late = undercroft.open(url)
  t.teardown(() => late.destroy())
  await late.log.flush()
  t.equal(late.log.level, 'debug', 'and who comes later')
  await two.log.setLevel('silent', { everywhere: true })
  await until(() => one.log.level === 'silent' && late.log.level === 'silent', 'silent, too')
  await daemon.stop('SIGKILL')
  daemon = await logDaemon(t, { dir: daemon.dir })
  await until(() => one.log.level === 'info' && two.log.level === 'warn', 'a daemon that begins anew knows of none')
  await Promise.all([one.close(), two.close(), late.close()])
})

t.test('a service of another user, who may not write to the log\'s directory', { skip: whyNoOtherUser() }, async (t) => {
  const nobody = 65534
  const dir = tmpdir(t)
  fs.chmodSync(dir, 0o755)
  const daemon = await logDaemon(t, { dir, args: ['--mode', '0666', '--allow-uid', String(nobody)] })
  const result = child(t, async ({ undercroft, args }) => {
    const { log } = undercroft.open(args.url, { log: { sync: 'line' } })
    log.info({ w: 'sent', n: 1 }, 'line')
    await log.flush()
    log.info({ w: 'left', n: 1 }, 'line')
    process.exit(3)
  }, { uid: nobody, args: { url: `ipc://${daemon.socket}` } })
  await result.done
  t.equal(result.code, 3, result.stderr)
  t.match(result.stderr, /^[{][^\n]*"w":"left","n":1[^\n]*\n$/, 'what was not sent is told')
  t.equal((await daemon.stop()).code, 0)
  const lines = await linesIn(path.join(dir, 'logs'))
  exact(t, [numbersOf(lines, 'sent'), numbersOf(lines, 'left')], [[1], []])
})

t.test('a daemon without a log', async (t) => {
  const daemon = await start(t)
  const result = child(t, async ({ undercroft, args }) => {
    const store = undercroft.open(args.url)
    store.log.info({ n: 1 }, 'before')
    await store.log.flush()
    store.log.info({ n: 2 }, 'after')
    await store.close()
  }, { args: { url: `ipc://${daemon.socket}` } })
  await result.done
  t.equal(result.code, 0)
  exact(t, result.lines.map((line) => JSON.parse(line).n), [1, 2], 'stdout has the lines')
  t.match(result.stderr, /^undercroft: the daemon keeps no log [^\n]*\n$/, 'which is said once')
})
