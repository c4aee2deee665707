'use strict'

// Behind poolers: pgbouncer in transaction mode, which gives each transaction a server of its choice, and
// pgpool-II. What was set on a session would be the next stranger's.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { execFile, spawn } = require('node:child_process')
const { failure, tmpdir } = require('../helper')
const { store, until, withServer } = require('./common')

const found = (name) => [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/bin'].map((dir) => path.join(dir, name)).find((file) => fs.existsSync(file))

function freePort () {
  return new Promise((resolve, reject) => {
    const it = net.createServer().on('error', reject)
    it.listen(0, '127.0.0.1', () => {
      const { port } = it.address()
      it.close(() => resolve(port))
    })
  })
}

// Of an address: a blank is no + there.
const query = (params) => Object.entries(params).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')

// Runs a program as the server's user; resolves when something answers at the socket.
async function run (t, server, file, args, socket) {
  const [command, rest] = server.user === null
    ? [file, args]
    : ['setpriv', ['--reuid', String(server.user.uid), '--regid', String(server.user.gid), '--clear-groups', file, ...args]]
  let log = ''
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { log += text })
  let isOver = false
  const ended = new Promise((resolve) => child.on('error', resolve).on('close', (code, signal) => {
    if (!isOver || code !== 0) console.log(`${file} ended with ${signal ?? code}:\n${log.slice(-2000)}`)
    resolve()
  }))
  t.teardown(async () => {
    isOver = true
    child.kill('SIGINT')
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(timer)
  })
  await until(() => {
    if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode}:\n${log}`)
    return new Promise((resolve) => {
      const it = net.connect(socket, () => { it.destroy(); resolve(true) }).on('error', () => resolve(false))
    })
  }, `${file} answers`).catch((error) => { throw new Error(`${error.message}:\n${log}`) })
}

function folder (t, server) {
  const dir = tmpdir(t)
  fs.chmodSync(path.dirname(dir), 0o1777 & fs.statSync(path.dirname(dir)).mode)
  fs.chmodSync(dir, 0o755)
  if (server.user !== null) fs.chownSync(dir, server.user.uid, server.user.gid)
  return dir
}

// -> url(database, params)
async function bouncer (t, server, { ignore = 'extra_float_digits', size = 2, mode = 'transaction' } = {}) {
  const dir = folder(t, server)
  const port = await freePort()
  fs.writeFileSync(path.join(dir, 'users.txt'), '"postgres" ""\n')
  fs.writeFileSync(path.join(dir, 'bouncer.ini'), `[databases]
* = host=${server.dir} port=${server.port}
[pgbouncer]
unix_socket_dir = ${dir}
listen_addr =
listen_port = ${port}
auth_type = trust
auth_file = ${path.join(dir, 'users.txt')}
pool_mode = ${mode}
default_pool_size = ${size}
max_client_conn = 200
ignore_startup_parameters = ${ignore}
`)
  await run(t, server, found('pgbouncer'), [path.join(dir, 'bouncer.ini')], path.join(dir, `.s.PGSQL.${port}`))
  return (database, params = {}) => `postgres://postgres@/${database}?${query({ host: dir, port, ...params })}`
}

async function pgpool (t, server) {
  const dir = folder(t, server)
  const port = await freePort()
  fs.writeFileSync(path.join(dir, 'pcp.conf'), '')
  fs.writeFileSync(path.join(dir, 'pool_hba.conf'), 'local all all trust\n')
  fs.writeFileSync(path.join(dir, 'pgpool.conf'), `
backend_clustering_mode = 'streaming_replication'
sr_check_period = 0
backend_hostname0 = '${server.dir}'
backend_port0 = ${server.port}
backend_weight0 = 1
backend_data_directory0 = '${server.data}'
listen_addresses = ''
port = ${port}
socket_dir = '${dir}'
pcp_listen_addresses = ''
pcp_port = ${await freePort()}
pcp_socket_dir = '${dir}'
pid_file_name = '${path.join(dir, 'pid')}'
logdir = '${dir}'
num_init_children = 24
max_pool = 2
`)
  await run(t, server, found('pgpool'), ['-n', '-f', path.join(dir, 'pgpool.conf'), '-a', path.join(dir, 'pool_hba.conf'), '-F', path.join(dir, 'pcp.conf')], path.join(dir, `.s.PGSQL.${port}`))
  return (database, params = {}) => `postgres://postgres@/${database}?${query({ host: dir, port, ...params })}`
}

// All that a service does, many at a time.
async function work (t, db) {
  await db.exec('create table t(id int primary key, a text); create table log(n int)')
  await Promise.all(Array.from({ length: 200 }, (_, id) => db.run('insert into t values (?, ?)', [id, `x${id}`])))
  const jobs = Array.from({ length: 300 }, (_, i) => {
    const id = i % 200
    switch (i % 6) {
      case 0: return db.get('select a from t where id = ?', [id]).then((row) => t.equal(row.a, `x${id}`))
      case 1: return db.run('update t set a = a where id = ?', [id]).then(({ changes }) => t.equal(changes, 1))
      case 2: return db.transaction(async (tx) => {
        await tx.run('insert into log values (?)', [i])
        t.match(await tx.get('select count(*)::int n from log where n = ?', [i]), { n: 1 })
      })
      case 3: return db.get(`select ${i % 40} n`).then((row) => t.equal(row.n, i % 40))
      case 4: return failure(db.run('insert into t values (?, null)', [id])).then((error) => t.match(error, { sqlstate: '23505' }))
      default: return failure(db.get('select 1 / (?::int - ?::int)', [id, id])).then((error) => t.match(error, { sqlstate: '22012' }))
    }
  })
  await Promise.all(jobs)
  t.equal((await db.get('select count(*)::int n from log')).n, 50)
  let n = 0
  for await (const row of db.iterate('select id from t order by id')) t.equal(row.id, n++)
  t.equal(n, 200)
  await db.many('insert into log values (?)', Array.from({ length: 300 }, (_, i) => [1000 + i]))
  t.equal((await db.get('select count(*)::int n from log where n >= 1000')).n, 300)
  t.match(await failure(db.get('select pg_sleep(20)', [], { timeoutMs: 150 })), { code: 'UC_TIMEOUT' })
  t.same(await db.get('select 7 a'), { a: 7 })
  // A read that writes is found out, and nothing of it is done twice.
  await db.exec("create function f(k int) returns int language sql as 'insert into log values (k) returning n'")
  t.same(await db.get('select f(5000) n'), { n: 5000 })
  t.equal((await db.get('select count(*)::int n from log where n = 5000')).n, 1)
}

const settings = "select pg_sleep(0.3), current_setting('synchronous_commit'), current_setting('default_transaction_read_only'), current_setting('transaction_read_only'), (select count(*) from pg_prepared_statements)"

// What strangers find on the sessions behind the pooler.
async function strangers (server, url, n) {
  const ask = () => new Promise((resolve, reject) => {
    execFile(server.bin('psql'), ['-qAtX', url, '-c', settings], { encoding: 'utf8' }, (error, out) => error ? reject(new Error(error.message)) : resolve(out.trim()))
  })
  return [...new Set(await Promise.all(Array.from({ length: n }, ask)))]
}

withServer({}, async (t, server) => {
  const is = (name) => found(name) === undefined ? { skip: `no ${name} here: apt-get install ${name === 'pgpool' ? 'pgpool2' : name}` } : {}

  await t.test('pgbouncer', is('pgbouncer'), async (t) => {
    const through = await bouncer(t, server)
    const url = through(server.nameOf(server.fresh(t)))
    const { db } = store(t, url)
    await work(t, db)
    t.match((await db.stats()).server, { pooler: true })
    t.same(await strangers(server, url, 4), ['|on|off|off|0'], 'nothing is left for a stranger')
  })

  await t.test('pgbouncer: what is altered, and what is asked for by name', is('pgbouncer'), async (t) => {
    const through = await bouncer(t, server)
    const url = through(server.nameOf(server.fresh(t)))
    const first = store(t, url)
    const { db } = first
    await db.exec('create table t(id int primary key, a int); insert into t values (1, 1)')
    t.same(await db.get('select * from t'), { id: 1, a: 1 })
    await db.exec("alter table t add b timestamptz default '2020-01-01Z'")
    const rows = await Promise.all(Array.from({ length: 20 }, () => db.get('select * from t')))
    t.same(rows.map((row) => Object.keys(row).join()), Array(20).fill('id,a,b'))
    await first.close()
    const named = store(t, url, { prepare: 'named' })
    const all = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => named.db.get(`select ${i} a`)))
    t.ok(all.every(({ reason }) => reason === undefined || ['26000', '42P05'].includes(reason.sqlstate)), 'named is what was asked for')
    await named.close()
    const unnamed = store(t, url, { prepare: 'unnamed' })
    t.same(await unnamed.db.get('select 1 a'), { a: 1 })
  })

  await t.test('pgbouncer: options that it leaves out are not trusted', is('pgbouncer'), async (t) => {
    const through = await bouncer(t, server, { ignore: 'options' })
    const name = server.nameOf(server.fresh(t))
    const error = await failure(store(t, through(name, { options: '-c statement_timeout=1234' })).db.get('select 1'))
    t.match(error, { code: 'UC_CONNECT', outcome: 'not-run' })
    t.match(error.message, /statement_timeout.*pooler/)
    const { db } = store(t, `${server.url(name)}&${query({ options: '-c statement_timeout=1234 --work-mem=5MB -c my.own=x' })}`)
    t.same(await db.get("select current_setting('statement_timeout') a, current_setting('work_mem') b"), { a: '1234ms', b: '5MB' }, 'and hold where nobody is between')
  })

  await t.test('pgbouncer in session mode', is('pgbouncer'), async (t) => {
    const through = await bouncer(t, server, { mode: 'session', size: 20 })
    const url = through(server.nameOf(server.fresh(t)))
    const one = store(t, url)
    await work(t, one.db)
    await one.close()
    t.same(await strangers(server, url, 4), ['|on|off|off|0'])
  })

  await t.test('pgbouncer goes and comes back', is('pgbouncer'), async (t) => {
    const through = await bouncer(t, server)
    const { db } = store(t, through(server.nameOf(server.fresh(t))))
    await db.exec('create table t(a int)')
    server.sql("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => db.get('select 1 a')))
    t.ok(answers.every(({ reason }) => reason === undefined || reason.kind === 'connection'), answers.map(({ reason }) => reason?.code).join())
    t.same(await until(() => db.get('select 1 a').catch(() => null), 'it is well again'), { a: 1 })
  })

  await t.test('pgpool', is('pgpool'), async (t) => {
    const through = await pgpool(t, server)
    const url = through(server.nameOf(server.fresh(t)))
    const one = store(t, url)
    await work(t, one.db)
    await one.close()
    t.same(await strangers(server, url, 4), ['|on|off|off|0'])
  })
})
