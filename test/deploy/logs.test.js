'use strict'
// deploy logs over real SSH servers: which days come, what is verified, what is
// deleted and what never is. The clock is the test's.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { createHash, randomBytes } = require('node:crypto')
const { PassThrough } = require('node:stream')
const { gzipSync } = require('node:zlib')
const t = require('tap')
const { validate } = require('../../deploy/config')
const { logs } = require('../../deploy/logs')
const { Report } = require('../../deploy/report')
const { runtimes } = require('../runtimes')
const { startHosts } = require('./parts/sshd')

t.setTimeout(120_000)

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 23, 4, 30)
const dayText = ago => new Date(NOW - ago * DAY).toISOString().slice(0, 10)
const bun = runtimes().find(runtime => runtime.kind === 'bun')
const sha = file => createHash('sha256').update(fs.readFileSync(file)).digest('hex')

// A file of so many days ago.
function put (file, ago, content = gzipSync(`${file} ${ago}\n`)) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, content)
  const at = (NOW - ago * DAY) / 1000
  fs.utimesSync(file, at, at)
  return file
}

const ours = (dir, ago, number = 1) => path.join(dir, `shop-${dayText(ago)}.${number}.log.gz`)
const theirs = (dir, ago) => path.join(dir, `shop.access.json-${dayText(ago).replaceAll('-', '')}.gz`)

async function setup (t, count = 1, more = {}) {
  const hosts = await startHosts(t, count)
  const to = path.join(hosts.dir, 'server-logs')
  const site = {
    hosts,
    to,
    app: hosts.map(({ folder }) => path.join(folder, 'shared/logs')),
    gateway: path.join(hosts.dir, 'nginx'),
    here: (...names) => path.join(to, 'host1', ...names),
    change: {},
    // -> { hosts, failed, text }
    async pull (options = {}, { now = NOW } = {}) {
      const config = validate({
        app: 'shop',
        hosts: hosts.map(({ name, host, port, user, folder }) => ({ name, host, port, user, folder, ports: [4000, 4001] })),
        ssh: { key: hosts.userKey, agent: false, knownHosts: hosts.knownHosts, connectTimeoutMs: 20_000 },
        start: ['server.js'],
        runtime: { name: 'node', path: process.execPath },
        logs: { application: 'shared/logs', gateway: path.join(site.gateway, 'shop.*.gz'), to },
        ...more,
        ...site.change
      }, { file: path.join(hosts.dir, 'deploy.config.js') })
      const report = new Report({ out: new PassThrough().resume(), err: new PassThrough().resume(), bar: false })
      let said
      report.progress = () => site.onProgress?.()
      report.answer = (answer, text) => { said = text }
      const result = await logs(config, options, { report, action: 'logs', who: 'test', now: () => now })
      return { ...result, text: said }
    }
  }
  for (const [i, { folder }] of hosts.entries()) {
    fs.mkdirSync(path.join(folder, '.deploy'), { recursive: true })
    for (let ago = 0; ago <= 30; ago++) if (ago !== 17) put(ours(site.app[i], ago), ago)
  }
  for (let ago = 1; ago <= 30; ago++) put(theirs(site.gateway, ago), ago)
  return site
}

const list = dir => fs.existsSync(dir) ? fs.readdirSync(dir).sort() : []
const names = (make, ...ago) => ago.map(n => path.basename(make('', n))).sort()

