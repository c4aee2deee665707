'use strict'

// An idle handle does not keep the process alive; a busy one does, until its work is done.

const t = require('tap')
const undercroft = require('../..')
const { exact, fileTimeoutMs, runs, tmpfile } = require('../helper')
const { prepare } = require('./pending')

t.setTimeout(fileTimeoutMs)

t.test('idle: the process ends by itself', async (t) => {
  const idle = {
    'just opened': async ({ undercroft, args }) => { undercroft.open(args.file) },
    ready: async ({ undercroft, args }) => { await undercroft.open(args.file).ready },
    'after work': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file)
      await Promise.all(Array.from({ length: 500 }, (_, i) => i % 2 ? db.get('select ? as v', [i]) : db.run('insert into t(a) values (?)', [i])))
    },
    'after blocking work': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file)
      db.sync.get('select * from t')
      db.sync.run('insert into t(a) values (1)')
    },
    'with a cursor that stands still': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file, { transactionTimeoutMs: 3600000 })
      const rows = db.iterate('select * from t')
      await rows.next()
      globalThis.kept = rows
    },
    'with an AbortSignal that never fires': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file)
      await db.get('select 1', [], { signal: new AbortController().signal, timeoutMs: 60000 })
    },
    'after a failure': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file)
      await db.get('nonsense').catch(() => {})
    },
    'that could not be opened': async ({ undercroft }) => {
      await undercroft.open('/dev/null/x').ready.catch(() => {})
    },
    closed: async ({ undercroft, args }) => {
      const store = undercroft.open(args.file)
      await store.db.get('select 1')
      await store.close()
    },
    'with a watch that nobody waits for': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file)
      globalThis.kept = db.watch()
      await db.get('select 1')
    },
    'with a watch that has ended': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file)
      const watch = db.watch()
      setTimeout(() => watch.return(), 20)
      await watch.next()
    },
    'with a user function': async ({ undercroft, args }) => {
      const { db } = undercroft.open(args.file)
      db.sync.function('f', () => 1)
      db.sync.get('select f()')
    }
  }
  const file = tmpfile(t)
  await prepare(undercroft, file)
  // Less than the 30 s after which a call is late: whoever waits for its timer is found.
  for (const [name, body] of Object.entries(idle)) await runs(t, body, { args: { file }, deadlineMs: 25000, name })
})

t.test('busy: the process stays until the work is done', async (t) => {
  const slow = 'with recursive c(x) as (select 1 union all select x + 1 from c where x < 1500000)'
  const busy = {
    'a read': async ({ undercroft, args, say }) => { undercroft.open(args.file).db.get(`${args.slow} select count(*) as n from c`).then(() => say('done')) },
    'a write': async ({ undercroft, args, say }) => { undercroft.open(args.file).db.run('insert into t(a) values (99)').then(() => say('done')) },
    'a closing': async ({ undercroft, args, say }) => {
      const store = undercroft.open(args.file)
      store.db.run(`${args.slow} insert into t(a) select count(*) from c`)
      store.close().then(() => say('done'))
    },
    'a handle that nobody holds': async ({ undercroft, args, say }) => {
      (() => { undercroft.open(args.file).db.get(`${args.slow} select count(*) as n from c`).then(() => say('done')) })()
      globalThis.gc?.()
    },
    'a watch that is waited for': async ({ undercroft, args, say }) => {
      const { db } = undercroft.open(args.file)
      db.watch().next().then(() => say('done'))
      setTimeout(() => db.run('insert into t(a) values (98)'), 300).unref()
    },
    'many replies': async ({ undercroft, args, say }) => {
      const { db } = undercroft.open(args.file)
      Promise.all(Array.from({ length: 50 }, () => db.all('select * from t'))).then(() => say('done'))
    },
    'a health check': async ({ undercroft, args, say }) => { undercroft.open(args.file).ready.then(() => say('done')) }
  }
  const file = tmpfile(t)
  await prepare(undercroft, file)
  for (const [name, body] of Object.entries(busy)) {
    const result = await runs(t, body, { args: { file, slow }, nodeArgs: ['--expose-gc'], name })
    exact(t, result.lines, ['done'], `${name}: it came to its end`)
  }
})

t.test('busy, idle, busy again', async (t) => {
  const file = tmpfile(t)
  await prepare(undercroft, file)
  const result = await runs(t, async ({ undercroft, args, say }) => {
    const { db } = undercroft.open(args.file)
    for (let i = 0; i < 5; i++) {
      await db.get('select 1')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    db.get('select 1').then(() => say('done'))
  }, { args: { file }, deadlineMs: 25000 })
  exact(t, result.lines, ['done'], 'the last one too')
})
