'use strict'

// undercroftd beside a service: the one of the release, under a supervisor of its own. It is replaced when
// the release brings another one or other options. The new one takes the socket over by itself (--replace),
// and clients come back by themselves; when it does not come up, the old one is started again.

const crypto = require('node:crypto')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const processes = require('../launcher/process')
const slots = require('../launcher/slots')
const { DeployError } = require('../../errors')
const routes = require('./routes')
const { listensOn } = require('../host/listeners')
const { readState, writeState } = require('../host/state')
const { run } = require('../host/command')
const { within } = require('../host/wait')

const FIND_MS = 30_000
// The end of the old one is in it: 25 s by its own options (--drain-ms), on a disk that hangs.
const READY_MS = 60_000
const LIMITS = { drainMs: 26_000, killMs: 3000 }

// The greeting of nng's SP protocol: a requester's, and the one that a replier answers.
const HELLO = Buffer.from([0, 0x53, 0x50, 0, 0, 0x30, 0, 0])
const REPLY = Buffer.from([0, 0x53, 0x50, 0, 0, 0x31, 0, 0])
const HELLO_MS = 2000

/**
 * Sees to it that the daemon of a release serves.
 * @param {object} ctx
 * @param {string} release
 * @returns {Promise<'none'|'unchanged'|'started'|'replaced'>}
 * @throws UC_DEPLOY_DAEMON; the one before serves again
 */
async function bring (ctx, release) {
  if (!ctx.config.daemon) return 'none'
  const { app } = ctx
  const { daemon: old } = readState(app.state)
  const next = await wanted(ctx, release)
  if (old !== null && old.id === next.id && processes.look(old.slot).alive) return 'unchanged'
  await ctx.stage('daemon')
  ctx.signal.throwIfAborted()
  keep(app, next)
  const { from, ...daemon } = next
  note(app, { ...old, pending: daemon })
  try {
    put(app, daemon)
    if (ctx.config.daemon.routes !== null) routes.prepare(app)
    // Its supervisor shall not start the old one again when the new one has ended it.
    if (old !== null && old.slot !== daemon.slot) fs.rmSync(old.slot, { force: true })
    await processes.start(ctx, daemon.slot)
    await ready(daemon)
  } catch (err) {
    const lines = err.lines ?? processes.lines(daemon.slot)
    await restore(ctx)
    throw new DeployError('UC_DEPLOY_DAEMON', `the daemon of ${release} does not serve: ${err.message}; ${old === null ? 'there was none before it' : 'the one before it serves again'}`, { lines, cause: err })
  }
  await commit(ctx)
  return old === null ? 'started' : 'replaced'
}

// What the daemon of a release is, without anything being started.
async function wanted (ctx, release) {
  const { app, config } = ctx
  const from = await find(app.release(release))
  const hash = crypto.createHash('sha256').update(fs.readFileSync(from)).digest('hex').slice(0, 16)
  const file = path.join(app.deploy, 'daemon', hash, 'undercroftd')
  const expand = (text) => text.replace(/\$SHARED\b/g, app.shared)
  const socket = path.join(app.folder, config.daemon.socket)
  const command = [file, '--replace', '--listen', `ipc://${socket}`, '--db', expand(config.daemon.db), ...front(ctx), ...config.daemon.args.map(expand)]
  const id = crypto.createHash('sha256').update(JSON.stringify(command)).digest('hex').slice(0, 8)
  return { id, release, launcher: 'process', socket, command, slot: path.join(app.slots, `daemon.${id}.json`), from }
}

// Its HTTP, which the gateway has to reach, and nobody else the socket beside it.
function front ({ app, config: { daemon, socketMode } }) {
  if (daemon.routes === null) return []
  return ['--http', `unix:${path.join(app.folder, daemon.http)}`, '--http-mode', socketMode.toString(8).padStart(4, '0'), '--routes', app.routes]
}

// Where the release's own undercroft has it, asked as the service would.
async function find (cwd) {
  const program = "const p=require('path'),r=require('module').createRequire(p.resolve('x.js'));" +
    "console.log(r(p.join(p.dirname(r.resolve('undercroft/package.json')),'lib/base/binding.js')).daemonPath())"
  const { ok, lines } = await run([process.execPath, '-e', program], { cwd, env: slots.inherited(), timeoutMs: FIND_MS })
  if (ok) return lines.at(-1)
  throw new DeployError('UC_DEPLOY_DAEMON', `the release has no undercroftd: ${lines.find((line) => /^\w*Error|error:/.test(line)) ?? 'undercroft is not installed in it'}`, {
    lines, hint: 'undercroft belongs to the dependencies of the service, and is installed with the release'
  })
}

