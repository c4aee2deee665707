'use strict'

// The command line of deployments: help, mistakes, what is missing; what it says for people and for programs.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { PassThrough } = require('node:stream')
const { spawn } = require('node:child_process')
const { Report } = require('../../deploy/report')
const { actions } = require('../../deploy')
const { eachHost, warnOfMigrations } = require('../../deploy/hosts')
const { validate } = require('../../deploy/config')
const { DeployError } = require('../../deploy/errors')
const { failure, root, tmpdir } = require('../helper')

t.setTimeout(300_000)

const ACTIONS = ['plan', 'upload', 'start', 'deploy', 'rollback', 'status', 'logs', 'init']

// -> { code, out, err }
function tool (cwd, args, env = {}) {
  return new Promise((resolve, reject) => {
    const proc = spawn(process.execPath, [path.join(root, 'lib/cli/main.js'), ...args], { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const result = { out: '', err: '' }
    proc.stdout.setEncoding('utf8').on('data', (text) => { result.out += text })
    proc.stderr.setEncoding('utf8').on('data', (text) => { result.err += text })
    proc.on('error', reject)
    proc.on('close', (code) => resolve({ ...result, code }))
  })
}

function withConfig (t, text) {
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'deploy.config.js'), text)
  return dir
}

const events = (out) => out.trim().split('\n').map((line) => JSON.parse(line))

t.setTimeout(120_000)

t.test('help, of the command and of each action', async (t) => {
  const dir = tmpdir(t)
  const whole = await tool(dir, ['deploy', '--help'])
  t.equal(whole.code, 0)
  for (const action of ACTIONS.filter((action) => action !== 'deploy')) t.match(whole.out, `npx undercroft deploy ${action} `)
  for (const action of ACTIONS) {
    const { code, out } = await tool(dir, ['deploy', action, '--help'])
    t.equal(code, 0, action)
    t.match(out, new RegExp(`^usage: npx undercroft deploy${action === 'deploy' ? '' : ` ${action}`}`), action)
    t.match(out, /--json/)
  }
  t.match((await tool(dir, ['help', 'deploy'])).out, whole.out)
  // Each option is parsed for every action, but its words are those of one.
  t.same(whole.out.match(/--[a-z-]+(?= {2})/g), ['--config', '--host', '--json', '--force', '--verify', '--help'])
  t.match(whole.out, /--host +only this host, by its name/)
  t.match(whole.out, /--force +a new release, and a new start/)
  t.match((await tool(dir, ['deploy', 'whatever', '--help'])).out, whole.out)
  t.match((await tool(dir, ['deploy', 'plan', '--help'])).out, /Changes nothing there; here it only remembers/)
  t.match((await tool(dir, ['deploy', 'init', '--help'])).out, /--host +user@host; can be repeated\n[^]*--force +overwrite files/)
  t.match((await tool(dir, ['--help'])).out, /^ {2}deploy /m)
})

t.test('a wrong command line changes nothing and says what is wrong', async (t) => {
  const dir = withConfig(t, "throw new Error('it was read')")
  for (const [args, message] of [
    [['statsu'], "there is no action 'statsu' of deploy: did you mean 'status'?"],
    [['whatever'], "there is no action 'whatever' of deploy; there are plan, upload"],
    [['status', '--force'], 'deploy status takes no --force'],
    [['plan', 'x'], "deploy plan: there is a word too many: 'x'"],
    [['start', 'a', 'b'], "deploy start: there is a word too many: 'b'"],
    [['start', 'a', '--release', 'b'], 'deploy start: two releases are named, a and b'],
    [['logs', '--host'], '--host'],
    [['upload', '--fast'], '--fast']
  ]) {
    const { code, out, err } = await tool(dir, ['deploy', ...args])
    t.equal(code, 2, args.join(' '))
    t.match(err, message)
    t.equal(out, '')
  }
})

t.test('a configuration that is missing or wrong', async (t) => {
  const none = await tool(tmpdir(t), ['deploy', 'status'])
  t.equal(none.code, 2)
  t.match(none.err, /there is no deploy\.config\.js .*\n.*npx undercroft deploy init/)
  const dir = withConfig(t, "module.exports = { app: 'shop', hosts: ['a'], start: 'x', kep: 1 }")
  for (const action of ACTIONS.filter((action) => action !== 'init')) {
    const { code, err } = await tool(dir, ['deploy', ...(action === 'deploy' ? [] : [action])])
    t.equal(code, 2, action)
    t.match(err, /^deploy\.config\.js: start: expected a list/m)
    t.match(err, /^deploy\.config\.js: kep: there is no such field; did you mean 'keep'\?/m)
  }
  const { code, out, err } = await tool(dir, ['deploy', 'plan', '--json'])
  t.equal(code, 2)
  t.equal(err, '')
  t.match(events(out), [{ error: { code: 'UC_DEPLOY_CONFIG', details: { faults: [{ path: 'kep' }, { path: 'start' }] } } }])
  const host = await tool(withConfig(t, "module.exports = { app: 'shop', hosts: ['a', 'b'], start: ['x'] }"), ['deploy', 'status', '--host', 'c'])
  t.equal(host.code, 2)
  t.match(host.err, 'there is no host "c" in the configuration; there are a, b')
})

