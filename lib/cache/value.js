'use strict'

// Cached values as bytes: one msgpack value each, which any language can read.
// What msgpack lacks is an ext type. The core looks at none of it, but for the
// integers that `incr` counts; both sides write those in their shortest form, so
// that compareAndSet can compare bytes.
//
//   ext 0  undefined              one byte, 0
//   ext 1  a Date                 its time, a 64-bit float of milliseconds
//   ext 2  a BigInt               8 bytes: a 64-bit integer; more: a sign (1: negative)
//                                 and the magnitude, big endian
//   ext 3  a Map                  an array of keys and values in turn
//   ext 4  a Set                  an array
//   ext 5  a loader's error       its message; what wrap keeps for errorTtlMs

const { types } = require('node:util')
const { UndercroftError, describe } = require('../errors')
const { Writer } = require('../codec/encode')
const { badFrame } = require('../codec/cell')

const UNDEFINED = 0
const DATE = 1
const BIGINT = 2
const MAP = 3
const SET = 4
const FAILURE = 5

// Levels of nesting. Deeper ones are most likely a cycle.
const MAX_DEPTH = 200
// Below this many characters a loop beats the call into native code.
const SHORT = 24
// A scratch buffer grown beyond this is given back.
const KEEP_BYTES = 1024 * 1024

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

const utf8Write = typeof Buffer.prototype.utf8Write === 'function'
  ? Buffer.prototype.utf8Write
  : Buffer.prototype.write
const utf8Slice = typeof Buffer.prototype.utf8Slice === 'function'
  ? Buffer.prototype.utf8Slice
  : function (from, to) { return this.toString('utf8', from, to) }

/** What a loader has failed with, as it is kept for errorTtlMs. */
class Failure {
  constructor (message) {
    this.message = message
  }
}

// ---- writing -----------------------------------------------------------------

// Where in the value the writer is, for messages: one key or index a level.
const path = []
// The value may not reach beyond this place of the buffer.
let stop = 0
let most = 0

/**
 * Appends `v` to `w` as one msgpack value.
 *
 * @param {Writer} w
 * @param {number} max bytes that it may take
 * @throws {UndercroftError} UC_CACHE_VALUE, which names the place in the value, or
 *   says that it is too large; what was written is the caller's to take back
 */
function write (w, v, max) {
  most = max
  stop = w.pos + max
  put(w, v, 0)
  if (w.pos > stop) throw tooLarge(max)
}

/** The same as a bin, which is how values travel. */
function writeBin (w, v, max) {
  w.reserve(5)
  const place = w.pos
  w.pos += 5
  write(w, v, max)
  w.buf[place] = 0xc6
  w.view.setUint32(place + 1, w.pos - place - 5)
}

let scratch = new Writer(4096)
let isWriting = false

/** `v` in bytes of its own. */
function encode (v, max) {
  // A getter of the value may come here, too.
  const w = isWriting ? new Writer(256) : scratch
  isWriting = true
  w.pos = 0
  try {
    write(w, v, max)
    return Buffer.from(w.buf.subarray(0, w.pos))
  } finally {
    if (w === scratch) {
      isWriting = false
      if (w.cap > KEEP_BYTES) scratch = new Writer(4096)
    }
  }
}

/** The bytes that stand for a loader's error. */
function encodeFailure (message) {
  const w = new Writer(64)
  const place = open(w, FAILURE)
  text(w, message.toWellFormed())
  close(w, place)
  return w.buf.subarray(0, w.pos)
}

