'use strict'

// How a daemon ends while clients are at work: told to (SIGTERM), killed, replaced by the next.

const fs = require('node:fs')
const t = require('tap')
const undercroft = require('../..')
const { budget } = require('../budget')
const { connect, start } = require('../daemon/raw')
const { child, delay, exact, fileTimeoutMs, tmpdir, until } = require('../helper')
const { newSeed, random } = require('../random')

t.setTimeout(fileTimeoutMs)

const rounds = Math.max(3, budget.of(10))
const RUN = 12
const MANY = 14
const EXEC = 16
const BEGIN = 30
const insert = 'insert into t(who, n) values (?, ?)'

// Which of [who, n] are there, and that none is there twice.
async function rowsOf (t, file, tables = 't') {
  const store = undercroft.open(file)
  const { db } = store
  const rows = await db.values(`select who, n from ${tables}`)
  const found = new Set(rows.map(([who, n]) => `${who} ${n}`))
  t.equal(found.size, rows.length, 'no row is there twice')
  exact(t, await db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
  await store.close()
  return found
}

// A process with eight loops of writes; says each that was acknowledged. With `once` a write whose
// outcome is unknown is repeated until there is an answer; without, it is given up.
const writer = async ({ undercroft, args, say }) => {
  const { url, who, once } = args
  // However long a machine takes to start the next daemon.
  const store = undercroft.open(url, { connectTimeoutMs: 60_000, timeoutMs: 60_000 })
  const { db } = store
  let n = 0
  let over = false
  process.stdin.on('end', () => { over = true }).resume()
  const known = new Set(['UC_CONNECTION_LOST', 'UC_CLOSED'])
  const loop = async () => {
    while (!over) {
      const own = ++n
      for (;;) {
        try {
          const key = once ? { once: `${who} ${own}` } : undefined
          await db.run('insert into t(who, n) values (?, ?)', [who, own], key)
          say(`ack ${who} ${own}`)
          break
        } catch (err) {
          say(`error ${err.code} ${err.outcome}`)
          if (!known.has(err.code)) throw err
          if (!once || over) break
        }
      }
    }
  }
  const reads = async () => {
    while (!over) {
      const { n } = await db.get('select count(*) as n from t where who = ?', [who])
      say(`read ${n}`)
    }
  }
  await Promise.all([...Array.from({ length: 8 }, loop), ...(once ? [reads(), reads()] : [])])
  await store.close()
  say('over')
}

function writers (t, daemon, count, { once = false, onLine } = {}) {
  return Array.from({ length: count }, (_, i) => child(t, writer, {
    args: { url: `ipc://${daemon.socket}`, who: `w${i}`, once },
    deadlineMs: 300_000,
    onLine
  }))
}

function lines (processes, word) {
  return processes.flatMap(({ lines }) => lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1)))
}

const acknowledged = (processes) => processes.every(({ lines }) => lines.some((line) => line.startsWith('ack')))

async function endOf (t, process) {
  process.proc.stdin.end()
  await process.done
  if (process.code !== 0) t.comment(process.stderr.slice(-2000))
  t.equal(process.code, 0, 'the client goes on to its end')
}

// ---- SIGTERM -----------------------------------------------------------------------------

