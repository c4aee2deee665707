'use strict'

// FTS5, R-tree, math and JSON are part of the engine.

const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  t.test('FTS5: match, rank, highlight, prefixes, and text of every kind', async (t) => {
    const { db } = open(t)
    await db.exec('create virtual table doc using fts5(title, body)')
    await db.many('insert into doc values (?, ?)', [
      ['cellar', 'the storeroom under a house'],
      ['attic', 'the room under the roof'],
      ['Weinkeller', 'größe und straße 日本語']
    ])
    exact(t, await db.values("select title from doc where doc match 'storeroom'"), [['cellar']], 'match')
    exact(t, await db.values('select title from doc where doc match ? order by rank', ['under']), [['cellar'], ['attic']], 'rank, the same for both, so in the order of the rows')
    exact(t, await db.get("select highlight(doc, 1, '<', '>') as h from doc where doc match 'hou*'"), { h: 'the storeroom under a <house>' }, 'highlight of a prefix')
    exact(t, await db.values("select title from doc where doc match 'große OR strasse OR straße'"), [['Weinkeller']], 'beyond ASCII')
    await db.run("update doc set body = 'empty' where title = 'attic'")
    await db.run("insert into doc(doc) values ('optimize')")
    exact(t, await db.get("select count(*) as n from doc where doc match 'roof'"), { n: 0 }, 'kept up to date')
    t.equal((await failure(db.all("select * from doc where doc match '\"'"))).code, 'SQLITE_ERROR', 'a bad query is an error')
    exact(t, await db.get("select bm25(doc) < 0 as b from doc where doc match 'cellar'"), { b: 1 }, 'bm25')
  })

  t.test('a virtual table: the rowid of what was inserted, and none of what was not', async (t) => {
    const { db } = open(t)
    await db.exec('create virtual table f using fts5(a); create virtual table r using rtree(id, x, y); create table t(a); create table own(id integer primary key)')
    await db.run('insert into own values (41)')
    const counts = async (sql) => Object.values(await db.run(sql))
    exact(t, await counts("insert into f(rowid, a) values (7, 'x')"), [1, 7], 'FTS5')
    exact(t, await counts('insert into r values (5, 1, 2)'), [1, 5], 'R-tree')
    exact(t, await counts("update f set a = 'y'"), [1, 0], 'an update of FTS5')
    exact(t, await counts('update r set x = 0'), [1, 0], 'of R-tree')
    exact(t, await counts('update f set a = last_insert_rowid() where rowid = 7').catch((err) => err.code), 'UC_SQL_CONNECTION', 'it asks for what is not its own')
    exact(t, await counts('delete from f'), [1, 0], 'a delete')
    exact(t, await counts('delete from r'), [1, 0], 'of R-tree')
    const all = await db.batch(["insert into f(rowid, a) values (9, 'x')", "update f set a = 'z'", 'insert into own values (43)', 'select last_insert_rowid() as id'])
    exact(t, all.map((one) => one.lastInsertRowid ?? one[0].id), [9, 0, 43, 43], 'in a batch')
  })

  t.test('FTS5 over a table of its own, by triggers, within groups', async (t) => {
    const { db } = open(t)
    await db.exec(`create table note(id integer primary key, text);
      create virtual table idx using fts5(text, content='note', content_rowid='id');
      create trigger ai after insert on note begin insert into idx(rowid, text) values (new.id, new.text); end;
      create trigger ad after delete on note begin insert into idx(idx, rowid, text) values ('delete', old.id, old.text); end`)
    const calls = Array.from({ length: 200 }, (_, i) => db.run('insert into note(text) values (?)', [`word${i % 10} common`]))
    const bad = failure(db.run("insert or rollback into note(id, text) values (1, 'x')"))
    await Promise.all(calls)
    t.match((await bad).code, /^SQLITE_CONSTRAINT/)
    exact(t, await db.get("select count(*) as n from idx where idx match 'word3'"), { n: 20 }, 'the index agrees')
    await db.run('delete from note where id <= 100')
    exact(t, await db.get("select count(*) as n from idx where idx match 'common'"), { n: 100 }, 'after a delete too')
    await db.run("insert into idx(idx) values ('integrity-check')")
  })

  t.test('trigram tokenizer', async (t) => {
    const { db } = open(t)
    await db.exec("create virtual table doc using fts5(a, tokenize = 'trigram'); insert into doc values ('undercroft')")
    exact(t, await db.get("select count(*) as n from doc where a like '%erCRo%'"), { n: 1 }, 'finds the middle of a word')
  })

  t.test('R-tree', async (t) => {
    const { db } = open(t)
    await db.exec('create virtual table box using rtree(id, x0, x1, y0, y1)')
    await db.many('insert into box values (?, ?, ?, ?, ?)', Array.from({ length: 1000 }, (_, i) => [i + 1, i, i + 1.5, -i, -i + 1.5]))
    exact(t, (await db.values('select id from box where x0 >= 10 and x1 <= 13 order by id')).map(([id]) => id), [11, 12], 'a range')
    exact(t, await db.get("select rtreecheck('box') as ok"), { ok: 'ok' }, 'it is sound')
    t.equal((await failure(db.run('insert into box values (5000, 2, 1, 0, 0)'))).code.slice(0, 17), 'SQLITE_CONSTRAINT')
  })

  t.test('math', async (t) => {
    const { db } = open(t)
    const row = await db.get('select sqrt(2) as a, pow(2, 10) as b, pi() as c, ceil(1.2) as d, floor(-1.2) as e, ln(exp(1)) as f, mod(7, 3) as g, sin(0) as h, degrees(pi()) as i, trunc(1.9) as j')
    exact(t, row, { a: Math.SQRT2, b: 1024, c: Math.PI, d: 2, e: -2, f: 1, g: 1, h: 0, i: 180, j: 1 }, 'functions')
  })

  t.test('JSON functions and operators', async (t) => {
    const { db } = open(t)
    const doc = JSON.stringify({ a: { b: [1, 2, { c: 'é' }] } })
    exact(t, await db.get("select ?1 ->> '$.a.b[2].c' as a, ?1 -> '$.a.b' as b, json_extract(?1, '$.a.b[1]') as c, json_valid(?1) as d, json_type(?1, '$.a.b') as e", [doc]),
      { a: 'é', b: '[1,2,{"c":"é"}]', c: 2, d: 1, e: 'array' }, 'paths')
    exact(t, await db.values("select key, value from json_each('[\"x\",\"y\"]')"), [[0, 'x'], [1, 'y']], 'json_each')
    exact(t, await db.get('select json_group_array(value) as v from json_each(?)', ['[3,1]']), { v: '[3,1]' }, 'json_group_array')
    exact(t, await db.get("select json(jsonb('{\"a\": 1}')) as v"), { v: '{"a":1}' }, 'jsonb')
    await db.exec("create table d(doc text check (json_valid(doc)), name generated always as (iif(json_valid(doc), doc ->> '$.name', null)) stored); create index di on d(name)")
    await db.run('insert into d(doc) values (?)', ['{"name":"x"}'])
    exact(t, await db.get("select name from d where name = 'x'"), { name: 'x' }, 'a generated column')
    t.equal((await failure(db.run("insert into d(doc) values ('nonsense')"))).kind, 'check')
  })

  t.test('window functions, CTEs, upsert, returning, strict, without rowid, generated columns', async (t) => {
    const { db } = open(t)
    await db.exec('create table s(k text primary key, n int) strict, without rowid')
    for (let i = 0; i < 2; i++) await db.run("insert into s values ('a', 1) on conflict(k) do update set n = n + excluded.n")
    exact(t, await db.get('select n from s'), { n: 2 }, 'upsert')
    exact(t, await db.values('select value, sum(value) over (order by value) from json_each(\'[1,2,3]\')'), [[1, 1], [2, 3], [3, 6]], 'a window')
    t.equal((await failure(db.run("insert into s values ('b', 'text')"))).code, 'SQLITE_CONSTRAINT_DATATYPE')
  })

  t.test('dates, regular collations, LIKE and GLOB', async (t) => {
    const { db } = open(t)
    exact(t, await db.get("select date('2024-02-29', '+1 year') as a, unixepoch('1970-01-02') as b, 'A' = 'a' collate nocase as c, 'abc' glob 'a*' as d, 'ABC' like 'a%' as e"),
      { a: '2025-03-01', b: 86400, c: 1, d: 1, e: 1 }, 'functions')
    await db.exec('create table ev(at text)')
    await db.run('insert into ev values (?)', [new Date('2024-05-06T07:08:09.123Z')])
    exact(t, await db.get("select date(at) as d, strftime('%f', at) as f from ev"), { d: '2024-05-06', f: '09.123' }, 'a Date is text that SQLite\'s functions read')
  })

  t.test('no extension can be loaded', async (t) => {
    const { db } = open(t)
    t.equal((await failure(db.get("select load_extension('x')"))).code, 'SQLITE_ERROR')
  })
}

module.exports.sqlite = 'it is about the extensions of SQLite: FTS5, R-tree, its JSON and dates'
