'use strict'
// Step two on a host without SSH: what it does when all goes well, and that the release before goes on
// serving when something does not. Each failure: which stage, why, the last lines; and the same command
// finishes once its cause is gone.

const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const { spawn, spawnSync } = require('node:child_process')
const helper = require('../helper')
const { host, service, whenSwitched } = require('./parts/host')
const { runtimes } = require('../runtimes')
const { ask } = require('../../deploy/agent/start/health')
const proc = require('../../deploy/agent/host/proc')

t.setTimeout(580_000)

const long = (name, options, fn = options) => t.test(name, { ...(fn !== options && options), ...(!helper.isLong && { skip: 'in the long run' }) }, fn)
const isRoot = process.getuid() === 0

/** A host on which a first release serves. -> { ...host, first } */
async function serving (t, options) {
  const found = await host(t, options)
  found.first = found.release()
  await found.start()
  return found
}

/**
 * One failure: the command fails as told, the first release serves as if nothing had been, nothing of the
 * other is left; `mend` takes the cause away, and the same command succeeds.
 */
async function fails (t, found, wanted, { args = {}, more = {}, lines, mend, release }) {
  const before = found.processes().sort()
  const err = await helper.failure(found.start(args, more))
  t.match({ code: err.code, stage: err.stage, host: err.host, message: err.message }, { host: 'one', ...wanted })
  t.comment(err.message)
  if (lines !== undefined) t.match((err.lines ?? []).join('\n'), lines, 'its last lines are told')
  t.equal(await found.serving(), found.first, 'the release before serves')
  t.same(found.processes().sort(), before, 'with the same processes, and no others')
  const { active, pending, draining } = found.state()
  t.same([active.release, pending, draining], [found.first, null, []], 'the journal says so')
  t.equal(found.audit().at(-1).result, 'failed')
  if (mend === undefined) return
  const again = await mend()
  const result = await found.start(again?.args ?? args, again?.more ?? more)
  t.equal(await found.serving(), release ?? result.release, 'and then the same command finishes')
  t.ok(result.changed)
}

t.test('one release after the other', async t => {
  const found = await host(t)
  const [first, second] = [found.release({}, { env: '# of production\nexport TOKEN="a b"\nPLAIN=x # not this\n' }), null]
  const stages = []
  const result = await found.start({}, {}, { onEvent: (event) => { if (event.stage) stages.push(event.stage) } })
  t.same(stages, ['check', 'launch', 'health', 'listeners', 'switch', 'watch', 'settle', 'drain', 'clean'])
  t.match(result, { release: first, before: null, changed: true, instances: [{ port: found.ports[0] }] })
  t.equal(await found.serving(), first)
  t.equal(fs.readlinkSync(found.app.current), `releases/${first}`)

  const env = JSON.parse(await body({ socketPath: found.app.upstream(0), path: '/env' }))
  t.match(env, { HOST: '127.0.0.1', PORT: String(found.ports[0]), UNDERCROFT_RELEASE: first, UNDERCROFT_INSTANCE: '0', UNDERCROFT_DRAIN_MS: '2000', UNDERCROFT_SHARED: found.app.shared, TOKEN: 'a b', PLAIN: 'x' })
  t.equal(fs.statSync(found.app.slots).mode & 0o777, 0o700)
  t.equal(fs.statSync(path.join(found.app.slots, fs.readdirSync(found.app.slots)[0])).mode & 0o777, 0o600, 'nobody else reads the environment')

  t.match(env, { UNDERCROFT_SOCKET_MODE: '0666' })
  t.equal((await found.start()).changed, false, 'what serves already is left alone')

  const next = found.release({ 'more.js': '1' })
  t.match(await found.start(), { release: next, before: first, instances: [{ port: found.ports[1] }], drained: [{ release: first, how: 'exited', code: 0 }] })
  t.equal(await found.serving(), next)
  t.equal(found.processes().length, 2, 'one service and its supervisor')
  t.same(fs.readdirSync(found.app.run).sort(), [`${next}.${found.ports[1]}.sock`, 'app.sock'].sort())
  t.equal(second, null)

  t.match(await found.start({ force: true }), { release: next, before: next, changed: true, instances: [{ port: found.ports[0] }] }, 'force starts it anew')
  t.equal(found.state().previous, first)
  t.same(found.audit().map(({ action, result, release }) => [action, result, release]), [
    ['start', 'ok', first], ['start', 'ok', first], ['start', 'ok', next], ['start', 'ok', next]
  ])
})

