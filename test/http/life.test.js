'use strict'
// The door from its first request to its last: reloads, drains and successors under load, of which
// nobody notices anything; kill -9; sockets that are there already.

const fs = require('node:fs')
const net = require('node:net')
const http = require('node:http')
const path = require('node:path')
const { spawn } = require('node:child_process')
const t = require('tap')
const { delay, until, startDaemon, isLong, fileTimeoutMs } = require('../helper')
const { project, serve, ask, raw, statuses, load, ROUTES } = require('./server')

const PORT = '127.0.0.1:0'
const RELOADS = isLong ? 10_000 : 300
const places = [['a port', () => PORT], ['a unix socket', () => undefined]]

t.setTimeout(fileTimeoutMs)

// How often a daemon has said that it has read its files again, heard as it says so: ten thousand
// times to look for it in all that was said before takes longer than what it tells of.
function readings (daemon) {
  let count = 0
  let rest = ''
  let heard = () => {}
  daemon.proc.stderr.on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    count += lines.filter((line) => line.includes('read again')).length
    heard()
  })
  return {
    from: (n) => new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`after ${count} of ${n} times it has not read them`)), 60_000)
      heard = () => {
        if (count < n) return
        clearTimeout(late)
        resolve()
      }
      heard()
    })
  }
}

t.test('reloads under load', async (t) => {
  const dir = await project(t)
  const file = path.join(dir, 'routes/all.sql')
  const daemon = await serve(t, { dir, args: ['--http-loops', '2'] })
  const { to } = daemon
  const reads = readings(daemon)
  const work = [load(to), load(to, { clients: 1, keepAlive: false })]
  for (let i = 1; i <= RELOADS; i++) {
    fs.writeFileSync(`${file}~`, `${ROUTES}\n-- @get /version :text\n-- @public\n-- @header x-v${i} text 0..9 = ''\nselect '${i}' || :x_v${i};\n`.replace(/-- @header x-v(\d+) (.*)/, '-- @header x-v$1 text 0..9'))
    fs.renameSync(`${file}~`, file)
    daemon.proc.kill('SIGHUP')
    await reads.from(i)
    if (i % 50 !== 0) continue
    // Names of headers follow, too.
    t.same((await ask(to, { target: '/version', headers: { [`X-V${i}`]: '!' } })).body, `${i}!`)
  }
  fs.writeFileSync(file, '-- @gett /one\nselect 1;\n')
  daemon.proc.kill('SIGHUP')
  await until(() => /the routes that were there go on/.test(daemon.stderr), 'a mistake is said')
  t.match(daemon.stderr, /all\.sql:1/)
  t.equal((await ask(to, { target: '/version', headers: { [`X-V${RELOADS}`]: '?' } })).body, `${RELOADS}?`, 'the old ones go on')
  for (const one of work) {
    await until(() => one.found.right > RELOADS / 10, 'they are answered')
    t.same((await one.stop()).wrong.slice(0, 5), [], 'nothing was lost')
  }
})

t.test('the folder of the routes', async (t) => {
  const dir = await project(t)
  const routes = path.join(dir, 'routes')
  const beside = (name, text) => fs.writeFileSync(path.join(routes, name), text)
  const page = (n) => `-- @get /page${n} :html p.html\n-- @public\nselect ${n} as n;\n`
  // Not read: what is neither SQL nor a template, however large.
  beside('notes.md', Buffer.alloc(5 * 1024 * 1024, 0xff))
  beside('.all.sql.swp', '-- @wrong')
  beside('p.html', '{{#rows}}<b>{{n}}</b>{{/rows}}')
  fs.symlinkSync('.', path.join(routes, 'here'))
  fs.mkdirSync(path.join(routes, 'more'))
  beside('more/b.sql', page(1))
  fs.symlinkSync('..', path.join(routes, 'more/up'))
  const daemon = await serve(t, { dir })
  t.equal((await ask(daemon.to, { target: '/page1' })).body, '<b>1</b>', 'links to where they are end there')
  const faulty = async (sentence) => {
    const before = daemon.stderr.length
    daemon.proc.kill('SIGHUP')
    await until(() => daemon.stderr.slice(before).includes('the routes that were there go on'), sentence)
    t.match(daemon.stderr.slice(before), sentence)
    t.equal((await ask(daemon.to, { target: '/page1' })).status, 200)
  }
  beside('large.html', Buffer.alloc(4 * 1024 * 1024, 'x'))
  await faulty('all files together are larger than 4194304 bytes')
  fs.rmSync(path.join(routes, 'large.html'))
  fs.mkdirSync(path.join(routes, ...'123456789'), { recursive: true })
  await faulty('folders more than 8 deep')
  fs.rmSync(path.join(routes, '1'), { recursive: true })
  fs.renameSync(routes, `${routes}-away`)
  await faulty('No such file or directory')
  fs.mkdirSync(routes)
  await faulty('there is no *.sql in it')
  const empty = startDaemon(t, ['--db', path.join(dir, 'b.db'), '--http', '127.0.0.1:0', '--routes', routes], { codes: [4] })
  await empty.done
  t.match(empty.stderr, 'there is no *.sql in it')
  beside('b.sql', page(2))
  beside('p.html', '{{#rows}}{{n}}{{/rows}}')
  const before = daemon.stderr.length
  daemon.proc.kill('SIGHUP')
  await until(() => daemon.stderr.slice(before).includes('read again'), 'it is back')
  t.equal((await ask(daemon.to, { target: '/page2' })).body, '2')
})

