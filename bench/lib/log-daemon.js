'use strict'

// A daemon that keeps a log, on a socket of its own; the contestant's process
// starts it and ends it.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Service } = require('./service')

const ROOT = path.join(__dirname, '../..')

class LogDaemon {
  #home = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-bench-'))
  #dir
  #service = null

  /** @param {string} dir where its log goes */
  constructor (dir) {
    this.#dir = dir
  }

  get socket () {
    return path.join(this.#home, 'socket')
  }

  get target () {
    return `ipc://${this.socket}`
  }

  get pid () {
    return this.#service.pid
  }

  /** Starts it, again after it was killed. */
  async start () {
    const { daemonPath } = require(path.join(ROOT, 'lib/base/binding'))
    this.#service = new Service(this.socket, {
      command: daemonPath(),
      args: ['--listen', this.target, '--db', path.join(this.#home, 'service.db'), '--log-dir', this.#dir,
        '--log', 'rotateBytes=0']
    })
    await this.#service.ready()
  }

  /** SIGKILL, and waits for its end. */
  async kill () {
    await this.#service.kill()
  }

  async stop () {
    await this.#service?.stop()
    fs.rmSync(this.#home, { recursive: true, force: true })
  }
}

module.exports = { LogDaemon }
