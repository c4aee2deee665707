'use strict'

// A core of a few lines, for tests of the client: reads request frames with a
// msgpack reader of its own, asks a handler for each, and packs the answers as
// the wire format says. Independent of lib/wire on purpose.

function u32 (n) {
  return [n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]
}

function pack (v) {
  if (v === null || v === undefined) return [0xc0]
  if (v === false) return [0xc2]
  if (v === true) return [0xc3]
  if (typeof v === 'bigint') {
    const b = Buffer.alloc(9)
    b[0] = 0xd3
    b.writeBigInt64BE(v, 1)
    return [...b]
  }
  if (typeof v === 'number') {
    if (Number.isInteger(v) && !Object.is(v, -0)) {
      if (v >= 0 && v < 128) return [v]
      if (v < 0 && v >= -32) return [v + 256]
      if (v >= 0 && v < 0x100) return [0xcc, v]
      if (v >= 0 && v < 0x10000) return [0xcd, v >> 8, v & 255]
      if (v >= 0 && v <= 0xffffffff) return [0xce, ...u32(v)]
      if (v < 0 && v >= -128) return [0xd0, v + 256]
      if (v < 0 && v >= -32768) return [0xd1, (v >> 8) & 255, v & 255]
      if (v < 0 && v >= -0x80000000) return [0xd2, ...u32(v)]
      return pack(BigInt(v))
    }
    const b = Buffer.alloc(9)
    b[0] = 0xcb
    b.writeDoubleBE(v, 1)
    return [...b]
  }
  if (typeof v === 'string') {
    const b = Buffer.from(v)
    return b.length < 32 ? [0xa0 | b.length, ...b] : [0xdb, ...u32(b.length), ...b]
  }
  if (v instanceof Uint8Array) return [0xc6, ...u32(v.length), ...v]
  if (Array.isArray(v)) {
    return [...(v.length < 16 ? [0x90 | v.length] : [0xdd, ...u32(v.length)]), ...v.flatMap(pack)]
  }
  const keys = Object.keys(v)
  return [0x80 | keys.length, ...keys.flatMap((key) => [...pack(key), ...pack(v[key])])]
}

class Reader {
  constructor (buf) {
    this.buf = buf
    this.p = 0
  }

  take (n) {
    if (this.p + n > this.buf.length) throw new Error('request cut short')
    this.p += n
    return this.p - n
  }

  value () {
    const b = this.buf
    const c = b[this.take(1)]
    if (c < 0x80) return c
    if (c < 0x90) return this.map(c & 15)
    if (c < 0xa0) return this.array(c & 15)
    if (c < 0xc0) return this.text(c & 31)
    if (c > 0xdf) return c - 256
    switch (c) {
      case 0xc0: return null
      case 0xc2: return false
      case 0xc3: return true
      case 0xc4: return this.bin(b[this.take(1)])
      case 0xc6: return this.bin(b.readUInt32BE(this.take(4)))
      case 0xcb: return b.readDoubleBE(this.take(8))
      case 0xcd: return b.readUInt16BE(this.take(2))
      case 0xce: return b.readUInt32BE(this.take(4))
      case 0xd2: return b.readInt32BE(this.take(4))
      case 0xd3: return b.readBigInt64BE(this.take(8))
      case 0xd9: return this.text(b[this.take(1)])
      case 0xdb: return this.text(b.readUInt32BE(this.take(4)))
      case 0xdd: return this.array(b.readUInt32BE(this.take(4)))
      case 0xdf: return this.map(b.readUInt32BE(this.take(4)))
    }
    throw new Error(`tag ${c.toString(16)}`)
  }

  text (n) {
    const at = this.take(n)
    return this.buf.toString('utf8', at, at + n)
  }

  bin (n) {
    const at = this.take(n)
    return Buffer.from(this.buf.subarray(at, at + n))
  }

  array (n) {
    return Array.from({ length: n }, () => this.value())
  }

  map (n) {
    const out = {}
    for (let i = 0; i < n; i++) {
      const key = this.value()
      out[key] = this.value()
    }
    return out
  }
}

// Reads every request of a batch: [op, id, meta, ...args].
function parse (buf) {
  const reader = new Reader(buf)
  const out = []
  while (reader.p < buf.length) out.push(reader.value())
  return out
}

