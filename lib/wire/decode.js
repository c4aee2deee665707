'use strict'

// Reads reply frames. The headers stand at fixed offsets (an array header of
// one byte, then the id in five and the kind in one), so the client looks at
// bytes instead of parsing. Every length is checked against the end of the
// frame before it is used: a frame is never trusted, and reading beyond one
// ends in UC_FRAME, or in a RangeError of DataView, which is turned into it.

const { at, badFrame, blob } = require('./cell')
const { Shape, NO_SHAPE, OBJECTS, columnsOf } = require('./shape')
const { kinds } = require('./ops')

// Offsets within a reply frame.
const KIND = 6
const BODY = 7
const SHAPE = 8
const COLUMNS = 12
// A rows reply with one page of one row is longer than this.
const SHORTEST_ROW = COLUMNS + 7 + 16

// Text of replies that arrive together is turned into one string, a piece of
// this size at a time, and cut. A cut string may keep its piece alive.
const PIECE = 4096

const MAX_DEPTH = 32

const utf8Slice = typeof Buffer.prototype.utf8Slice === 'function'
  ? Buffer.prototype.utf8Slice
  : function (from, to) { return this.toString('utf8', from, to) }
const latin1Slice = typeof Buffer.prototype.latin1Slice === 'function'
  ? Buffer.prototype.latin1Slice
  : function (from, to) { return this.toString('latin1', from, to) }

// What rowsHeader found: the shape, the cursor (0: none) and the pages.
const head = { shape: null, cursor: 0, pages: 0, p: 0 }

// The piece of text last made, and where in the buffer it stands.
const piece = { text: '', from: 0, to: 0 }

/** Must be called when the bytes of a buffer were replaced. */
function forgetText () {
  piece.from = 0
  piece.to = 0
}

/**
 * Reads the front of a rows reply, which begins at `p`, into `head`.
 *
 * @param {Shape} sent the shape the request named; the reply leaves its
 *   columns out when it is still the same
 */
function rowsHeader (b, dv, p, end, sent) {
  if (p + COLUMNS + 7 > end || b[p + BODY] !== 0xce) throw badFrame('rows header')
  const id = dv.getUint32(p + SHAPE)
  p += COLUMNS
  if (b[p] === 0xc0) {
    if (id !== sent.id) throw badFrame('shape without columns')
    head.shape = sent
    p++
  } else {
    at.p = p
    const names = value(b, dv, end, 0)
    if (!Array.isArray(names) || !names.every(isString)) throw badFrame('columns')
    p = at.p
    head.shape = id === sent.id ? sent : new Shape(id, columnsOf(names))
  }
  if (b[p] === 0xc0) {
    head.cursor = 0
    p++
  } else {
    at.p = p
    head.cursor = value(b, dv, end, 0)
    if (typeof head.cursor !== 'number' || head.cursor < 0) throw badFrame('cursor')
    p = at.p
  }
  if (p + 5 > end || b[p] !== 0xdd) throw badFrame('pages')
  head.pages = dv.getUint32(p + 1)
  head.p = p + 5
}

function isString (value) {
  return typeof value === 'string'
}

/**
 * Appends the rows of the page at `p` to `out`; returns the place behind it.
 *
 * @param {Function} rows a decoder of the page's shape
 */
function page (b, dv, p, end, columns, rows, out) {
  if (p + 16 > end || b[p] !== 0x94 || b[p + 1] !== 0xce || b[p + 7] !== 0xc6) throw badFrame('page')
  const n = dv.getUint32(p + 2)
  const ascii = b[p + 6] === 0
  const cells = p + 12
  const stop = cells + dv.getUint32(p + 8)
  // Each cell takes a byte at least: this bounds what a frame can claim.
  if (stop + 5 > end || n * columns > stop - cells || b[stop] !== 0xdb || (columns === 0 && n > 0)) {
    throw badFrame('page size')
  }
  const from = stop + 5
  const to = from + dv.getUint32(stop + 1)
  if (to > end) throw badFrame('page text')
  const text = from === to ? '' : ascii ? latin1Slice.call(b, from, to) : utf8Slice.call(b, from, to)
  rows(b, dv, cells, n, text, 0, out, out.length)
  if (at.p !== stop || at.t !== text.length) throw badFrame('page content')
  return to
}

