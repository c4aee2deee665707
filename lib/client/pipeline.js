'use strict'

// The way of requests to the core: those of one turn of the event loop leave
// together, in the order in which they were written.
//
//   begin ──> writer ──> seal ──> written ──turn ends, or 64 calls──> session.submit()

const { ops, isRead } = require('../wire/ops')
const { Writer } = require('../wire/encode')
const { UndercroftError } = require('../base/errors')

// A batch leaves at this many calls or bytes even before the turn ends. Reads
// leave early, so that the core is at work on them while more are written;
// writes that leave together share one commit.
const BATCH_READS = 32
const BATCH_CALLS = 64
const BATCH_BYTES = 48 * 1024
// Over a socket nothing leaves before the turn ends: one write a turn.
const WHOLE_TURN = 0x3fffffff
// SQL text that could be more than a daemon takes is measured.
const LONG_SQL = 1024 * 1024
const WRITER_BYTES = 64 * 1024

const done = Promise.resolve()

// Equal to no SQL that a caller may pass, wrong as it may be.
const NONE = Object.freeze({})

class Pipeline {
  #session
  #statements
  #poll
  #failed
  // What the session writes in front of each request takes so many bytes.
  #head
  #batchReads
  #batchCalls
  // Of the batch: how many requests, and whether one of them may write.
  #count = 0
  #write = false
  #scheduled = false
  #onTurn
  #turnOpen = false
  #endTurn
  #stopped = false

  writer = new Writer(WRITER_BYTES)
  /** The number of the batch that is being written. */
  batch = 1
  /**
   * A request is being written. What runs then, getters of the parameters, may
   * make calls itself: they wait until it stands in the buffer.
   */
  writing = false
  /** The last statement, for whom a call of prepared costs too much. */
  lastSql = NONE
  lastPrepared = null

  /**
   * @param {object} session see transport/addon.js
   * @param {Statements} statements
   * @param {ReplyPoll|null} poll told when reads have left
   * @param {(err: Error) => void} failed the session has not taken a batch
   */
  constructor (session, statements, poll, failed) {
    const { isRemote = false, head = 0 } = session
    this.#session = session
    this.#statements = statements
    this.#poll = poll
    this.#failed = failed
    this.#head = head
    this.#batchReads = isRemote ? WHOLE_TURN : BATCH_READS
    this.#batchCalls = isRemote ? WHOLE_TURN : BATCH_CALLS
    this.#onTurn = () => {
      this.#scheduled = false
      if (this.#count > 0) this.flush()
    }
    this.#endTurn = () => this.endTurn()
  }

  // ---- writing ---------------------------------------------------------------

  /** Before a request is written: what there is leaves when it is much. */
  makeRoom () {
    if (this.writer.pos > BATCH_BYTES) this.flush()
  }

  /** In front of a request that begins where the writer is. */
  begin () {
    if (this.#head > 0) this.writer.skip(this.#head)
  }

  /** The request that began at `start` is whole. */
  seal (start, id) {
    if (this.#head > 0) this.#session.seal(this.writer, start, id)
  }

  /** Takes back what was written from `start` on. */
  takeBack (start) {
    this.writing = false
    this.writer.pos = start
  }

  /** A request stands in the buffer; reads: it changes nothing. */
  written (op, reads = isRead[op]) {
    if (!reads) this.#write = true
    // A define is followed by its statement: it would only make two batches.
    if (++this.#count >= (this.#write ? this.#batchCalls : this.#batchReads) && op !== ops.DEFINE) {
      this.flush()
    } else if (!this.#scheduled) {
      this.#scheduled = true
      done.then(this.#onTurn)
    }
  }

  /** Nothing waits to leave. */
  get isEmpty () { return this.#count === 0 }

  // ---- statements ------------------------------------------------------------

  /**
   * The session's record of `sql`; a new one is announced to the core in front
   * of what is written next. Throws for what is not SQL text.
   */
  prepared (sql) {
    if (sql === this.lastSql) return this.lastPrepared
    let prepared = this.#statements.find(sql)
    if (prepared === undefined) {
      prepared = this.#statements.make(sql, this.lastPrepared)
      if (sql.length > LONG_SQL) this.#checkLength(sql)
      const w = this.writer
      const start = w.pos
      this.begin()
      w.head(5, ops.DEFINE, 0, -1, null)
      w.uint(prepared.sid)
      w.text(sql, 0)
      this.seal(start, 0)
      this.#statements.add(prepared)
      this.written(ops.DEFINE)
    }
    this.lastSql = sql
    this.lastPrepared = prepared
    return prepared
  }

  #checkLength (sql) {
    const { maxRequest = Infinity } = this.#session
    if (Buffer.byteLength(sql) + 64 <= maxRequest) return
    throw new UndercroftError('UC_REQUEST_TOO_LARGE',
      `the SQL text is longer than what the daemon takes at once (its max-request-bytes, ${maxRequest})`, { outcome: 'not-sent' })
  }

  // ---- sending ---------------------------------------------------------------

  /** Hands what was written over to the core. */
  flush () {
    const w = this.writer
    const count = this.#count
    if (count === 0 || this.#stopped || this.writing) return
    const write = this.#write
    if (write && this.#turnOpen) this.endTurn()
    const length = w.pos
    this.#count = 0
    this.#write = false
    this.batch++
    w.pos = 0
    try {
      this.#session.submit(w.buf, length, count, write)
    } catch (err) {
      this.#failed(err)
      return
    }
    if (!write && this.#poll !== null) this.#poll.soon()
    // One huge blob must not stay allocated for ever.
    if (w.cap > 16 * WRITER_BYTES) w.adopt(Buffer.allocUnsafeSlow(WRITER_BYTES))
  }

  /** Called before a blocking read: its snapshot ends with the turn. */
  openTurn () {
    if (this.#turnOpen) return
    this.#turnOpen = true
    done.then(this.#endTurn)
  }

  endTurn () {
    if (!this.#turnOpen) return
    this.#turnOpen = false
    if (!this.#stopped) this.#session.endTurn()
  }

  /** Nothing leaves any more, what was written neither. */
  stop () {
    this.#stopped = true
    this.#count = 0
    this.writer.pos = 0
  }
}

module.exports = { Pipeline }
