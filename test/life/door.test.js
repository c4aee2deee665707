'use strict'

// The door over a socket, with real daemons that are killed, stopped and started at the worst time.

const fs = require('node:fs')
const net = require('node:net')
const t = require('tap')
const undercroft = require('../..')
const { child, delay, exact, failure, fileTimeoutMs, isLong, runs, startDaemon, tmpdir, tmpfile, until } = require('../helper')

t.setTimeout(fileTimeoutMs)

// A daemon on a file of the test, and a handle on it.
function start (t, options, args = []) {
  const file = tmpfile(t)
  const daemon = startDaemon(t, ['--db', file, ...args], { killed: true })
  const store = undercroft.open(daemon.url, { connectTimeoutMs: 60000, ...options })
  t.teardown(() => store.destroy())
  return { file, daemon, store, db: store.db }
}

// The same socket and file again.
const again = (t, { url, socket }, file, args = []) => startDaemon(t, ['--db', file, ...args], { socket, killed: true })

t.test('a process that only uses a daemon opens no native code', async (t) => {
  const { daemon, db } = start(t)
  await db.exec('create table t(a)')
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const fs = require('node:fs')
    const store = undercroft.open(args.url)
    await store.db.run('insert into t values (1)')
    await store.db.transaction((tx) => tx.get('select a from t'))
    for await (const row of store.db.iterate('select a from t')) say(row.a)
    say(fs.readFileSync('/proc/self/maps', 'utf8').split('\n').filter((line) => line.includes('.node')).length)
    say(Object.keys(require.cache).filter((file) => file.endsWith('.node')).length)
    await store.close()
  }, { args: { url: daemon.url } })
  exact(t, result.lines, ['1', '0', '0'], 'no .node file is mapped or loaded')
})

t.test('the process: idle it ends by itself, busy it stays', async (t) => {
  const { daemon, db } = start(t, undefined, ['--set', 'transactionTimeoutMs=3600000'])
  await db.exec('create table t(a)')
  const { url } = daemon
  const idle = {
    'just opened': async ({ undercroft, args }) => { undercroft.open(args.url) },
    ready: async ({ undercroft, args }) => { await undercroft.open(args.url).ready },
    'after work': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.url)
      await Promise.all(Array.from({ length: 300 }, (_, i) => i % 2 ? db.get('select ? as v', [i]) : db.run('insert into t values (?)', [i])))
    },
    'with a cursor that stands still': async ({ undercroft, args }) => {
      const rows = undercroft.open(args.url).db.iterate('select 1 union all select 2')
      await rows.next()
      globalThis.kept = rows
    },
    'nobody there': async ({ undercroft, args }) => { undercroft.open(`${args.url}.none`, { connectTimeoutMs: 600000 }) },
    'nobody there, and told so': async ({ undercroft, args }) => { await undercroft.open(`${args.url}.none`, { connectTimeoutMs: 50 }).ready.catch(() => {}) }
  }
  // Less than the 30 s after which a call is late: whoever waits for its timer is found.
  for (const [name, body] of Object.entries(idle)) await runs(t, body, { args: { url }, deadlineMs: 25000, name: `idle: ${name}` })
  const slow = 'with recursive c(x) as (select 1 union all select x + 1 from c where x < 1000000)'
  const busy = {
    'a read': async ({ undercroft, args, say }) => { undercroft.open(args.url).db.get(`${args.slow} select count(*) as n from c`).then(() => say('done')) },
    'a closing': async ({ undercroft, args, say }) => {
      const store = undercroft.open(args.url)
      store.db.run('insert into t values (1)')
      store.close().then(() => say('done'))
    },
    'a call that waits for a daemon': async ({ undercroft, args, say }) => {
      undercroft.open(`${args.url}.none`, { connectTimeoutMs: 300 }).db.get('select 1').catch((err) => say(err.code === 'UC_CONNECT' ? 'done' : err.code))
    },
    'a handle that nobody holds': async ({ undercroft, args, say }) => {
      (() => { undercroft.open(args.url).db.get(`${args.slow} select count(*) as n from c`).then(() => say('done')) })()
      globalThis.gc?.()
    }
  }
  for (const [name, body] of Object.entries(busy)) {
    const result = await runs(t, body, { args: { url, slow }, nodeArgs: ['--expose-gc'], name: `busy: ${name}` })
    exact(t, result.lines, ['done'], `${name}: it came to its end`)
  }
})

