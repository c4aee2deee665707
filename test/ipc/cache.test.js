'use strict'

// The cache among processes: one load for all of them, one that is killed while it
// loads, a commit of another process, and first levels of processes that are stopped.

const t = require('tap')
const undercroft = require('../..')
const { child, fileTimeoutMs, startDaemon, tmpfile, exact, isLong, delay, until } = require('../helper')
const { budget } = require('../budget')
const { newSeed, random } = require('../random')

t.setTimeout(fileTimeoutMs)

function served (t) {
  const daemon = startDaemon(t, ['--db', tmpfile(t)])
  const store = undercroft.open(daemon.url, { connectTimeoutMs: 60_000, timeoutMs: 60_000 })
  t.teardown(() => store.close())
  return { daemon, store }
}

// Waits for the word of its parent, then wraps one key many times.
const wrapper = async ({ undercroft, args, say }) => {
  const { cache, close } = undercroft.open(args.url)
  const readline = require('node:readline').createInterface({ input: process.stdin })
  let runs = 0
  await cache.get('nothing')
  say('ready')
  for await (const line of readline) {
    if (line === 'end') break
    const values = await Promise.all(Array.from({ length: args.calls }, () => cache.wrap(line, async () => {
      runs++
      await new Promise((resolve) => setTimeout(resolve, 50))
      return { by: process.pid, line }
    })))
    say(JSON.stringify({ runs, by: [...new Set(values.map(({ by }) => by))], lines: [...new Set(values.map(({ line }) => line))] }))
  }
  process.exit(0, close)
}

t.test('ten processes, a thousand calls each, one run of the loader', async (t) => {
  const { daemon } = served(t)
  const children = Array.from({ length: 10 }, () => child(t, wrapper, { args: { url: daemon.url, calls: 1000 }, deadlineMs: 180_000 }))
  await until(() => children.every(({ lines }) => lines.length === 1), 'all are ready')
  let runs = 0
  for (let round = 1; round <= (isLong ? 5 : 2); round++) {
    for (const { proc } of children) proc.stdin.write(`key ${round}\n`)
    await until(() => children.every(({ lines }) => lines.length === 1 + round), 'all have it')
    const told = children.map(({ lines }) => JSON.parse(lines[round]))
    const sum = told.reduce((n, { runs }) => n + runs, 0)
    t.equal(sum - runs, 1, 'one run')
    runs = sum
    t.equal(new Set(told.flatMap(({ by }) => by)).size, 1, 'one value for all')
    exact(t, [...new Set(told.flatMap(({ lines }) => lines))], [`key ${round}`], 'of its key')
  }
  for (const { proc } of children) proc.stdin.end('end\n')
  await Promise.all(children.map(({ done }) => done))
})

t.test('who loads is killed: the next one loads', async (t) => {
  const { daemon, store } = served(t)
  const loading = child(t, async ({ undercroft, args, say }) => {
    const { cache } = undercroft.open(args.url)
    await cache.wrap('k', () => {
      say('loading')
      return new Promise(() => {})
    })
  }, { args: { url: daemon.url }, deadlineMs: 180_000 })
  await until(() => loading.lines.includes('loading'), 'it loads')
  let runs = 0
  const waiting = Array.from({ length: 100 }, () => store.cache.wrap('k', async () => `run ${++runs}`))
  await until(async () => (await store.cache.stats()).loads.waiting === 1, 'we wait')
  t.equal(runs, 0, 'for its value')
  process.kill(loading.proc.pid, 'SIGKILL')
  exact(t, [...new Set(await Promise.all(waiting))], ['run 1'], 'until it is gone')
  await loading.done
})

t.test('who loads is stopped: its lease ends', async (t) => {
  const { daemon, store } = served(t)
  const loading = child(t, async ({ undercroft, args, say }) => {
    const { cache } = undercroft.open(args.url)
    const load = new Promise((resolve) => process.stdin.once('data', () => resolve('late')))
    cache.wrap('k', () => {
      say('loading')
      return load
    }, { timeoutMs: 300 }).then((v) => say(`value ${v}`), (err) => say(`error ${err.code}`))
  }, { args: { url: daemon.url }, deadlineMs: 180_000 })
  await until(() => loading.lines.includes('loading'), 'it loads')
  process.kill(loading.proc.pid, 'SIGSTOP')
  t.equal(await store.cache.wrap('k', () => 'ours'), 'ours', 'the next one loads')
  loading.proc.stdin.write('go\n')
  process.kill(loading.proc.pid, 'SIGCONT')
  await until(() => loading.lines.length === 2, 'the other goes on')
  t.equal(await store.cache.get('k'), 'ours', 'and what it loaded is not stored')
  process.kill(loading.proc.pid, 'SIGKILL')
  await loading.done
})

t.test('a loader that sleeps across the commit of another process', async (t) => {
  const { daemon, store: { db, cache } } = served(t)
  await db.exec("create table user(id integer primary key, name text); insert into user values (1, 'old')")
  let go
  let runs = 0
  const load = () => cache.wrap('user', async () => {
    runs++
    const { name } = await db.get('select name from user')
    if (runs === 1) await new Promise((resolve) => { go = resolve })
    return name
  }, { tables: 'user' })
  const before = load()
  await until(() => go !== undefined, 'the loader sleeps')
  const writer = child(t, async ({ undercroft, args }) => {
    const store = undercroft.open(args.url)
    await store.db.run("update user set name = 'new'")
    await store.close()
  }, { args: { url: daemon.url } })
  exact(t, (await writer.done).code, 0, 'the other process has committed')
  const after = load()
  go()
  exact(t, [await before, await after, runs], ['old', 'new', 2], 'who asked after the commit gets what it wrote')
  t.equal(await cache.get('user'), 'new')
})

