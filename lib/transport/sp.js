'use strict'

// nng's SP protocol over a stream, as far as a client (REQ) needs it. Both
// sides greet with 8 bytes; then come messages:
//
//   01, u64 length of the body, body = u32 id with its top bit set + one frame
//
// all big-endian. A reply carries the id of its request. The id of the frame
// is the same number without the top bit.

const { badFrame } = require('../wire/cell')
const { BODY } = require('../wire/decode')

const HELLO = Buffer.from([0x00, 0x53, 0x50, 0x00, 0x00, 0x30, 0x00, 0x00])
const HELLO_OF_DAEMON = Buffer.from([0x00, 0x53, 0x50, 0x00, 0x00, 0x31, 0x00, 0x00])

// What stands in front of a frame: type, length, id.
const HEAD = 13
// What of that does not count as body.
const FRONT = 9
const ID_BIT = 0x80000000

const BYTES = 256 * 1024
// Less room than this is not worth a read.
const MIN_ROOM = 64 * 1024
// No reply is longer: the option maxReplyBytes ends here.
const MAX_BODY = 0x7fffffff

/**
 * Fills in what stands in front of a frame: the message begins at `start`, where
 * HEAD bytes were left out, and ends where the writer is.
 *
 * @param {Writer} w
 */
function seal (w, start, id) {
  const dv = w.view
  w.buf[start] = 1
  dv.setUint32(start + 1, 0)
  dv.setUint32(start + 5, w.pos - start - FRONT)
  dv.setUint32(start + FRONT, (id | ID_BIT) >>> 0)
}

/** How long the message at `p` says that it is: its id and its frame. */
function lengthOf (view, p) {
  return view.getUint32(p + 5)
}

/** Where the message at `p` ends. */
function endOf (view, p) {
  return p + FRONT + lengthOf(view, p)
}

/**
 * Takes bytes as they come and gives out whole messages, where they stand. The
 * memory it holds is that of what has arrived, whatever a length claims.
 *
 *   0 ...... lent ...... #kept ...... #scanned ...... #end ...... buf.length
 *            being read  whole        half a message  free
 */
class MessageReceiver {
  #own = Buffer.allocUnsafeSlow(BYTES)
  #ownView = viewOf(this.#own)
  #region = this.#own
  #regionAt = 0
  #kept = 0
  #scanned = 0
  #end = 0
  #greeted = false

  buf = this.#own
  view = this.#ownView
  /** Where what `take` gave out begins. */
  at = 0
  /** What `take` gave out is still being read. */
  lent = false

  get greeted () { return this.#greeted }

  /**
   * Where the next bytes have to go. May move what is not lent, so it is asked
   * when nothing is being received.
   */
  space () {
    const tail = this.#end - this.#kept
    if (tail === 0 && !this.lent) {
      if (this.#end > 0) this.#move(this.#own, this.#ownView)
    } else {
      this.#makeRoom()
    }
    if (this.#regionAt !== this.#end || this.#region.buffer !== this.buf.buffer) {
      this.#region = this.buf.subarray(this.#end)
      this.#regionAt = this.#end
    }
    return this.#region
  }

  #makeRoom () {
    const { buf } = this
    const half = this.#end - this.#scanned
    const total = half >= HEAD ? FRONT + this.view.getUint32(this.#scanned + 5) : HEAD
    const fits = this.#scanned + total <= buf.length
    if (fits && (buf.length - this.#end >= MIN_ROOM || (this.#kept === 0 && this.#end < buf.length))) return
    const whole = this.#scanned - this.#kept
    const want = whole + (total <= BYTES ? BYTES : Math.min(total, Math.max(2 * half, 2 * BYTES)))
    if (!this.lent && want <= buf.length) this.#move(buf, this.view)
    else if (!this.lent && buf !== this.#own && want <= BYTES) this.#move(this.#own, this.#ownView)
    else this.#move(Buffer.allocUnsafeSlow(want))
  }

  #move (to, view = viewOf(to)) {
    if (to === this.buf) to.copyWithin(0, this.#kept, this.#end)
    else this.buf.copy(to, 0, this.#kept, this.#end)
    this.buf = to
    this.view = view
    this.#end -= this.#kept
    this.#scanned -= this.#kept
    this.#kept = 0
  }

  /**
   * `n` bytes have come into space().
   *
   * @param {Function} each (id, from, end) for each message that is whole:
   *   its id without the top bit, and where its frame stands in `buf`
   * @throws {UndercroftError} UC_FRAME: this is not what a daemon sends
   */
  arrived (n, each) {
    this.#end += n
    const b = this.buf
    const dv = this.view
    if (!this.#greeted && !this.#greet()) return
    let p = this.#scanned
    while (this.#end - p >= HEAD) {
      const length = dv.getUint32(p + 5)
      if (b[p] !== 1 || dv.getUint32(p + 1) !== 0 || length < HEAD - FRONT + BODY || length > MAX_BODY) {
        throw badFrame('message header')
      }
      const end = p + FRONT + length
      if (end > this.#end) break
      const id = dv.getUint32(p + FRONT) - ID_BIT
      if (id < 0 || b[p + HEAD + 1] !== 0xce || dv.getUint32(p + HEAD + 2) !== id) throw badFrame('message id')
      // Moved on first: `each` may end in an error.
      this.#scanned = end
      each(id, p + HEAD, end)
      p = end
    }
    if (p < this.#end && b[p] !== 1) throw badFrame('message header')
  }

  #greet () {
    const n = Math.min(this.#end, HELLO_OF_DAEMON.length)
    if (this.buf.compare(HELLO_OF_DAEMON, 0, n, 0, n) !== 0) throw badFrame('greeting')
    if (n < HELLO_OF_DAEMON.length) return false
    this.#greeted = true
    this.#kept = this.#scanned = n
    return true
  }

  /** The same as arrived, for bytes that are elsewhere. */
  add (bytes, each) {
    for (let at = 0; at < bytes.length;) {
      const space = this.space()
      const n = Math.min(space.length, bytes.length - at)
      space.set(bytes.subarray(at, at + n))
      at += n
      this.arrived(n, each)
    }
  }

  /**
   * Lends the whole messages that have come: the number of bytes, which stand
   * in `buf` from `at` on and stay there until the next take.
   */
  take () {
    const n = this.#scanned - this.#kept
    this.at = this.#kept
    this.#kept = this.#scanned
    this.lent = n > 0
    return n
  }
}

function viewOf (buf) {
  return new DataView(buf.buffer, buf.byteOffset, buf.length)
}

module.exports = { HELLO, HELLO_OF_DAEMON, HEAD, seal, lengthOf, endOf, MessageReceiver }
