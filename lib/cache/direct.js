'use strict'

// The cache of a core in this process, asked on this thread: no other has to be
// woken for what takes less time than waking it.

const { names, kinds } = require('../wire/ops')
const decode = require('../wire/decode')
const { fromWire, UndercroftError } = require('../base/errors')
const { decode: decodeValue } = require('../wire/value/decode')

// What the core answers is read at once, so all requests share an id.
const ID = 1
const SHORT = 40

/** It cannot be answered now: it is to be sent as a call. */
const STANDS = Symbol('stands')

class Direct {
  #client
  #native
  #buffers

  constructor (client) {
    this.#client = client
    this.#native = client.native
    this.#buffers = client.syncBuffers
  }

  /** The value of a key, a fresh one; undefined: it is not there. Or STANDS. */
  get (key) {
    const buffers = this.#buffers
    if (buffers.busy) return STANDS
    const w = buffers.writer
    const n = key.length
    if (w.cap < 3 * n) w.reserve(3 * n)
    const b = w.buf
    let all = 0
    let length = n
    if (n <= SHORT) {
      for (let i = 0; i < n; i++) {
        const c = key.charCodeAt(i)
        all |= c
        b[i] = c
      }
    }
    if (n > SHORT || all >= 0x80) length = b.write(key, 0)
    buffers.ready()
    const size = this.#native.cacheGet(length)
    if (size >= 0) return decodeValue(buffers.reply, buffers.view, 0, size, false)
    if (size === -1) return this.#client.closed ? STANDS : undefined
    return this.#large(length, -size)
  }

  // A value that may change its size between two looks at it.
  #large (length, size) {
    const buffers = this.#buffers
    try {
      while (size > 0) {
        buffers.grow(size)
        const found = this.#native.cacheGet(length)
        if (found >= 0) return decodeValue(buffers.reply, buffers.view, 0, found, false)
        size = found === -1 ? 0 : -found
      }
      return undefined
    } finally {
      buffers.shrink()
    }
  }

  /**
   * Runs one op: its value, or STANDS.
   *
   * @param {number} op
   * @param {number} fields how many arguments write(w) writes
   * @param {boolean} [inOrder] after everything that the session was sent, which
   *   may wait for the file to be open
   * @throws {UndercroftError}
   */
  run (op, fields, write, inOrder = false) {
    const buffers = this.#buffers
    if (buffers.busy || this.#client.closed) return STANDS
    const w = buffers.writer
    w.pos = 0
    buffers.busy = true
    try {
      w.head(3 + fields, op, ID, -1, null)
      write(w)
    } finally {
      buffers.busy = false
    }
    buffers.ready()
    const n = inOrder ? this.#native.sync(w.pos) : this.#native.cacheSync(w.pos)
    if (n === 0) return STANDS
    const end = n > 0 ? n : buffers.takeLarge(-n, inOrder ? 'syncTake' : 'cacheSyncTake')
    const b = buffers.reply
    const kind = b[decode.KIND]
    try {
      if (kind === kinds.ERROR) throw fromWire(decode.valueAt(b, buffers.view, decode.BODY, end), undefined, names[op])
      return decode.simple(b, buffers.view, 0, end, kind, 0)
    } catch (err) {
      throw decode.frameError(err)
    } finally {
      buffers.shrink()
    }
  }

  /** The same for who can only be answered now. */
  block (op, fields, write, inOrder) {
    let made = this.run(op, fields, write, inOrder)
    // Where there is no cache, that says so.
    if (made === STANDS && !inOrder) made = this.run(op, fields, write, true)
    if (made !== STANDS) return made
    throw this.#client.closed
      ? new UndercroftError('UC_CLOSED', 'the handle is closed', { op: names[op], outcome: 'not-sent' })
      : new UndercroftError('UC_SYNC_UNAVAILABLE',
        'a function of the user, or a getter of the value, cannot block on the handle that calls it',
        { op: names[op], outcome: 'not-sent' })
  }
}

module.exports = { Direct, STANDS }
