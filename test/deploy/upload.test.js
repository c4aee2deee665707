'use strict'

// Step one between a deployer and an agent without SSH: what travels, what is
// linked, what is refused; on Node and on Bun.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const t = require('tap')
const releases = require('../../deploy/agent/host/releases')
const { paths } = require('../../deploy/agent/host/paths')
const { textOf } = require('../../deploy/agent/host/manifest')
const { runtimes } = require('../runtimes')
const { scene, contentOf } = require('./parts/upload')

t.setTimeout(120_000)

const [node] = runtimes()
const bun = runtimes().find(runtime => runtime.kind === 'bun')
const stages = events => events.filter(({ stage }) => stage).map(({ stage }) => stage)
const modeOf = file => fs.statSync(file).mode & 0o777
const inodeOf = file => fs.statSync(file).ino

for (const runtime of [node, bun]) {
  t.test(`first, unchanged, changed, on ${runtime.name}`, { skip: runtime.skip || false }, async t => {
    const { app, ids, put, source, there, upload, audit } = scene(t, { runtime })
    for (let i = 0; i < 400; i++) put(`lib/${i % 7}/f${i}.js`, `content ${i}`)
    put('empty', '')
    put('empty, too', '')
    put('twin', 'content 1')
    put('twin.sh', 'content 1', 0o755)
    put('bin/run', '#!/bin/sh\n', 0o755)
    put('ünïcødé 名/😀 \'"$(touch x)`.js')
    put('large', crypto.randomBytes(3_500_000))
    fs.symlinkSync('../lib/1', path.join(source, 'bin/link'))

    const first = await upload()
    t.match(first, { files: 407, resumed: false, linked: { files: 0 }, removed: [] })
    t.equal(first.sent.files, 404, 'the same content travels once')
    t.same(stages(first.events), ['compare', 'transfer', 'verify', 'complete', 'prune'])
    t.same(contentOf(app.release(first.id)), contentOf(source))
    t.equal(modeOf(there(first.id, 'large')), 0o444)
    t.equal(modeOf(there(first.id, 'lib/1/f1.js')), 0o444)
    t.equal(modeOf(there(first.id, 'twin.sh')), 0o555)
    t.match(releases.newest(app), { id: first.id, who: 'anna@laptop', files: 407 })
    t.same(fs.readdirSync(app.releases), [first.id], 'nothing else is left there')
    const last = first.events.filter(({ progress }) => progress).at(-1).progress
    t.same(last, { files: 404, bytes: first.sent.bytes, ofFiles: 404, ofBytes: first.sent.bytes })

    const same = await upload()
    t.match(same, { id: first.id, unchanged: true })
    t.same(ids(), [first.id])

    put('lib/3/f3.js', 'changed')
    put('lib/new.js')
    fs.chmodSync(path.join(source, 'lib/0/f0.js'), 0o755)
    fs.rmSync(path.join(source, 'lib/5/f5.js'))
    const second = await upload()
    t.equal(second.sent.files, 3, 'a changed one, a new one, and one with another mode')
    t.equal(second.linked.files, 404)
    t.same(contentOf(app.release(second.id)), contentOf(source))
    t.equal(inodeOf(there(second.id, 'large')), inodeOf(there(first.id, 'large')), 'unchanged files are links')
    t.not(inodeOf(there(second.id, 'lib/3/f3.js')), inodeOf(there(first.id, 'lib/3/f3.js')))
    t.equal(fs.readFileSync(there(first.id, 'lib/3/f3.js'), 'utf8'), 'content 3', 'the release before is as it was')
    t.same((await releases.verify(app, first.id)).bad, [])

    put('lib/3/f3.js', 'content 3')
    t.equal((await upload()).sent.files, 1, 'f3 is here, but not in the newest; small things travel again')
    t.match(audit(), [{ action: 'upload', result: 'ok', release: first.id, who: 'anna@laptop' }, { action: 'upload', release: first.id, changed: false }, { release: second.id }, {}])
    const forced = await upload({ force: true })
    t.match(forced, { sent: { files: 0 } })
    t.equal(ids().length, 4)
  })
}

