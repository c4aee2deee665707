'use strict'

// Several servers of one database: which one is taken, as psql takes it, and what happens when the primary
// is lost. The standby is a real one (pg_basebackup -R), which is promoted.

const fs = require('node:fs')
const { execFileSync } = require('node:child_process')
const { failure, delay } = require('../helper')
const pg = require('../pg')
const { store, until, withServer } = require('./common')

// Another server that follows `primary`.
async function standbyOf (t, primary) {
  const server = await pg.start(t)
  await server.stop()
  fs.rmSync(server.data, { recursive: true })
  execFileSync(server.bin('pg_basebackup'), ['-h', primary.dir, '-p', String(primary.port), '-U', 'postgres', '-D', server.data, '-R', '-X', 'stream', '-c', 'fast'])
  if (server.user !== null) execFileSync('chown', ['-R', `${server.user.uid}:${server.user.gid}`, server.data])
  await server.again()
  return server
}

function urlOf (servers, database, params = {}) {
  const query = new URLSearchParams({ host: servers.map(({ dir }) => dir).join(), port: servers.map(({ port }) => port).join(), connect_timeout: '5', ...params })
  return `postgres://postgres@/${database}?${query}`
}

const which = "select current_setting('unix_socket_directories') dir"

// The folder of the server that psql takes, null: none.
function psql (server, url) {
  try {
    return execFileSync(server.bin('psql'), ['-qAtX', url, '-c', which], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trimEnd()
  } catch {
    return null
  }
}

async function ours (t, url) {
  const it = store(t, url)
  const dir = await it.db.get(which).then(({ dir }) => dir, () => null)
  await it.close().catch(() => {})
  return dir
}

const TARGETS = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby']

withServer({}, async (t, primary) => {
  primary.sql('create database app')
  const standby = await standbyOf(t, primary)
  const none = { dir: '/nonexistent', port: 1 }
  const lists = { 'primary, standby': [primary, standby], 'standby, primary': [standby, primary], 'nobody, standby': [none, standby], primary: [primary], standby: [standby], 'nobody, primary, standby': [none, primary, standby] }

  for (const [name, servers] of Object.entries(lists)) {
    await t.test(`which server is taken of: ${name}`, async (t) => {
      for (const target of TARGETS) {
        const url = urlOf(servers, 'app', { target_session_attrs: target })
        t.equal(await ours(t, url), psql(primary, url), target)
      }
    })
  }

  await t.test('a server that is not fit is named', async (t) => {
    const error = await failure(store(t, urlOf([standby], 'app', { target_session_attrs: 'primary' })).db.get('select 1'))
    t.match(error, { code: 'UC_CONNECT', outcome: 'not-run' })
    t.match(error.message, /target_session_attrs=primary.*standby/)
  })

  await t.test('hosts in any order', async (t) => {
    const seen = new Set()
    for (let i = 0; i < 40 && seen.size < 2; i++) seen.add(await ours(t, urlOf([primary, standby], 'app', { load_balance_hosts: 'random' })))
    t.equal(seen.size, 2)
  })

  await t.test('a server that is alone and takes no writes says so', async (t) => {
    const { db } = store(t, urlOf([standby], 'app'))
    t.match(await db.get('select 1 a'), { a: 1 })
    t.match(await failure(db.run('create table never(a int)')), { sqlstate: '25006' })
  })

  await t.test('a primary that takes no writes any more is left for another', async (t) => {
    const other = await pg.start(t)
    for (const server of [primary, other]) server.sql('create database moved')
    for (const server of [primary, other]) server.sql('create table t(a int)', 'moved')
    const { db } = store(t, urlOf([primary, other], 'moved', { target_session_attrs: 'read-write' }))
    await db.run('insert into t values (1)')
    await db.transaction((tx) => tx.run('insert into t values (2)'))
    t.equal((await db.get(which)).dir, primary.dir)
    primary.sql('alter system set default_transaction_read_only = on')
    primary.sql('select pg_reload_conf()')
    await until(() => primary.sql('show default_transaction_read_only') === 'on', 'it is known')
    t.match(await failure(db.transaction((tx) => tx.run('insert into t values (3)'))), { sqlstate: '25006' })
    await until(() => db.transaction((tx) => tx.get(which)).then(({ dir }) => dir === other.dir), 'transactions go there')
    await Promise.all(Array.from({ length: 20 }, (_, i) => db.run('insert into t values (?)', [i])))
    t.equal((await db.get(which)).dir, other.dir)
    t.equal((await db.get('select count(*)::int n from t')).n, 20)
    const inside = store(t, urlOf([primary, other], 'moved', { target_session_attrs: 'any' }))
    t.match(await failure(inside.db.transaction((tx) => tx.run('insert into t values (8)'))), { sqlstate: '25006' }, 'with any the first one is taken')
    const alone = store(t, urlOf([primary], 'moved'))
    t.match(await failure(alone.db.run('insert into t values (9)')), { sqlstate: '25006' }, 'and where there is no other it is an error')
    primary.sql('alter system reset default_transaction_read_only')
    primary.sql('select pg_reload_conf()')
    await until(() => primary.sql('show default_transaction_read_only') === 'off', 'it is known')
  })

  await t.test('the standby is found when it was promoted', async (t) => {
    const { db } = store(t, urlOf([primary, standby], 'app', { target_session_attrs: 'read-write' }))
    await db.exec('create table t(a int primary key)')
    await db.run('insert into t values (0)')
    t.equal((await db.get(which)).dir, primary.dir)
    await until(() => standby.sql("select count(*) from pg_class where relname = 't'", 'app') === '1', 'the table is there')
    let a = 0
    let over = false
    const done = []
    const errors = []
    const writer = (async () => {
      while (!over) {
        try {
          await db.run('insert into t values (?)', [++a])
          done.push(a)
        } catch (error) {
          errors.push(error)
          await delay(10)
        }
      }
    })()
    await until(() => done.length > 50, 'writes')
    await primary.stop('immediate')
    await until(() => errors.length > 0, 'it is noticed')
    t.match(standby.sql('select pg_promote()'), 't')
    const before = done.length
    await until(() => done.length > before + 50, 'writes again')
    over = true
    await writer
    t.equal((await db.get(which)).dir, standby.dir)
    const there = new Set((await db.all('select a from t')).map((row) => row.a))
    t.same(done.slice(before).filter((a) => !there.has(a)), [], 'what was acknowledged there')
    const bad = errors.filter(({ code, outcome }) => !['UC_CONNECT', 'UC_CONNECTION_LOST', 'PG_CRASH_SHUTDOWN', 'PG_CANNOT_CONNECT_NOW'].includes(code) || !['not-run', 'unknown'].includes(outcome))
    t.same(bad.map(({ code, message }) => `${code} ${message}`), [])
  })
})