t.test('what the configuration alone has changed', async t => {
  const found = await host(t)
  const release = found.release()
  const to = path.join(found.root, 'gateway.conf')
  const gateway = { file: 'x', to, test: ['true'], reload: ['true'] }
  await found.start({ gateway: 'one' }, { gateway })
  const { settings } = found.state().active
  t.match(await found.start({ gateway: 'two' }, { gateway }), { changed: false, gateway: true }, 'the gateway has its new file although the release serves')
  t.equal(fs.readFileSync(to, 'utf8'), 'two')
  t.match(await found.start({ gateway: 'two' }, { gateway, watchMs: 100, health: { timeoutMs: 60_000, everyMs: 10 } }), { changed: false, gateway: false }, 'what matters to no process')
  for (const [more, seen] of [[{ env: { set: { COLOUR: 'red' } } }, { COLOUR: 'red' }], [{ drainMs: 1500 }, { UNDERCROFT_DRAIN_MS: '1500', COLOUR: undefined }], [{ socketMode: '0660' }, { UNDERCROFT_SOCKET_MODE: '0660' }]]) {
    t.match(await found.start({}, more), { release, before: release, changed: true }, JSON.stringify(more))
    t.match(JSON.parse(await body({ socketPath: found.app.upstream(0), path: '/env' })), seen)
    t.equal((await found.start({}, more)).changed, false)
  }
  t.equal(fs.statSync(found.app.upstream(0)).mode & 0o777, 0o660)
  t.match(await found.start(), { changed: true }, 'and back')
  t.equal(found.state().active.settings, settings)
  t.equal(found.processes().length, 2)
})

t.test('what an agent that was killed has left undone behind its entry', async t => {
  const found = await serving(t)
  const next = found.release({ 'a.js': '' })
  await found.start()
  // As it is when it was killed between the journal and what follows from it, and somebody has moved the link.
  fs.rmSync(found.app.current)
  fs.symlinkSync(`releases/${found.first}`, found.app.current)
  fs.symlinkSync('half', `${found.app.current}.12345.part`)
  fs.symlinkSync('half', path.join(found.app.slots, '4000.12345.part'))
  fs.rmSync(path.join(found.app.agent, 'boot.js'))
  fs.rmSync(found.app.upstream(0))
  fs.symlinkSync('nowhere.sock', found.app.upstream(0))
  t.match(await found.start(), { release: next, changed: false })
  t.equal(fs.readlinkSync(found.app.current), `releases/${next}`)
  t.ok(fs.existsSync(path.join(found.app.agent, 'boot.js')), 'what starts it after a reboot')
  t.equal(await found.serving(), next, 'the gateway reaches it')
  t.same([...fs.readdirSync(found.folder), ...fs.readdirSync(found.app.slots)].filter((name) => name.endsWith('.part')), [])
})

t.test('what cannot be removed', { skip: !isRoot && 'needs root, to mount something' }, async t => {
  const found = await host(t, { keep: 1 })
  const old = found.release()
  await found.start()
  const place = path.join(found.app.release(old), 'node_modules')
  fs.mkdirSync(place)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place])
  if (mounted.status !== 0) return t.comment(`left out: no tmpfs can be mounted here: ${mounted.stderr}`)
  const moved = path.join(found.app.releases, `.trash-${old}`, 'node_modules')
  t.teardown(() => { for (const one of [place, moved]) spawnSync('umount', ['-l', one]) })
  found.release({ 'a.js': '' })
  await found.start()
  const third = found.release({ 'b.js': '' })
  const warnings = []
  const { removed } = await found.start({}, {}, { onEvent: (event) => { if (event.warning) warnings.push(event.warning) } })
  t.ok(removed.includes(old))
  t.match(warnings.join(), new RegExp(`\\.trash-${old} cannot be removed \\(EBUSY\\)`), 'is told')
  t.equal(await found.serving(), third, 'and stops nobody')
  spawnSync('umount', ['-l', moved])
  const fourth = found.release({ 'c.js': '' })
  await found.start()
  t.equal(await found.serving(), fourth)
  t.notOk(fs.existsSync(path.join(found.app.releases, `.trash-${old}`)), 'it goes when it can')
})