t.test('several agents receive beside each other where the way is long', async t => {
  const { app, put, source, upload } = scene(t)
  for (let i = 0; i < 60; i++) put(`f${i}`, crypto.randomBytes(400_000 + i))
  let streams = 0
  const far = session => ({
    call: async (op, ...rest) => {
      if (op === 'upload.ping') await new Promise(resolve => setTimeout(resolve, 25))
      return session.call(op, ...rest)
    },
    openStream: () => {
      streams++
      // One more than this server allows.
      return streams > 2 ? Promise.reject(new Error('no')) : session.openStream()
    }
  })
  const { id, events } = await upload({ through: far })
  t.equal(streams, 3)
  t.same(contentOf(app.release(id)), contentOf(source))
  t.match(events.filter(({ progress }) => progress).at(-1).progress, { files: 60, ofFiles: 60 })
})

t.test('a release that somebody has damaged is no source', async t => {
  const { app, ids, put, source, there, upload } = scene(t)
  for (let i = 0; i < 10; i++) put(`f${i}`, `content ${i}`)
  const first = await upload()
  const edit = (name, text, mode) => {
    fs.chmodSync(there(first.id, name), 0o644)
    fs.writeFileSync(there(first.id, name), text)
    fs.chmodSync(there(first.id, name), mode)
  }
  edit('f1', 'CONTENT 1', 0o444) // its size and mode are right
  edit('f2', 'longer than before', 0o444)
  edit('f3', 'content 3', 0o666)
  fs.rmSync(there(first.id, 'f4'))
  put('f9', 'changed')
  const second = await upload()
  t.same(contentOf(app.release(second.id)), contentOf(source))
  t.same(stages(second.events).filter(stage => stage === 'transfer').length, 2, 'what was wrong is sent again')
  t.equal(modeOf(there(second.id, 'f3')), 0o444)
  const { bad } = await releases.verify(app, first.id)
  t.same(bad.map(({ path }) => path).sort(), ['f1', 'f2', 'f3', 'f4'], 'and verify tells of the old one')
  fs.rmSync(there(second.id, 'f5'))
  const third = await upload()
  t.notOk(third.unchanged, 'a release that lacks a file is not the same')
  t.equal(ids().length, 3)
})

t.test('the environment file belongs to a release', async t => {
  const { app, put, upload } = scene(t)
  put('a')
  const first = await upload({ env: 'SECRET=1\n' })
  t.equal(modeOf(releases.envOf(app, first.id)), 0o600)
  t.match(await upload({ env: 'SECRET=1\n' }), { unchanged: true })
  const second = await upload({ env: 'SECRET=2\n' })
  t.notOk(second.unchanged, 'another environment is another release')
  t.equal(fs.readFileSync(releases.envOf(app, first.id), 'utf8'), 'SECRET=1\n')
  t.equal(fs.readFileSync(releases.envOf(app, second.id), 'utf8'), 'SECRET=2\n')
  t.notOk(fs.existsSync(app.env), 'nothing is put in place by step one')
  t.notMatch(fs.readFileSync(app.audit, 'utf8'), 'SECRET')
  t.notMatch(fs.readFileSync(app.mark(second.id), 'utf8'), 'SECRET')
})

t.test('what an install command does', async t => {
  const { app, ids, put, there, upload, view } = scene(t)
  put('package.json', '{}')
  put('lib/a.js')
  const install = (command, timeoutMs = 20_000) => ({ more: { install: { command, timeoutMs }, env: { set: { FLAVOUR: 'mild' } } } })
  const good = await upload(install('mkdir -p node_modules/x lib/made && echo "$FLAVOUR $UNDERCROFT_RELEASE" | tee node_modules/x/y; pwd >&2'))
  t.equal(fs.readFileSync(there(good.id, 'node_modules/x/y'), 'utf8'), `mild ${good.id}\n`)
  const said = good.events.map(({ log }) => log).filter(Boolean)
  t.ok(said.includes(`mild ${good.id}`) && said.includes(app.release(good.id)), 'its output is shown, and it runs in the release')
  t.match(releases.newest(app), { made: ['lib/made', 'node_modules'], ran: [{}] })
  t.match(await upload(install(['node', '-e', '0'])), { id: /./, sent: { files: 0 } }, 'another command is another release')

  put('lib/a.js', 'changed')
  const failing = install(['sh', '-c', 'mkdir node_modules; seq 30; echo why >&2; exit 3'])
  await t.rejects(upload(failing), { code: 'UC_DEPLOY_INSTALL', host: 'one', stage: 'install', message: /exit code 3/, lines: { 19: /.*/ } })
  const broken = await upload(failing).catch(err => err)
  t.equal(broken.lines.length, 20)
  t.ok(broken.lines.includes('why'))
  t.equal(releases.complete(app).length, 2, 'it is not complete')
  await t.rejects(upload(install(['no-such-program'])), { code: 'UC_DEPLOY_INSTALL', message: /not found/ })
  await t.rejects(upload(install('sleep 1000 & sleep 1000', 300)), { code: 'UC_DEPLOY_INSTALL', message: /not over after 0\.3 s/ })
  await t.rejects(upload(install('chmod +w lib/a.js && echo more >> lib/a.js')), { code: 'UC_DEPLOY_VERIFY', stage: 'verify', message: /lib\/a\.js/, hint: /must not change/ })
  const count = ids().length
  const fixed = await upload({ more: { install: failing.more.install && { command: failing.more.install.command.slice(0, 2).concat('test ! -e node_modules'), timeoutMs: 60_000 } } })
  t.ok(fixed.id && ids().length === count + 1)
  t.match(await upload({ more: { build: { command: 'echo built > out.txt', where: 'there', timeoutMs: 60_000 } } }), { id: /./ })
  t.equal(view.install, null)
})

