'use strict'

// deploy plan and deploy status over real SSH servers, from the first look at an empty host on.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const { spawn } = require('node:child_process')
const { project } = require('./parts/project')
const { until } = require('../helper')

t.setTimeout(300_000)

// Everything below a folder with what it is: to see that nothing has changed.
function pictureOf (folder) {
  if (!fs.existsSync(folder)) return null
  return fs.readdirSync(folder, { recursive: true }).sort().map((name) => {
    const { size, mode, mtimeMs } = fs.lstatSync(path.join(folder, name))
    return `${name} ${size} ${mode} ${mtimeMs}`
  })
}

t.test('two hosts, from nothing to a release that was interrupted', async (t) => {
  const { apps, ask, configure, deploy, dir, hosts, ports, write } = await project(t, 2)
  write('README.md', 'x'.repeat(1000))

  let plan
  await t.test('a host where nothing was ever deployed', async (t) => {
    plan = await deploy('plan', '--json')
    t.equal(plan.code, 0, plan.out)
    t.equal(plan.answer.hosts.length, 2)
    t.match(plan.answer.hosts[0], {
      host: 'host1',
      folder: apps[0].folder,
      current: null,
      interrupted: null,
      upload: { resumes: null, send: { files: 2, bytes: fs.statSync(path.join(dir, 'server.js')).size + 1000 }, ofFiles: 2, install: null },
      start: { ports: [ports[0][0]], from: [], switch: 'socket', health: '/health', migrations: null, gateway: null },
      commands: [],
      obstacles: []
    })
    t.same(apps.map(({ folder }) => fs.existsSync(folder)), [false, false], 'and nothing was made there')
    const { text } = await ask('plan', { host: ['host2'] })
    t.match(text, /^shop: 2 files, .* 1 host$/m)
    t.match(text, /now +nothing runs\n {2}1 upload +a new release, <date>-<time>-[0-9a-f]{8}: 2 of 2 files are sent/)
    t.match(text, /README\.md \(1000 B\)/)
    t.match(plan.answer.hosts[0].next, /^<date>-<time>-[0-9a-f]{8}$/)
    const status = await ask('status')
    t.equal(status.failed, true, 'nothing runs, and that is not well')
    t.match(status.answer, { ok: false, hosts: [{ host: 'host1', active: null, releases: [], incomplete: [], audit: null, deploying: null, interrupted: null }, { host: 'host2' }] })
    t.match(status.text, /^host1 +nothing runs/m)
    t.same(apps.map(({ folder }) => fs.existsSync(folder)), [false, false])
  })

  await t.test('a service that runs', async (t) => {
    const first = await deploy('--json')
    t.equal(first.code, 0, first.out)
    t.match(first.answer, { ok: true, hosts: [{ host: 'host1', upload: {}, start: { changed: true } }, { host: 'host2' }] })
    const ids = first.answer.hosts.map(({ upload, start }) => {
      t.equal(start.release, upload.id, 'what was uploaded was started')
      t.equal(upload.id.slice(-8), plan.answer.hosts[0].next.slice(-8), 'and it is what was planned')
      return upload.id
    })
    const before = apps.map(({ folder }) => pictureOf(folder))
    const status = await ask('status')
    t.equal(status.failed, false, status.text)
    for (const [i, host] of status.answer.hosts.entries()) {
      t.match(host, {
        host: `host${i + 1}`,
        current: ids[i],
        active: { release: ids[i], launcher: 'process', mode: 'socket', reached: 'all', instances: [{ port: ports[i][0], alive: true, restarts: 0, health: { ok: true, reason: null } }] },
        releases: [{ id: ids[i], files: 2 }],
        incomplete: [],
        draining: [],
        interrupted: null,
        deploying: null,
        damage: null,
        daemon: null,
        audit: { action: 'start', release: ids[i], result: 'ok' }
      })
      const [{ pid, memory, uptimeMs, health }] = host.active.instances
      t.match(fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'server.js', 'the pid is that of the service')
      t.ok(memory > 8 << 20 && memory < 1 << 30, `a process of Node: ${memory} bytes`)
      t.ok(uptimeMs >= 0 && uptimeMs < 300_000 && health.ms > 0)
      t.ok(host.disk.free > 0 && host.disk.total >= host.disk.free)
    }
    const { out, code } = await deploy('status')
    t.equal(code, 0)
    t.match(out, new RegExp(`^host2 +${ids[1]} +${ports[1][0]} +\\d+ .* ok, .* MiB +process +1 `, 'm'))
    t.match(out, /^host1: last: start ok by \S+@\S+ at /m)
    t.same(apps.map(({ folder }) => pictureOf(folder)), before, 'asking changes nothing')
  })

  await t.test('what a second deployment would do', async (t) => {
    const before = apps.map(({ folder }) => pictureOf(folder))
    const same = await ask('plan', { host: ['host1'] })
    t.match(same.answer, { hosts: [{ host: 'host1', upload: { unchanged: /./ }, start: { unchanged: true } }] })
    t.match(same.text, /2 start +nothing: \S+ serves already, with the same settings/)
    configure({ env: { set: { COLOUR: 'red' } } })
    const other = await ask('plan', { host: ['host1'] })
    t.match(other.answer, { hosts: [{ host: 'host1', upload: { unchanged: /./ }, start: { unchanged: false, ports: [ports[0][1]], from: [ports[0][0]] } }] }, 'other settings')
    t.match(other.text, new RegExp(`2 start +on port ${ports[0][1]}`))
    configure()
    t.match((await ask('plan', { host: ['host1'], force: true })).answer.hosts[0].upload, { send: { files: 0, bytes: 0 }, ofFiles: 2 })
    write('README.md', 'y'.repeat(2000))
    write('nginx.conf', 'server {}')
    configure({
      gateway: { file: 'nginx.conf', to: path.join(dir, 'site.conf'), test: ['true'], reload: 'true' },
      migrations: { command: ['node', 'migrate.js'], when: 'before-switch' },
      hooks: { beforeUpload: 'echo before', afterStart: { command: ['echo', 'after'], where: 'there' } },
      ignore: ['*.log', 'nginx.conf']
    })
    const changed = await ask('plan', { host: ['host2'] })
    t.match(changed.answer.hosts[0], {
      upload: { send: { files: 1, bytes: 2000, largest: [{ path: 'README.md', size: 2000 }] }, ofFiles: 2 },
      start: { gateway: { to: path.join(dir, 'site.conf'), changes: true }, migrations: { when: 'before-switch' } },
      commands: [
        { when: 'beforeUpload', where: 'here', command: 'echo before' },
        { when: 'gateway.test', where: 'there', command: ['true'] },
        { when: 'gateway.reload', where: 'there', command: 'true' },
        { when: 'migrations, before-switch', where: 'there', command: ['node', 'migrate.js'] },
        { when: 'afterStart', where: 'there', command: ['echo', 'after'] }
      ]
    })
    t.match(changed.text, /runs +there: node migrate\.js {2}\(migrations, before-switch\)/)
    configure({ migrations: { command: ['node', 'migrate.js'], once: 'first-host' }, ignore: ['*.log', 'nginx.conf'] })
    const first = await ask('plan')
    t.same(first.answer.hosts.map(({ commands }) => commands.length), [1, 0], 'migrations of the first host alone')
    configure({ env: { file: 'missing.env' } })
    const missing = await deploy('plan')
    t.equal(missing.code, 2)
    t.match(missing.err, /env\.file: .*missing\.env cannot be read/)
    configure()
    t.same(apps.map(({ folder }) => pictureOf(folder)), before, 'nothing has changed on the hosts')
  })

  await t.test('a stranger on the port', async (t) => {
    const server = net.createServer().listen(ports[0][1], '127.0.0.1')
    t.teardown(() => server.close())
    await until(() => server.listening, 'the stranger listens')
    write('README.md', 'z'.repeat(1000))
    const { answer, failed, text } = await ask('plan')
    t.equal(failed, true)
    t.match(text, /^ {2}BUT +port /m)
    t.match(answer.hosts[0].obstacles, [new RegExp(`^port ${ports[0][1]} is taken by pid ${process.pid} `)])
    t.same(answer.hosts[1].obstacles, [])
    await new Promise((resolve) => server.close(resolve))

    // What an interrupted deployment has left there is no stranger.
    const slot = path.join(apps[0].slots, 'left.json')
    fs.writeFileSync(slot, '{}')
    const left = spawn(process.execPath, ['-e', `require('node:net').createServer().listen(${ports[0][1]}, '127.0.0.1', () => console.log('up'))`], { env: { UNDERCROFT_SLOT: slot }, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => left.kill('SIGKILL'))
    await new Promise((resolve) => left.stdout.once('data', resolve))
    t.same((await ask('plan')).answer.hosts[0].obstacles, [])
    left.kill('SIGKILL')
    fs.rmSync(slot)
  })

  await t.test('an upload that was interrupted', async (t) => {
    const [app] = apps
    const { answer } = await ask('upload', { host: ['host1'] })
    const [{ id }] = answer.hosts
    // As it is when the deployer is killed before the end.
    fs.rmSync(app.mark(id))
    const status = await ask('status', { host: ['host1'] })
    t.match(status.answer.hosts[0], { incomplete: [id] })
    t.equal(status.answer.hosts[0].releases.length, 1)
    t.match(status.text, `host1: incomplete: ${id}`)
    t.match((await ask('plan', { host: ['host1'] })).answer.hosts[0].upload, { resumes: id })
  })

  await t.test('a service that fails, one that is dead, a host that is dead', async (t) => {
    const { answer } = await ask('status', { host: ['host1'] })
    const [{ pid }] = answer.hosts[0].active.instances
    // It stands still: it is there, and does not answer.
    process.kill(pid, 'SIGSTOP')
    const stuck = await ask('status')
    process.kill(pid, 'SIGCONT')
    t.equal(stuck.failed, true)
    t.match(stuck.answer, { ok: false, hosts: [{ active: { instances: [{ alive: true, health: { ok: false, reason: /no answer/ } }] } }, { active: { instances: [{ health: { ok: true } }] } }] })

    await hosts[1].stop({ all: false })
    const dead = await deploy('status', '--json')
    t.equal(dead.code, 1)
    t.match(dead.answer.hosts, [{ host: 'host1', active: { instances: [{ health: { ok: true } }] } }, { host: 'host2', error: { code: 'UC_DEPLOY_CONNECT', host: 'host2' } }])
    const { text: out } = await ask('status')
    t.match(out, /^host2 +no answer/m)
    t.match(out, /^host2: .*UC_DEPLOY_CONNECT/m)
    t.equal((await ask('status', { host: ['host1'] })).failed, false, 'the other one by itself is well')
    const plan = await ask('plan')
    t.equal(plan.failed, true)
    t.match(plan.text, /^host2\n {2}cannot be planned: /m)
    t.match(plan.text, /^host1 {2}/m)
  })

  await t.test('a journal that cannot be read', async (t) => {
    const before = fs.readFileSync(apps[0].state)
    fs.writeFileSync(apps[0].state, '{')
    const { answer, failed } = await ask('status', { host: ['host1'] })
    fs.writeFileSync(apps[0].state, before)
    t.equal(failed, true)
    t.match(answer.hosts[0], { active: null, damage: /is not a journal/ })
  })
})
