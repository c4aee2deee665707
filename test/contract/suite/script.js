'use strict'

// Scripts: where their statements end, what may stand between them, and where one failed. What is
// wrong runs nothing of it.

const fs = require('node:fs')
const path = require('node:path')
const { exact, failure } = require('../../helper')

module.exports = (t, open) => {
  const isPg = open.engine === 'pg'
  const { sql: { code } } = open
  const ready = async (t, options) => {
    const store = open(t, options)
    await store.db.exec('create table t(a int); insert into t values (1)')
    return store.db
  }
  const rows = async (db) => (await db.values('select a from t order by a')).map(([a]) => a)

  // Every way to run a script; a migration has a transaction of its own.
  const ways = (db) => Object.entries({
    exec: (sql) => db.exec(sql),
    'exec of a transaction': (sql) => db.transaction((tx) => tx.exec(sql)),
    ...(open.sync && { 'sync.exec': async (sql) => db.sync.exec(sql) })
  })

  t.test('what stands in a comment is not run, and what is right is not refused', async (t) => {
    const db = await ready(t)
    const whole = [
      'begin -- was: begin; delete from t\n; insert into t values (2); commit',
      'begin /* ; delete from t; */ ; insert into t values (2); commit;',
      `/* begin; */ begin ${isPg ? '' : 'immediate'} transaction -- ; x\n; insert into t values (2); commit -- ; delete from t;\n`,
      'begin; insert into t values (2); -- commit;\nend transaction /* ; delete from t */ ; -- the end; of it',
      `begin${isPg ? '' : ' exclusive'}; insert into t values (2); delete from t where 'a' = ';commit;'; commit transaction`,
      '\ufeffbegin;;; insert into t values (2);; ; commit;;',
      isPg
        ? 'START TRANSACTION; insert into t values (2); delete from t where \'a\' = $$;commit; begin;$$; END TRANSACTION'
        : 'BEGIN deferred TRANSACTION "t;x"; insert into t values (2); END TRANSACTION [t;x]'
    ]
    for (const [way, run] of ways(db)) {
      for (const sql of whole) {
        await run(sql)
        exact(t, await rows(db), [1, 2], `${way}: ${sql}`)
        await db.run('delete from t where a = 2')
      }
    }
  })

  t.test('what stands behind BEGIN and COMMIT without a semicolon is an error', async (t) => {
    const db = await ready(t)
    for (const [way, run] of ways(db)) {
      for (const sql of [
        'begin insert into t values (2); insert into t values (3); commit',
        'begin immediate insert into t values (2); commit',
        'begin; insert into t values (2); commit delete from t',
        'begin; insert into t values (2); commit delete from t;',
        'begin; insert into t values (2); end /* ; */ delete from t'
      ]) {
        t.equal((await failure(run(sql))).code, code.syntax, `${way}: ${sql}`)
        exact(t, await rows(db), [1], 'nothing ran')
        t.equal((await db.run('update t set a = a')).changes, 1, 'the writer is free')
      }
    }
  })

  t.test('a BEGIN and a COMMIT that are not all of the script', async (t) => {
    const db = await ready(t)
    for (const [way, run] of ways(db)) {
      for (const sql of [
        'begin; insert into t values (2); -- commit;',
        'begin; insert into t values (2) /* ; commit */',
        'begin; begin; insert into t values (2); commit',
        'begin; insert into t values (2); rollback',
        'begin; insert into t values (2); commit; insert into t values (3)',
        'begin; savepoint s; insert into t values (2); release s; commit',
        '-- first\ninsert into t values (2); commit',
        'insert into t values (2); begin; commit'
      ]) {
        t.equal((await failure(run(sql))).code, 'UC_SQL_TRANSACTION', `${way}: ${sql}`)
        exact(t, await rows(db), [1], 'nothing stays')
      }
    }
    const err = await failure(db.exec('begin; insert into t values (2); commit; insert into t values (3)'))
    t.match(err.message, /COMMIT in the midst of it.*what follows to another db\.exec/, 'says what to do')
    if (!isPg) t.match(await db.get('explain begin'), { opcode: 'Init' }, 'explaining one only reads')
  })

  t.test('a NUL is refused wherever SQL is taken', async (t) => {
    const db = await ready(t)
    const refused = async (what, call) => {
      const err = await failure(call)
      t.equal(err.code, 'UC_PARAM_TYPE', what)
      t.match(err.message, /NUL/, what)
      exact(t, await rows(db), [1], `${what}: nothing ran`)
    }
    for (const [way, run] of ways(db)) {
      for (const sql of [
        'delete from t\0 where a = 2',
        'insert into t values (2);\0insert into t values (3)',
        'insert into t values (2)\0',
        '\0insert into t values (2)',
        'begin; insert into t values (2);\0 commit',
        "insert into t values ('a\0b')",
        'insert into t values (2) -- x\0y\n',
        'vacuum\0'
      ]) await refused(`${way}: ${JSON.stringify(sql)}`, () => run(sql))
    }
    const sql = 'delete from t\0 where a = 2'
    for (const verb of ['get', 'all', 'values', 'json', 'run']) await refused(verb, () => db[verb](sql))
    await refused('a read', () => db.get('select a from t\0 where a = 2'))
    await refused('behind it nothing', () => db.get('select a from t\0'))
    await refused('batch', () => db.batch([sql]))
    await refused('many', () => db.many(sql, [[]]))
    await refused('iterate', () => db.iterate('select a from t\0').next())
    await refused('a transaction', () => db.transaction((tx) => tx.run(sql)))
    await refused('a snapshot', () => db.snapshot((s) => s.all('select 1\0')))
    t.equal((await failure(db.exec('insert into t values (2);\0'))).offset, 25, 'the error says where')
    if (!isPg) exact(t, await db.get("select 'a' || ? as b", ['\0b']), { b: 'a\0b' }, 'as a parameter it is text')
  })

  t.test('the error says where in the script', async (t) => {
    const db = await ready(t)
    await db.exec('create unique index i on t(a); create table c(x int check (x > 0))')
    const scripts = {
      'a column': ['insert into t values (2);\nselect nope from t', 'nope'],
      'behind other letters': ["select 'üé😀';\nselect nope from t", 'nope'],
      'inside of BEGIN': ['begin;\ninsert into t values (2);\nselect nope from t;\ncommit', 'nope'],
      'behind a comment': ['insert into t values (2); /* ö; */ -- é\n selct 1', 'selct'],
      'a constraint': ['insert into t values (2);\n\n insert into t values (1);\nselect 1', 'insert into t values (1)'],
      'a check': ['select 1;insert into c values (0)', 'insert into c'],
      'a table': ['insert into t values (2);\ninsert into nowhere values (1)', isPg ? 'nowhere' : 'insert into nowhere'],
      'a parameter': ['insert into t values (2); insert into t values (?)', isPg ? ')' : 'insert into t values (?)'],
      'a COMMIT': ['insert into t values (2); commit', 'commit'],
      'what is for a connection': isPg ? ['insert into t values (2); set work_mem = 1000', 'set'] : ["insert into t values (2); attach 'x' as y", 'attach'],
      'the first': ['select nope from t; select 1', 'nope'],
      'the first, a constraint': ['  insert into t values (1); select 1', 'insert']
    }
    for (const [way, run] of ways(db)) {
      for (const [what, [sql, at]] of Object.entries(scripts)) {
        const err = await failure(run(sql))
        t.equal(err.sql, sql, `${way}, ${what}: the script`)
        t.ok(sql.slice(err.offset).startsWith(at), `${way}, ${what}: ${JSON.stringify(sql.slice(err.offset, err.offset + 12))}`)
      }
    }
    const { offset } = await failure(db.run('insert into t values (1)'))
    t.equal(offset, undefined, 'a statement of its own is known anyway')
  })

  // ---- migrations ----------------------------------------------------------------------

  let folders = 0
  const folder = (t, text) => {
    const dir = path.join(path.dirname(open.file(t)), `scripts-${folders++}`)
    fs.mkdirSync(dir)
    fs.writeFileSync(path.join(dir, '0001_a.sql'), text)
    return dir
  }

  t.test('a migration names the line that failed', open.only('sqlite', 'its migrations have no lines so far'), async (t) => {
    const files = {
      plain: ['create table a(x);\n\n-- c\nnope;\n', 4, 'nope'],
      'without a transaction': ['-- no transaction\ncreate table a(x);\n\nnope;\n', 4, 'nope'],
      'in the middle of a statement': ['-- no transaction\ncreate table a(x);\ninsert into a\n  values (1);\nselect y\n from a;\n', 5, 'y'],
      'a constraint': ['create table a(x unique);\ninsert into a values(1);\n\ninsert into a values(1);\n', 4, 'insert into a values(1);\n'],
      'a constraint without a transaction': ['-- no transaction\ncreate table a(x unique);\ninsert into a values(1);\n\ninsert into a values(1);\n', 5, 'insert'],
      'other letters in front': ["create table a(x);\ninsert into a values('üüüü😀üüüüüüü');\nnope;\n", 3, 'nope'],
      'other line ends': ['create table a(x);\r\n\r\nnope;\r\n', 3, 'nope'],
      'a mark in front': ['\ufeffcreate table a(x);\n\nnope;\n', 3, 'nope'],
      'a comment first': ['/* a\nb\nc */\nnope;', 4, 'nope'],
      'a comment first, without a transaction': ['-- no transaction\n/* a\nb\nc */\nnope;', 5, 'nope'],
      'a later line of the statement': ['create table a(\n x,\n y y y ,,\n z);', 3, ','],
      'a COMMIT': ['create table a(x);\n/* ; */\ncommit;', 3, 'commit'],
      'a BEGIN': ['\n-- ;\nbegin; create table a(x); commit', 3, 'begin'],
      'a BEGIN without a transaction': ['-- no transaction\nbegin; create table a(x); commit', 2, 'begin'],
      'a parameter': ['create table a(x);\ninsert into a values (?)', 2, 'insert'],
      'a parameter without a transaction': ['-- no transaction\ncreate table a(x);\ninsert into a values (?)', 3, 'insert']
    }
    for (const [what, [text, line, at]] of Object.entries(files)) {
      const { db } = open(t)
      const err = await failure(db.migrate(folder(t, text)))
      t.match(err.message, new RegExp(`^migration 0001_a\\.sql, line ${line}: `), what)
      t.ok(err.sql.slice(err.offset).startsWith(at), `${what}: offset is in the text`)
    }
    const { db } = open(t)
    await db.exec('create table p(id integer primary key); create table c(p references p(id)); insert into p values (1); insert into c values (1)')
    const err = await failure(db.migrate(folder(t, '\n\ndelete from p;')))
    t.match(err.message, /^migration 0001_a\.sql: /, 'what no statement is at fault for has no line')
    t.equal(err.offset, undefined)
  })

  t.test('a comment of a migration is not run either', open.only('sqlite', 'its migrations have no lines so far'), async (t) => {
    for (const head of ['', '-- no transaction\n']) {
      const { db } = open(t)
      await db.migrate(folder(t, `${head}create table a(x); -- begin; drop table a\ninsert into a values (';'); /* commit; */ insert into a values (2)`))
      t.equal((await db.get('select count(*) as n from a')).n, 2)
      const err = await failure(open(t).db.migrate(folder(t, `${head}create table a(x);\0create table b(x)`)))
      t.equal(err.code, 'UC_MIGRATION_FILE')
      t.match(err.message, /NUL/)
    }
  })
}
