'use strict'
// The cache's ties and `watch` on PostgreSQL, whoever writes: two processes or daemons on one database, psql,
// a stream of changes that is cut or silent, and the weaker form where there is none.

const { delay, exact, failure, startDaemon } = require('../helper')
const { store, until, withServer } = require('./common')
const { spawn } = require('node:child_process')
const path = require('node:path')

const PUBLISHES = 'create publication undercroft for all tables with (publish_via_partition_root = true);'
const SCHEMA = `create table a(id bigint primary key, v text);
  create table b(id bigint primary key, a bigint references a on delete cascade on update cascade, v text);
  create table word(word text primary key, n int);
  create table pair(x int, y int, primary key (x, y));
  create table day(id bigint, at date, primary key (id, at)) partition by range (at);
  create table day1 partition of day for values from ('2026-01-01') to ('2027-01-01');
  create schema side; create table side.a(id bigint primary key, v text);
  create function touched() returns trigger language plpgsql as $$ begin update a set v = 'touched' where id = 3; return null; end $$;
  create trigger touch after insert on word execute function touched();
  insert into a values (1, '0'), (2, '0'), (3, '0'); insert into b values (1, 2, '0');`

const formOf = async ({ db }) => (await db.stats()).changes.form
const exactly = (one) => until(async () => await formOf(one) === 'exact', 'the stream of changes is there')

