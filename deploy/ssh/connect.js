'use strict'
// An SSH connection to a host, through its jump hosts: a transport for agents.

const net = require('node:net')
const path = require('node:path')
const { createRequire } = require('node:module')
const { DeployError } = require('../errors')
const { Auth } = require('./auth')
const { HostKeyCheck } = require('./host-key')
const { hops } = require('./jump')

// Answers that may stay away before a connection counts as dead.
const KEEPALIVES = 3
const DEFAULT_MS = 10_000
const END_MS = 2000

/**
 * host: { host, port, user, key, agent, knownHosts, hostKey, jump,
 *   connectTimeoutMs, keepaliveMs }. options: { ask, signal }.
 * -> { exec(line): Promise of a pipe, see AgentChannel; close() }.
 */
async function connect (host, { ask, signal } = {}) {
  const ssh2 = load()
  const links = []
  const close = async () => {
    for (const link of links.reverse()) await link.close()
  }
  try {
    for (const hop of [...hops(host), host]) {
      const through = links.at(-1)
      const link = new ChainLink(hop, ssh2)
      links.push(link)
      await link.open({ ask, signal, through })
    }
  } catch (err) {
    await close()
    throw err
  }
  return { exec: line => links.at(-1).exec(line), close }
}

/** ssh2, from this package, or from the project that uses it by a link. Throws UC_DEPLOY_SSH2. */
function load () {
  for (const from of [__filename, path.join(process.cwd(), 'deploy.config.js')]) {
    try {
      return createRequire(from)('ssh2')
    } catch (err) {
      if (err.code !== 'MODULE_NOT_FOUND') throw err
    }
  }
  throw new DeployError('UC_DEPLOY_SSH2', 'the package ssh2 is not installed', { stage: 'connect' })
}

/** One connection of a chain. */
class ChainLink {
  #host
  #ssh2
  #client
  #name
  #gone = null
  #closed

  constructor (host, ssh2) {
    this.#host = host
    this.#ssh2 = ssh2
    this.#name = `${host.isJump ? 'the jump host ' : ''}${host.host}:${host.port ?? 22}`
  }

