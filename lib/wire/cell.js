'use strict'

// One cell of a row page, in each of the four ways to hand out integers.
// cell(b, dv, p, c, s, name): `c` is the byte already read, `p` the place
// behind it, `s` the text of the page, which is cut from at.t on. The new
// places are left in `at`.

const { UndercroftError } = require('../base/errors')

// Shared by the generated decoders: returning an object would allocate.
const at = { p: 0, t: 0 }

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/** A frame that is not what the wire format allows. */
function badFrame (what) {
  return new UndercroftError('UC_FRAME', `malformed reply: ${what}`)
}

function asNumber (b, dv, p, c, s, name) {
  if (c < 0x80) {
    at.p = p
    return c
  }
  switch (c) {
    case 0xcc: at.p = p + 1; return b[p]
    case 0xcd: at.p = p + 2; return dv.getUint16(p)
    case 0xce: at.p = p + 4; return dv.getUint32(p)
    case 0xd0: at.p = p + 1; return dv.getInt8(p)
    case 0xd1: at.p = p + 2; return dv.getInt16(p)
    case 0xd2: at.p = p + 4; return dv.getInt32(p)
    case 0xcf:
    case 0xd3: {
      const high = c === 0xcf ? dv.getUint32(p) : dv.getInt32(p)
      const v = high * 0x100000000 + dv.getUint32(p + 4)
      if (!Number.isSafeInteger(v)) throw range(dv, p, c, name)
      at.p = p + 8
      return v
    }
  }
  if (c > 0xdf) {
    at.p = p
    return c - 0x100
  }
  return rest(b, dv, p, c, s)
}

function asAuto (b, dv, p, c, s, name) {
  if (c !== 0xd3 && c !== 0xcf) return asNumber(b, dv, p, c, s, name)
  const big = int64(dv, p, c)
  at.p = p + 8
  return big > MAX_SAFE || big < -MAX_SAFE ? big : Number(big)
}

function asBigint (b, dv, p, c, s, name) {
  if (c === 0xd3 || c === 0xcf) {
    at.p = p + 8
    return int64(dv, p, c)
  }
  return isInteger(c)
    ? BigInt(asNumber(b, dv, p, c, s, name))
    : rest(b, dv, p, c, s)
}

function asString (b, dv, p, c, s, name) {
  if (c === 0xd3 || c === 0xcf) {
    at.p = p + 8
    return String(int64(dv, p, c))
  }
  return isInteger(c)
    ? String(asNumber(b, dv, p, c, s, name))
    : rest(b, dv, p, c, s)
}

function isInteger (c) {
  return c < 0x80 || c > 0xdf || (c > 0xcb && c < 0xd4)
}

function int64 (dv, p, c) {
  return c === 0xd3 ? dv.getBigInt64(p) : dv.getBigUint64(p)
}

// Everything that is not an integer.
function rest (b, dv, p, c, s) {
  let n = 0
  switch (c) {
    case 0xc0: at.p = p; return null
    case 0xc2: at.p = p; return false
    case 0xc3: at.p = p; return true
    case 0xc7: return meant(b[p], b[p + 1], p + 2, s)
    case 0xc8: return meant(dv.getUint16(p), b[p + 2], p + 3, s)
    case 0xc9: return meant(dv.getUint32(p), b[p + 4], p + 5, s)
    case 0xca: at.p = p + 4; return dv.getFloat32(p)
    case 0xcb: at.p = p + 8; return dv.getFloat64(p)
    case 0xd9: n = b[p]; p += 1; break
    case 0xda: n = dv.getUint16(p); p += 2; break
    case 0xdb: n = dv.getUint32(p); p += 4; break
    case 0xc4: return blob(b, p + 1, b[p])
    case 0xc5: return blob(b, p + 2, dv.getUint16(p))
    case 0xc6: return blob(b, p + 4, dv.getUint32(p))
    default:
      if (c < 0xa0 || c > 0xbf) throw badFrame('unknown cell')
      n = c - 0xa0
  }
  at.p = p
  const t = at.t
  at.t = t + n
  return s.substring(t, t + n)
}

// A text of n units that stands for something: csrc/core/wire/rows.h, uc_meaning.
function meant (n, meaning, p, s) {
  at.p = p
  const t = at.t
  at.t = t + n
  const text = s.substring(t, t + n)
  if (meaning !== 1) return text
  try {
    return JSON.parse(text)
  } catch {
    throw badFrame('a document that is no JSON')
  }
}

/** A copy of b[p..p+n) that does not share memory with the inbox. */
function blob (b, p, n) {
  if (p + n > b.length) throw badFrame('blob beyond the frame')
  at.p = p + n
  const copy = Buffer.allocUnsafe(n)
  b.copy(copy, 0, p, p + n)
  return copy
}

function range (dv, p, c, column) {
  return new UndercroftError('UC_VALUE_RANGE',
    `column "${column}" holds ${int64(dv, p, c)}, which a number cannot hold exactly; ` +
    "use the option integers: 'bigint', 'string' or 'auto'", { column })
}

// In the order of INTEGERS in options.js.
module.exports = { at, cells: [asNumber, asBigint, asString, asAuto], badFrame, blob }
