'use strict'
// A host's session: connection, agent, calls. The agent has the host's lock for
// as long as the session is open, if it was asked for.

const os = require('node:os')
const { spawn } = require('node:child_process')
const { AgentChannel } = require('./channel')
const { command, LOCKED } = require('./bundle')
const { DeployError } = require('./errors')
const { who: whoami } = require('./who')

const START_MS = 20_000
// For a deployment whose deployer is gone, and which ends by itself.
const LOCK_WAIT_MS = 120_000
// For one that has just ended, or whose loss is about to be noticed.
const LOCK_GRACE_MS = 3000
const LOCK_POLL_MS = 250

class Session {
  #transport
  #channel
  #host
  #open
  #streams = new Set()

  constructor ({ transport, channel, host, open }) {
    this.#transport = transport
    this.#channel = channel
    this.#host = host
    this.#open = open
  }

  /** The name of the host, as errors have it. */
  get host () {
    return this.#host
  }

  /** { hostname, user, uid, home, runtime: { name, version, path }, pid, systemd, skewMs, roundTripMs, … } */
  get facts () {
    return this.#channel.facts
  }

  /**
   * Calls an op of the agent. -> its value; rejects with a DeployError that has
   * host and stage. options: { onEvent, onChunk, payload, timeoutMs, signal },
   * see AgentChannel.call.
   */
  call (op, args = {}, options = {}) {
    return this.#channel.call(op, args, options)
  }

  /**
   * A further agent over the same connection, without the lock, for transfers
   * beside each other. -> { facts, call, close }. Closed with the session at
   * the latest. sshd allows ten channels a connection by default.
   */
  async openStream () {
    const channel = await this.#open(false)
    const stream = {
      facts: channel.facts,
      call: (op, args = {}, options = {}) => channel.call(op, args, options),
      close: async () => {
        this.#streams.delete(stream)
        await channel.close()
      }
    }
    this.#streams.add(stream)
    return stream
  }