t.test('collected handles give back their connections', async (t) => {
  const { daemon, db } = start(t)
  await db.get('select 1 as v')
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true))
    const once = async () => { await undercroft.open(args.url).db.get('select 1 as v') }
    for (let i = 0; i < 60; i++) await once()
    const { client } = undercroft.open(args.url).db
    const over = Date.now() + 30000
    let connections
    do {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 20));
      ({ connections } = await client.call('door'))
    } while (connections > args.most && Date.now() < over)
    say(connections)
  }, { args: { url: daemon.url, most: 12 }, nodeArgs: ['--expose-gc'] })
  t.ok(Number(result.lines[0]) <= 12, `${result.lines[0]} connections after 60 dropped handles`)
})

t.test('SIGKILL of the daemon under load', async (t) => {
  const rounds = isLong ? 12 : 3
  const world = start(t, { connectTimeoutMs: 120000 })
  const { file, store, db } = world
  let { daemon } = world
  await db.exec('create table t(n integer primary key, who)')
  const acked = new Set()
  const told = { lost: 0, reads: 0 }
  let n = 0
  let going = true
  const writer = async () => {
    while (going) {
      const own = n++
      try {
        await db.run('insert into t values (?, ?)', [own, 'run'])
        acked.add(own)
      } catch (err) {
        if (err.code !== 'UC_CONNECTION_LOST' || err.outcome !== 'unknown') throw err
        told.lost++
      }
    }
  }
  const streams = async () => {
    while (going) {
      const first = n
      n += 50
      try {
        await db.many('insert into t values (?, ?)', Array.from({ length: 50 }, (_, i) => [first + i, 'many']))
        for (let i = 0; i < 50; i++) acked.add(first + i)
      } catch (err) {
        if (err.code !== 'UC_CONNECTION_LOST') throw err
      }
    }
  }
  const pairs = async () => {
    while (going) {
      const first = n
      n += 2
      try {
        await db.transaction(async (tx) => {
          await tx.run('insert into t values (?, ?)', [first, 'pair'])
          await tx.run('insert into t values (?, ?)', [first + 1, 'pair'])
        })
        acked.add(first).add(first + 1)
      } catch (err) {
        if (err.code !== 'UC_CONNECTION_LOST') throw err
      }
    }
  }
  // Reads never notice.
  const reader = async () => {
    while (going) {
      const row = await db.get('select ? as v', [7])
      if (row.v !== 7) throw new Error('a wrong answer')
      told.reads++
    }
  }
  const work = Promise.all([...Array.from({ length: 24 }, writer), streams(), pairs(), reader(), reader(), reader()])
  work.catch(() => { going = false })
  for (let round = 0; round < rounds && going; round++) {
    const before = acked.size
    await until(() => acked.size > before + 200 || !going, 'work is being done', 120000)
    await daemon.stop('SIGKILL')
    await delay(Math.random() * 100)
    daemon = again(t, daemon, file)
  }
  const before = acked.size
  await until(() => acked.size > before + 200 || !going, 'it goes on', 120000)
  going = false
  await work
  const rows = new Set((await db.values('select n from t')).map(([n]) => n))
  exact(t, [...acked].filter((n) => !rows.has(n)), [], `every one of ${acked.size} acknowledged rows is there`)
  const { halves } = await db.get("select count(*) & 1 as halves from t where who = 'pair'")
  t.equal(halves, 0, 'no transaction is there by half')
  exact(t, await db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
  t.ok(told.lost > 0 && told.reads > 0, `${told.lost} writes were told that nobody knows, ${told.reads} reads were answered`)
  await store.close()
  exact(t, (await daemon.stop()).code, 0, 'the last daemon ends in order')
})

t.test('SIGSTOP of the daemon: deadlines hold, and it goes on', async (t) => {
  const { daemon, db } = start(t)
  await db.exec('create table t(a)')
  daemon.proc.kill('SIGSTOP')
  const began = performance.now()
  const [read, write] = await Promise.all([failure(db.get('select 1', [], { timeoutMs: 500 })), failure(db.run('insert into t values (1)', [], { timeoutMs: 600 }))])
  t.match(read, { code: 'UC_TIMEOUT' })
  t.match(write, { code: 'UC_TIMEOUT', outcome: 'unknown' })
  t.ok(performance.now() - began < 10000, 'long before a default')
  const other = undercroft.open(daemon.url, { connectTimeoutMs: 800 })
  t.match(await failure(other.ready), { code: 'UC_CONNECT', outcome: 'not-sent', message: /does not answer/ })
  other.destroy()
  const patient = db.get('select 2 as v')
  daemon.proc.kill('SIGCONT')
  exact(t, await patient, { v: 2 }, 'who can wait is answered')
  await db.run('insert into t values (2)')
  exact(t, await db.get('select count(*) as n from t where a = 2'), { n: 1 }, 'the connection is the same and sound')
})

t.test('more connect than the daemon comes to accept: those beyond the queue wait for their turn', async (t) => {
  const { daemon, store: first } = start(t)
  await first.ready
  daemon.proc.kill('SIGSTOP')
  const crowd = []
  t.teardown(() => crowd.forEach((socket) => socket.destroy()))
  // As many as fit (128 with nng), until the kernel refuses one: EAGAIN, unix(7).
  const refused = await new Promise((resolve) => {
    const more = () => {
      if (crowd.length === 5000) return resolve(null)
      crowd.push(net.connect(daemon.socket).once('connect', more).once('error', (err) => resolve(err.code)))
    }
    more()
  })
  // Bun tells it as the code of a socket where nobody listens: see lib/base/socket-refusal.js.
  exact(t, refused, process.versions.bun ? 'ECONNREFUSED' : 'EAGAIN', `after ${crowd.length}`)
  const hasty = undercroft.open(daemon.url, { connectTimeoutMs: 500 })
  t.match(await failure(hasty.ready), { code: 'UC_CONNECT', outcome: 'not-sent', message: /more processes are connecting/ })
  hasty.destroy()
  const stores = Array.from({ length: 20 }, () => undercroft.open(daemon.url, { connectTimeoutMs: 120000 }))
  t.teardown(() => stores.forEach((store) => store.destroy()))
  const values = stores.map(({ db }, i) => db.get('select ? as v', [i]))
  await delay(300)
  daemon.proc.kill('SIGCONT')
  exact(t, await Promise.all(values), stores.map((_, v) => ({ v })), 'and are served')
})

t.test('SIGTERM: what is in flight is finished, then the next daemon is found', async (t) => {
  const { file, daemon, db } = start(t, { connectTimeoutMs: 120000 })
  await db.exec('create table t(n integer primary key)')
  const all = Array.from({ length: 100 }, (_, i) => db.run('insert into t values (?)', [i]).then(() => i, (err) => err.outcome))
  await all[0]
  const ended = daemon.stop()
  const outcomes = await Promise.all(all)
  exact(t, (await ended).code, 0, 'it ends in order')
  again(t, daemon, file)
  const rows = new Set((await db.values('select n from t')).map(([n]) => n))
  t.ok(outcomes.every((one) => typeof one !== 'number' || rows.has(one)), 'what was acknowledged is there')
  t.equal((await db.run('insert into t values (1000)')).changes, 1)
})

t.test('a daemon is replaced under load, and no call fails', async (t) => {
  const { file, daemon, db } = start(t, { connectTimeoutMs: 120000 })
  await db.exec('create table t(n integer primary key)')
  let n = 0
  let going = true
  const work = Promise.all(Array.from({ length: 24 }, async (_, i) => {
    while (going) {
      if (i % 3 === 0) await db.get('select count(*) as n from t')
      else if (i % 3 === 1) await db.batch([['insert into t values (?)', [n++]]])
      else await db.run('insert into t values (?)', [n++])
    }
  }))
  work.catch(() => { going = false })
  let last = daemon
  for (let i = 0; i < 3 && going; i++) {
    const before = n
    await until(() => n > before + 100 || !going, 'work is being done', 120000)
    const next = again(t, last, file, ['--replace'])
    exact(t, (await last.done).code, 0, 'the old one ends in order')
    last = next
  }
  const before = n
  await until(() => n > before + 100 || !going, 'it goes on', 120000)
  going = false
  await work
  exact(t, await db.get('select count(*) as n from t'), { n }, 'every write was applied once')
})

t.test('the file cannot be opened', async (t) => {
  const file = tmpfile(t)
  fs.writeFileSync(file, 'this is no database, only a long text '.repeat(100))
  for (const [place, said] of [[file, /not a database|NOTADB/i], ['/dev/null/no.db', /no\.db/], [`${tmpdir(t)}/no/such/x.db`, /x\.db/]]) {
    const daemon = startDaemon(t, ['--db', place])
    await daemon.done
    t.equal(daemon.code, 5, place)
    t.match(daemon.stderr, said)
    const store = undercroft.open(`ipc://${tmpfile(t)}.sock`, { spawn: { db: place }, connectTimeoutMs: 120000 })
    const err = await failure(store.ready)
    t.match(err, { code: 'UC_CONNECT', outcome: 'not-sent' })
    t.match(err.message, said, 'the client is told why')
    store.destroy()
  }
})

// ---- spawn -----------------------------------------------------------------------------

t.test('ten processes start the daemon at once: one serves them all', async (t) => {
  const file = tmpfile(t)
  const url = `ipc://${tmpfile(t)}.sock`
  // Each stays until all have been served: the daemon may end behind the last.
  const served = []
  const onLine = (line, proc) => {
    if (served.push(proc) === 10) for (const { stdin } of served) stdin.end('go')
  }
  const children = Array.from({ length: 10 }, (_, i) => child(t, async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.url, { spawn: { db: args.file, idleExitMs: 1500 }, connectTimeoutMs: 60000 })
    await store.db.exec('create table if not exists t(who)')
    await Promise.all(Array.from({ length: 50 }, () => store.db.run('insert into t values (?)', [args.i])))
    const { pid } = await store.db.client.call('door')
    say(pid)
    await new Promise((resolve) => process.stdin.once('data', resolve))
  }, { args: { url, file, i }, onLine }))
  const ended = await Promise.all(children.map(({ done }) => done))
  exact(t, ended.map(({ code, stderr }) => stderr === '' ? code : stderr), Array(10).fill(0), 'all of them end by themselves')
  const pids = new Set(ended.map(({ lines }) => lines[0]))
  t.equal(pids.size, 1, 'by the same daemon')
  const [pid] = [...pids].map(Number)
  const gone = () => {
    try {
      return !process.kill(pid, 0)
    } catch {
      return true
    }
  }
  await until(gone, 'it ends when it has been idle')
  const store = undercroft.open(file)
  exact(t, await store.db.get('select count(*) as n from t'), { n: 500 }, 'every row')
  await store.close()
})

