'use strict'
// One call of a deployer, while it runs: what its op sees as `ctx`, the payload
// that comes for it, the stages it announces.

const { DeployError, toDeployError } = require('../errors')
const { WINDOW } = require('../frames')
const { audit } = require('./host/audit')

// Room is given back in pieces, not for each frame.
const ROOM = WINDOW / 8

class AgentCall {
  #wire
  #id
  #host
  #controller = new AbortController()
  #queue = []
  #ended = false
  #wake = null
  #acks = new Map()
  #nextAck = 1
  #queued = 0
  #taken = 0
  #undo
  #gone = new Set()
  stage = null

  /** host: { app, config, who, facts, source, note } of the agent. */
  constructor ({ wire, id, host }) {
    this.#wire = wire
    this.#id = id
    this.#host = host
    this.#undo = wire.onLost(reason => {
      this.#giveUp(new DeployError('UC_DEPLOY_LOST', `the deployer is lost: ${reason}`))
    })
  }

  // The deployer wants no more of it, or is not there to want anything.
  #giveUp (reason) {
    for (const resolve of this.#acks.values()) resolve()
    this.#acks.clear()
    this.#controller.abort(reason)
    this.#wakeUp()
    for (const fn of this.#gone) fn(reason.message)
    this.#gone.clear()
  }

  /** Runs an op to its end and answers; never rejects. */
  async run (handler, args) {
    try {
      const value = await handler(args, this.#context())
      await this.#wire.send({ id: this.#id, done: value ?? null })
    } catch (err) {
      const error = toDeployError(err).at(null, this.stage)
      await this.#wire.send({ id: this.#id, error: error.toJSON() })
    } finally {
      this.#undo()
      this.#ended = true
      this.#queue = null
    }
  }

  #context () {
    const wire = this.#wire
    const { app, config, who, facts, source } = this.#host
    return {
      app,
      config,
      who,
      facts,
      source,
      signal: this.#controller.signal,
      event: event => wire.send({ id: this.#id, event }),
      log: text => wire.send({ id: this.#id, event: { log: String(text) } }),
      stage: name => this.#announce(name),
      payload: { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) },
      chunk: bytes => wire.send({ id: this.#id, chunk: true }, bytes),
      isLost: () => this.#controller.signal.aborted,
      onLost: fn => this.#onLost(fn),
      audit: (action, result, more) => audit(app, { who, user: facts.user, action, result, ...more })
    }
  }

  // Resolves when the deployer has told of the stage (or is lost): its first
  // effect comes after that.
  async #announce (name) {
    this.stage = name
    this.#host.note(name)
    if (this.#controller.signal.aborted) return
    const ack = this.#nextAck++
    const told = new Promise(resolve => this.#acks.set(ack, resolve))
    await this.#wire.send({ id: this.#id, event: { stage: name, at: new Date().toISOString() }, ack })
    await told
  }

  acknowledged (ack) {
    this.#acks.get(ack)?.()
    this.#acks.delete(ack)
  }

  cancel (reason) {
    this.#giveUp(new DeployError('UC_DEPLOY_CANCELLED', reason || 'cancelled by the deployer'))
  }

  // fn(reason) is called once, soon when it has happened; -> what takes it back.
  #onLost (fn) {
    const { signal } = this.#controller
    if (signal.aborted) queueMicrotask(() => fn(signal.reason.message))
    else this.#gone.add(fn)
    return () => this.#gone.delete(fn)
  }

  // ---- payload -------------------------------------------------------------

  push (bytes) {
    if (!this.#queue || this.#ended) return
    this.#queue.push(bytes)
    this.#queued += bytes.length
    if (this.#queued > 2 * WINDOW) this.#wire.lose('the deployer sends more than there is room for')
    this.#wakeUp()
  }

  end () {
    this.#ended = true
    this.#wakeUp()
  }

  async #next () {
    for (;;) {
      if (this.#queue?.length) {
        const bytes = this.#queue.shift()
        this.#giveRoom(bytes.length)
        return { value: bytes, done: false }
      }
      if (this.#ended) return { value: undefined, done: true }
      this.#controller.signal.throwIfAborted()
      await new Promise(resolve => { this.#wake = resolve })
    }
  }

  #giveRoom (bytes) {
    this.#queued -= bytes
    this.#taken += bytes
    if (this.#taken < ROOM) return
    this.#wire.send({ id: this.#id, room: this.#taken })
    this.#taken = 0
  }

  #wakeUp () {
    this.#wake?.()
    this.#wake = null
  }
}

module.exports = { AgentCall }
