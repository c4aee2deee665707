'use strict'

// The log and the ways in which a process ends: every line whose call has returned is in the
// files, once and whole, whatever became of the process that wrote it.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const t = require('tap')
const undercroft = require('../..')
const { budget } = require('../budget')
const { child, delay, exact, fileTimeoutMs, runs, tmpdir, until } = require('../helper')

t.setTimeout(fileTimeoutMs)

const bun = path.join(__dirname, '../runtimes/node_modules/bun/bin/bun')
const runtimes = [['node', process.execPath], ...(fs.existsSync(bun) ? [['bun', bun]] : [])]
const rounds = budget.of(120)
// The default drops lines when the disk, or whoever writes for all, stands still for a second.
const blockMs = 120000
const options = (dir) => ({ dir, ringBytes: 1 << 20, maxLineBytes: 4096, blockMs, rotate: { bytes: 200000 } })

// All lines of the directory, also those that are in rings of processes that have died.
async function linesIn (dir) {
  const { log, close } = opened(dir)
  await log.flush({ sync: true, timeoutMs: 60000 })
  await close()
  const lines = []
  for (const name of fs.readdirSync(dir)) {
    const file = path.join(dir, name)
    if (!/^app-.*\.log(\.gz)?$/.test(name)) continue
    // Of an archive that has just been made the original may be there as well.
    if (name.endsWith('.log') && fs.existsSync(`${file}.gz`)) continue
    const bytes = fs.readFileSync(file)
    const text = (name.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString()
    if (text !== '' && !text.endsWith('\n')) throw new Error(`${name} ends with half a line`)
    lines.push(...text.split('\n').slice(0, -1))
  }
  return lines.map((line) => JSON.parse(line))
}

function opened (dir) {
  const store = undercroft.open({ log: options(dir) })
  return { log: store.log, close: () => store.close() }
}

// Of each writer: the numbers that are there, in a row.
function numbers (lines) {
  const out = new Map()
  for (const { w, n } of lines) {
    if (w === undefined) continue
    if (!out.has(w)) out.set(w, [])
    out.get(w).push(n)
  }
  return out
}

// Each number up to `told` once; the one behind it may be there, its call had not returned.
function judge (t, found, told, name) {
  const sorted = [...found].sort((a, b) => a - b)
  const count = new Set(sorted).size
  const twice = sorted.length - count
  const lost = told - sorted.filter((n) => n <= told).length + twice
  const beyond = sorted.filter((n) => n > told + 1).length
  const fine = twice === 0 && lost === 0 && beyond === 0
  if (!fine) t.comment(`${name}: ${told} told, ${lost} lost, ${twice} twice, ${beyond} that nobody wrote`)
  return fine
}

// Writes lines and notes behind each call how many have returned, where a kill cannot reach it.
const writer = async ({ undercroft, args, say, require }) => {
  const fs = require('node:fs')
  const { isMainThread, Worker } = require('node:worker_threads')
  const { log } = undercroft.open({ log: args.log })
  const fd = fs.openSync(args.counter, 'a')
  fs.closeSync(fd)
  const out = fs.openSync(args.counter, 'r+')
  const told = new Float64Array(1)
  const bytes = new Uint8Array(told.buffer)
  let n = 0
  const text = 'x'.repeat(args.w.length * 7 % 300)
  if (isMainThread && args.thread) {
    const source = `const { workerData: { args, root, body } } = require('node:worker_threads')
      new Function('return ' + body)()({ undercroft: require(root), args, say () {}, require })`
    const body = args.body
    const thread = new Worker(source, { eval: true, workerData: { args: { ...args, ...args.thread }, root: args.root, body } })
    thread.on('error', (err) => { throw err })
  }
  say('going')
  const some = () => {
    for (let i = 0; i < 20; i++) {
      log.info({ w: args.w, n: n + 1, text }, 'line')
      n++
      told[0] = n
      fs.writeSync(out, bytes, 0, 8, 0)
    }
    setImmediate(some)
  }
  some()
}

function counted (file) {
  const bytes = fs.readFileSync(file)
  return bytes.length < 8 ? 0 : bytes.readDoubleLE(0)
}

t.test('kill -9 at any moment, of one process or of all', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const files = new Map()
  const start = (w, thread) => {
    const counter = (name) => {
      const file = path.join(tmpdir(t), `${name}.counter`)
      fs.writeFileSync(file, '')
      files.set(name, file)
      return file
    }
    const args = { w, counter: counter(w), log: options(dir), root: path.resolve(__dirname, '../..'), body: writer.toString() }
    if (thread) args.thread = { w: `${w}-thread`, counter: counter(`${w}-thread`), thread: null }
    const process = child(t, writer, { args })
    process.going = new Promise((resolve) => { process.proc.stdout.once('data', resolve) })
    return process
  }
  let other = null
  for (let i = 0; i < rounds; i++) {
    const one = start(`${i}`, i % 3 === 0)
    other ??= start(`${i}-other`, false)
    await Promise.all([one.going, other.going])
    await delay(Math.random() * 150)
    one.proc.kill('SIGKILL')
    // The other one takes over what the first was to write; or both die, and nobody does.
    if (i % 2 === 1) {
      other.proc.kill('SIGKILL')
      await other.done
      other = null
    }
    await one.done
  }
  if (other !== null) {
    other.proc.kill('SIGKILL')
    await other.done
  }
  const found = numbers(await linesIn(dir))
  let total = 0
  let good = 0
  for (const [w, file] of files) {
    const told = counted(file)
    total += told
    if (judge(t, found.get(w) ?? [], told, w)) good++
  }
  t.comment(`${total} lines of ${files.size} writers over ${rounds} kills`)
  t.ok(total > rounds * 20, 'they have written')
  t.equal(good, files.size, 'none lost, none twice, none torn')
})