t.test('what an interrupted install has left is removed by the next attempt', async t => {
  const { app, put, upload } = scene(t)
  put('a')
  const file = path.join(paths(app.folder).folder, 'again')
  const command = `test ! -e node_modules && mkdir node_modules && ln -s /etc node_modules/etc && mv a b && mkdir a && test -e ${file}`
  const more = { install: { command, timeoutMs: 60_000 } }
  await t.rejects(upload({ more }), { code: 'UC_DEPLOY_INSTALL' })
  const next = { install: { command: `${command} || exit 5; rmdir a; mv b a`, timeoutMs: 60_000 } }
  await t.rejects(upload({ more: next }), { code: 'UC_DEPLOY_INSTALL' })
  fs.writeFileSync(file, '')
  // Commands go on whose agent was killed.
  const left = new Map(fs.readdirSync(app.releases).filter(name => releases.isId(name)).map(name => [name, spawn('sleep', ['60'], { cwd: app.release(name) })]))
  t.teardown(() => { for (const child of left.values()) child.kill() })
  const signals = new Map([...left].map(([name, child]) => [name, new Promise(resolve => child.once('exit', (code, signal) => resolve(signal)))]))
  const { id, resumed } = await upload({ more: next })
  t.equal(resumed, true)
  t.equal(await signals.get(id), 'SIGKILL', 'and is ended before another one begins')
  for (const [name, child] of left) if (name !== id) t.equal(child.signalCode, null, 'in this release alone')
  t.same(Object.keys(contentOf(app.release(id))).sort(), ['a', 'node_modules/etc'])
})

t.test('what the host refuses', async t => {
  const { app, session } = scene(t)
  const call = await session()
  const begin = text => call.call('upload.begin', {}, { payload: [Buffer.from(text)] })
  const evil = textOf({ files: [['../../evil', 4, 0, 'a'.repeat(64)]], links: [] }).text
  await t.rejects(begin(evil), { code: 'UC_DEPLOY_MANIFEST', host: 'one' })
  await t.rejects(begin('nonsense'), { code: 'UC_DEPLOY_MANIFEST' })
  t.match(fs.readFileSync(app.audit, 'utf8').trim().split('\n').map(JSON.parse), [{ action: 'upload', result: 'failed', code: 'UC_DEPLOY_MANIFEST' }, {}])
  t.notOk(fs.existsSync(app.releases), 'nothing was made')

  const sha = text => crypto.createHash('sha256').update(text).digest('hex')
  const { id, missing } = await begin(textOf({ files: [['a', 5, 0, sha('right')], ['b', 3, 0, sha('two')]], links: [] }).text)
  t.same(missing, [[0, 0], [1, 0]])
  const send = (items, bytes, to = id) => call.call('upload.files', { id: to, items }, { payload: [Buffer.from(bytes)] })
  await t.rejects(send([[0, 0]], 'wrong'), { code: 'UC_DEPLOY_CHANGED', message: /'a'/ })
  await t.rejects(send([[0, 0]], 'right and more'), { code: 'UC_DEPLOY_PROTOCOL' }, 'too much')
  await t.rejects(send([[0, 0], [1, 0]], 'rightt'), { code: 'UC_DEPLOY_PROTOCOL' }, 'too little')
  await t.rejects(send([[7, 0]], 'x'), { code: 'UC_DEPLOY_PROTOCOL' }, 'an index that is none')
  await t.rejects(send([[0, 9]], 'x'), { code: 'UC_DEPLOY_PROTOCOL' }, 'more than there can be')
  await t.rejects(send([[0, 0]], 'right', '../../etc'), { code: 'UC_DEPLOY_PROTOCOL' }, 'an id that is none')
  await t.rejects(call.call('upload.finish', { id: '20200101-000000-00000000' }), { code: 'UC_DEPLOY_PROTOCOL' }, 'not begun')
  t.match(await call.call('upload.finish', { id }), { again: [[1, 0]] }, 'what is missing is asked for')
  await send([[1, 0]], 'two')
  t.match(await call.call('upload.finish', { id, isLast: true }), { id, files: 2 })
  await t.rejects(send([[0, 0]], 'right'), { code: 'UC_DEPLOY_PROTOCOL' }, 'a complete release takes nothing more')
})

