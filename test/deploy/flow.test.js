'use strict'

// A day of deployments by the command line: Ctrl-C, releases by their names, a journal with something in it,
// the daemon beside the service.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { spawn } = require('node:child_process')
const { project } = require('./parts/project')
const { root, until } = require('../helper')

t.setTimeout(300_000)

t.test('Ctrl-C is an orderly end, and the same command again goes on', async (t) => {
  const { apps, configure, deploy, dir, write } = await project(t, 2)
  configure({ install: `echo installing; test -e '${dir}/go' || sleep 60`, ignore: ['go'] })
  const child = spawn(process.execPath, [path.join(root, 'lib/cli/main.js'), 'deploy', 'upload'], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  let isStopped = false
  const over = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })))
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text
    if (isStopped || !said.includes('installing')) return
    isStopped = true
    child.kill('SIGINT')
  })
  t.same(await over, { code: 1, signal: null })
  t.match(said, /^warning: stopping; once more to stop at once$/m)
  t.match(said, /^host1: install: .*UC_DEPLOY_CANCELLED\)\n {2}-> run the same command again/m)
  t.match(said, /^not begun: host2$/m)
  const before = fs.readdirSync(apps[0].releases).filter((name) => !name.startsWith('.'))
  t.equal(before.length, 1)
  t.notOk(fs.existsSync(apps[0].mark(before[0])), 'the release is not complete')
  t.notOk(fs.existsSync(apps[1].folder), 'and the second host has heard of nothing')
  write('go', '')
  const again = await deploy('upload', '--json')
  t.equal(again.code, 0, again.out)
  t.match(again.answer.hosts, [{ host: 'host1', id: before[0], resumed: true }, { host: 'host2', resumed: false }])
})

t.test('releases by their names, and what was interrupted', async (t) => {
  const { apps: [app], ask, configure, deploy, write } = await project(t, 1)
  const ids = []
  for (const text of ['one', 'two']) {
    write('version', text)
    const { answer, code, out, stages } = await deploy('--json')
    t.equal(code, 0, out)
    ids.push(answer.hosts[0].start.release)
    const names = stages.map(({ stage }) => stage)
    t.ok(names.indexOf('complete') < names.indexOf('launch') && names.indexOf('launch') < names.indexOf('switch'), names.join(' '))
    t.ok(stages.every(({ at, host, stage }) => Date.parse(at) > 0 && (host === 'host1' || (host ?? null) === null) && stage), 'each with host and time')
  }
  const serving = async () => (await ask('status')).answer.hosts[0].active.release
  t.equal(await serving(), ids[1])
  const back = await deploy('rollback')
  t.equal(back.code, 0, back.err)
  t.match(back.err, `${ids[0]} serves on port`)
  t.equal(await serving(), ids[0])
  t.equal((await deploy('start', ids[1])).code, 0)
  t.equal(await serving(), ids[1])
  const nothing = await deploy('start', '20200101-000000-00000000')
  t.equal(nothing.code, 1)
  t.match(nothing.err, /20200101-000000-00000000/)
  const odd = await deploy('rollback', '../../etc')
  t.equal(odd.code, 1)
  t.equal(await serving(), ids[1], 'it goes on')

  // As a deployer and its agent leave it that were killed before the switch.
  const before = JSON.parse(fs.readFileSync(app.state, 'utf8'))
  fs.writeFileSync(app.state, JSON.stringify({ ...before, pending: { ...before.active, release: ids[0], instances: [] } }))
  const left = (stage) => fs.writeFileSync(app.lockInfo, JSON.stringify({ pid: 2 ** 22 + 1, who: 'anna', action: 'start', stage }))
  left('health')
  const { answer, text } = await ask('status')
  t.match(answer.hosts[0].interrupted, { release: ids[0], stage: 'health', switched: false })
  t.match(text, `host1: a deployment of ${ids[0]} was interrupted at 'health': the next one undoes it`)
  t.match((await ask('plan')).text, new RegExp(`first +the deployment of ${ids[0]}, which was interrupted, is undone`))
  // And after the switch: the traffic is with the new one.
  fs.writeFileSync(app.state, JSON.stringify({ ...before, active: { ...before.active, release: ids[0], instances: [] }, pending: { ...before.active, switched: true } }))
  left('watch')
  const after = await ask('status')
  t.match(after.answer.hosts[0], { active: { release: ids[1], reached: 'all' }, interrupted: { release: ids[1], stage: 'watch', switched: true } })
  t.match(after.text, `host1: a deployment of ${ids[1]} was interrupted at 'watch': the next one finishes it`)
  fs.writeFileSync(app.state, JSON.stringify({ ...before, pending: { ...before.active, release: ids[0], instances: [] } }))
  configure({ keep: 3 })
  t.equal((await deploy()).code, 0)
  t.equal((await ask('status')).answer.hosts[0].interrupted, null)
})

t.test('a daemon beside the service is seen', async (t) => {
  const { ask, deploy } = await project(t, 1, {
    daemon: { db: '$SHARED/app.db' },
    install: `mkdir -p node_modules && ln -s '${root}' node_modules/undercroft`
  })
  const { code, err } = await deploy()
  t.equal(code, 0, err)
  const { answer, failed, text } = await ask('status')
  t.equal(failed, false)
  const { daemon } = answer.hosts[0]
  t.match(daemon, { alive: true, restarts: 0, release: answer.hosts[0].active.release })
  t.match(fs.readFileSync(`/proc/${daemon.pid}/cmdline`, 'utf8'), 'undercroftd')
  t.match(text, /^host1: undercroftd runs \(pid \d+, .* MiB\)$/m)
  process.kill(daemon.pid, 'SIGKILL')
  await until(async () => (await ask('status')).answer.hosts[0].daemon.restarts === 1, 'it is started again', 20_000)
})
