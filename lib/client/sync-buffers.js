'use strict'

const { Writer } = require('../wire/encode')

const REQUEST_BYTES = 64 * 1024
const REPLY_BYTES = 256 * 1024
// A buffer grown beyond this is given back.
const KEEP_BYTES = 4 * 1024 * 1024

/**
 * Where blocking calls of a handle are written and answered: two buffers that
 * the core knows, so that neither is passed with each call. Whoever uses it sets
 * `busy` while user code could run that makes another such call.
 */
class SyncBuffers {
  #native
  #attached

  /** @param {object} native the session, see transport/addon.js */
  constructor (native) {
    this.#native = native
    this.busy = false
    this.writer = new Writer(REQUEST_BYTES)
    this.#attached = this.writer.buf
    this.reply = null
    this.view = null
    this.#attach(Buffer.allocUnsafeSlow(REPLY_BYTES))
  }

  /** Called when the request is written: a large one made the writer take another buffer. */
  ready () {
    if (this.writer.buf !== this.#attached) this.#attach(this.reply)
  }

  /**
   * Takes a reply of n bytes that the buffer had no room for; returns its length.
   *
   * @param {string} [take] the session's method that has it
   */
  takeLarge (n, take = 'syncTake') {
    const larger = Buffer.allocUnsafeSlow(n)
    const length = this.#native[take](larger)
    this.#attach(larger)
    return length
  }

  /** Makes room for a reply of n bytes. */
  grow (n) {
    this.#attach(Buffer.allocUnsafeSlow(n))
  }

  /** Lets go of buffers that one huge call needed. */
  shrink () {
    if (this.reply.length > KEEP_BYTES) this.#attach(Buffer.allocUnsafeSlow(REPLY_BYTES))
    if (this.writer.cap > KEEP_BYTES) this.writer.adopt(Buffer.allocUnsafeSlow(REQUEST_BYTES))
  }

  #attach (reply) {
    this.#attached = this.writer.buf
    this.reply = reply
    this.view = new DataView(reply.buffer, reply.byteOffset, reply.length)
    this.#native.attach(this.#attached, reply)
  }
}

module.exports = { SyncBuffers }