t.test('a daemon that was started goes on without the process that did', async (t) => {
  const file = tmpfile(t)
  const url = `ipc://${tmpfile(t)}.sock`
  const first = child(t, async ({ undercroft, args, say }) => {
    const { db } = undercroft.open(args.url, { spawn: { db: { main: args.file, mem: ':memory:' }, idleExitMs: 1000, options: { synchronous: 'normal' } }, connectTimeoutMs: 60000 })
    await db.exec('create table t(a); insert into t values (1)')
    say((await db.client.call('door')).pid)
    say((await db.get('pragma synchronous')).synchronous)
    say((await db.client.call('door')).dbs.length)
    await new Promise((resolve) => process.stdin.once('data', resolve))
  }, { args: { url, file } })
  await until(() => first.lines.length === 3, 'it is started')
  exact(t, first.lines.slice(1), ['1', '2'], 'with its options and databases')
  // Connected before the other process ends, as the daemon does not wait long for the next.
  const store = undercroft.open(url, { connectTimeoutMs: 60000 })
  await store.ready
  first.proc.stdin.end('go')
  await first.done
  t.equal(first.code, 0, first.stderr)
  exact(t, await store.db.get('select a from t'), { a: 1 }, 'it is there')
  t.equal((await store.db.client.call('door')).pid, Number(first.lines[0]))
  await store.close()
  const gone = () => {
    try {
      return !process.kill(Number(first.lines[0]), 0)
    } catch {
      return true
    }
  }
  await until(gone, 'it ends when idle')
  const other = undercroft.open(`${url}?db=mem`, { spawn: { db: { main: file, mem: ':memory:' }, idleExitMs: 1000 }, connectTimeoutMs: 60000 })
  await other.db.exec('create table m(a)')
  exact(t, await other.db.all('select * from m'), [], 'the other database, by its name')
  await other.close()
})

