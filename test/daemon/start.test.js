'use strict'
// Who may serve a socket, who may come to it, what is said when it cannot be, and how one daemon
// takes over from another.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const processes = require('node:child_process')
const t = require('tap')
const { Raw, connect, launch, start } = require('./raw')
const helper = require('../helper')
const pkg = require('../../package.json')

const isRoot = process.getuid() === 0
const { table } = require('../../lib/base/options')

// Runs it to its end. -> { code, stdout, stderr }
async function run (t, args, options) {
  return launch(t, args, options).done
}

const fails = async (t, code, pattern, args, options) => {
  const result = await run(t, args, options)
  t.equal(result.code, code, `exit code ${code}`)
  t.match(result.stderr, pattern)
  t.match(result.stderr, /^undercroftd: [^\n]+\n$/, 'in one line')
}

t.setTimeout(helper.fileTimeoutMs)

t.test('options', async t => {
  const dir = helper.tmpdir(t)
  const listen = `ipc://${dir}/s`
  const db = ['--db', `${dir}/a.db`]
  await fails(t, 2, /--listen is missing/, db)
  await fails(t, 2, /--db is missing/, ['--listen', listen])
  await fails(t, 2, /unknown argument --lisen/, ['--lisen', listen])
  await fails(t, 2, /expected ipc:\/\/ and the absolute path/, ['--listen', 'tcp://127.0.0.1:80', ...db])
  await fails(t, 2, /expected ipc:\/\/ and the absolute path/, ['--listen', 'ipc://rel/s', ...db])
  await fails(t, 2, /expected a number from 1 to/, ['--listen', listen, ...db, '--max-connections', '0'])
  await fails(t, 2, /expected a number/, ['--listen', listen, ...db, '--drain-ms=soon'])
  await fails(t, 2, /expected a value after it/, ['--listen'])
  await fails(t, 2, /two databases are called a/, ['--listen', listen, ...db, ...db])
  await fails(t, 2, /a name has letters/, ['--listen', listen, '--db', `not here=${dir}/a.db`])
  await fails(t, 2, /FILE is a path, not a URL/, ['--listen', listen, '--db', `file:${dir}/a.db`])
  await fails(t, 2, /FILE is a path, not a URL/, ['--listen', listen, '--db', 'main=FILE:a.db?mode=ro'])
  await fails(t, 2, /the path of a file, not a URL/, ['--listen', listen, ...db, '--set', 'attach.other=file:b.db'])
  await fails(t, 2, /expected \[database\.\]option=value/, ['--listen', listen, ...db, '--set', 'maxQeue=3'])
  await fails(t, 2, /octal mode/, ['--listen', listen, ...db, '--mode', '0099'])
  await fails(t, 2, /no such group/, ['--listen', listen, ...db, '--group', 'nobody-has-this-name'])
  await fails(t, 2, /number of a user/, ['--listen', listen, ...db, '--allow-uid', 'me'])
  await fails(t, 2, /cannot be read/, ['--config', `${dir}/none`])
  const help = await run(t, ['--help'])
  t.equal(help.code, 0)
  for (const code of [0, 1, 2, 3, 4, 5, 6]) t.match(help.stdout, new RegExp(`^ {2}${code} {2}`, 'm'), `exit code ${code} is listed`)
  for (const name of ['listen', 'db', 'set', 'replace', 'idle-exit', 'ready-fd', 'max-connections', 'drain-ms', 'allow-uid']) t.match(help.stdout, `--${name}`)
  t.ok(help.stdout.split('\n').every(line => line.length <= 80), 'in 80 columns')
  const version = await run(t, ['--version'])
  t.match(version.stdout, new RegExp(`^undercroftd/${pkg.version.replaceAll('.', '\\.')} sqlite/\\d`), 'the version of package.json')
})

t.test('every option of a database can be set', async t => {
  const dir = helper.tmpdir(t)
  const settings = Object.entries(table).filter(([, row]) => row.wire !== null && !['readonly', 'create'].includes(row.wire))
    .flatMap(([name, row]) => row.type === 'pragmas'
      ? ['--set', `${name}.cache_size=-3000`, '--set', `${name}.cache_size=-2000`]
      : row.type === 'attach' ? ['--set', `${name}.other=${dir}/other.db`] : ['--set', `${name}=${row.value}`])
  const daemon = await start(t, { dir, args: settings })
  const client = await connect(t, daemon)
  t.match((await client.sql(13, 'pragma cache_size')).body.toString('latin1'), /-2000/, 'the later one wins')
  t.match((await client.sql(13, 'select name from pragma_database_list where seq > 1')).body.toString('latin1'), /other/)
})