function body (options) {
  return new Promise((resolve, reject) => {
    http.get({ ...options, agent: false }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (part) => { text += part }).on('end', () => resolve(text))
    }).on('error', reject)
  })
}

long('a release that cannot be started', async t => {
  const found = await serving(t)
  await fails(t, found, { code: 'UC_DEPLOY_INCOMPLETE', stage: 'check' }, { args: { release: '20260101-000000-deadbeef' } })
  const incomplete = found.release({ 'a.js': '1' }, { complete: false })
  await fails(t, found, { code: 'UC_DEPLOY_INCOMPLETE', stage: 'check', message: incomplete }, { args: { release: incomplete } })

  const damaged = found.release({ 'b.js': 'abc' })
  fs.chmodSync(path.join(found.app.release(damaged), 'b.js'), 0o644)
  fs.writeFileSync(path.join(found.app.release(damaged), 'b.js'), 'abd')
  fs.chmodSync(path.join(found.app.release(damaged), 'b.js'), 0o444)
  await fails(t, found, { code: 'UC_DEPLOY_DAMAGED', stage: 'check' }, {
    args: { verify: true },
    lines: /b\.js/,
    mend () {
      fs.chmodSync(path.join(found.app.release(damaged), 'b.js'), 0o644)
      fs.writeFileSync(path.join(found.app.release(damaged), 'b.js'), 'abc')
      fs.chmodSync(path.join(found.app.release(damaged), 'b.js'), 0o444)
    }
  })
})

t.test('a release that does not become healthy', async t => {
  const found = await serving(t)
  const flag = path.join(found.root, 'flag')
  const when = (code) => `if (!require('node:fs').existsSync(${JSON.stringify(flag)})) {\n${code}\n} else {\n${service}\n}`
  const mend = () => { fs.writeFileSync(flag, '') }
  const longer = { health: { timeoutMs: 15_000, everyMs: 20 } }

  found.release({ 'server.js': when("console.log('cannot go on'); console.error('the cause'); process.exit(3)") })
  await fails(t, found, { code: 'UC_DEPLOY_DIED', stage: 'health', message: /code 3.*goes on serving/ }, { lines: /cannot go on\nthe cause/, mend })
  fs.rmSync(flag)
  found.first = await found.serving()

  found.release({ 'server.js': when("console.log('thinking'); setInterval(() => {}, 1000)") })
  await fails(t, found, { code: 'UC_DEPLOY_UNHEALTHY', stage: 'health', message: /ECONNREFUSED/ }, { more: longer, lines: /thinking/ })
  if (!helper.isLong) return

  found.release({ 'server.js': when(service.replace('res.end(UNDERCROFT_RELEASE)', "res.writeHead(503).end('not yet')")) })
  await fails(t, found, { code: 'UC_DEPLOY_UNHEALTHY', stage: 'health', message: /status 503, expected 200/ }, { more: longer })

  found.release({ 'server.js': when(service.replace('servers[1].listen(UNDERCROFT_SOCKET)', '')) })
  await fails(t, found, { code: 'UC_DEPLOY_UNHEALTHY', stage: 'health', message: /the socket .* ENOENT/ }, { more: longer })

  found.release({ 'server.js': "'use strict'\nthrow new Error('at once')\n" })
  await fails(t, found, { code: 'UC_DEPLOY_DIED', stage: 'health' }, { lines: /Error: at once/ })

  found.release({ 'server.js': "setTimeout(() => process.kill(process.pid, 'SIGSEGV'), 50)" })
  await fails(t, found, { code: 'UC_DEPLOY_DIED', stage: 'health', message: /SIGSEGV/ }, {})

  found.release({ other: '' })
  await fails(t, found, { code: 'UC_DEPLOY_DIED', message: /could not be started: .*ENOENT/ }, { more: { start: { command: ['./missing'] } }, mend: () => ({ more: {} }) })
})