// Text in a cell: the length in UTF-16 units, the bytes elsewhere.
function cell (v) {
  if (typeof v !== 'string') return pack(v)
  const n = v.length
  if (n < 32) return [0xa0 | n]
  if (n < 256) return [0xd9, n]
  if (n < 65536) return [0xda, n >> 8, n & 255]
  return [0xdb, ...u32(n)]
}

function page (rows) {
  const cells = rows.flat().flatMap(cell)
  const text = rows.flat().filter((v) => typeof v === 'string').join('')
  const bytes = Buffer.from(text)
  return [0x94, 0xce, ...u32(rows.length), bytes.length === text.length ? 0 : 1,
    0xc6, ...u32(cells.length), ...cells, 0xdb, ...u32(bytes.length), ...bytes]
}

const front = (n, id, kind) => [0x90 | n, 0xce, ...u32(id), kind]

// What a handler returns -> a reply frame.
const reply = {
  value: (id, v) => Buffer.from([...front(3, id, 0), ...pack(v)]),
  error: (id, map) => Buffer.from([...front(3, id, 1), ...pack(map)]),
  rows: (id, { shape = 1, columns = null, cursor = null, pages }) =>
    Buffer.from([...front(6, id, 2), 0xce, ...u32(shape), ...pack(columns), ...pack(cursor),
      0xdd, ...u32(pages.length), ...pages.flatMap(page)]),
  run: (id, changes, rowid) => Buffer.from([...front(4, id, 3), ...pack(changes), ...pack(rowid)]),
  answer: (id, status, type, headers, body) => Buffer.from([...front(6, id, 6), ...pack(status), ...pack(type), ...pack(body), ...pack(headers)]),
  bytes: (id, v) => Buffer.from([...front(3, id, 4), ...pack(v)]),
  multi: (id, parts) => Buffer.concat([Buffer.from([...front(3, id, 5), 0xdd, ...u32(parts.length)]), ...parts])
}

/**
 * A session as the addon makes them. `handle(request, session)` returns a
 * reply frame, several, a promise of one, or nothing.
 */
class FakeSession {
  constructor (wake, handle) {
    this.wake = wake
    this.handle = handle
    this.queue = []
    this.requests = []
    this.batches = []
    this.refs = 0
    this.destroyed = false
    this.turns = 0
    this.waking = false
  }

  submit (buf, length, count, write) {
    const requests = parse(Buffer.from(buf.subarray(0, length)))
    if (requests.length !== count) throw new Error(`count ${count}, frames ${requests.length}`)
    this.batches.push({ count, write })
    for (const request of requests) {
      this.requests.push(request)
      const made = this.handle(request, this)
      if (typeof made?.then === 'function') made.then((frame) => this.push(frame))
      else if (made !== undefined) this.push(made)
    }
  }

  push (frame) {
    if (this.destroyed) return
    this.queue.push(frame)
    if (this.waking) return
    this.waking = true
    setImmediate(() => {
      this.waking = false
      if (!this.destroyed) this.wake()
    })
  }

  take (inbox) {
    let n = 0
    while (this.queue.length > 0) {
      const frame = this.queue[0]
      if (n + 4 + frame.length > inbox.length) return n > 0 ? n : -(4 + frame.length)
      this.queue.shift()
      inbox.writeUInt32LE(frame.length, n)
      frame.copy(inbox, n + 4)
      n += 4 + frame.length
    }
    return n
  }

  attach (request, answer) {
    this.request = request
    this.answer = answer
  }

  sync (length) {
    const [request] = parse(Buffer.from(this.request.subarray(0, length)))
    this.requests.push(request)
    const frame = this.handle(request, this)
    if (frame.length > this.answer.length) {
      this.left = frame
      return -frame.length
    }
    frame.copy(this.answer)
    return frame.length
  }

  syncTake (buf) {
    return this.left.copy(buf)
  }

  endTurn () { this.turns++ }
  ref () { this.refs++ }
  unref () { this.refs-- }
  destroy () { this.destroyed = true }
}

module.exports = { FakeSession, reply, pack, page, parse, u32 }
