'use strict'

// Reads cached values; kinds.js says how they look. The bytes may be anybody's:
// every length is checked before it is used.

const { UndercroftError } = require('../../base/errors')
const { badFrame } = require('../cell')
const { ext, MAX_DEPTH, Failure } = require('./kinds')

const { UNDEFINED, DATE, BIGINT, MAP, SET, FAILURE } = ext

const utf8Slice = typeof Buffer.prototype.utf8Slice === 'function'
  ? Buffer.prototype.utf8Slice
  : function (from, to) { return this.toString('utf8', from, to) }

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

module.exports = { decode, cachedAt, shareable }
