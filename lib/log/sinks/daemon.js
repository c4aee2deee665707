'use strict'

// Lines to the log that a daemon keeps, in JavaScript alone. Those of one turn
// leave together, numbered; they are kept until the daemon says that they are in
// its ring, and after a lost connection it is asked how far it has come and gets
// the rest again. So its death costs nothing, and that of this process what the
// turn has written: at its end what the daemon has not acknowledged goes into a
// file, see spool.js. With sync: 'line' each line does, at once.
//
//   write ─> text ──end of the turn──> batches ──put──> daemon
//                                         └────────<── its last number
//
//   OPENING ──its last number──> READY     a failure of any kind leads back to
//      ^                           │       OPENING, at once or after a while
//      └─────── WAITING <──────────┘       OFF: it keeps no log

const { builtin } = require('../../base/builtin')
const fs = builtin('node:fs')
const { randomBytes } = builtin('node:crypto')
const { ops } = require('../../wire/ops')
const { want } = require('../../client/call')
const { NO_SHAPE } = require('../../wire/shape')
const { badFrame } = require('../../wire/cell')
const { UndercroftError } = require('../../base/errors')
const { levelOf } = require('../levels')
const { missing } = require('../note')
const { Spool } = require('./spool')

const OPENING = 0
const READY = 1
const WAITING = 2
const OFF = 3
const CLOSED = 4

// Characters after which a batch is full, and how many are on their way at once.
const BATCH = 128 * 1024
const WINDOW = 8
// Between two attempts: doubled from one to the other.
const AGAIN_MS = 10
const AGAIN_MAX_MS = 1000
const FLUSH_MS = 10000
const CLOSE_MS = 2000
// A process that wants to end waits so long for a daemon that takes nothing.
const PATIENCE_MS = 5000
const PUT_MS = 30000
// What stands for the level silent, which is Infinity.
const SILENT = 1000000

class DaemonLog {
  #client
  #options
  #plain
  #fallback = null
  #id = randomBytes(16)
  #state = OPENING
  #epoch = 0
  // Lines of this turn.
  #text = ''
  #count = 0
  #scheduled = false
  #onTurn = () => this.#turn()
  #onSent = () => this.#secure()
  // Behind the client, which hands over with the promises of the turn, and then
  // behind the session, which writes with the next ticks.
  #afterClient = () => process.nextTick(this.#onSent)
  // What has not been acknowledged: { last, count, bytes, sent, kept }; kept: it is
  // in the spool as well.
  #batches = []
  #last = 0
  #acked = 0
  #onWire = 0
  // About how many bytes are kept, and how many may be.
  #held = 0
  #limit
  #dropped = 0
  #droppedAll = 0
  #hasSaid = false
  #refused = false
  #attempt = 0
  #timer = null
  #progressAt = 0
  #patience = null
  #keeping = false
  #waiters = []
  #spool = null
  #isByLine
  #watching = null
  #opening = null
  #generation = 0
  #ownLevel
  #closing = null

  onLevel = null

  constructor (client, options, plain) {
    this.#client = client
    this.#options = options
    this.#plain = plain
    this.#isByLine = options.sync === 'line'
    this.#limit = options.overflow === 'grow' ? Math.max(options.growBytes, options.bufferBytes) : options.bufferBytes
    this.#ownLevel = levelOf(options.level, 'level', options.levels)
    leaving(this)
    this.#open()
  }