// ---- other ends -------------------------------------------------------------------------

const ends = {
  'process.exit': { code: 3, end: () => process.exit(3) },
  'an uncaught exception': { code: null, end: () => { setImmediate(() => { throw new Error('nobody catches this') }) } },
  abort: { code: null, end: () => process.abort() },
  SIGTERM: { code: null, end: () => process.kill(process.pid, 'SIGTERM') },
  'an end of its own': { code: 0, end: () => {} }
}

for (const [name, { code, end }] of Object.entries(ends)) {
  t.test(name, async (t) => {
    const dir = path.join(tmpdir(t), 'logs')
    const result = child(t, async ({ undercroft, args }) => {
      const { log } = undercroft.open({ log: args.log })
      for (let n = 1; n <= 5000; n++) log.info({ w: 'w', n }, 'line')
      // eslint-disable-next-line no-new-func
      new Function('process', `(${args.end})()`)(process)
    }, { args: { log: options(dir), end: end.toString() } })
    await result.done
    if (code !== null) t.equal(result.code, code, 'it ends as it would have')
    t.equal(result.timedOut, false)
    t.ok(judge(t, numbers(await linesIn(dir)).get('w') ?? [], 5000, name), 'every line is there')
  })
}

t.test('a worker that is terminated', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  await runs(t, async ({ undercroft, args, root, require }) => {
    const { Worker } = require('node:worker_threads')
    const main = undercroft.open({ log: args.log })
    const told = new SharedArrayBuffer(4)
    const source = `const { workerData: { root, log, told } } = require('node:worker_threads')
      const n = new Int32Array(told)
      const store = require(root).open({ log })
      for (;;) { store.log.info({ w: 'thread', n: n[0] + 1 }, 'line'); n[0]++ }`
    const worker = new Worker(source, { eval: true, workerData: { root, log: args.log, told } })
    const n = new Int32Array(told)
    while (Atomics.load(n, 0) < 3000) await new Promise((resolve) => setTimeout(resolve, 1))
    await worker.terminate()
    main.log.info({ w: 'main', n: 1, told: n[0] }, 'line')
    await main.log.flush()
    await main.close()
  }, { args: { log: options(dir) } })
  const lines = await linesIn(dir)
  const found = numbers(lines)
  const { told } = lines.find((line) => line.w === 'main')
  t.ok(judge(t, found.get('thread'), told, 'the worker'), `its ${told} lines are there`)
})

