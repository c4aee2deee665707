'use strict'

// A daemon of a few lines on a real socket, for tests of the client: reads SP
// messages with code of its own, answers hello, asks a handler for each other
// request, and can be told to behave badly.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { parse, reply, u32 } = require('./fake-core')
const { ops } = require('../../lib/wire/ops')

const GREETING = Buffer.from([0, 0x53, 0x50, 0, 0, 0x31, 0, 0])

function message (sp, frame) {
  return Buffer.concat([Buffer.from([1, 0, 0, 0, 0, ...u32(frame.length + 4), ...u32(sp)]), frame])
}

class Connection {
  constructor (daemon, socket) {
    this.daemon = daemon
    this.socket = socket
    this.requests = []
    this.writes = 0
    this.texts = new Map()
    this.rest = Buffer.alloc(0)
    this.greeted = false
    socket.on('error', () => {})
    socket.on('data', (bytes) => this.read(bytes))
    socket.on('close', () => { daemon.connections.delete(this) })
    this.write(daemon.greeting)
  }

  // `slice`: so many bytes at a time, each in a packet of its own.
  async write (bytes) {
    const { slice } = this.daemon
    if (slice === 0) {
      this.socket.write(bytes)
      return
    }
    this.later = (this.later ?? Promise.resolve()).then(async () => {
      for (let at = 0; at < bytes.length; at += slice) {
        this.socket.write(bytes.subarray(at, at + slice))
        await new Promise(setImmediate)
      }
    })
  }

  read (bytes) {
    this.writes++
    this.rest = Buffer.concat([this.rest, bytes])
    if (!this.greeted) {
      if (this.rest.length < 8) return
      this.hello = this.rest.subarray(0, 8)
      this.rest = this.rest.subarray(8)
      this.greeted = true
    }
    while (this.rest.length >= 9) {
      if (this.rest[0] !== 1) throw new Error(`message type ${this.rest[0]}`)
      const end = 9 + Number(this.rest.readBigUInt64BE(1))
      if (this.rest.length < end) return
      const sp = this.rest.readUInt32BE(9)
      const [request, extra] = parse(this.rest.subarray(13, end))
      this.rest = this.rest.subarray(end)
      if (extra !== undefined) throw new Error('two frames in one message')
      if (sp !== (request[1] | 0x80000000) >>> 0) throw new Error(`ids ${sp} and ${request[1]}`)
      this.request(request)
    }
  }

  request (request) {
    const [op, id, , sid, text] = request
    if (op === ops.HELLO) {
      this.asked = request[3]
      const answer = this.daemon.hello(request[3])
      if (answer !== undefined) this.send(id, answer.code === undefined ? reply.value(id, answer) : reply.error(id, answer))
      return
    }
    if (op === ops.DEFINE) this.texts.set(sid, text)
    this.requests.push(request)
    this.daemon.requests.push(request)
    const made = this.daemon.handle(request, this)
    if (typeof made?.then === 'function') made.then((frame) => this.send(id, frame))
    else if (made !== undefined) this.send(id, made)
  }

  send (id, frame) {
    this.write(message((id | 0x80000000) >>> 0, frame))
  }
}

class FakeDaemon {
  /** @param {object} answers op -> (request, connection) -> reply frame, promise of one, or nothing */
  constructor (answers = {}) {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-fake-'))
    this.path = path.join(this.dir, 's.sock')
    this.url = `ipc://${this.path}`
    this.connections = new Set()
    this.accepted = 0
    this.requests = []
    this.slice = 0
    this.greeting = GREETING
    this.hello = () => ({ v: 1, server: 'fake/1', db: 'main', dbs: ['main'], pid: 1, window: 256, max_request: 1 << 20 })
    this.answers = {
      [ops.PING]: ([, id, , value]) => reply.value(id, value),
      [ops.HEALTH]: ([, id]) => reply.value(id, { ok: true }),
      [ops.GET]: ([, id, , , shape, params]) => reply.rows(id, {
        shape: 7, columns: shape === 7 ? null : ['v'], pages: [[[params[0] ?? 0]]]
      }),
      [ops.RUN]: ([, id]) => reply.run(id, 1, 42),
      [ops.CLOSE]: ([, id]) => reply.value(id, null),
      ...answers
    }
    this.handle = (request, connection) => this.answers[request[0]]?.(request, connection)
  }

  listen () {
    fs.rmSync(this.path, { force: true })
    this.server = net.createServer((socket) => {
      this.accepted++
      this.connections.add(new Connection(this, socket))
    })
    return new Promise((resolve) => this.server.listen(this.path, resolve))
  }

  /** Ends without a word, as a process does that is killed. */
  async stop () {
    if (this.server === undefined) return
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const { socket } of this.connections) socket.destroy()
    await closed
    this.server = undefined
  }

  async end () {
    await this.stop()
    fs.rmSync(this.dir, { recursive: true, force: true })
  }
}

module.exports = { FakeDaemon, message, GREETING }