// Whoever has an answer knows whether it was the last of its connection, and begins anew.
for (const [name, where] of places) {
  for (const loops of [1, 2]) {
    t.test(`successors under load at ${name}, with ${loops}`, async (t) => {
      const dir = await project(t)
      const socket = path.join(dir, 'core.sock')
      const args = ['--http-loops', String(loops), '--replace']
      let daemon = await serve(t, { dir, http: where(), args, socket })
      const { to } = daemon
      const address = to.port === undefined ? undefined : `127.0.0.1:${to.port}`
      // A connection for each request: one that idles may be closed at any time.
      const work = load(to, { clients: 3, keepAlive: false })
      await until(() => work.found.right > 50, 'there is load')
      for (let i = 0; i < 5; i++) {
        const next = await serve(t, { dir, http: address, args, socket })
        t.equal((await daemon.done).code, 0, daemon.stderr)
        daemon = next
        const { right } = work.found
        await until(() => work.found.right > right + 20, 'it goes on')
      }
      const { wrong } = await work.stop()
      t.same(wrong, [], 'nobody was refused, or lost')
      await daemon.stop()
      t.equal(await outcome(to), to.port === undefined ? 'ENOENT' : 'ECONNREFUSED', 'and then nobody is there')
    })
  }
}

// The file has one owner at a time: who comes while it is given on waits for it.
t.test('who owns the file', async (t) => {
  const dir = await project(t)
  fs.appendFileSync(path.join(dir, 'routes/all.sql'), '\n-- @get /slow :text\n-- @public\n-- @scan ok\n-- @timeout 10m\nwith recursive c(x) as (select 1 union all select x + 1 from c where x < 3000000) select count(*) from c;\n')
  const socket = path.join(dir, 'core.sock')
  const first = await serve(t, { dir, http: PORT, socket, args: ['--drain-ms', '600000'] })
  const address = `127.0.0.1:${first.to.port}`
  const slow = ask(first.to, { target: '/slow' })
  await delay(100)
  const next = startDaemon(t, ['--db', path.join(dir, 'app.db'), '--http', address, '--routes', path.join(dir, 'routes'), '--replace', '--drain-ms', '600000'], { socket })
  await until(() => /shutting down/.test(first.stderr) || next.over, 'the first is told')
  const waits = Array.from({ length: 20 }, (_, i) => ask(first.to, { method: 'POST', target: '/add', body: `{"n":${i}}` }))
  const { status, body } = await slow
  t.equal(status, 200, `what is under way ends: ${body}`)
  for (const { status, body } of await Promise.all(waits)) t.equal(status, 200, body)
  t.equal((await first.done).code, 0)
  t.equal((await ask(first.to, { target: '/count' })).body, '20', 'each has run once')
  t.ok(next.stderr.indexOf('serving') >= 0)
})

function outcome (to) {
  return new Promise((resolve) => {
    const socket = net.connect({ ...to, path: to.socketPath })
    socket.on('connect', () => { socket.destroy(); resolve('connected') }).on('error', (err) => resolve(err.code))
  })
}

for (const [name, where] of places) {
  t.test(`a drain at ${name}`, async (t) => {
    const dir = await project(t)
    const daemon = await serve(t, { dir, http: where() })
    const { to } = daemon
    // One at a time is under way on each connection, and what has an answer is right.
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
    const seen = []
    let goesOn = true
    const all = Array.from({ length: 4 }, async () => {
      while (goesOn) {
        try {
          const { status, headers } = await ask(to, { agent })
          seen.push([status, headers.connection])
        } catch (err) {
          // An idle connection that was just being closed, or nobody there any more.
          seen.push([err.code])
          if (['ECONNREFUSED', 'ENOENT'].includes(err.code)) return
        }
      }
    })
    const half = raw(to, 'GET /one HTTP/1.1\r\nHost: a\r\n', { end: false })
    const whole = new Promise((resolve) => {
      const socket = net.connect({ ...to, path: to.socketPath })
      let text = ''
      socket.on('data', (chunk) => { text += chunk }).on('end', () => resolve(text))
      socket.write('GET /one HTTP/1.1\r\nHo')
      until(() => /shutting down/.test(daemon.stderr), 'it drains').then(() => socket.write('st: localhost\r\n\r\n'))
    })
    const silent = raw(to, '', { end: false })
    await until(() => seen.length > 50, 'there is load')
    daemon.proc.kill('SIGTERM')
    t.equal((await daemon.done).code, 0)
    goesOn = false
    await Promise.all(all)
    agent.destroy()
    t.same(seen.filter(([status]) => typeof status === 'number' && status !== 200), [], 'what is answered is right')
    t.same(statuses(await half), [503], 'half a request is refused in the end')
    t.same(statuses(await whole), [200], 'one that becomes whole is answered')
    t.match(await whole, /Connection: close/, 'as the last')
    t.same(statuses(await silent), [])
    if (to.socketPath !== undefined) t.notOk(fs.existsSync(to.socketPath), 'its file is gone')
  })
}

