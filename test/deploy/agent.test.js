'use strict'
// The agent and its session without SSH: calls, payloads, stages, the lock, and
// what happens when the deployer or the agent is killed. On Node and on Bun.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn, spawnSync } = require('node:child_process')
const t = require('tap')
const { command } = require('../../deploy/bundle')
const { openLocalSession } = require('../../deploy/session')
const { runtimes } = require('../runtimes')
const { files } = require('./parts/ops')

const [node] = runtimes()
const bun = runtimes().find(runtime => runtime.kind === 'bun')

function setup (t, runtime = node) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  const config = { folder, runtime: { name: runtime.kind, path: runtime.exec }, app: 'test', none: undefined, fn () {} }
  const open = async (options = {}) => {
    const session = await openLocalSession({ name: 'one' }, config, { files, who: 'anna@laptop', ...options })
    t.teardown(() => session.close())
    return session
  }
  return { folder, open, file: name => path.join(folder, name) }
}

async function until (what, condition) {
  const deadline = Date.now() + 20_000
  for (;;) {
    const value = condition()
    if (value) return value
    if (Date.now() > deadline) throw new Error(`it did not come to be: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

function isAlive (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const held = session => new Promise(resolve => { session.onHeld = resolve })
const read = file => fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null

for (const runtime of [node, bun]) {
  const skip = runtime.skip || false

  t.test(`calls, on ${runtime.name}`, { skip }, async t => {
    const { open } = setup(t, runtime)
    const session = await open()
    t.match(session.facts, { hostname: os.hostname(), uid: process.getuid(), runtime: { name: runtime.kind, version: runtime.version } })
    t.match(session.facts, { user: os.userInfo().username, home: os.homedir() })
    t.same(await session.call('echo', { text: 'é日😀', list: [1, null] }), { text: 'é日😀', list: [1, null] })
    t.equal(await session.call('audited', { n: 1 }), null)
    const many = await Promise.all(Array.from({ length: 100 }, (_, n) => session.call('echo', { n })))
    t.same(many.map(({ n }) => n), Array.from({ length: 100 }, (_, n) => n))
    t.match(await session.call('facts'), { who: 'anna@laptop', config: { app: 'test' }, own: true })
    await t.rejects(session.call('nothing'), { code: 'UC_DEPLOY_PROTOCOL', host: 'one' })
    await t.rejects(session.call('constructor'), { code: 'UC_DEPLOY_PROTOCOL' })
  })

  t.test(`payloads and chunks, on ${runtime.name}`, { skip }, async t => {
    const { open } = setup(t, runtime)
    const session = await open()
    const payload = function * () {
      for (let i = 0; i < 20; i++) yield Buffer.alloc(1_500_000, i)
    }
    t.equal(await session.call('sink', {}, { payload: payload() }), 30_000_000)
    t.equal(await session.call('sink', {}, { payload: [] }), 0)
    let bytes = 0
    let atOnce = 0
    await session.call('source', { bytes: 20_000_001, size: 300_000 }, {
      onChunk: async chunk => {
        t.equal(++atOnce, 1)
        await new Promise(resolve => setImmediate(resolve))
        bytes += chunk.length
        atOnce--
      }
    })
    t.equal(bytes, 20_000_001)
    // What nobody reads is thrown away, and does not stop what comes after.
    t.same(await session.call('echo', { a: 1 }, { payload: payload() }), { a: 1 })
    t.same(await session.call('echo', { b: 1 }), { b: 1 })
    const broken = async function * () {
      yield Buffer.alloc(10)
      throw new Error('the disk here is broken')
    }
    await t.rejects(session.call('sink', {}, { payload: broken() }), { message: /the disk here is broken/ })
    t.same(await session.call('echo', { c: 1 }), { c: 1 })
  })

  t.test(`stages while payload comes, on ${runtime.name}`, { skip }, async t => {
    const { open } = setup(t, runtime)
    const session = await open()
    for (const after of [0, 1, 5_000_000, 20_000_000]) {
      const payload = Array.from({ length: 30 }, () => Buffer.alloc(1_000_000))
      const value = await session.call('staged', { after }, {
        payload,
        timeoutMs: 20_000,
        onEvent: () => new Promise(resolve => setTimeout(resolve, 100))
      })
      t.equal(value, 30_000_000, `after ${after} bytes`)
    }
  })

  t.test(`a stage begins when the deployer has told of it, on ${runtime.name}`, { skip }, async t => {
    const { open, file } = setup(t, runtime)
    const session = await open()
    const told = []
    const value = await session.call('stages', { names: ['a', 'b', 'c'], file: file('stages') }, {
      onEvent: async event => {
        await new Promise(resolve => setImmediate(resolve))
        told.push(event.stage)
        t.equal((read(file('stages')) || '').split('\n').length, told.length, 'nothing of it was done yet')
        t.match(event.at, /^\d{4}-\d\d-\d\dT/)
      }
    })
    t.equal(value, 3)
    t.same(told, ['a', 'b', 'c'])
  })

  t.test(`the agent outlives its deployer until its op is over, on ${runtime.name}`, { skip }, async t => {
    const { open, file } = setup(t, runtime)
    const session = await open({ lock: true, action: 'start' })
    const { pid } = session.facts
    const call = session.call('hold', { file: file('undone'), stage: 'switch' }, { onEvent: event => { if (event.held) session.onHeld() } })
    call.catch(() => {})
    await held(session)
    process.kill(pid, 'SIGHUP')
    t.same(await session.call('echo', { a: 1 }), { a: 1 }, 'a hang-up is nothing')
    process.kill(pid, 'SIGTERM')
    const undone = JSON.parse(await until('the undo', () => read(file('undone'))))
    t.equal(undone.lost, true)
    t.match(undone.reason, /SIGTERM/)
    await until('the end of the agent', () => !isAlive(pid))
    await t.rejects(call, { code: 'UC_DEPLOY_LOST', host: 'one', stage: 'switch' })
    await open({ lock: true })
  })
}

for (const runtime of [node, bun]) {
  t.test(`the holder of the lock is killed, on ${runtime.name}`, { skip: runtime.skip || false }, async t => {
    const { open, file } = setup(t, runtime)
    const session = await open({ lock: true })
    const flock = Number(/^PPid:\t(\d+)/m.exec(fs.readFileSync(`/proc/${session.facts.pid}/status`, 'utf8'))[1])
    t.equal(read(`/proc/${flock}/comm`), 'flock\n')
    const call = session.call('hold', { file: file('undone') }, { onEvent: event => { if (event.held) process.kill(flock, 'SIGKILL') } })
    call.catch(() => {})
    t.match(JSON.parse(await until('the undo', () => read(file('undone')))), { lost: true }, 'whoever starts a program closes its stdin when it has ended')
    await t.rejects(call, { code: 'UC_DEPLOY_LOST' })
  })
}

t.setTimeout(120_000)

t.test('what is no message is refused here', async t => {
  const { open } = setup(t)
  const session = await open()
  await t.rejects(session.call('echo', { a: 1n }), TypeError)
  await t.rejects(session.call('echo', { a: 'x'.repeat(17 * 1024 * 1024) }), { code: 'UC_DEPLOY_PROTOCOL' })
  t.same(await session.call('echo', { a: 1 }), { a: 1 })
})

t.test('errors of ops', async t => {
  const { open } = setup(t)
  const session = await open()
  await t.rejects(session.call('fail', { how: 'full' }), { code: 'UC_DEPLOY_DISK', host: 'one', stage: 'failing', hint: /free space/ })
  const coded = await t.rejects(session.call('fail', { how: 'coded' }), { code: 'UC_DEPLOY_PORT', message: 'the port is taken', hint: 'stop it' })
  t.same([coded.lines, coded.details], [['a', 'b'], { pid: 1 }])
  t.match(coded.describe(), /^one: failing: the port is taken \(UC_DEPLOY_PORT\)\n {2}\| a\n {2}\| b\n {2}-> stop it$/)
  await t.rejects(session.call('fail', {}), { code: 'UC_DEPLOY_INTERNAL', message: 'unforeseen', stage: 'failing' })
  await t.rejects(session.call('echo', {}, { onEvent () {}, signal: AbortSignal.abort(new Error('no more')) }), { code: 'UC_DEPLOY_CANCELLED', message: /no more/ })
})

t.test('an agent that dies is told, with its last words', async t => {
  const { open } = setup(t)
  const one = await open()
  await t.rejects(one.call('fail', { how: 'crash' }), { code: 'UC_DEPLOY_LOST', stage: 'failing', lines: /last words[^]*crashed/ })
  await t.rejects(one.call('echo'), { code: 'UC_DEPLOY_LOST' }, 'and calls after it')
  const two = await open()
  const calls = [two.call('hold', { file: 'x' }), two.call('fail', { how: 'die' })]
  for (const call of calls) call.catch(() => {})
  for (const call of calls) await t.rejects(call, { code: 'UC_DEPLOY_LOST', host: 'one' })
})

t.test('cancelling lets an op undo, and waits for it', async t => {
  const { open, file } = setup(t)
  const session = await open()
  const controller = new AbortController()
  const value = await session.call('hold', { file: file('undone') }, {
    signal: controller.signal,
    onEvent: event => { if (event.held) controller.abort(new Error('Ctrl-C')) }
  })
  t.equal(value, 'undone')
  t.match(JSON.parse(read(file('undone'))), { lost: true, reason: /Ctrl-C/ })
  t.same(await session.call('echo', { a: 1 }), { a: 1 }, 'the session goes on')

  // Payload that the op does not take is not in the way of that.
  const second = new AbortController()
  const payload = Array.from({ length: 30 }, () => Buffer.alloc(1_000_000))
  const again = session.call('hold', { file: file('again') }, { payload, signal: second.signal, onEvent: event => { if (event.held) setTimeout(() => second.abort(), 300) } })
  t.equal(await again, 'undone')
})

t.test('a call has its time', async t => {
  const { open, file } = setup(t)
  const session = await open()
  await t.rejects(session.call('hold', { file: file('undone'), stage: 'waiting' }, { timeoutMs: 300 }),
    { code: 'UC_DEPLOY_TIMEOUT', host: 'one', message: /hold .*0\.3 s/ })
  t.match(JSON.parse(await until('the undo', () => read(file('undone')))), { lost: true })
})

t.test('a silent deployer is a lost one', async t => {
  const { open, file } = setup(t)
  const session = await open({ tickMs: 100, silenceMs: 500 })
  // The session's own heartbeat comes every two seconds.
  const call = session.call('hold', { file: file('undone') })
  call.catch(() => {})
  t.match(JSON.parse(await until('the undo', () => read(file('undone')))), { lost: true, reason: /nothing was heard .*0\.5 s/ })
  await t.rejects(call, { code: 'UC_DEPLOY_LOST' })
})

t.test('the lock', async t => {
  const { open, file, folder } = setup(t)
  const first = await open({ lock: true, action: 'start' })
  const refused = await t.rejects(open({ lock: true, lockWaitMs: 0, who: 'bert@desk' }), { code: 'UC_DEPLOY_LOCKED', host: 'one', message: /anna@laptop/ })
  t.match(refused.details, { who: 'anna@laptop', action: 'start', pid: first.facts.pid })
  t.match(refused.details.since, /^\d{4}-/)
  const reader = await open()
  t.match(await reader.call('lock.holder'), { who: 'anna@laptop' }, 'who only reads is let in')
  await reader.close()

  let waits = 0
  const second = open({ lock: true, action: 'rollback', who: 'bert@desk', onWait: async holder => { if (waits++ === 0) await first.close(); else t.equal(holder, null) } })
  t.match((await (await second).call('lock.holder')), { who: 'bert@desk', action: 'rollback' }, 'freed by the end of a session')

  process.kill((await second).facts.pid, 'SIGKILL')
  const third = await open({ lock: true, who: 'carl@desk' })
  t.match(await third.call('lock.holder'), { who: 'carl@desk' }, 'freed by kill -9 of the agent')

  const stream = await third.openStream()
  t.match(await stream.call('lock.holder'), { who: 'carl@desk' })
  await stream.close()
  await third.close()
  t.same(fs.readdirSync(path.join(folder, '.deploy')).sort(), ['lock'])
  fs.writeFileSync(file('.deploy/lock.json'), JSON.stringify({ who: 'nobody', pid: 2 ** 30 }))
  t.match(await (await open({ lock: true, who: 'dora@desk' })).call('lock.holder'), { who: 'dora@desk' }, 'what a dead one has written is nothing')
})

t.test('kill -9 of the deployer: the agent undoes, and the same command waits for it', async t => {
  const { open, file, folder } = setup(t)
  const script = `
    const { openLocalSession } = require(${JSON.stringify(require.resolve('../../deploy/session'))})
    const { files } = require(${JSON.stringify(require.resolve('./parts/ops'))})
    openLocalSession({ name: 'one' }, { folder: ${JSON.stringify(folder)}, runtime: { path: process.execPath } }, { files, lock: true, who: 'killed' })
      .then(session => session.call('hold', { file: ${JSON.stringify(file('undone'))}, stage: 'switch' }, { onEvent: event => { if (event.held) console.log(event.held) } }))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const agent = Number(await new Promise(resolve => child.stdout.once('data', resolve)))
  t.match(JSON.parse(read(file('.deploy/lock.json'))), { who: 'killed', stage: 'switch', pid: agent })
  child.kill('SIGKILL')
  const again = await open({ lock: true, who: 'again' })
  t.match(JSON.parse(read(file('undone'))), { lost: true }, 'it was undone when the lock came free')
  t.match(await again.call('lock.holder'), { who: 'again' })
  t.equal(isAlive(agent), false)
})

t.test('what a host may lack', async t => {
  const { open, folder } = setup(t)
  t.teardown(() => fs.rmSync(`${folder}-file`, { force: true }))
  fs.writeFileSync(`${folder}-file`, '')
  const start = (config, options) => openLocalSession({ name: 'one' }, { folder, runtime: { path: node.exec }, ...config }, options)
  await t.rejects(start({ runtime: { path: '/no/such/node' } }), { code: 'UC_DEPLOY_RUNTIME', host: 'one', stage: 'connect', hint: /absolute path/ })
  await t.rejects(start({ runtime: { path: '/bin/false' } }), { code: 'UC_DEPLOY_RUNTIME' })
  await t.rejects(start({ folder: `${folder}-file/app` }, { lock: true }), { code: 'UC_DEPLOY_ACCESS', hint: /sudo install -d/ })
  await t.rejects(start({ runtime: { path: '/bin/sh' } }), { code: 'UC_DEPLOY_RUNTIME' }, 'a program that is no runtime')
  fs.writeFileSync(`${folder}-old.js`, "Object.defineProperty(process, 'versions', { value: { node: '12.22.0' } })")
  fs.writeFileSync(`${folder}-file`, `#!/bin/sh\nexec '${node.exec}' -r '${folder}-old.js' "$@"\n`, { mode: 0o755 })
  fs.chmodSync(`${folder}-file`, 0o755)
  t.teardown(() => fs.rmSync(`${folder}-old.js`))
  await t.rejects(start({ runtime: { path: `${folder}-file` } }), { code: 'UC_DEPLOY_RUNTIME', message: /too old/, lines: ['this is node 12.22.0, and 20 is needed'] })
  t.same(fs.readdirSync(folder), [], 'and who only looks makes nothing')
  await t.rejects(start({ runtime: { path: '/no/such/node' } }, { lock: true }), { code: 'UC_DEPLOY_RUNTIME', message: /no\/such\/node/ })
  const { PATH } = process.env
  fs.mkdirSync(`${folder}/bin`)
  for (const name of ['env', 'mkdir']) fs.symlinkSync(`/usr/bin/${name}`, `${folder}/bin/${name}`)
  process.env.PATH = `${folder}/bin`
  t.teardown(() => { process.env.PATH = PATH })
  await t.rejects(start({}, { lock: true }), { code: 'UC_DEPLOY_RUNTIME', message: /no flock/, hint: /util-linux/ })
  // What other programs than ours say, in their words.
  const says = (name, text) => {
    fs.rmSync(`${folder}/bin/${name}`, { force: true })
    fs.writeFileSync(`${folder}/bin/${name}`, `#!/bin/sh\necho "${text}" >&2\nexit 1\n`, { mode: 0o755 })
  }
  for (const text of ['flock: unrecognized option: E', "flock: invalid option -- 'E'"]) {
    says('flock', text)
    await t.rejects(start({}, { lock: true }), { code: 'UC_DEPLOY_RUNTIME', message: /the flock of the host is not that of util-linux/, hint: /util-linux/, lines: [text] })
  }
  says('flock', 'flock: cannot open lock file /x: No space left on device')
  await t.rejects(start({}, { lock: true }), { code: 'UC_DEPLOY_DISK' })
  for (const text of ["mkdir: cannot create directory '/x': No space left on device", "mkdir: can't create directory '/x/.deploy': Disk quota exceeded"]) {
    says('mkdir', text)
    await t.rejects(start({}, { lock: true }), { code: 'UC_DEPLOY_DISK', message: text.split(': ').at(-1), hint: /free space/ })
  }
  process.env.PATH = PATH
  await open({ lock: true })
})

const csh = ['/bin/tcsh', '/usr/bin/tcsh', '/bin/csh'].find(file => fs.existsSync(file))
t.test('a login shell that is no sh', async t => {
  const { folder } = setup(t)
  const line = command({ runtime: node.exec, folder: `${folder}/it's $HOME`, lock: true })
  t.match(line, /^env LC_ALL=C mkdir /, 'csh takes NAME=value for a command')
  if (!csh) return t.comment('left out: there is no csh')
  const { status, stderr } = spawnSync(csh, ['-f', '-c', line], { input: '', encoding: 'utf8' })
  t.same([status, stderr], [0, ''])
  t.ok(fs.existsSync(`${folder}/it's $HOME/.deploy/lock`))
})

t.test('an audit line an action', async t => {
  const { open, file } = setup(t)
  const session = await open()
  await session.call('audited', { n: 1 })
  await session.call('audited', { n: 2 })
  const lines = read(file('.deploy/audit.log')).trim().split('\n').map(JSON.parse)
  t.match(lines, [{ who: 'anna@laptop', user: os.userInfo().username, action: 'test', result: 'ok', n: 1 }, { n: 2 }])
  t.match(lines[0].at, /^\d{4}-\d\d-\d\dT/)
  fs.truncateSync(file('.deploy/audit.log'), 8 * 1024 * 1024)
  await session.call('audited', { n: 3 })
  t.equal(fs.statSync(file('.deploy/audit.log.1')).size, 8 * 1024 * 1024)
  t.match(JSON.parse(read(file('.deploy/audit.log'))), { n: 3 })
})
