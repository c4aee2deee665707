'use strict'

// A "host" without SSH: a folder with releases in it, and an agent that runs as a child of the test. The
// releases are made here, so that these tests are about step two only.

const crypto = require('node:crypto')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { openLocalSession } = require('../../../deploy/session')
const { forAgent, validate } = require('../../../deploy/config')
const { paths } = require('../../../deploy/agent/host/paths')
const manifests = require('../../../deploy/agent/host/manifest')
const proc = require('../../../deploy/agent/host/proc')
const slots = require('../../../deploy/agent/launcher/slots')
const processes = require('../../../deploy/agent/launcher/process')
const { readState } = require('../../../deploy/agent/host/state')
const { ask } = require('../../../deploy/agent/start/health')

// A service that listens as the deployment says, answers with its release, and drains.
const service = fs.readFileSync(path.join(__dirname, 'plain.js'), 'utf8')

// Service code that runs as soon as the gateway has been switched to it.
const whenSwitched = (code) => `
{
  const path = require('node:path')
  const timer = setInterval(() => {
    if (fs.readlinkSync(path.join(path.dirname(UNDERCROFT_SOCKET), 'app.sock')) !== path.basename(UNDERCROFT_SOCKET)) return
    clearInterval(timer)
    ${code}
  }, 5)
}
`

/**
 * TCP ports that are free now and that the kernel gives to nobody as the port of a connection: those below
 * its own range (ip(7)). Each caller begins somewhere else.
 */
async function freePorts (count) {
  const [lowest] = fs.readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').split('\t').map(Number)
  const found = []
  for (let tries = 0; found.length < count && tries < 1000; tries++) {
    const port = 10_000 + Math.floor(Math.random() * (lowest - 10_000))
    if (!found.includes(port) && await isFree(port)) found.push(port)
  }
  return found
}

function isFree (port) {
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/**
 * A host of a test; whatever runs on it ends with the test.
 * @param {object} t
 * @param {object} [options] fields of deploy.config.js
 * @param {string} [place] where the application's folder is made
 */
async function host (t, options = {}, place = os.tmpdir()) {
  const root = fs.mkdtempSync(path.join(place, 'uc-'))
  const folder = path.join(root, 'app')
  fs.mkdirSync(folder)
  const instances = options.instances ?? 1
  const found = {
    root,
    folder,
    app: paths(folder),
    ports: options.ports ?? await freePorts(2 * instances),
    configure (more = {}) {
      const config = validate({
        app: 'shop',
        hosts: ['localhost'],
        folder,
        ports: found.ports,
        start: ['server.js'],
        launcher: 'process',
        install: null,
        health: { timeoutMs: 20_000, everyMs: 20 },
        watchMs: 200,
        drainMs: 2000,
        killMs: 1000,
        ...options,
        ...more
      }, { file: path.join(root, 'deploy.config.js') })
      return forAgent(config.forHost(0))
    },
    /** @returns {Promise<object>} a session with the lock; closed with the test at the latest */
    async session (more, sessionOptions) {
      const session = await openLocalSession({ name: 'one' }, found.configure(more), { lock: true, action: 'start', who: 'test', ...sessionOptions })
      open.add(session)
      return session
    },
    /** One action in a session of its own. -> its value */
    async start (args = {}, more = {}, { onEvent } = {}) {
      const session = await found.session(more)
      try {
        return await session.call('start', args, { onEvent })
      } finally {
        await session.close()
        open.delete(session)
      }
    },
    release: (files = {}, more) => makeRelease(found.app, { 'server.js': service, ...files }, more),
    state: () => readState(found.app.state),
    /** What the gateway would get: { status, body } of the active socket. */
    serving: () => serving(found.app),
    processes: () => proc.pids().filter((pid) => belongs(pid, folder)),
    audit: () => fs.readFileSync(found.app.audit, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  }
  const open = new Set()
  t.teardown(async () => {
    for (const session of open) await session.close()
    for (const slot of slots.all(found.app)) await processes.stop(slot, { drainMs: 0, killMs: 200 })
    for (const pid of found.processes()) process.kill(pid, 'SIGKILL')
    fs.rmSync(root, { recursive: true, force: true })
  })
  return found
}

// Whether a process was started for this folder: it is named in its arguments or its environment.
function belongs (pid, folder) {
  if (pid === process.pid) return false
  for (const name of ['cmdline', 'environ']) {
    try {
      if (fs.readFileSync(`/proc/${pid}/${name}`, 'utf8').includes(`${folder}/`)) return proc.birth(pid) !== null
    } catch {
      // It has ended.
    }
  }
  return false
}

let made = 0

/** A complete release, as step one leaves it. -> its id */
function makeRelease (app, files, { complete = true, env = null } = {}) {
  const entries = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))
  const { hash, text } = manifests.textOf({
    files: entries.map(([name, body]) => [name, Buffer.byteLength(body), 0, crypto.createHash('sha256').update(body).digest('hex')]),
    links: []
  })
  const at = new Date(Date.UTC(2026, 0, 1, 0, 0, ++made))
  const id = `${at.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}-${hash.slice(0, 8)}`
  const folder = app.release(id)
  for (const [name, body] of entries) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    fs.writeFileSync(path.join(folder, name), body, { mode: 0o444 })
  }
  fs.mkdirSync(app.marks, { recursive: true })
  fs.writeFileSync(app.manifest(id), text)
  if (env !== null) fs.writeFileSync(path.join(app.marks, `${id}.env`), env, { mode: 0o600 })
  if (complete) fs.writeFileSync(app.mark(id), JSON.stringify({ id, manifest: hash, at: at.toISOString(), who: 'test', files: entries.length, bytes: 0, installed: null }))
  return id
}

async function serving (app) {
  const { status, reason } = await ask({ socket: app.upstream(0) }, '/health', 30_000)
  return status === null ? reason : path.basename(fs.readlinkSync(app.upstream(0))).replace(/\.\d+\.sock$/, '')
}

module.exports = { freePorts, host, makeRelease, service, whenSwitched }