t.test('flags, environment, file: in this order', async t => {
  const dir = helper.tmpdir(t)
  const config = path.join(dir, 'conf')
  fs.writeFileSync(config, `# served by\nlisten ipc://${dir}/file.sock\n\ndb one=${dir}/one.db\ndb two=${dir}/two.db\nmax-in-flight 7\n  set one.maxQueue=5\nset pragmas.cache_size=-1000\n`)
  const daemon = launch(t, ['--config', config, '--ready-fd', '3'], { env: { UNDERCROFT_MAX_IN_FLIGHT: '9', UNDERCROFT_LISTEN: `ipc://${dir}/env.sock`, UNDERCROFT_SET: 'pragmas.cache_size=-1500;two.maxQueue=6' } })
  await daemon.ready
  daemon.socket = path.join(dir, 'env.sock')
  const client = await connect(t, daemon)
  const hello = (await client.ask(7, [{ v: [1, 1], db: 'two' }])).value
  t.same([hello.db, hello.dbs, hello.window], ['two', ['one', 'two'], 9])
  t.match((await client.sql(13, 'pragma cache_size')).body.toString('latin1'), /-1500/)
  await daemon.stop()
  fs.appendFileSync(config, 'nonsense 3\n')
  await fails(t, 2, /conf:9: unknown option nonsense/, ['--config', config])
  const flagged = launch(t, ['--listen', `ipc://${dir}/flag.sock`, '--db', ':memory:', '--ready-fd', '3'], { env: { UNDERCROFT_DB: `x=${dir}/x.db`, UNDERCROFT_LISTEN: 'ipc:///nowhere/s' } })
  await flagged.ready
  flagged.socket = path.join(dir, 'flag.sock')
  t.same((await (await connect(t, flagged)).ask(7, [{ v: [1, 1] }])).value.dbs, ['main'])
})

t.test('several databases in one daemon', async t => {
  const daemon = await start(t, { db: ['app.db', 'log.db'] })
  const [a, b, c] = [await connect(t, daemon), await connect(t, daemon), await connect(t, daemon)]
  await a.ask(7, [{ v: [1, 1], db: 'log' }])
  await a.ask(16, ['create table only_here(a)'])
  t.match(await b.sql(10, 'select * from only_here'), { kind: 'error' }, 'who says no hello has the first')
  t.match(await c.ask(7, [{ v: [1, 9], db: 'lgo' }]), { value: { code: 'UC_NO_DB', message: /app, log/ } })
  t.match(await c.ask(7, [{ v: [1, 9], db: 'log', readonly: true }]), { value: { v: 1, db: 'log' } }, 'and may try again')
  t.match(await c.ask(16, ['create table no(a)']), { value: { code: 'UC_SQL_READONLY' } }, 'a read-only handle')
  t.match(await c.ask(7, [{ v: [1, 1] }]), { value: { code: 'UC_FRAME', message: /first request/ } }, 'hello comes first')
  t.same((await c.ask(52)).value.dbs.map(db => db.name), ['app', 'log'])
})

t.test('versions', async t => {
  const daemon = await start(t)
  for (const [v, pattern] of [[[2, 3], /update the daemon/], [[0, 0], /update the client/]]) {
    const client = await connect(t, daemon)
    t.match(await client.ask(7, [{ v }]), { value: { code: 'UC_VERSION', message: pattern } })
    await client.closed
    t.match(client.reason, { code: 'UC_VERSION' }, 'and it is closed')
  }
  const newer = await connect(t, daemon)
  t.match(await newer.ask(7, [{ v: [1, 5], something: { new: [1] } }]), { value: { v: 1 } }, 'a newer client that knows the old version')
})