t.test('a hook that hangs ends with Ctrl-C', async (t) => {
  const dir = withConfig(t, `module.exports = { app: 'shop', hosts: ['127.0.0.1:1'], start: ['x'], hooks: {
    beforeUpload: () => new Promise(() => { setInterval(() => {}, 1000); process.kill(process.pid, 'SIGINT') })
  } }`)
  const { code, out } = await tool(dir, ['deploy', 'upload', '--json'])
  t.equal(code, 1)
  t.match(events(out).at(-1), { error: { code: 'UC_DEPLOY_STOPPED', message: 'stopped by SIGINT', hint: /same command again/ } })
})

t.test('without ssh2 it says how to get it', async (t) => {
  // A copy of the package where no folder above has one.
  const dir = tmpdir(t)
  const copy = path.join(dir, 'node_modules/undercroft')
  fs.mkdirSync(copy, { recursive: true })
  for (const name of ['lib', 'deploy', 'package.json']) fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true })
  fs.writeFileSync(path.join(dir, 'deploy.config.js'), "module.exports = { app: 'shop', hosts: ['127.0.0.1:1'], start: ['x'], build: 'touch built' }")
  const run = (...args) => new Promise((resolve) => {
    const proc = spawn(process.execPath, [path.join(copy, 'lib/cli/main.js'), 'deploy', ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
    let err = ''
    proc.stderr.setEncoding('utf8').on('data', (text) => { err += text })
    proc.on('close', (code) => resolve({ code, err }))
  })
  for (const args of [['upload'], ['start'], ['plan'], ['status'], []]) {
    const { code, err } = await run(...args)
    t.match(err, 'npm install --save-dev ssh2', args[0])
    t.equal(code, 3, 'the machine lacks something')
    t.notOk(fs.existsSync(path.join(dir, 'built')), 'before anything was done')
  }
})

t.test('what is said: lines for people, events for programs, a bar on a terminal', async (t) => {
  const stream = () => {
    const out = new PassThrough()
    out.text = () => {
      let text = ''
      for (let piece = out.read(); piece !== null; piece = out.read()) text += piece
      return text
    }
    return out
  }
  const make = (options) => {
    const out = stream()
    const err = stream()
    let now = 0
    const report = new Report({ out, err, now: () => now, ...options })
    return { report, out, err, at: (ms) => { now = ms } }
  }
  const done = { files: 5, ofFiles: 10, bytes: 512, ofBytes: 1024 }
  const all = { files: 10, ofFiles: 10, bytes: 1024, ofBytes: 1024 }

  const plain = make({})
  plain.report.stage('one', 'transfer')
  plain.report.progress('one', done)
  plain.at(100)
  plain.report.progress('one', { ...done, files: 6 })
  plain.report.progress('one', all)
  plain.report.say('one', 'a\x1b[31m\x07b')
  plain.report.warn(null, 'careful')
  plain.report.answer({ ok: true }, 'the table')
  t.equal(plain.err.text(), 'one  transfer\none  5 of 10 files, 512 B of 1.0 KiB (50 %)\none  10 of 10 files, 1.0 KiB of 1.0 KiB (100 %)\none  a\ufffd[31m\ufffdb\nwarning: careful\n')
  t.equal(plain.out.text(), 'the table\n')

  const json = make({ json: true })
  json.report.stage('one', 'transfer')
  json.report.progress('one', done)
  json.report.answer({ ok: true }, 'the table')
  json.report.error(new DeployError('UC_DEPLOY_LOST', 'gone', { host: 'one', stage: 'transfer' }))
  t.equal(json.err.text(), '')
  t.match(events(json.out.text()), [{ host: 'one', stage: 'transfer', at: '1970-01-01T00:00:00.000Z' }, { host: 'one', progress: done }, { answer: { ok: true } },
    { error: { code: 'UC_DEPLOY_LOST', message: 'gone', host: 'one', stage: 'transfer', hint: /same command/ } }])

  const bar = make({ bar: true })
  bar.report.progress('one', done)
  bar.at(200)
  bar.report.progress('two', all)
  bar.report.stage('one', 'verify')
  bar.report.end()
  const drawn = bar.err.text()
  t.match(drawn, '[============            ] 5 of 10 files')
  t.match(drawn, '[========================] 10 of 10 files')
  t.match(drawn, '\x1b[2A\x1b[J', 'both are drawn anew')
  t.match(drawn, 'one  verify\n')
})

