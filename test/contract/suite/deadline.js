'use strict'

// Deadlines and AbortSignal: they stop the statement, free the connection and reject.

const { budget } = require('../../budget')
const { newSeed, random } = require('../../random')
const { clock, delay, elapsed, exact, failure, overdue, runaway, slow, until } = require('../../helper')

module.exports = (t, open) => {
  const isPg = open.engine === 'pg'
  const { code } = open.sql
  const endless = isPg ? 'select count(*) as n from pg_sleep(3600)' : `${runaway} select count(*) as n from c`
  const endlessWrite = isPg ? 'insert into t select 1 from pg_sleep(3600)' : `${runaway} insert into t select count(*) from c`
  // What the server runs for this test, and nobody waits for: nothing, sooner or later.
  const gone = async (db) => {
    if (isPg) await until(async () => (await db.get("select count(*) as n from pg_stat_activity where datname = current_database() and state = 'active' and query like '%pg_sleep(3600)%' and pid <> pg_backend_pid()")).n === 0, 'the server has stopped it')
  }

  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec('create table t(a int)')
    return store.db
  }

  // Until what was called before has left the queues. The first answer may come before it is in them.
  const taken = async (db) => {
    await db.stats()
    await until(async () => {
      const { queues } = await db.stats()
      return queues.reads + queues.writes + queues.waitingReads === 0
    }, 'it runs')
  }

  // A signal that counts its listeners.
  const watched = () => {
    const stop = new AbortController()
    const { signal } = stop
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    const listeners = new Set()
    signal.addEventListener = (type, fn, options) => { listeners.add(fn); add(type, fn, options) }
    signal.removeEventListener = (type, fn, options) => { listeners.delete(fn); remove(type, fn, options) }
    return { stop, signal, listeners }
  }

  const verbs = {
    get: (db, o) => db.get(endless, [], o),
    all: (db, o) => db.all(endless, [], o),
    values: (db, o) => db.values(endless, [], o),
    json: (db, o) => db.json(endless, [], o),
    run: (db, o) => db.run(endlessWrite, [], o),
    exec: (db, o) => db.exec(endlessWrite, o),
    batch: (db, o) => db.batch([['insert into t values (1)'], [endlessWrite]], o),
    iterate: async (db, o) => { for await (const row of db.iterate(endless, [], o)) return row },
    'prepare().get': (db, o) => db.prepare(endless).get([], o)
  }

  t.test('timeoutMs stops each verb, and what it ran is gone', async (t) => {
    const db = await ready(t, { readers: 1 })
    for (const [name, call] of Object.entries(verbs)) {
      const start = clock()
      const err = await failure(call(db, { timeoutMs: 100 }))
      t.equal(err.code, 'UC_TIMEOUT', name)
      t.equal(err.kind, 'timeout')
      t.ok(elapsed(start) >= 80 && elapsed(start) < 15000, `${name}: in time (${Math.round(elapsed(start))} ms)`)
      exact(t, await db.get('select count(*) as n from t'), { n: 0 }, `${name}: the connection is free, nothing was written`)
      t.equal((await db.run('update t set a = 1')).changes, 0, `${name}: and so is the writer`)
      await gone(db)
    }
  })

  t.test('a signal stops each verb and its reason is what rejects', async (t) => {
    const db = await ready(t, { readers: 1 })
    for (const [name, call] of Object.entries(verbs)) {
      const { stop, signal, listeners } = watched()
      const reason = new Error(`reason of ${name}`)
      const pending = failure(call(db, { signal }))
      setTimeout(() => stop.abort(reason), 60)
      t.equal(await pending, reason, `${name}: the very reason`)
      t.equal(listeners.size, 0, `${name}: no listener stays`)
      exact(t, await db.get('select count(*) as n from t'), { n: 0 }, `${name}: the connection is free, nothing was written`)
      await gone(db)
    }
  })

  t.test('a signal that was aborted before: no call is made', async (t) => {
    const db = await ready(t)
    const reason = new Error('before')
    const signal = AbortSignal.abort(reason)
    t.equal(await failure(db.run('insert into t values (1)', [], { signal })), reason)
    t.equal(await failure(db.get('select 1', [], { signal })), reason)
    t.equal(await failure(db.exec('insert into t values (1)', { signal })), reason)
    t.equal(await failure(db.many('insert into t values (?)', [[1]], { signal })), reason)
    t.equal(await failure(db.batch([['insert into t values (1)']], { signal })), reason)
    let called = false
    t.equal(await failure(db.transaction(async () => { called = true }, { signal })), reason)
    t.equal(called, false, 'nor is the callback of a transaction')
    exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'nothing ran')
  })

  t.test('a signal without a reason of its own, and AbortSignal.timeout', async (t) => {
    const db = await ready(t)
    const stop = new AbortController()
    const pending = failure(db.get(endless, [], { signal: stop.signal }))
    setTimeout(() => stop.abort(), 30)
    t.equal((await pending).name, 'AbortError')
    const late = await failure(db.get(endless, [], { signal: AbortSignal.timeout(50) }))
    t.equal(late.name, 'TimeoutError')
  })

  t.test('an abort after the end changes nothing', async (t) => {
    const db = await ready(t)
    const { stop, signal, listeners } = watched()
    exact(t, await db.get('select 1 as v', [], { signal }), { v: 1 }, 'the result')
    t.equal(listeners.size, 0, 'no listener stays after success')
    const err = await failure(db.get('select nope', [], { signal }))
    t.equal(err.code, code.noColumn)
    t.equal(listeners.size, 0, 'nor after an error')
    stop.abort()
    exact(t, await db.get('select 2 as v'), { v: 2 }, 'the handle goes on')
  })

  t.test('abort in the turn of the call', async (t) => {
    const db = await ready(t)
    const stop = new AbortController()
    const reason = new Error('at once')
    const write = failure(db.run('insert into t values (1)', [], { signal: stop.signal }))
    const read = failure(db.get(endless, [], { signal: stop.signal }))
    stop.abort(reason)
    t.equal(await read, reason)
    t.equal(await write, reason)
    await delay(20)
    exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'the write never ran')
  })

  t.test('one signal for many calls', async (t) => {
    // A machine that is at fifty endless reads and more takes its time.
    const db = await ready(t, { timeoutMs: 60_000 })
    const { stop, signal, listeners } = watched()
    const reason = new Error('all of them')
    const calls = Array.from({ length: 50 }, () => failure(db.get(endless, [], { signal })))
    setTimeout(() => stop.abort(reason), 50)
    const done = await Promise.all(calls)
    exact(t, done.filter((err) => err !== reason).map((err) => `${err.code} ${err.message}`), [], 'each has the reason')
    t.equal(listeners.size, 0, 'no listener stays')
    const one = watched()
    const warnings = []
    const warned = (warning) => warnings.push(warning.name)
    process.on('warning', warned)
    const rows = Promise.all(Array.from({ length: 50 }, (_, i) => db.get(`select ${open.sql.as('?', 'int')} as v`, [i], { signal: one.signal })))
    t.equal(one.listeners.size, 1, 'they share one listener')
    await rows
    await delay(5)
    process.off('warning', warned)
    exact(t, warnings, [], 'nobody warns of a leak')
    t.equal(one.listeners.size, 0, 'and it goes with the last of them')
  })

  t.test('a queued write that is cancelled never runs', open.only('sqlite', 'pipeline'), async (t) => {
    const db = await ready(t)
    const stop = new AbortController()
    const hold = new AbortController()
    const blocker = failure(db.run(endlessWrite, [], { signal: hold.signal }))
    await taken(db)
    const aborted = failure(db.run('insert into t values (1)', [], { signal: stop.signal }))
    const late = overdue(50, (o) => db.run('insert into t values (2)', [], o))
    const kept = db.run('insert into t values (3)')
    const err = await late
    t.equal(err.code, 'UC_TIMEOUT')
    t.equal(err.outcome, 'not-run', 'its outcome is known')
    stop.abort(new Error('not any more'))
    t.equal((await aborted).message, 'not any more')
    hold.abort(new Error('enough'))
    t.equal((await blocker).message, 'enough')
    await kept
    exact(t, await db.values('select a from t'), [[3]], 'only the one that was left alone ran')
  })

  t.test('a queued read that is cancelled frees its place', open.only('sqlite', 'pipeline'), async (t) => {
    const db = await ready(t, { readers: 1 })
    const stop = new AbortController()
    const blocker = failure(db.get(endless, [], { signal: stop.signal }))
    await taken(db)
    const late = await overdue(50, (o) => db.get('select 1', [], o))
    t.equal(late.code, 'UC_TIMEOUT')
    t.equal(late.outcome, 'not-run', 'without waiting for the one that runs')
    stop.abort(new Error('enough'))
    t.equal((await blocker).message, 'enough')
  })

  t.test('outcome unknown: the statement has run in a group whose commit is not known yet', open.only('sqlite', 'pipeline'), async (t) => {
    let outcome
    // On a busy machine its time may be over before it has begun, or its group before the third: then once more.
    for (let i = 0; i < 10 && outcome !== 'unknown'; i++) {
      const db = await ready(t)
      const calls = [
        db.run('insert into t values (0)'),
        db.run('insert into t values (1)', [], { timeoutMs: 120 }).then(() => null, (err) => err),
        db.run(`${slow(2000000)} insert into t select count(*) from c`)
      ]
      const [, err] = await Promise.all(calls)
      if (err !== null) t.equal(err.code, 'UC_TIMEOUT')
      outcome = err === null ? 'in time' : err.outcome
      if (err !== null) t.equal(err.retryable, outcome !== 'unknown', 'what may have run is not simply repeated')
      const { n } = await db.get('select count(*) as n from t where a = 1')
      const wanted = { 'in time': [1], unknown: [0, 1] }[outcome] ?? [0]
      t.ok(wanted.includes(n), `${outcome}: it ${n ? 'did' : 'did not'}`)
      exact(t, await db.get('select count(*) as n from t where a <> 1'), { n: 2 }, 'the others are there')
    }
    t.equal(outcome, 'unknown', 'it may have happened')
  })

  t.test('outcome unknown: no verb says of a write that it may be repeated', open.only('sqlite', 'pipeline'), async (t) => {
    const verbs = {
      get: (db, o) => db.get('insert into t values (1) returning a', [], o),
      json: (db, o) => db.json('insert into t values (1) returning a', [], o),
      many: (db, o) => db.many('insert into t values (?)', [[1], [1]], o),
      batch: (db, o) => db.batch([['insert into t values (1)'], ['insert into t values (1)']], o),
      exec: (db, o) => db.exec('insert into t values (1)', o)
    }
    for (const [verb, work] of Object.entries(verbs)) {
      let seen = false
      for (let i = 0; i < 10 && !seen; i++) {
        const db = await ready(t)
        const before = db.run('insert into t values (0)')
        const late = work(db, { timeoutMs: 120 }).then(() => null, (err) => err)
        const read = db.get('select count(*) from t', [], { timeoutMs: 100 }).then(() => null, (err) => err)
        const last = db.run(`${slow(2000000)} insert into t select count(*) from c`)
        const [err, aborted] = [await late, await read]
        await Promise.all([before, last])
        if (aborted !== null) t.equal(aborted.retryable, true, 'a read may be repeated, whatever became of it')
        if (err === null) continue
        t.equal(err.code, 'UC_TIMEOUT')
        t.equal(err.retryable, err.outcome !== 'unknown', `${verb}: ${err.outcome}`)
        seen = err.outcome === 'unknown'
      }
      t.ok(seen, `${verb}: it may have happened`)
    }
  })

  t.test('a write that was sent and is stopped: unknown, and not to be repeated', open.only('pg', 'pipeline'), async (t) => {
    const db = await ready(t)
    const verbs = {
      run: (o) => db.run(endlessWrite, [], o),
      get: (o) => db.get(`${endlessWrite} returning a`, [], o),
      json: (o) => db.json(`${endlessWrite} returning a`, [], o),
      many: (o) => db.many('insert into t select ?::int from pg_sleep(3600)', [[1], [1]], o),
      batch: (o) => db.batch([['insert into t values (1)'], [endlessWrite]], o),
      exec: (o) => db.exec(endlessWrite, o)
    }
    for (const [name, call] of Object.entries(verbs)) {
      const err = await failure(call({ timeoutMs: 100 }))
      t.equal(err.code, 'UC_TIMEOUT', name)
      t.equal(err.outcome, 'unknown', name)
      t.equal(err.retryable, false, name)
      const read = await failure(db.get(endless, [], { timeoutMs: 100 }))
      t.equal(read.outcome, 'not-run', 'a read')
      t.equal(read.retryable, true, 'which may be repeated')
    }
    exact(t, await db.get('select count(*) as n from t'), { n: 0 }, 'the server has undone them')
    // What waits for a connection has not run.
    const stop = new AbortController()
    const many = Array.from({ length: 12 }, () => failure(db.transaction((tx) => tx.get(endless), { signal: stop.signal })))
    const late = await failure(db.transaction(async () => {}, { timeoutMs: 300 }))
    t.equal(late.outcome, 'not-run', 'a transaction that had no connection')
    stop.abort(new Error('enough'))
    t.ok((await Promise.all(many)).every((err) => err.message === 'enough'))
    await gone(db)
  })

  // Calls with and without cancels over few connections. A cancel of PostgreSQL hits whatever the server is
  // at when it gets there: that must never be another call.
  t.test('random cancels: who was not cancelled has its own answer', async (t) => {
    const seed = newSeed()
    const below = random(seed)
    t.comment(`UNDERCROFT_SEED=${seed}`)
    const store = open(t, isPg ? { poolMax: 4 } : { readers: 2 })
    const { db } = store
    const nap = isPg ? (ms) => `(select ${'0'}::bigint from pg_sleep(${ms / 1000}))` : (ms) => `(${slow(ms * 2000)} select count(*) * 0 from c)`
    const { id, as } = open.sql
    await db.exec(`create table w(id ${id}, k int unique)`)
    const cancelled = new Error('cancelled')
    const wrong = []
    const counts = { innocent: 0, cancelled: 0, late: 0 }
    let next = 0
    const acknowledged = new Set()
    const possible = new Set()
    const kinds = [
      async (n, o) => { const row = await db.get(`select ${as('?', 'bigint')} + ${nap(below(4))} as v`, [n], o); if (row.v !== n) wrong.push(`get ${n}: ${row.v}`) },
      async (n, o) => { const rows = await db.values(`select ${as('?', 'bigint')} as v union all select ${as('?', 'bigint')} + 1 order by 1`, [n, n], o); if (rows[1][0] !== n + 1) wrong.push(`values ${n}: ${rows}`) },
      async (n, o) => { const json = JSON.parse(await db.json(`select ${as('?', 'bigint')} as v`, [n], o)); if (json[0].v !== n) wrong.push(`json ${n}: ${json[0].v}`) },
      async (n, o) => { possible.add(n); const { changes } = await db.run(`insert into w(k) select ${as('?', 'int')} + ${nap(below(4))}`, [n], o); if (changes !== 1) wrong.push(`run ${n}: ${changes}`); acknowledged.add(n) },
      async (n, o) => { possible.add(n); const row = await db.get('insert into w(k) values (?) returning k', [n], o); if (row.k !== n) wrong.push(`returning ${n}: ${row.k}`); acknowledged.add(n) },
      async (n, o) => {
        possible.add(n)
        await db.transaction(async (tx) => {
          await tx.run('insert into w(k) values (?)', [n])
          const row = await tx.get(`select ${as('?', 'bigint')} + ${nap(below(3))} as v`, [n])
          if (row.v !== n) wrong.push(`tx ${n}: ${row.v}`)
        }, o)
        acknowledged.add(n)
      },
      async (n, o) => {
        await db.snapshot(async (s) => {
          const rows = await Promise.all([0, 1, 2].map((i) => s.get(`select ${as('?', 'bigint')} + ${nap(below(3))} as v`, [n + i])))
          rows.forEach((row, i) => { if (row.v !== n + i) wrong.push(`snapshot ${n}: ${row.v}`) })
        }, o)
      },
      async (n, o) => { let k = 0; for await (const row of db.iterate(`${slow(3000)} select x + ${as('?', 'bigint')} as v from c`, [n], o)) if (row.v !== n + ++k) { wrong.push(`iterate ${n}: ${row.v}`); break } }
    ]
    const one = async (kind) => {
      const n = ++next * 10
      const how = below(4)
      const stop = new AbortController()
      const opts = how === 0 ? { signal: stop.signal } : how === 1 ? { timeoutMs: 1 + below(8) } : undefined
      if (how === 0) setTimeout(() => stop.abort(cancelled), below(8))
      try {
        await kind(n, opts)
        counts.innocent++
      } catch (err) {
        if (how === 0 && err === cancelled) counts.cancelled++
        else if (how === 1 && err.code === 'UC_TIMEOUT') counts.late++
        else if (err.code === 'UC_CURSORS') counts.innocent++
        else wrong.push(`${opts === undefined ? 'an innocent call' : 'a call'} ${n} failed: ${err.code} ${err.message}`)
      }
    }
    const rounds = budget.of(60)
    for (let round = 0; round < rounds && wrong.length === 0; round++) {
      await Promise.all(Array.from({ length: 24 }, () => one(kinds[below(kinds.length)])))
    }
    for (const line of wrong.slice(0, 5)) t.ok(false, line)
    t.equal(wrong.length, 0, `${rounds} rounds: ${JSON.stringify(counts)}`)
    const there = (await db.values('select k from w')).map(([k]) => k)
    const lost = [...acknowledged].filter((n) => !there.includes(n))
    exact(t, lost, [], 'every acknowledged row is there')
    t.ok(there.every((n) => possible.has(n)), 'and none that nobody wrote')
    await gone(db)
  })

  t.test('timeoutMs 0 is no deadline; the handle has a default', async (t) => {
    const { db } = open(t, { timeoutMs: 400 })
    await db.health({ timeoutMs: 60000 })
    t.equal((await failure(db.get(endless))).code, 'UC_TIMEOUT', 'the handle\'s')
    exact(t, await db.get(`${slow(4000000)} select count(*) as n from c`, [], { timeoutMs: 0 }), { n: 4000000 }, 'none')
    exact(t, await db.get(`${slow(4000000)} select count(*) as n from c`, [], { timeoutMs: 60000 }), { n: 4000000 }, 'the call\'s')
  })

  t.test('wrong timeoutMs and signal are refused', async (t) => {
    const db = await ready(t)
    for (const timeoutMs of [-1, NaN, '5', 1.5, Infinity, null, {}]) {
      const err = await failure(() => db.get('select 1', [], { timeoutMs }))
      t.equal(err.code, 'UC_OPTION', String(timeoutMs))
      t.match(err.message, /timeoutMs/)
    }
    for (const signal of [1, {}, 'x', null]) {
      const err = await failure(() => db.get('select 1', [], { signal }))
      t.equal(err.code, 'UC_OPTION', String(signal))
      t.match(err.message, /signal/)
    }
  })

  t.test('a deadline and a signal together: the first one wins', async (t) => {
    const db = await ready(t)
    const stop = new AbortController()
    const reason = new Error('first')
    const a = failure(db.get(endless, [], { signal: stop.signal, timeoutMs: 20000 }))
    setTimeout(() => stop.abort(reason), 40)
    t.equal(await a, reason)
    const b = await failure(db.get(endless, [], { signal: new AbortController().signal, timeoutMs: 60 }))
    t.equal(b.code, 'UC_TIMEOUT')
  })

  t.test('stopping one reader leaves the other calls alone', async (t) => {
    const db = await ready(t, { readers: 2 })
    const stopped = failure(db.get(endless, [], { timeoutMs: 150 }))
    const fine = Array.from({ length: 30 }, (_, i) => db.get(`${slow(20000)} select count(*) + ${open.sql.as('?', 'int')} as n from c`, [i]))
    t.ok((await Promise.all(fine)).every((row, i) => row.n === 20000 + i), 'all thirty')
    t.equal((await stopped).code, 'UC_TIMEOUT')
  })

  t.test('a storm of aborts', async (t) => {
    const db = await ready(t)
    const calls = []
    for (let i = 0; i < 400; i++) {
      const stop = new AbortController()
      const verb = i % 2 ? db.run('insert into t values (?)', [i], { signal: stop.signal }) : db.get(`select ${open.sql.as('?', 'int')} as v`, [i], { signal: stop.signal })
      calls.push(verb.then(() => 'done', (err) => err))
      if (i % 4 < 2) setTimeout(() => stop.abort('stop'), i % 7)
    }
    const done = await Promise.all(calls)
    t.ok(done.every((one) => one === 'done' || one === 'stop'), 'each is done or stopped')
    const { n } = await db.get('select count(*) as n from t')
    const acknowledged = done.filter((one, i) => i % 2 && one === 'done').length
    t.ok(n >= acknowledged, 'every acknowledged row is there')
  })

  if (!open.sync) return

  t.test('timeoutMs stops sync calls', async (t) => {
    const db = await ready(t)
    for (const call of [() => db.sync.get(endless, [], { timeoutMs: 100 }), () => db.sync.all(endless, [], { timeoutMs: 100 }), () => db.sync.run(endlessWrite, [], { timeoutMs: 100 })]) {
      const start = clock()
      const err = await failure(call)
      t.equal(err.code, 'UC_TIMEOUT')
      t.ok(elapsed(start) < 15000)
    }
    t.equal(db.sync.get('select count(*) as n from t').n, 0)
  })
}
