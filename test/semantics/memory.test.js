'use strict'

// What memory the decoder and the cursors may take. Each in a process of its own.

const t = require('tap')
const { fileTimeoutMs, isLong, runs, tmpfile } = require('../helper')

t.setTimeout(fileTimeoutMs)

const MiB = 1024 * 1024

t.test('iterate takes constant memory', async (t) => {
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.file, { synchronous: 'off' })
    const { db } = store
    await db.exec(`create table t(id integer primary key, a text, b real);
      with recursive c(x) as (select 1 union all select x + 1 from c where x < ${args.rows}) insert into t select x, 'text of row ' || x || ' é', x / 3.0 from c`)
    const read = async (limit) => {
      let n = 0
      for await (const row of db.iterate('select * from t limit ?', [limit])) if (row.id === ++n && row.a.length > 0) continue
      return n
    }
    await read(20000)
    const before = process.memoryUsage().rss
    let peak = before
    const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss) }, 5)
    say(await read(args.rows))
    clearInterval(timer)
    say(Math.max(peak, process.memoryUsage().rss) - before)
    await store.close()
  }, { args: { file: tmpfile(t), rows: isLong ? 1000000 : 300000 }, deadlineMs: 90000 })
  const [rows, growth] = result.lines.map(Number)
  t.equal(rows, isLong ? 1000000 : 300000)
  t.ok(growth <= 64 * MiB, `${Math.round(growth / MiB)} MiB above the start`)
})

t.test('many reads and writes leave nothing behind', async (t) => {
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.file, { synchronous: 'off' })
    const { db } = store
    await db.exec('create table t(id integer primary key, a)')
    await db.many('insert into t(a) values (?)', Array.from({ length: 1000 }, (_, i) => [`row ${i}`]))
    const work = async (rounds) => {
      for (let i = 0; i < rounds; i++) {
        await Promise.all(Array.from({ length: 500 }, (_, k) => k % 25 === 24
          ? db.run('update t set a = ? where id = ?', [`new ${i}`, k])
          : k % 25 === 23 ? db.get('select nope').catch(() => {}) : db.get('select * from t where id = ?', [k])))
      }
      for (let i = 0; i < 5; i++) {
        globalThis.gc?.()
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return process.memoryUsage().rss
    }
    const before = await work(60)
    say(await work(args.rounds) - before)
    await store.close()
  }, { args: { file: tmpfile(t), rounds: isLong ? 2000 : 200 }, nodeArgs: ['--expose-gc'], deadlineMs: 120000 })
  const growth = Number(result.lines[0])
  t.ok(growth <= 32 * MiB, `${Math.round(growth / MiB)} MiB`)
})

t.test('a kept string does not pin the reply it was cut from', async (t) => {
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.file)
    const { db } = store
    await db.exec("create table t(a text); with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000) insert into t select 'a text of somewhat more than thirteen characters ' || x || replace(hex(zeroblob(200)), '0', 'z') from c")
    const kept = []
    for (let i = 0; i < 200; i++) {
      const rows = await db.all('select a from t')
      kept.push(rows[i].a)
    }
    for (let i = 0; i < 5; i++) {
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const { heapUsed, external } = process.memoryUsage()
    say(heapUsed + external)
    say(kept.length)
    await store.close()
  }, { args: { file: tmpfile(t) }, nodeArgs: ['--expose-gc'], deadlineMs: 60000 })
  t.ok(Number(result.lines[0]) < 64 * MiB, `${Math.round(Number(result.lines[0]) / MiB)} MiB held with 200 strings kept of 200 replies of 900 KB`)
})

t.test('2000 statements and 2000 shapes are not kept for ever', async (t) => {
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.file)
    const work = async (from) => {
      for (let i = from; i < from + 2000; i += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, k) => store.db.get(`select ${i + k} as c${i + k}, '${'x'.repeat(200)}' as text`)))
      }
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 20))
      globalThis.gc?.()
      return process.memoryUsage().rss
    }
    // V8 drops the code of decoders that nobody uses only after some collections:
    // what counts is that the second half needs no more than the first one did.
    const half = args.rounds / 2
    let before, last
    for (let i = 0; i < half; i++) before = await work(i * 2000)
    for (let i = half; i < args.rounds; i++) last = await work(i * 2000)
    say(last - before)
    await store.close()
  }, { args: { file: tmpfile(t), rounds: isLong ? 20 : 6 }, nodeArgs: ['--expose-gc'], deadlineMs: 90000 })
  t.ok(Number(result.lines[0]) < 64 * MiB, `${Math.round(Number(result.lines[0]) / MiB)} MiB more`)
})
