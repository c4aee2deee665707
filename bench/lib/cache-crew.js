'use strict'

// Processes that share one daemon's cache. They tell each other through shared
// memory of a file what has been acknowledged, so that each can judge what it
// reads: see servers/cacher.js.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')

const STOP_MS = 250 // longer than a lease

class CacheCrew {
  #members
  #dir

  constructor (members, dir) {
    this.#members = members
    this.#dir = dir
  }

  /** Starts n processes; each is connected when this resolves. */
  static async start (n, job) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-crew-'))
    const board = path.join(dir, 'board')
    fs.writeFileSync(board, Buffer.alloc(8 * n))
    const members = []
    for (let i = 0; i < n; i++) members.push(new Member({ ...job, board, number: i, of: n }))
    await Promise.all(members.map(member => member.ask({ name: 'open' })))
    return new CacheCrew(members, dir)
  }

  /** Has all do it at once: their answers. */
  all (command) {
    return Promise.all(this.#members.map(member => member.ask(command)))
  }

  /** Stops and continues one of them until the returned function is called. */
  stopAtRandom (i) {
    const { pid } = this.#members[i]
    let timer = setTimeout(stop, Math.random() * STOP_MS)
    function stop () {
      process.kill(pid, 'SIGSTOP')
      timer = setTimeout(go, Math.random() * STOP_MS)
    }
    function go () {
      process.kill(pid, 'SIGCONT')
      timer = setTimeout(stop, Math.random() * STOP_MS)
    }
    return () => {
      clearTimeout(timer)
      process.kill(pid, 'SIGCONT')
    }
  }

  async close () {
    await Promise.all(this.#members.map(member => member.close()))
    fs.rmSync(this.#dir, { recursive: true, force: true })
  }
}

class Member {
  #child
  #waiting = null

  constructor (job) {
    this.#child = fork(path.join(__dirname, '../servers/cacher.js'), [JSON.stringify(job)])
    this.#child.on('message', ({ ok, error }) => {
      if (error) this.#waiting.reject(new Error(error))
      else this.#waiting.resolve(ok)
    })
    this.#child.on('exit', code => this.#waiting?.reject(new Error(`a process of the crew exited with ${code}`)))
  }

  get pid () {
    return this.#child.pid
  }

  ask (command) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#child.send(command)
    })
  }

  async close () {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}

module.exports = { CacheCrew }
