'use strict'

// Writes cached values; kinds.js says how they look.

const { builtin } = require('../../base/builtin')
const { types } = builtin('node:util')
const { UndercroftError, describe } = require('../../base/errors')
const { LOST_BYTES, Writer, bytesOf } = require('../encode')
const { ext, MAX_DEPTH } = require('./kinds')

const { UNDEFINED, DATE, BIGINT, MAP, SET, FAILURE } = ext

// Below this many characters a loop beats the call into native code.
const SHORT = 24
// A scratch buffer grown beyond this is given back.
const KEEP_BYTES = 1024 * 1024
const MESSAGE_BYTES = 16 * 1024

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

const utf8Write = typeof Buffer.prototype.utf8Write === 'function'
  ? Buffer.prototype.utf8Write
  : Buffer.prototype.write

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
  // A getter of a value may store another one.
  const outer = most
  const outerStop = stop
  most = max
  stop = w.pos + max
  try {
    put(w, v, 0)
    if (w.pos > stop) throw tooLarge(max)
  } finally {
    most = outer
    stop = outerStop
  }
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
  write(w, message.toWellFormed(), MESSAGE_BYTES)
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
  if (ArrayBuffer.isView(v) || types.isAnyArrayBuffer(v)) {
    const all = bytesOf(v)
    if (all === null) throw refused(depth, LOST_BYTES, 'a buffer')
    bytes(w, all)
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

module.exports = { writeBin, encode, encodeFailure }