t.test('a release that fails with traffic', async t => {
  const found = await serving(t)
  found.release({ 'server.js': service + whenSwitched("console.log('no more'); process.exit(1)") })
  await fails(t, found, { code: 'UC_DEPLOY_DIED', stage: 'watch' }, { more: { watchMs: 10_000 }, lines: /no more/ })

  found.release({ 'server.js': service.replace('res.end(UNDERCROFT_RELEASE)', 'if (bad) res.statusCode = 500\n  res.end(UNDERCROFT_RELEASE)') + '\nlet bad = false\n' + whenSwitched('bad = true') })
  await fails(t, found, { code: 'UC_DEPLOY_UNHEALTHY', stage: 'watch', message: /status 500/ }, { more: { watchMs: 10_000 } })

  found.release({ 'z.js': '' })
  const hook = { command: 'echo the smoke test failed; exit 4', where: 'there' }
  await fails(t, found, { code: 'UC_DEPLOY_HOOK', message: /afterSwitch/ }, { more: { hooks: { afterSwitch: hook } }, lines: /smoke test failed/, mend: () => ({ more: {} }) })
})

t.test('who listens where', async t => {
  const found = await serving(t)
  found.release({ 'server.js': service.replace('Number(PORT), HOST', "Number(PORT), '0.0.0.0'") })
  await fails(t, found, { code: 'UC_DEPLOY_EXPOSED', stage: 'listeners', message: /0\.0\.0\.0/ }, {})
  found.release({ 'server.js': service.replace('Number(PORT), HOST', 'Number(PORT)') })
  await fails(t, found, { code: 'UC_DEPLOY_EXPOSED', stage: 'listeners', message: /listens on (::|0\.0\.0\.0)/ }, {})
  const child = "require('node:http').createServer().listen(0, '0.0.0.0', () => process.send('up'))"
  found.release({ 'child.js': child, 'server.js': `require('node:child_process').fork('./child.js').once('message', () => { ${service.replace("'use strict'", '')} })` })
  await fails(t, found, { code: 'UC_DEPLOY_EXPOSED', stage: 'listeners', message: /child\.js/ }, {})
  found.release({ 'server.js': service + whenSwitched("require('node:http').createServer().listen(0, '0.0.0.0')") })
  await fails(t, found, { code: 'UC_DEPLOY_EXPOSED', stage: 'watch' }, { more: { watchMs: 1500 } })
  found.release({ 'server.js': service.replace('Number(PORT)', '0') })
  await fails(t, found, { code: 'UC_DEPLOY_UNHEALTHY' }, { more: { health: { timeoutMs: 800, everyMs: 20 } } })

  const next = found.release({ 'free.js': '' })
  const stranger = net.createServer()
  await new Promise((resolve) => stranger.listen(found.ports[1], '127.0.0.1', resolve))
  t.teardown(() => stranger.close())
  await fails(t, found, { code: 'UC_DEPLOY_PORT_TAKEN', stage: 'check', message: new RegExp(`port ${found.ports[1]} is taken by pid ${process.pid}`) }, {
    release: next, mend: () => new Promise((resolve) => stranger.close(() => resolve()))
  })
})

