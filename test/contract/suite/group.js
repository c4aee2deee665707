'use strict'

// Group commit: writes that are queued together share a transaction, and none of them notices.

const { exact, failure, outcomes, runaway, slow } = require('../../helper')

module.exports = (t, open) => {
  const { id, code } = open.sql
  const isPg = open.engine === 'pg'

  // Keeps the writer busy for a moment, so that what is called next in this turn and the
  // following ones gathers into one group.
  const hold = (db) => db.run(`${slow(150000)} update hold set a = (select count(*) from c)`)

  const ready = async (t, schema, options) => {
    const store = open(t, options)
    await store.db.exec(`create table hold(a int); insert into hold values (0); ${schema}`)
    return store.db
  }

  // Eleven inserts with `odd` in their middle; what became of each, and what is stored.
  const around = async (db, odd) => {
    const before = hold(db)
    const first = Array.from({ length: 5 }, (_, i) => db.run('insert into t(a) values (?)', [i]))
    const middle = odd()
    const last = Array.from({ length: 5 }, (_, i) => db.run('insert into t(a) values (?)', [i + 5]))
    const read = db.values('select id, a from t order by id')
    const done = await Promise.allSettled([...first, middle, ...last])
    await before
    return { done, neighbours: [...done.slice(0, 5), ...done.slice(6)], middle: done[5], rows: await read }
  }

  // Each neighbour's acknowledged rowid holds its value, and there is nothing else.
  const whole = (t, { neighbours, rows }) => {
    t.ok(neighbours.every((one) => one.status === 'fulfilled' && one.value.changes === 1), 'every neighbour is acknowledged')
    const stored = new Map(rows)
    if (!isPg) t.ok(neighbours.every((one, i) => stored.get(one.value?.lastInsertRowid) === i), 'under the rowid it was told')
    exact(t, rows.map((row) => row[1]).sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'and each of them once')
  }

  t.test('a statement that violates a constraint is undone alone', async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int unique)`)
    const result = await around(db, () => db.run('insert into t(a) values (0)'))
    t.equal(result.middle.reason.code, code.unique)
    whole(t, result)
  })

  t.test('each kind of constraint has its code and its kind', async (t) => {
    const db = await ready(t, `create table p(id int primary key);
      create table t(id ${id}, a int unique, b int not null default 1, c int check (c < 10), p int references p(id));
      ${isPg ? '' : "create table s(a int) strict; create table w(k text primary key) without rowid; insert into w values ('x');"}
      insert into t(id, a) values (1, 1)`)
    const cases = [
      ['insert into t(a) values (1)', code.unique, 'unique'],
      ['insert into t(id) values (1)', code.primaryKey, 'unique'],
      ['insert into t(b) values (null)', code.notNull, 'not-null'],
      ['insert into t(c) values (10)', code.check, 'check'],
      ['insert into t(p) values (99)', code.foreignKey, 'foreign-key'],
      ...isPg ? [] : [["insert into w values ('x')", code.primaryKey, 'unique'], ["insert into s values ('text')", 'SQLITE_CONSTRAINT_DATATYPE', 'constraint']]
    ]
    const before = hold(db)
    const errors = await Promise.all(cases.map(([sql]) => failure(db.run(sql))))
    await before
    errors.forEach((err, i) => {
      t.equal(err.code, cases[i][1], cases[i][0])
      t.equal(err.kind, cases[i][2], `kind ${cases[i][2]}`)
    })
  })

  t.test('a statement of several rows that fails at a later one leaves none', async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int unique)`)
    const result = await around(db, () => db.run('insert into t(a) values (100), (101), (0)'))
    t.equal(result.middle.reason.code, code.unique)
    whole(t, result)
  })

  t.test('OR FAIL, which keeps what it did in SQLite, ends the same way alone and in a group', open.only('sqlite', 'conflicts'), async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int unique)`)
    await db.run('insert into t(a) values (7)')
    const alone = await failure(db.run('insert or fail into t(a) values (100), (7), (101)'))
    const kept = (await db.values('select a from t order by a')).map(([a]) => a)
    await db.run('delete from t where a = 100')
    const before = hold(db)
    const grouped = await Promise.all([db.run('insert into t(a) values (1)'), failure(db.run('insert or fail into t(a) values (100), (7), (101)')), db.run('insert into t(a) values (2)')])
    await before
    t.equal(alone.code, grouped[1].code)
    exact(t, (await db.values('select a from t where a not in (1, 2) order by a')).map(([a]) => a), kept, 'the same rows')
  })

  t.test('OR ROLLBACK, OR IGNORE, OR REPLACE and OR ABORT', open.only('sqlite', 'conflicts'), async (t) => {
    for (const how of ['rollback', 'abort']) {
      const db = await ready(t, `create table t(id ${id}, a int unique)`)
      const result = await around(db, () => db.run(`insert or ${how} into t(a) values (100), (0)`))
      t.equal(result.middle.reason?.code, 'SQLITE_CONSTRAINT_UNIQUE', how)
      whole(t, result)
    }
    const db = await ready(t, `create table t(id ${id}, a int unique)`)
    const ignored = await around(db, () => db.run('insert or ignore into t(a) values (0)'))
    t.equal(ignored.middle.value.changes, 0, 'ignore')
    whole(t, ignored)
    await db.run('insert or replace into t(id, a) values (50, 0)')
    exact(t, await db.get('select id from t where a = 0'), { id: 50 }, 'replace')
  })

  t.test('RAISE(ROLLBACK), RAISE(ABORT) and RAISE(FAIL) in a trigger', open.only('sqlite', 'conflicts'), async (t) => {
    for (const how of ['rollback', 'abort', 'fail']) {
      const db = await ready(t, `create table t(id integer primary key, a);
        create trigger no before insert on t when new.a = 666 begin select raise(${how}, 'not that one'); end`)
      const result = await around(db, () => db.run('insert into t(a) values (666)'))
      t.equal(result.middle.reason.code, 'SQLITE_CONSTRAINT_TRIGGER', how)
      t.match(result.middle.reason.message, /not that one/, 'with the trigger\'s own words')
      whole(t, result)
    }
  })

  t.test('several that end the whole transaction, in one group', open.only('sqlite', 'conflicts'), async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int unique)`)
    const before = hold(db)
    const calls = []
    for (let i = 0; i < 60; i++) calls.push(i % 6 === 5 ? db.run('insert or rollback into t(a) values (0)') : db.run('insert into t(a) values (?)', [i]))
    const done = await Promise.allSettled(calls)
    await before
    t.ok(done.every((one, i) => i % 6 === 5 ? one.reason?.code === 'SQLITE_CONSTRAINT_UNIQUE' : one.status === 'fulfilled'), 'each has its own end')
    const stored = new Map(await db.values('select id, a from t'))
    t.equal(stored.size, 50)
    t.ok(done.every((one, i) => i % 6 === 5 || stored.get(one.value.lastInsertRowid) === i), 'replayed with the same results as told')
  })

  t.test('what a replayed statement answered is what is stored', async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int unique, r int)`)
    const before = hold(db)
    const calls = []
    for (let i = 0; i < 30; i++) calls.push(db.get(`insert into t(a, r) values (?, ${isPg ? '(random() * 1000000007)::int' : 'abs(random() % 1000000007)'}) returning id, a, r`, [i]))
    const bad = failure(db.run(isPg ? 'insert into t(a) values (3)' : 'insert or rollback into t(a) values (3)'))
    const updates = [db.all('update t set r = r + 1 where a < 3 returning a, r'), db.run('delete from t where a = 29')]
    const rows = await Promise.all(calls)
    t.equal((await bad).code, code.unique)
    const [changed, deleted] = await Promise.all(updates)
    await before
    const stored = await db.all('select id, a, r from t order by a')
    exact(t, stored.slice(3), rows.slice(3, 29), 'the rows told are the rows stored')
    exact(t, changed.map((row) => row.r).sort(), stored.slice(0, 3).map((row) => row.r).sort(), 'also of the later update')
    t.equal(deleted.changes, 1)
  })

  t.test('a deferred foreign key fails its own statement, not the commit of all', async (t) => {
    const db = await ready(t, `create table p(id int primary key);
      create table t(id ${id}, a int, p int references p(id) deferrable initially deferred)`)
    const result = await around(db, () => db.run('insert into t(a, p) values (100, 99)'))
    t.equal(result.middle.reason.code, code.foreignKey)
    t.equal(result.middle.reason.kind, 'foreign-key')
    whole(t, result)
  })

  t.test('a later statement of the group cannot mend an earlier deferred violation', async (t) => {
    const db = await ready(t, `create table p(id int primary key);
      create table t(id ${id}, p int references p(id) deferrable initially deferred)`)
    const before = hold(db)
    const done = await outcomes([
      db.run('insert into t(p) values (1)'),
      db.run('insert into p values (1)'),
      db.run('insert into t(p) values (1)'),
      db.run('delete from p where id = 1'),
      db.run('insert into p values (2)')
    ])
    await before
    exact(t, done, [code.foreignKey, 'fulfilled', 'fulfilled', code.foreignKey, 'fulfilled'], 'as if each were alone')
    if (!isPg) exact(t, await db.values('pragma foreign_key_check'), [], 'nothing is violated')
    exact(t, await db.values('select p from t'), [[1]], 'and that is what is there')
  })

  t.test('an interrupted statement inside a group', async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int)`)
    const result = await around(db, () => db.run(`${runaway} insert into t(a) select count(*) from c`, [], { timeoutMs: 250 }))
    t.equal(result.middle.reason?.code, 'UC_TIMEOUT')
    whole(t, result)
  })

  t.test('an aborted statement inside a group', async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int)`)
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('enough')), 250)
    const result = await around(db, () => db.run(`${runaway} insert into t(a) select count(*) from c`, [], { signal: stop.signal }))
    t.equal(result.middle.reason?.message, 'enough')
    whole(t, result)
  })

  t.test('a syntax error, a wrong count and a loose BEGIN are refused alone', async (t) => {
    for (const [sql, wanted] of [['insrt into t', code.syntax], ['insert into t(a) values (?)', 'UC_PARAM_COUNT'], ['begin', 'UC_SQL_TRANSACTION'], ['insert into nowhere values (1)', code.noTable]]) {
      const db = await ready(t, `create table t(id ${id}, a int)`)
      const result = await around(db, () => db.run(sql))
      t.equal(result.middle.reason?.code, wanted, sql)
      whole(t, result)
    }
  })

  t.test('batch, many, exec and scripts inside a group are atomic, each for itself', async (t) => {
    const cases = {
      batch: (db) => db.batch([['insert into t(a) values (100)'], ['insert into t(a) values (0)']]),
      many: (db) => db.many('insert into t(a) values (?)', [[100], [101], [0]]),
      exec: (db) => db.exec('insert into t(a) values (100); insert into t(a) values (0)'),
      script: (db) => db.exec('begin; insert into t(a) values (100); insert into t(a) values (0); commit'),
      // It runs beside the others on PostgreSQL.
      ...!isPg && {
        transaction: (db) => db.transaction(async (tx) => {
          await tx.run('insert into t(a) values (100)')
          await tx.run('insert into t(a) values (0)')
        })
      }
    }
    for (const [name, odd] of Object.entries(cases)) {
      const db = await ready(t, `create table t(id ${id}, a int unique)`)
      const result = await around(db, () => odd(db))
      t.equal(result.middle.reason?.code, code.unique, name)
      whole(t, result)
    }
  })

  t.test('a schema change in the middle of a group', async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int)`)
    const result = await around(db, () => db.run('alter table t add column b int default 5'))
    t.equal(result.middle.status, 'fulfilled')
    whole(t, result)
    exact(t, (await db.get('select * from t where a = 9')).b, 5, 'the column is there')
  })

  t.test('a row budget divides a flood, and loses nothing', async (t) => {
    const db = await ready(t, `create table t(id ${id}, a int)`)
    const done = await Promise.all(Array.from({ length: 6000 }, (_, i) => db.run('insert into t(a) values (?)', [i])))
    const stored = new Map(await db.values('select id, a from t'))
    t.equal(stored.size, 6000)
    t.ok(done.every((one, i) => isPg || stored.get(one.lastInsertRowid) === i))
    t.equal(new Set(stored.values()).size, 6000, 'each of them once')
  })

  t.test('one that waits for a row of another transaction holds up nobody else', open.only('pg', 'turns'), async (t) => {
    const file = open.file(t)
    const { db } = open.at(t, file)
    await db.exec(`create table t(id ${id}, a int); insert into t(a) values (0), (0)`)
    const other = open.at(t, file).db
    let calls
    await db.transaction(async (tx) => {
      await tx.run('update t set a = a + 1 where id = 1')
      let is = 'waiting'
      const waits = other.run('update t set a = a + 10 where id = 1').then((done) => { is = 'done'; return done })
      const third = open.at(t, file).db
      const beside = await Promise.all(Array.from({ length: 40 }, (_, i) => i % 2
        ? third.run('insert into t(a) values (?)', [i])
        : third.run('update t set a = a + 1 where id = 2 and false')))
      t.equal(beside.length, 40, 'writes of another handle go on')
      exact(t, await third.get('select count(*) as n from t'), { n: 22 }, 'and what it reads sees them')
      t.equal(is, 'waiting', 'while the one waits')
      const behind = other.run('update t set a = a + 10 where id = 2').then(() => is)
      third.run('insert into t(a) values (100)')
      exact(t, await third.get('select count(*) as n from t where a = 100'), { n: 1 }, 'in order')
      calls = [waits, behind]
    })
    const [waits, behind] = calls
    t.equal((await waits).changes, 1)
    t.equal(await behind, 'done', 'writes of its own handle keep their order')
    exact(t, await db.values('select a from t where id < 3 order by id'), [[11], [10]])
  })

  t.test('many clients, each awaiting its own writes', async (t) => {
    const db = await ready(t, 'create table t(client int, n int, unique (client, n))')
    const client = async (c) => {
      for (let n = 0; n < 20; n++) {
        await db.run('insert into t values (?, ?)', [c, n])
        const seen = await db.get('select count(*) as n from t where client = ?', [c])
        if (seen.n !== n + 1) throw new Error(`client ${c} wrote ${n + 1} rows and saw ${seen.n}`)
      }
    }
    await Promise.all(Array.from({ length: 64 }, (_, c) => client(c)))
    t.equal((await db.get('select count(*) as n from t')).n, 64 * 20)
  })

  t.test('lastInsertRowid is 0 where nothing is inserted, whoever has inserted before', open.only('sqlite', 'rowid'), async (t) => {
    const db = await ready(t, `create table t(id integer primary key, a unique); create table u(id integer primary key);
      create table w(k primary key) without rowid; create table log(a);
      create table said(id integer primary key, a); create trigger ti after update on said begin insert into log values (1); end;
      create table born(id integer primary key, a, heir); create trigger bi after insert on born begin update born set heir = last_insert_rowid() where id = new.id; end;
      insert into t values (1, 1); insert into said values (1, 1)`)
    const none = {
      'an ignored insert': ['insert or ignore into t(a) values (1)', 0],
      'an insert of no rows': ['insert into t(a) select 5 where 0', 0],
      'an upsert that updates': ['insert into t values (1, 1) on conflict do update set a = 1', 1],
      'an upsert that does nothing': ['insert into t values (1, 1) on conflict do nothing', 0],
      'an update': ['update t set a = 1', 1],
      'an update whose trigger inserts': ['update said set a = 2', 1],
      'a delete of nothing': ['delete from t where id = 99', 0],
      'a delete': ['delete from u', 1],
      'a table without rowids': ["insert or replace into w values ('a')", 1],
      'a new table': ['create table if not exists t(id)', 0],
      'a pragma': ['pragma user_version = 3', 0],
      'a select': ['select 1', 0]
    }
    const other = () => db.run('insert or replace into u values (777)')
    const { sync } = open.sync ? db : {}
    for (const [what, [sql, changes]] of Object.entries(none)) {
      const wanted = { changes, lastInsertRowid: 0 }
      const calls = {
        run: () => db.run(sql),
        'in a transaction': () => db.transaction((tx) => tx.run(sql)),
        many: () => db.many(sql, [[]]),
        'in a group': async () => (await Promise.all([other(), db.run(sql), other()]))[1],
        'sync.run': sync && (() => sync.run(sql)),
        'sync.many': sync && (() => sync.many(sql, [[]]))
      }
      if (!sql.startsWith('select')) calls.batch = async () => (await db.batch([sql]))[0]
      for (const [way, call] of Object.entries(calls)) {
        if (call === undefined) continue
        await other()
        exact(t, await call(), wanted, `${what}, ${way}`)
      }
      await other()
      t.equal((await db.exec(sql)).lastInsertRowid, 0, `${what}, exec`)
    }
    exact(t, await db.run('insert into t values (0, 8)'), { changes: 1, lastInsertRowid: 0 }, 'a row whose id is 0')
    exact(t, await db.run('insert into t values (-5, 9)'), { changes: 1, lastInsertRowid: -5 }, 'a negative one')
    exact(t, await db.many('insert or ignore into t(id, a) values (?, ?)', [[50, 50], [51, 50]]), { changes: 1, lastInsertRowid: 50 }, 'the last that was inserted')
    exact(t, await db.exec('insert into t values (60, 60); update t set a = a; insert or ignore into t values (61, 60)'), { changes: 6, lastInsertRowid: 60 }, 'of a script')
    exact(t, await db.run('insert into born(id, a) values (7, 1)'), { changes: 1, lastInsertRowid: 7 }, 'a trigger asks for it')
    exact(t, await db.get('select heir from born'), { heir: 7 }, 'and is told')
  })

  t.test('last_insert_rowid(), changes() and total_changes() are a unit\'s own, and refused outside of one', open.only('sqlite', 'rowid'), async (t) => {
    const db = await ready(t, 'create table p(id integer primary key, a); create table c(id integer primary key, p); create view v as select last_insert_rowid() as id')
    const asks = ['select last_insert_rowid()', 'select 1 where changes() > 0', '/* */ SELECT Total_Changes()', 'with x as (select last_insert_rowid() as id) select * from x', 'select * from v',
      'insert into c(p) values (last_insert_rowid()) returning id']
    const refused = async (what, call) => {
      const err = await failure(async () => call())
      t.equal(err.code, 'UC_SQL_CONNECTION', what)
      t.match(err.message, /last_insert_rowid.*lastInsertRowid/, what)
    }
    await db.run('insert into p values (5, 1)')
    for (const sql of asks) {
      for (const verb of ['get', 'all', 'values', 'json', 'run']) {
        await refused(`${verb}: ${sql}`, () => db[verb](sql))
        if (open.sync) await refused(`sync.${verb}: ${sql}`, () => db.sync[verb](sql))
      }
      await refused(`iterate: ${sql}`, () => db.iterate(sql).next())
      if (sql.includes('select')) await refused(`snapshot: ${sql}`, () => db.snapshot((s) => s.all(sql)))
    }
    await refused('a new statement in a snapshot', () => db.snapshot((s) => s.all('select last_insert_rowid() as fresh')))
    exact(t, await db.values('select * from c'), [], 'nothing ran')
    const child = 'insert into c(p) values (last_insert_rowid())'
    exact(t, await db.batch(['insert into p values (6, 1)', child, 'select last_insert_rowid() as id, changes() as n']),
      [{ changes: 1, lastInsertRowid: 6 }, { changes: 1, lastInsertRowid: 1 }, [{ id: 1, n: 1 }]], 'batch')
    await db.exec(`insert into p values (7, 1); update p set a = 2; ${child}`)
    await db.transaction(async (tx) => {
      exact(t, await tx.get('select last_insert_rowid() as id'), { id: 0 }, 'a transaction begins without a row')
      await tx.run('insert into p values (8, 1)')
      await tx.run('update p set a = 3')
      await tx.run('insert or ignore into p values (8, 1)')
      exact(t, await tx.get('select last_insert_rowid() as id'), { id: 8 }, 'what inserts nothing leaves it')
      exact(t, await tx.run(child), { changes: 1, lastInsertRowid: 3 }, 'a row is told, whatever it is made of')
      exact(t, await tx.all('select * from v'), [{ id: 3 }], 'a view')
    })
    if (open.sync) {
      db.sync.transaction((tx) => {
        tx.run('insert into p values (9, 1)')
        tx.run(child)
      })
    }
    const parents = open.sync ? [6, 7, 8, 9] : [6, 7, 8]
    exact(t, (await db.values('select p from c order by id')).map(([p]) => p), parents, 'each child has its own parent')
    await db.run('insert into p values (99, 1)')
    exact(t, await db.batch([child, 'select p from c order by id desc limit 1']), [{ changes: 1, lastInsertRowid: parents.length + 1 }, [{ p: 0 }]], 'not that of another call')
    exact(t, await db.many('insert into c(p) values (last_insert_rowid())', [[], []]), { changes: 2, lastInsertRowid: parents.length + 3 }, 'many')
  })

  t.test('last_insert_rowid(), changes() and total_changes() do not leak between calls', open.only('sqlite', 'rowid'), async (t) => {
    const db = await ready(t, 'create table t(id integer primary key, a); create table u(id integer primary key)')
    const done = await Promise.all([
      db.run('insert into t(id, a) values (10, 1)'),
      db.run('insert into u(id) values (77)'),
      db.run('update t set a = 2'),
      db.run('insert into t(id, a) values (20, 1), (21, 1)')
    ])
    t.equal(done[0].lastInsertRowid, 10)
    t.equal(done[1].lastInsertRowid, 77)
    t.equal(done[2].changes, 1)
    exact(t, done[3], { changes: 2, lastInsertRowid: 21 }, 'the last')
  })
}
