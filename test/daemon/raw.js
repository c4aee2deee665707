'use strict'

// raw - undercroftd as a process, and a client that speaks the wire by hand: bytes, messages,
// frames. What our own client would never send can be sent with it.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { Writer } = require('../../lib/wire/encode')
const { valueAt } = require('../../lib/wire/decode')
const helper = require('../helper')

const program = process.env.UNDERCROFT_DAEMON || path.join(helper.root, 'build/Release/undercroftd')
const HELLO = Buffer.from('0053500000300000', 'hex')
const ANSWER = '0053500000310000'
const TOP = 0x80000000
const KIND = ['value', 'error', 'rows', 'run', 'bytes', 'multi']

// ---- the daemon ------------------------------------------------------------------------

// Starts it on files of the test. options: dir, db (file names), args, env, ready (false: do not
// wait). -> { proc, socket, file, stderr, done, stop() }
async function start (t, options = {}) {
  const dir = options.dir ?? helper.tmpdir(t)
  const socket = options.socket ?? path.join(dir, 'd.sock')
  const files = (options.db ?? ['app.db']).map(name => /^:|=/.test(name) ? name : path.join(dir, name))
  const args = [
    '--listen', `ipc://${socket}`,
    ...files.flatMap(file => ['--db', file]),
    '--ready-fd', '3',
    ...(options.args ?? [])
  ]
  const daemon = launch(t, args, options)
  daemon.socket = socket
  daemon.dir = dir
  daemon.file = files[0]
  if (options.ready !== false) await daemon.ready
  return daemon
}

function launch (t, args, { cwd, env, deadlineMs = 120_000 } = {}) {
  const proc = spawn(program, args, {
    cwd: cwd ?? helper.tmpdir(t),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env }
  })
  const daemon = { proc, pid: proc.pid, stdout: '', stderr: '', code: null, signal: null }
  const timer = setTimeout(() => proc.kill('SIGKILL'), deadlineMs)
  proc.stdout.setEncoding('utf8').on('data', text => { daemon.stdout += text })
  proc.stderr.setEncoding('utf8').on('data', text => { daemon.stderr += text })
  daemon.done = new Promise((resolve, reject) => {
    proc.once('error', reject)
    proc.once('close', (code, signal) => {
      clearTimeout(timer)
      Object.assign(daemon, { code, signal })
      resolve(daemon)
    })
  })
  daemon.ready = new Promise((resolve, reject) => {
    let line = ''
    proc.stdio[3].setEncoding('utf8').on('data', text => {
      line += text
      if (line === 'ready\n') resolve(daemon)
    })
    daemon.done.then(() => reject(new Error(`undercroftd ended: ${daemon.code ?? daemon.signal}\n${daemon.stderr}`)), reject)
  })
  daemon.ready.catch(() => {})
  daemon.stop = (signal = 'SIGTERM') => {
    proc.kill(signal)
    return daemon.done
  }
  t.teardown(async () => {
    proc.kill('SIGCONT')
    proc.kill('SIGKILL')
    await daemon.done
  })
  return daemon
}

// Memory of a process that is its own, in bytes.
function resident (pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/RssAnon:\s+(\d+)/.exec(status)[1]) * 1024
}

// ---- the client ------------------------------------------------------------------------

class Raw {
  #socket
  #bytes = Buffer.alloc(0)
  #waiting = new Map() // SP id -> resolve
  #next = 1
  #defined = 0
  greeting = ''
  reason = null // the error with id 0, if one came
  closed

  constructor (file, { hello = true, paused = false } = {}) {
    this.#socket = net.connect(file)
    if (paused) this.#socket.pause()
    this.closed = new Promise(resolve => {
      this.#socket.on('error', () => {}).on('close', () => {
        for (const settle of this.#waiting.values()) settle(null)
        resolve()
      })
    })
    this.connected = new Promise((resolve, reject) => {
      this.#socket.once('connect', resolve).once('error', reject)
    })
    this.connected.catch(() => {})
    if (!paused) this.#socket.on('data', chunk => this.#receive(chunk))
    if (hello) this.write(HELLO)
  }

  get socket () { return this.#socket }

  write (bytes) { return this.#socket.write(bytes) }

  // Sends a request without waiting. -> its frame id
  send (op, args = [], { meta = null, id = this.#next++, sp = (TOP | id) >>> 0 } = {}) {
    this.write(message(sp, frame([op, id, meta, ...args])))
    return id
  }

  // -> { kind, value } | { kind: 'error', value: { code, … } } | null when the connection ended
  ask (op, args, options) {
    const sp = options?.sp ?? (TOP | (options?.id ?? this.#next)) >>> 0
    const reply = this.reply(sp)
    this.send(op, args, options)
    return reply
  }

  // A statement of this connection. -> its number
  define (sql) {
    this.send(8, [++this.#defined, sql], { id: 0, sp: TOP })
    return this.#defined
  }

  // -> the reply of get, all, run or json for a statement given as text
  sql (op, text, params = null, options) {
    return this.ask(op, [this.define(text), 0, params], options)
  }

  reply (sp) {
    return new Promise(resolve => this.#waiting.set(sp >>> 0, resolve))
  }

  destroy () {
    this.#socket.destroy()
    return this.closed
  }

  #receive (chunk) {
    this.#bytes = this.#bytes.length ? Buffer.concat([this.#bytes, chunk]) : chunk
    if (!this.greeting) {
      if (this.#bytes.length < 8) return
      this.greeting = this.#bytes.toString('hex', 0, 8)
      this.#bytes = this.#bytes.subarray(8)
    }
    for (;;) {
      const b = this.#bytes
      if (b.length < 13) return
      if (b[0] !== 1) throw new Error(`a message begins with ${b[0]}`)
      const end = 9 + Number(b.readBigUInt64BE(1))
      if (b.length < end) return
      this.#bytes = b.subarray(end)
      this.#message(b.readUInt32BE(9), b.subarray(13, end))
    }
  }

  #message (sp, body) {
    const reply = { sp, id: body.readUInt32BE(2), kind: KIND[body[6]], body }
    if (body[6] < 2) reply.value = decode(body.subarray(7))
    if (sp === TOP) {
      this.reason = reply.value
      this.#socket.end()
    }
    const settle = this.#waiting.get(sp)
    this.#waiting.delete(sp)
    settle?.(reply)
  }
}

function frame (value) {
  const w = new Writer(256)
  w.any(value)
  return w.buf.subarray(0, w.pos)
}

function message (sp, body) {
  const head = Buffer.alloc(13)
  head[0] = 1
  head.writeBigUInt64BE(BigInt(body.length + 4), 1)
  head.writeUInt32BE(sp >>> 0, 9)
  return Buffer.concat([head, body])
}

function decode (b) {
  return valueAt(b, new DataView(b.buffer, b.byteOffset, b.length), 0, b.length)
}

// A connected client, which the caller ends. While the daemon has not come to accept those before,
// the kernel refuses more of them with EAGAIN (unix(7)); they try again, as our own client does.
async function dial (daemon, options) {
  const deadline = Date.now() + 30_000
  for (;;) {
    const client = new Raw(daemon.socket, options)
    try {
      await client.connected
      return client
    } catch (err) {
      if (err.code !== 'EAGAIN' || Date.now() > deadline) throw err
    }
    await helper.delay(10)
  }
}

// The same, ended with the test.
async function connect (t, daemon, options) {
  const client = await dial(daemon, options)
  t.teardown(() => client.destroy())
  return client
}

module.exports = { ANSWER, HELLO, Raw, TOP, connect, decode, dial, frame, launch, message, program, resident, start }
