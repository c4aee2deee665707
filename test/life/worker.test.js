'use strict'

// worker_threads: several on one file, terminated in the middle of queries, exiting, throwing.

const t = require('tap')
const undercroft = require('../..')
const { exact, fileTimeoutMs, isLong, runs, tmpfile } = require('../helper')
const { pending, prepare } = require('./pending')

t.setTimeout(fileTimeoutMs)

const stages = Object.keys(pending)

t.test('several workers and the main thread on one file', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 10)
  const result = await runs(t, async ({ undercroft, args, root, say }) => {
    const { Worker } = require('node:worker_threads')
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { open } = require(workerData.root)
      const store = open(workerData.file)
      const { db } = store
      ;(async () => {
        const writes = []
        for (let i = 0; i < 300; i++) {
          writes.push(db.run('insert into t(a) values (?)', ['w' + workerData.n]))
          if (i % 50 === 0) {
            db.sync.get('select count(*) as n from t')
            await db.transaction((tx) => tx.run('update t set a = a where id = 1'))
          }
        }
        await Promise.all(writes)
        const { n } = await db.get('select count(*) as n from t where a = ?', ['w' + workerData.n])
        await store.close()
        parentPort.postMessage(n)
      })()`
    const store = undercroft.open(args.file)
    const all = Array.from({ length: 4 }, (_, n) => new Promise((resolve, reject) => {
      const worker = new Worker(source, { eval: true, workerData: { n, root, file: args.file } })
      worker.on('message', resolve).on('error', reject)
    }))
    const own = Promise.all(Array.from({ length: 300 }, () => store.db.run("insert into t(a) values ('main')")))
    const counts = await Promise.all(all)
    await own
    say(counts.join(' '))
    say((await store.db.get("select count(*) as n from t where a like 'w%' or a = 'main'")).n)
    await store.close()
  }, { args: { file } })
  exact(t, result.lines, ['300 300 300 300', '1500'], 'every write of every thread')
})

t.test('terminated in the middle of each kind of operation', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 500)
  const result = await runs(t, async ({ undercroft, args, root, say }) => {
    const { Worker } = require('node:worker_threads')
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      const path = require('node:path')
      const { open } = require(workerData.root)
      const { pending } = require(path.join(workerData.root, 'test/life/pending.js'))
      const store = open(workerData.file)
      if (workerData.wait === 0) parentPort.postMessage('started')
      store.ready.then(() => {
        pending[workerData.stage](store).catch(() => {})
        setTimeout(() => parentPort.postMessage('started'), workerData.wait)
        setInterval(() => {}, 1000)
      })`
    const store = undercroft.open(args.file)
    await store.ready
    for (const stage of args.stages) {
      for (const wait of args.waits) {
        const worker = new Worker(source, { eval: true, workerData: { stage, wait, root, file: args.file } })
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        await worker.terminate()
        // The writer is free for the others, whatever the worker had open.
        await store.db.run("insert into t(a) values ('after')")
        say(`${stage} ${wait}`)
      }
    }
    say((await store.db.get("select count(*) as n from t where a = 'tx'")).n)
    say((await store.db.get('pragma integrity_check')).integrity_check)
    await store.close()
  }, { args: { file, stages, waits: isLong ? [0, 1, 20] : [5] }, deadlineMs: 300000 })
  exact(t, result.lines.slice(-2), ['0', 'ok'], 'no half transaction, and the file is sound')
})

t.test('exit and throw inside of a worker, with work under way', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 500)
  const result = await runs(t, async ({ undercroft, args, root, say }) => {
    const { Worker } = require('node:worker_threads')
    for (const end of ['process.exit(5)', "throw new Error('on purpose')", '']) {
      for (const ready of ['', 'await store.ready;']) {
        const source = `
          const { workerData } = require('node:worker_threads')
          const store = require(workerData.root).open(workerData.file)
          ;(async () => {
            ${ready}
            store.db.get('with recursive c(x) as (select 1 union all select x + 1 from c where x < 300000) select count(*) from c').catch(() => {})
            store.db.run("insert into t(a) values ('w')").catch(() => {})
            setImmediate(() => { ${end} })
          })()`
        const worker = new Worker(source, { eval: true, workerData: { root, file: args.file } })
        worker.on('error', () => {})
        say(await new Promise((resolve) => worker.on('exit', resolve)))
      }
    }
  }, { args: { file } })
  exact(t, result.lines, ['5', '5', '1', '1', '0', '0'], 'their exit codes')
})

t.test('a hundred short workers', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 10)
  const n = isLong ? 100 : 40
  const result = await runs(t, async ({ args, root, say }) => {
    const { Worker } = require('node:worker_threads')
    const source = `
      const { workerData } = require('node:worker_threads')
      const store = require(workerData.root).open(workerData.file)
      store.db.run('insert into t(a) values (1)').then(() => { if (workerData.i % 3) process.exit(0) })`
    for (let i = 0; i < args.n; i += 4) {
      await Promise.all([0, 1, 2, 3].map((k) => new Promise((resolve, reject) => {
        new Worker(source, { eval: true, workerData: { root, file: args.file, i: i + k } }).on('exit', resolve).on('error', reject)
      })))
    }
    say('done')
  }, { args: { file, n } })
  exact(t, result.lines, ['done'], 'no crash')
  const store = undercroft.open(file)
  exact(t, await store.db.get('select count(*) as n from t where a = 1'), { n }, 'every row')
  await store.close()
})

t.test('the main thread exits while workers are busy', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 500)
  const result = await runs(t, async ({ undercroft, args, root }) => {
    const { Worker } = require('node:worker_threads')
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { db } = require(workerData.root).open(workerData.file)
      const go = async () => { for (;;) await Promise.all([db.get('select count(*) from t'), db.run('insert into t(a) values (1)')]) }
      go()
      parentPort.postMessage('started')`
    const workers = [0, 1].map(() => new Worker(source, { eval: true, workerData: { root, file: args.file } }))
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
    undercroft.open(args.file).db.get('select 1').then(() => setTimeout(() => process.exit(6), 50))
  }, { args: { file }, code: 6 })
  t.equal(result.signal, null)
  const store = undercroft.open(file)
  exact(t, await store.db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
  await store.close()
})
