'use strict'
// Three hosts (real sshd), one of which fails; and kill -9 of the whole command at every stage, over SSH.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const { spawn } = require('node:child_process')
const helper = require('../helper')
const proc = require('../../deploy/agent/host/proc')
const releases = require('../../deploy/agent/host/releases')
const { ask } = require('../../deploy/agent/start/health')
const { readState } = require('../../deploy/agent/host/state')
const { project } = require('./parts/project')

t.setTimeout(580_000)

const active = (app) => readState(app.state).active?.release ?? null

async function serves (app) {
  const { status } = await ask({ socket: app.upstream(0) }, '/health')
  return status === 200 ? path.basename(fs.readlinkSync(app.upstream(0))).replace(/\.\d+\.sock$/, '') : status
}

// What was started for an application: services, their supervisors, agents.
function processes ({ folder }) {
  return proc.pids().filter((pid) => {
    try {
      return pid !== process.pid && ['cmdline', 'environ'].some((name) => fs.readFileSync(`/proc/${pid}/${name}`, 'utf8').includes(`${folder}/`)) && proc.birth(pid) !== null
    } catch {
      return false
    }
  })
}

t.test('three hosts, one of which fails', async t => {
  const { apps, configure, deploy, ports, write } = await project(t, 3)
  for (const order of helper.isLong ? ['one', 'all'] : ['one']) {
    configure({ order })
    write('version', `${order} 1`)
    const first = await deploy('--json')
    t.equal(first.code, 0, first.out)
    const before = apps.map(active)

    write('version', `${order} 2`)
    const taken = ports[1].find((port) => port !== readState(apps[1].state).active.instances[0].port)
    const stranger = net.createServer()
    await new Promise((resolve) => stranger.listen(taken, '127.0.0.1', resolve))
    const failed = await deploy('--json')
    t.equal(failed.code, 1)
    t.match(failed.error, { code: 'UC_DEPLOY_PORT_TAKEN', host: 'host2', stage: 'check', message: new RegExp(`port ${taken} is taken by pid ${process.pid}`) })
    t.equal(active(apps[1]), before[1], 'the one that fails goes on as before')
    t.equal(await serves(apps[1]), before[1])
    if (order === 'one') {
      t.not(active(apps[0]), before[0], 'the first is done')
      t.equal(active(apps[2]), before[2], 'the third was not begun')
    }
    await new Promise((resolve) => stranger.close(resolve))
    const again = await deploy('--json')
    t.equal(again.code, 0, again.out)
    const now = apps.map(active)
    t.ok(now.every((id, i) => id !== before[i]), 'the same command finishes the others')
    for (const app of apps) {
      t.equal(await serves(app), active(app))
      t.equal(processes(app).length, 2)
    }
  }
})

const STAGES = ['read', 'compare', 'transfer', 'install', 'verify', 'complete', 'prune', 'check', 'migrate', 'launch', 'health', 'listeners', 'switch', 'watch', 'settle', 'drain', 'clean']
const CHOSEN = helper.isLong ? STAGES : ['health']

t.test('the command is killed at a stage, and given again', async t => {
  const { apps: [app], configure, deploy, dir, write } = await project(t, 1)
  configure({ install: ['true'], migrations: ['true'] })
  write('version', '0')
  t.equal((await deploy()).code, 0)
  const seen = new Set()
  for (const [n, stage] of CHOSEN.entries()) {
    const before = active(app)
    write('version', String(n + 1))
    const child = spawn(process.execPath, [path.join(helper.root, 'lib/cli/main.js'), 'deploy', '--json'], { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    const over = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
    child.stdout.setEncoding('utf8').on('data', (part) => {
      text += part
      if (text.includes(`"stage":"${stage}"`)) child.kill('SIGKILL')
    })
    const { code, signal } = await over
    for (const [, name] of text.matchAll(/"stage":"([^"]+)"/g)) seen.add(name)
    t.ok(signal === 'SIGKILL' || code === 0, `killed at ${stage}`)
    t.ok(text.includes(`"stage":"${stage}"`), `${stage} was reached`)
    const [newest] = releases.complete(app)
    t.ok([before, newest.id].includes(await serves(app)), 'the release before serves, or the new one')
    const again = await deploy('--json')
    t.equal(again.code, 0, again.out)
    t.not(active(app), before)
    t.equal(await serves(app), active(app), 'the new release serves')
    t.equal(fs.readFileSync(path.join(app.release(active(app)), 'version'), 'utf8'), String(n + 1))
    const { pending, draining } = readState(app.state)
    t.same([pending, draining], [null, []])
    await helper.until(() => processes(app).length === 2, 'one service and its supervisor are left')
  }
  t.comment(`stages: ${[...seen].join(', ')}`)
})