t.test('a file that changes during the upload', async t => {
  const { app, put, source, upload } = scene(t)
  // More than can be under way before the agent has announced the stage.
  const size = 12_000_000
  put('a', 'x'.repeat(size))
  put('z')
  const change = how => ({ onEvent: ({ stage }) => { if (stage === 'transfer') how() } })
  await t.rejects(upload(change(() => put('a', 'y'.repeat(size)))), { code: 'UC_DEPLOY_CHANGED', host: 'one', stage: 'transfer' })
  await t.rejects(upload(change(() => put('a', 'short'))), { code: 'UC_DEPLOY_CHANGED', message: /'a'/ })
  put('a', 'x'.repeat(size))
  await t.rejects(upload(change(() => fs.rmSync(path.join(source, 'z')))), { code: 'UC_DEPLOY_CHANGED', message: /'z'/ })
  t.equal(releases.complete(app).length, 0)
  const { id } = await upload()
  t.same(contentOf(app.release(id)), contentOf(source))
})

t.test('kept releases', async t => {
  const { app, dir, ids, put, upload } = scene(t, { view: { keep: 2 } })
  const made = []
  const next = async () => {
    put('a', `version ${made.length}`)
    put('big', crypto.randomBytes(2000))
    made.push((await upload()).id)
    return made.at(-1)
  }
  await next()
  await next()
  fs.symlinkSync(`releases/${made[0]}`, app.current)
  fs.mkdirSync(app.run, { recursive: true })
  fs.symlinkSync(`${made[1]}.4000.sock`, path.join(app.run, 'app.sock'))
  await next()
  await next()
  await next()
  t.same(ids(), [made[0], made[1], made[3], made[4]].sort(), 'current and the one with a socket stay, and the newest two')
  fs.writeFileSync(app.state, JSON.stringify({ previous: made[3] }))
  fs.rmSync(app.current)
  const reader = fs.openSync(path.join(app.release(made[1]), 'a'))
  fs.rmSync(path.join(app.run, 'app.sock'))
  await next()
  await next()
  t.same(ids(), [made[3], made[5], made[6]].sort(), 'the state names one')
  fs.closeSync(reader)
  for (const name of fs.readdirSync(app.marks)) t.ok(ids().includes(name.slice(0, ids()[0].length)), `${name} is of a release that is there`)

  // A removal that was interrupted, and an upload that nobody took up again.
  fs.mkdirSync(path.join(app.releases, '.trash-x/deep'), { recursive: true })
  const { id } = await upload({ force: true })
  fs.rmSync(app.mark(id))
  const old = new Date(Date.now() - 25 * 3600_000)
  for (const file of [app.release(id), app.manifest(id)]) fs.utimesSync(file, old, old)
  put('a', 'another')
  t.same((await upload()).removed.includes(id), true)
  t.same(fs.readdirSync(app.releases).filter(name => name.startsWith('.')), [])
  t.ok(dir)
})

t.test('a folder that may not be written', { skip: process.getuid() === 0 ? false : 'needs root, to be somebody else' }, async t => {
  const { dir, app, put, upload } = scene(t)
  put('a')
  fs.chmodSync(dir, 0o755)
  fs.mkdirSync(app.folder)
  const nobody = path.join(dir, 'as-nobody')
  fs.writeFileSync(nobody, `#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups ${process.execPath} "$@"\n`, { mode: 0o755 })
  await t.rejects(upload({ more: { runtime: { name: 'node', path: nobody } } }), { code: 'UC_DEPLOY_ACCESS', host: 'one', stage: 'compare', message: /permission denied/ })
  t.notOk(fs.existsSync(app.releases))
})