/**
 * The reply of a `get` that begins at `p`: its row, or undefined. Leaves the
 * shape in head.shape.
 *
 * @param {number} limit the end of what is valid in the buffer; text of the
 *   replies behind this one is made into a string along with its own
 * @param {number} ints index of the integers mode
 */
function row (b, dv, p, end, limit, sent, ints) {
  // The usual case, all at fixed places: a known shape, no cursor, one page.
  if (end - p > SHORTEST_ROW && b[p + COLUMNS] === 0xc0 && b[p + COLUMNS + 1] === 0xc0 &&
    b[p + COLUMNS + 2] === 0xdd && b[p + COLUMNS + 6] === 1 && b[p + BODY] === 0xce &&
    dv.getUint32(p + SHAPE) === sent.id) {
    head.shape = sent
    p += COLUMNS + 7
  } else {
    rowsHeader(b, dv, p, end, sent)
    if (head.pages === 0) return undefined
    if (head.pages !== 1) throw badFrame('pages')
    p = head.p
    if (p + 16 > end) throw badFrame('page')
  }
  const { columns, count } = head.shape
  if (b[p] !== 0x94 || b[p + 7] !== 0xc6) throw badFrame('page')
  const n = dv.getUint32(p + 2)
  if (n === 0) return undefined
  const stop = p + 12 + dv.getUint32(p + 8)
  if (n !== 1 || stop + 5 > end || b[stop] !== 0xdb || count > stop - p - 12) throw badFrame('page size')
  const from = stop + 5
  const to = from + dv.getUint32(stop + 1)
  if (to > end) throw badFrame('page text')
  let text = ''
  let t = 0
  let tEnd = 0
  if (from !== to) {
    if (b[p + 6] !== 0) {
      text = utf8Slice.call(b, from, to)
      tEnd = text.length
    } else {
      if (to > piece.to || from < piece.from) {
        piece.to = Math.max(to, Math.min(limit, from + PIECE))
        piece.from = from
        piece.text = latin1Slice.call(b, from, piece.to)
      }
      text = piece.text
      t = from - piece.from
      tEnd = to - piece.from
    }
  }
  const made = columns.one(ints)(b, dv, p + 12, text, t)
  if (at.p !== stop || at.t !== tEnd) throw badFrame('page content')
  return made
}

/** The value at at.p, of any msgpack type; at.p moves behind it. */
function value (b, dv, end, depth) {
  let p = at.p
  if (p >= end) throw badFrame('cut short')
  const c = b[p++]
  if (c < 0x80) { at.p = p; return c }
  if (c < 0x90) { at.p = p; return map(b, dv, end, c & 15, depth) }
  if (c < 0xa0) { at.p = p; return array(b, dv, end, c & 15, depth) }
  if (c < 0xc0) return string(b, p, end, c & 31)
  if (c > 0xdf) { at.p = p; return c - 0x100 }
  if (p + SIZE[c - 0xc0] > end) throw badFrame('cut short')
  switch (c) {
    case 0xc0: at.p = p; return null
    case 0xc2: at.p = p; return false
    case 0xc3: at.p = p; return true
    case 0xc4: return bytes(b, p + 1, end, b[p])
    case 0xc5: return bytes(b, p + 2, end, dv.getUint16(p))
    case 0xc6: return bytes(b, p + 4, end, dv.getUint32(p))
    case 0xca: at.p = p + 4; return dv.getFloat32(p)
    case 0xcb: at.p = p + 8; return dv.getFloat64(p)
    case 0xcc: at.p = p + 1; return b[p]
    case 0xcd: at.p = p + 2; return dv.getUint16(p)
    case 0xce: at.p = p + 4; return dv.getUint32(p)
    case 0xcf: at.p = p + 8; return narrow(dv.getBigUint64(p))
    case 0xd0: at.p = p + 1; return dv.getInt8(p)
    case 0xd1: at.p = p + 2; return dv.getInt16(p)
    case 0xd2: at.p = p + 4; return dv.getInt32(p)
    case 0xd3: at.p = p + 8; return narrow(dv.getBigInt64(p))
    case 0xd9: return string(b, p + 1, end, b[p])
    case 0xda: return string(b, p + 2, end, dv.getUint16(p))
    case 0xdb: return string(b, p + 4, end, dv.getUint32(p))
    case 0xdc: at.p = p + 2; return array(b, dv, end, dv.getUint16(p), depth)
    case 0xdd: at.p = p + 4; return array(b, dv, end, dv.getUint32(p), depth)
    case 0xde: at.p = p + 2; return map(b, dv, end, dv.getUint16(p), depth)
    case 0xdf: at.p = p + 4; return map(b, dv, end, dv.getUint32(p), depth)
  }
  throw badFrame('unknown type')
}

