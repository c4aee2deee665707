'use strict'

// Takes replies from the session and settles their calls, within a budget of
// time: a burst of large replies must not hold the event loop, so what is left
// is decoded in a later turn. A reply of many pages may be left in the middle.

const { kinds } = require('../wire/ops')
const { want, wireError, blame } = require('./call')
const { SLOT_MASK } = require('../wire/id')
const { OBJECTS, ARRAYS } = require('../wire/shape')
const decode = require('../wire/decode')
const { cachedAt } = require('../wire/value/decode')

const BYTES = 256 * 1024
const LENGTH_BYTES = 4

// How long decoding may hold the event loop before it yields.
const BUDGET_MS = 1
// The clock is read after this many bytes of replies.
const CLOCK_BYTES = 16 * 1024

class Inbox {
  #native
  #calls
  #owner
  // Replies stand in the session's buffer, each behind its envelope.
  #lends
  #head
  #own = null
  #ownView = null
  // What is being read: the inbox, a buffer for one larger reply, the session's.
  #buf = null
  #view = null
  #pos = 0
  #end = 0
  // The reply of rows that is being read, if it is not finished.
  #partial = null
  #resuming = false
  // When this turn of the loop began to decode; 0: it has not, or next to nothing.
  #turnBegan = 0
  #ended = false

  /**
   * @param {object} native the session, see transport/addon.js
   * @param {CallRecord[]} calls by slot
   * @param {object} owner settle(call, value), fail(call, make),
   *   abandon(cursor): it will not be asked for more, broken(err): the session
   *   cannot be understood, arrived(): there are replies, drained(): all is read
   */
  constructor (native, calls, owner) {
    this.#native = native
    this.#calls = calls
    this.#owner = owner
    this.#lends = native.lends === true
    this.#head = this.#lends ? native.head : LENGTH_BYTES
    if (this.#lends) return
    this.#own = Buffer.allocUnsafeSlow(BYTES)
    this.#ownView = viewOf(this.#own)
  }

  /** Called when the session says that there are replies. */
  wake () {
    if (!this.#resuming) this.#read()
  }

  /** No more is read, whatever arrives. */
  end () {
    this.#ended = true
    this.#partial = null
    this.#pos = this.#end = 0
  }

  #read () {
    if (this.#ended) return
    let began = performance.now()
    if (this.#turnBegan !== 0) {
      if (began - this.#turnBegan >= BUDGET_MS) return this.#yield()
      began = this.#turnBegan
    }
    let bytes = 0
    let much = false
    // Blocking calls may have used the codec since.
    decode.forgetText()
    for (;;) {
      while (this.#pos < this.#end) {
        const from = this.#pos
        if (this.#partial !== null) this.#pages(began)
        else this.#next(began)
        if (this.#ended) return
        bytes += this.#pos - from
        if (this.#partial !== null || bytes >= CLOCK_BYTES) {
          bytes = 0
          much = true
          if (performance.now() - began >= BUDGET_MS) return this.#yield()
        }
      }
      if (!this.#refill()) break
    }
    if (much && this.#turnBegan === 0) this.#rememberTurn(began)
    this.#owner.drained()
  }

  // One turn may wake this many times, each for what has arrived since: together
  // they have the budget of one.
  #rememberTurn (began) {
    this.#turnBegan = began
    setImmediate(() => { this.#turnBegan = 0 })
  }

  #yield () {
    this.#resuming = true
    setImmediate(() => {
      this.#resuming = false
      this.#turnBegan = 0
      this.#read()
    })
  }

  #refill () {
    decode.forgetText()
    if (this.#lends) return this.#borrow()
    let n = this.#native.take(this.#own)
    if (n >= 0) {
      this.#buf = this.#own
      this.#view = this.#ownView
    } else {
      // A reply larger than the inbox gets a buffer of its own, once.
      this.#buf = Buffer.allocUnsafeSlow(-n)
      this.#view = viewOf(this.#buf)
      n = this.#native.take(this.#buf)
    }
    this.#pos = 0
    this.#end = Math.max(n, 0)
    if (n > 0) this.#owner.arrived()
    return n > 0
  }

  #borrow () {
    const native = this.#native
    const n = native.take()
    if (n === 0) return false
    this.#buf = native.buf
    this.#view = native.view
    this.#pos = native.at
    this.#end = native.at + n
    return true
  }

  // Settles the call whose reply stands at #pos.
  #next (began) {
    const b = this.#buf
    const dv = this.#view
    const p = this.#pos
    const from = p + this.#head
    const end = this.#lends
      ? this.#native.endOf(dv, p)
      : from + (b[p] | b[p + 1] << 8 | b[p + 2] << 16 | b[p + 3] << 24)
    if (end - from < decode.BODY || end > this.#end) {
      this.#owner.broken(decode.badFrame('reply length'))
      return
    }
    this.#pos = end
    const id = dv.getUint32(from + 2)
    const call = this.#calls[id & SLOT_MASK]
    if (call === undefined || call.id !== id || id === 0) return
    let value
    try {
      const kind = b[from + decode.KIND]
      if (kind === kinds.ROWS) {
        if (call.want !== want.ROW) {
          this.#beginPages(call, from, end)
          this.#pages(began)
          return
        }
        value = decode.row(b, dv, from, end, this.#end, call.shape, call.integers)
        if (decode.head.shape !== call.shape) call.prepared.shape = decode.head.shape
      } else if (kind === kinds.ERROR) {
        this.#owner.fail(call, wireError(call, decode.valueAt(b, dv, from + decode.BODY, end)))
        return
      } else if (call.want === want.CACHED) {
        value = kind === kinds.BYTES ? cachedAt(b, dv, from + decode.BODY, end) : undefined
      } else {
        value = decode.simple(b, dv, from, end, kind, call.integers)
      }
    } catch (err) {
      this.#refuse(call, err)
      return
    }
    this.#owner.settle(call, value)
  }

  #beginPages (call, from, end) {
    decode.rowsHeader(this.#buf, this.#view, from, end, call.shape)
    const { shape, cursor, pages, p } = decode.head
    if (shape !== call.shape) call.prepared.shape = shape
    const form = call.want === want.ARRAYS ? ARRAYS : OBJECTS
    const rows = shape.columns.decoder(form, call.integers)
    this.#partial = { call, shape, cursor, left: pages, p, end, out: [], rows }
  }

  // Decodes pages of #partial until it is complete or time is up.
  #pages (began) {
    const partial = this.#partial
    const { call } = partial
    try {
      while (partial.left > 0) {
        partial.p = decode.page(this.#buf, this.#view, partial.p, partial.end,
          partial.shape.count, partial.rows, partial.out)
        if (--partial.left > 0 && performance.now() - began >= BUDGET_MS) {
          // Short of its end: so the loop in #read knows that more is there.
          this.#pos = partial.end - 1
          return
        }
      }
    } catch (err) {
      this.#partial = null
      this.#pos = partial.end
      // Nobody else knows of a cursor whose first page could not be read.
      if (partial.cursor !== 0) this.#owner.abandon(partial.cursor)
      this.#refuse(call, err)
      return
    }
    this.#partial = null
    this.#pos = partial.end
    this.#owner.settle(call, call.want === want.PAGE
      ? { rows: partial.out, cursor: partial.cursor, shape: partial.shape }
      : partial.out)
  }

  #refuse (call, err) {
    const { sql } = call.prepared
    const { op } = call
    this.#owner.fail(call, () => blame(decode.frameError(err), sql, op))
  }
}

function viewOf (buf) {
  return new DataView(buf.buffer, buf.byteOffset, buf.length)
}

module.exports = { Inbox }