t.test('the daemon is killed: nothing of the old one is trusted', async (t) => {
  const file = tmpfile(t)
  const daemon = startDaemon(t, ['--db', file], { killed: true })
  const store = undercroft.open(daemon.url)
  t.teardown(() => store.close())
  const { cache } = store
  await cache.set('k', 'old')
  await until(async () => {
    await cache.get('k')
    return cache.peek('k') === 'old'
  }, 'it is in the first level')
  await daemon.stop('SIGKILL')
  await until(() => cache.peek('k') === undefined, 'the first level is not trusted any more')
  startDaemon(t, ['--db', file], { socket: daemon.socket })
  t.equal(await cache.get('k'), undefined, 'the new one is empty')
  await cache.set('k', 'new')
  await until(async () => {
    await cache.get('k')
    return cache.peek('k') === 'new'
  }, 'and the first level lives again')
  t.equal(await cache.wrap('w', () => 5), 5)
})

t.test('the daemon ends while a value is loaded: the same in order as by a kill', async (t) => {
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    const file = tmpfile(t)
    const daemon = startDaemon(t, ['--db', file], { killed: signal === 'SIGKILL' })
    const [loading, waiting] = [1, 2].map(() => undercroft.open(daemon.url, { connectTimeoutMs: 60_000, timeoutMs: 60_000 }))
    t.teardown(() => Promise.all([loading.close(), waiting.close()]))
    let go
    const first = loading.cache.wrap('k', () => new Promise((resolve) => { go = resolve }), { timeoutMs: 300_000 })
    await until(() => go !== undefined, 'one loads')
    const second = waiting.cache.wrap('k', () => 'of the next one', { timeoutMs: 300_000 })
    second.catch(() => {})
    await until(async () => (await waiting.cache.stats()).loads.waiting === 1, 'the other one waits')
    await daemon.stop(signal)
    startDaemon(t, ['--db', file], { socket: daemon.socket })
    t.equal(await second, 'of the next one', `${signal}: who waited asks the next daemon`)
    go('of the first')
    t.equal(await first, 'of the first', `${signal}: who has loaded has its value`)
    t.equal(await waiting.cache.get('k'), 'of the next one', `${signal}: and what was leased by the old one is not stored`)
  }
})

// Reads as fast as it can, and compares each value with the one that was acknowledged when it asked.
const reader = async ({ undercroft, args, say, require }) => {
  const { readFileSync } = require('node:fs')
  const store = undercroft.open(args.url)
  const { cache, db } = store
  const least = () => Number(readFileSync(args.file, 'utf8').slice(0, 12))
  let over = false
  process.stdin.on('end', () => { over = true }).resume()
  const count = { reads: 0, near: 0, stale: 0 }
  say('ready')
  while (!over) {
    for (let i = 0; i < 20; i++) {
      const wanted = least()
      const near = cache.peek('v')
      if (near !== undefined) count.near++
      const got = near !== undefined
        ? near
        : i % 2 === 0
          ? await cache.wrap('v', async () => (await db.get('select v from t')).v, { tables: 't' })
          : await cache.get('v')
      count.reads++
      if (got !== undefined && got < wanted) count.stale++
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  say(JSON.stringify(count))
  store.destroy()
}

t.test('no read is older than an acknowledged write, though processes are stopped at random', async (t) => {
  const fs = require('node:fs')
  const seed = newSeed()
  const pick = random(seed)
  t.comment(`seed ${seed}`)
  const { daemon, store: { db } } = served(t)
  await db.exec('create table t(v int); insert into t values (0)')
  const file = tmpfile(t, 'acknowledged')
  // One write of a fixed length: never seen in halves.
  const fd = fs.openSync(file, 'w')
  const acknowledge = (n) => fs.writeSync(fd, String(n).padStart(12), 0)
  acknowledge(0)
  const readers = Array.from({ length: 3 }, () => child(t, reader, { args: { url: daemon.url, file }, deadlineMs: 180_000 }))
  await until(() => readers.every(({ lines }) => lines.length === 1), 'all read')
  let over = false
  const stopping = (async () => {
    while (!over) {
      const { pid } = readers[pick(readers.length)].proc
      process.kill(pid, 'SIGSTOP')
      await delay(pick(250))
      process.kill(pid, 'SIGCONT')
      await delay(pick(30))
    }
  })()
  const end = Date.now() + Math.max(4, budget.seconds) * 1000
  let n = 0
  while (Date.now() < end) {
    await db.run('update t set v = ?', [++n])
    acknowledge(n)
    if (n % 4 === 0) await delay(pick(4))
  }
  over = true
  await stopping
  for (const { proc } of readers) proc.stdin.end()
  await Promise.all(readers.map(({ done }) => done))
  fs.closeSync(fd)
  const counts = readers.map(({ lines }) => JSON.parse(lines[1]))
  exact(t, counts.map(({ stale }) => stale), [0, 0, 0], `${n} writes, ${JSON.stringify(counts)}`)
  t.ok(counts.every(({ near }) => near > 0), 'the first levels were used')
})