// Bytes that follow each tag from 0xc0 to 0xdf, not counting content.
const SIZE = [0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8,
  1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4]

// Numbers of the wire outside rows: a BigInt only when it has to be.
function narrow (big) {
  const n = Number(big)
  return Number.isSafeInteger(n) ? n : big
}

function string (b, p, end, n) {
  if (p + n > end) throw badFrame('text beyond the frame')
  at.p = p + n
  return utf8Slice.call(b, p, p + n)
}

function bytes (b, p, end, n) {
  if (p + n > end) throw badFrame('bytes beyond the frame')
  return blob(b, p, n)
}

function array (b, dv, end, n, depth) {
  if (n > end - at.p || depth > MAX_DEPTH) throw badFrame('array beyond the frame')
  const out = []
  for (let i = 0; i < n; i++) out.push(value(b, dv, end, depth + 1))
  return out
}

function map (b, dv, end, n, depth) {
  if (n * 2 > end - at.p || depth > MAX_DEPTH) throw badFrame('map beyond the frame')
  const out = {}
  for (let i = 0; i < n; i++) {
    const key = value(b, dv, end, depth + 1)
    const item = value(b, dv, end, depth + 1)
    if (typeof key !== 'string') throw badFrame('map key')
    if (key === '__proto__') Object.defineProperty(out, key, { value: item, enumerable: true, configurable: true, writable: true })
    else out[key] = item
  }
  return out
}

/** The value of a reply whose body begins at `p`. */
function valueAt (b, dv, p, end) {
  at.p = p
  return value(b, dv, end, 0)
}

/**
 * A reply that is neither rows nor an error: a value, { changes,
 * lastInsertRowid }, bytes, the array of a batch, or the answer of a route.
 */
function simple (b, dv, p, end, kind, integers) {
  at.p = p + BODY
  switch (kind) {
    case kinds.VALUE: return value(b, dv, end, 0)
    case kinds.RUN: return run(b, dv, end, integers)
    case kinds.BYTES: {
      const bytes = value(b, dv, end, 0)
      if (!Buffer.isBuffer(bytes)) throw badFrame('bytes expected')
      return bytes
    }
    case kinds.MULTI: return multi(b, dv, end, integers)
    case kinds.ANSWER: return answer(b, dv, end)
  }
  throw badFrame('unknown kind of reply')
}

// A rowid that a number cannot hold comes as a BigInt, never as an error: the
// row is written.
function run (b, dv, end, integers) {
  const changes = value(b, dv, end, 0)
  const rowid = value(b, dv, end, 0)
  if (!isInteger(changes) || !isInteger(rowid)) throw badFrame('run')
  if (integers === 1) return { changes, lastInsertRowid: BigInt(rowid) }
  if (integers === 2) return { changes, lastInsertRowid: String(rowid) }
  return { changes, lastInsertRowid: rowid }
}

// { status, type, body, headers }: the headers are names and values in turn. Of a POST whose facts ask
// for it also `audit`, JSON.
function answer (b, dv, end) {
  const status = value(b, dv, end, 0)
  const type = value(b, dv, end, 0)
  const body = value(b, dv, end, 0)
  const headers = value(b, dv, end, 0)
  if (!Number.isInteger(status) || typeof type !== 'string' || !Buffer.isBuffer(body) || !Array.isArray(headers)) {
    throw badFrame('answer')
  }
  if (at.p >= end) return { status, type, body, headers }
  const audit = value(b, dv, end, 0)
  if (typeof audit !== 'string') throw badFrame('answer')
  return { status, type, body, headers, audit }
}

/**
 * The answer in a reply frame of n bytes at the front of `b`, or null for a reply of another kind.
 *
 * @param {Function} takeBody (b, from, to) -> what becomes of its bytes: a copy of them, or a text of a
 *   character each
 */