  async open ({ ask, signal, through }) {
    const { connectTimeoutMs: ms = DEFAULT_MS } = this.#host
    const deadline = new Deadline(ms, signal)
    try {
      const sock = await deadline.race(through ? through.forward(this.#host) : dial(this.#host, this.#name, deadline),
        () => this.#error('UC_DEPLOY_TIMEOUT', `${this.#name} did not accept a connection within ${ms / 1000} s`, 'is the host up, is the address right, does a firewall drop the packets?'))
      await deadline.race(this.#shake(sock, deadline, ask),
        () => this.#error('UC_DEPLOY_TIMEOUT', `${this.#name} accepted the connection, but the SSH handshake was not over within ${ms / 1000} s`, 'is there an SSH server on this port?'))
    } finally {
      deadline.clear()
    }
  }

  #shake (sock, deadline, ask) {
    const host = this.#host
    const client = this.#client = new this.#ssh2.Client()
    this.#closed = new Promise(resolve => client.once('close', resolve))
    return new Promise((resolve, reject) => {
      const check = new HostKeyCheck(host)
      const auth = new Auth({ ssh2: this.#ssh2, host, ask, around: work => deadline.without(work) })
      let keyError = null
      client.on('error', err => {
        this.#gone ??= err.message
        reject(keyError ?? this.#explain(err, auth))
      })
      client.once('close', () => {
        this.#gone ??= 'the connection was closed'
        reject(this.#early())
      })
      client.once('ready', resolve)
      client.connect({
        sock,
        username: host.user,
        authHandler: auth.handler(),
        hostVerifier: (key, verify) => {
          keyError = check.verify(key)
          verify(keyError === null)
        },
        // Of the ciphers ssh2 puts AES-GCM first where the processor has AES, which
        // is the fastest of them; of the rest its own order is as good.
        algorithms: { serverHostKey: check.algorithms },
        readyTimeout: 0,
        keepaliveInterval: host.keepaliveMs ?? DEFAULT_MS,
        keepaliveCountMax: KEEPALIVES
      })
    })
  }

  #explain (err, auth) {
    if (err.level === 'client-authentication') return auth.refused()
    if (err.level === 'agent') return this.#error('UC_DEPLOY_AUTH', `the SSH agent failed: ${err.message}`, 'is it running? ssh-add -l', err)
    if (/authentication failures/i.test(err.message)) {
      return this.#error('UC_DEPLOY_AUTH', `${this.#name} hung up after too many keys`, 'name the right one with `key`, or set `agent: false`', err)
    }
    if (/before handshake/.test(err.message)) return this.#early()
    if (err.code) return this.#error('UC_DEPLOY_CONNECT', `the connection to ${this.#name} broke: ${err.code}`, undefined, err)
    return this.#error('UC_DEPLOY_PROTOCOL', `${this.#name} does not speak SSH as expected: ${err.message}`, 'is this the port of its SSH server?', err)
  }

  #early () {
    return this.#error('UC_DEPLOY_CONNECT', `${this.#name} closed the connection before it was ready`, 'the log of its sshd says why')
  }

  /** A connection from this host to the next one. */
  forward (to) {
    const port = to.port ?? 22
    return new Promise((resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, to.host, port, (err, stream) => {
        if (!err) return resolve(stream)
        reject(this.#error('UC_DEPLOY_CONNECT', `${this.#name} does not reach ${to.host}:${port}: ${err.message}`,
          'the address is looked up on the jump host, whose sshd has to allow it (AllowTcpForwarding)', err))
      })
    })
  }

  /** Runs a command line in the login shell. */
  async exec (line) {
    const { connectTimeoutMs: ms = DEFAULT_MS } = this.#host
    const deadline = new Deadline(ms)
    try {
      return await deadline.race(this.#exec(line), () => this.#error('UC_DEPLOY_TIMEOUT', `${this.#name} did not start a command within ${ms / 1000} s`))
    } finally {
      deadline.clear()
    }
  }

  #exec (line) {
    const client = this.#client
    return new Promise((resolve, reject) => {
      const onClose = () => reject(this.#error('UC_DEPLOY_LOST', `the connection to ${this.#name} is lost: ${this.#gone ?? 'it was closed'}`))
      if (this.#gone) return onClose()
      client.once('close', onClose)
      const run = (...args) => {
        try {
          client.exec(...args)
        } catch {
          // ssh2 throws where it has noticed the end and not told of it yet.
          onClose()
        }
      }
      run(line, (err, stream) => {
        client.off('close', onClose)
        if (err) reject(this.#error('UC_DEPLOY_CONNECT', `${this.#name} refuses to run a command: ${err.message}`, 'its sshd may limit sessions (MaxSessions) or force another command', err))
        else resolve(this.#pipe(stream))
      })
    })
  }

  #pipe (stream) {
    const exit = new Promise(resolve => {
      const seen = { code: null, signal: null }
      stream.once('exit', (code, signal) => Object.assign(seen, { code: code ?? null, signal: signal ?? null }))
      stream.once('close', () => {
        const known = seen.code !== null || seen.signal !== null
        resolve({ ...seen, reason: known ? null : `the connection to ${this.#name} is lost${this.#gone ? `: ${this.#gone}` : ''}` })
      })
    })
    return { stdin: stream, stdout: stream, stderr: stream.stderr, exit, kill: () => stream.destroy() }
  }

  /** Ends the connection; by force when the other side does not answer. */
  async close () {
    if (!this.#client) return
    this.#client.end()
    let timer
    await Promise.race([this.#closed, new Promise(resolve => { timer = setTimeout(resolve, END_MS) })])
    clearTimeout(timer)
    this.#client.destroy()
  }

  #error (code, message, hint, cause) {
    return new DeployError(code, message, { stage: 'connect', hint, cause })
  }
}

function dial (host, name, deadline) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: host.host, port: host.port ?? 22 })
    socket.setNoDelay(true)
    deadline.onLate(() => socket.destroy())
    socket.once('connect', () => {
      socket.off('error', onError)
      resolve(socket)
    })
    const onError = err => {
      const [message, hint] = {
        ECONNREFUSED: [`${name} refuses connections`, 'is sshd running there, on this port?'],
        ENOTFOUND: [`the name ${host.host} is not known`, 'correct it in deploy.config.js, or the name service'],
        EHOSTUNREACH: [`there is no way to ${name}`, 'is the host up, is the network (VPN) there?'],
        ENETUNREACH: [`there is no way to ${name}`, 'is the host up, is the network (VPN) there?']
      }[err.code] ?? [`${name} cannot be reached: ${err.code ?? err.message}`]
      reject(new DeployError('UC_DEPLOY_CONNECT', message, { stage: 'connect', hint, cause: err }))
    }
    socket.once('error', onError)
  })
}

/** The time that a connection may take, without that of people who are asked. */
class Deadline {
  #left
  #since
  #timer = null
  #late = []
  #signal
  #abort

  constructor (ms, signal) {
    this.#left = ms
    this.#signal = signal
    this.#abort = () => this.#over()
    signal?.addEventListener('abort', this.#abort, { once: true })
    this.#run()
  }

  #run () {
    this.#since = performance.now()
    this.#timer = setTimeout(() => this.#over(), this.#left)
  }

  #over () {
    clearTimeout(this.#timer)
    this.isOver = true
    for (const fn of this.#late) fn()
  }

  onLate (fn) {
    this.#late.push(fn)
  }

  /** work, or the error when the time is over first. */
  race (work, error) {
    // What comes too late is nobody's any more.
    work.catch(() => {})
    return new Promise((resolve, reject) => {
      const late = () => reject(this.#signal?.aborted ? new DeployError('UC_DEPLOY_CANCELLED', 'cancelled', { stage: 'connect' }) : error())
      if (this.isOver || this.#signal?.aborted) return late()
      this.onLate(late)
      work.then(resolve, reject)
    })
  }

  async without (work) {
    clearTimeout(this.#timer)
    this.#left = Math.max(0, this.#left - (performance.now() - this.#since))
    try {
      return await work()
    } finally {
      this.#run()
    }
  }

  clear () {
    clearTimeout(this.#timer)
    this.#late = []
    this.#signal?.removeEventListener('abort', this.#abort)
  }
}

module.exports = { connect, load }
