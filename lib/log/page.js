'use strict'

// A line as bytes, put together in memory that the core reads: no string of the
// engine's for each piece, of which a line would leave a kilobyte to be collected.
// The functions write at p and return where they have ended; NO_ROOM, below zero,
// when the page has no room, and then the line is made as text (logger.js).

const SIZE = 16 * 1024
const NO_ROOM = -1
// Up to here a string is copied character by character; above it the engine's own
// JSON.stringify and its copy cost less.
const QUICK = 256
const LONGEST_NUMBER = 32
const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 0x30
// The two digits of 0 to 99, the first in the lower byte.
const PAIRS = Uint16Array.from({ length: 100 }, (_, i) => (ZERO + Math.floor(i / 10)) | (ZERO + i % 10) << 8)

/** The memory of a sink for one line at a time, see sink.js. */
class Page {
  bytes = Buffer.alloc(SIZE)
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset, SIZE)
  // What a getter logs while a line is being made goes another way.
  isBusy = false
  #head = ''
  #tail = ''
  #length = 0

  /** @param {(length: number) => void} put takes the first `length` bytes; never throws */
  constructor (put) {
    this.put = put
  }

  /** Where the fields of a line begin: what many lines have in common stays where it is. */
  begin (head, tail) {
    if (head === this.#head && tail === this.#tail) return this.#length
    const { bytes } = this
    let p = putText(bytes, 0, head)
    if (p !== NO_ROOM) p = putText(bytes, p, tail)
    this.#head = p === NO_ROOM ? '' : head
    this.#tail = tail
    this.#length = p
    return p
  }
}

/** Text as it is, in UTF-8. */
function putText (b, p, s) {
  const { length } = s
  if (p + 3 * length > SIZE) return NO_ROOM
  if (length <= QUICK) {
    let i = 0
    for (; i < length; i++) {
      const c = s.charCodeAt(i)
      if (c >= 0x80) break
      b[p + i] = c
    }
    if (i === length) return p + length
  }
  return p + b.write(s, p)
}

/** A string as JSON. A lone surrogate becomes an escape. */
function putString (b, p, s) {
  const { length } = s
  if (length <= QUICK) {
    if (p + length + 2 > SIZE) return NO_ROOM
    const from = p + 1
    let i = 0
    for (; i < length; i++) {
      const c = s.charCodeAt(i)
      if (c < 0x20 || c === QUOTE || c === BACKSLASH || c >= 0x80) break
      b[from + i] = c
    }
    if (i === length) {
      b[p] = QUOTE
      b[from + length] = QUOTE
      return from + length + 1
    }
  }
  return putText(b, p, JSON.stringify(s))
}

/** A piece that many lines have, ready to be written four bytes at a time. */
class Piece {
  constructor (text) {
    const bytes = Buffer.from(text)
    const padded = Buffer.alloc(bytes.length + 3)
    bytes.copy(padded)
    this.length = bytes.length
    this.words = Int32Array.from({ length: Math.ceil(bytes.length / 4) }, (_, i) => padded.readInt32LE(4 * i))
  }
}

/** A piece, into the view of a page. What is behind its end is written over next. */
function putPiece (view, p, { words, length }) {
  const end = p + 4 * words.length
  if (end > SIZE) return NO_ROOM
  for (let i = 0, at = p; at < end; i++, at += 4) view.setInt32(at, words[i], true)
  return p + length
}

/** A number as JSON; what is none, such as NaN, as null. */
function putNumber ({ bytes, view }, p, v) {
  if (p + LONGEST_NUMBER > SIZE) return NO_ROOM
  if (v >= 0 && v < 1e9) {
    const whole = v | 0
    if (whole === v) return putWhole(view, p, whole)
    if (v < 1000) {
      // As number() of text.js: the shortest text of what thousandths give back.
      const thousandths = Math.round(v * 1000)
      if (thousandths / 1000 === v && thousandths < 1e6) return putFraction(bytes, putWhole(view, p, whole), thousandths - whole * 1000)
    }
  }
  return putText(bytes, p, Number.isFinite(v) ? '' + v : 'null')
}

// From 0 to below 1e9.
function putWhole (view, p, v) {
  const end = p + lengthOf(v)
  let at = end
  while (v >= 100) {
    const rest = (v / 100) | 0
    at -= 2
    view.setUint16(at, PAIRS[v - rest * 100], true)
    v = rest
  }
  if (v >= 10) view.setUint16(p, PAIRS[v], true)
  else view.setUint8(p, ZERO + v)
  return end
}

function lengthOf (v) {
  if (v < 10000) return v < 100 ? (v < 10 ? 1 : 2) : (v < 1000 ? 3 : 4)
  if (v < 1000000) return v < 100000 ? 5 : 6
  return v < 100000000 ? (v < 10000000 ? 7 : 8) : 9
}

// Thousandths, from 1 to 999, without the zeros at their end.
function putFraction (b, p, v) {
  b[p++] = 0x2e
  let unit = 100
  while (v > 0) {
    const digit = (v / unit) | 0
    b[p++] = ZERO + digit
    v -= digit * unit
    unit /= 10
  }
  return p
}

module.exports = { Page, Piece, putPiece, putText, putString, putNumber, NO_ROOM, SIZE }
