'use strict'

// A project as a user has it: a folder with a service and a deploy.config.js for real SSH servers, and the
// command line as the way to deploy it. What runs on the "hosts" ends with the test.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { PassThrough } = require('node:stream')
const { startHosts } = require('./sshd')
const { freePorts, service } = require('./host')
const { actions } = require('../../../deploy')
const { validate } = require('../../../deploy/config')
const { Report } = require('../../../deploy/report')
const { paths } = require('../../../deploy/agent/host/paths')
const proc = require('../../../deploy/agent/host/proc')
const processes = require('../../../deploy/agent/launcher/process')
const slots = require('../../../deploy/agent/launcher/slots')

const root = path.join(__dirname, '../../..')

/**
 * @param {object} t
 * @param {number} count of hosts
 * @param {object} [more] fields of the configuration; plain data
 * @returns {Promise<object>} { dir, hosts, apps, configure(more), write(name, text), deploy(...args), ask(action, options) }
 *   deploy: a process of its own -> { code, out, err, answer, error, stages }; ask: in this one -> { answer, text, failed }
 */
async function project (t, count, more = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  const hosts = await startHosts(null, count)
  const apps = hosts.map(({ folder }) => paths(folder))
  const ports = await freePorts(2 * count)
  const found = {
    dir,
    hosts,
    apps,
    ports: hosts.map((_, i) => ports.slice(2 * i, 2 * i + 2)),
    write: (name, text) => fs.writeFileSync(path.join(dir, name), text),
    configure (changes = {}) {
      const config = {
        app: 'shop',
        hosts: hosts.map(({ name, host, port, user, folder }, i) => ({ name, host, port, user, folder, ports: found.ports[i] })),
        ssh: { key: hosts.userKey, agent: false, knownHosts: hosts.knownHosts, connectTimeoutMs: 20_000 },
        start: ['server.js'],
        launcher: 'process',
        runtime: { name: 'node', path: process.execPath },
        ignore: ['*.log'],
        health: { timeoutMs: 20_000, everyMs: 20 },
        watchMs: 100,
        drainMs: 2000,
        killMs: 1000,
        ...more,
        ...changes
      }
      found.config = config
      found.write('deploy.config.js', `module.exports = ${JSON.stringify(config, null, 2)}\n`)
    },
    deploy: (...args) => run(dir, args),
    async ask (action, options = {}) {
      const report = new Report({ out: new PassThrough(), err: new PassThrough().resume(), bar: false })
      const said = {}
      report.answer = (answer, text) => Object.assign(said, { answer, text })
      const { failed } = await actions[action](validate(found.config, { file: path.join(dir, 'deploy.config.js') }), options, { report, action, who: 'test' })
      return { ...said, failed }
    }
  }
  t.teardown(async () => {
    for (const app of apps) {
      for (const slot of slots.all(app)) await processes.stop(slot, { drainMs: 0, killMs: 200 })
      for (const pid of proc.pids()) if (belongs(pid, app.folder)) process.kill(pid, 'SIGKILL')
    }
    await hosts.stop()
    fs.rmSync(dir, { recursive: true, force: true })
  })
  found.configure()
  found.write('server.js', service)
  return found
}

function belongs (pid, folder) {
  try {
    return pid !== process.pid && fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`UNDERCROFT_SLOT=${folder}/`)
  } catch {
    return false
  }
}

// With --json, what happened is taken apart.
function run (cwd, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, 'lib/cli/main.js'), 'deploy', ...args], { cwd, env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'pipe'] })
    const result = { out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', (text) => { result.out += text })
    child.stderr.setEncoding('utf8').on('data', (text) => { result.err += text })
    child.on('error', reject)
    child.on('close', (code) => {
      const events = args.includes('--json') ? result.out.split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []
      const last = events.at(-1) ?? {}
      resolve({ ...result, code, answer: last.answer, error: last.error, stages: events.filter((event) => event.stage !== undefined) })
    })
  })
}

module.exports = { project }
