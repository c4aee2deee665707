'use strict'

// The parent's side of a contestant's process: one command at a time, one line
// each way. The same for worker.js on any runtime and for the C program.

const { once } = require('node:events')
const path = require('node:path')
const { spawn } = require('node:child_process')

const ROOT = path.join(__dirname, '../..')
const ERRORS_KEPT = 4000 // characters of stderr

class Peer {
  #child
  #rest = ''
  #errors = ''
  #waiting = null
  #over = null

  constructor (command, args, env) {
    this.#child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env }
    })
    this.#child.stdout.setEncoding('utf8')
    this.#child.stdout.on('data', chunk => this.#read(chunk))
    this.#child.stderr.setEncoding('utf8')
    this.#child.stderr.on('data', chunk => {
      this.#errors = (this.#errors + chunk).slice(-ERRORS_KEPT)
    })
    this.#child.stdin.on('error', () => {}) // the exit tells more
    this.#child.on('error', err => this.#end(err.message))
    this.#child.on('close', (code, signal) => {
      this.#end(signal ? `ended by ${signal}` : `exited with ${code}`)
    })
  }

  get pid () {
    return this.#child.pid
  }

  /** Sends a command; rejects when the process fails, ends or is too late. */
  ask (name, args = {}, limitMs = 60000) {
    if (this.#over) return Promise.reject(new Error(this.#over))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = null
        reject(new Error(`no answer to '${name}' within ${limitMs / 1000} s`))
        this.kill()
      }, limitMs)
      this.#waiting = { resolve, reject, timer }
      this.#child.stdin.write(`${JSON.stringify({ name, ...args })}\n`)
    })
  }

  kill () {
    this.#child.kill('SIGKILL')
  }

  /** Ends the process, which closes its database first, and waits for its end. */
  async quit () {
    if (this.#over) return
    const ended = once(this.#child, 'close')
    try {
      await this.ask('quit', {}, 20000)
    } finally {
      this.#child.stdin.end()
    }
    const late = setTimeout(() => this.kill(), 10000)
    await ended
    clearTimeout(late)
  }

  #read (chunk) {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop()
    for (const line of lines) {
      let reply
      try {
        reply = JSON.parse(line)
      } catch {
        continue // something a library printed
      }
      if (reply.error) this.#settle('reject', new Error(local(reply.error)))
      else this.#settle('resolve', reply.ok)
    }
  }

  #end (reason) {
    this.#over = local(`${reason}${this.#errors ? `: ${this.#errors.trim()}` : ''}`)
    this.#settle('reject', new Error(this.#over))
  }

  #settle (how, value) {
    if (!this.#waiting) return
    const waiting = this.#waiting
    this.#waiting = null
    clearTimeout(waiting.timer)
    waiting[how](value)
  }
}

// A report names files as the repository does, not as this machine does.
const local = text => text.replaceAll(`${ROOT}${path.sep}`, '')

module.exports = { Peer }