// ---- worker_threads --------------------------------------------------------------------

t.test('worker threads, each on a connection of its own; terminated under way', async (t) => {
  const { daemon, db } = start(t)
  await db.exec('create table t(a)')
  const result = await runs(t, async ({ undercroft, args, root, say }) => {
    const { Worker } = require('node:worker_threads')
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { db } = require(workerData.root).open(workerData.url)
      ;(async () => {
        if (workerData.hang) {
          db.transaction(async (tx) => {
            await tx.run("insert into t values ('never')")
            parentPort.postMessage('in the middle')
            await new Promise((resolve) => setTimeout(resolve, 60000))
          })
          return
        }
        await Promise.all(Array.from({ length: 200 }, () => db.run('insert into t values (?)', [workerData.n])))
        parentPort.postMessage((await db.get('select count(*) as n from t where a = ?', [workerData.n])).n)
      })()`
    const run = (data) => {
      const worker = new Worker(source, { eval: true, workerData: { root, url: args.url, ...data } })
      return new Promise((resolve, reject) => worker.once('message', (value) => resolve({ worker, value })).once('error', reject))
    }
    const all = await Promise.all([1, 2, 3].map((n) => run({ n })))
    say(all.map(({ value }) => value).join(' '))
    const { worker } = await run({ hang: true })
    await worker.terminate()
    const { db } = undercroft.open(args.url)
    await db.run("insert into t values ('after')")
    say((await db.get("select count(*) as n from t where a = 'never'")).n)
  }, { args: { url: daemon.url } })
  exact(t, result.lines, ['200 200 200', '0'], 'every write of every thread, and no half transaction')
})
