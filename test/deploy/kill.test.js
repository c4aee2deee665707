'use strict'
// kill -9 at every stage of step two, of the deployer and of the agent: whatever is killed, one release
// serves all the time, and the same command again brings the right end, with nothing left over.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { spawn } = require('node:child_process')
const helper = require('../helper')
const proc = require('../../deploy/agent/host/proc')
const { host, service, whenSwitched } = require('./parts/host')
const { ask } = require('../../deploy/agent/start/health')

t.setTimeout(580_000)

const STAGES = ['check', 'gateway', 'migrate', 'launch', 'health', 'listeners', 'switch', 'watch', 'settle', 'drain', 'clean']
const SWITCHED = STAGES.indexOf('watch')

// With everything in it that a start can do.
const gatewayIn = (found) => ({ file: 'x', to: path.join(found.root, 'g.conf'), test: ['true'], reload: ['true'] })
const settings = (found) => ({ gateway: gatewayIn(found), migrations: { command: ['true'], when: 'before-start' }, watchMs: 100 })

/** A deploying process. -> { proc, agent, stages, result, over } */
function deployer (t, found, { args, stopAt = null, options, more }) {
  const config = found.configure({ ...settings(found), ...more })
  const child = spawn(process.execPath, [path.join(__dirname, 'parts/deployer.js'), JSON.stringify({ config, args, stopAt, options })], { stdio: ['ignore', 'pipe', 'inherit'] })
  const one = { proc: child, agent: null, stages: [], result: null }
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines.map((line) => JSON.parse(line))) {
      if (line.agent) one.agent = { pid: line.agent, born: proc.birth(line.agent) }
      else if (line.stage) one.stages.push(line.stage)
      else one.result = line
    }
  })
  one.over = new Promise((resolve) => child.once('close', resolve))
  t.teardown(() => { child.kill('SIGKILL') })
  return one
}

/** Asks what serves all the time; collects what was no answer of a release. */
function observe (t, found) {
  const wrong = []
  const seen = new Set()
  let goesOn = true
  t.teardown(() => { goesOn = false })
  const done = (async () => {
    while (goesOn) {
      const { status, reason } = await ask({ socket: found.app.upstream(0) }, '/health', 30_000)
      if (status !== 200) wrong.push(reason ?? status)
      seen.add(await found.serving())
      await helper.delay(5)
    }
  })()
  return async () => {
    goesOn = false
    await done
    return { wrong, seen }
  }
}

let version = 0

const long = (name, fn) => t.test(name, { skip: !helper.isLong && 'in the long run' }, fn)

/** One service, its supervisor and nothing else; flock(1) ends a moment after its agent. */
function alone (found) {
  return helper.until(() => found.processes().length === 2, 'one service and its supervisor are left')
}

/** The state after a kill and the same command again. */
async function ends (t, found, args, next) {
  const again = await found.start(args, settings(found))
  t.equal(again.release, next)
  t.equal(await found.serving(), next, 'the new release serves')
  const { active, pending, draining, gateway } = found.state()
  t.same([active.release, pending, draining, gateway], [next, null, [], null], 'the journal is clean')
  t.equal(fs.readlinkSync(found.app.current), `releases/${next}`)
  await alone(found)
  for (const [folder, what] of [[found.app.run, 'one socket and its name'], [found.app.slots, 'one slot and its status']]) {
    const names = fs.readdirSync(folder)
    t.equal(names.length, 2, `${what}: ${names.join(', ')}`)
  }
}

async function killed (t, found, stage, whom) {
  const next = found.release({ 'v.js': String(++version) })
  const args = { release: next, gateway: `version ${version}\n` }
  const before = await found.serving()
  const stop = observe(t, found)
  const one = deployer(t, found, { args, stopAt: stage })
  await helper.until(() => one.stages.at(-1) === stage || one.result !== null, `stage ${stage}`, 20_000)
  t.equal(one.stages.at(-1), stage, `it got as far as ${stage}`)
  if (whom === 'agent') process.kill(one.agent.pid, 'SIGKILL')
  else one.proc.kill('SIGKILL')
  await helper.until(() => !proc.isAlive(one.agent), 'the agent is gone', 20_000)
  if (whom === 'agent') one.proc.kill('SIGKILL')
  await one.over
  if (whom === 'deployer') {
    // The agent has brought it to an end by itself: before the switch to the old one, after it to the new one.
    const wanted = STAGES.indexOf(stage) >= SWITCHED ? next : before
    t.equal(await found.serving(), wanted, `${wanted === next ? 'the new' : 'the old'} release serves`)
    await alone(found)
    t.same([found.state().pending, found.state().draining], [null, []])
  }
  await ends(t, found, args, next)
  const { wrong, seen } = await stop()
  t.same(wrong, [], 'each question was answered')
  t.ok([...seen].every((id) => id === before || id === next), 'by one of the two releases')
}

t.test('the deployer is killed', async t => {
  const found = await host(t)
  found.release()
  await found.start({ gateway: 'version 0\n' }, settings(found))
  for (const stage of helper.isLong ? STAGES : ['health', 'watch']) await t.test(stage, (t) => killed(t, found, stage, 'deployer'))
})

