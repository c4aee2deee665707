'use strict'

const { ops, names, isRead } = require('../wire/ops')
const { UndercroftError } = require('../base/errors')

// What a call in a transaction or snapshot carries: its id for the wire, and
// whether it may still start.
class Scope {
  /**
   * @param {'x'|'s'} key transaction or snapshot
   * @param {number} id the core's
   * @param {{ signal: AbortSignal|null, deadline: number }} limits of the
   *   whole; deadline in terms of performance.now(), or Infinity
   * @param {Scope|null} [parent] the transaction that this one is nested in
   * @param {number} [epoch] of the client
   */
  constructor (key, id, { signal, deadline }, parent = null, epoch = undefined) {
    this.key = key.charCodeAt(0)
    this.id = id
    this.parent = parent
    // The connection that it lives on, where there is one: see Client.epoch.
    this.epoch = epoch
    this.signal = signal
    this.deadline = parent === null ? deadline : Math.min(deadline, parent.deadline)
    if (signal === null && parent !== null) this.signal = parent.signal
    // Whether calls inherit a deadline or a signal.
    this.limited = this.signal !== null || this.deadline !== Infinity
    // Savepoints between this one and the transaction itself.
    this.depth = parent === null ? 0 : parent.depth + 1
    // The nested transaction that is open or about to be, and its end.
    this.nested = null
    this.nestedEnd = null
    this.ended = false
  }

  #under = 0
  #settling = null
  #quiet = null

  /** A call of several requests begins; each is ended by `leave`. */
  enter () {
    this.#under++
  }

  leave () {
    if (--this.#under > 0 || this.#settling === null) return
    this.#settling = null
    this.#quiet()
  }

  get busy () {
    return this.#under > 0
  }

  /** Resolves when no call of several requests is under way. */
  async settled () {
    while (this.#under > 0) {
      if (this.#settling === null) {
        this.#settling = new Promise((resolve) => { this.#quiet = resolve })
      }
      await this.#settling
    }
  }

  /** The error with which a call must be refused, or null. */
  refusal (op) {
    if (this.isEnded() && op !== ops.TX_END && op !== ops.SNAP_END && op !== ops.CURSOR_CLOSE) {
      const what = this.key === 0x78 ? 'transaction' : 'snapshot'
      return new UndercroftError('UC_TX_CLOSED',
        `the ${what} has ended; its object cannot be used any more`,
        { op: names[op], outcome: 'not-sent' })
    }
    // A rollback of the nested one would take it along, though it succeeded.
    if (this.nestedEnd !== null && op >= ops.GET && op <= ops.CURSOR_OPEN) {
      return new UndercroftError('UC_TX_OPEN',
        'a nested transaction is open in this one; call it on the object that its callback was given, or wait for its end',
        { op: names[op], outcome: 'not-sent' })
    }
    if (this.key === 0x73 && !isRead[op] && op !== ops.SNAP_END) {
      return new UndercroftError('UC_SQL_READONLY', 'a snapshot only reads',
        { op: names[op], outcome: 'not-sent' })
    }
    return null
  }

  isEnded () {
    return this.ended || (this.parent !== null && this.parent.isEnded())
  }

  /** The deadline of a call that asked for `timeoutMs` (-1: did not ask). */
  timeLeft (timeoutMs) {
    if (this.deadline === Infinity) return timeoutMs
    const left = Math.max(1, Math.ceil(this.deadline - performance.now()))
    return timeoutMs > 0 ? Math.min(timeoutMs, left) : left
  }
}

module.exports = { Scope }
