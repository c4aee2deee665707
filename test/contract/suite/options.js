'use strict'

// The options of open: what they do, and that a wrong one is told by name.

const fs = require('node:fs')
const path = require('node:path')
const { exact, failure, left } = require('../../helper')

module.exports = (t, open) => {
  const opening = (t, options) => failure(async () => {
    const store = open(t, options)
    await store.ready
  })

  t.test('a wrong option is refused and named', async (t) => {
    for (const [options, name] of [
      [{ reader: 1 }, 'reader'],
      [{ readonly: 'yes' }, 'readonly'],
      [{ readers: -1 }, 'readers'],
      [{ readers: 1.5 }, 'readers'],
      [{ readers: '2' }, 'readers'],
      [{ cursors: 0 }, 'cursors'],
      [{ synchronous: 'fast' }, 'synchronous'],
      [{ integers: 'float' }, 'integers'],
      [{ timeoutMs: -1 }, 'timeoutMs'],
      [{ timeoutMs: Infinity }, 'timeoutMs'],
      [{ transactionTimeoutMs: 0 }, 'transactionTimeoutMs'],
      [{ busyTimeoutMs: NaN }, 'busyTimeoutMs'],
      [{ maxQueue: 0 }, 'maxQueue'],
      [{ maxRows: 0 }, 'maxRows'],
      [{ statementCache: 0 }, 'statementCache'],
      [{ walCapBytes: 1 }, 'walCapBytes'],
      [{ pragmas: 5 }, 'pragmas'],
      [{ pragmas: { cache_size: {} } }, 'cache_size'],
      [{ pragmas: { 'a; drop table t': 1 } }, 'pragmas'],
      [{ attach: 'x.db' }, 'attach'],
      [{ attach: { other: 5 } }, 'other'],
      [{ stacks: 1 }, 'stacks']
    ]) {
      const err = await opening(t, options)
      t.equal(err.code, 'UC_OPTION', JSON.stringify(options))
      t.match(err.message, new RegExp(name))
    }
    for (const options of [5, 'x', null, [], () => {}]) t.equal((await opening(t, options)).code, 'UC_OPTION', String(options))
    t.equal((await opening(t, { readonly: true, create: true })).code, 'UC_OPTIONS_CONFLICT')
  })

  t.test('undefined is the default', async (t) => {
    const store = open(t, { readers: undefined, integers: undefined })
    exact(t, await store.db.get('select 1 as v'), { v: 1 }, 'it opens')
  })

  const refuses = 'a daemon opens its files itself, and does not start when it cannot: test/life/door.test.js'

  t.test('create: false does not make a file', open.only('sqlite', 'files'), async (t) => {
    if (left(t, !open.owner, refuses)) return
    const file = open.file(t)
    const store = open.at(t, file, { create: false })
    const err = await failure(store.ready)
    t.equal(err.code, 'SQLITE_CANTOPEN')
    t.equal(err.kind, 'cant-open')
    t.equal((await failure(store.db.get('select 1'))).code, 'SQLITE_CANTOPEN', 'each call says so')
    t.equal(fs.existsSync(file), false)
  })

  t.test('readonly', async (t) => {
    const file = open.file(t)
    if (open.owner && open.engine === 'sqlite') t.equal((await failure(open.at(t, file, { readonly: true }).ready)).code, 'SQLITE_CANTOPEN', 'a file that is not there')
    const writer = open.at(t, file)
    await writer.db.exec('create table t(a int); insert into t values (1)')
    await writer.close()
    const store = open.at(t, file, { readonly: true })
    const { db } = store
    exact(t, await db.get('select a from t'), { a: 1 }, 'get')
    exact(t, (await db.json('select a from t')).toString(), '[{"a":1}]', 'json')
    for await (const row of db.iterate('select a from t')) exact(t, row, { a: 1 }, 'iterate')
    await db.snapshot(async (s) => exact(t, await s.get('select a from t'), { a: 1 }, 'snapshot'))
    for (const [name, call] of Object.entries({
      run: () => db.run('insert into t values (2)'),
      get: () => db.get('insert into t values (2) returning a'),
      exec: () => db.exec('create table u(a)'),
      many: () => db.many('insert into t values (?)', [[1]]),
      batch: () => db.batch([['delete from t']]),
      vacuum: () => db.run('vacuum'),
      ...(open.engine === 'sqlite' && { user_version: () => db.run('pragma user_version = 3') })
    })) {
      const err = await failure(call)
      t.equal(err.code, 'UC_SQL_READONLY', name)
      t.equal(err.kind, 'readonly')
    }
    exact(t, await db.values('select a from t'), [[1]], 'nothing changed')
  })

  t.test('readonly beside a writing handle', async (t) => {
    const file = open.file(t)
    const a = open.at(t, file)
    await a.db.exec('create table t(a int)')
    const b = open.at(t, file, { readonly: true })
    await a.db.run('insert into t values (1)')
    exact(t, await b.db.get('select a from t'), { a: 1 }, 'it sees the writes of the other')
    t.equal((await failure(b.db.run('insert into t values (2)'))).code, 'UC_SQL_READONLY')
    t.equal((await a.db.run('insert into t values (3)')).changes, 1, 'which still writes')
  })

  t.test('pragmas are set on every connection', open.only('sqlite', 'pragmas'), async (t) => {
    const { db } = open(t, { readers: 3, pragmas: { cache_size: -1234, case_sensitive_like: true, recursive_triggers: 1, temp_store: 'memory' } })
    await db.exec('create table t(a int)')
    const rows = await Promise.all(Array.from({ length: 30 }, () => db.get("select 'A' like 'a' as v")))
    t.ok(rows.every((row) => row.v === 0), 'case_sensitive_like on every reader')
    exact(t, await db.get('pragma cache_size'), { cache_size: -1234 }, 'cache_size')
    exact(t, await db.get("insert into t values ('A' like 'a') returning a"), { a: 0 }, 'and on the writer')
    for await (const row of db.iterate("select 'A' like 'a' as v")) exact(t, row, { v: 0 }, 'and on a cursor')
    if (open.sync) exact(t, db.sync.get("select 'A' like 'a' as v"), { v: 0 }, 'and on the sync connection')
  })

  t.test('foreign_keys can be switched off by the option', open.only('sqlite', 'pragmas'), async (t) => {
    const { db } = open(t, { pragmas: { foreign_keys: 0 } })
    await db.exec('create table p(id integer primary key); create table c(p references p(id))')
    t.equal((await db.run('insert into c values (99)')).changes, 1)
  })

  t.test('page_size and auto_vacuum of a new file', open.only('sqlite', 'pragmas'), async (t) => {
    const { db } = open(t, { pragmas: { page_size: 8192, auto_vacuum: 'incremental' } })
    await db.exec('create table t(a int)')
    exact(t, await db.get('pragma page_size'), { page_size: 8192 }, 'page_size')
    exact(t, await db.get('pragma auto_vacuum'), { auto_vacuum: 2 }, 'auto_vacuum')
  })

  t.test('a pragma that the core owns, or that does not exist', open.only('sqlite', 'pragmas'), async (t) => {
    if (left(t, !open.owner, refuses)) return
    for (const pragmas of [{ journal_mode: 'delete' }, { query_only: 1 }, { no_such_pragma: 1 }, { locking_mode: 'exclusive' }]) {
      const err = await opening(t, { pragmas })
      t.match(err.code, /^UC_OPTION$/, Object.keys(pragmas)[0])
      t.match(err.message, new RegExp(Object.keys(pragmas)[0]))
    }
  })

  t.test('a pragma that is stored in the file', open.only('sqlite', 'pragmas'), async (t) => {
    if (left(t, !open.owner, refuses)) return
    for (const name of ['user_version', 'application_id', 'schema_version', 'User_Version']) {
      const err = await opening(t, { pragmas: { [name]: 7 } })
      t.equal(err.code, 'UC_OPTION', name)
      t.match(err.message, new RegExp(`pragmas\\.${name}: it is stored in the file.*"pragma ${name.toLowerCase()} = VALUE" once`), 'and what to do')
    }
    const { db } = open(t)
    await db.run('pragma user_version = 7')
    for await (const row of db.iterate('pragma user_version')) exact(t, row, { user_version: 7 }, 'it stays as it was set')
  })

  t.test('synchronous', open.only('sqlite', 'pragmas'), async (t) => {
    for (const [name, level] of [['off', 0], ['normal', 1], ['full', 2], ['extra', 3]]) {
      const { db } = open(t, { synchronous: name })
      await db.exec('create table t(a int)')
      exact(t, await db.get('pragma synchronous'), { synchronous: level }, name)
    }
    exact(t, await open(t).db.get('pragma synchronous'), { synchronous: 2 }, 'full by default')
  })

  t.test('attach: other files under their names, on every connection', open.only('sqlite', 'attach'), async (t) => {
    const other = open.file(t)
    const first = open.at(t, other)
    await first.db.exec('create table t(a int); insert into t values (7)')
    await first.close()
    const { db } = open(t, { readers: 3, attach: { other, scratch: ':memory:' } })
    await db.exec('create table main.mine(a); insert into mine values (1)')
    const rows = await Promise.all(Array.from({ length: 20 }, () => db.get('select other.t.a as a, mine.a as b from other.t, mine')))
    t.ok(rows.every((row) => row.a === 7 && row.b === 1), 'joined, on every reader')
    t.equal((await db.run('insert into other.t values (8)')).changes, 1, 'written')
    exact(t, await db.values('select a from other.t order by a'), [[7], [8]], 'and read back')
    for await (const row of db.iterate('select count(*) as n from other.t')) exact(t, row, { n: 2 }, 'on a cursor')
    await db.transaction(async (tx) => {
      await tx.run('insert into other.t values (9)')
      await tx.run('insert into mine values (2)')
    })
    exact(t, await db.get('select (select count(*) from other.t) as a, (select count(*) from mine) as b'), { a: 3, b: 2 }, 'one transaction over both')
    await db.run('create table other.made(x)')
    await db.run('insert into other.made values (1)')
    exact(t, await db.get('select count(*) as n from other.made'), { n: 1 }, 'a table created there')
  })

  t.test('attach: what cannot be opened', open.only('sqlite', 'attach'), async (t) => {
    if (left(t, !open.owner, refuses)) return
    const err = await opening(t, { attach: { other: '/dev/null/no/such.db' } })
    t.equal(err.code, 'SQLITE_CANTOPEN')
    for (const name of ['main', 'temp']) t.ok((await opening(t, { attach: { [name]: open.file(t) } })).code, name)
  })

  t.test('the target', async (t) => {
    for (const target of [undefined, null, 5, '', {}, 'a\0b', 'postgres://x', 'ipc:///x']) {
      const err = await failure(async () => open.at(t, target, { connectTimeoutMs: 300 }).ready)
      t.match(err.code, /^UC_/, JSON.stringify(target) ?? 'undefined')
    }
    if (open.engine !== 'sqlite') return
    const file = open.file(t)
    const store = open.at(t, new URL(`file://${file}`))
    await store.db.exec('create table t(a int)')
    t.ok(fs.existsSync(file), 'a file URL')
    const odd = open.at(t, `${file} ünï?mode=ro#%20'.db`)
    await odd.db.exec('create table t(a int)')
    t.ok(fs.existsSync(`${file} ünï?mode=ro#%20'.db`), 'a path is a path, whatever its characters')
  })

  t.test('a file URL, in each spelling', open.only('sqlite', 'files'), async (t) => {
    const file = open.file(t)
    const dir = path.dirname(file)
    const rel = path.relative(process.cwd(), dir)
    const made = (name) => fs.existsSync(path.join(dir, name))
    for (const [target, name] of [
      [`file:${rel}/rel.db`, 'rel.db'],
      [`FILE:./${rel}/dot.db`, 'dot.db'],
      [`file:${dir}/abs.db`, 'abs.db'],
      [`file://${dir}/two.db`, 'two.db'],
      [`file://localhost${dir}/host.db`, 'host.db'],
      [`file:${rel}/a%20b%23%3F.db`, 'a b#?.db'],
      [new URL(`file://${dir}/url%25.db`), 'url%.db']
    ]) {
      await open.at(t, target).db.exec('create table t(a int)')
      t.ok(made(name), `${target} is ${name}`)
    }
    await open.at(t, 'file::memory:').db.exec('create table t(a int)')
    for (const [target, said] of [
      [`file:${rel}/x.db?mode=ro`, /readonly: true/],
      [new URL(`file://${dir}/x.db?mode=ro`), /readonly: true/],
      [`file:${rel}/x.db?mode=rw`, /create: false/],
      [`file:${rel}/x.db?mode=memory&cache=shared`, /':memory:'/],
      [new URL(`file://${dir}/x.db?immutable=1`), /"\?immutable=1" .*readonly: true/],
      [`file:${rel}/x.db?connection_limit=1`, /readers/],
      [`file:${rel}/x.db?timeout=5`, /busyTimeoutMs/],
      [`file:${rel}/x.db?what=5`, /"\?what=5" is not read/],
      ['file::memory:?cache=shared', /leave it out/],
      [`file:${rel}/x.db#1`, /%23/],
      ['file:', /no file/],
      ['file:///', /no file/],
      ['file://x.db', /write file:x\.db/],
      [`file:${rel}/%zz.db`, /%25/],
      [`file:${rel}/x%00.db`, /NUL/],
      [`file://${dir}/x%00.db`, /NUL/],
      [new URL(`file://${dir}/x%00.db`), /NUL/]
    ]) {
      const err = await failure(async () => open.at(t, target).ready)
      t.equal(err.code, 'UC_OPTION', String(target))
      t.match(err.message, said, err.message)
      const within = await failure(async () => open(t, { attach: { other: target } }).ready)
      t.match(`${within.code} ${within.message}`, /^UC_OPTION option attach\.other: /, 'and attached')
    }
    exact(t, fs.readdirSync(dir).filter((name) => name.startsWith('x')), [], 'nothing was made')
    const { db } = open(t)
    for (const verb of ['backup', 'restore']) t.match(await failure(() => db[verb](new URL(`file://${dir}/x%00.db`))), { code: 'UC_OPTION', message: /NUL/ }, verb)
  })

  t.test(':memory: is a database of its own each time', open.only('sqlite', 'memory'), async (t) => {
    const a = open.at(t, ':memory:').db
    const b = open.at(t, ':memory:').db
    await a.exec('create table t(a int)')
    t.equal((await failure(b.get('select * from t'))).code, 'SQLITE_ERROR')
    await a.run('insert into t values (1)')
    exact(t, await Promise.all(Array.from({ length: 20 }, () => a.get('select count(*) as n from t'))), Array.from({ length: 20 }, () => ({ n: 1 })), 'parallel reads')
    t.equal(fs.existsSync(':memory:'), false, 'and no file')
  })
}