t.test('SIGTERM under load', async (t) => {
  const pick = random(newSeed())
  const dir = tmpdir(t)
  for (let round = 0; round < rounds; round++) {
    const daemon = await start(t, { dir, args: ['--drain-ms', '60000'] })
    const client = await connect(t, daemon)
    await client.ask(EXEC, ['create table if not exists t(who, n)'])
    await client.ask(EXEC, ['create table if not exists held(a)'])
    // Without writes of others first: theirs wait for the transaction, and are in flight then.
    const processes = writers(t, daemon, 2)
    await until(() => acknowledged(processes), 'both clients write')
    const holder = await connect(t, daemon)
    const begun = round % 2 === 0
    if (begun) {
      const { value: x } = await holder.ask(BEGIN, [])
      const { kind } = await holder.ask(RUN, ["insert into held values ('half')", 0, []], { meta: { x } })
      t.equal(kind, 'run', 'a transaction is open')
    }
    const answers = Array.from({ length: 1000 }, (_, i) => client.ask(RUN, [insert, 0, [`raw${round}`, i]]))
    await delay(pick(20))
    const { code, signal, stderr } = await daemon.stop()
    t.equal(code, 0, `round ${round}: exit code 0${signal ?? ''}`)
    t.notMatch(stderr, /not done in time|cut short|not closed in order/, 'within its time')
    t.notOk(fs.existsSync(daemon.socket), 'the socket is gone')
    t.notOk(fs.existsSync(`${daemon.file}-wal`), 'the WAL is gone: it was checkpointed')
    const replies = await Promise.all(answers)
    const mine = replies.flatMap((reply, i) => reply?.kind === 'run' ? [`raw${round} ${i}`] : [])
    const wrong = replies.filter((reply) => reply !== null && reply.kind !== 'run')
    exact(t, wrong.filter(({ value }) => value.code !== 'UC_CLOSED'), [], 'every other answer says that it ends')
    for (const { proc } of processes) proc.kill('SIGKILL')
    await Promise.all(processes.map(({ done }) => done))
    const rows = await rowsOf(t, daemon.file)
    exact(t, [...rows].filter((row) => row.startsWith(`raw${round} `)).sort(), mine.sort(), `${mine.length} of 1000 writes were answered, and no other is there`)
    for (const row of lines(processes, 'ack')) if (!rows.has(row)) t.fail(`acknowledged and lost: ${row}`)
    const store = undercroft.open(daemon.file)
    exact(t, await store.db.all('select * from held'), [], 'the open transaction was rolled back')
    await store.db.run('delete from t')
    await store.close()
  }
})

t.test('SIGTERM while calls wait for a transaction of their own connection', async (t) => {
  const args = ['--drain-ms', '60000', '--set', 'transactionTimeoutMs=60000', '--set', 'timeoutMs=0']
  for (const what of ['a transaction', 'a stream of rows', 'a transaction that has not begun']) {
    const daemon = await start(t, { args, db: [`${what}.db`] })
    const [client, other] = [await connect(t, daemon), await connect(t, daemon)]
    await client.ask(EXEC, ['create table t(who, n)'])
    let within
    if (what === 'a stream of rows') {
      within = client.ask(MANY, [insert, null, true, [['half', 1]]])
    } else {
      if (what.endsWith('begun')) await other.ask(BEGIN, [])
      const begun = client.ask(BEGIN, [])
      within = what.endsWith('begun') ? begun : client.ask(RUN, [insert, 0, ['half', 1]], { meta: { x: (await begun).value } })
    }
    const plain = client.ask(RUN, [insert, 0, ['whole', 1]])
    const begin = client.ask(BEGIN, [])
    const after = client.ask(RUN, [insert, 0, ['whole', 2]])
    const others = other.ask(RUN, [insert, 0, ['whole', 3]])
    await Promise.all([client, other].map((one) => one.ask(1, ['seen'])))
    const since = Date.now()
    const { code, stderr } = await daemon.stop()
    t.equal(code, 0, what)
    t.ok(Date.now() - since < 30_000, 'nothing waits for what the client would have sent')
    t.notMatch(stderr, /not done in time|not closed in order/)
    t.match(await within, { kind: what.endsWith('begun') || what.startsWith('a stream') ? 'value' : 'run' }, 'what was sent in it is answered')
    t.match(await Promise.all([plain, begin, after, others]), [{ kind: 'run' }, { kind: 'value' }, { kind: 'run' }, { kind: 'run' }], 'and what waited behind it')
    exact(t, [...await rowsOf(t, daemon.file)].sort(), ['whole 1', 'whole 2', 'whole 3'], 'it was rolled back itself')
  }
})