t.test('a week comes, verified; the next time it is here', async t => {
  const site = await setup(t, 2)
  put(ours(site.app[0], 15, 2), 15, randomBytes(3_000_000))
  const first = await site.pull()
  t.equal(first.failed, false, first.text)
  const [one] = first.hosts
  t.match(one, { host: 'host1', from: dayText(21), to: dayText(15), older: 9 + 9, problems: [] })
  t.same(list(site.here('application')), [...names(ours, 15, 16, 18, 19, 20, 21), `shop-${dayText(15)}.2.log.gz`].sort())
  t.same(list(site.here('gateway')), names(theirs, 15, 16, 17, 18, 19, 20, 21))
  t.same(one.application.missing, [dayText(17)], 'a day without a file is told')
  t.same(one.gateway.missing, [])
  for (const name of list(site.here('application'))) {
    t.equal(sha(site.here('application', name)), sha(path.join(site.app[0], name)))
    t.equal(fs.statSync(site.here('application', name)).mtimeMs, fs.statSync(path.join(site.app[0], name)).mtimeMs)
  }
  t.match(first.text, /host1: .* to .*\n {2}application: 7 files came \(2\.9 MiB\), 0 were here/)
  t.match(first.text, new RegExp(`missing: nothing of ${dayText(17)}`))
  t.match(first.text, /18 files older than .* are not here: --since/)
  t.equal(list(path.join(site.to, 'host2', 'application')).length, 6)

  const before = fs.statSync(site.here('application', path.basename(ours('', 20)))).ino
  const second = await site.pull()
  t.match(second.hosts[0], { application: { came: [], kept: 7, bytes: 0 }, gateway: { came: [], kept: 7 } })
  t.equal(fs.statSync(site.here('application', path.basename(ours('', 20)))).ino, before)

  t.equal(list(site.app[0]).length, 31, 'nothing is deleted without --prune')
  const audit = fs.readFileSync(path.join(site.hosts[0].folder, '.deploy/audit.log'), 'utf8').trim().split('\n').map(JSON.parse)
  t.match(audit, [{ action: 'logs', who: 'test', came: { files: 14 }, pruned: 0 }, { came: { files: 0 } }])
})

t.test('--prune deletes what is verified and older than two weeks', async t => {
  const site = await setup(t)
  put(site.here('application', path.basename(ours('', 25))), 25, fs.readFileSync(ours(site.app[0], 25)))
  put(site.here('application', path.basename(ours('', 26))), 26, 'something else')
  const result = await site.pull({ prune: true })
  t.equal(result.failed, false, result.text)
  const left = list(site.app[0])
  t.same(left, names(ours, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 22, 23, 24, 26, 27, 28, 29, 30))
  t.same(list(site.gateway), names(theirs, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 22, 23, 24, 25, 26, 27, 28, 29, 30))
  t.equal(result.hosts[0].prunedThere.length, 7 + 7)
  t.match(result.text, /deleted there: 14 files/)

  const all = await site.pull({ prune: true, since: '40' })
  t.same(list(site.app[0]), names(ours, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14))
  t.equal(all.hosts[0].older, 0)
  // Nothing that was here is overwritten.
  t.equal(fs.readFileSync(site.here('application', path.basename(ours('', 26))), 'utf8'), 'something else')
  t.equal(list(site.here('application')).filter(name => name.startsWith(path.basename(ours('', 26)))).length, 2)

  // Two months later this machine lets go of what it has.
  const later = await site.pull({ prune: true }, { now: NOW + 35 * DAY })
  t.same(later.hosts[0].prunedHere.filter(name => name.startsWith('gateway')).sort(), names(theirs, 26, 27, 28, 29, 30).map(name => `gateway/${name}`))
  t.ok(fs.existsSync(site.here('gateway', path.basename(theirs('', 25)))))
  await site.pull({}, { now: NOW + 400 * DAY })
  t.ok(fs.existsSync(site.here('gateway', path.basename(theirs('', 25)))), 'without --prune nothing goes')
})

t.test('what is young stays, whatever its name says', async t => {
  const site = await setup(t)
  put(ours(site.app[0], 20, 7), 3)
  const result = await site.pull({ prune: true })
  t.ok(fs.existsSync(site.here('application', path.basename(ours('', 20, 7)))), 'it comes with its day')
  t.ok(fs.existsSync(ours(site.app[0], 20, 7)), 'and is not deleted')
  t.match(result.hosts[0].leftThere, [{ path: ours(site.app[0], 20, 7), why: /changed in the last 14 days/ }])
})

t.test('other days, wrong days', async t => {
  const site = await setup(t)
  const fresh = await site.pull({ since: 3, until: 0, prune: true, keepDays: 14 })
  t.same(list(site.here('application')), names(ours, 1, 2, 3))
  t.same(fresh.hosts[0].prunedThere, [], 'two weeks stay there, however young the days that are asked for')
  for (const options of [{ since: 'x' }, { since: '' }, { since: 14 }, { since: -1 }, { until: 30 }, { keepDays: 3 }, { since: 90, prune: true }, { since: 1.5 }]) {
    await t.rejects(site.pull(options), { code: 'UC_DEPLOY_USAGE', message: /^deploy logs: --/ }, JSON.stringify(options))
  }
})