function answerOf (b, dv, n, takeBody) {
  if (n <= BODY || b[KIND] !== kinds.ANSWER) return null
  at.p = BODY
  const status = value(b, dv, n, 0)
  const type = known(b, dv, n, types)
  const from = at.p + 5
  if (b[at.p] !== 0xc6 || from > n) throw badFrame('answer')
  const to = from + dv.getUint32(at.p + 1)
  if (to >= n) throw badFrame('answer')
  let headers = NO_HEADERS
  let isTagged = false
  if (b[to] !== 0x90) {
    at.p = to
    isTagged = begins(b, to, n, TAGGED)
    headers = isTagged ? taggedHeaders(b, dv, to, n) : value(b, dv, n, 0)
    if (!Array.isArray(headers)) throw badFrame('answer')
    isTagged &&= TAG.test(headers[1]) && headers[2] === 'cache-control' && NO_CACHE.has(headers[3])
  }
  const body = takeBody(b, from, to)
  return { status, type, body, headers, isTagged, encoding: typeof body === 'string' ? 'latin1' : undefined }
}

const NO_HEADERS = Object.freeze([])
const NOTHING = new Uint8Array(0)

// How the headers of most answers begin: the two that the core adds itself, the first of them ETag.
const TAGGED = Buffer.from('\x94\xa4etag\xd9\x33', 'latin1')
const TAG = /^"[0-9a-f]{16}-[0-9a-f]{32}"$/
const NO_CACHE = new Set(['no-cache', 'private, no-cache'])

function begins (b, p, end, text) {
  if (end - p < text.length) return false
  for (let i = 0; i < text.length; i++) {
    if (b[p + i] !== text[i]) return false
  }
  return true
}

function taggedHeaders (b, dv, p, end) {
  const from = p + TAGGED.length
  const tag = string(b, from, end, b[from - 1])
  return ['etag', tag, known(b, dv, end, names), known(b, dv, end, caches)]
}

// Texts that are nearly always the same are not made anew: of each place the last one, with its bytes.
const types = { bytes: NOTHING, text: '' }
const names = { bytes: NOTHING, text: '' }
const caches = { bytes: NOTHING, text: '' }

/** The text at at.p, where it is the one of `memo`; otherwise the value there, which is that from now on. */
function known (b, dv, end, memo) {
  const from = at.p
  const { length } = memo.bytes
  if (length > 0 && begins(b, from, end, memo.bytes)) {
    at.p = from + length
    return memo.text
  }
  const text = value(b, dv, end, 0)
  if (typeof text !== 'string') throw badFrame('answer')
  memo.bytes = Uint8Array.prototype.slice.call(b, from, at.p)
  memo.text = text
  return text
}

function isInteger (v) {
  return typeof v === 'number' || typeof v === 'bigint'
}

function multi (b, dv, end, integers) {
  const c = b[at.p]
  let count = c & 15
  let p = at.p + 1
  if (c === 0xdc) {
    count = dv.getUint16(p)
    p += 2
  } else if (c === 0xdd) {
    count = dv.getUint32(p)
    p += 4
  } else if (c < 0x90 || c > 0x9f) {
    throw badFrame('batch')
  }
  const out = []
  for (let i = 0; i < count; i++) {
    if (p + BODY > end || b[p + 1] !== 0xce) throw badFrame('batch item')
    const kind = b[p + KIND]
    if (kind === kinds.ROWS) {
      rowsHeader(b, dv, p, end, NO_SHAPE)
      out.push(allRows(b, dv, end, OBJECTS, integers))
      p = head.p
    } else {
      out.push(simple(b, dv, p, end, kind === kinds.RUN ? kind : -1, integers))
      p = at.p
    }
  }
  return out
}

/** All rows of the pages that rowsHeader found; head.p moves behind them. */
function allRows (b, dv, end, form, integers) {
  const { shape, pages } = head
  const rows = shape.columns.decoder(form, integers)
  const out = []
  let p = head.p
  for (let i = 0; i < pages; i++) p = page(b, dv, p, end, shape.count, rows, out)
  head.p = p
  return out
}

// Turns what a decoder may throw by reading beyond the buffer into UC_FRAME.
function frameError (err) {
  return err instanceof RangeError ? badFrame('cut short') : err
}

module.exports = { KIND, BODY, head, rowsHeader, page, row, allRows, simple, answerOf, valueAt, forgetText, frameError, badFrame }
