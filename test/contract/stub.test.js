'use strict'

// The desk needs no database: an engine without one (stub/engine.c) is driven through both doors, by
// a test build of each. What is not for a database works beside it.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFileSync } = require('node:child_process')
const { root, failure, fileTimeoutMs, startDaemon, tmpdir } = require('../helper')

const built = path.join(root, 'test/c/build/stub')

// One at a time, whichever runtimes this is run on beside each other.
function build () {
  const lock = path.join(root, 'test/c/build/stub.lock')
  fs.mkdirSync(path.dirname(lock), { recursive: true })
  for (let waited = 0; ; waited += 200) {
    try {
      fs.mkdirSync(lock)
      break
    } catch (err) {
      if (err.code !== 'EEXIST') throw err
      if (waited > 300000) fs.rmdirSync(lock) // of one that was killed
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    }
  }
  try {
    execFileSync('make', ['-s', '-C', path.join(root, 'test/c'), 'stub'], { stdio: ['ignore', 'ignore', 'inherit'] })
  } finally {
    fs.rmdirSync(lock)
  }
}

t.setTimeout(fileTimeoutMs)
build()
process.env.UNDERCROFT_ADDON = path.join(built, 'undercroft.node')
process.env.UNDERCROFT_DAEMON = path.join(built, 'undercroftd')
const { open } = require('../..')

const doors = {
  addon: (t, mode) => open(path.join(tmpdir(t), mode)),
  ipc: (t, mode) => open(startDaemon(t, ['--db', path.join(tmpdir(t), mode)]).url, { connectTimeoutMs: 60000 })
}

// How many writes had been answered before a call was.
const writesBefore = err => Number(/after (\d+) writes/.exec(err.message)[1])

for (const [door, place] of Object.entries(doors)) {
  t.test(`${door}: what is for a database is not here`, async t => {
    const store = place(t, 'stub:')
    const { db } = store
    const calls = {
      get: () => db.get('select 1'),
      all: () => db.all('select 1'),
      json: () => db.json('select 1'),
      run: () => db.run('insert'),
      'run of what is not known': () => db.run('whatever'),
      batch: () => db.batch([['insert'], ['insert']]),
      exec: () => db.exec('insert'),
      many: () => db.many('insert', [[1], [2]]),
      transaction: () => db.transaction(() => {}),
      snapshot: () => db.snapshot(() => {}),
      iterate: () => db.iterate('select 1').next(),
      backup: () => db.backup('copy'),
      restore: () => db.restore('copy'),
      stats: () => db.stats()
    }
    for (const [name, call] of Object.entries(calls)) {
      const err = await failure(call())
      t.equal(err?.code, 'UC_NOT_HERE', name)
      t.equal(err?.kind, 'usage')
    }
    if (door === 'addon') t.throws(() => db.sync.get('select 1'), { code: 'UC_NOT_HERE' }, 'no blocking calls')
    await store.close()
  })

  t.test(`${door}: what needs no database works beside it`, async t => {
    const store = place(t, 'stub:')
    t.equal(await store.cache.set('a', 1), true)
    t.equal(await store.cache.get('a'), 1)
    t.equal(await store.cache.wrap('b', () => 2), 2)
    const stop = new AbortController()
    const watch = store.db.watch({ signal: stop.signal })
    const next = failure(watch.next())
    t.equal((await failure(store.db.get('select 1'))).code, 'UC_NOT_HERE', 'while a watch stands')
    await store.close()
    await next
  })

  t.test(`${door}: late, in any order, from several threads`, async t => {
    const store = place(t, 'stub:late')
    const { db } = store
    const errs = await Promise.all(Array.from({ length: 300 }, (_, i) =>
      failure(i % 3 === 0 ? db.run('insert') : i % 3 === 1 ? db.get('select 1') : db.run(`whatever ${i}`))))
    t.same([...new Set(errs.map(err => err?.code))], ['UC_NOT_HERE'], 'each is answered')

    const behind = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      if (i % 2 === 0) return [failure(db.run('insert')), 0]
      return [failure(db.get('select 1')), 1]
    }).map(async pair => {
      const [answer, read] = await pair
      return { read, before: writesBefore(await answer) }
    }))
    const reads = behind.filter(({ read }) => read === 1).map(({ before }) => before)
    const first = Math.min(...behind.map(({ before }) => before))
    reads.forEach((before, i) => t.ok(before >= first + i + 1, `read ${i} was begun after the writes issued before it`))

    t.equal((await failure(db.get('select give up'))).code, 'UC_ABORTED', 'an engine ends a call itself')
    await store.close()
  })

  t.test(`${door}: what is never answered is stopped`, async t => {
    const store = place(t, 'stub:late')
    const { db } = store
    const started = Date.now()
    t.equal((await failure(db.get('select hang', [], { timeoutMs: 100 }))).code, 'UC_TIMEOUT', 'by its deadline')
    t.ok(Date.now() - started >= 90)
    const stop = new AbortController()
    const hang = n => Array.from({ length: n }, () => failure(db.get('select hang', [], { signal: stop.signal })))
    const hangs = hang(40)
    t.equal((await failure(db.get('select 1'))).code, 'UC_NOT_HERE', 'others go on')
    hangs.push(...hang(60)) // more than all threads have room for
    setTimeout(() => stop.abort(), 50)
    t.same([...new Set((await Promise.all(hangs)).map(err => err.name))], ['AbortError'], 'by a signal, in hand and in a queue')
    const left = failure(db.get('select hang'))
    await new Promise(resolve => setTimeout(resolve, 30))
    store.destroy()
    t.equal((await left).code, 'UC_CLOSED', 'by the end of its handle')
  })
}