t.test('hosts: one after the other or all at once, until the first failure', async (t) => {
  const config = (order) => validate({ app: 'shop', hosts: ['a', 'b', 'c'], start: ['x'], order }, { file: path.join(tmpdir(t), 'deploy.config.js') })
  const run = async (order, options, fails = []) => {
    const log = []
    const io = {
      report: new Report({ out: new PassThrough(), err: new PassThrough() }),
      openSession: async (target, view) => {
        log.push(`open ${target.name}`)
        if (fails.includes(`open ${target.name}`)) throw new DeployError('UC_DEPLOY_CONNECT', 'refused')
        t.notOk(typeof view.forHost === 'function' || 'target' in view, 'the agent gets its part')
        return { close: async () => { log.push(`close ${target.name}`) } }
      }
    }
    const work = async ({ host }) => {
      log.push(`work ${host}`)
      await null
      if (fails.includes(host)) throw new DeployError('UC_DEPLOY_HEALTH', 'not well')
      return host.toUpperCase()
    }
    const result = await eachHost(config(order), options, io, work).catch((err) => err)
    return { log, result }
  }
  const one = await run('one', {})
  t.same(one.result, [{ host: 'a', value: 'A' }, { host: 'b', value: 'B' }, { host: 'c', value: 'C' }])
  t.same(one.log, ['a', 'b', 'c'].flatMap((name) => [`open ${name}`, `work ${name}`, `close ${name}`]))
  const chosen = await run('one', { host: ['c', 'a'] })
  t.same(chosen.result.map(({ host }) => host), ['a', 'c'])
  const failed = await run('one', {}, ['b'])
  t.match(failed.result, { code: 'UC_DEPLOY_HEALTH', host: 'b', done: ['a'], left: ['c'] })
  t.same(failed.log, ['open a', 'work a', 'close a', 'open b', 'work b', 'close b'], 'the third was not touched')
  const refused = await run('one', {}, ['open a'])
  t.match(refused.result, { code: 'UC_DEPLOY_CONNECT', host: 'a', done: [], left: ['b', 'c'] })
  const all = await run('all', {}, ['b'])
  t.match(all.result, { host: 'b', done: ['a', 'c'], left: [] }, 'those at work finish')
  t.same(all.log.slice(0, 3), ['open a', 'open b', 'open c'])
  const on = await run('one', { goOn: true }, ['open a', 'c'])
  t.match(on.result, [{ host: 'a', error: { code: 'UC_DEPLOY_CONNECT' } }, { host: 'b', value: 'B' }, { host: 'c', error: { code: 'UC_DEPLOY_HEALTH' } }])
  t.match(await failure(eachHost(config('one'), { host: ['x'] }, {}, () => {})), { code: 'UC_DEPLOY_HOST' })
})

t.test('who chooses hosts is told when none of them migrates', async (t) => {
  const config = (migrations) => validate({ app: 'shop', hosts: ['a', 'b'], start: ['x'], migrations }, { file: path.join(tmpdir(t), 'deploy.config.js') })
  const first = config({ command: 'x', once: 'first-host' })
  const warnings = (config, host) => {
    const said = []
    warnOfMigrations(config, { host }, { warn: (host, text) => said.push(text) })
    return said
  }
  t.match(warnings(first, ['b']), [/^no migrations run: migrations\.once is 'first-host', and a, the first of the configuration,/])
  for (const host of [undefined, ['a'], ['b', 'a']]) t.same(warnings(first, host), [])
  t.same(warnings(config('x'), ['b']), [])
  t.same(warnings(config(null), ['b']), [])

  const refused = async () => { throw new DeployError('UC_DEPLOY_CONNECT', 'refused') }
  for (const [action, count] of [['start', 1], ['rollback', 0]]) {
    const report = new Report({ out: new PassThrough().resume(), err: new PassThrough().resume() })
    let told = 0
    report.warn = () => { told++ }
    await failure(actions[action](first, { host: ['b'] }, { report, action, openSession: refused }))
    t.equal(told, count, action)
  }
})
