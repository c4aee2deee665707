'use strict'

// Keeps a connection to the daemon there for as long as somebody wants one:
// dials, waits between attempts, dials again after a loss, and starts the daemon
// where that is asked for.
//
//   IDLE ──> CONNECTING ──> READY        IDLE: not connected, nobody wants it
//    ^           │  ^         │
//    │           v  │ time    │ lost
//    └────────  BACKOFF  <────┘

const { Connection } = require('./connection')
const { Spawner } = require('./spawn')
const { connectError, isFinal } = require('./trouble')

const IDLE = 0
const CONNECTING = 1
const READY = 2
const BACKOFF = 3
const CLOSED = 4

// Between two attempts to connect: doubled from one to the other, with jitter.
const BACKOFF_MS = 10
const BACKOFF_MAX_MS = 1000

class Dialer {
  #target
  #wanted
  #owner
  #each
  #spawner = null
  #state = IDLE
  #refed = false
  #attempt = 0
  #timer = null
  #notBefore = 0
  // Why the last attempt has failed.
  #trouble = null

  /** The connection, or the attempt at one; null: there is neither. */
  connection = null

  /**
   * Begins with the first attempt.
   *
   * @param {object} target path, url, db
   * @param {object} options normalised
   * @param {object} owner isWanted(): somebody waits for a connection; up(info);
   *   message(id, from, end), replies(), writable(): see Connection; down(cause):
   *   one that was up is gone, to be followed by lost and again; hopeless(err):
   *   there will be none for those who wait
   */
  constructor (target, options, owner) {
    const { db } = target
    const { readonly, spawn } = options
    this.#target = target
    this.#wanted = { ...(db !== null ? { db } : {}), ...(readonly ? { readonly } : {}) }
    this.#owner = owner
    this.#each = {
      up: (info) => this.#up(info),
      message: owner.message,
      replies: owner.replies,
      writable: owner.writable,
      down: (cause) => this.#down(cause)
    }
    if (spawn !== null) this.#spawner = new Spawner(target, spawn, (err) => this.#spawned(err))
    this.#dial()
  }

  get isReady () { return this.#state === READY }

  /** Why there is no connection yet. */
  get error () {
    return connectError(this.#trouble, this.#target, this.connection, this.#spawner !== null)
  }

  #dial () {
    this.#state = CONNECTING
    this.connection = new Connection(this.#target.path, this.#wanted, this.#each)
    if (!this.#refed) this.connection.unref()
  }

  // Dials again: at once, or when it is not too soon.
  #redial (now) {
    this.#state = BACKOFF
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (this.#owner.isWanted()) {
        this.#dial()
      } else {
        this.#state = IDLE
        this.#attempt = 0
      }
    }, Math.max(0, this.#notBefore - now))
    if (!this.#refed) this.#timer.unref()
  }

  /**
   * A call has come while there is no connection.
   *
   * @param {boolean} isFirst nobody else waits: it does not know of the attempts so far
   */
  wake (now, isFirst) {
    if (this.#state === IDLE) {
      this.#redial(now)
    } else if (this.#state === BACKOFF && isFirst) {
      clearTimeout(this.#timer)
      this.#attempt = 0
      this.#notBefore = 0
      this.#redial(now)
    }
  }

  #up (info) {
    this.#state = READY
    this.#attempt = 0
    this.#notBefore = 0
    this.#trouble = null
    this.#owner.up(info)
  }

  #down (cause) {
    if (this.#state === READY) this.#owner.down(cause)
    else this.#failed(cause)
  }

  /** What the connection that is gone had to say has been read. */
  lost () {
    this.connection = null
    this.#state = IDLE
  }

  /** After a loss: dials where somebody waits. -> whether it does */
  again (now) {
    this.#notBefore = now + this.#delay()
    if (!this.#owner.isWanted()) return false
    this.#redial(now)
    return true
  }

  // An attempt to connect has failed.
  #failed (cause) {
    this.connection = null
    this.#trouble = cause
    this.#notBefore = performance.now() + this.#delay()
    if (isFinal(cause)) {
      this.#giveUp(cause)
      this.#state = IDLE
      return
    }
    if (this.#spawner !== null && (this.#owner.isWanted() || !this.#spawner.hasRun)) this.#spawner.start(cause)
    this.#redial(performance.now())
  }

  #delay () {
    const whole = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempt++)
    return whole / 2 + Math.random() * whole / 2
  }

  // The daemon that was to be started has ended, with an error or without.
  #spawned (err) {
    if (this.#state === CLOSED || this.#state === READY) return
    this.#trouble = err ?? this.#trouble
    if (err !== null) this.#giveUp(err)
  }

  #giveUp (cause) {
    this.#owner.hopeless(connectError(cause, this.#target, null))
  }

  ref () {
    this.#refed = true
    if (this.connection !== null) this.connection.ref()
    this.#timer?.ref()
  }

  unref () {
    this.#refed = false
    if (this.connection !== null) this.connection.unref()
    this.#timer?.unref()
  }

  /** Ends it without a word to the owner. */
  destroy () {
    this.#state = CLOSED
    if (this.connection !== null) this.connection.destroy()
    this.connection = null
    clearTimeout(this.#timer)
    if (this.#spawner !== null) this.#spawner.end()
  }
}

module.exports = { Dialer }
