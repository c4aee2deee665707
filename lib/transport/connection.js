'use strict'

// One connection to a daemon: the socket, the greeting, the hello. What goes
// over it afterwards is the business of its owner.
//
//   connecting ──> greeting ──hello answered──> up ──> gone
//        └──────────────┴───────────────────────────────┘

const { builtin } = require('../base/builtin')
const net = builtin('node:net')
const { Writer } = require('../wire/encode')
const { UndercroftError } = require('../base/errors')
const { ops, kinds } = require('../wire/ops')
const { KIND, BODY, valueAt, badFrame, frameError } = require('../wire/decode')
const { HELLO, HEAD, seal, MessageReceiver } = require('./sp')
const { refusal } = require('../base/socket-refusal')
const { version } = require('../../package.json')

// The versions of the protocol that this client speaks.
const LOWEST = 1
const HIGHEST = 1

// Ids of calls begin far above it.
const HELLO_ID = 2

// While more than this is on its way out, nothing is added.
const FULL_BYTES = 1024 * 1024

class Connection {
  #socket
  #receiver = new MessageReceiver()
  #owner
  #each
  #connected = false
  #up = false
  #gone = false
  #paused = false
  #cause = null

  /**
   * @param {string} path of the socket
   * @param {object} wanted what the hello asks for: { db?, readonly? }
   * @param {object} owner up(info), message(id, from, end): one has come,
   *   replies(): they can be taken, writable(), down(cause)
   */
  constructor (path, wanted, owner) {
    this.#owner = owner
    this.#each = (id, from, end) => this.#message(id, from, end)
    const socket = net.connect({
      path,
      onread: {
        buffer: () => this.#receiver.space(),
        callback: (n, b) => this.#read(n, b)
      }
    })
    this.#socket = socket
    socket.on('connect', () => {
      this.#connected = true
      socket.write(greeting(wanted))
    })
    socket.on('drain', () => { if (!this.#gone) owner.writable() })
    socket.on('error', (err) => {
      const code = refusal(err.code, path)
      this.#cause ??= code === err.code ? err : Object.assign(new Error(`connect ${code} ${path}`, { cause: err }), { code })
    })
    socket.on('close', () => this.#end())
  }

  get receiver () { return this.#receiver }
  /** Somebody has the socket open. */
  get connected () { return this.#connected }
  /** Something answered that speaks as a daemon does. */
  get greeted () { return this.#receiver.greeted }
  /** Nothing should be added to what is on its way out. */
  get full () { return this.#gone || this.#socket.writableLength > FULL_BYTES }
  /** What was written has left this process. */
  get flushed () { return this.#gone || this.#socket.writableLength === 0 }

  write (bytes) {
    this.#socket.write(bytes)
  }

  /** Writes made until uncork leave together. */
  cork () { this.#socket.cork() }
  uncork () { this.#socket.uncork() }

  ref () { this.#socket.ref() }
  unref () { this.#socket.unref() }

  /** Reads again, after what was lent has been given back. */
  resume () {
    if (!this.#paused || this.#gone) return
    this.#paused = false
    this.#socket.resume()
  }

  /** Ends it, for a reason on this side. */
  fail (cause) {
    this.#cause ??= cause
    this.#socket.destroy()
  }

  /** Ends it without a word to the owner. */
  destroy () {
    this.#gone = true
    this.#socket.destroy()
  }

  #end () {
    if (this.#gone) return
    this.#gone = true
    this.#owner.down(this.#cause)
  }

  #read (n, b) {
    if (this.#gone || this.#cause !== null) return false
    const receiver = this.#receiver
    try {
      // A runtime that reads into a buffer of its own.
      if (b.buffer !== receiver.buf.buffer) receiver.add(b.subarray(0, n), this.#each)
      else receiver.arrived(n, this.#each)
    } catch (err) {
      this.fail(frameError(err))
      return false
    }
    if (this.#up) this.#owner.replies()
    else receiver.take()
    this.#paused = receiver.lent && this.#up
    return !this.#paused
  }

  #message (id, from, end) {
    if (this.#cause !== null) return
    if (this.#up) {
      this.#owner.message(id, from, end)
      return
    }
    if (id !== HELLO_ID && id !== 0) throw badFrame('a reply before the hello')
    const { buf, view } = this.#receiver
    const answer = valueAt(buf, view, from + BODY, end)
    if (buf[from + KIND] !== kinds.VALUE || id === 0) this.fail(refused(answer))
    else this.#welcome(answer)
  }

  #welcome (info) {
    if (info === null || typeof info !== 'object' || !(info.v >= LOWEST && info.v <= HIGHEST)) {
      this.fail(new UndercroftError('UC_VERSION',
        `the daemon ${info?.server ?? ''} answers in version ${info?.v} of the protocol, of which this client ` +
        `knows ${LOWEST} to ${HIGHEST}: update ${info?.v > HIGHEST ? 'undercroft in this process' : 'the daemon'}`))
      return
    }
    this.#up = true
    this.#owner.up(info)
  }
}

function greeting (wanted) {
  const w = new Writer(512)
  w.raw(HELLO, 0, HELLO.length)
  const start = w.pos
  w.skip(HEAD)
  w.head(4, ops.HELLO, HELLO_ID, -1, null)
  w.any({ v: [LOWEST, HIGHEST], client: `undercroft-js/${version}`, ...wanted })
  seal(w, start, HELLO_ID)
  return w.buf.subarray(0, w.pos)
}

/** The daemon's own word for not serving this client. */
function refused (map) {
  const code = typeof map?.code === 'string' ? map.code : 'UC_CONNECT'
  const message = typeof map?.message === 'string' ? map.message : 'the daemon refused the connection'
  return new UndercroftError(code, message, {
    kind: typeof map?.kind === 'string' ? map.kind : undefined,
    retryable: map?.retryable === true
  })
}

module.exports = { Connection, refused }
