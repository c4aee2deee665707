'use strict'
// PostgreSQL behind the daemon: how --db names a database of a server, who sees its password, how a
// static program finds hosts, users and files, and how many connections ten processes take.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFile } = require('node:child_process')
const { open } = require('../..')
const { connect, launch } = require('./raw')
const helper = require('../helper')
const pg = require('../pg')

const { fileTimeoutMs, runs, tmpdir, until } = helper
const skip = pg.whyNot() ?? false

t.setTimeout(fileTimeoutMs)

// A daemon that serves the databases; what of PG* the test's own environment has is none of its business.
async function serve (t, dbs, { env = {}, args = [], ready = true } = {}) {
  const socket = path.join(tmpdir(t), `${Math.random().toString(36).slice(2)}.sock`)
  const inherited = Object.fromEntries(Object.keys(process.env).filter(name => name.startsWith('PG')).map(name => [name, undefined]))
  const daemon = launch(t, ['--listen', `ipc://${socket}`, '--ready-fd', '3', ...dbs.flatMap(db => ['--db', db]), ...args], { env: { ...inherited, ...env } })
  daemon.socket = socket
  daemon.url = `ipc://${socket}`
  if (ready) await daemon.ready
  return daemon
}

// A store on it, closed with the test.
function at (t, daemon, options) {
  const store = open(daemon.url, options)
  t.teardown(() => store.close())
  return store
}

// What it says beside that it serves.
const saidBy = daemon => daemon.stderr.replace(/^undercroftd: serving on .*\n/m, '')
// The only value of the only row.
const one = async (db, sql) => Object.values(await db.get(sql))[0]
const dbsOf = async (t, daemon) => (await (await connect(t, daemon)).ask(7, [{ v: [1, 1] }])).value.dbs
const commandLine = pid => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')

