'use strict'

// Starts the daemon when nobody serves the socket. Any number of processes may
// do so at once: the daemons agree among themselves which one serves (a lock),
// and the others end with the exit code SERVED. The one that stays is nobody's
// child: it goes on when this process ends, until it has been idle for a while.

const { builtin } = require('../base/builtin')
const { spawn } = builtin('node:child_process')
const { daemonPath } = require('../base/binding')
const { isAddress } = require('../base/address')
const { UndercroftError } = require('../base/errors')

// Exit codes of undercroftd.
const SERVED = 3
const MEANINGS = {
  2: 'it does not understand its command line; daemon and client may be of different versions',
  4: 'the socket cannot be made',
  5: 'a database cannot be opened'
}

// After one has ended the next is not started at once.
const PAUSE_MS = 500
const STDERR_CHARS = 4000

class Spawner {
  #args
  #env
  #ended
  #child = null
  #notBefore = 0
  /** A daemon has been started at least once. */
  hasRun = false

  /**
   * @param {{ url: string }} target
   * @param {{ db: object, idleExitMs: number, options: object }} wanted the option spawn
   * @param {Function} ended (Error|null) called when a daemon has ended
   */
  constructor (target, wanted, ended) {
    this.#ended = ended
    const { args, env } = argumentsFor(target, wanted)
    this.#args = args
    this.#env = env
  }

  /** @param {Error|null} cause why there is no connection */
  start (cause) {
    if (cause?.code !== 'ENOENT' && cause?.code !== 'ECONNREFUSED') return
    const now = performance.now()
    if (this.#child !== null || now < this.#notBefore) return
    this.hasRun = true
    let child
    try {
      child = spawn(daemonPath(), this.#args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...this.#env } })
    } catch (err) {
      this.#report(err)
      return
    }
    this.#child = child
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text) => { said = (said + text).slice(-STDERR_CHARS) })
    child.on('error', (err) => this.#over(child, () => this.#report(err)))
    child.on('close', (code, signal) => this.#over(child, () => {
      this.#ended(code === 0 || code === SERVED ? null : failure(code, signal, said))
    }))
    child.unref()
    child.stderr.unref?.()
  }

  #over (child, tell) {
    if (this.#child !== child) return
    this.#child = null
    this.#notBefore = performance.now() + PAUSE_MS
    tell()
  }

  #report (err) {
    // Not from within start: its caller has not finished.
    setImmediate(() => this.#ended(err instanceof UndercroftError
      ? err
      : new UndercroftError('UC_CONNECT', `the daemon could not be started: ${err.message}`, { cause: err })))
  }

  /** Leaves a daemon that was started to itself. */
  end () {
    const child = this.#child
    this.#child = null
    child?.stderr.destroy()
  }
}

// Of the daemon. Addresses may hold passwords, and anybody can read the arguments of a process: with
// them the databases are in its environment, where ; stands between them.
function argumentsFor ({ url }, { db, idleExitMs, options }) {
  const args = ['--listen', url, '--idle-exit', String(Math.max(1, Math.ceil(idleExitMs / 1000)))]
  const dbs = Object.entries(db).map(([name, file]) => {
    const place = isAddress(file) ? file.replaceAll(';', '%3B') : file
    return name === '' ? place : `${name}=${place}`
  })
  const isHidden = Object.values(db).some(isAddress) && !dbs.some((text) => text.includes(';'))
  if (!isHidden) for (const text of dbs) args.push('--db', text)
  for (const [name, value] of Object.entries(options)) args.push('--set', `${name}=${value}`)
  return { args, env: isHidden ? { UNDERCROFT_DB: dbs.join(';') } : {} }
}

function failure (code, signal, said) {
  const meaning = MEANINGS[code]
  const text = said.trim().replace(/^undercroftd: /gm, '').split('\n').slice(-3).join('; ')
  return new UndercroftError('UC_CONNECT', 'the daemon could not be started: ' +
    `it ended with ${signal ?? `exit code ${code}`}${meaning === undefined ? '' : `, ${meaning}`}${text === '' ? '' : `: ${text}`}`)
}

module.exports = { Spawner, argumentsFor }
