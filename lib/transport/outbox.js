'use strict'

// Requests on their way to a daemon, in order: written one behind the other
// into chunks, sent from there, and kept there as long as one of them may have
// to be sent again. Chunks are used again.

const BYTES = 256 * 1024
// As many chunks stay allocated.
const KEEP = 4

class Chunk {
  constructor (size) {
    this.buf = Buffer.allocUnsafeSlow(size)
    this.view = new DataView(this.buf.buffer, this.buf.byteOffset, size)
    // Where the chunk begins, counted from the first request of all.
    this.base = 0
    this.sent = 0
    this.pos = 0
    // Requests in it that may have to be sent again.
    this.live = 0
  }
}

class Outbox {
  #kept = []
  #chunk
  #tail = 0
  /** Chunks of which something is not sent, the first one first. */
  queue = []

  constructor () {
    this.#chunk = this.#make(BYTES)
  }

  /** Where the next request will stand. */
  get tail () { return this.#tail }
  /** Where the first request stands that is not sent. */
  get head () {
    return this.queue.length === 0 ? this.#tail : this.queue[0].base + this.queue[0].sent
  }

  #make (size) {
    const chunk = new Chunk(size)
    chunk.base = this.#tail
    if (size === BYTES && this.#kept.length < KEEP) this.#kept.push(chunk)
    return chunk
  }

  /**
   * Copies whole requests behind the others.
   *
   * @param {boolean} flushed nothing of what was sent is still in this process
   * @returns {Chunk} they are its last `length` bytes
   */
  add (buf, from, length, flushed) {
    let chunk = this.#chunk
    if (chunk.live === 0 && chunk.sent === chunk.pos && flushed) this.#reset(chunk)
    // One that was made for a single large request serves no other.
    if (chunk.pos + length > chunk.buf.length || chunk.buf.length > BYTES) {
      chunk = this.#chunk = this.#next(length, flushed)
    }
    if (chunk.sent === chunk.pos) this.queue.push(chunk)
    buf.copy(chunk.buf, chunk.pos, from, from + length)
    chunk.pos += length
    this.#tail += length
    return chunk
  }

  #next (length, flushed) {
    if (length > BYTES) return this.#make(length)
    for (const chunk of this.#kept) {
      if (chunk.live > 0 || chunk.sent < chunk.pos || !flushed) continue
      this.#reset(chunk)
      return chunk
    }
    return this.#make(BYTES)
  }

  #reset (chunk) {
    chunk.base = this.#tail
    chunk.sent = chunk.pos = 0
  }

  /** Takes out what is not sent: the chunks, to be added again or left. */
  clear () {
    const { queue } = this
    this.queue = []
    this.#kept = []
    this.#chunk = this.#make(BYTES)
    return queue
  }
}

module.exports = { Outbox }