function put (w, v, depth) {
  if (w.pos > stop) throw tooLarge(most)
  switch (typeof v) {
    case 'string':
      if (!text(w, v)) throw refused(depth, 'text with a lone surrogate', 'well-formed text')
      return
    case 'number':
      number(w, v)
      return
    case 'boolean':
      w.reserve(1)
      w.buf[w.pos++] = v ? 0xc3 : 0xc2
      return
    case 'undefined':
      fixExt(w, 0xd4, UNDEFINED, 1)
      w.buf[w.pos - 1] = 0
      return
    case 'bigint':
      big(w, v)
      return
    case 'object': break
    default: throw refused(depth, describe(v))
  }
  if (v === null) {
    w.nil()
    return
  }
  if (depth >= MAX_DEPTH) {
    throw refused(depth, undefined, undefined, `more than ${MAX_DEPTH} levels deep, or in itself`)
  }
  if (Array.isArray(v)) {
    list(w, v, depth)
    return
  }
  const proto = Object.getPrototypeOf(v)
  // Also a plain object of another realm.
  if (proto === Object.prototype || proto === null || Object.getPrototypeOf(proto) === null) object(w, v, depth)
  else special(w, v, depth)
}

function list (w, v, depth) {
  const n = v.length
  if (n > most) throw tooLarge(most)
  header(w, n, 0x90, 0xdc)
  for (let i = 0; i < n; i++) {
    path[depth] = i
    put(w, v[i], depth + 1)
  }
}

function object (w, v, depth) {
  const keys = Object.keys(v)
  header(w, keys.length, 0x80, 0xde)
  for (const key of keys) {
    path[depth] = key
    if (!text(w, key)) throw refused(depth + 1, 'a name with a lone surrogate', 'well-formed text')
    put(w, v[key], depth + 1)
  }
}

// What is neither a plain object nor an array.
function special (w, v, depth) {
  if (ArrayBuffer.isView(v)) {
    bytes(w, v instanceof Uint8Array ? v : new Uint8Array(v.buffer, v.byteOffset, v.byteLength))
  } else if (types.isDate(v)) {
    fixExt(w, 0xd7, DATE, 8)
    w.view.setFloat64(w.pos - 8, Date.prototype.getTime.call(v))
  } else if (types.isMap(v)) {
    const place = open(w, MAP)
    const items = []
    for (const [key, item] of v) items.push(key, item)
    list(w, items, depth)
    close(w, place)
  } else if (types.isSet(v)) {
    const place = open(w, SET)
    list(w, [...v], depth)
    close(w, place)
  } else if (types.isAnyArrayBuffer(v)) {
    bytes(w, new Uint8Array(v))
  } else {
    throw refused(depth, `an instance of ${className(v)}`)
  }
}

function number (w, n) {
  w.reserve(9)
  const b = w.buf
  const p = w.pos
  if (!Number.isSafeInteger(n) || (n === 0 && 1 / n < 0)) {
    b[p] = 0xcb
    w.view.setFloat64(p + 1, n)
    w.pos = p + 9
  } else if (n >= 0) {
    if (n < 0x80) {
      b[p] = n
      w.pos = p + 1
    } else if (n < 0x100) {
      b[p] = 0xcc
      b[p + 1] = n
      w.pos = p + 2
    } else if (n < 0x10000) {
      b[p] = 0xcd
      w.view.setUint16(p + 1, n)
      w.pos = p + 3
    } else if (n <= 0xffffffff) {
      b[p] = 0xce
      w.view.setUint32(p + 1, n)
      w.pos = p + 5
    } else {
      b[p] = 0xcf
      w.view.setUint32(p + 1, n / 0x100000000)
      w.view.setUint32(p + 5, n >>> 0)
      w.pos = p + 9
    }
  } else if (n >= -32) {
    b[p] = n
    w.pos = p + 1
  } else if (n >= -0x80) {
    b[p] = 0xd0
    b[p + 1] = n
    w.pos = p + 2
  } else if (n >= -0x8000) {
    b[p] = 0xd1
    w.view.setInt16(p + 1, n)
    w.pos = p + 3
  } else if (n >= -0x80000000) {
    b[p] = 0xd2
    w.view.setInt32(p + 1, n)
    w.pos = p + 5
  } else {
    b[p] = 0xd3
    w.view.setInt32(p + 1, Math.floor(n / 0x100000000))
    w.view.setUint32(p + 5, n >>> 0)
    w.pos = p + 9
  }
}