t.test('the agent is killed', async t => {
  const found = await host(t)
  found.release()
  await found.start({ gateway: 'version 0\n' }, settings(found))
  for (const stage of helper.isLong ? STAGES : ['gateway', 'switch', 'drain']) await t.test(stage, (t) => killed(t, found, stage, 'agent'))
})

long('the agent is killed at any moment', async t => {
  const found = await host(t)
  found.release()
  await found.start({ gateway: 'version 0\n' }, settings(found))
  const rounds = 30
  for (let round = 0; round < rounds; round++) {
    const next = found.release({ 'v.js': String(++version) })
    const args = { release: next, gateway: `version ${version}\n` }
    const stop = observe(t, found)
    const one = deployer(t, found, { args })
    await helper.until(() => one.agent !== null, 'the agent', 10_000)
    const ms = Math.round(Math.random() * 900)
    await helper.delay(ms)
    proc.signal(one.agent, 'SIGKILL') // it may be done already
    await helper.until(() => !proc.isAlive(one.agent), 'the agent is gone')
    one.proc.kill('SIGKILL')
    await one.over
    t.comment(`after ${ms} ms, at ${one.stages.at(-1)}`)
    await ends(t, found, args, next)
    t.same((await stop()).wrong, [])
  }
})

t.test('files that were half written when their writer was killed', async t => {
  const found = await host(t)
  const { app } = found
  found.release()
  await found.start({ gateway: 'version 0\n' }, settings(found))
  const gone = spawn('true')
  await new Promise((resolve) => gone.once('exit', resolve))
  const left = (file, pid) => {
    const name = `${file}.${pid}.1.tmp`
    fs.writeFileSync(name, 'hal')
    return name
  }
  const slot = path.join(app.slots, 'x.json')
  const gateway = gatewayIn(found).to
  const dead = [slot, app.state, app.lockInfo, app.mark('x'), gateway].map((file) => left(file, gone.pid))
  const alive = [slot, app.mark('x')].map((file) => left(file, process.pid))
  const strange = [left(path.join(found.root, 'other.conf'), gone.pid), `${slot}.tmp`]
  fs.writeFileSync(strange[1], 'of somebody else')
  // As it is when the gateway's file was being written.
  fs.writeFileSync(app.state, JSON.stringify({ ...found.state(), gateway: { to: gateway, backup: null } }))

  const next = found.release({ 'v.js': String(++version) })
  await found.start({ release: next, gateway: `version ${version}\n` }, settings(found))
  t.same(dead.filter((file) => fs.existsSync(file)), [], 'are removed by who comes next')
  t.same([...alive, ...strange].filter((file) => !fs.existsSync(file)), [], 'those of who lives, and what is not ours, stay')
})

long('recovery is killed, too', async t => {
  const found = await host(t)
  found.release()
  await found.start({}, settings(found))
  const next = found.release({ 'v.js': String(++version) })
  const args = { release: next }
  for (const stage of ['watch', 'recover', 'recover', 'launch', 'recover']) {
    const one = deployer(t, found, { args, stopAt: stage })
    await helper.until(() => one.stages.at(-1) === stage || one.result !== null, `stage ${stage}`, 20_000)
    if (one.result === null) process.kill(one.agent.pid, 'SIGKILL')
    await helper.until(() => !proc.isAlive(one.agent), 'the agent is gone')
    one.proc.kill('SIGKILL')
    await one.over
  }
  await ends(t, found, args, next)
})

long('the deployer says nothing any more', async t => {
  const found = await host(t)
  const first = found.release()
  await found.start({}, settings(found))
  const next = found.release({ 'v.js': String(++version) })
  const one = deployer(t, found, { args: { release: next }, stopAt: 'health', options: { tickMs: 50, silenceMs: 5000 } })
  await helper.until(() => one.stages.at(-1) === 'health', 'health')
  one.proc.kill('SIGSTOP')
  await helper.until(() => !proc.isAlive(one.agent), 'the agent has noticed', 20_000)
  t.equal(await found.serving(), first)
  await alone(found)
  one.proc.kill('SIGCONT')
  await one.over
  await ends(t, found, { release: next }, next)
})

long('a first release that is killed half-way leaves nothing', async t => {
  const found = await host(t)
  const first = found.release()
  for (const stage of ['launch', 'switch', 'health']) {
    const one = deployer(t, found, { args: {}, stopAt: stage })
    await helper.until(() => one.stages.at(-1) === stage, stage)
    process.kill(one.agent.pid, 'SIGKILL')
    await helper.until(() => !proc.isAlive(one.agent), 'the agent is gone')
    one.proc.kill('SIGKILL')
    await one.over
  }
  await ends(t, found, {}, first)
})

long('a failure that is undone while the connection is lost', async t => {
  const found = await host(t)
  const first = found.release()
  await found.start({}, settings(found))
  found.release({ 'server.js': service + whenSwitched('setTimeout(() => process.exit(1), 700)') })
  const one = deployer(t, found, { args: {}, stopAt: 'watch', more: { watchMs: 5000 } })
  await helper.until(() => one.stages.at(-1) === 'watch', 'watch')
  one.proc.kill('SIGKILL')
  await helper.until(() => !proc.isAlive(one.agent), 'the agent is done', 20_000)
  t.equal(await found.serving(), first, 'it went back by itself')
  t.match(found.audit().at(-1), { action: 'start', result: 'failed', code: 'UC_DEPLOY_DIED' })
  await alone(found)
})
