'use strict'

// Handles, statements and cursors that are dropped without being closed.

const t = require('tap')
const undercroft = require('../..')
const { exact, fileTimeoutMs, isBun, runs, tmpfile } = require('../helper')
const { prepare } = require('./pending')

t.setTimeout(fileTimeoutMs)

const nodeArgs = ['--expose-gc']

t.test('collected handles give back their threads and files', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 100)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const fs = require('node:fs')
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true))
    const threads = () => fs.readdirSync('/proc/self/task').length
    const files = () => fs.readdirSync('/proc/self/fd').length
    const once = async (i) => {
      const store = undercroft.open(args.file + (i % 2 ? '' : '.other'))
      await store.db.get('select 1')
      if (i % 3 === 0) await store.db.iterate('select 1 union all select 2').next()
      if (i % 5 === 0) store.db.sync.get('select 1')
    }
    for (let i = 0; i < 5; i++) await once(i)
    const turn = async () => {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (let i = 0; i < 20; i++) await turn()
    const before = { threads: threads(), files: files() }
    for (let i = 0; i < 60; i++) {
      await once(i)
      if (i % 10 === 0) collect()
    }
    // Threads end and files close when they come to it.
    const over = Date.now() + 30000
    do await turn()
    while ((threads() - before.threads > args.threads || files() - before.files > args.files) && Date.now() < over)
    say(threads() - before.threads)
    say(files() - before.files)
  }, { args: { file, threads: 6, files: 12 }, nodeArgs })
  const [threads, files] = result.lines.map(Number)
  t.ok(threads <= 6, `${threads} threads more after 60 dropped handles`)
  t.ok(files <= 12, `${files} open files more`)
})

t.test('a dropped handle with work under way finishes the work first', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 100)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true))
    const calls = []
    for (let i = 0; i < 20; i++) {
      const { db } = undercroft.open(args.file)
      calls.push(db.run('insert into t(a) values (?)', [`gc ${i}`]), db.get('with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000) select count(*) as n from c'))
    }
    for (let i = 0; i < 10; i++) {
      collect()
      await new Promise((resolve) => setImmediate(resolve))
    }
    say((await Promise.all(calls)).length)
  }, { args: { file }, nodeArgs })
  exact(t, result.lines, ['40'], 'every call is answered')
  const store = undercroft.open(file)
  exact(t, await store.db.get("select count(*) as n from t where a like 'gc %'"), { n: 20 }, 'every row is there')
  await store.close()
})

t.test('dropped cursors, statements and transactions', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 20000)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true))
    const store = undercroft.open(args.file, { transactionTimeoutMs: 100, cursors: 2 })
    const { db } = store
    for (let i = 0; i < 6; i++) {
      await db.iterate('select * from t').next().catch((err) => { if (err.code !== 'UC_CURSORS') throw err })
      db.prepare(`select ${i}`)
      db.transaction(() => new Promise(() => {})).catch(() => {})
      collect()
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    say((await db.get('select count(*) as n from t')).n)
    say((await db.run("insert into t(a) values ('free')")).changes)
    const rows = db.iterate('select * from t')
    say((await rows.next()).value.id)
    process.exit(0)
  }, { args: { file }, nodeArgs })
  exact(t, result.lines, ['20000', '1', '1'], 'nothing stays taken')
})

t.test('dropped watches give back their places, and one that is waited for is not dropped', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 100)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true))
    const turn = async () => {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const { db } = undercroft.open(args)
    const told = db.watch('t').next()
    const { signal } = new AbortController()
    for (let i = 0; i < 62; i++) db.watch('t', i % 2 ? { signal } : undefined)
    const held = db.watch('other')
    const place = async () => {
      const watch = db.watch('t')
      const next = watch.next()
      next.catch(() => {})
      // A refusal comes before the answer to what is asked later.
      const isLater = db.stats().then(() => new Promise((resolve) => setImmediate(resolve, true)))
      const isTaken = await Promise.race([next.then(() => true, (err) => err.code), isLater])
      await watch.return()
      return isTaken
    }
    say(await place())
    const over = Date.now() + 30000
    let isTaken
    do {
      await turn()
      isTaken = await place()
    } while (isTaken !== true && Date.now() < over)
    say(isTaken)
    for (let i = 0; i < 10; i++) await turn()
    await db.run("insert into t(a) values ('x')")
    say((await told).value.tables)
    await held.return()
  }, { args: file, nodeArgs })
  exact(t, result.lines, ['UC_BUSY', 'true', 't'], 'refused, a place, told')
})

t.test('user functions and their handles are collected', async (t) => {
  const file = tmpfile(t)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true))
    for (let i = 0; i < 30; i++) {
      const store = undercroft.open(args.file)
      store.db.sync.function('f', (v) => v + i)
      store.db.sync.aggregate('s', { start: 0, step: (a, v) => a + v })
      if (store.db.sync.get('select f(1) as v').v !== 1 + i) throw new Error('wrong function')
      if (i % 2) await store.close()
      if (i % 5 === 0) collect()
    }
    collect()
    say('done')
  }, { args: { file }, nodeArgs })
  exact(t, result.lines, ['done'], isBun ? 'on Bun' : 'on Node')
})

t.test('blobs and rows outlive their handle', async (t) => {
  const file = tmpfile(t)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true))
    const store = undercroft.open(args.file)
    const row = await store.db.get("select x'01020304' as b, 'text é' as s")
    const json = await store.db.json("select 'text é' as s")
    await store.close()
    for (let i = 0; i < 5; i++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    say(`${[...row.b]} ${row.s} ${json}`)
  }, { args: { file }, nodeArgs })
  exact(t, result.lines, ['1,2,3,4 text é [{"s":"text é"}]'], 'unharmed')
})
