'use strict'

// Uploads that are interrupted, through a real sshd: the deployer or the agent is
// killed (-9) at every stage and in the middle of the transfer, the connection is
// cut; the same command again ends with the right release.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const t = require('tap')
const releases = require('../../deploy/agent/host/releases')
const { paths } = require('../../deploy/agent/host/paths')
const { startHosts } = require('./parts/sshd')
const { contentOf } = require('./parts/upload')

t.setTimeout(240_000)

const MAIN = path.join(__dirname, '../../lib/cli/main.js')
const SMALL = 2_000_000
const LARGE = 24_000_000 // more than can be under way at once

/** A source, a host, and the command; all of it ends with the test. */
async function site (t, size = SMALL) {
  const [host] = await startHosts(t, 1)
  const base = path.join(host.dir, 'here')
  const source = path.join(base, 'src')
  const config = path.join(base, 'deploy.config.cjs')
  fs.mkdirSync(path.join(source, 'lib'), { recursive: true })
  for (let i = 0; i < 200; i++) fs.writeFileSync(path.join(source, `lib/f${i}.js`), `content ${i}`)
  fs.writeFileSync(path.join(source, 'a-large'), crypto.randomBytes(size))
  const { name, port, user, key, knownHosts, folder } = host
  fs.writeFileSync(config, `module.exports = ${JSON.stringify({
    app: 'test',
    hosts: [{ name, host: host.host, port, user, key, knownHosts, agent: false }],
    folder,
    source,
    install: 'mkdir node_modules && echo made > node_modules/x',
    start: ['server.js'],
    runtime: { name: 'node', path: process.execPath }
  })}\n`)
  const app = paths(folder)
  const running = new Set()
  t.teardown(() => running.forEach(child => child.kill('SIGKILL')))

  /** The command; `onEvent(event, child)` sees what --json says. -> { code, signal, events, error } */
  const upload = async (onEvent = () => {}) => {
    const child = spawn(process.execPath, [MAIN, 'deploy', 'upload', '--json', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    const events = []
    let rest = ''
    let said = ''
    child.stderr.setEncoding('utf8').on('data', text => { said += text })
    child.stdout.setEncoding('utf8').on('data', text => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        const event = JSON.parse(line)
        events.push(event)
        onEvent(event, child)
      }
    })
    const [code, signal] = await new Promise(resolve => child.once('close', (...how) => resolve(how)))
    running.delete(child)
    return { code, signal, events, said, error: events.find(event => event.error)?.error }
  }
  const answer = ({ events }) => events.find(event => event.answer).answer.hosts[0]
  const isRight = (t, result, what) => {
    if (!t.equal(result.code, 0, `${what}: the same command again succeeds`)) return t.comment(result.said, result.error)
    const newest = releases.newest(app)
    t.same(contentOf(app.release(newest.id), { only: file => !file.startsWith('node_modules') }), contentOf(source), `${what}: and all is there`)
    t.same(fs.readdirSync(app.releases).filter(file => file.startsWith('.')), [], `${what}: nothing else is left`)
    t.same(releases.all(app).filter(id => !releases.find(app, id)), [], `${what}: and no other release`)
    return newest
  }
  // Another large file each time: something to send.
  const renew = what => {
    fs.writeFileSync(path.join(source, 'lib/f0.js'), what)
    fs.writeFileSync(path.join(source, 'a-large'), crypto.randomBytes(size))
  }
  const agent = () => JSON.parse(fs.readFileSync(app.lockInfo, 'utf8')).pid
  return { host, app, upload, answer, isRight, renew, agent }
}

const STAGES = ['compare', 'transfer', 'install', 'verify', 'complete', 'prune']
const isLong = process.env.CI === 'true'
// Of the rest the long run takes care.
const some = (...stages) => isLong ? STAGES : stages

// The command goes on while a test hears of a stage, which can be too late for what it wants to do then:
// attempt() says null of that, and is made anew. -> what the first one in time has come to
async function inTime (attempt) {
  for (let tries = 0; tries < 20; tries++) {
    const cut = await attempt()
    if (cut !== null) return cut
  }
  throw new Error('twenty tries, each of them too late')
}