t.test('a second signal, and a client that holds everything up', async (t) => {
  const daemon = await start(t, { args: ['--drain-ms', '60000'] })
  const client = await connect(t, daemon)
  await client.ask(EXEC, ['create table t(who, n)'])
  client.send(RUN, ['with recursive c(x) as (select 1 union all select x + 1 from c) insert into t select 1, x from c', 0, []], { meta: { t: 0 } })
  await client.ask(1, ['after it'])
  daemon.proc.kill('SIGTERM')
  await until(() => /shutting down/.test(daemon.stderr), 'the first signal is told')
  await delay(100)
  t.equal(daemon.proc.exitCode, null, 'it waits for what is in flight')
  await daemon.stop('SIGTERM')
  t.equal(daemon.code, 1, 'the second one ends it at once')
  const next = await start(t, { dir: daemon.dir })
  t.equal((await next.stop()).code, 0, 'the next starts on what is left')
})

t.test('the deadline of a shutdown', async (t) => {
  // What comes after the deadline has a few seconds, which a slow disk could need for one sync.
  const daemon = await start(t, { args: ['--drain-ms', '300', '--set', 'synchronous=off'] })
  const client = await connect(t, daemon)
  await client.ask(EXEC, ['create table t(who, n)'])
  client.send(RUN, ['with recursive c(x) as (select 1 union all select x + 1 from c) insert into t select 1, x from c', 0, []], { meta: { t: 0 } })
  await client.ask(1, ['after it'])
  await daemon.stop()
  t.equal(daemon.code, 0, 'it ends without the statement that does not')
  t.match(daemon.stderr, /were not done in time/)
  t.notOk(fs.existsSync(daemon.socket))
  const rows = await rowsOf(t, daemon.file)
  t.equal(rows.size, 0, 'and nothing of it is there')
})

// ---- SIGKILL -----------------------------------------------------------------------------

t.test('SIGKILL under load', async (t) => {
  const pick = random(newSeed())
  const dir = tmpdir(t)
  let daemon = await start(t, { dir })
  const client = await connect(t, daemon)
  await client.ask(EXEC, ['create table t(who, n)'])
  const processes = writers(t, daemon, 3, { once: true })
  for (let round = 0; round < rounds; round++) {
    const before = lines(processes, 'ack').length
    await until(() => lines(processes, 'ack').length > before + 20, 'the clients go on')
    await delay(pick(80))
    await daemon.stop('SIGKILL')
    t.ok(fs.existsSync(daemon.socket), `round ${round}: the socket is left behind`)
    daemon = await start(t, { dir })
    t.match(daemon.stderr, /serving on/, 'and the next daemon starts all the same')
  }
  const before = lines(processes, 'ack').length
  await until(() => lines(processes, 'ack').length > before + 20, 'the clients go on')
  await Promise.all(processes.map((one) => endOf(t, one)))
  t.equal((await daemon.stop()).code, 0)
  const acked = lines(processes, 'ack')
  const rows = await rowsOf(t, daemon.file)
  exact(t, acked.filter((row) => !rows.has(row)), [], `${acked.length} acknowledged writes are there`)
  const errors = new Set(lines(processes, 'error'))
  exact(t, [...errors], ['UC_CONNECTION_LOST unknown'], 'what was pending was rejected with its outcome')
  t.ok(lines(processes, 'read').length > 0, 'and no read failed')
})

// Opens the daemon's file itself and is killed in the middle of a transaction of which a part is
// in the WAL already, because it has outgrown the pages that SQLite may keep in memory.
const spills = async ({ undercroft, args, say }) => {
  const { db } = undercroft.open(args.file, { pragmas: { cache_size: 20 } })
  await db.transaction(async (tx) => {
    await tx.run("update big set who = 'killed'")
    const rows = Array.from({ length: 400 }, (_, n) => ['killed', n, Buffer.alloc(2000)])
    await tx.many('insert into big(who, n, v) values (?, ?, ?)', rows)
    say('in the middle')
    await new Promise(() => {})
  }, { timeoutMs: 0 })
}