  /** Lets the agent end, then the connection. Never rejects. */
  async close () {
    await Promise.all([...this.#streams].map(stream => stream.close()))
    await this.#channel.close()
    await this.#transport.close()
  }
}

/**
 * Connects to a host and starts the agent there.
 * host: validated, { name, host, port, user, key, agent, knownHosts, hostKey,
 *   jump, connectTimeoutMs, keepaliveMs }; what it lacks is taken from config.ssh.
 * config: the host's view of the configuration; `folder`, `runtime` are used
 *   here, all of it is `ctx.config` of the ops (so it has to be JSON).
 * options: { lock: whether the host is changed, action: the word for lock and
 *   audit, who, signal, onWait(holder): called while the lock is another's,
 *   ask(question): -> passphrase, lockWaitMs }.
 * -> Session. Rejects with UC_DEPLOY_CONNECT, _HOST_KEY, _AUTH, _LOCKED,
 *   _RUNTIME, _ACCESS, _TIMEOUT, _PROTOCOL, _SSH2.
 */
async function openSession (host, config, options = {}) {
  // Only now: what runs here needs no ssh2.
  const { connect } = require('./ssh/connect')
  const name = host.name ?? host.host
  const transport = await connect({ ...config.ssh, ...defined(host) }, options).catch(err => { throw named(err, name) })
  return openOver(transport, name, config, options)
}

/**
 * The same without SSH: the agent runs as a child of this process. For tests,
 * which may also bring ops of their own to either: options.files, { 'agent/x.js': source }.
 */
async function openLocalSession (host, config, options = {}) {
  return openOver(localTransport(), host?.name ?? 'local', config, options)
}

async function openOver (transport, host, config, options) {
  const open = lock => startAgent(transport, host, config, { ...options, lock })
  try {
    const channel = options.lock ? await withLock(open, host, options) : await open(false)
    return new Session({ transport, channel, host, open })
  } catch (err) {
    await transport.close()
    throw named(err, host)
  }
}

function named (err, host) {
  return err instanceof DeployError ? err.at(host, 'connect') : err
}

async function startAgent (transport, host, config, options) {
  const { lock, who, action, tickMs, silenceMs, files, startMs = START_MS } = options
  const runtime = config.runtime?.path ?? config.runtime?.name ?? (typeof config.runtime === 'string' ? config.runtime : 'node')
  const line = command({ runtime, folder: config.folder, lock })
  const channel = new AgentChannel(await transport.exec(line), host, options)
  try {
    await channel.start({ folder: config.folder, who: who ?? whoami(), action, config, locked: Boolean(lock), tickMs, silenceMs }, { timeoutMs: startMs, files })
    return channel
  } catch (err) {
    throw explain(err, { runtime, folder: config.folder })
  }
}

// The command ended instead of speaking: its exit code and words say why.
function explain (err, { runtime, folder }) {
  const exit = err.details?.exit
  if (err.code !== 'UC_DEPLOY_LOST' || exit === null || exit === undefined) return err
  const said = (err.lines || []).join('\n')
  const known = (code, message, hint) => new DeployError(code, message, { host: err.host, hint, lines: err.lines, details: err.details })
  if (exit === LOCKED) return known('UC_DEPLOY_LOCKED', 'another deployment has the lock of this host')
  const full = /^(mkdir|flock): .*?(No space left on device|Disk quota exceeded)/m.exec(said)
  if (full) return known('UC_DEPLOY_DISK', `${folder}/.deploy cannot be written: ${full[2]}`)
  if (/^mkdir: /m.test(said)) {
    return known('UC_DEPLOY_ACCESS', `the folder ${folder} cannot be made or written`,
      `once, on the host: sudo install -d -o <user> -g <group> ${folder}`)
  }
  if (/flock: .*(cannot open|failed to open|Permission denied)/.test(said) && !/failed to execute/.test(said)) {
    return known('UC_DEPLOY_ACCESS', `the lock ${folder}/.deploy/lock cannot be opened`, `let ${folder}/.deploy belong to the user of the deployment`)
  }
  // That of busybox has no -E.
  if (/^flock: (unrecognized|invalid) option/m.test(said)) {
    return known('UC_DEPLOY_RUNTIME', 'the flock of the host is not that of util-linux', 'install util-linux there, in place of the one of busybox: apk add util-linux, or apt-get install util-linux')
  }
  if (/flock/.test(said) && /not found|No such file/.test(said) && !/failed to execute/.test(said)) {
    return known('UC_DEPLOY_RUNTIME', 'the host has no flock', 'install util-linux there: apt-get install util-linux')
  }
  if (/^this is node .* is needed$/m.test(said)) {
    return known('UC_DEPLOY_RUNTIME', `the runtime '${runtime}' of the host is too old`, 'install Node 20 or later there, or name another one: runtime: { name, path }')
  }
  return known('UC_DEPLOY_RUNTIME', `the agent did not start with '${runtime}' (exit code ${exit})`,
    'install it on the host, or give its absolute path: runtime: { name, path }. Shells of SSH commands do not read .profile, where nvm and others put theirs')
}

// Retries while the lock is held by a deployment that is about to end.
async function withLock (open, host, { onWait, signal, lockWaitMs = LOCK_WAIT_MS }) {
  const started = performance.now()
  let watcher = null
  try {
    for (;;) {
      try {
        return await open(true)
      } catch (err) {
        if (err.code !== 'UC_DEPLOY_LOCKED') throw err
        watcher ??= await open(false)
        const holder = await watcher.call('lock.holder')
        const waited = performance.now() - started
        if (waited >= (holder?.lost ? lockWaitMs : Math.min(LOCK_GRACE_MS, lockWaitMs))) throw locked(err, holder)
        if (signal?.aborted) throw new DeployError('UC_DEPLOY_CANCELLED', 'cancelled while it waited for the lock', { host })
        await onWait?.(holder)
        await new Promise(resolve => setTimeout(resolve, LOCK_POLL_MS))
      }
    }
  } finally {
    await watcher?.close()
  }
}

function locked (err, holder) {
  const { host } = err
  if (!holder) {
    return new DeployError('UC_DEPLOY_LOCKED', 'another deployment has just taken the lock of this host', { host, hint: 'run the same command again when it is over' })
  }
  const doing = [holder.action, holder.stage].filter(Boolean).join(', ')
  const message = `${holder.who} deploys to this host since ${holder.since}${doing ? ` (${doing})` : ''}, agent ${holder.pid}`
  const hint = holder.lost
    ? `its deployer is gone (${holder.lost}); the agent finishes by itself: wait, then run the same command again`
    : 'wait until it is over. If its deployer has lost its network, the agent notices within 30 s and gives the lock back'
  return new DeployError('UC_DEPLOY_LOCKED', message, { host, hint, details: holder })
}

function localTransport () {
  const children = new Set()
  return {
    async exec (line) {
      const child = spawn('/bin/sh', ['-c', line], { stdio: ['pipe', 'pipe', 'pipe'], cwd: os.homedir() })
      children.add(child)
      const exit = new Promise(resolve => {
        child.once('error', err => resolve({ code: null, signal: null, reason: err.message }))
        child.once('close', (code, signal) => {
          children.delete(child)
          resolve({ code, signal })
        })
      })
      return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exit, kill: () => hangUp(child) }
    },
    async close () {
      for (const child of children) hangUp(child)
    }
  }
}

// As a connection ends: the pipes close, the agent is not signalled.
function hangUp (child) {
  child.stdin.destroy()
  child.stdout.destroy()
  child.stderr.destroy()
}

function defined (object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== null))
}

module.exports = { openSession, openLocalSession }
