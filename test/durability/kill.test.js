'use strict'

// kill -9 in a loop of group commits: every row that was acknowledged is there, no transaction is
// there by half, and the next process opens the file as if nothing had happened.

const t = require('tap')
const undercroft = require('../..')
const { budget } = require('../budget')
const { child, exact, fileTimeoutMs, tmpfile } = require('../helper')

t.setTimeout(fileTimeoutMs)

const rounds = Math.max(8, budget.of(40))

// Writes in every way there is and says what was acknowledged: `r <id>` a row, `p <n>` a pair of
// rows written in one transaction, `m <n>` ten rows written by one `many`.
const body = async ({ undercroft, args, say }) => {
  const { db } = undercroft.open(args.file, { synchronous: args.synchronous })
  await db.exec(`create table if not exists r(id integer primary key, n);
    create table if not exists p(n, half); create table if not exists m(n, k)`)
  let n = args.first
  const rows = async () => {
    for (;;) {
      const own = n++
      const { lastInsertRowid } = await db.run('insert into r(n) values (?)', [own])
      say(`r ${lastInsertRowid} ${own}`)
    }
  }
  const failing = async () => {
    for (;;) {
      await db.run('insert or rollback into r(id, n) values (1, 0)').catch(() => {})
      await db.run('insert into r(id, n) values (1, 0)').catch(() => {})
    }
  }
  const pairs = async () => {
    for (;;) {
      const own = n++
      await db.transaction(async (tx) => {
        await tx.run("insert into p values (?, 'left')", [own])
        await tx.run("insert into p values (?, 'right')", [own])
      })
      say(`p ${own}`)
    }
  }
  const batches = async () => {
    for (;;) {
      const own = n++
      await db.batch([["insert into p values (?, 'left')", [own]], ["insert into p values (?, 'right')", [own]]])
      say(`p ${own}`)
    }
  }
  const many = async () => {
    for (;;) {
      const own = n++
      await db.many('insert into m values (?, ?)', Array.from({ length: 10 }, (_, k) => [own, k]))
      say(`m ${own}`)
    }
  }
  const blocking = () => {
    const own = n++
    const { lastInsertRowid } = db.sync.run('insert into r(n) values (?)', [own])
    say(`r ${lastInsertRowid} ${own}`)
    setTimeout(blocking, 3)
  }
  await db.run('insert or ignore into r(id, n) values (1, 0)')
  for (let i = 0; i < 40; i++) rows()
  for (let i = 0; i < 3; i++) pairs()
  failing()
  batches()
  many()
  // Waiting for others' transactions it would be told UC_TX_OPEN: only where there are none.
  if (args.blocking) blocking()
}

t.test('every acknowledged row is there', async (t) => {
  const file = tmpfile(t)
  const acked = { r: new Map(), p: new Set(), m: new Set() }
  let total = 0
  for (let round = 0; round < rounds; round++) {
    const wait = 60 + Math.floor(Math.random() * 200)
    let began = false
    const result = child(t, body, {
      args: { file, first: round * 10000000, synchronous: ['full', 'normal', 'off', 'extra'][round % 4] },
      onLine: (line, proc) => {
        if (began) return
        began = true
        setTimeout(() => proc.kill('SIGKILL'), wait)
      }
    })
    await result.done
    if (result.signal !== 'SIGKILL' || result.timedOut) t.ok(false, `round ${round}: ended by itself: ${result.stderr.slice(-2000)}`)
    for (const line of result.lines) {
      const [kind, a, b] = line.split(' ')
      if (kind === 'r') acked.r.set(Number(a), Number(b))
      else acked[kind].add(Number(a))
      total++
    }
    const store = undercroft.open(file)
    const { db } = store
    const r = new Map(await db.values('select id, n from r'))
    const lost = [...acked.r].filter(([id, n]) => r.get(id) !== n)
    const p = new Map(await db.values('select n, count(distinct half) from p group by n'))
    const lostPairs = [...acked.p].filter((n) => p.get(n) !== 2)
    const m = new Map(await db.values('select n, count(*) from m group by n'))
    const lostMany = [...acked.m].filter((n) => m.get(n) !== 10)
    exact(t, [lost.length, lostPairs.length, lostMany.length], [0, 0, 0], `round ${round}: nothing acknowledged is lost`)
    exact(t, [[...p.values()].filter((k) => k !== 2).length, [...m.values()].filter((k) => k !== 10).length], [0, 0], `round ${round}: nothing is there by half`)
    exact(t, await db.get('pragma integrity_check'), { integrity_check: 'ok' }, `round ${round}: the file is sound`)
    await store.close()
  }
  t.comment(`${total} acknowledgements in ${rounds} rounds`)
  t.ok(total > rounds * 10)
})

t.test('killed in a checkpoint, a vacuum, a migration, a backup', async (t) => {
  const file = tmpfile(t)
  for (let round = 0; round < Math.max(4, budget.of(16)); round++) {
    const result = child(t, async ({ undercroft, args, say }) => {
      const fs = require('node:fs')
      const { db } = undercroft.open(args.file, { walCheckpointBytes: 4096 * 20 })
      await db.exec('create table if not exists t(id integer primary key, a); create table if not exists seen(n)')
      say('begun')
      const dir = `${args.file}.${args.round}.d`
      fs.mkdirSync(dir)
      fs.writeFileSync(`${dir}/1_x.sql`, `create table if not exists mig(a);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < 200000) insert into mig select x from c; drop table mig;`)
      const writes = async () => {
        for (let i = 0; ; i++) {
          await db.many('insert into t(a) values (?)', Array.from({ length: 200 }, (_, k) => [`row ${k}`]))
          if (i % 20 === 19) await db.run('delete from t')
        }
      }
      writes()
      const work = [
        async () => { for (;;) await db.get('pragma wal_checkpoint(truncate)') },
        async () => { for (;;) await db.run('vacuum') },
        () => db.migrate(dir),
        async () => { for (;;) await db.backup(`${args.file}.copy`) }
      ][args.round % 4]
      work().catch(() => {})
    }, {
      args: { file, round },
      onLine: (line, proc) => setTimeout(() => proc.kill('SIGKILL'), 100 + Math.random() * 200)
    })
    await result.done
    t.equal(result.signal, 'SIGKILL', result.stderr.slice(-500))
    const store = undercroft.open(file)
    exact(t, await store.db.get('pragma integrity_check'), { integrity_check: 'ok' }, `round ${round}: sound`)
    const { n } = await store.db.get('select count(*) as n from t')
    t.equal(n % 200, 0, `round ${round}: whole batches (${n} rows)`)
    await store.close()
  }
})