long('migrations and hooks', async t => {
  const found = await serving(t)
  const mark = path.join(found.root, 'mark')
  found.release({ 'migrate.js': `require('node:fs').appendFileSync(${JSON.stringify(mark)}, process.env.UNDERCROFT_RELEASE + '\\n'); if (process.argv[2]) { console.log('no such column'); process.exit(1) }` })
  for (const when of ['before-start', 'before-switch']) {
    await fails(t, found, { code: 'UC_DEPLOY_MIGRATION', stage: 'migrate', message: /exit code 1/ }, { more: { migrations: { command: [process.execPath, 'migrate.js', 'badly'], when } }, lines: /no such column/ })
  }
  await fails(t, found, { code: 'UC_DEPLOY_MIGRATION', message: /not over after 0\.5 s/ }, { more: { migrations: { command: 'sleep 60', timeoutMs: 500 } } })
  await fails(t, found, { code: 'UC_DEPLOY_HOOK', message: /beforeStart/ }, { more: { hooks: { beforeStart: { command: ['false'], where: 'there' } } } })
  fs.rmSync(mark)
  const migrations = { command: ['node', 'migrate.js'] }
  // One that a deployment has left behind whose agent was killed; it ends once somebody has said that he waits for it.
  const seen = path.join(found.root, 'seen')
  const left = spawn(process.execPath, ['-e', `
    const fs = require('node:fs')
    setInterval(() => {
      if (!fs.existsSync(${JSON.stringify(seen)})) return
      fs.appendFileSync(${JSON.stringify(mark)}, 'left\\n')
      process.exit()
    }, 20)`], { env: { UNDERCROFT_MIGRATES: found.app.deploy }, stdio: 'ignore' })
  t.teardown(() => left.kill('SIGKILL'))
  const early = await helper.failure(found.start({}, { migrations: { ...migrations, timeoutMs: 300 } }))
  t.match(early, { code: 'UC_DEPLOY_MIGRATION', message: new RegExp(`pid ${left.pid}`) }, 'is not waited for longer than one may take')
  const said = []
  const { release } = await found.start({}, { migrations }, {
    onEvent: ({ log }) => {
      if (!log) return
      said.push(log)
      if (log.includes('still runs')) fs.writeFileSync(seen, '')
    }
  })
  t.match(said.join(), new RegExp(`pid ${left.pid}\\) still runs`))
  t.equal(fs.readFileSync(mark, 'utf8'), `left\n${release}\n`, 'one after the other')
  fs.writeFileSync(mark, `${release}\n`)
  t.equal(fs.readFileSync(mark, 'utf8'), `${release}\n`, 'they ran once')
  await found.start({ back: true }, { migrations })
  t.equal(fs.readFileSync(mark, 'utf8'), `${release}\n`, 'and not for a rollback')
  await found.start({ release, migrate: false }, { migrations })
  t.equal(fs.readFileSync(mark, 'utf8'), `${release}\n`, 'nor where another host had them')
})

t.test('the file of the gateway', async t => {
  const found = await serving(t)
  const to = path.join(found.root, 'gateway.conf')
  const good = (pid) => `pid ${found.root}/${pid}.pid; error_log stderr; events {} http { access_log off; server { listen unix:${found.root}/g.sock; } }\n`
  const read = path.join(found.root, 'read')
  const gateway = { file: 'x', to, test: ['nginx', '-t', '-c', to], reload: ['cp', to, read] }
  found.release({ 'a.js': '' })
  await fails(t, found, { code: 'UC_DEPLOY_GATEWAY', stage: 'gateway', message: /as it was before/ }, { args: { gateway: 'events {} htttp {}\n' }, more: { gateway }, lines: /unknown directive "htttp"/ })
  t.notOk(fs.existsSync(to), 'there is none, as before')
  await found.start({ gateway: good('a') }, { gateway })
  found.first = await found.serving()
  t.equal(fs.readFileSync(read, 'utf8'), good('a'), 'the gateway has read it')
  found.release({ 'b.js': '' })
  await fails(t, found, { code: 'UC_DEPLOY_GATEWAY', stage: 'gateway' }, {
    args: { gateway: 'nonsense' }, more: { gateway }, lines: /unexpected end of file/, mend: () => ({ args: { gateway: good('b') }, more: { gateway } })
  })
  found.first = await found.serving()
  t.equal(fs.readFileSync(read, 'utf8'), good('b'))
  found.release({ 'c.js': '' })
  const err = await helper.failure(found.start({ gateway: good('c') }, { gateway: { ...gateway, reload: ['false'] } }))
  t.match(err, { code: 'UC_DEPLOY_GATEWAY', message: /the reload/ })
  t.equal(fs.readFileSync(to, 'utf8'), good('b'), 'put back after a reload that failed, too')
  t.notOk(fs.existsSync(path.join(found.app.deploy, 'gateway.before')))
})

