'use strict'

// close() and destroy() against each kind of operation under way, in one process: no crash, no
// hang, no promise left open, and the file is sound afterwards.

const t = require('tap')
const undercroft = require('../..')
const { delay, elapsed, clock, exact, fileTimeoutMs, tmpfile } = require('../helper')
const { pending, prepare } = require('./pending')

t.setTimeout(fileTimeoutMs)

const settled = (promise) => promise.then(() => 'done', (err) => err)
const inTime = (promise, ms, what) => {
  let timer
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// A store of its own, with the operation under way.
const start = async (t, name, options) => {
  const file = tmpfile(t)
  if (name !== 'opening') await prepare(undercroft, file)
  const store = undercroft.open(file, options)
  if (name !== 'opening') await store.ready
  const work = settled(pending[name](store))
  return { file, store, work }
}

const sound = async (t, file, name) => {
  const store = undercroft.open(file)
  exact(t, await store.db.get('pragma integrity_check'), { integrity_check: 'ok' }, `${name}: the file is sound`)
  await store.close()
}

// Callbacks that wait for ever never settle by themselves: destroying must not need them to.
const callbackHangs = new Set(['transaction', 'a nested transaction', 'snapshot', 'a stream that stands still', 'a cursor that stands still'])

// Without them what is destroyed cannot end by a limit.
const unlimited = { timeoutMs: 0, transactionTimeoutMs: 3600000 }

t.test('destroy', async (t) => {
  for (const name of Object.keys(pending)) {
    for (const wait of [0, 15]) {
      const { file, store, work } = await start(t, name, unlimited)
      if (wait > 0) await delay(wait)
      const begin = clock()
      store.destroy()
      await inTime(store.close(), 60000, `${name}: close after destroy`)
      t.ok(elapsed(begin) < 60000, `${name}, after ${wait} ms: destroyed in ${Math.round(elapsed(begin))} ms`)
      if (!callbackHangs.has(name)) {
        const end = await inTime(work, 60000, `${name}: its promise`)
        t.ok(end === 'done' || /^UC_(CLOSED|TX_CLOSED)$/.test(end.code), `${name}: rejects with UC_CLOSED (${end === 'done' ? end : end.code})`)
      }
      await sound(t, file, name)
    }
  }
})

t.test('close, with deadlines on what does not end by itself', async (t) => {
  const endless = new Set(['group commits', 'calls without number', 'a cursor that runs', 'backup', 'vacuum', 'checkpoint', 'stats', 'a stream into many'])
  for (const name of Object.keys(pending)) {
    const { file, store, work } = await start(t, name, { timeoutMs: 150, transactionTimeoutMs: 150 })
    await delay(10)
    const closing = store.close()
    // A callback that never returns keeps its activity open: that is what destroy is for.
    const ended = await inTime(closing, callbackHangs.has(name) ? 500 : 60000, name).then(() => true, () => false)
    if (!ended) {
      t.ok(callbackHangs.has(name) || name === 'a stream into many', `${name}: close still waits`)
      store.destroy()
      await inTime(closing, 60000, `${name}: close after destroy`)
    } else {
      t.ok(true, `${name}: closed`)
    }
    if (!callbackHangs.has(name)) {
      const end = await inTime(work, 60000, `${name}: its promise`)
      if (endless.has(name)) t.match(end.code, /^UC_/, `${name}: ended with ${end.code}`)
    }
    await sound(t, file, name)
  }
})

t.test('everything at once, then destroy', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file)
  for (let round = 0; round < 5; round++) {
    const store = undercroft.open(file, unlimited)
    const all = Object.entries(pending).filter(([name]) => !callbackHangs.has(name)).map(([, start]) => settled(start(store)))
    await delay(5 + round * 20)
    store.destroy()
    await inTime(Promise.all(all), 60000, 'all promises')
  }
  await sound(t, file, 'after five rounds')
})

t.test('close in each turn after a call', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 10)
  for (let turns = 0; turns < 12; turns++) {
    for (const end of ['close', 'destroy']) {
      const store = undercroft.open(file)
      const calls = [store.db.get('select 1 as v'), store.db.run("insert into t(a) values ('x')"), store.db.iterate('select * from t').next()].map(settled)
      for (let i = 0; i < turns; i++) await (turns % 2 ? null : new Promise((resolve) => setImmediate(resolve)))
      await store[end]()
      for (const call of calls) {
        const result = await inTime(call, 60000, `a call, ${turns} turns before ${end}`)
        if (end === 'close' && result !== 'done') t.ok(false, `close drops a call: ${result.code}`)
        if (result !== 'done' && result.code !== 'UC_CLOSED') t.ok(false, `${end}: ${result.code}`)
      }
    }
  }
  t.ok(true, 'in each of twelve turns')
  await sound(t, file, 'afterwards')
})

t.test('closing inside of callbacks', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file, 100)
  const within = {
    'a transaction': (store) => store.db.transaction(async (tx) => { await tx.run("insert into t(a) values ('never')"); store.destroy() }),
    'a snapshot': (store) => store.db.snapshot(async () => store.destroy()),
    'a loop': async (store) => { for await (const row of store.db.iterate('select * from t')) if (row.id === 2) store.destroy() },
    'a then': (store) => Promise.all(Array.from({ length: 20 }, () => store.db.get('select 1').then(() => store.destroy()))),
    onProgress: (store) => store.db.backup(`${file}.copy`, { pagesPerStep: 1, onProgress: () => store.destroy() }),
    'a user function': async (store) => {
      store.db.sync.function('ends', () => { store.destroy(); return 1 })
      return store.db.sync.get('select ends() as v')
    },
    'a sync loop': async (store) => { for (const row of store.db.sync.iterate('select * from t')) if (row.id === 2) store.destroy() },
    'a sync transaction': async (store) => store.db.sync.transaction(() => { store.db.sync.run("insert into t(a) values ('never')"); store.destroy() })
  }
  for (const [name, work] of Object.entries(within)) {
    const store = undercroft.open(file)
    await store.ready
    const end = await inTime(settled(work(store)), 60000, name)
    t.ok(end === 'done' || end.code, `${name}: ${end === 'done' ? end : end.code}`)
    await inTime(store.close(), 60000, `${name}: close`)
  }
  await sound(t, file, 'afterwards')
  const store = undercroft.open(file)
  exact(t, await store.db.get("select count(*) as n from t where a = 'never'"), { n: 0 }, 'no half transaction was committed')
  await store.close()
})