t.test('kill -9 of the deployer at every stage', async t => {
  const { app, upload, isRight, renew } = await site(t)
  for (const stage of some('transfer', 'complete')) {
    let before
    const cut = await inTime(async () => {
      renew(`deployer, ${stage}`)
      before = releases.newest(app)?.id
      let isKilled = false
      const cut = await upload((event, child) => {
        if (event.stage !== stage || isKilled) return
        isKilled = true
        child.kill('SIGKILL')
      })
      return isKilled && cut.code === 0 ? null : cut
    })
    t.equal(cut.signal, 'SIGKILL', `killed at ${stage}`)
    const { id } = isRight(t, await upload(), stage)
    t.not(id, before)
  }
})

t.test('kill -9 of the agent at every stage', async t => {
  const { app, upload, isRight, renew, agent } = await site(t)
  for (const stage of some('install')) {
    let isKilled
    const cut = await inTime(async () => {
      renew(`agent, ${stage}`)
      let isReached = isKilled = false
      const cut = await upload(event => {
        if (event.stage !== stage || isReached) return
        isReached = true
        try {
          process.kill(agent(), 'SIGKILL')
          isKilled = true
        } catch (err) {
          // It has ended.
          if (err.code !== 'ENOENT' && err.code !== 'ESRCH') throw err
        }
      })
      return isReached && cut.code === 0 ? null : cut
    })
    t.ok(isKilled)
    // Behind the mark the release is complete, whatever is left to do.
    t.not(cut.code, 0, `${stage}: the command tells of it`)
    t.match(cut.error, { code: 'UC_DEPLOY_LOST', host: 'host1' })
    isRight(t, await upload(), stage)
  }
  t.ok(releases.complete(app).length > 0)
})

t.test('a removal that was interrupted is ended by the next upload', async t => {
  const { app, upload, isRight, renew } = await site(t)
  isRight(t, await upload(), 'the first')
  for (const stage of ['its folder is gone', 'its manifest as well', 'it is whole']) {
    const { id } = releases.newest(app)
    if (stage !== 'it is whole') fs.renameSync(app.release(id), path.join(app.releases, `.trash-${id}`))
    if (stage === 'its manifest as well') fs.rmSync(app.manifest(id))
    renew(stage)
    isRight(t, await upload(), stage)
    t.equal(fs.existsSync(app.mark(id)), stage === 'it is whole', `${stage}: the mark`)
    t.equal(fs.existsSync(app.manifest(id)), stage === 'it is whole', `${stage}: the manifest`)
  }
})

t.test('what has arrived does not travel again', async t => {
  const { app, upload, answer, isRight, renew, host } = await site(t, LARGE)
  for (const how of ['the deployer is killed', 'the connection is cut']) {
    // In the middle of the large file: part of it is there.
    const arrived = () => {
      try {
        const [id] = fs.readdirSync(app.releases).filter(name => name.startsWith('.parts-'))
        const [part] = fs.readdirSync(path.join(app.releases, id ?? '')).filter(name => name.endsWith('.part'))
        return part ? fs.statSync(path.join(app.releases, id, part)).size : 0
      } catch (err) {
        // Not yet there, or moved to its place between two looks.
        if (err.code !== 'ENOENT') throw err
        return 0
      }
    }
    const cut = await inTime(async () => {
      renew(how)
      let isReached = false
      const cut = await upload((event, child) => {
        if (event.stage !== 'transfer' || isReached) return
        isReached = true
        const timer = setInterval(() => {
          if (arrived() < 1_000_000) return
          clearInterval(timer)
          if (how === 'the deployer is killed') child.kill('SIGKILL')
          else host.drop()
        }, 1)
        child.once('exit', () => clearInterval(timer))
      })
      const isBehind = cut.events.some(({ stage }) => STAGES.indexOf(stage) > STAGES.indexOf('transfer'))
      return isReached && (cut.code === 0 || isBehind) ? null : cut
    })
    t.ok(cut.signal === 'SIGKILL' || cut.error?.code === 'UC_DEPLOY_LOST', `${how}: ${cut.signal ?? cut.error?.code}`)
    t.notOk(cut.events.some(event => event.answer))
    const again = await upload()
    isRight(t, again, how)
    const value = answer(again)
    t.equal(value.resumed, true, how)
    t.ok(value.sent.bytes < LARGE, `${how}: ${value.sent.bytes} of ${LARGE} bytes were sent the second time`)
  }
})