long('permissions', { skip: !isRoot && 'needs root, to be somebody else' }, async t => {
  // The agent as a user who owns nothing here.
  const found = await host(t)
  const nobody = path.join(found.root, 'nobody')
  fs.chmodSync(found.root, 0o755)
  fs.writeFileSync(nobody, `#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups ${process.execPath} "$@"\n`, { mode: 0o755 })
  const own = (file) => spawnSync('chown', ['-R', '65534:65534', file])
  found.first = found.release()
  own(found.folder)
  const runtime = { name: 'node', path: nobody }
  await found.start({}, { runtime, start: { command: [process.execPath, 'server.js'] } })
  found.release({ 'a.js': '' })
  const more = { runtime, start: { command: [process.execPath, 'server.js'] } }
  fs.chownSync(found.app.slots, 0, 0)
  await fails(t, found, { code: 'UC_DEPLOY_ACCESS', message: /permission denied/ }, { more })
  fs.chownSync(found.app.slots, 65534, 65534)
  fs.chownSync(found.app.run, 0, 0)
  await fails(t, found, { code: 'UC_DEPLOY_DIED', stage: 'health' }, { more, lines: /EACCES/ })
  fs.chownSync(found.app.run, 65534, 65534)
  const to = path.join(found.root, 'gateway.conf')
  const gateway = { file: 'x', to, test: ['true'], reload: ['true'] }
  await fails(t, found, { code: 'UC_DEPLOY_GATEWAY', stage: 'gateway', message: /cannot be written: EACCES/ }, {
    args: { gateway: 'text' },
    more: { ...more, gateway },
    mend: () => spawnSync('install', ['-o', '65534', '-m', '644', '/dev/null', to])
  })
  t.equal(fs.readFileSync(to, 'utf8'), 'text', 'a file of its own in a folder that is not')
})

t.test('a full disk', { skip: !isRoot && 'needs root, to mount one' }, async t => {
  const found = await host(t)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', found.folder])
  if (mounted.status !== 0) return t.comment(`left out: no tmpfs can be mounted here: ${mounted.stderr}`)
  t.teardown(() => {
    for (const pid of found.processes()) process.kill(pid, 'SIGKILL')
    spawnSync('umount', ['-l', found.folder])
  })
  found.first = found.release()
  await found.start()
  found.release({ 'a.js': '' })
  const filler = path.join(found.folder, 'filler')
  const fill = () => {
    const fd = fs.openSync(filler, 'a')
    try {
      for (const size of [65536, 4096]) for (;;) if (fs.writeSync(fd, Buffer.alloc(size)) < size) break
    } catch (err) {
      if (err.code !== 'ENOSPC') throw err
    }
    fs.closeSync(fd)
  }
  fill()
  const before = found.processes().sort()
  const err = await helper.failure(found.start())
  t.match(err, { code: 'UC_DEPLOY_DISK', host: 'one' })
  t.comment(`${err.stage}: ${err.message}`)
  t.equal(await found.serving(), found.first)
  t.same(found.processes().sort(), before)
  fs.rmSync(filler)
  const { release } = await found.start()
  t.equal(await found.serving(), release, 'with room again the same command finishes')
})

