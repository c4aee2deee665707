'use strict'
// The launcher `systemd`, with a real systemd and the unit that `deploy init` writes. Where none can be
// run, the unit is at least read by systemd-analyze.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { spawnSync } = require('node:child_process')
const helper = require('../helper')
const unit = require('../../deploy/templates/unit')
const { host, service } = require('./parts/host')
const { startSystemd } = require('./parts/systemd')

t.setTimeout(300_000)

t.test('systemd takes the unit', async t => {
  for (const scope of ['system', 'user']) {
    const dir = fs.mkdtempSync(path.join(helper.tmpdir(t), 'unit-'))
    const file = path.join(dir, 'shop@.service')
    fs.writeFileSync(file, unit({ app: 'shop', folder: '/srv/shop', ports: [4000, 4001], user: 'root', scope }))
    const found = spawnSync('systemd-analyze', ['verify', ...(scope === 'user' ? ['--user'] : []), '--man=no', file.replace('@.', '@4000.')], { encoding: 'utf8' })
    if (found.error) return t.comment(`left out: ${found.error.message}`)
    // Of other units on this machine it may say anything.
    t.same(found.stderr.split('\n').filter((line) => line.includes('shop@')), [], scope)
  }
})

t.test('services as instances of the unit', { skip: !helper.isLong && 'in the long run' }, async t => {
  // Not in /tmp, of which the unit has its own (PrivateTmp).
  if (process.getuid() !== 0) return t.comment('left out: a systemd of its own needs root')
  const found = await host(t, { drainMs: 15_000, killMs: 500 }, '/srv')
  const systemd = await startSystemd(t, found.root)
  if (typeof systemd === 'string') return t.comment(`left out: there can be no systemd here: ${systemd}`)
  const version = systemd.run('systemctl', '--version').stdout.split('\n')[0]
  t.comment(version)
  const runtime = path.join(found.root, 'inside')
  fs.writeFileSync(runtime, `#!/bin/sh\nexec ${systemd.inside.join(' ')} ${process.execPath} "$@"\n`, { mode: 0o755 })
  const more = { launcher: 'systemd', systemd: { scope: 'system' }, runtime: { name: 'node', path: runtime } }
  const show = (port, name) => systemd.run('systemctl', 'show', '--value', '-p', name, `shop@${port}`).stdout.trim()
  const [a, b] = found.ports
  const first = found.release({}, { env: 'TOKEN=\'a "quoted" $word `here` \\\\ there\'\n' })

  t.match(await helper.failure(found.start({}, more)), { code: 'UC_DEPLOY_SYSTEMD', stage: 'launch', message: /no unit shop@\.service/, hint: /deploy init/ })
  const text = unit({ app: 'shop', folder: found.folder, ports: found.ports, user: 'root', runtime: process.execPath, drainMs: 15_000, killMs: 500 })
  fs.writeFileSync(path.join(systemd.units, 'shop@.service'), text)
  systemd.run('systemctl', 'daemon-reload')

  t.match(await found.start({}, more), { release: first, instances: [{ port: a }] })
  t.equal(found.state().active.launcher, 'systemd')
  t.equal(await found.serving(), first)
  t.equal(show(a, 'ActiveState'), 'active')
  t.equal(show(a, 'UnitFileState'), 'enabled')
  const environ = systemd.run('cat', `/proc/${show(a, 'MainPID')}/environ`).stdout.split('\0')
  t.ok(environ.includes('TOKEN=a "quoted" $word `here` \\\\ there'), 'the environment arrives as it is')
  t.ok(environ.includes(`PORT=${a}`))
  t.equal(systemd.run('readlink', `/proc/${show(a, 'MainPID')}/cwd`).stdout.trim(), found.app.release(first))

  const next = found.release({ 'a.js': '' })
  t.match(await found.start({}, { ...more, launcher: 'auto' }), { release: next, drained: [{ release: first, how: 'exited' }] }, 'auto finds it')
  t.equal(await found.serving(), next)
  t.same([show(a, 'ActiveState'), show(b, 'ActiveState')], ['inactive', 'active'])
  t.same([show(a, 'UnitFileState'), show(b, 'UnitFileState')], ['disabled', 'enabled'])
  t.same(fs.readdirSync(found.app.slots).sort(), [String(b), `${b}.env`, `${next}.${b}.json`].sort())

  found.release({ 'server.js': "console.error('the cause'); process.exit(7)" })
  const err = await helper.failure(found.start({}, more))
  t.match(err, { code: 'UC_DEPLOY_DIED', stage: 'health', message: /code 7/ })
  t.match((err.lines ?? []).join('\n'), /the cause/, 'with the last lines of the journal')
  t.equal(await found.serving(), next)
  t.equal(show(a, 'ActiveState'), 'inactive')

  // Through a sudo that allows what the unit's first lines say, and nothing else.
  const bin = path.join(found.root, 'bin')
  const allowed = unit({ app: 'shop', folder: found.folder, ports: found.ports, user: 'deploy', drainMs: 1500, killMs: 500 }).split('\n')
    .flatMap((line) => line.split(/NOPASSWD: /)[1]?.split(', ') ?? []).map((one) => one.replaceAll('\\=', '='))
  t.ok(allowed.length >= 12, 'lines of sudoers')
  fs.mkdirSync(bin)
  fs.writeFileSync(path.join(found.root, 'allowed'), `${allowed.join('\n')}\n`)
  fs.writeFileSync(path.join(bin, 'sudo'), `#!/bin/sh\nshift\ngrep -qxF "/usr/bin/$*" '${found.root}/allowed' || { echo "sudo: a password is required" >&2; exit 1; }\nexec "$@"\n`, { mode: 0o755 })
  const sudoed = path.join(found.root, 'sudoed')
  fs.writeFileSync(sudoed, `#!/bin/sh\nPATH='${bin}':"$PATH" exec ${systemd.inside.join(' ')} ${process.execPath} "$@"\n`, { mode: 0o755 })
  const withSudo = { ...more, systemd: { scope: 'system', sudo: true }, runtime: { name: 'node', path: sudoed } }
  const words = await helper.failure(found.start({}, withSudo))
  t.match(words, { code: 'UC_DEPLOY_DIED', stage: 'health', message: /code 7/ })
  t.match((words.lines ?? []).join('\n'), /the cause/, 'the journal is read without it')
  t.equal(await found.serving(), next)

  found.release({ 'server.js': service.replace('Number(PORT), HOST', "Number(PORT), '0.0.0.0'") })
  t.match(await helper.failure(found.start({}, more)), { code: /EXPOSED|UNHEALTHY/ })
  t.equal(await found.serving(), next)

  // The configuration has been changed since the unit was written.
  const third = found.release({ 'other.js': service })
  const warnings = []
  t.match(await found.start({}, { ...more, start: ['other.js'], drainMs: 60_000 }, { onEvent: ({ warning }) => { if (warning) warnings.push(warning) } }), { release: third })
  t.match(warnings, [/shop@\.service starts '.* server\.js', and deploy\.config\.js says 'other\.js': deploy init --force/, /is killed \d+s after SIGTERM, and drainMs and killMs are 60500 ms/])
  t.match(await found.start({ release: next }, more, { onEvent: ({ warning }) => { if (warning) warnings.push(warning) } }), { release: next })
  t.equal(warnings.length, 2)

  // A crash: systemd starts it again.
  systemd.run('kill', '-9', show(b, 'MainPID'))
  await helper.until(async () => show(b, 'NRestarts') === '1' && await found.serving() === next, 'it serves again', 20_000)

  // One that does not end.
  const stuck = found.release({ 'server.js': service.replace(/process\.on\('SIGTERM'[^]*/, "process.on('SIGTERM', () => {})") })
  t.match(await found.start({}, more), { release: stuck })
  t.match(await found.start({ back: true }, { ...more, drainMs: 300, killMs: 100 }), { release: next, drained: [{ how: 'killed' }] })
  t.equal(await found.serving(), next)

  // The agent is killed with a release half started.
  const last = found.release({ 'b.js': '' })
  const session = await found.session(more)
  const call = session.call('start', {}, { onEvent: ({ stage }) => { if (stage === 'health') killInside(systemd, session.facts.pid) } })
  t.match(await helper.failure(call), { code: 'UC_DEPLOY_LOST' })
  await session.close()
  t.equal(await found.serving(), next)
  t.match(await found.start({}, more), { release: last, changed: true })
  t.equal(await found.serving(), last)

  // And with one that has traffic: after a reboot either could be asked for.
  const newest = found.release({ 'c.js': '' })
  const second = await found.session(more)
  const [port] = [a, b].filter((port) => port !== found.state().active.instances[0].port)
  const watched = second.call('start', {}, { onEvent: ({ stage }) => { if (stage === 'watch') killInside(systemd, second.facts.pid) } })
  t.match(await helper.failure(watched), { code: 'UC_DEPLOY_LOST' })
  await second.close()
  t.same([show(a, 'UnitFileState'), show(b, 'UnitFileState')], ['enabled', 'enabled'])
  t.match(await found.start({}, more), { release: newest, changed: false, recovered: [`finished the start of ${newest}`, `ended ${last}`] })
  t.same([a, b].map((one) => show(one, 'UnitFileState')), [a, b].map((one) => one === port ? 'enabled' : 'disabled'))
  const active = systemd.run('systemctl', 'list-units', '--no-legend', '--plain', 'shop@*').stdout.trim().split('\n')
  t.equal(active.length, 1, 'one unit runs')
})

function killInside (systemd, pid) {
  systemd.run('kill', '-9', String(pid))
}