// False, with nothing written, for text with a lone surrogate.
function text (w, s) {
  const n = s.length
  if (n > most) throw tooLarge(most)
  w.reserve(5 + n * 3)
  const b = w.buf
  const start = w.pos
  if (n < SHORT) {
    let p = start + 1
    let all = 0
    for (let i = 0; i < n; i++) {
      const c = s.charCodeAt(i)
      all |= c
      b[p++] = c
    }
    if (all < 0x80) {
      b[start] = 0xa0 | n
      w.pos = p
      return true
    }
  }
  // The header is chosen by what the text may take at most.
  const head = n < 86 ? 2 : n < 21846 ? 3 : 5
  const length = utf8Write.call(b, s, start + head)
  if (length !== n && !s.isWellFormed()) return false
  b[start] = head === 2 ? 0xd9 : head === 3 ? 0xda : 0xdb
  if (head === 2) b[start + 1] = length
  else if (head === 3) w.view.setUint16(start + 1, length)
  else w.view.setUint32(start + 1, length)
  w.pos = start + head + length
  return true
}

function bytes (w, u8) {
  const n = u8.length
  if (n > most) throw tooLarge(most)
  w.reserve(5 + n)
  const p = w.pos
  if (n < 0x100) {
    w.buf[p] = 0xc4
    w.buf[p + 1] = n
    w.pos = p + 2
  } else if (n < 0x10000) {
    w.buf[p] = 0xc5
    w.view.setUint16(p + 1, n)
    w.pos = p + 3
  } else {
    w.buf[p] = 0xc6
    w.view.setUint32(p + 1, n)
    w.pos = p + 5
  }
  w.buf.set(u8, w.pos)
  w.pos += n
}

function big (w, v) {
  if (v <= INT64_MAX && v >= INT64_MIN) {
    fixExt(w, 0xd7, BIGINT, 8)
    w.view.setBigInt64(w.pos - 8, v)
    return
  }
  const place = open(w, BIGINT)
  const hex = (v < 0n ? -v : v).toString(16)
  const n = (hex.length + 1) >>> 1
  if (n > most) throw tooLarge(most)
  w.reserve(1 + n)
  w.buf[w.pos] = v < 0n ? 1 : 0
  w.buf.write(hex.padStart(n * 2, '0'), w.pos + 1, 'hex')
  w.pos += 1 + n
  close(w, place)
}

// The front of an array or a map of n items.
function header (w, n, short, long) {
  w.reserve(5)
  if (n < 16) {
    w.buf[w.pos++] = short | n
  } else if (n < 0x10000) {
    w.buf[w.pos] = long
    w.view.setUint16(w.pos + 1, n)
    w.pos += 3
  } else {
    w.buf[w.pos] = long + 1
    w.view.setUint32(w.pos + 1, n)
    w.pos += 5
  }
}

function fixExt (w, tag, type, n) {
  w.reserve(2 + n)
  w.buf[w.pos] = tag
  w.buf[w.pos + 1] = type
  w.pos += 2 + n
}

// An ext whose length close() fills in.
function open (w, type) {
  w.reserve(6)
  const place = w.pos
  w.buf[place] = 0xc9
  w.buf[place + 5] = type
  w.pos = place + 6
  return place
}

function close (w, place) {
  w.view.setUint32(place + 1, w.pos - place - 6)
}

function tooLarge (max) {
  return new UndercroftError('UC_CACHE_VALUE',
    `the value is larger than the ${max} bytes that the cache takes (option cache.maxValueBytes)`, { outcome: 'not-sent' })
}

const VALUES = 'null, undefined, a boolean, number, bigint, string, Date, buffer, array, plain object, Map or Set'

function refused (depth, got, wanted = VALUES, what = `expected ${wanted}, got ${got}`) {
  return new UndercroftError('UC_CACHE_VALUE', `${placeOf(depth)}: ${what}`, { kind: 'usage', outcome: 'not-sent' })
}

// value.users[3].name
function placeOf (depth) {
  let out = 'value'
  for (let i = 0; i < depth && out.length < 200; i++) {
    const key = path[i]
    if (typeof key === 'number') out += `[${key}]`
    else out += /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  }
  return out
}

