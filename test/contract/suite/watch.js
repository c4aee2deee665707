'use strict'

// watch: which tables have been changed by what was committed.

const path = require('node:path')
const { delay, exact, failure, outcomes, tmpdir } = require('../../helper')

module.exports = (t, open) => {
  const { id } = open.sql
  const schema = `create table a(id ${id}, v bigint unique);
    create table b(id ${id}, v bigint);
    create table child(id ${id}, a bigint references a(id) on delete cascade);
    create table log(x bigint);`

  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec(schema)
    await open.ready(store)
    return store.db
  }

  // The tables that one call changes: what a watcher of all is told of it.
  const told = async (db, call) => {
    const watch = db.watch()
    await call()
    const { value } = await watch.next()
    await watch.return()
    return value.tables.sort()
  }

  // Whether a call is told of at all: a later write that certainly is comes first, or second.
  const silent = async (db, call) => {
    const watch = db.watch()
    await call()
    await db.run('insert into log values (0)')
    const { value } = await watch.next()
    await watch.return()
    return value.tables.length === 1 && value.tables[0] === 'log'
  }

  t.test('every way to write tells its tables', async (t) => {
    const db = await ready(t)
    const ways = {
      insert: [() => db.run('insert into a(v) values (1)'), ['a']],
      update: [() => db.run('update a set v = 2'), ['a']],
      upsert: [() => db.run('insert into a(id, v) values (1, 3) on conflict(id) do update set v = 4'), ['a']],
      'with rows': [() => db.all('insert into b(v) values (1) returning id'), ['b']],
      ...open.engine === 'sqlite' && { 'iterate with rows': [async () => { for await (const row of db.iterate('insert into b(v) values (1), (2) returning id')) t.ok(row.id > 0) }, ['b']] },
      many: [() => db.many('insert into b(v) values (?)', [[1], [2]]), ['b']],
      'a stream of rows': [() => db.many('insert into b(v) values (?)', Array.from({ length: 3000 }, (_, i) => [i])), ['b']],
      batch: [() => db.batch([['insert into a(v) values (9)'], ['select 1'], ['insert into b(v) values (9)']]), ['a', 'b']],
      exec: [() => db.exec('update b set v = 1; select 1; insert into log values (1)'), ['b', 'log']],
      transaction: [() => db.transaction(async (tx) => {
        await tx.run('insert into log values (2)')
        await tx.transaction((nested) => nested.run('insert into a(v) values (77)'))
      }), ['a', 'log']],
      once: [() => db.run('insert into log values (3)', [], { once: 'k' }), ['log']],
      'the key of a row': [() => db.run('insert into child(a) values (1)'), ['child']],
      'delete by cascade': [() => db.run('delete from a'), ['a', 'child']],
      ...open.sync && {
        blocking: [() => db.sync.run('insert into log values (4)'), ['log']],
        'a blocking transaction': [() => db.sync.transaction(() => db.sync.run('insert into b(v) values (5)')), ['b']]
      }
    }
    for (const [name, [call, tables]] of Object.entries(ways)) exact(t, await told(db, async () => call()), tables, name)
  })

  t.test('through triggers, views and full-text tables', open.only('sqlite', 'it is about SQLite\'s triggers and tables; those of PostgreSQL are in test/pg/cache.test.js'), async (t) => {
    const db = await ready(t)
    await db.run('insert into b(v) values (1)')
    exact(t, await told(db, () => db.run('insert into b(v) values (?)', [2])), ['b'], 'before there is a trigger')
    await db.exec(`create trigger after_b after insert on b begin insert into log values (new.v); end;
      create view both as select v from a; create trigger into_both instead of insert on both begin insert into a(v) values (new.v); end;
      create virtual table words using fts5(text)`)
    exact(t, await told(db, () => db.run('insert into b(v) values (?)', [3])), ['b', 'log'], 'the same statement, now with a trigger')
    t.ok((await told(db, () => db.run('insert into both values (5)'))).includes('a'), 'what a view stands for')
    t.ok((await told(db, () => db.run("insert into words values ('hello')"))).includes('words'), 'a full-text table')
  })

  t.test('only what is named', async (t) => {
    const db = await ready(t)
    const one = db.watch('b')
    const two = db.watch(['LOG', 'main.a', 'no_such_table'])
    await db.run('insert into child(id) values (1)')
    await db.run('insert into a(v) values (1)')
    exact(t, (await two.next()).value.tables, ['a'], 'in any case, with or without main')
    await db.run('insert into log values (1)')
    exact(t, (await two.next()).value.tables, ['log'], 'the other one')
    await db.batch([['insert into a(v) values (2)'], ['insert into b(v) values (1)'], ['insert into log values (1)']])
    exact(t, (await one.next()).value.tables, ['b'], 'of a commit that changed more')
    exact(t, (await two.next()).value.tables.sort(), ['a', 'log'], 'and here the others')
    await one.return()
    await two.return()
  })

  t.test('of an attached file, with its schema', open.only('sqlite', 'attach'), async (t) => {
    const other = open.file(t)
    const store = open(t, { attach: { archive: other } })
    await store.db.exec('create table t(a); create table archive.t(a)')
    exact(t, await told(store.db, () => store.db.run('insert into archive.t values (1)')), ['archive.t'], 'the other one')
    exact(t, await told(store.db, () => store.db.run('insert into t values (1)')), ['t'], 'the one in main')
    const watch = store.db.watch('Archive.T')
    await store.db.run('insert into t values (1)')
    await store.db.run('insert into archive.t values (1)')
    exact(t, (await watch.next()).value.tables, ['archive.t'], 'named so')
    await watch.return()
  })

  t.test('of another schema, by the name that SQL finds it by', open.only('sqlite', 'temp'), async (t) => {
    const { db } = open(t, open.owner ? { attach: { archive: open.file(t) } } : {})
    await db.exec('create temp table tt(a); create temp table t(a)')
    if (open.owner) await db.exec('create table archive.x(a); create table main.y(a); create table archive.y(a)')
    const ways = [['tt', 'insert into tt values (1)', 'temp.tt'], ['temp.tt', 'insert into tt values (1)', 'temp.tt'], ['t', 'insert into t values (1)', 'temp.t'],
      ...open.owner ? [['x', 'insert into x values (1)', 'archive.x'], ['ARCHIVE.X', 'insert into x values (1)', 'archive.x'], ['y', 'insert into y values (1)', 'y']] : []]
    for (const [name, sql, table] of ways) {
      const watch = db.watch(name)
      await db.run(sql)
      exact(t, (await watch.next()).value.tables, [table], `${name}: ${sql}`)
      await watch.return()
    }
    if (!open.owner) return
    const watch = db.watch('y')
    await db.run('insert into archive.y values (1)')
    await db.run('insert into y values (1)')
    exact(t, (await watch.next()).value.tables, ['y'], 'main has one of that name')
    await watch.return()
  })

  t.test('what may have changed everything', async (t) => {
    const db = await ready(t)
    const file = path.join(tmpdir(t), 'copy.db')
    if (open.engine === 'sqlite') await db.backup(file)
    const ways = {
      'create table': () => db.run('create table made(a int)'),
      'alter table': () => db.run('alter table made add column b int'),
      'create index': () => db.run('create index made_a on made(a)'),
      'drop table': () => db.exec('drop table made'),
      ...open.engine === 'sqlite' && {
        vacuum: () => db.run('vacuum'),
        'a pragma of the file': () => db.run('pragma user_version = 5'),
        restore: () => db.restore(file)
      }
    }
    for (const [name, call] of Object.entries(ways)) exact(t, await told(db, call), ['*'], name)
    const watch = db.watch('b')
    await db.run('create table made(a int)')
    exact(t, (await watch.next()).value.tables, ['*'], 'who watches one table is told, too')
    await watch.return()
  })

  t.test('what changes nothing is not told', async (t) => {
    const db = await ready(t)
    await db.run('insert into a(v) values (1)')
    await db.run('insert into b(v) values (1)', [], { once: 'k' })
    const ways = {
      reads: () => db.all('select * from a'),
      'no row': () => db.run('update a set v = 2 where v = 77'),
      'a violated constraint': () => failure(db.run('insert into a(v) values (1)')),
      'a batch that fails': () => failure(db.batch([['insert into b(v) values (2)'], ['insert into a(v) values (1)']])),
      'many that fail': () => failure(db.many('insert into a(v) values (?)', [[2], [1]])),
      'a script that fails': () => failure(db.exec('insert into b(v) values (3); insert into a(v) values (1)')),
      'a stream that fails': () => failure(db.many('insert into a(v) values (?)', Array.from({ length: 3000 }, (_, i) => [i < 2999 ? 1000 + i : 1]))),
      ...open.engine === 'sqlite' && {
        'or rollback': () => failure(db.run('insert or rollback into a(v) values (2), (1)')),
        'a pragma that asks': () => db.get('pragma user_version')
      },
      'a transaction that rolls back': () => failure(db.transaction(async (tx) => {
        await tx.run('insert into b(v) values (4)')
        throw new Error('no')
      })),
      'the repetition of a key': () => db.run('insert into b(v) values (1)', [], { once: 'k' })
    }
    for (const [name, call] of Object.entries(ways)) t.ok(await silent(db, call), name)
  })

  t.test('it begins with the call, and a change is there when it is told', async (t) => {
    const db = await ready(t)
    await db.run('insert into a(v) values (1)')
    const watch = db.watch()
    let gen = 0
    for (let i = 0; i < 20; i++) {
      await db.run('insert into b(v) values (?)', [i])
      const { value } = await watch.next()
      exact(t, value.tables, ['b'], 'only what came after the call')
      t.ok(Number.isSafeInteger(value.gen) && value.gen > gen, 'generations grow')
      gen = value.gen
      t.equal((await db.get('select count(*) as n from b')).n, i + 1)
    }
    await watch.return()
  })

  t.test('what happens meanwhile is told together', async (t) => {
    const db = await ready(t)
    const watch = db.watch(['a', 'b'])
    for (let i = 0; i < 50; i++) await db.run(`insert into ${i % 2 ? 'a' : 'b'}(v) values (?)`, [i])
    exact(t, (await watch.next()).value.tables, ['b'], 'the first, which was waited for')
    exact(t, (await watch.next()).value.tables.sort(), ['a', 'b'], 'all the others at once')
    const third = watch.next()
    await db.run('insert into log values (1)')
    await db.run('insert into a(v) values (77)')
    exact(t, (await third).value.tables, ['a'], 'and then there is nothing more')
    await watch.return()
  })

  t.test('for await: break ends it', async (t) => {
    const db = await ready(t)
    const seen = []
    const writing = (async () => {
      for (let i = 0; seen.length < 3; i++) {
        await db.run('insert into a(v) values (?)', [i])
        await delay(5)
      }
    })()
    for await (const { tables } of db.watch(['a'])) {
      seen.push(...tables)
      if (seen.length === 3) break
    }
    await writing
    exact(t, seen, ['a', 'a', 'a'], 'three times')
  })

  t.test('several next() at once, return() and throw()', async (t) => {
    const db = await ready(t)
    const watch = db.watch()
    const steps = [watch.next(), watch.next(), watch.next()]
    await db.run('insert into a(v) values (1)')
    exact(t, (await steps[0]).value.tables, ['a'], 'the first')
    await db.run('insert into b(v) values (1)')
    exact(t, (await steps[1]).value.tables, ['b'], 'the second')
    exact(t, await watch.return(5), { value: 5, done: true }, 'return gives its value')
    exact(t, await steps[2], { value: undefined, done: true }, 'who waits is let go')
    exact(t, await watch.next(), { value: undefined, done: true }, 'and it stays ended')
    const reason = new Error('why')
    const other = db.watch()
    t.equal(await failure(other.throw(reason)), reason)
    t.equal((await other.next()).done, true)
    await db.watch()[Symbol.asyncDispose]()
  })

  t.test('a signal', async (t) => {
    const db = await ready(t)
    const stop = new AbortController()
    const reason = new Error('enough')
    const watch = db.watch(['a'], { signal: stop.signal })
    await db.run('insert into a(v) values (1)')
    t.equal((await watch.next()).done, false)
    const waiting = failure(watch.next())
    await delay(10)
    stop.abort(reason)
    t.equal(await waiting, reason, 'the very reason')
    t.equal((await watch.next()).done, true, 'then it has ended')
    t.equal(await failure(db.watch([], { signal: AbortSignal.abort(reason) }).next()), reason, 'aborted before')
  })

  t.test('closing ends it without an error', async (t) => {
    for (const way of ['close', 'destroy']) {
      const store = open(t)
      await store.db.exec(schema)
      await open.ready(store)
      const watches = Array.from({ length: 10 }, (_, i) => store.db.watch(i % 2 ? ['a'] : []))
      const waiting = watches.map((watch) => watch.next())
      await delay(10)
      await store[way]()
      t.ok((await Promise.all(waiting)).every((step) => step.done), `${way}: every one that waited`)
      t.equal((await store.db.watch().next().catch((err) => err)).code, 'UC_CLOSED', `${way}: a new one is refused`)
      t.equal((await watches[0].next()).done, true)
    }
    const store = open(t)
    await store.db.exec(schema)
    await open.ready(store)
    const idle = store.db.watch()
    await store.db.run('insert into a(v) values (1)')
    await idle.next()
    await store.close()
    t.equal((await idle.next()).done, true, 'also where nobody waited')
    const broken = open(t)
    const watch = broken.db.watch()
    const cause = new Error('a fault')
    broken.destroy(cause)
    t.equal((await failure(watch.next())).cause, cause, 'a fault is an error')
  })

  t.test('close does not wait for it', async (t) => {
    const store = open(t)
    await store.db.exec(schema)
    await open.ready(store)
    store.db.watch()
    await store.db.run('insert into a(v) values (1)')
    await store.close()
    t.ok(true, 'closed')
  })

  t.test('as many as are allowed, and one more', async (t) => {
    const db = await ready(t, { maxQueue: 5 })
    const watches = Array.from({ length: 64 }, () => db.watch('a'))
    const err = await failure(db.watch('a').next())
    t.equal(err.code, 'UC_BUSY')
    t.equal(err.retryable, true)
    exact(t, await outcomes(Array.from({ length: 5 }, (_, i) => db.run('insert into b(v) values (?)', [i]))), Array(5).fill('fulfilled'), 'they take no room of maxQueue')
    const last = watches.map((watch) => watch.next())
    await db.run('insert into a(v) values (1)')
    t.ok((await Promise.all(last)).every(({ value }) => value.tables[0] === 'a'), 'all of them are told')
    for (const watch of watches) await watch.return()
    for (let i = 0; i < 200; i++) await db.watch('a').return()
    const again = db.watch('a')
    await db.run('insert into a(v) values (2)')
    t.equal((await again.next()).done, false, 'those that have ended make room')
    await again.return()
  })

  t.test('another handle of the file', async (t) => {
    const file = open.file(t)
    const one = open.at(t, file)
    const two = open.at(t, file)
    await one.db.exec(schema)
    await open.ready(one)
    await open.ready(two)
    const watches = [one.db.watch('a'), two.db.watch(), two.db.watch('b')]
    await one.db.health()
    await two.db.health()
    await one.db.run('insert into a(v) values (1)')
    for (const watch of watches.slice(0, 2)) exact(t, (await watch.next()).value.tables, ['a'], 'both are told')
    await two.db.run('insert into b(v) values (1)')
    exact(t, (await watches[2].next()).value.tables, ['b'], 'and the third of its own')
    await one.close()
    await two.db.run('insert into a(v) values (2)')
    exact(t, (await watches[1].next()).value.tables.sort(), ['a', 'b'], 'one handle that closes takes nothing along')
  })

  t.test('under many writers nothing is missed', async (t) => {
    const db = await ready(t)
    const watch = db.watch(['a', 'b'])
    const last = { a: 0, b: 0 }
    const watching = (async () => {
      for await (const { tables } of watch) {
        for (const name of tables) last[name] = (await db.get(`select count(*) as n from ${name}`)).n
        if (last.a === 500 && last.b === 500) return
      }
    })()
    await Promise.all(Array.from({ length: 20 }, async (_, c) => {
      for (let i = 0; i < 50; i++) await db.run(`insert into ${c % 2 ? 'a' : 'b'}(v) values (?)`, [c * 1000 + i])
    }))
    await watching
    exact(t, last, { a: 500, b: 500 }, 'the last changes were told')
  })

  t.test('wrong arguments', async (t) => {
    const db = await ready(t)
    for (const tables of [5, null, {}, [5], [''], '', ['\ud800']]) {
      const err = await failure(db.watch(tables).next())
      t.equal(err.code, 'UC_OPTION', JSON.stringify(tables))
    }
    t.match((await failure(db.watch('a', { timeoutMs: 5 }).next())).message, /timeoutMs/)
    t.equal((await failure(db.watch('a', { signal: 5 }).next())).code, 'UC_OPTION')
    t.equal((await failure(db.watch(Array(2000).fill('a')).next())).code, 'UC_OPTION', 'too many names')
    if (open.owner) t.equal((await failure(open.at(t, '/dev/null/no/such.db').db.watch().next())).code, 'SQLITE_CANTOPEN', 'a file that cannot be opened')
  })

  t.test('inside a transaction of the handle it is refused', async (t) => {
    const db = await ready(t)
    await db.transaction(async () => {
      t.equal((await failure(db.watch().next())).code, 'UC_TX_SELF')
    })
  })

  t.test('in memory', open.only('sqlite', 'memory'), async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec(schema)
    exact(t, await told(db, () => db.run('insert into a(v) values (1)')), ['a'], 'an insert')
    const watch = db.watch()
    await db.snapshot((s) => s.all('select * from a'))
    await db.run('insert into b(v) values (1)')
    exact(t, (await watch.next()).value.tables, ['b'], 'a snapshot changes nothing')
    await watch.return()
  })
}