t.test('SIGKILL of a process on the same file, while others read', async (t) => {
  // The snapshot of all rounds is to outlive them, however slow they are.
  const daemon = await start(t, { args: ['--set', 'pragmas.cache_size=2', '--set', 'transactionTimeoutMs=120000'] })
  const store = undercroft.open(`ipc://${daemon.socket}`)
  t.teardown(() => store.close())
  const { db } = store
  const inserts = 'insert into big(who, n, v) values (?, ?, ?)'
  const groups = 'select who, count(*), sum(length(v)) from big group by who'
  const write = (who) => db.many(inserts, Array.from({ length: 20 }, (_, n) => [who, n, Buffer.alloc(2000)]))
  await db.exec('create table big(who, n, v); create table t(who, n)')
  await write('first')
  let over = false
  let answers = 0
  const seen = new Set()
  const reads = async () => {
    for (; !over; answers++) {
      for (const [who] of await db.values(groups)) seen.add(who)
    }
  }
  // Whoever looks at an older state keeps the WAL from being begun anew, so that the next writer
  // finds there what the killed one has left.
  await db.snapshot(async (snap) => {
    const before = await snap.values(groups)
    await write('second')
    const readers = Array.from({ length: 4 }, reads)
    try {
      for (let round = 0; round < rounds; round++) {
        const { size } = fs.statSync(`${daemon.file}-wal`)
        const one = child(t, spills, { args: { file: daemon.file }, deadlineMs: 60000 })
        await until(() => one.lines.includes('in the middle') || one.code !== null, 'its transaction is large')
        t.equal(one.stderr, '', 'the other process says nothing')
        t.ok(fs.statSync(`${daemon.file}-wal`).size > size, `round ${round}: a part of it is in the WAL`)
        one.proc.kill('SIGKILL')
        await one.done
        const read = answers
        await until(() => answers > read + 8, 'others read what it has left beside the rest')
        await write(`round ${round}`)
        exact(t, await snap.values(groups), before, 'the snapshot is as it was')
      }
    } finally {
      over = true
      await Promise.all(readers)
    }
  })
  t.notOk(seen.has('killed'), `nobody has seen anything of it in ${answers} answers`)
  t.ok(seen.has('first') && seen.has('second'), 'but what is committed')
  const expected = ['first', ...Array.from({ length: rounds }, (_, round) => `round ${round}`), 'second']
  exact(t, await db.values(groups), expected.map((who) => [who, 20, 40000]), 'what was written after it is there')
  await store.close()
  t.equal((await daemon.stop()).code, 0)
  await rowsOf(t, daemon.file)
})

// ---- replacement -------------------------------------------------------------------------

t.test('--replace under load', async (t) => {
  const dir = tmpdir(t)
  let daemon = await start(t, { dir })
  const client = await connect(t, daemon)
  await client.ask(EXEC, ['create table t(who, n)'])
  const pids = new Set([daemon.pid])
  const processes = writers(t, daemon, 3, { once: true })
  for (let round = 0; round < rounds; round++) {
    const before = lines(processes, 'ack').length
    await until(() => lines(processes, 'ack').length > before + 20, 'the clients go on')
    const next = await start(t, { dir, args: ['--replace'] })
    await daemon.done
    t.equal(daemon.code, 0, `round ${round}: the old one ends in order`)
    t.match(next.stderr, /replacing the daemon with pid/)
    daemon = next
    pids.add(daemon.pid)
  }
  const before = lines(processes, 'ack').length
  await until(() => lines(processes, 'ack').length > before + 20, 'the clients go on')
  const { value } = await (await connect(t, daemon)).ask(52, [])
  t.equal(value.pid, daemon.pid, 'the last one serves')
  await Promise.all(processes.map((one) => endOf(t, one)))
  t.equal((await daemon.stop()).code, 0)
  t.equal(pids.size, rounds + 1)
  const acked = lines(processes, 'ack')
  const rows = await rowsOf(t, daemon.file)
  exact(t, acked.filter((row) => !rows.has(row)), [], `${acked.length} acknowledged writes are there`)
  const errors = lines(processes, 'error')
  exact(t, errors.filter((line) => line !== 'UC_CONNECTION_LOST unknown'), [], `${errors.length} answers were lost, nothing else went wrong`)
  t.equal(rows.size, acked.length, 'what was repeated counts once')
})