function className (v) {
  try {
    const { name } = Object.getPrototypeOf(v).constructor
    return typeof name === 'string' && name !== '' ? name : 'a class'
  } catch {
    return 'a class'
  }
}

// ---- reading -----------------------------------------------------------------

let b = null
let dv = null
let p = 0
let end = 0
let freezes = false
let isShareable = true

/**
 * The value in buf[from..to).
 *
 * @param {Buffer} buf
 * @param {DataView} view of the same bytes
 * @param {boolean} freeze objects and arrays, so that several may share the value;
 *   whether they may, shareable() tells
 * @throws {UndercroftError} UC_CACHE_VALUE: the bytes are not such a value
 */
function decode (buf, view, from, to, freeze) {
  b = buf
  dv = view
  p = from
  end = to
  freezes = freeze
  isShareable = true
  try {
    const v = take(0)
    if (p !== end) throw malformed('bytes behind it')
    return v
  } finally {
    b = dv = null
  }
}

/**
 * What a get of the cache is answered with: a bin at `at`, that ends where the
 * reply does. Everybody who asks gets an object of his own.
 */
function cachedAt (buf, view, at, to) {
  const c = buf[at]
  const from = at + (c === 0xc4 ? 2 : c === 0xc5 ? 3 : 5)
  const v = c >= 0xc4 && c <= 0xc6 ? decode(buf, view, from, to, false) : malformedReply()
  return v instanceof Failure ? undefined : v
}

function malformedReply () {
  throw badFrame('bytes expected')
}

/** Whether what decode() made last holds nothing that can be changed. */
function shareable () {
  return isShareable
}

function take (depth) {
  need(1)
  const c = b[p++]
  if (c < 0x80) return c
  if (c < 0x90) return takeMap(c & 15, depth)
  if (c < 0xa0) return takeArray(c & 15, depth)
  if (c < 0xc0) return takeText(c & 31)
  if (c > 0xdf) return c - 0x100
  switch (c) {
    case 0xc0: return null
    case 0xc2: return false
    case 0xc3: return true
    case 0xc4: return takeBytes(uint8())
    case 0xc5: return takeBytes(uint16())
    case 0xc6: return takeBytes(uint32())
    case 0xc7: return takeExt(uint8(), depth)
    case 0xc8: return takeExt(uint16(), depth)
    case 0xc9: return takeExt(uint32(), depth)
    case 0xca: need(4); p += 4; return dv.getFloat32(p - 4)
    case 0xcb: need(8); p += 8; return dv.getFloat64(p - 8)
    case 0xcc: return uint8()
    case 0xcd: return uint16()
    case 0xce: return uint32()
    case 0xcf: need(8); p += 8; return narrow(dv.getBigUint64(p - 8))
    case 0xd0: need(1); return dv.getInt8(p++)
    case 0xd1: need(2); p += 2; return dv.getInt16(p - 2)
    case 0xd2: need(4); p += 4; return dv.getInt32(p - 4)
    case 0xd3: need(8); p += 8; return narrow(dv.getBigInt64(p - 8))
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return takeExt(1 << (c - 0xd4), depth)
    case 0xd9: return takeText(uint8())
    case 0xda: return takeText(uint16())
    case 0xdb: return takeText(uint32())
    case 0xdc: return takeArray(uint16(), depth)
    case 0xdd: return takeArray(uint32(), depth)
    case 0xde: return takeMap(uint16(), depth)
    case 0xdf: return takeMap(uint32(), depth)
  }
  throw malformed('an unknown type')
}

function need (n) {
  if (n > end - p) throw malformed('cut short')
}

function uint8 () {
  need(1)
  return b[p++]
}

function uint16 () {
  need(2)
  p += 2
  return dv.getUint16(p - 2)
}

function uint32 () {
  need(4)
  p += 4
  return dv.getUint32(p - 4)
}

function narrow (n) {
  const small = Number(n)
  return Number.isSafeInteger(small) ? small : n
}

