'use strict'

// Two and more processes on one file, each in-process: writes take turns by a lock with a fair
// retry and a deadline; no statement fails with a bare SQLITE_BUSY before it.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { child, delay, exact, failure, fileTimeoutMs, isLong, runs, tmpdir, tmpfile, until } = require('../helper')

t.setTimeout(fileTimeoutMs)

t.test('two processes write at once, and both get on', async (t) => {
  // In memory: a disk that stands still for seconds is not what makes them wait here.
  const dir = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'undercroft-test-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
  const file = path.join(dir, 'two.db')
  const first = undercroft.open(file)
  await first.db.exec('create table t(who, n); create table counter(n); insert into counter values (0)')
  await first.close()
  const body = async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.file, { busyTimeoutMs: 30000 })
    const { db } = store
    await store.ready
    say('ready')
    const until = Number(await new Promise((resolve) => process.stdin.once('data', resolve)))
    let n = 0
    let worst = 0
    const writer = async () => {
      while (Date.now() < until) {
        const begin = Date.now()
        await db.run('insert into t values (?, ?)', [args.who, n++])
        worst = Math.max(worst, Date.now() - begin)
      }
    }
    const counter = async () => {
      while (Date.now() < until) {
        await db.transaction(async (tx) => {
          const row = await tx.get('select n from counter')
          await tx.run('update counter set n = ?', [row.n + 1])
        })
        n++
      }
    }
    const readers = async () => { while (Date.now() < until) await db.get('select count(*) as n from t') }
    await Promise.all([writer(), writer(), writer(), writer(), counter(), readers()])
    say(JSON.stringify({ n, worst }))
    await store.close()
  }
  const names = ['a', 'b', 'c'].slice(0, isLong ? 3 : 2)
  let total = 0
  let isFair = false
  // One that the machine stops for a while is behind in its round, but not in each.
  for (let round = 0; round < 5 && !isFair; round++) {
    const waiting = []
    const onLine = (line, proc) => {
      if (line !== 'ready' || waiting.push(proc) < names.length) return
      const end = Date.now() + (isLong ? 5000 : 3000)
      for (const { stdin } of waiting) stdin.end(String(end))
    }
    const all = await Promise.all(names.map((who) => runs(t, body, { args: { file, who }, onLine, name: `${who}: no error` })))
    const told = all.map((one) => JSON.parse(one.lines[1] ?? '{"n":0,"worst":0}'))
    t.comment(JSON.stringify(told))
    const counts = told.map((one) => one.n)
    isFair = Math.min(...counts) > 0 && Math.min(...counts) * 6 >= Math.max(...counts)
    t.ok(Math.max(...told.map((one) => one.worst)) < 30000, 'nobody waited as long as the deadline')
    total += counts.reduce((a, b) => a + b)
    const store = undercroft.open(file)
    const sum = await store.db.get('select (select count(*) from t) + n as n from counter')
    t.equal(sum.n, total, 'no write and no increment is lost')
    exact(t, await store.db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
    await store.close()
  }
  t.ok(isFair, 'each got on, and none six times as far as another')
})

t.test('a transaction of another process: wait, then a deadline with an outcome', async (t) => {
  const file = tmpfile(t)
  const store = undercroft.open(file, { busyTimeoutMs: 400 })
  const { db } = store
  await db.exec('create table t(a)')
  const other = child(t, async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.file, { transactionTimeoutMs: 60000 })
    // What nobody refers to is collected, and its transaction undone with it.
    setInterval(() => store.closed, 1000)
    await store.db.transaction(async (tx) => {
      await tx.run("insert into t values ('other')")
      say('holding')
      await new Promise(() => {})
    })
  }, { args: { file } })
  await until(() => other.lines.includes('holding'), 'the other process holds its transaction')
  const begin = Date.now()
  const err = await failure(db.run("insert into t values ('own')"))
  const waited = Date.now() - begin
  t.match(err.code, /^(SQLITE_BUSY|UC_BUSY|UC_TIMEOUT)/, 'it gives up in the end')
  t.equal(err.kind === 'busy' || err.kind === 'timeout', true, `kind ${err.kind}`)
  t.equal(err.retryable, true, 'and says that it may be tried again')
  t.ok(waited >= 300, `not before its deadline (${waited} ms)`)
  t.ok(waited < 15000)
  if (err.code === 'SQLITE_BUSY') {
    const said = Number(/in (\d+) ms/.exec(err.message)?.[1])
    t.ok(said >= 300 && said <= waited + 1, `the message says how long it waited: ${said} ms`)
  }
  const short = await failure(db.run("insert into t values ('own')", [], { timeoutMs: 100 }))
  t.match(short.code, /^(UC_TIMEOUT|SQLITE_BUSY)/, 'a call\'s own deadline')
  t.equal(short.outcome, 'not-run')
  exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'reads go on')
  const patient = db.run("insert into t values ('patient')", [], { timeoutMs: 10000 })
  await delay(100)
  other.proc.kill('SIGKILL')
  await other.done
  await patient.catch(async () => db.run("insert into t values ('patient')"))
  exact(t, await db.values('select a from t'), [['patient']], 'when the other dies its transaction is undone and the writer goes on')
  await store.close()
})

