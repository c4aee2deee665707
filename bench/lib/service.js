'use strict'

// A server that a contestant talks to over a unix socket, or by a port of this
// machine: a process of its own, started and ended by the bench, never one that runs
// already.

const net = require('node:net')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { setTimeout: sleep } = require('node:timers/promises')

const START_MS = 60000
const END_MS = 60000 // a daemon finishes what is in flight and checkpoints
const ERRORS_KEPT = 4000 // characters of stderr

const running = new Set()
process.once('exit', () => { for (const child of running) child.kill('SIGKILL') })

class Service {
  #child
  #errors = ''
  #over = null

  #at

  /**
   * @param {string} socket where it will listen
   * @param {object} recipe { command, args, env, port } of a contestant's `service`; with a port it
   *   listens there
   */
  constructor (socket, { command, args, env, port }) {
    this.socket = socket
    this.port = port
    this.#at = port === undefined ? { path: socket } : { host: '127.0.0.1', port }
    this.#child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env }
    })
    running.add(this.#child)
    this.#child.stderr.setEncoding('utf8')
    this.#child.stderr.on('data', chunk => {
      this.#errors = (this.#errors + chunk).slice(-ERRORS_KEPT)
    })
    this.#child.on('error', err => this.#end(err.message))
    this.#child.on('close', (code, signal) => this.#end(signal ? `ended by ${signal}` : `exited with ${code}`))
  }

  get pid () {
    return this.#child.pid
  }

  /** Resolves when someone accepts connections there. */
  async ready () {
    const end = Date.now() + START_MS
    while (!this.#over) {
      if (await accepts(this.#at)) return
      if (Date.now() > end) throw new Error(`no server at its place within ${START_MS / 1000} s: ${this.#errors}`)
      await sleep(10)
    }
    throw new Error(`the server ${this.#over}: ${this.#errors.trim()}`)
  }

  /** SIGTERM to this process, SIGKILL when that does not end it. */
  async stop () {
    if (this.#over) return
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGTERM')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), END_MS)
    await ended
    clearTimeout(late)
  }

  /** SIGKILL, as a case that looks at what it leaves wants it. */
  async kill () {
    if (this.#over) return
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await ended
  }

  #end (reason) {
    this.#over = reason
    running.delete(this.#child)
  }
}

function accepts (at) {
  return new Promise(resolve => {
    const socket = net.connect(at)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

module.exports = { Service }
