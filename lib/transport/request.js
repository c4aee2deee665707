'use strict'

// What a connection has to know of the request frames that pass through it:
// where things stand in them, and which make sense only on the connection that
// they were written for.
//
//   p: 01 u64 length u32 id | [op, id, meta, ...args]     one message, see sp.js

const { ops, hasStatement, isBound: isBoundOp } = require('../wire/ops')
const { Writer } = require('../wire/encode')
const { HEAD, seal, endOf } = require('./sp')

// Offsets within a message.
const OP = HEAD + 1
const ID = HEAD + 3
const META = HEAD + 7

const SCOPES = [0x78, 0x73] // x, s

// What readMeta found; read at once by its caller.
const meta = { timeoutMs: -1, scoped: false, once: false, trace: 0, end: 0 }

/** Reads the meta map of our own encoder, which begins at `p`, into `meta`. */
function readMeta (b, view, p) {
  meta.timeoutMs = -1
  meta.scoped = false
  meta.once = false
  meta.trace = 0
  const c = b[p++]
  for (let n = c === 0xc0 ? 0 : c & 15; n > 0; n--) {
    const key = b[p + 1]
    p += 2
    if (SCOPES.includes(key)) meta.scoped = true
    if (key === 0x6f) meta.once = true
    if (key === 0x74) meta.timeoutMs = uintAt(b, view, p)
    if (key === 0x77) meta.trace = p
    p = skip(b, view, p)
  }
  meta.end = p
}

/** The unsigned integer at `p`, as Writer.uint writes it. */
function uintAt (b, view, p) {
  if (b[p] < 0x80) return b[p]
  return b[p] === 0xcd ? view.getUint16(p + 1) : view.getUint32(p + 1)
}

// The place behind the integer, text, flag or short bin at `p`, as Writer writes them.
function skip (b, view, p) {
  const c = b[p]
  if (c < 0x80 || c === 0xc0 || c === 0xc2 || c === 0xc3) return p + 1
  if (c >= 0xa0 && c < 0xc0) return p + 1 + (c & 31)
  if (c === 0xc4) return p + 2 + b[p + 1]
  if (c === 0xdb) return p + 5 + view.getUint32(p + 1)
  return p + (c === 0xcd ? 3 : c === 0xd3 ? 9 : 5)
}

/** Whether the message at `p` belongs to the connection it was written for. */
function isBound (b, view, p) {
  const op = b[p + OP]
  if (isBoundOp[op]) return true
  readMeta(b, view, p + META)
  if (meta.scoped) return true
  // A chunk of rows that continues a stream names it behind its statement.
  return op === ops.MANY && b[skip(b, view, meta.end)] !== 0xc0
}

/**
 * Takes back what a request says of the shape that the client knows: shapes
 * are numbered by the daemon, and the next one may number them otherwise.
 */
function forgetShape (b, view, p) {
  if (!hasStatement[b[p + OP]]) return
  readMeta(b, view, p + META)
  view.setUint32(skip(b, view, meta.end) + 1, 0)
}

/**
 * Writes the read at `p` once more, marked as a repetition. The text stands in
 * place of the statement's number, which may mean another by now.
 *
 * @param {Writer} w
 * @param {string} sql
 * @param {number} timeoutMs what is left of the call's own deadline; -1: it has none
 */
function repeat (w, b, view, p, sql, timeoutMs) {
  const start = w.pos
  const end = endOf(view, p)
  readMeta(b, view, p + META)
  const timed = meta.timeoutMs >= 0 && timeoutMs >= 0
  let rest = meta.end
  w.skip(HEAD)
  w.raw(b, p + HEAD, p + META)
  w.mapHeader(1 + (timed ? 1 : 0) + (meta.trace > 0 ? 1 : 0))
  w.text('r', 0)
  w.flag(true)
  if (timed) {
    w.text('t', 0)
    w.uint(timeoutMs)
  }
  if (meta.trace > 0) {
    w.text('w', 0)
    w.raw(b, meta.trace, skip(b, view, meta.trace))
  }
  if (hasStatement[b[p + OP]]) {
    rest = skip(b, view, skip(b, view, rest))
    w.text(sql, 0)
    w.uint(0)
  }
  w.raw(b, rest, end)
  seal(w, start, view.getUint32(p + ID))
}

/** A message that asks the daemon to stop a call, for `reason`. */
function cancel (id, reason) {
  const w = new Writer(64)
  w.skip(HEAD)
  w.head(5, ops.CANCEL, 0, -1, null)
  w.uint(id)
  w.uint(reason)
  seal(w, 0, 0)
  return w.buf.subarray(0, w.pos)
}

module.exports = { OP, ID, META, meta, readMeta, uintAt, isBound, forgetShape, repeat, cancel }