  write (line, level) {
    if (this.#state >= OFF) {
      if (this.#fallback !== null) this.#fallback.write(line, level)
      return
    }
    if (this.#held + line.length > this.#limit) {
      this.#drop(1)
      return
    }
    this.#text += line
    this.#count++
    this.#held += line.length
    if (this.#isByLine && this.#spool !== null) this.#keep(line)
    if (this.#text.length > BATCH) this.#cut()
    if (!this.#scheduled) {
      this.#scheduled = true
      process.nextTick(this.#onTurn)
    }
  }

  // ---- sending ---------------------------------------------------------------

  #turn () {
    this.#scheduled = false
    if (this.#state >= OFF) return
    if (this.#dropped > 0 && this.#held < this.#limit / 2) this.#tellDropped()
    this.#cut()
    this.#send()
    if (this.#isByLine || this.#batches.length === 0) return
    done.then(this.#afterClient)
  }

  // Lines that the daemon may not have are put where they outlive this process. That
  // the kernel has taken them is not enough: what lies in a socket when the other end
  // hangs up is not read any more.
  #secure () {
    const spool = this.#spool
    if (this.#state >= OFF || spool === null || this.#batches.length === 0) return
    if (!spool.isOpen || (this.#state !== READY && spool.isGone)) {
      this.#beginSpool()
      return
    }
    for (const batch of this.#batches) if (!batch.kept) this.#keepBatch(batch)
    if (spool.isLarge(this.#held)) this.#beginSpool()
  }

  #keepBatch (batch) {
    batch.kept = true
    this.#spool.addBatch(batch)
  }

  #cut () {
    if (this.#count === 0) return
    const bytes = Buffer.from(this.#text)
    this.#held += bytes.length - this.#text.length
    this.#last += this.#count
    this.#batches.push({ last: this.#last, count: this.#count, bytes, sent: false, kept: this.#isByLine })
    this.#text = ''
    this.#count = 0
  }

  #send () {
    this.#stayAlive()
    if (this.#state !== READY || this.#refused) return
    for (const batch of this.#batches) {
      if (this.#onWire >= WINDOW) return
      if (!batch.sent) this.#put(batch)
    }
  }

  #put (batch) {
    batch.sent = true
    this.#onWire++
    this.#client.send({
      op: ops.LOG_PUT,
      want: want.VALUE,
      opts: { timeoutMs: PUT_MS },
      scope: null,
      going: true,
      quiet: true,
      epoch: this.#epoch,
      fields: 3,
      write (w) {
        w.number(batch.last)
        w.uint(batch.count)
        w.bin(batch.bytes, 0)
      }
    }).then((last) => this.#answered(last), (err) => this.#failed(err, batch))
  }

  #answered (last) {
    this.#onWire--
    if (Number.isSafeInteger(last)) this.#acknowledge(last)
    this.#settle()
  }

  #acknowledge (last) {
    const batches = this.#batches
    if (last <= this.#acked) return
    this.#acked = last
    this.#attempt = 0
    this.#progressAt = performance.now()
    let n = 0
    while (n < batches.length && batches[n].last <= last) this.#held -= batches[n++].bytes.length
    batches.splice(0, n)
    this.#tidySpool()
    for (const waiter of this.#waiters.filter(({ upTo }) => upTo <= last)) waiter.settle(null)
    if (this.#dropped > 0 && !this.#scheduled) {
      this.#scheduled = true
      process.nextTick(this.#onTurn)
    }
  }

  #failed (err, batch) {
    this.#onWire--
    batch.sent = false
    if (err.code === 'UC_REQUEST_TOO_LARGE') this.#giveUp(batch)
    else if (err.code === 'UC_BUSY') this.#refused = true
    else this.#lost(err)
    this.#settle()
  }

  // More than the daemon takes at once, whenever it is sent.
  #giveUp (batch) {
    this.#batches = this.#batches.filter((other) => other !== batch)
    this.#held -= batch.bytes.length
    this.#drop(batch.count)
    this.#acknowledge(this.#batches.length === 0 ? batch.last : 0)
  }

  // Something has had its answer: goes on, or tries again when all others have.
  #settle () {
    if (this.#state !== WAITING && !this.#refused) this.#send()
    else if (this.#onWire === 0) this.#again()
  }

  #again () {
    if (this.#timer !== null || this.#state >= OFF) return
    const whole = Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** this.#attempt++)
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#refused = false
      if (this.#state === WAITING) this.#open()
      this.#send()
    }, whole / 2 + Math.random() * whole / 2)
    this.#stayAlive()
  }

  // ---- the connection --------------------------------------------------------

  #lost (err) {
    if (this.#state >= OFF) return
    if (err.code === 'UC_NO_LOG' || err.code === 'UC_OP') this.#goPlain(err)
    else if (this.#client.closed && err.code === 'UC_CLOSED') this.#end()
    else this.#state = WAITING
  }

  #open () {
    this.#state = OPENING
    const stop = this.#opening = new AbortController()
    const { opened } = this.#ask(ops.LOG_OPEN, [this.#id], (answer) => this.#opened(answer), { signal: stop.signal })
    this.#onWire++
    opened.then(() => {
      this.#onWire--
      this.#settle()
    }, (err) => {
      this.#onWire--
      this.#lost(err)
      this.#settle()
    })
  }

  #ask (op, args, arrived, opts) {
    const opened = this.#client.send({
      op,
      want: want.TAKEN,
      opts,
      scope: null,
      going: true,
      quiet: true,
      fields: args.length,
      write (w) { for (const arg of args) w.any(arg) },
      subject: () => ({ sql: undefined, shape: NO_SHAPE, arrived })
    })
    return { opened }
  }

  // Read before anything else that the connection brings.
  #opened (answer) {
    if (!Array.isArray(answer) || !Number.isSafeInteger(answer[0])) throw badFrame('log_open')
    if (this.#state !== OPENING) return
    const [seen, level, generation, dir] = answer
    this.#state = READY
    this.#epoch = this.#client.epoch
    this.#refused = false
    for (const batch of this.#batches) batch.sent = false
    this.#acknowledge(Math.min(seen, this.#last))
    if (this.#spool === null && typeof dir === 'string') this.#spool = Spool.in(dir, this.#id)
    if (this.#spool !== null && (this.#spool.isOpen ? this.#spool.isGone : this.#isByLine)) this.#beginSpool()
    this.#setLevel(level, generation)
    this.#watch()
  }

  // The daemon keeps no log: stdout has to do.
  #goPlain (err) {
    this.#state = OFF
    say(err.code === 'UC_NO_LOG'
      ? 'the daemon keeps no log (undercroftd --log-dir DIR): lines go to stdout'
      : `the daemon cannot keep a log (${err.message}): lines go to stdout`)
    this.#fallback = this.#plain()
    this.#cut()
    for (const { bytes } of this.#batches) {
      for (const line of bytes.toString().split(/(?<=\n)/)) this.#fallback.write(line, 0)
    }
    this.#release()
    for (const waiter of [...this.#waiters]) waiter.settle(null)
  }

  // ---- the level -------------------------------------------------------------

  #setLevel (level, generation) {
    const isFirst = this.#generation === 0
    if (generation === this.#generation) return
    this.#generation = generation
    if (this.onLevel === null || (isFirst && level === 0)) return
    this.onLevel(level === 0 ? this.#ownLevel : level >= SILENT ? Infinity : level)
  }

  #watch () {
    if (this.#watching !== null || this.#state !== READY) return
    const stop = this.#watching = new AbortController()
    const { opened } = this.#ask(ops.LOG_WATCH, [this.#generation], ([level, generation]) => {
      this.#watching = null
      this.#setLevel(level, generation)
    }, { timeoutMs: 0, signal: stop.signal })
    opened.then(() => this.#watch(), (err) => {
      this.#watching = null
      if (this.#state !== READY) return
      this.#lost(err)
      this.#settle()
    })
  }

  /** @param {number|null} level for all processes; null: each has its own again */
  async setLevel (level) {
    if (this.#fallback !== null) return
    await this.#client.call(ops.LOG_LEVEL, [level === null ? 0 : Math.min(level, SILENT)])
  }

  // ---- limits ----------------------------------------------------------------

  #drop (n) {
    this.#dropped += n
    this.#droppedAll += n
    if (this.#hasSaid) return
    this.#hasSaid = true
    say(`the daemon does not take the log's lines, of which ${this.#limit} bytes wait: more are dropped`)
  }

  #tellDropped () {
    const n = this.#dropped
    this.#dropped = 0
    this.#hasSaid = false
    const line = missing(n, "the log's buffer was full")
    this.#text += line
    this.#count++
    this.#held += line.length
    if (this.#isByLine && this.#spool !== null) this.#keep(line)
  }

  // As long as there is something to be sent, and somebody who may take it, the
  // process does not end by itself.
  #stayAlive () {
    const isBusy = this.#batches.length > 0 || this.#count > 0
    if (isBusy && this.#progressAt === 0) this.#progressAt = performance.now()
    if (!isBusy) this.#progressAt = 0
    const keeps = isBusy && this.#state < OFF && performance.now() - this.#progressAt < PATIENCE_MS
    if (keeps && this.#patience === null) {
      this.#patience = setTimeout(() => {
        this.#patience = null
        this.#stayAlive()
      }, PATIENCE_MS)
      this.#patience.unref()
    }
    if (this.#timer !== null) {
      if (keeps) this.#timer.ref()
      else this.#timer.unref()
    }
    if (keeps === this.#keeping) return
    this.#keeping = keeps
    if (keeps) this.#client.keepAlive()
    else this.#client.letGo()
  }

  // ---- the spool -------------------------------------------------------------

  #keep (line) {
    const spool = this.#spool
    if (this.#state !== READY && spool.isOpen && spool.isGone) {
      this.#beginSpool()
      return
    }
    spool.add(this.#last + this.#count, line)
  }

  #beginSpool () {
    this.#cut()
    this.#spool.begin(this.#batches)
    for (const batch of this.#batches) batch.kept = true
  }

  #tidySpool () {
    const spool = this.#spool
    if (spool === null || !spool.isOpen) return
    if (this.#batches.length === 0 && this.#count === 0) spool.clear()
    else if (spool.isLarge(this.#held)) this.#beginSpool()
  }

  // ---- flush, end ------------------------------------------------------------

  async flush ({ sync = false, timeoutMs = FLUSH_MS } = {}) {
    const until = performance.now() + timeoutMs
    this.#cut()
    this.#send()
    await this.#acknowledged(this.#last, timeoutMs)
    while (this.#state < OFF) {
      const left = Math.max(1, Math.ceil(until - performance.now()))
      try {
        await this.#client.call(ops.LOG_FLUSH, [sync], { timeoutMs: left }, null)
        return
      } catch (err) {
        if (err.kind !== 'connection' || performance.now() >= until) throw err
      }
    }
    if (this.#fallback !== null) await this.#fallback.flush({ sync, timeoutMs })
  }

  #acknowledged (upTo, timeoutMs) {
    if (this.#acked >= upTo || this.#state >= OFF) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const waiter = {
        upTo,
        settle: (err) => {
          clearTimeout(timer)
          this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
          if (err === null) resolve()
          else reject(err)
        }
      }
      const timer = setTimeout(() => waiter.settle(new UndercroftError('UC_TIMEOUT',
        `the daemon did not take the log's lines within ${timeoutMs} ms; they are kept`)), timeoutMs)
      this.#waiters.push(waiter)
    })
  }

  /** What can be done without the event loop: leaves to the daemon what it does not have. */
  flushSync (opts) {
    if (this.#fallback !== null) return this.#fallback.flushSync(opts)
    this.#cut()
    if (this.#batches.length === 0) return true
    if (this.#spool === null) return false
    if (!this.#isByLine || !this.#spool.isOpen) this.#beginSpool()
    return this.#spool.isOpen
  }

  async stats () {
    if (this.#fallback !== null) return this.#fallback.stats()
    return {
      sink: 'daemon',
      lines: this.#last + this.#count,
      dropped: this.#droppedAll,
      waiting: this.#last + this.#count - this.#acked,
      waitingBytes: this.#held,
      daemon: await this.#client.call(ops.LOG_STATS)
    }
  }

  close () {
    if (this.#closing === null) this.#closing = this.#close()
    return this.#closing
  }

  async #close () {
    try {
      // A daemon that is gone has nothing to be waited for but what it has not taken.
      if (this.#state === READY || this.#state === OFF || this.#count > 0 || this.#acked < this.#last) await this.flush({ timeoutMs: CLOSE_MS })
    } catch {
      // What it has not taken is left to it.
    }
    this.#end()
    if (this.#fallback !== null) await this.#fallback.close()
  }

  #end () {
    if (this.#state === CLOSED) return
    this.leave()
    this.#state = CLOSED
    this.#release()
    for (const waiter of [...this.#waiters]) {
      waiter.settle(new UndercroftError('UC_CLOSED', 'the handle was closed before the daemon had taken the log\'s lines', { outcome: 'unknown' }))
    }
  }

  #release () {
    sinks.delete(this)
    clearTimeout(this.#timer)
    clearTimeout(this.#patience)
    this.#timer = null
    this.#batches = []
    this.#text = ''
    this.#count = 0
    this.#held = 0
    this.#watching?.abort()
    this.#opening?.abort()
    this.#stayAlive()
  }

  /**
   * The process ends, or the handle. Nothing can be sent any more: what the daemon
   * does not have is left in a file for it, or where that is not possible told to
   * whoever sees stderr.
   */
  leave () {
    if (this.#state >= OFF) return
    this.#cut()
    if (this.#spool !== null && this.#spool.finish(this.#batches)) return
    for (const { bytes } of this.#batches) {
      try {
        fs.writeSync(2, bytes)
      } catch {
        // There is nobody to tell.
      }
    }
  }
}

const done = Promise.resolve()
const sinks = new Set()
let isListening = false

// One listener for all of them.
function leaving (sink) {
  if (!isListening) process.on('exit', leave)
  isListening = true
  sinks.add(sink)
}

function leave () {
  for (const sink of sinks) sink.leave()
}

function say (text) {
  try {
    fs.writeSync(2, `undercroft: ${text}\n`)
  } catch {
    // There is nobody to tell.
  }
}

/**
 * @param {Client} client of a daemon
 * @param {object} options of the log, normalised
 * @param {Function} plain makes the sink for a daemon that keeps no log
 * @returns {object} see ../sink.js
 */
function daemonSink (client, options, plain) {
  const log = new DaemonLog(client, options, plain)
  return {
    survives: options.sync === 'line' ? 'sigkill' : 'turn',
    get onLevel () { return log.onLevel },
    set onLevel (fn) { log.onLevel = fn },
    write: (line, level) => log.write(line, level),
    flush: (opts) => log.flush(opts),
    flushSync: (opts) => log.flushSync(opts),
    reopen () {},
    rotate () {},
    stats: () => log.stats(),
    setLevel: (level) => log.setLevel(level),
    close: () => log.close()
  }
}

module.exports = { daemonSink }