t.test('the daemon', { skip }, async t => {
  const server = await pg.start(t, { tcp: true, hba: ['local all postgres trust', 'local all all scram-sha-256', 'host all all all scram-sha-256'] })
  server.sql("create role app login password 'se:cret'")
  server.sql('create database shop owner app')
  const local = (user, params = {}) => `postgres://${user}@/shop?${new URLSearchParams({ host: server.dir, port: server.port, ...params })}`

  t.test('names of databases', async t => {
    const url = server.url('shop')
    const daemon = await serve(t, [url, `other=${server.url()}`, 'file=:memory:'])
    t.same(await dbsOf(t, daemon), ['shop', 'other', 'file'])
    const { db } = at(t, daemon, { db: 'other' })
    t.equal(await one(db, 'select current_database()'), 'postgres')
    t.equal(await one(at(t, daemon).db, 'select current_database()'), 'shop', 'the first, who names none')
    t.equal(await one(at(t, daemon, { db: 'file' }).db, 'select sqlite_version() is not null'), 1, 'files beside it')
    const nameless = await serve(t, [`postgres://postgres@?host=${server.dir}&port=${server.port}`])
    t.same(await dbsOf(t, nameless), ['main'], 'an address without a name')
    const wrong = launch(t, ['--listen', `${daemon.url}2`, '--db', `a.b=${url}`])
    await wrong.done
    t.equal(wrong.code, 2)
    t.match(wrong.stderr, /a name has letters/)
  })

  t.test('a password is shown to nobody, and said where it can be seen', async t => {
    const url = `postgres://app:se%3Acret@127.0.0.1:${server.port}/shop`
    const daemon = await serve(t, [`main=${url}`])
    t.match(daemon.stderr, /postgres:\/\/app:\*\*\*@127\.0\.0\.1:\d+\/shop: everybody on this machine can read the password/)
    t.match(daemon.stderr, /PGPASSFILE/)
    t.notMatch(daemon.stderr, /cret/)
    const store = at(t, daemon)
    t.equal(await one(store.db, 'select current_user'), 'app')
    const door = await store.door()
    t.same(door.dbs, [{ name: 'main', path: `postgres://app:***@127.0.0.1:${server.port}/shop` }])

    const hidden = await serve(t, [], { env: { UNDERCROFT_DB: url } })
    t.equal(saidBy(hidden), '', 'not where only the user can read it')
    const wrong = await serve(t, [`main=postgres://app@127.0.0.1:${server.port}/shop?password=wro%6Eg`], { ready: false })
    await wrong.done
    t.equal(wrong.code, 5)
    t.match(wrong.stderr, /cannot open the database postgres:\/\/app@127\.0\.0\.1:\d+\/shop\?password=\*\*\*: .*password authentication failed/)
    t.notMatch(wrong.stderr, /wro%6Eg|wrong/)
  })

  t.test('where a password may be instead', async t => {
    const dir = tmpdir(t)
    const passfile = path.join(dir, 'passes')
    fs.writeFileSync(passfile, 'localhost:*:shop:app:se\\:cret\n127.0.0.1:*:*:app:se\\:cret\n', { mode: 0o600 })
    const services = path.join(dir, 'services')
    fs.writeFileSync(services, `[shop]\nhost=127.0.0.1\nport=${server.port}\nuser=app\ndbname=shop\npassword=se:cret\n`)
    const home = path.join(dir, 'home')
    fs.mkdirSync(home)
    fs.copyFileSync(passfile, path.join(home, '.pgpass'))
    fs.chmodSync(path.join(home, '.pgpass'), 0o600)
    const address = `postgres://app@127.0.0.1:${server.port}/shop`
    for (const [name, db, env] of [
      ['PGPASSFILE', address, { PGPASSFILE: passfile }],
      ['~/.pgpass', address, { HOME: home }],
      ['PGPASSWORD', address, { PGPASSWORD: 'se:cret' }],
      ['a service', 'postgres://?service=shop', { PGSERVICEFILE: services }],
      ['PGSERVICE', 'postgres://', { PGSERVICEFILE: services, PGSERVICE: 'shop' }],
      ['the environment alone', 'postgres://', { PGHOST: '127.0.0.1', PGPORT: String(server.port), PGUSER: 'app', PGDATABASE: 'shop', PGPASSWORD: 'se:cret' }],
      ['USER', `postgres://127.0.0.1:${server.port}/shop`, { USER: 'app', PGPASSWORD: 'se:cret' }],
      ['a host by its name', `postgres://app@localhost:${server.port}/shop`, { HOME: home }]
    ]) {
      const daemon = await serve(t, [`main=${db}`], { env })
      t.equal(await one(at(t, daemon).db, "select current_user || '@' || current_database()"), 'app@shop', name)
      t.equal(saidBy(daemon), '', 'with nothing to say')
      await daemon.stop()
    }
  })

  t.test('a server that is not there, or lets nobody in', async t => {
    const fails = async (pattern, db, env) => {
      const daemon = await serve(t, [db], { ready: false, env })
      await daemon.done
      t.equal(daemon.code, 5)
      t.match(daemon.stderr, pattern)
      t.match(daemon.stderr, /^undercroftd: [^\n]+\n$/, 'in one line')
    }
    await fails(/no server answers at .*nowhere/, `postgres://postgres@/shop?host=${server.dir}/nowhere`)
    await fails(/database "no_such" does not exist/, server.url('no_such'))
    await fails(/no host|not found|no such|cannot be found|address/i, 'postgres://app@host.invalid/shop')
    await fails(/PGUSER/, `postgres://127.0.0.1:${server.port}/shop`, { USER: undefined, LOGNAME: undefined })
    await fails(/sslmode/, local('postgres', { sslmode: 'sometimes' }))
  })

  t.test('started by its first client, without a password in its command line', async t => {
    const socket = path.join(tmpdir(t), 'spawned.sock')
    const url = `postgres://app:se%3Acret@127.0.0.1:${server.port}/shop`
    const store = open(`ipc://${socket}`, { spawn: { db: { main: url }, idleExitMs: 1000 } })
    t.equal(await one(store.db, 'select current_user'), 'app')
    const { pid, dbs } = await store.door()
    t.notMatch(commandLine(pid), /cret/)
    t.notMatch(dbs[0].path, /cret/)
    await store.close()
    await until(() => !fs.existsSync(`/proc/${pid}`), 'it ends when nobody is there')
  })

  t.test('the commands that ask a daemon or a server', async t => {
    const address = server.url('shop')
    const daemon = await serve(t, [`main=${address}`])
    const cli = (...args) => new Promise(resolve => execFile(process.execPath, ['lib/cli/main.js', ...args], { cwd: helper.root }, (error, out, err) => resolve({ code: error?.code ?? 0, out, err })))
    for (const [command, target] of [['ping', daemon.url], ['status', daemon.url], ['stats', daemon.url], ['ping', address], ['stats', address]]) {
      const { code, out, err } = await cli(command, '-t', target, '--json')
      t.equal(code, 0, `${command} ${err}`)
      t.ok(JSON.parse(out), 'a JSON value')
      t.equal((await cli(command, '-t', target)).code, 0, 'and a text')
    }
    t.match(JSON.parse((await cli('stats', '-t', address, '--json')).out), { engine: 'postgres' })
    const secret = `postgres://app:se%3Acret@127.0.0.1:${server.port}/shop`
    const status = await cli('status', '-t', secret)
    t.equal(status.code, 2)
    t.match(status.err, /^UC_NOT_HERE: PostgreSQL has no daemon of ours/)
    t.notMatch(status.err, /cret/)
    const crud = await cli('crud', 'person', '--db', secret)
    t.equal(crud.code, 1)
    t.match(crud.err, /^UC_NOT_HERE: crud reads the schema of a SQLite database/)
    const gone = await cli('ping', '-t', `postgres://postgres@/shop?host=${server.dir}/nowhere`)
    t.equal(gone.code, 1)
    t.match(gone.err, /^UC_CONNECT: no server answers/)
  })

  t.test('a handle at the address itself tells no password either', async t => {
    const store = open(`postgres://app:se%3Acret@127.0.0.1:${server.port}/shop`)
    t.equal(store.target, `postgres://app:***@127.0.0.1:${server.port}/shop`)
    t.equal(await one(store.db, 'select current_user'), 'app')
    await store.close()
  })
})

