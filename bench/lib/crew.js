'use strict'

// Several processes that load one server, or one file, at the same time: each runs
// a program of servers/. The contestant's process starts them and they end with it.

const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')

class Crew {
  #members

  constructor (members) {
    this.#members = members
  }

  /**
   * Starts n processes, which are told their number besides the job; each has the
   * contestant open when this resolves.
   */
  static async start (n, job, program = 'inserter') {
    const members = []
    for (let i = 0; i < n; i++) members.push(new Member({ ...job, number: i }, program))
    await Promise.all(members.map(member => member.ask({ name: 'open' })))
    return new Crew(members)
  }

  /** Has all do it at once: their answers, in the order of their numbers. */
  each (command) {
    return Promise.all(this.#members.map(member => member.ask(command)))
  }

  /** Has all do it at once; the sum of each number that they answer. */
  async all (command) {
    const sum = {}
    for (const answer of await this.each(command)) {
      for (const [name, value] of Object.entries(answer)) sum[name] = (sum[name] || 0) + value
    }
    return sum
  }

  async close () {
    await Promise.all(this.#members.map(member => member.close()))
  }
}

class Member {
  #child
  #waiting = null

  constructor (job, program) {
    this.#child = fork(path.join(__dirname, `../servers/${program}.js`), [JSON.stringify(job)])
    this.#child.on('message', ({ ok, error }) => {
      if (error) this.#waiting.reject(new Error(error))
      else this.#waiting.resolve(ok)
    })
    this.#child.on('exit', code => this.#waiting.reject(new Error(`a process of the crew exited with ${code}`)))
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

module.exports = { Crew }