t.test('names that count up become names that stay', async t => {
  const site = await setup(t)
  site.change = { logs: { application: null, gateway: path.join(site.gateway, 'other.log.*'), to: site.to } }
  put(path.join(site.gateway, 'other.log.15.gz'), 16)
  put(path.join(site.gateway, 'other.log.14.gz'), 15)
  put(path.join(site.gateway, 'other.log.1'), 2, 'not packed yet')
  await site.pull()
  t.same(list(site.here('gateway')), [`other.log-${dayText(15)}.gz`, `other.log-${dayText(16)}.gz`].sort())
  fs.renameSync(path.join(site.gateway, 'other.log.15.gz'), path.join(site.gateway, 'other.log.16.gz'))
  fs.renameSync(path.join(site.gateway, 'other.log.14.gz'), path.join(site.gateway, 'other.log.15.gz'))
  const next = await site.pull({}, { now: NOW + DAY })
  t.match(next.hosts[0], { application: null, gateway: { came: [], kept: 2 } }, 'the same file under its next name')
})

t.test('each week with all that is not here: a run that is late leaves no hole', async t => {
  const site = await setup(t)
  await site.pull({ since: 60, prune: true })
  t.same(list(site.here('gateway')), names(theirs, ...Array.from({ length: 16 }, (_, i) => 15 + i)))
  // The next Monday the machine is off, and it runs on Wednesday.
  const late = await site.pull({ since: 60, prune: true }, { now: NOW + 9 * DAY })
  t.same(list(site.here('gateway')), names(theirs, ...Array.from({ length: 25 }, (_, i) => 6 + i)))
  const [{ application, gateway }] = late.hosts
  t.match(gateway, { came: { length: 9 }, kept: 0 })
  t.same(gateway.missing, Array.from({ length: 21 }, (_, i) => dayText(51 - i)), 'what is here and deleted there is not missing')
  t.ok(application.missing.includes(dayText(17)))
  t.match(late.text, new RegExp(`missing: nothing of ${dayText(51)} to ${dayText(31)}, ${dayText(17)}\\n`), 'days in a row are told as such')
  t.equal((await site.pull({ since: 60, prune: true }, { now: NOW + 9 * DAY })).hosts[0].gateway.missing.length, 21)
})

t.test('no link is followed, no active file is taken', async t => {
  const site = await setup(t)
  const [app] = site.app
  const secret = put(path.join(site.hosts.dir, 'secret/shop-2026-11-05.9.log.gz'), 18, 'secret')
  fs.symlinkSync(secret, path.join(app, 'shop-2026-11-05.8.log.gz'))
  fs.symlinkSync(path.dirname(secret), path.join(app, 'more'))
  put(path.join(app, `shop-${dayText(16)}.3.log`), 16, 'still written')
  fs.symlinkSync(`shop-${dayText(16)}.3.log`, path.join(app, 'current'))
  put(path.join(app, `shop-${dayText(16)}.1.log.gz.part`), 16)
  put(path.join(app, 'ring-1234'), 16)
  put(path.join(app, 'sub', `api-${dayText(18)}.1.log`), 18, 'not packed')
  const result = await site.pull({ prune: true })
  t.equal(result.failed, false, result.text)
  t.same(list(site.here('application')), [...names(ours, 15, 16, 18, 19, 20, 21), 'sub'].sort())
  t.same(list(site.here('application', 'sub')), [`api-${dayText(18)}.1.log`])
  t.ok(fs.existsSync(secret) && fs.existsSync(path.join(app, `shop-${dayText(16)}.3.log`)))

  fs.rmSync(app, { recursive: true })
  fs.symlinkSync(path.dirname(secret), app)
  const led = await site.pull({ prune: true })
  t.equal(led.failed, true)
  t.match(led.hosts[0].problems, [{ kind: 'application', file: 'shared/logs', message: /leads out of/ }])
  t.same(led.hosts[0].gateway.missing, [], 'they are gone there, and here')
  t.ok(fs.existsSync(secret))

  fs.rmSync(site.here('gateway'), { recursive: true })
  fs.symlinkSync(path.dirname(secret), site.here('gateway'))
  put(theirs(site.gateway, 16), 16)
  const here = await site.pull()
  t.match(here.hosts[0].problems.map(({ message }) => message).join(), /is not a folder/, 'nor is one here')
  t.same(list(path.dirname(secret)), [path.basename(secret)])
})