t.test('ten processes through one daemon take ten connections of the server', { skip }, async t => {
  const server = await pg.start(t)
  const url = server.fresh(t)
  const name = server.nameOf(url)
  server.sql('create table n(who int, i int); create table total(id int primary key, n int); insert into total values (1, 0)', name)
  const daemon = await serve(t, [url])
  let most = 0
  let isOver = false
  const watching = (async () => {
    while (!isOver) {
      most = Math.max(most, Number(server.sql(`select count(*) from pg_stat_activity where datname = '${name}' and pid <> pg_backend_pid()`)))
      await helper.delay(20)
    }
  })()
  const body = async ({ undercroft, args, say }) => {
    const store = undercroft.open(args.url)
    const { db } = store
    const lanes = Array.from({ length: 20 }, async (_, lane) => {
      for (let i = 0; i < args.count; i++) {
        await db.run('insert into n values (?, ?)', [args.who, lane * args.count + i])
        const { sum } = await db.get('select count(*) as sum from n where who = ?', [args.who])
        if (sum < 1) throw new Error('a write was not seen')
        if (i % 5 === 0) await db.transaction(tx => tx.run('update total set n = n + 1 where id = 1'))
      }
    })
    await Promise.all(lanes)
    await store.close()
    say('done')
  }
  const count = 20
  await Promise.all(Array.from({ length: 10 }, (_, who) => runs(t, body, { args: { url: daemon.url, who, count }, name: `process ${who}` })))
  isOver = true
  await watching
  // Beside the pool there is the one that hears what others change.
  t.ok(most >= 1 && most <= 10 + 1, `${most} connections at most`)
  t.equal(server.sql('select count(*), count(distinct (who, i)) from n', name), '4000|4000', 'with every row once')
  t.equal(server.sql('select n from total', name), '800')
  t.equal((await daemon.stop()).code, 0, 'and it ends in order')
  await until(() => server.sql(`select count(*) from pg_stat_activity where datname = '${name}'`) === '0', 'its connections are closed')
})