t.test('a process that is stopped while it owns the files, and killed then', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const owner = child(t, async ({ undercroft, args, say }) => {
    const { log } = undercroft.open({ log: args.log })
    log.info({ w: 'owner', n: 1 }, 'line')
    await log.flush()
    say('going')
    setInterval(() => {}, 1000)
  }, { args: { log: options(dir) } })
  await new Promise((resolve) => { owner.proc.stdout.once('data', resolve) })
  owner.proc.kill('SIGSTOP')
  const { log, close } = opened(dir)
  for (let n = 1; n <= 1000; n++) log.info({ w: 'other', n }, 'line')
  const early = await log.flush({ timeoutMs: 100 }).then(() => 'flushed', (err) => err.code)
  t.equal(early, 'UC_TIMEOUT', 'the files stand still')
  owner.proc.kill('SIGKILL')
  await owner.done
  await log.flush({ timeoutMs: 60000 })
  await close()
  const found = numbers(await linesIn(dir))
  t.ok(judge(t, found.get('other'), 1000, 'other'), 'the next one goes on')
  exact(t, found.get('owner'), [1])
})

t.test('a disk that does not answer', async (t) => {
  const shim = path.join(tmpdir(t), 'disk.so')
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, path.join(__dirname, 'disk.c'), '-ldl'])
  // What hangs: the sync at the end alone, or the write itself.
  for (const [name, exec] of runtimes) {
    for (const what of ['sync', 'write']) {
      const dir = path.join(tmpdir(t), `stalled-${name}-${what}`)
      const stalls = path.join(tmpdir(t), `stalls-${name}-${what}`)
      const { lines: [said] } = await runs(t, async ({ undercroft, args, say, require }) => {
        const fs = require('node:fs')
        const store = undercroft.open({ log: { ...args.log, overflow: 'drop' } })
        store.log.info({ w: 'a', n: 1 }, 'line')
        await store.log.flush({ sync: true })
        if (args.what === 'write') fs.writeFileSync(args.stalls, '')
        store.log.info({ w: 'a', n: 2 }, 'line')
        const early = args.what === 'write' ? await store.log.flush({ timeoutMs: 100 }).catch((err) => err.code) : await store.log.flush()
        fs.writeFileSync(args.stalls, '')
        let turns = 0
        const ticks = setInterval(() => { turns++ }, 5)
        const began = performance.now()
        await store.close()
        clearInterval(ticks)
        say(JSON.stringify({ early, took: performance.now() - began, turns }))
      }, { exec, args: { log: options(dir), what, stalls }, env: { LD_PRELOAD: shim, UC_DISK_STALLS: stalls }, deadlineMs: 30000, name: `${name}, ${what}: the process ends` })
      const { early, took, turns } = JSON.parse(said)
      t.equal(early, what === 'write' ? 'UC_TIMEOUT' : undefined, 'a flush keeps its deadline')
      t.ok(took < 15000, 'so does close(), long before the disk answers')
      t.ok(turns > 10, `and the event loop goes on: ${turns} turns`)
      fs.rmSync(stalls)
      exact(t, numbers(await linesIn(dir)).get('a'), [1, 2], 'what was in the ring is written by who comes next')
    }
  }
})

t.test('lines of all lengths around what fits at once', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const store = undercroft.open({ log: { dir, ringBytes: 1 << 20, maxLineBytes: 1 << 18, blockMs, base: null } })
  const texts = []
  for (const [unit, bytes] of [['a', 1], ['é', 2], ['€', 3], ['\u{1f600}', 4]]) {
    const around = Math.floor(16384 / bytes)
    for (let n = around - 40; n <= around + 4; n++) texts.push(unit.repeat(n))
    texts.push(unit.repeat(50000 / bytes))
  }
  for (const text of texts) store.log.info(text)
  await store.close()
  const lines = (await linesIn(dir)).map(({ msg }) => msg)
  t.ok(lines.length === texts.length && lines.every((line, i) => line === texts[i]), `${texts.length} lines are as they were written`)
})

t.test('a file that cannot be archived stays, and that is said', async (t) => {
  const dir = tmpdir(t)
  const store = undercroft.open({ log: { dir } })
  t.teardown(() => store.close())
  const { log } = store
  log.info('first')
  await log.flush()
  const [file] = fs.readdirSync(dir).filter((name) => name.endsWith('.log'))
  fs.mkdirSync(path.join(dir, `${file}.gz`))
  fs.writeFileSync(path.join(dir, `${file}.gz`, 'in the way'), '')
  log.rotate()
  log.info('second')
  await log.flush()
  await until(async () => (await log.stats()).error !== '', 'the log says so')
  t.match((await log.stats()).error, new RegExp(`could not archive ${file}: `))
  t.match(fs.readFileSync(path.join(dir, file), 'utf8'), /"msg":"first"/)
  await store.close()
})