t.test('the place of the socket', async t => {
  const dir = helper.tmpdir(t)
  const db = ['--db', `${dir}/a.db`]
  await fails(t, 4, /not there: make it with `mkdir/, ['--listen', `ipc://${dir}/no/s`, ...db])
  await fails(t, 4, /at most 107/, ['--listen', `ipc://${dir}/${'s'.repeat(120)}`, ...db])
  fs.writeFileSync(path.join(dir, 'file'), 'x')
  await fails(t, 4, /is there and is not a socket/, ['--listen', `ipc://${dir}/file`, ...db])
  t.equal(fs.readFileSync(path.join(dir, 'file'), 'utf8'), 'x', 'and is left alone')
  await fails(t, 4, /is not a folder/, ['--listen', `ipc://${dir}/file/s`, ...db])
  fs.mkdirSync(path.join(dir, 'open'))
  fs.chmodSync(path.join(dir, 'open'), 0o777)
  await fails(t, 4, /chmod o-w/, ['--listen', `ipc://${dir}/open/s`, ...db])
  if (isRoot) {
    fs.mkdirSync(path.join(dir, 'theirs'))
    fs.chownSync(path.join(dir, 'theirs'), 1234, 1234)
    await fails(t, 4, /belongs to user 1234/, ['--listen', `ipc://${dir}/theirs/s`, ...db])
  }
  await fails(t, 5, /cannot open the database .*nowhere/, ['--listen', `ipc://${dir}/s`, '--db', `${dir}/nowhere/a.db`])
  fs.writeFileSync(path.join(dir, 'text.db'), 'this is not a database, it is a text '.repeat(50))
  await fails(t, 5, /text\.db: .*not a database/, ['--listen', `ipc://${dir}/s`, '--db', `${dir}/text.db`])
  const longest = path.join(dir, 's'.repeat(107 - dir.length - 1))
  const daemon = await start(t, { socket: longest })
  t.equal((await (await connect(t, daemon)).ask(1, [1])).value, 1, 'the longest path there can be')
  t.equal(fs.statSync(longest).mode & 0o777, 0o600, 'nobody else may connect')
})

t.test('ten at once: one serves, nine say so', async t => {
  const dir = helper.tmpdir(t)
  const all = Array.from({ length: 10 }, () => launch(t, ['--listen', `ipc://${dir}/d.sock`, '--db', `${dir}/a.db`, '--ready-fd', '3']))
  const ends = await Promise.all(all.map(daemon => Promise.race([daemon.ready.then(() => 'ready', () => daemon.done.then(() => daemon.code)), daemon.done.then(() => daemon.code)])))
  t.same(ends.filter(end => end === 3).length, 9, `exit code 3: ${ends}`)
  t.same(ends.filter(end => end === 'ready').length, 1)
  t.match(all[ends.indexOf(3)].stderr, /served already|about to be/)
})

t.test('after kill -9 the next one starts at once', async t => {
  const first = await start(t)
  const client = await connect(t, first)
  await client.ask(16, ['create table t(a)'])
  t.equal((await client.sql(12, 'insert into t values (1)')).kind, 'run')
  await first.stop('SIGKILL')
  t.ok(fs.existsSync(first.socket), 'a socket is left behind')
  const second = await start(t, { dir: first.dir })
  t.match((await (await connect(t, second)).sql(13, 'select a from t')).body.toString('latin1'), /"a":1/, 'what was acknowledged is there')
})

t.test('--replace', async t => {
  const old = await start(t)
  const client = await connect(t, old)
  await client.ask(16, ['create table t(a)'])
  const x = (await client.ask(30)).value
  await client.sql(12, 'insert into t values (1)', null, { meta: { x } })
  const young = await start(t, { dir: old.dir, args: ['--replace'] })
  t.equal((await old.done).code, 0, 'the old one ends in order')
  t.match(client.reason, { code: 'UC_CLOSED', retryable: true })
  t.match(young.stderr, new RegExp(`replacing the daemon with pid ${old.pid}`))
  const next = await connect(t, young)
  t.match((await next.sql(13, 'select count(*) n from t')).body.toString('latin1'), /"n":0/, 'an open transaction was rolled back')
  const alone = await start(t, { args: ['--replace'], socket: path.join(old.dir, 'other.sock'), dir: old.dir, db: ['other.db'] })
  t.equal((await (await connect(t, alone)).ask(1, [2])).value, 2, 'with nobody to replace it just serves')
})

t.test('--replace, and a daemon that does not end in its time', async t => {
  // A successor waits for what the old one may take by the options that it has itself: 100 ms for its clients, as
  // long for its files and five seconds.
  const args = ['--replace', '--drain-ms', '100']
  const endless = helper.runaway + ' select count(*) n from c'
  const old = await start(t, { args: ['--set', 'timeoutMs=0', '--drain-ms', '60000'] })
  const busy = await connect(t, old)
  busy.sql(10, endless)
  await busy.ask(1, [])
  const begun = Date.now()
  const young = launch(t, ['--listen', `ipc://${old.socket}`, '--db', old.file, '--ready-fd', '3', ...args])
  await helper.until(() => /shutting down/.test(old.stderr), 'the old one has been told')
  await helper.until(() => !fs.existsSync(old.socket), 'and lets nobody in')
  await fails(t, 3, new RegExp(`about to be served, or was until now, by pid ${old.pid}; --replace`), ['--listen', `ipc://${old.socket}`, '--db', old.file])
  await young.ready
  t.ok(Date.now() - begun > 5000, 'it has had its time')
  t.match(young.stderr, new RegExp(`replacing the daemon with pid ${old.pid}, which has up to 5 s to end`))
  t.match(young.stderr, new RegExp(`still held by pid ${old.pid}; this waits for \\d s more`))
  t.match(young.stderr, new RegExp(`pid ${old.pid} has not ended in \\d s: a second signal`))
  t.notMatch(young.stderr, /SIGKILL/)
  t.equal((await old.done).code, 1, 'which ends it at once')
  young.socket = old.socket
  t.equal((await (await connect(t, young)).ask(1, [1])).value, 1, 'and the new one serves')

  young.proc.kill('SIGSTOP')
  const last = await start(t, { dir: old.dir, args })
  t.equal((await young.done).signal, 'SIGKILL', 'one that is stopped hears no signal but this one')
  t.match(last.stderr, new RegExp(`pid ${young.pid} does not react to a signal: SIGKILL`))
  t.equal((await (await connect(t, last)).ask(1, [1])).value, 1)
})

t.test('SIGTERM', async t => {
  const daemon = await start(t, { args: ['--drain-ms', '60000'] })
  const client = await connect(t, daemon)
  await client.ask(16, ['create table t(a)'])
  const writes = Array.from({ length: 500 }, (_, i) => client.sql(12, 'insert into t values (?)', [i], { id: i + 1000 }))
  const watch = client.ask(50, [0, ['other']], { id: 5000 })
  await writes[0]
  const slow = client.sql(10, helper.slow(1_000_000) + ' select count(*) n from c', null, { id: 6000 })
  await client.ask(1, [])
  const ended = daemon.stop()
  t.match(await slow, { kind: 'rows' }, 'what is in flight is finished')
  t.equal((await Promise.all(writes)).filter(reply => reply?.kind === 'run').length, 500)
  t.match(await watch, { value: { code: 'UC_CLOSED' } }, 'what waits for something is told')
  t.equal((await ended).code, 0)
  t.same(fs.readdirSync(daemon.dir).sort(), ['app.db', 'd.sock.lock'], 'no socket and no WAL is left')
})

t.test('SIGTERM has a deadline, and a second one does not wait', async t => {
  const endless = helper.runaway + ' select count(*) n from c'
  const args = ['--set', 'timeoutMs=0']
  // What comes after the deadline has a few seconds, which a slow disk could need for one sync.
  const patient = await start(t, { args: [...args, '--drain-ms', '700', '--set', 'synchronous=off'] })
  const busy = await connect(t, patient)
  busy.sql(10, endless)
  await busy.ask(1, [])
  t.equal((await patient.stop()).code, 0)
  t.match(patient.stderr, /not done in time/)
  const hasty = await start(t, { dir: patient.dir, args: [...args, '--drain-ms', '60000'] })
  const other = await connect(t, hasty)
  other.sql(10, endless)
  await other.ask(1, [])
  hasty.proc.kill('SIGTERM')
  await helper.until(() => /shutting down/.test(hasty.stderr), 'the first is heard')
  t.equal((await hasty.stop('SIGINT')).code, 1)
  t.match(hasty.stderr, /a second Interrupt/)
})

t.test('--idle-exit', async t => {
  const daemon = await start(t, { args: ['--idle-exit', '10'] })
  const client = await connect(t, daemon)
  await helper.delay(11_000)
  t.equal((await client.ask(1, ['x'])).value, 'x', 'not while a client is there')
  await client.destroy()
  t.equal((await daemon.done).code, 0, 'and then by itself')
  t.equal((await (await start(t, { dir: daemon.dir, args: ['--idle-exit', '1'] })).done).code, 0, 'also if nobody ever came')
})

t.test('users', { skip: !isRoot && 'needs root, to become somebody else' }, async t => {
  const dir = helper.tmpdir(t)
  fs.chmodSync(dir, 0o755)
  const script = `
    const { Raw } = require(${JSON.stringify(require.resolve('./raw'))})
    const [socket, uid] = process.argv.slice(1)
    process.setgroups([])
    process.setgid(Number(uid))
    process.setuid(Number(uid))
    const client = new Raw(socket)
    client.connected.then(() => client.ask(1, ['x'])).then(reply => {
      console.log(JSON.stringify(reply === null ? client.reason : reply.value))
      client.destroy()
    }, err => console.log(JSON.stringify(err.code)))`
  // What a process gets that has become that user; it starts as root, because
  // the folder of the sources may be closed to others.
  const as = uid => JSON.parse(processes.execFileSync(process.execPath, ['-e', script, path.join(dir, 'd.sock'), String(uid)], { encoding: 'utf8' }))
  const only = await start(t, { dir })
  t.equal(as(0), 'x')
  t.equal(as(1234), 'EACCES', 'the mode of the socket keeps others out')
  fs.chmodSync(only.socket, 0o666)
  t.match(as(1234), { code: 'UC_ACCESS', kind: 'permission', message: /--allow-uid 1234/ }, 'and so does their user id')
  await only.stop()
  const listed = await start(t, { dir, args: ['--mode', '0666', '--allow-uid', '1234'] })
  t.equal(as(1234), 'x', 'one who is allowed')
  t.match(as(1235), { code: 'UC_ACCESS' }, 'one who is not')
  await listed.stop()
  const grouped = await start(t, { dir, args: ['--mode', '0660', '--group', '1236'] })
  t.equal(fs.statSync(grouped.socket).gid, 1236)
  t.equal(as(1236), 'x', 'a member of the group')
  t.equal(as(1234), 'EACCES')
  await grouped.stop()
})

t.test('systemd is told', async t => {
  const dir = helper.tmpdir(t)
  // Node has no unix datagrams: a small server in Python stands for systemd.
  const said = []
  const server = processes.spawn('python3', ['-uc', `
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${JSON.stringify(path.join(dir, 'notify'))})
print('bound')
while True: print(s.recv(500).decode().replace(chr(10), ' '))
`], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => server.kill('SIGKILL'))
  server.stdout.setEncoding('utf8').on('data', text => said.push(...text.trim().split('\n')))
  await helper.until(() => said.includes('bound'), 'it listens')
  const daemon = await start(t, { dir, env: { NOTIFY_SOCKET: path.join(dir, 'notify') } })
  await helper.until(() => said.includes(`READY=1 MAINPID=${daemon.pid}`), 'READY=1')
  await daemon.stop()
  await helper.until(() => said.includes('STOPPING=1'), 'STOPPING=1')
  t.same(said.filter(text => /^(READY|STOPPING)=/.test(text)).map(text => text.split('=')[0]), ['READY', 'STOPPING'])
})

t.test('nothing ticks while nobody asks for anything', async t => {
  const daemon = await start(t)
  const clients = []
  for (let i = 0; i < 200; i++) {
    const client = new Raw(daemon.socket)
    t.teardown(() => client.destroy())
    clients.push(client.ask(1, [i]))
  }
  await Promise.all(clients)
  await helper.delay(2500)
  const used = () => Number(fs.readFileSync(`/proc/${daemon.pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13).reduce((a, b) => Number(a) + Number(b)))
  const switches = () => fs.readdirSync(`/proc/${daemon.pid}/task`).map(id => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${daemon.pid}/task/${id}/status`, 'utf8'))[1])).reduce((a, b) => a + b)
  // What ticks does so in each window; the rest of what this test began may still be at work in the first ones.
  let [cpu, woken] = [Infinity, Infinity]
  for (let i = 0; i < 10 && (cpu > 1 || woken > 4); i++) {
    const before = [used(), switches()]
    await helper.delay(2000)
    ;[cpu, woken] = [used() - before[0], switches() - before[1]]
  }
  t.ok(cpu <= 1, `no processor time: ${cpu} ticks`)
  t.ok(woken <= 4, `no thread wakes up: ${woken} times in 2 s`)
  const rss = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))[1]) / 1024
  if (!process.env.UNDERCROFT_DAEMON) t.ok(rss <= 32, `memory with 200 idle clients: ${rss.toFixed(1)} MiB`)
})

t.test('a client without SP is not waited for at the end', async t => {
  const daemon = await start(t)
  const socket = net.connect(daemon.socket).on('error', () => {})
  await new Promise(resolve => socket.once('connect', resolve))
  t.equal((await daemon.stop()).code, 0)
  socket.destroy()
})