t.test('a service that does not end is killed, with a report', async t => {
  const found = await host(t)
  found.release({ 'server.js': service.replace(/process\.on\('SIGTERM'[^]*/, "process.on('SIGTERM', () => {})") })
  const { instances: [{ port }] } = await found.start()
  const client = net.connect(port, '127.0.0.1')
  await new Promise((resolve) => client.once('connect', resolve))
  client.on('error', () => {})
  const second = net.connect(found.app.upstream(0))
  await new Promise((resolve) => second.once('connect', resolve))
  second.on('error', () => {})
  found.release({ 'a.js': '' })
  const warnings = []
  const { drained } = await found.start({}, { drainMs: 300, killMs: 100 }, { onEvent: (event) => { if (event.warning) warnings.push(event.warning) } })
  t.match(drained, [{ how: 'killed', signal: 'SIGKILL', open: { tcp: 1, unix: 1 } }])
  t.match(warnings.join(), /was killed .* open were 1 connections to its port and 1 to its socket/)
  t.match(found.audit().at(-1).drained, [{ how: 'killed' }], 'the audit has it')
  t.equal(found.processes().length, 2)
  client.destroy()
  second.destroy()
})

long('what a service has started ends with it', async t => {
  const found = await host(t)
  found.release({ 'server.js': `require('node:child_process').spawn(process.execPath, ['-e', "process.on('SIGTERM',()=>{});setInterval(()=>{},1e3)"], { stdio: 'ignore' })\n${service.replace("'use strict'", '')}` })
  await found.start()
  t.equal(found.processes().length, 3)
  found.release({ 'a.js': '' })
  await found.start()
  t.equal(found.processes().length, 2)
})

t.test('a supervisor starts a service again that crashes, later and later', async t => {
  const found = await host(t)
  // It does not clear its socket away itself: that of a process that was killed would be in its way.
  const release = found.release({ 'server.js': service.replace('fs.rmSync(UNDERCROFT_SOCKET, { force: true })\n', 'fs.statSync(__filename)\n') })
  await found.start()
  const [{ slot }] = found.state().active.instances
  const status = () => JSON.parse(fs.readFileSync(slot.replace('.json', '.status')))
  const waits = []
  const times = helper.isLong ? 4 : 2
  for (let n = 1; n <= times; n++) {
    const { child } = status()
    const began = Date.now()
    process.kill(child.pid, 'SIGKILL')
    await helper.until(() => status().restarts === n && status().child !== null, `restart ${n}`)
    waits.push(Date.now() - began)
    await helper.until(async () => await found.serving() === release, 'it serves again')
  }
  t.comment(`started again after ${waits.join(', ')} ms`)
  const log = fs.readFileSync(path.join(found.app.out, `${release}.${found.ports[0]}.log`), 'utf8')
  const told = [...log.matchAll(/SIGKILL after \d+ ms; started again in (\d+) ms/g)].map(([, ms]) => Number(ms))
  t.equal(told.length, times)
  for (const [n, ms] of told.entries()) t.ok(ms >= 50 * 2 ** n && ms <= 100 * 2 ** n, `between half and the whole of ${100 * 2 ** n} ms: ${ms}`)

  // Without its supervisor a service goes on, and is still ended by the next deployment.
  process.kill(status().pid, 'SIGKILL')
  await helper.until(() => found.processes().length === 1, 'the supervisor is gone')
  t.equal(await found.serving(), release)
  const next = found.release({ 'a.js': '' })
  await found.start()
  t.equal(await found.serving(), next)
  t.equal(found.processes().length, 2)
})

long('two instances', async t => {
  const found = await host(t, { instances: 2 })
  found.first = found.release()
  t.match(await found.start(), { instances: [{ port: found.ports[0] }, { port: found.ports[2] }] })
  for (const [index, port] of [[0, found.ports[0]], [1, found.ports[2]]]) {
    const env = JSON.parse(await body({ socketPath: found.app.upstream(index), path: '/env' }))
    t.match(env, { PORT: String(port), UNDERCROFT_INSTANCE: String(index) })
  }
  // One of the two cannot start: neither serves.
  found.release({ 'server.js': `if (process.env.UNDERCROFT_INSTANCE === '1') throw new Error('not me')\n${service.replace("'use strict'", '')}` })
  await fails(t, found, { code: 'UC_DEPLOY_DIED' }, { lines: /not me/ })
  const next = found.release({ 'a.js': '' })
  t.match(await found.start(), { instances: [{ port: found.ports[1] }, { port: found.ports[3] }] })
  t.equal(found.processes().length, 4)
  // With one instance less the gateway's second name leads somewhere, too.
  found.release({ 'b.js': '' })
  await found.start({}, { instances: 1, ports: found.ports.slice(0, 2) })
  for (const index of [0, 1]) t.equal((await ask({ socket: found.app.upstream(index) }, '/health')).status, 200)
  t.equal(found.processes().length, 2)
  t.ok(next)
})

long('the mode of two ports', async t => {
  const found = await serving(t, { switch: 'ports' })
  t.notOk(fs.existsSync(found.app.upstream(0)))
  const next = found.release({ 'a.js': '' })
  await found.start()
  t.equal(await body({ port: found.ports[1], path: '/' }), next)
  t.match(await ask({ port: found.ports[0] }, '/'), { reason: 'ECONNREFUSED' })
  t.equal(fs.readlinkSync(found.app.current), `releases/${next}`)

  // The gateway has both ports: one that is given up may have requests.
  found.release({ 'server.js': service.replace("if (req.url === '/env')", "if (req.url === '/slow') return setTimeout(() => res.end('slow'), 1500)\n  if (req.url === '/env')") })
  let slow
  const begun = { command: ['sh', '-c', 'sleep 0.3; exit 1'], when: 'before-switch' }
  const err = await helper.failure(found.start({}, { migrations: begun, drainMs: 20_000 }, {
    onEvent: ({ stage }) => { if (stage === 'migrate') slow = body({ port: found.ports[0], path: '/slow' }).catch((err) => err.code) }
  }))
  t.match(err, { code: 'UC_DEPLOY_MIGRATION' })
  t.equal(await slow, 'slow', 'its request is answered')
  t.equal(await body({ port: found.ports[1], path: '/' }), next)
})

t.test('after a reboot', async t => {
  const found = await host(t, { instances: 2 })
  const release = found.release()
  await found.start()
  const boot = async () => {
    const child = spawn(process.execPath, [path.join(found.app.agent, 'boot.js')], { stdio: ['ignore', 'inherit', 'inherit'], env: { PATH: process.env.PATH }, cwd: '/' })
    return new Promise((resolve) => child.once('exit', resolve))
  }
  t.equal(await boot(), 0)
  t.equal(found.processes().length, 4, 'what runs is left alone')
  for (const pid of found.processes()) process.kill(pid, 'SIGKILL')
  await helper.until(() => found.processes().length === 0, 'the machine is off')
  t.equal(await boot(), 0)
  for (const index of [0, 1]) await helper.until(async () => (await ask({ socket: found.app.upstream(index) }, '/health')).status === 200, 'it serves again')
  t.equal(found.processes().length, 4)
  const env = JSON.parse(await body({ socketPath: found.app.upstream(1), path: '/env' }))
  t.match(env, { UNDERCROFT_RELEASE: release, UNDERCROFT_INSTANCE: '1' })
  // The power went between a switch and its entry in the journal: the names lead to sockets that nobody serves.
  for (const pid of found.processes()) process.kill(pid, 'SIGKILL')
  await helper.until(() => found.processes().length === 0, 'the machine is off')
  for (const index of [0, 1]) {
    fs.rmSync(found.app.upstream(index))
    fs.symlinkSync(`20300101-000000-00000000.${found.ports[1 + 2 * index]}.sock`, found.app.upstream(index))
  }
  t.equal(await boot(), 0)
  for (const index of [0, 1]) await helper.until(async () => (await ask({ socket: found.app.upstream(index) }, '/health')).status === 200, 'what served before serves')
  const next = found.release({ 'a.js': '' })
  await found.start()
  t.equal(await found.serving(), next, 'and is replaced as ever')
  t.equal(found.processes().length, 4)
})

t.test('one deployment at a time', async t => {
  const found = await serving(t)
  const session = await found.session()
  found.release({ 'server.js': service + '\nsetTimeout(() => {}, 1e9)' })
  const first = session.call('start', {}, {})
  const err = await helper.failure(found.session({}, { lockWaitMs: 0 }))
  t.match(err, { code: 'UC_DEPLOY_LOCKED', host: 'one' })
  t.match(await first, { changed: true })
  await session.close()
  t.match(await found.start(), { changed: false }, 'then the lock is free')
})

t.test('Bun on the host and as the service', async t => {
  const bun = runtimes().find(({ kind, skip }) => kind === 'bun' && !skip)
  if (bun === undefined) return t.comment('left out: there is no Bun here')
  const found = await host(t, { runtime: { name: 'bun', path: bun.exec } })
  const first = found.release()
  const session = await found.session()
  t.equal(session.facts.runtime.name, 'bun')
  await session.call('start')
  await session.close()
  t.equal(await found.serving(), first)
  for (const pid of found.processes()) t.match(proc.command(pid), bun.exec)
  found.first = first
  found.release({ 'server.js': "console.log('on bun'); process.exit(9)" })
  await fails(t, found, { code: 'UC_DEPLOY_DIED', stage: 'health', message: /code 9/ }, { lines: /on bun/ })
  const next = found.release({ 'b.js': '' })
  t.match(await found.start(), { release: next, drained: [{ how: 'exited' }] })
  t.match(await found.start({ back: true }), { release: first })
  t.equal(found.processes().length, 2)
})