// They have connected, and asked, before they could know.
for (const [name, where] of places) {
  t.test(`who stands in line at ${name}`, async (t) => {
    const COUNT = 500
    const daemon = await serve(t, { dir: await project(t), http: where() })
    daemon.proc.kill('SIGSTOP')
    let connected = 0
    const all = Array.from({ length: COUNT }, () => new Promise((resolve) => {
      const socket = net.connect({ ...daemon.to, path: daemon.to.socketPath })
      let text = ''
      socket.on('connect', () => { connected++ }).on('error', (err) => resolve(err.code))
      socket.on('data', (chunk) => { text += chunk }).on('end', () => resolve(statuses(text).join()))
      socket.write('GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n')
    }))
    await until(() => connected === COUNT, 'all have connected')
    daemon.proc.kill('SIGTERM')
    daemon.proc.kill('SIGCONT')
    const found = await Promise.all(all)
    t.same(found.filter((status) => status !== '200'), [], 'all of them are served')
    t.equal((await daemon.done).code, 0)
  })
}

t.test('kill -9', async (t) => {
  const dir = await project(t)
  const daemon = await serve(t, { dir, killed: true })
  const { to } = daemon
  let n = 0
  const all = (async () => {
    for (;;) {
      const { status } = await ask(to, { method: 'POST', target: '/add', body: '{"n":1}' })
      if (status === 200) n++
    }
  })().catch((err) => err.code)
  await until(() => n > 20, 'there are writes')
  await daemon.stop('SIGKILL')
  t.ok(['ECONNRESET', 'ECONNREFUSED', 'EPIPE'].includes(await all))
  t.ok(fs.existsSync(to.socketPath), 'its file is still there')
  const next = await serve(t, { dir })
  const found = Number((await ask(next.to, { target: '/count' })).body)
  t.ok(found === n || found === n + 1, 'what was answered is there')
})

t.test('a place that is taken', async (t) => {
  for (const [, where] of places) {
    const dir = await project(t)
    const { to } = await serve(t, { dir, http: where() })
    const address = to.port === undefined ? `unix:${to.socketPath}` : `127.0.0.1:${to.port}`
    const second = startDaemon(t, ['--db', path.join(dir, 'b.db'), '--http', address, '--routes', path.join(dir, 'routes')], { codes: [4] })
    t.equal((await second.done).code, 4)
    t.match(second.stderr, /[Aa]ddress already in use/)
    t.equal((await ask(to, {})).status, 200)
  }
})

t.test('a second signal', async (t) => {
  const dir = await project(t)
  const daemon = await serve(t, { dir, codes: [1], args: ['--drain-ms', '60000'] })
  const half = raw(daemon.to, 'POST /add HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{', { end: false })
  await ask(daemon.to, {})
  daemon.proc.kill('SIGTERM')
  await until(() => /shutting down/.test(daemon.stderr), 'it drains')
  daemon.proc.kill('SIGTERM')
  t.equal((await daemon.done).code, 1, 'ends it at once')
  t.same(statuses(await half), [])
})

// What systemd does: the socket is there before the daemon, and stays when it has gone.
t.test('a socket that systemd hands over', async (t) => {
  const dir = await project(t)
  const { daemonPath } = require('../../lib/base/binding')
  const server = net.createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { server.close(() => {}) })
  const to = { host: '127.0.0.1', port: server.address().port }
  const args = ['--db', path.join(dir, 'app.db'), '--http', 'systemd', '--routes', path.join(dir, 'routes')]
  const proc = spawn('/bin/sh', ['-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"', daemonPath(), ...args], { stdio: ['ignore', 'ignore', 'pipe', server._handle.fd] })
  let said = ''
  proc.stderr.setEncoding('utf8').on('data', (text) => { said += text })
  const done = new Promise((resolve) => { proc.on('close', resolve) })
  t.teardown(async () => { proc.kill('SIGKILL'); await done })
  await until(() => /serving 6 routes/.test(said) || proc.exitCode !== null, 'it serves')
  // Node would let clients in as well. The daemon has the socket still.
  await new Promise((resolve) => { server.close(resolve) })
  for (let i = 0; i < 20; i++) t.equal((await ask(to, {})).status, 200)
  proc.kill('SIGTERM')
  t.equal(await done, 0)
})

t.test('more idle time than there is, and not while somebody asks', async (t) => {
  const dir = await project(t)
  const daemon = await serve(t, { dir, args: ['--idle-exit', '12'] })
  for (let i = 0; i < 65; i++) {
    t.equal((await ask(daemon.to, {})).status, 200)
    await delay(200)
  }
  t.equal((await daemon.done).code, 0)
})
