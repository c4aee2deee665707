'use strict'
// How to prove who one is: a key that is given and needs no passphrase, then
// the agent, then keys with a passphrase, which is asked for only when nothing
// else was enough.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { DeployError } = require('../errors')
const { askHidden } = require('./ask')

const defaults = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa']
const TRIES = 3

// path -> Promise of the key: a passphrase is asked once a process, and one
// question at a time.
const opened = new Map()
let asking = Promise.resolve()

class Auth {
  #ssh2
  #host
  #ask
  #around
  #steps
  #tried = []
  error = null

  /**
   * host: { user, key, agent }. around(work) runs work while nothing is timed:
   * people take their time.
   */
  constructor ({ ssh2, host, ask = askHidden, around }) {
    this.#ssh2 = ssh2
    this.#host = host
    this.#ask = ask
    this.#around = around
    this.#steps = this.#plan()
  }

  /** For ssh2's authHandler: (methods, partial, next) -> next(method | false). */
  handler () {
    return (methods, partial, next) => {
      this.#next().then(next, err => {
        this.error = err
        next(false)
      })
    }
  }

  /** Why none of it was taken. */
  refused () {
    if (this.error) return this.error
    const { user, host, key } = this.#host
    const tried = this.#tried.length ? this.#tried.join(', ') : 'nothing: no key was found and no agent runs'
    return new DeployError('UC_DEPLOY_AUTH', `the host does not let ${user} in; tried: ${tried}`, {
      stage: 'connect',
      hint: `the public key has to be in ~${user}/.ssh/authorized_keys of ${host}${key ? '' : '; which key is used can be said with `key`'}`
    })
  }

  async #next () {
    for (;;) {
      const { value, done } = await this.#steps.next()
      if (done) return false
      if (value) return value
    }
  }

  async * #plan () {
    const username = this.#host.user
    const files = this.#files()
    const locked = []
    for (const file of files) {
      const key = this.#parse(file)
      if (key === null) locked.push(file)
      else yield this.#use(file.name, { type: 'publickey', username, key })
    }
    const agent = this.#agent(files)
    if (agent) yield this.#use('ssh-agent', { type: 'agent', username, agent })
    for (const file of locked) yield this.#use(file.name, { type: 'publickey', username, key: await this.#around(() => this.#unlock(file)) })
  }

  #use (name, method) {
    this.#tried.push(name)
    return method
  }

  #agent (files) {
    const { agent } = this.#host
    const socket = typeof agent === 'string' ? home(agent) : agent !== false && process.env.SSH_AUTH_SOCK
    if (!socket) return null
    return ordered(this.#ssh2, socket, files.flatMap(({ name }) => this.#publicKey(`${home(name)}.pub`)))
  }

  #publicKey (file) {
    try {
      const key = this.#ssh2.utils.parseKey(fs.readFileSync(file))
      return key instanceof Error ? [] : [key.getPublicSSH()]
    } catch {
      return []
    }
  }

  // A key that is named has to be there; of the usual ones, those that are.
  #files () {
    const named = [this.#host.key ?? []].flat()
    return (named.length ? named : defaults).flatMap(name => {
      try {
        return [{ name, data: fs.readFileSync(home(name)), isNamed: named.length > 0 }]
      } catch (err) {
        if (named.length === 0) return []
        throw new DeployError('UC_DEPLOY_AUTH', `the key ${name} cannot be read: ${err.code ?? err.message}`, {
          stage: 'connect', hint: 'correct `key` in deploy.config.js', cause: err
        })
      }
    })
  }

  // -> the key, or null when it needs a passphrase.
  #parse ({ name, data, isNamed }) {
    const key = this.#ssh2.utils.parseKey(data)
    if (!(key instanceof Error)) {
      if (key.isPrivateKey()) return key
      throw unusable(name, 'it is a public key', 'name the private one, without .pub')
    }
    if (/no passphrase/i.test(key.message)) return null
    if (!isNamed) return undefined
    throw unusable(name, key.message, `ssh-keygen -p -f ${name} writes it in the form of OpenSSH`)
  }

  #unlock (file) {
    const id = path.resolve(home(file.name))
    if (!opened.has(id)) {
      const key = asking.then(() => this.#passphrase(file))
      asking = key.catch(() => {})
      key.catch(() => opened.delete(id))
      opened.set(id, key)
    }
    return opened.get(id)
  }

  async #passphrase ({ name, data }) {
    const given = process.env.UNDERCROFT_KEY_PASSPHRASE
    for (let i = 0; i < TRIES; i++) {
      const phrase = given ?? await this.#ask(`${i > 0 ? 'That was not it. ' : ''}Passphrase of ${name}: `)
      const key = this.#ssh2.utils.parseKey(data, phrase)
      if (!(key instanceof Error)) return key
      if (given !== undefined) break
    }
    throw unusable(name, 'the passphrase is wrong', given === undefined ? undefined : 'correct UNDERCROFT_KEY_PASSPHRASE')
  }
}

// An agent that offers some keys first: servers hang up after a few wrong ones
// (MaxAuthTries), and an agent may have many.
function ordered (ssh2, socket, first) {
  const inner = ssh2.createAgent(socket)
  class Ordered extends ssh2.BaseAgent {
    getIdentities (done) {
      inner.getIdentities((err, keys) => {
        if (err) return done(err)
        const isFirst = key => first.some(wanted => wanted.equals(publicOf(ssh2, key)))
        done(null, [...keys.filter(isFirst), ...keys.filter(key => !isFirst(key))])
      })
    }

    sign (...args) {
      inner.sign(...args)
    }
  }
  return new Ordered()
}

// What an agent lists is a key, or the bytes of one.
function publicOf (ssh2, key) {
  const parsed = ssh2.utils.parseKey(key.pubKey ?? key)
  return parsed instanceof Error ? Buffer.alloc(0) : parsed.getPublicSSH()
}

function unusable (name, why, hint) {
  return new DeployError('UC_DEPLOY_AUTH', `the key ${name} cannot be used: ${why}`, { stage: 'connect', hint })
}

function home (name) {
  return name.replace(/^~(?=\/)/, os.homedir())
}

module.exports = { Auth }