// A copy: the release may be removed while its daemon goes on for later ones.
function keep (app, { command: [file], from }) {
  if (fs.existsSync(file)) return
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const part = `${file}.${process.pid}.part`
  fs.copyFileSync(from, part)
  fs.chmodSync(part, 0o555)
  fs.renameSync(part, file)
}

function put (app, { slot, command, socket }) {
  for (const folder of [app.slots, app.out, app.shared, path.dirname(socket)]) fs.mkdirSync(folder, { recursive: true })
  const name = path.basename(slot, '.json')
  slots.put(slot, {
    name,
    port: 0,
    socket,
    command,
    cwd: app.shared,
    env: { ...slots.inherited(), UNDERCROFT_SLOT: slot },
    out: path.join(app.out, 'daemon.log'),
    ...LIMITS
  })
}

// It serves: the process of the slot lives, and what is behind the socket speaks the protocol.
async function ready ({ slot, socket }) {
  let reason = null
  const isReady = async () => {
    const { restarts, exit } = processes.look(slot)
    if (restarts > 0 || exit !== null) {
      throw new DeployError('UC_DEPLOY_DAEMON', `it ended with ${exit?.error ?? exit?.signal ?? `code ${exit?.code}`}`, { lines: processes.lines(slot) })
    }
    if (!serves(slot, socket)) return false
    reason = await greet(socket)
    return reason === null
  }
  if (!await within(READY_MS, isReady)) throw new DeployError('UC_DEPLOY_DAEMON', `it did not answer on ${socket} within ${READY_MS} ms${reason === null ? '' : `: ${reason}`}`)
}

// It is the process of the slot that listens, and not the one before it.
function serves (slot, socket) {
  return listensOn(processes.look(slot).pids, socket)
}

function greet (file) {
  return new Promise((resolve) => {
    const socket = net.connect(file)
    const got = []
    const end = (reason) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(reason)
    }
    const timer = setTimeout(() => end('it does not answer'), HELLO_MS)
    socket.on('connect', () => socket.write(HELLO))
    socket.on('data', (bytes) => {
      got.push(bytes)
      const all = Buffer.concat(got)
      if (all.length >= REPLY.length) end(all.subarray(0, REPLY.length).equals(REPLY) ? null : 'something else answers')
    })
    socket.on('error', (err) => end(err.code ?? err.message))
    socket.on('close', () => end('it closed the connection'))
  })
}

// The new one is the daemon; of the old one at most a supervisor is left, which is ending.
async function commit ({ app }) {
  const { pending, ...old } = readState(app.state).daemon
  note(app, pending)
  if (old.slot !== undefined && old.slot !== pending.slot) await processes.stop(old.slot, LIMITS)
}

// The new one ends; the old one is started again if it has been ended.
async function restore (ctx) {
  const { app } = ctx
  const { pending, ...old } = readState(app.state).daemon
  const isOther = old.slot !== pending.slot
  if (isOther || !processes.look(pending.slot).alive) await processes.stop(pending.slot, LIMITS)
  if (old.slot === undefined) return note(app, null)
  if (isOther && !fs.existsSync(old.slot)) put(app, old)
  else if (!isOther) put(app, old)
  if (!processes.look(old.slot).alive) {
    await processes.stop(old.slot, LIMITS)
    put(app, old)
    await processes.start(ctx, old.slot)
    await ready(old)
  }
  note(app, old)
}

/** After a kill in the middle of a replacement: the new one if it serves, or else the old one. */
async function recover (ctx) {
  const { pending } = readState(ctx.app.state).daemon
  if (serves(pending.slot, pending.socket) && await greet(pending.socket) === null) {
    await commit(ctx)
    return `finished the replacement of the daemon by that of ${pending.release}`
  }
  await restore(ctx)
  return `undid the replacement of the daemon by that of ${pending.release}`
}

/** Ends a daemon that the configuration does not have any more. */
async function retire ({ app, config }) {
  const { daemon } = readState(app.state)
  if (config.daemon || daemon === null) return
  await processes.stop(daemon.slot, LIMITS)
  note(app, null)
}

function note (app, daemon) {
  writeState(app.state, { ...readState(app.state), daemon })
}

module.exports = { bring, recover, retire }
