'use strict'

// UndercroftError: what it tells, and where it points.

const path = require('node:path')
const { exact, failure, isBun, root } = require('../../helper')

module.exports = (t, open) => {
  const { UndercroftError } = require(root)
  const { sql } = open

  t.test('the class', async (t) => {
    const { db } = open(t)
    const err = await failure(db.get('selct 1'))
    t.ok(err instanceof UndercroftError)
    t.ok(err instanceof Error)
    t.equal(err.name, 'UndercroftError')
    t.ok(!(new Error('x') instanceof UndercroftError))
    t.ok(!(null instanceof UndercroftError))
    t.match(String(err), /UndercroftError: .*selct/)
    const copy = Object.assign(Object.create(Error.prototype), { [Symbol.for('undercroft.error')]: true })
    t.ok(copy instanceof UndercroftError, 'one of another copy of the package counts')
  })

  t.test('fields of engine errors', async (t) => {
    const { db } = open(t)
    await db.exec(`create table users(id ${sql.id}, name text unique)`)
    await db.run("insert into users(name) values ('a')")
    const insert = 'insert into users(name) values (?)'
    const unique = await failure(db.run(insert, ['a']))
    t.equal(unique.code, sql.code.unique)
    t.equal(unique.kind, 'unique')
    t.equal(unique.sql, insert)
    t.equal(unique.retryable, false)
    t.match(unique.message, /users[._]name/, 'the engine\'s words')
    if (open.engine === 'sqlite') t.equal(unique.native, 2067, 'the engine\'s number')
    else {
      exact(t, [unique.sqlstate, unique.table, unique.constraint, unique.detail],
        ['23505', 'users', 'users_name_key', 'Key (name)=(a) already exists.'], 'the engine\'s fields')
    }
    const syntax = await failure(db.get('select 1 from users where nme = 1'))
    t.equal(syntax.code, sql.code.noColumn)
    t.match(syntax.kind, /^(schema|syntax)$/)
    t.match(syntax.message, /nme/)
    t.equal(syntax.sql.slice(syntax.offset, syntax.offset + 3), 'nme', 'offset points at it')
    const words = await failure(db.get("select 'é日😀' as a, frm"))
    t.equal(words.sql.slice(words.offset, words.offset + 3), 'frm', 'offset is in characters, not bytes')
  })

  t.test('kinds', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a integer primary key)')
    for (const [text, kind] of [
      ['select * from nowhere', 'schema'],
      ['select nope from t', 'schema'],
      ['selct', 'syntax'],
      ['insert into t values (1), (1)', 'unique'],
      ["insert into t values ('text')", 'constraint'],
      ['select 1; select 2', 'usage'],
      ['begin', 'usage']
    ]) t.equal((await failure(db.run(text))).kind, kind, text)
    t.equal((await failure(db.all('selct 1'))).kind, 'syntax', 'not that it has no rows')
  })

  t.test('wrong arguments to every verb', async (t) => {
    const { db } = open(t)
    await db.exec('create table t(a int)')
    for (const verb of ['get', 'all', 'values', 'json', 'run', 'exec']) {
      for (const sql of [undefined, null, 5, {}, [], Symbol('s'), () => {}, Buffer.from('select 1')]) {
        const err = await failure(() => db[verb](sql))
        t.match(err.code, /^UC_/, `${verb}(${typeof sql})`)
        t.match(err.message, /string/, 'the sentence says what is expected')
      }
    }
    for (const sql of [undefined, 5]) {
      t.match((await failure(() => db.prepare(sql).get())).code, /^UC_/)
      t.match((await failure(() => db.many(sql, [[1]]))).code, /^UC_/)
      t.match((await failure(() => db.iterate(sql).next())).code, /^UC_/)
    }
    for (const opts of [5, 'x', [], true]) t.equal((await failure(() => db.get('select 1', [], opts))).code, 'UC_OPTION', JSON.stringify(opts))
    const err = await failure(() => db.get('select 1', [], { timeout: 5 }))
    t.equal(err.code, 'UC_OPTION')
    t.match(err.message, /timeout.*timeoutMs/, 'a near miss is told')
    t.equal((await failure(() => db.all('select 1', [], { integers: 'float' }))).code, 'UC_OPTION')
  })

  t.test('nothing throws where a promise is promised', async (t) => {
    const { db } = open(t)
    for (const call of [() => db.get(5), () => db.get('select ?', 5), () => db.run('select 1', [], { nope: 1 }), () => db.many(1, 2), () => db.batch(3), () => db.transaction(4), () => db.snapshot(5), () => db.exec(6)]) {
      let promise
      try {
        promise = call()
      } catch (err) {
        t.ok(false, `thrown: ${err.message}`)
        continue
      }
      t.ok(typeof promise?.then === 'function')
      await failure(promise)
    }
  })

  const stack = (name, options, reason) => {
    if (reason) return t.test(name, { skip: reason }, async () => {})
    t.test(name, async (t) => {
      const { db } = open(t, options)
      await db.exec('create table t(a int unique); insert into t values (1)')
      const calls = {
        get: async function callsGet () { return await db.get('select nope from t') },
        all: async function callsAll () { return await db.all('select nope from t') },
        values: async function callsValues () { return await db.values('select nope from t') },
        json: async function callsJson () { return await db.json('select nope from t') },
        run: async function callsRun () { return await db.run('insert into t values (1)') },
        exec: async function callsExec () { return await db.exec('insert into nowhere values (1)') },
        many: async function callsMany () { return await db.many('insert into t values (?)', [[1]]) },
        batch: async function callsBatch () { return await db.batch([['insert into t values (1)']]) },
        transaction: async function callsTransaction () { return await db.transaction(async function inside (tx) { await tx.run('insert into t values (1)') }) },
        snapshot: async function callsSnapshot () { return await db.snapshot(async function inside (s) { await s.get('select nope from t') }) },
        iterate: async function callsIterate () { for await (const row of db.iterate('select nope from t')) return row },
        prepare: async function callsPrepare () { return await db.prepare('select nope from t').get() },
        'a wrong parameter': async function callsParam () { return await db.get('select ?', [{}]) },
        'a deadline': async function callsDeadline () { return await db.get('with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c', [], { timeoutMs: 20 }) },
        'a big integer': async function callsRange () { return await db.get('select 9223372036854775807 as v') }
      }
      for (const [verb, fn] of Object.entries(calls)) {
        const err = await failure(fn)
        t.match(err.stack, new RegExp(path.basename(__filename).replace('.', '\\.')), `${verb}: this file`)
        t.match(err.stack, new RegExp(fn.name), `${verb}: the calling function`)
      }
    })
  }
  stack('the stack names the caller\'s line, without any option', undefined, isBun && 'Bun has no async stack traces')
  stack('the stack names the caller\'s line, with the option stacks', { stacks: true })

  t.test('a promise that nobody awaits yet', async (t) => {
    const { db } = open(t)
    const late = db.get('select nope')
    late.catch(() => {})
    await db.get('select 1')
    t.equal((await failure(late)).code, sql.code.noColumn, 'the error waits for its reader')
    const both = db.get('select nope')
    const [a, b] = await Promise.all([failure(both), failure(both)])
    t.equal(a, b, 'one error for each reader of one promise')
  })

  t.test('errors of one burst are objects of their own', async (t) => {
    const { db } = open(t)
    const [a, b] = await Promise.all([failure(db.get('select nope')), failure(db.get('select nope'))])
    t.ok(a !== b)
    a.message = 'changed'
    t.match(b.message, /nope/)
  })

  t.test('the codes and operations of the core are those of the client', async (t) => {
    const store = open(t)
    await store.ready
    const codes = require(path.join(root, 'lib', 'base', 'errors.js')).codes
    const { ops } = require(path.join(root, 'lib', 'wire', 'ops.js'))
    const { operations } = require(path.join(root, 'lib', 'base', 'tables.js'))
    const { Client } = require(path.join(root, 'lib', 'client', 'client.js'))
    t.equal(typeof Client, 'function')
    const client = [store.db.client, store.client].find((one) => typeof one?.call === 'function')
    if (client === undefined) return t.comment('the client is not reachable from the store: compared elsewhere')
    const told = await client.call('describe')
    for (const [code, kind, retryable] of told.codes) exact(t, codes[code], { kind, retryable }, code)
    for (const [number, name, , flags] of told.ops) {
      exact(t, ops[name.toUpperCase()], number, `operation ${name}`)
      exact(t, [...operations[name.toUpperCase()].flags].sort(), [...flags].sort(), `what ${name} is`)
    }
    exact(t, told.ops.length, Object.keys(ops).length, 'no operation besides')
  })
}