t.test('ten processes open a new file at once', async (t) => {
  const dir = tmpdir(t)
  const many = isLong ? 20 : 10
  const files = isLong ? 40 : 20
  const at = Date.now() + 1500
  await Promise.all(Array.from({ length: many }, (_, who) => runs(t, async ({ undercroft, args }) => {
    const ofNewFiles = { pragmas: { page_size: 8192, encoding: 'UTF-16le', auto_vacuum: 'full' } }
    for (let i = 0; i < args.files; i++) {
      // Together, as far as the machine can: who is late finds the file there.
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, args.at + i * 200 - Date.now())))
      const options = i % 3 === 1 ? ofNewFiles : i % 3 === 2 ? { attach: { other: `${args.dir}/${i}-other.db` } } : {}
      const store = undercroft.open(`${args.dir}/${i}.db`, { busyTimeoutMs: 60000, timeoutMs: 100000, ...options })
      await store.db.exec('create table if not exists t(n)')
      for (let k = 0; k < 3; k++) await store.db.run('insert into t values (?)', [args.who])
      // The connections of a cursor and of blocking calls, while others come and go.
      for await (const { n } of store.db.iterate('select n from t where n = ?', [args.who])) if (n !== args.who) throw new Error(`${n} is not ${args.who}`)
      if (store.db.sync.get('select count(*) as n from t where n = ?', [args.who]).n !== 3) throw new Error('rows of its own are missing')
      await store.close()
    }
  }, { args: { dir, who, at, files }, name: `process ${who} opens all of them` })))
  let short = 0
  for (let i = 0; i < files; i++) {
    const store = undercroft.open(path.join(dir, `${i}.db`))
    const { n, who } = await store.db.get('select count(*) as n, count(distinct n) as who from t')
    if (n !== 3 * many || who !== many) short++
    if (i === 1) exact(t, await store.db.get('select * from pragma_page_size, pragma_encoding'), { page_size: 8192, encoding: 'UTF-16le' }, 'made as all of them wanted it')
    await store.close()
  }
  t.equal(short, 0, 'every row of each is in each file')
})

t.test('a schema changed by another process', async (t) => {
  const file = tmpfile(t)
  const store = undercroft.open(file)
  const { db } = store
  await db.exec('create table t(id integer primary key, a); insert into t(a) values (1)')
  const q = db.prepare('select * from t')
  exact(t, await q.get(), { id: 1, a: 1 }, 'before')
  await runs(t, async ({ undercroft, args }) => {
    const store = undercroft.open(args.file)
    await store.db.exec('alter table t add column b default 2')
    await store.close()
  }, { args: { file } })
  exact(t, await q.get(), { id: 1, a: 1, b: 2 }, 'after')
  t.equal((await db.run('insert into t(a, b) values (5, 6)')).changes, 1)
  await store.close()
})

t.test('one process closes while the other works: the WAL stays whole', async (t) => {
  const file = tmpfile(t)
  const options = { busyTimeoutMs: 30000, timeoutMs: 60000 }
  const store = undercroft.open(file, options)
  await store.db.exec('create table t(a)')
  let going = true
  let n = 0
  const writer = (async () => { while (going) { await store.db.run('insert into t values (?)', [n]); n++ } })()
  for (let i = 0; i < 5; i++) {
    await runs(t, async ({ undercroft, args }) => {
      const store = undercroft.open(args.file, args.options)
      await store.db.run("insert into t values ('visitor')")
      await store.close()
    }, { args: { file, options } })
  }
  going = false
  await writer
  exact(t, await store.db.get("select count(*) as n, sum(a = 'visitor') as v from t"), { n: n + 5, v: 5 }, 'every row')
  await store.close()
  const again = undercroft.open(file)
  exact(t, await again.db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
  await again.close()
})