withServer({ settings: { max_wal_senders: 20, max_replication_slots: 20 } }, async (t, server) => {
  const fresh = (t, sql = PUBLISHES) => {
    const url = server.fresh(t)
    const name = server.nameOf(url)
    server.sql(`${SCHEMA} ${sql}`, name)
    return { url, psql: (text) => server.sql(text, name) }
  }
  // Of the database: that process of the server that sends changes.
  const sender = (psql) => Number(psql('select active_pid from pg_replication_slots where database = current_database() and active_pid is not null'))

  const doors = {
    'in the process': (t, url) => store(t, url),
    'through a daemon': (t, url) => store(t, startDaemon(t, ['--db', `main=${url}`]).url)
  }
  // Which of the entries are gone after that.
  const gone = async (cache, ties, work) => {
    for (const [name, tie] of Object.entries(ties)) {
      if (!await cache.set(name, name, tie)) throw new Error(`${name} was not stored`)
    }
    await work()
    const found = await cache.getMany(Object.keys(ties))
    return Object.keys(ties).filter((_, i) => found[i] === undefined).join(' ')
  }
  const ties = {
    a: { tables: ['a'] },
    a1: { rows: { a: 1 } },
    a2: { rows: { 'public.a': 2 } },
    a3: { rows: { a: 3 } },
    b: { tables: ['public.b'] },
    b1: { rows: { b: 1 } },
    word: { tables: 'word' },
    day: { tables: 'day' },
    free: { tags: 'x' }
  }

  for (const [how, door] of Object.entries(doors)) {
    t.test(`${how}: own writes are seen when they are acknowledged`, async (t) => {
      const { url } = fresh(t)
      const one = door(t, url)
      const { db, cache } = one
      await exactly(one)
      const ways = [
        ['an update', () => db.run("update a set v = 'x' where id = 1"), 'a a1'],
        ['of no row', () => db.run("update a set v = 'x' where id = 77"), ''],
        ['an insert', () => db.run("insert into a values (4, 'x')"), 'a'],
        ['a new key', () => db.run('update a set id = 5 where id = 4'), 'a'],
        ['a cascade of a key', () => db.run('update a set id = 20 where id = 2'), 'a a2 b b1'],
        ['and back', () => db.run('update a set id = 2 where id = 20'), 'a a2 b b1'],
        ['a trigger', () => db.run("insert into word values ('x', 1)"), 'a a3 word'],
        ['a partition', () => db.run("insert into day values (1, '2026-05-05')"), 'day'],
        ['a batch', () => db.batch([["update a set v = 'y' where id = 1"], ['update word set n = 5']]), 'a a1 word'],
        ['many', () => db.many('insert into word values (?, ?)', [['p', 1], ['q', 2]]), 'a a3 word'],
        ['a stream of rows', () => db.many('insert into b values (?, 1, 0)', Array.from({ length: 3000 }, (_, i) => [100 + i])), 'b b1'],
        ['a script', () => db.exec("update a set v = 'z' where id = 2; delete from word"), 'a a2 word'],
        ['with a key', () => db.run("update a set v = 'once' where id = 1", [], { once: 'k1' }), 'a a1'],
        ['the same key', () => db.run("update a set v = 'once' where id = 1", [], { once: 'k1' }), ''],
        ['a transaction', () => db.transaction(async (tx) => {
          await tx.run("update a set v = 'tx' where id = 1")
          await tx.run("update b set v = 'tx' where id = 1")
        }), 'a a1 b b1'],
        ['one that is rolled back', () => failure(db.transaction(async (tx) => {
          await tx.run("update a set v = 'tx' where id = 1")
          throw new Error('no')
        })), ''],
        ['one that only reads', () => db.transaction((tx) => tx.all('select * from a')), ''],
        ['a failed statement', () => failure(db.run("insert into a values (1, 'twice')")), ''],
        ['several at once', () => Promise.all([db.run("update a set v = '1' where id = 1"), db.run("update a set v = '2' where id = 2"), db.run("insert into a values (9, '')")]), 'a a1 a2'],
        ['truncate', () => db.run('truncate word'), 'word'],
        ['copy', () => db.copyFrom('word(word, n)', [['c', 1]]), 'a a3 word'],
        ['another schema', () => db.run("insert into side.a values (1, 'x')"), 'a a1'],
        ['a change of the schema', () => db.exec('alter table b add column w int'), 'a a1 a2 a3 b b1 word day']
      ]
      const lateOnes = async () => (await db.stats()).changes.late
      let inTime = 0
      for (const [name, work, wanted] of ways) {
        const before = await lateOnes()
        const dropped = await gone(cache, ties, work)
        // On a machine that is busy the stream may come too late: then all are dropped.
        const all = await lateOnes() > before
        inTime += !all
        t.equal(dropped, all ? Object.keys(ties).slice(0, -1).join(' ') : wanted, name)
      }
      t.ok(inTime > 0, 'the stream was in time')
    })

    t.test(`${how}: what others write is seen soon`, async (t) => {
      const { url, psql } = fresh(t)
      const [one, two] = [door(t, url), doors['through a daemon'](t, url)]
      await exactly(one)
      await exactly(two)
      await one.cache.set('k', 1, { tables: ['a'] })
      await one.cache.set('r', 1, { rows: { a: 2 } })
      await two.db.run("update a set v = 'two' where id = 1")
      await until(async () => await one.cache.get('k') === undefined, 'another daemon\'s')
      t.equal(await one.cache.get('r'), 1, 'another row stays')
      psql("update a set v = 'psql' where id = 2")
      await until(async () => await one.cache.get('r') === undefined, 'psql\'s')
      psql("copy b(id, a) from program 'echo 50,1' (format csv)") // by the server
      const watch = one.db.watch(['a', 'public.word'])
      const next = watch.next()
      await one.db.health()
      psql("begin; update b set v = 'not named'; update a set v = 'x' where id = 1; update word set n = 5; commit")
      exact(t, (await next).value.tables, ['a'], 'only what has rows that changed, and was asked for')
      psql("insert into word values ('x', 1)")
      exact(t, (await watch.next()).value.tables.sort(), ['a', 'word'], 'a trigger\'s as well')
      await watch.return()
      psql("begin; update a set v = 'no'; rollback")
    })

    t.test(`${how}: what is loaded while it changes is not kept`, async (t) => {
      const { url, psql } = fresh(t)
      const one = door(t, url)
      const { db, cache } = one
      await exactly(one)
      const read = (meanwhile) => cache.wrap('k', async () => {
        const { v } = await db.get('select v from a where id = 1')
        await meanwhile()
        return v
      }, { tables: ['a'] })
      t.equal(await read(() => db.run("update a set v = 'new' where id = 1")), '0')
      t.equal(await cache.get('k'), undefined)
      const { commits } = (await db.stats()).changes
      t.equal(await read(async () => {
        psql("update a set v = 'newer' where id = 1")
        await until(async () => (await db.stats()).changes.commits > commits, 'the stream has it')
      }), 'new')
      t.equal(await cache.get('k'), undefined)
      // It is dropped once more when all can see the other's commit.
      await until(async () => {
        t.equal(await read(() => {}), 'newer')
        return await cache.get('k') === 'newer'
      }, 'then it is kept')
      await failure(db.transaction(async (tx) => {
        await tx.run("update a set v = 'never' where id = 1")
        const seen = await cache.wrap('t', async () => (await tx.get('select v from a where id = 1')).v, { tables: ['a'] })
        exact(t, [seen, await cache.get('t'), await cache.set('u', 1, { tables: ['b'] })], ['never', undefined, false])
        throw new Error('no')
      }))
      t.equal(await cache.get('t'), undefined)
    })
  }

  t.test('a reader is never behind a write that was acknowledged', async (t) => {
    const { url, psql } = fresh(t)
    // Two handles of one process; the readers of each see the writers of both.
    const stores = [store(t, url), store(t, url), store(t, url)]
    await exactly(stores[0])
    psql("update a set v = '0'")
    const random = (n) => Math.floor(Math.random() * n)
    const least = [0, 0, 0, 0]
    let stale = 0
    let hits = 0
    let writes = 0
    const end = Date.now() + 6000
    // On a busy machine the time alone does not bring enough of both.
    const limit = end + 60_000
    const goesOn = () => Date.now() < end || ((hits <= 100 || writes <= 50) && Date.now() < limit)
    const reader = async ({ db, cache }) => {
      while (goesOn()) {
        const id = 1 + random(3)
        const wanted = least[id]
        let loaded = false
        const v = Number(await cache.wrap(`a${id}`, async () => {
          loaded = true
          return (await db.get('select v from a where id = ?', [id])).v
        }, random(2) ? { tables: ['a'] } : { rows: { a: id } }))
        hits += !loaded
        stale += v < wanted
        if (random(50) === 0) await delay(1)
      }
    }
    const writer = async ({ db }, id) => {
      for (let n = 1; goesOn(); n++) {
        const way = random(4)
        const sql = 'update a set v = ? where id = ?'
        const values = [String(n), id]
        if (way === 0) await db.transaction((tx) => tx.run(sql, values))
        else if (way === 1) await db.batch([[sql, values]])
        else if (way === 2) await Promise.all([db.run(sql, values), db.run('insert into b(id) values (?) on conflict do nothing', [random(1e9)])])
        else await db.run(sql, values)
        least[id] = n
        writes++
        await delay(random(12))
      }
    }
    await Promise.all([...stores.map(reader), reader(stores[0]), ...[1, 2, 3].map((id) => writer(stores[id - 1], id))])
    t.equal(stale, 0, `of ${hits} hits beside ${writes} writes`)
    t.ok(hits > 100 && writes > 50, `${hits} hits, ${writes} writes`)
  })

  t.test('the stream is cut', async (t) => {
    const { url, psql } = fresh(t)
    const one = store(t, url)
    await exactly(one)
    const { cache, db } = one
    await cache.set('k', 1, { tables: ['a'] })
    await cache.set('free', 1)
    const watch = db.watch(['a'])
    const next = watch.next()
    psql('select pg_terminate_backend(active_pid) from pg_replication_slots where active_pid is not null')
    await until(async () => await cache.get('k') === undefined, 'all that is tied is dropped')
    t.equal(await cache.get('free'), 1)
    exact(t, (await next).value.tables, ['*'], 'and anything may have changed')
    await db.run("update a set v = 'meanwhile' where id = 1")
    await exactly(one)
    t.equal(await cache.set('k', 1, { tables: ['a'] }), true, 'it is back')
    psql("update a set v = 'x' where id = 1")
    await until(async () => await cache.get('k') === undefined, 'and sees what others write')
  })

  t.test('the stream is silent', async (t) => {
    const { url, psql } = fresh(t)
    const one = store(t, url)
    await exactly(one)
    const { cache, db } = one
    await cache.set('k', 1, { tables: ['a'] })
    const pid = sender(psql)
    process.kill(pid, 'SIGSTOP')
    t.teardown(() => { try { process.kill(pid, 'SIGCONT') } catch {} })
    psql("update a set v = 'unheard' where id = 1")
    await until(async () => await cache.get('k') === undefined, 'what is tied is dropped')
    await until(async () => await formOf(one) === 'silent', 'and stats() says why')
    t.equal(await cache.set('k', 1, { tables: ['a'] }), false, 'nor is anything stored')
    t.equal((await failure(cache.incr('n', 1, { tables: ['a'] }))).code, 'UC_BUSY')
    t.equal((await db.run("update a set v = 'own' where id = 1")).changes, 1, 'writes go on')
    t.equal(await cache.wrap('w', () => 5, { tables: ['a'] }), 5, 'and loads')
    process.kill(pid, 'SIGCONT')
    await exactly(one)
    t.equal(await cache.set('k', 1, { tables: ['a'] }), true)
  })

  t.test('a slow stream keeps an own write for 100 ms at most', async (t) => {
    const { url, psql } = fresh(t)
    const one = store(t, url)
    await exactly(one)
    const { cache, db } = one
    await cache.set('k', 1, { tables: ['a'] })
    await cache.set('other', 1, { tables: ['b'] })
    const pid = sender(psql)
    process.kill(pid, 'SIGSTOP')
    try {
      await db.run("update a set v = 'own' where id = 1")
      exact(t, [await cache.get('k'), await cache.get('other')], [undefined, undefined], 'then all that is tied is dropped')
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await exactly(one)
    t.ok((await db.stats()).changes.late <= 1)
  })

  t.test('no slot outlives its process', async (t) => {
    const { url, psql } = fresh(t)
    const child = spawn(process.execPath, ['-e', `
      const { open } = require(${JSON.stringify(path.join(__dirname, '../../lib/store'))})
      const s = open(${JSON.stringify(url)})
      s.db.health().then(() => setInterval(async () => console.log((await s.db.stats()).changes.form), 50))`], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => child.stdout.on('data', (text) => { if (/exact/.test(text)) resolve() }))
    exact(t, psql('select temporary, plugin from pg_replication_slots where database = current_database()'), 't|pgoutput')
    child.kill('SIGKILL')
    await until(() => psql('select count(*) from pg_replication_slots where database = current_database()') === '0', 'it has gone')
  })

  t.test('the weaker form', async (t) => {
    const { url, psql } = fresh(t, '')
    const [one, two] = [store(t, url), doors['through a daemon'](t, url)]
    for (const { cache } of [one, two]) await cache.set('first', 1, { tables: ['a'] })
    await until(async () => await formOf(one) === 'weak' && await formOf(two) === 'weak', 'it is chosen')
    t.match((await one.db.stats()).changes.why, /create publication undercroft/, 'and says what is missing')
    await until(() => psql("select count(*) from pg_stat_activity where datname = current_database() and query like 'listen undercroft%'") === '2', 'both listen')
    for (const { cache } of [one, two]) await cache.set('k', 1, { tables: ['b'] })
    const watch = one.db.watch(['b'])
    await one.db.run("update a set v = 'x' where id = 1")
    t.equal(await one.cache.get('k'), undefined, 'an own write drops all that is tied')
    exact(t, (await watch.next()).value.tables, ['*'], 'and does not know what it has changed')
    await until(async () => await two.cache.get('k') === undefined, 'the other process is told')
    await one.cache.set('k', 1, { tables: ['b'] })
    await one.db.transaction((tx) => tx.all('select * from a'))
    t.equal(await one.cache.get('k'), 1, 'a transaction that reads drops nothing')
    await one.db.transaction((tx) => tx.run("update b set v = 'x'"))
    t.equal(await one.cache.get('k'), undefined)
  })

  t.test('what makes it weak', async (t) => {
    for (const [what, sql, why, user] of [
      ['some tables', 'create publication undercroft for table a', /FOR ALL TABLES/],
      ['no deletes', "create publication undercroft for all tables with (publish = 'insert, update, truncate')", /insert, update, delete and truncate/],
      ['no right', `${PUBLISHES} do $$ begin create role plain login; exception when duplicate_object then null; end $$; grant all on all tables in schema public to plain`, /replication/, 'plain'],
      ['no wait for the disk', `${PUBLISHES} do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$`, /synchronous_commit/]
    ]) {
      const { url } = fresh(t, sql)
      const one = store(t, user === undefined ? url : url.replace('postgres@', `${user}@`))
      await one.cache.set('k', 1, { tables: ['a'] })
      await until(async () => await formOf(one) === 'weak', what)
      t.match((await one.db.stats()).changes.why, why, what)
      await one.db.run("update a set v = 'x' where id = 1")
      t.equal(await one.cache.get('k'), undefined, what)
    }
  })
})
