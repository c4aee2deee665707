'use strict'

// Entries of the cache that belong to rows: they go with these, and stay when others
// of the table change.

const { exact, failure, tmpfile, until } = require('../../helper')

const schema = `create table user(id integer primary key, name text, mail text unique);
  create table post(id integer primary key, user references user(id) on delete cascade on update cascade, title text);
  create table log(text);
  create table setting(key text primary key, value) without rowid;
  create virtual table words using fts5(text);
  create trigger titled after update of title on post begin update user set name = new.title where id = new.user; end;
  insert into user values (1, 'a', 'a@'), (2, 'b', 'b@'), (3, 'c', 'c@');
  insert into post values (11, 1, 'x'), (12, 2, 'y');
  insert into log(rowid, text) values (0, 'zero'), (1, 'one');
  insert into setting values ('k', 1);
  insert into words(rowid, text) values (1, 'one'), (2, 'two')`

module.exports = (t, open) => {
  const ready = async (t, options) => {
    const store = open(t, { ...options })
    await store.db.exec(schema)
    return store
  }

  // One entry a row. -> the names of those that are gone after what was done
  const kept = { u1: { user: 1 }, u2: { user: 2 }, u3: { user: [3] }, u4: { user: 4n }, p11: { post: 11 }, p12: { post: 12 } }
  const gone = async (cache, work, ties = kept) => {
    const names = Object.keys(ties)
    for (const name of names) await cache.set(name, name, { rows: ties[name] })
    exact(t, await cache.getMany(names), names)
    await work()
    const found = await cache.getMany(names)
    return names.filter((_, i) => found[i] === undefined)
  }

  for (const firstLevel of [undefined, false]) {
    t.test(`a row's change, ${firstLevel === false ? 'without' : 'with'} a first level`, async (t) => {
      const { db, cache } = await ready(t, { cache: { firstLevel } })
      const ways = [
        ['update', () => db.run('update user set name = ? where id = 1', ['z']), 'u1'],
        ['update of none', () => db.run('update user set name = ? where id = 99', ['z']), ''],
        ['update of all', () => db.run('update user set name = 1'), 'u1 u2 u3'],
        ['insert', () => db.run("insert into user values (4, 'd', 'd@')"), 'u4'],
        ['delete', () => db.run('delete from user where id = 4'), 'u4'],
        ['upsert', () => db.run("insert into user values (2, 'x', 'b@') on conflict(id) do update set name = 'y'"), 'u2'],
        ['replace', () => db.run("replace into user values (3, 'x', 'c@')"), 'u3'],
        ['replace by another key', () => db.run("insert or replace into user values (4, 'x', 'c@')"), 'u3 u4'],
        ['a row of another rowid', () => db.run('update user set id = 3 where id = 4'), 'u3 u4'],
        ['cascade and trigger', () => db.run("update post set title = 'q' where id = 12"), 'u2 p12'],
        ['cascade of a key', () => db.run('update user set id = 4 where id = 1'), 'u1 u4 p11'],
        ['cascade of a delete', () => db.run('delete from user where id = 4'), 'u4 p11'],
        ['batch', () => db.batch([['insert into log values (1)'], ['update user set name = 0 where id = 2'], ['insert into user(id) values (1)']]), 'u1 u2'],
        ['transaction', () => db.transaction(async (tx) => {
          await tx.run('update user set name = 5 where id = 1')
          await tx.transaction((nested) => nested.run('update post set user = null where id = 12'))
        }), 'u1 p12'],
        ['many', () => db.many('update user set name = ? where id = ?', [[1, 2], [1, 3]]), 'u2 u3'],
        ['a stream of rows', () => db.many('update user set name = ? where id = ?', Array.from({ length: 3000 }, () => [1, 2])), 'u2'],
        ['exec', () => db.exec('update user set name = 9 where id = 3; delete from post where id = 12'), 'u3 p12'],
        ['with rows', () => db.all('update user set name = 8 where id = 2 returning id'), 'u2'],
        ['a failed statement', () => failure(db.run("insert into user values (77, 'x', 'b@')")), ''],
        ['delete of all', () => db.run('delete from user'), 'u1 u2 u3'],
        ['rows from another table', () => db.exec('create table copy as select 4 id, 1 name, 2 mail; insert into post(id) values (11)'), 'u1 u2 u3 u4 p11 p12'],
        ['insert of a select', () => db.run('insert into user select * from copy'), 'u4'],
        ['a change of the schema', () => db.exec('alter table user add column x'), 'u1 u2 u3 u4 p11 p12'],
        ['and after it', () => db.run('update user set x = 1 where id = 4'), 'u4'],
        ...open.sync
          ? [
              ['blocking', () => db.sync.run('update user set name = 7 where id = 4'), 'u4'],
              ['a blocking transaction', () => db.sync.transaction(() => {
                db.sync.run('insert into user(id) values (1)')
                db.sync.run('insert into post(id) values (12)')
              }), 'u1 p12']
            ]
          : []
      ]
      for (const [name, work, wanted] of ways) t.equal((await gone(cache, work)).join(' '), wanted, name)
    })
  }

  t.test('a delete without where that was prepared before rows mattered', async (t) => {
    const { db, cache } = await ready(t)
    await db.run('delete from log')
    await db.run("insert into log values ('a'), ('b')")
    exact(t, await gone(cache, () => db.run('delete from log'), { a: { log: 1 }, b: { log: 2 }, c: { log: 3 } }), ['a', 'b'])
  })

  t.test('tables of which rows are not told', async (t) => {
    const { db, cache } = await ready(t)
    const ties = { s: { setting: 1 }, w1: { words: 1 }, w2: { words: 2 }, z: { log: 0 }, l: { log: 1 }, u: { user: 1 } }
    exact(t, await gone(cache, () => db.run("insert into setting values ('l', 2)"), ties), ['s'], 'WITHOUT ROWID')
    exact(t, await gone(cache, () => db.run("update words set text = 'x' where rowid = 1"), ties), ['w1', 'w2'], 'a virtual table')
    exact(t, await gone(cache, () => db.run("update log set text = 'x' where rowid = 0"), ties), ['z', 'l'], 'rowid 0 cannot be told from none')
    exact(t, await gone(cache, () => db.run("update log set text = 'x' where rowid = 1"), ties), ['l'])
    await db.exec('drop table log; create virtual table log using fts5(text)')
    exact(t, await gone(cache, () => db.run("insert into log(rowid, text) values (5, 'x')"), ties), ['z', 'l'], 'a table that is virtual now')
  })

  t.test('more rows than are told', async (t) => {
    const { db, cache } = await ready(t)
    const all = 'with recursive n(i) as (select 100 union all select i + 1 from n where i < ?) insert into user(id) select i from n'
    const ties = { u1: { user: 1 }, u100: { user: 100 }, u900: { user: 900 }, p11: { post: 11 }, p12: { post: 12 } }
    exact(t, await gone(cache, () => db.run(all, [1000]), ties), ['u100', 'u900'], 'each of them')
    exact(t, await gone(cache, () => db.transaction(async (tx) => {
      await tx.run('update user set name = 3 where id >= 100')
      await tx.run('update user set mail = null where id >= 100')
      await tx.run('update post set title = 3 where id = 11')
    }), ties), ['u1', 'u100', 'u900', 'p11'], 'all of a table')
    exact(t, await gone(cache, () => db.run('update user set name = 1 where id = 100'), ties), ['u100'], 'one again')
    exact(t, await gone(cache, () => failure(db.transaction(async (tx) => {
      await tx.run('delete from user')
      throw new Error('no')
    })), ties), [], 'rolled back')
    exact(t, await gone(cache, () => db.run('update user set name = 1 where id = 100'), ties), ['u100'], 'and nothing is left of it')
  })

  t.test('a transaction that had begun before rows mattered', async (t) => {
    const file = open.file(t)
    const [{ db }, { cache }] = [open.at(t, file), open.at(t, file)]
    await db.exec(schema)
    let set
    const early = new Promise((resolve) => { set = resolve })
    const work = db.transaction(async (tx) => {
      await tx.run('update user set name = 1 where id = 2')
      set()
      await until(async () => await cache.get('u1') === 1, 'it is set')
      await tx.run('update user set name = 2 where id = 2')
    })
    await early
    await cache.set('u1', 1, { rows: { user: 1 } })
    await cache.set('u2', 2, { rows: { user: 2 } })
    await cache.set('p11', 3, { rows: { post: 11 } })
    await work
    exact(t, await cache.getMany(['u1', 'u2', 'p11']), [undefined, undefined, 3])
  })

  t.test('a commit while a loader runs', async (t) => {
    const { db, cache } = await ready(t)
    const read = async (id, meanwhile) => await cache.wrap(`u${id}`, async () => {
      const row = await db.get('select * from user where id = ?', [id])
      await meanwhile()
      return row.name
    }, { rows: { user: id } })
    // The first time nobody knows that rows will matter.
    t.equal(await read(1, () => db.run("update user set name = 'new' where id = 1")), 'a')
    t.equal(await read(1, () => {}), 'new', 'what was read before the commit was not kept')
    t.equal(await read(2, () => db.run("update user set name = 'new' where id = 3")), 'b')
    t.equal(await cache.get('u2'), 'b', "another row's change does not matter")
    t.equal(await read(3, () => db.run("update user set name = 'newer' where id = 3")), 'new')
    t.equal(await cache.get('u3'), undefined)
  })

  t.test('another session, and how rows and tables are named', async (t) => {
    const file = open.file(t)
    const one = open.at(t, file)
    const two = open.at(t, file)
    await one.db.exec(schema)
    const rows = { USER: [1, 2n], 'main.post': 12 }
    await one.cache.setMany([['a', 1], ['b', 2]], { rows })
    await one.cache.incr('n', 5, { rows: { user: -(2n ** 63n) } })
    await two.db.run('update user set name = 1 where id = 3')
    exact(t, await two.cache.getMany(['a', 'b', 'n']), [1, 2, 5])
    await two.db.run('insert into user(id) values (-9223372036854775808)')
    exact(t, await one.cache.getMany(['a', 'b', 'n']), [1, 2, undefined])
    await two.db.run('delete from POST where id = 12')
    exact(t, await one.cache.getMany(['a', 'b']), [undefined, undefined])
    t.equal(await one.cache.compareAndSet('a', undefined, 1, { rows: { user: 2 }, tables: 'post', tags: 'x' }), true)
    await two.db.run('update user set name = 4 where id = 2')
    t.equal(await one.cache.get('a'), undefined)
    if (open.sync) {
      t.equal(one.cache.sync.set('s', 1, { rows: { user: 2 } }), true)
      two.db.sync.run('update user set name = 5 where id = 1')
      t.equal(one.cache.sync.get('s'), 1)
      two.db.sync.run('update user set name = 5 where id = 2')
      t.equal(one.cache.sync.get('s'), undefined)
    }
  })

  t.test('a table of an attached file', async (t) => {
    const { db, cache } = await ready(t, open.owner ? { attach: { side: tmpfile(t) } } : {})
    if (!open.owner) return
    await db.exec('create table side.user(id integer primary key, name); insert into side.user values (1, 1), (2, 2)')
    const ties = { m1: { user: 1 }, s1: { 'side.user': 1 }, s2: { 'side.user': 2 } }
    exact(t, await gone(cache, () => db.run('update side.user set name = 3 where id = 1'), ties), ['s1'])
    exact(t, await gone(cache, () => db.run('update main.user set name = 3 where id = 1'), ties), ['m1'])
  })

  t.test('a table of another schema, by the name that SQL finds it by', async (t) => {
    const { db, cache } = await ready(t, open.owner ? { attach: { side: tmpfile(t) } } : {})
    await db.exec('create temp table tt(id integer primary key, v); insert into tt values (1, 1), (2, 2)')
    const ties = { one: { tt: 1 }, two: { 'temp.tt': 1 }, three: { tt: 2 } }
    exact(t, await gone(cache, () => db.run('update tt set v = 3 where id = 1'), ties), ['one', 'two'])
    const isThere = async (tables, sql) => {
      await cache.set('k', 1, { tables })
      await db.run(sql)
      return await cache.get('k') === 1
    }
    const ends = [await isThere(['tt'], 'update tt set v = 4'), await isThere(['temp.tt'], 'update tt set v = 5'), await isThere(['tt'], "update user set name = 'x'")]
    exact(t, ends, [false, false, true], 'tables')
    if (!open.owner) return
    await db.exec('create table side.x(id integer primary key, v); insert into x values (1, 1), (2, 2)')
    exact(t, await gone(cache, () => db.run('update x set v = 3 where id = 1'), { one: { x: 1 }, two: { 'side.x': 1 }, three: { x: 2 } }), ['one', 'two'])
    t.equal(await isThere(['x'], 'update side.x set v = 4'), false)
  })

  t.test('what is refused', async (t) => {
    const { cache } = await ready(t)
    for (const [rows, words] of [
      ['user', /rows: expected an object/],
      [['user'], /rows: expected an object/],
      [{ '': 1 }, /rows: expected a name/],
      [{ user: '1' }, /rows\.user: expected a rowid/],
      [{ user: [1, 1.5] }, /rows\.user: expected a rowid/],
      [{ user: 2 ** 53 }, /rows\.user: expected a rowid/],
      [{ user: 2n ** 63n }, /rows\.user: expected a rowid/],
      [{ user: null }, /rows\.user: expected a rowid/],
      [{ user: Array(65).fill(1) }, /rows\.user: expected a rowid, or an array of at most 64/],
      [{ user: Array.from({ length: 64 }, (_, i) => i) }, /64 tags, tables, rows and namespaces, not to 65/]
    ]) {
      const e = await failure(cache.set('k', 1, { rows }))
      t.equal(e.code, 'UC_OPTION')
      t.match(e.message, words)
    }
    t.equal(await cache.get('k'), undefined)
    t.equal(await cache.set('k', 1, { rows: { user: Array.from({ length: 63 }, (_, i) => i) } }), true, 'the most')
    t.equal(await cache.set('k', 1, { rows: { user: [] } }), true, 'none')
  })
}

module.exports.sqlite = 'it is about rowids; those of PostgreSQL are in test/pg/cache.test.js'