function takeText (n) {
  need(n)
  p += n
  return n === 0 ? '' : utf8Slice.call(b, p - n, p)
}

function takeBytes (n) {
  need(n)
  isShareable = false
  const copy = Buffer.allocUnsafe(n)
  b.copy(copy, 0, p, p + n)
  p += n
  return copy
}

// Each item takes a byte at least, so a count cannot promise more than there is.
function room (n, depth) {
  if (n > end - p) throw malformed('cut short')
  if (depth >= MAX_DEPTH) throw malformed('too deep')
}

function takeArray (n, depth) {
  room(n, depth)
  const out = []
  for (let i = 0; i < n; i++) out.push(take(depth + 1))
  return freezes ? Object.freeze(out) : out
}

function takeMap (n, depth) {
  room(2 * n, depth)
  const out = {}
  for (let i = 0; i < n; i++) {
    const key = takeKey()
    const item = take(depth + 1)
    if (key === '__proto__') Object.defineProperty(out, key, { value: item, enumerable: true, configurable: true, writable: true })
    else out[key] = item
  }
  return freezes ? Object.freeze(out) : out
}

// The names of properties come again and again: those seen last are kept.
const NAMES = 1024
const NAME_BYTES = 32
const names = new Array(NAMES).fill(null)

function takeKey () {
  const c = uint8()
  let n = c & 31
  if (c === 0xd9) n = uint8()
  else if (c === 0xda) n = uint16()
  else if (c === 0xdb) n = uint32()
  else if (c < 0xa0 || c > 0xbf) throw malformed('a name that is no text')
  if (n > NAME_BYTES) return takeText(n)
  need(n)
  let hash = n
  for (let i = p; i < p + n; i++) hash = (Math.imul(hash, 31) + b[i]) | 0
  const slot = (hash ^ hash >>> 10) & (NAMES - 1)
  const known = names[slot]
  if (known !== null && known.bytes.length === n) {
    let i = 0
    while (i < n && known.bytes[i] === b[p + i]) i++
    if (i === n) {
      p += n
      return known.name
    }
  }
  const copy = Uint8Array.prototype.slice.call(b, p, p + n)
  const name = takeText(n)
  names[slot] = { bytes: copy, name }
  return name
}

function takeExt (n, depth) {
  need(n + 1)
  const type = b[p++]
  const last = p + n
  switch (type) {
    case UNDEFINED:
      p = last
      return undefined
    case DATE:
      if (n !== 8) break
      p = last
      isShareable = false
      return new Date(dv.getFloat64(p - 8))
    case BIGINT: return takeBig(n)
    case MAP: {
      const items = takeItems(last, depth)
      if (items.length % 2 !== 0) break
      const map = new Map()
      for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1])
      return map
    }
    case SET: return new Set(takeItems(last, depth))
    case FAILURE: {
      const message = depth === 0 ? take(1) : undefined
      if (typeof message === 'string' && p === last) return new Failure(message)
    }
  }
  throw malformed('an unknown type')
}

function takeItems (last, depth) {
  const c = uint8()
  isShareable = false
  let n = c & 15
  if (c === 0xdc) n = uint16()
  else if (c === 0xdd) n = uint32()
  else if (c < 0x90 || c > 0x9f) throw malformed('a collection that is no array')
  room(n, depth)
  const items = []
  for (let i = 0; i < n; i++) items.push(take(depth + 1))
  if (p !== last) throw malformed('a length that is wrong')
  return items
}

function takeBig (n) {
  p += n
  if (n === 8) return dv.getBigInt64(p - 8)
  if (n < 2) throw malformed('a number without digits')
  const magnitude = BigInt(`0x${b.toString('hex', p - n + 1, p)}`)
  return b[p - n] === 1 ? -magnitude : magnitude
}

function malformed (what) {
  return new UndercroftError('UC_CACHE_VALUE', `the bytes in the cache are not a value: ${what}`, { kind: 'corrupt' })
}

module.exports = { Failure, writeBin, encode, encodeFailure, decode, cachedAt, shareable }
