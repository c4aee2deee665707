'use strict'

// What each verb answers, on the handle and on a prepared statement.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const { sql } = open
  const users = async (db) => {
    await db.exec(`create table users(id ${sql.id}, name text, age int);
      insert into users(name, age) values ('a', 4), ('b', 5), ('c', null)`)
  }

  t.test('get: the first row, or undefined', async (t) => {
    const { db } = open(t)
    await users(db)
    exact(t, await db.get('select * from users where id = ?', [1]), { id: 1, name: 'a', age: 4 }, 'a row')
    exact(t, await db.get('select * from users order by id desc'), { id: 3, name: 'c', age: null }, 'the first of several')
    t.equal(await db.get('select * from users where id = ?', [99]), undefined)
  })

  t.test('get steps no further than the first row', async (t) => {
    const { db } = open(t)
    const row = await db.get(`with recursive c(x) as (select 1 union all select x + 1 from c)
      select x from c`, [], { timeoutMs: 25000 })
    exact(t, row, { x: 1 }, 'of an endless statement')
  })

  t.test('get of a writing statement finishes it', async (t) => {
    const { db } = open(t)
    await users(db)
    exact(t, await db.get('update users set age = 1 returning id'), { id: 1 }, 'the first of three')
    exact(t, await db.values('select age from users'), [[1], [1], [1]], 'all three are updated')
    exact(t, await db.get("insert into users(name) values ('d'), ('e') returning id, name"), { id: 4, name: 'd' }, 'insert returning')
    t.equal((await db.get('select count(*) as n from users')).n, 5)
    exact(t, await db.all('delete from users where id > 3 returning id'), [{ id: 4 }, { id: 5 }], 'delete returning')
  })

  t.test('all, values, json', async (t) => {
    const { db } = open(t)
    await users(db)
    exact(t, await db.all('select * from users where id < ?', [3]), [{ id: 1, name: 'a', age: 4 }, { id: 2, name: 'b', age: 5 }], 'all')
    exact(t, await db.values('select * from users where id < ?', [3]), [[1, 'a', 4], [2, 'b', 5]], 'values')
    const bytes = await db.json('select * from users where id < ?', [3])
    t.ok(Buffer.isBuffer(bytes), 'json is a Buffer')
    t.equal(bytes.toString(), '[{"id":1,"name":"a","age":4},{"id":2,"name":"b","age":5}]')
  })

  t.test('run: changes and lastInsertRowid', async (t) => {
    const { db } = open(t)
    await users(db)
    exact(t, await db.run('insert into users(name, age) values (?, ?)', ['d', 1]), sql.ran(1, 4), 'insert')
    t.equal((await db.run('update users set age = 0')).changes, 4, 'update')
    t.equal((await db.run('update users set age = 0 where id = 99')).changes, 0, 'update of nothing')
    t.equal((await db.run('delete from users where id in (1, 2)')).changes, 2, 'delete')
    t.equal((await db.run('delete from users')).changes, 2, 'delete of everything')
    t.equal((await db.run('create table other(a text)')).changes, 0, 'create')
    t.equal((await db.run('select 1')).changes, 0, 'select')
  })

  t.test('changes count the statement, not what its triggers did', async (t) => {
    const { db } = open(t)
    await db.exec(`create table a(x int); create table log(x int);
      ${sql.trigger('tr after insert on a', 'insert into log values (new.x), (new.x);')}`)
    exact(t, await db.run('insert into a values (1), (2)'), sql.ran(2, 2), 'two rows inserted')
    t.equal((await db.get('select count(*) as n from log')).n, 4)
  })

  t.test('exec: any number of statements', async (t) => {
    const { db } = open(t)
    await db.exec(`
      -- a comment ; with a semicolon
      create table a(x text); /* another ; */
      insert into a values ('1'), ('2');
      insert into a values ('; not an end');;
      ${sql.trigger('tr after insert on a', "update a set x = new.x; delete from a where x = '0';")};
      select * from a
    `)
    exact(t, await db.values('select x from a'), [['1'], ['2'], ['; not an end']], 'all of them ran')
    await db.exec('')
    await db.exec('  -- nothing\n ; ')
    t.ok(true, 'nothing is not an error for exec')
  })

  t.test('exec is all or nothing', async (t) => {
    const { db } = open(t)
    await db.exec('create table a(x int unique)')
    const err = await failure(db.exec('insert into a values (1); insert into a values (2); insert into a values (1); insert into a values (3)'))
    t.equal(err.code, sql.code.unique)
    exact(t, await db.values('select x from a'), [], 'nothing half-done')
    const syntax = await failure(db.exec('insert into a values (1); insrt into a values (2)'))
    t.equal(syntax.code, sql.code.syntax)
    exact(t, await db.values('select x from a'), [], 'nor when a later statement has a syntax error')
  })

  t.test('a trailing semicolon and comments are no second statement', async (t) => {
    const { db } = open(t)
    exact(t, await db.get('select 1 as a;'), { a: 1 }, 'a semicolon')
    exact(t, await db.get('select 1 as a ; ; -- the end'), { a: 1 }, 'and a comment')
    exact(t, await db.get('/* x */ select 1 as a /* ; select 2 */;\n\n'), { a: 1 }, 'in front too')
    exact(t, await db.get('-- ünï 日😀\nselect \'é\' as a'), { a: 'é' }, 'not in ASCII')
  })

  t.test('prepare has the same verbs', async (t) => {
    const { db } = open(t)
    await users(db)
    const byId = db.prepare('select * from users where id = ?')
    exact(t, await byId.get([2]), { id: 2, name: 'b', age: 5 }, 'get')
    exact(t, await byId.all([2]), [{ id: 2, name: 'b', age: 5 }], 'all')
    exact(t, await byId.values([2]), [[2, 'b', 5]], 'values')
    t.equal((await byId.json([2])).toString(), '[{"id":2,"name":"b","age":5}]', 'json')
    const seen = []
    for await (const row of db.prepare('select id from users').iterate()) seen.push(row.id)
    exact(t, seen, [1, 2, 3], 'iterate')
    const insert = db.prepare('insert into users(name) values (:name)')
    exact(t, await insert.run({ name: 'z' }), sql.ran(1, 4), 'run')
    exact(t, await insert.many([{ name: 'y' }, { name: 'x' }]), sql.ran(2, 6), 'many')
    exact(t, await byId.get([99]), undefined, 'no row')
    exact(t, await byId.get([1], { integers: 'bigint' }), { id: 1n, name: 'a', age: 4n }, 'options of the call')
  })

  t.test('a prepared statement is cheap: nothing is checked before it runs', async (t) => {
    const { db } = open(t)
    const q = db.prepare('select * from later')
    t.equal((await failure(q.get())).code, sql.code.noTable, 'the table is not there yet')
    await db.exec('create table later(a int); insert into later values (1)')
    exact(t, await q.get(), { a: 1 }, 'now it is')
  })

  t.test('many calls in flight at once, each with its own answer', async (t) => {
    const { db } = open(t)
    await users(db)
    const calls = []
    const one = sql.as('?1', 'int')
    for (let i = 0; i < 2000; i++) {
      calls.push(i % 3 === 0
        ? db.get(`select ${one} as v`, [i])
        : i % 3 === 1 ? db.all(`select ${one} as v union all select ${one}`, [i]) : db.values(`select ${one}, ${sql.as('?2', 'text')}`, [i, `t${i}`]))
    }
    const done = await Promise.all(calls)
    t.ok(done.every((v, i) => i % 3 === 0 ? v.v === i : i % 3 === 1 ? v.length === 2 && v[1].v === i : v[0][0] === i && v[0][1] === `t${i}`))
  })

  t.test('the same SQL with every verb at once', async (t) => {
    const { db } = open(t)
    await users(db)
    const query = 'select id from users where id = ?'
    const done = await Promise.all([db.get(query, [1]), db.all(query, [2]), db.values(query, [3]), db.json(query, [1]), db.run(query, [1])])
    exact(t, done.slice(0, 3), [{ id: 1 }, [{ id: 2 }], [[3]]], 'rows')
    t.equal(done[3].toString(), '[{"id":1}]')
    t.equal(done[4].changes, 0)
  })

  t.test('a statement without rows is refused by the verbs for rows, before it is run', async (t) => {
    const { db } = open(t)
    const { noRows } = sql
    await db.exec('create table t(a int); insert into t values (1)')
    const none = ['insert into t values (2)', '/* */ update t set a = 3', 'delete from t where a = 1', 'with x(v) as (select 4) insert into t select v from x',
      'create table u(a int)', 'drop table t', 'vacuum', ...noRows]
    const refused = async (what, on, sql) => {
      for (const verb of ['get', 'all', 'values', 'json', 'iterate']) {
        const err = await failure(async () => verb === 'iterate' ? on.iterate(sql).next() : on[verb](sql))
        t.equal(err.code, 'UC_SQL_NO_ROWS', `${what} ${verb}: ${sql}`)
        t.equal(err.kind, 'usage')
        t.match(err.message, /run/, 'the sentence shows the way')
      }
    }
    for (const sql of none) {
      await refused('db', db, sql)
      if (open.sync) await refused('sync', db.sync, sql)
    }
    for (const sql of [...none.slice(0, 6), noRows[0]]) {
      await db.transaction((tx) => refused('tx', tx, sql))
      if (open.sync) {
        const inside = (verb) => (sql) => db.sync.transaction((tx) => verb === 'iterate' ? tx.iterate(sql).next() : tx[verb](sql))
        await refused('sync tx', {
          get: inside('get'),
          all: inside('all'),
          values: inside('values'),
          json: inside('json'),
          iterate: (sql) => ({ next: () => inside('iterate')(sql) })
        }, sql)
      }
    }
    exact(t, await db.values('select a from t'), [[1]], 'nothing was written')
    if (open.engine === 'sqlite') exact(t, await db.get('pragma user_version'), { user_version: 0 }, 'nor set')
    exact(t, await db.values(`${sql.tables} and name in ('u', 'v')`), [], 'nor made')
    exact(t, await db.get('insert into t values (2) returning a'), { a: 2 }, 'RETURNING has rows')
    t.equal(await db.get('delete from t where a = 9 returning a'), undefined, 'even where there are none')
    exact(t, await db.batch(['insert into t values (3)', 'select 1 as n']), [sql.ran(1, 3), [{ n: 1 }]], 'batch takes both')
  })

  t.test('explain reads, whatever it explains', async (t) => {
    const { db } = open(t)
    await users(db)
    t.ok((await db.all(`${sql.plan} select * from users where id = 1`)).length > 0)
    t.ok((await db.all("explain insert into users(name) values ('1')")).length >= (open.engine === 'sqlite' ? 6 : 1))
    t.equal((await db.get('select count(*) as n from users')).n, 3, 'explaining an insert inserts nothing')
  })
}