t.test('an interrupted download goes on, or begins again', async t => {
  const site = await setup(t)
  const [host] = site.hosts
  site.change = { logs: { application: 'shared/logs', gateway: null, to: site.to } }
  const big = put(ours(site.app[0], 15, 2), 15, randomBytes(24_000_000))
  const part = site.here('application', `${path.basename(big)}.part`)

  // A way to the host that ends after some bytes.
  let left = 8_000_000
  const proxy = net.createServer(socket => {
    const there = net.connect(host.port, '127.0.0.1')
    const cut = () => { socket.destroy(); there.destroy() }
    for (const one of [socket, there]) one.on('error', cut).on('close', cut)
    socket.pipe(there)
    there.on('data', bytes => {
      left -= bytes.length
      if (left < 0) cut()
      else if (!socket.write(bytes)) { there.pause(); socket.once('drain', () => there.resume()) }
    })
  })
  await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve))
  t.teardown(() => proxy.close())
  const { port } = proxy.address()
  site.change.hosts = [{ name: 'host1', host: '127.0.0.1', port, user: host.user, folder: host.folder, ports: [4000, 4001], hostKey: host.fingerprint }]
  const broken = await site.pull({ prune: true })
  t.match(broken, { failed: true, hosts: [{ host: 'host1', error: { code: 'UC_DEPLOY_LOST' } }] })
  t.match(broken.text, /^host1: .*UC_DEPLOY_LOST/)
  const { size } = fs.statSync(part)
  t.ok(size > 0 && size < 24_000_000, `${size} bytes are here`)
  t.ok(fs.existsSync(big))

  left = 24_000_000 - size + 4_000_000
  const resumed = await site.pull()
  t.equal(resumed.failed, false, 'what was here did not travel again')
  t.equal(sha(site.here('application', path.basename(big))), sha(big))
  t.notOk(fs.existsSync(part))

  // A part of something else is found out by the checksum.
  left = Infinity
  fs.renameSync(site.here('application', path.basename(big)), part)
  fs.truncateSync(part, 5_000_000)
  fs.writeSync(fs.openSync(part, 'r+'), 'x', 1000)
  t.equal((await site.pull()).failed, false)
  t.equal(sha(site.here('application', path.basename(big))), sha(big))
})

t.test('two at once, and one that has died', async t => {
  const site = await setup(t)
  await site.pull()
  fs.writeFileSync(site.here('.lock'), String(process.pid))
  t.match(await site.pull(), { failed: true, hosts: [{ error: { code: 'UC_DEPLOY_LOCKED', message: new RegExp(`process ${process.pid} `) } }] })
  fs.writeFileSync(site.here('.lock'), String(2 ** 30))
  t.equal((await site.pull()).failed, false)
  t.notOk(fs.existsSync(site.here('.lock')))
})

t.test('what cannot be read is told, and the rest comes', async t => {
  const site = await setup(t, 2)
  fs.rmSync(site.app[0], { recursive: true })
  await site.hosts[1].stop()
  const result = await site.pull()
  t.equal(result.failed, true)
  t.match(result.hosts[0], { gateway: { came: { length: 7 } }, problems: [{ kind: 'application', file: 'shared/logs', message: /there is no .*shared\/logs/ }] })
  t.match(result.hosts[1], { host: 'host2', error: { code: 'UC_DEPLOY_CONNECT' } })
  t.equal(list(site.here('gateway')).length, 7)
})

t.test('a file that cannot be opened is named as it is there, and leaves nothing here', async t => {
  const site = await setup(t)
  const gone = ours(site.app[0], 16)
  site.onProgress = () => fs.rmSync(gone, { force: true }) // with the first of them, after the list was made
  const { failed, hosts: [{ problems }] } = await site.pull()
  t.equal(failed, true)
  t.match(problems, [{ kind: 'application', file: path.basename(gone), message: gone }])
  t.notMatch(problems[0].message, '/proc/')
  t.same(list(site.here('application')), names(ours, 15, 18, 19, 20, 21), 'the rest, and no part of it')
})

t.test('on Bun, and as a user without rights', { skip: bun.skip || false }, async t => {
  const site = await setup(t)
  site.change = { runtime: { name: 'bun', path: bun.exec } }
  const result = await site.pull({ prune: true })
  t.equal(result.failed, false, result.text)
  t.equal(result.hosts[0].prunedThere.length, 13)
  if (os.userInfo().uid === 0) return
  put(theirs(site.gateway, 16), 16)
  fs.chmodSync(site.gateway, 0o000)
  t.match(await site.pull(), { failed: true, hosts: [{ problems: [{ kind: 'gateway', message: /permission denied/, hint: /usermod/ }] }] })
  fs.chmodSync(site.gateway, 0o755)
})
