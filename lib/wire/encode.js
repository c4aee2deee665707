'use strict'

// The msgpack writer of requests. One Writer is one growing buffer; a request
// is written straight into it and never exists in another form. The common
// parameters (small integers, short ASCII text) are written inline in
// `list`, because a call per value would cost more than the value.

const { builtin } = require('../base/builtin')
const { types } = builtin('node:util')
const { UndercroftError, describe } = require('../base/errors')

// Below this many characters a loop beats the call into native code.
const SHORT = 24
// The most a value takes that is neither text nor a blob.
const FIXED = 9

const utf8Write = typeof Buffer.prototype.utf8Write === 'function'
  ? Buffer.prototype.utf8Write
  : Buffer.prototype.write

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

class Writer {
  /** @param {number} size bytes to begin with */
  constructor (size) {
    this.pos = 0
    this.cap = 0
    this.buf = null
    this.view = null
    this.adopt(Buffer.allocUnsafeSlow(size))
  }

  /** Makes `buf` the buffer to write into; what was written is not copied. */
  adopt (buf) {
    this.buf = buf
    this.view = new DataView(buf.buffer, buf.byteOffset, buf.length)
    this.cap = buf.length
  }

  /** Room for `need` more bytes; the buffer may be replaced by a larger one. */
  reserve (need) {
    if (this.pos + need <= this.cap) return
    const bigger = Buffer.allocUnsafeSlow(
      Math.max(this.cap * 2, this.pos + need + 1024))
    this.buf.copy(bigger, 0, 0, this.pos)
    this.adopt(bigger)
  }

  /** Leaves n bytes out, for what can only be written later. */
  skip (n) {
    this.reserve(n)
    this.pos += n
  }

  /** Bytes that are a request already, or a part of one. */
  raw (b, from, to) {
    this.reserve(to - from)
    b.copy(this.buf, this.pos, from, to)
    this.pos += to - from
  }

  nil () {
    this.reserve(1)
    this.buf[this.pos++] = 0xc0
  }

  /** An unsigned integer that takes five bytes, whatever it is. */
  uint32 (n) {
    this.reserve(5)
    this.#header32(0xce, n)
  }

  /** An unsigned integer below 2^32. */
  uint (n) {
    this.reserve(5)
    const b = this.buf
    let p = this.pos
    if (n < 0x80) {
      b[p++] = n
    } else if (n < 0x10000) {
      b[p++] = 0xcd
      b[p++] = n >>> 8
      b[p++] = n
    } else {
      b[p++] = 0xce
      b[p++] = n >>> 24
      b[p++] = n >>> 16
      b[p++] = n >>> 8
      b[p++] = n
    }
    this.pos = p
  }

  /**
   * The front of a request of `fields` fields: [op, id, meta, ...
   *
   * @param {number} timeoutMs -1 when the call has none of its own
   * @param {{ key: number, id: number }|null} scope the transaction or
   *   snapshot it belongs to; key is the character code of 'x' or 's'
   * @param {string|null} [once] key of a write that is applied once
   * @param {Uint8Array|null} [trace] the ids of a trace and of a span in it
   */
  head (fields, op, id, timeoutMs, scope, once = null, trace = null) {
    this.reserve(64)
    const b = this.buf
    let p = this.pos
    b[p] = 0x90 | fields
    b[p + 1] = op
    b[p + 2] = 0xce
    b[p + 3] = id >>> 24
    b[p + 4] = id >>> 16
    b[p + 5] = id >>> 8
    b[p + 6] = id
    p += 7
    if (timeoutMs < 0 && scope === null && once === null && trace === null) {
      b[p] = 0xc0
      this.pos = p + 1
      return
    }
    b[p++] = 0x80 | ((timeoutMs >= 0 ? 1 : 0) + (scope !== null ? 1 : 0) + (once !== null ? 1 : 0) + (trace !== null ? 1 : 0))
    if (scope !== null) {
      b[p++] = 0xa1
      b[p++] = scope.key
      this.pos = p
      this.uint(scope.id)
      p = this.pos
    }
    if (timeoutMs >= 0) {
      b[p++] = 0xa1
      b[p++] = 0x74
      this.pos = p
      this.uint(timeoutMs)
      p = this.pos
    }
    if (trace !== null) {
      b[p++] = 0xa1
      b[p++] = 0x77
      b[p++] = 0xc4
      b[p++] = trace.length
      b.set(trace, p)
      p += trace.length
    }
    this.pos = p
    if (once !== null) {
      this.text('o', 0)
      this.text(once, 0)
    }
  }

  /**
   * A whole request on a statement without meta: what the hot path writes.
   * The same as head, statement and params one after the other.
   */
  query (op, id, sid, shape, params) {
    const p = this.pos
    if (p + 32 > this.cap) this.reserve(32)
    const b = this.buf
    b[p] = 0x96
    b[p + 1] = op
    b[p + 2] = 0xce
    b[p + 3] = id >>> 24
    b[p + 4] = id >>> 16
    b[p + 5] = id >>> 8
    b[p + 6] = id
    b[p + 7] = 0xc0
    b[p + 8] = 0xcd
    b[p + 9] = sid >>> 8
    b[p + 10] = sid
    b[p + 11] = 0xce
    b[p + 12] = shape >>> 24
    b[p + 13] = shape >>> 16
    b[p + 14] = shape >>> 8
    b[p + 15] = shape
    this.pos = p + 16
    if (Array.isArray(params)) this.list(params)
    else this.params(params)
  }

  /** The number of a statement and the shape the client knows of it. */
  statement (sid, shape) {
    this.reserve(8)
    const b = this.buf
    const p = this.pos
    b[p] = 0xcd
    b[p + 1] = sid >>> 8
    b[p + 2] = sid
    b[p + 3] = 0xce
    b[p + 4] = shape >>> 24
    b[p + 5] = shape >>> 16
    b[p + 6] = shape >>> 8
    b[p + 7] = shape
    this.pos = p + 8
  }

  arrayHeader (n) {
    this.reserve(5)
    if (n < 16) this.buf[this.pos++] = 0x90 | n
    else this.#header32(0xdd, n)
  }

  /** A boolean, here or at a place already written; returns the place. */
  flag (on, place = -1) {
    if (place < 0) {
      this.reserve(1)
      place = this.pos++
    }
    this.buf[place] = on ? 0xc3 : 0xc2
    return place
  }

  /** An array whose length is only known later: closeArray fills it in. */
  openArray () {
    this.reserve(5)
    const place = this.pos
    this.#header32(0xdd, 0)
    return place
  }

  closeArray (place, n) {
    this.view.setUint32(place + 1, n)
  }

  mapHeader (n) {
    this.reserve(5)
    if (n < 16) this.buf[this.pos++] = 0x80 | n
    else this.#header32(0xdf, n)
  }

  #header32 (tag, n) {
    this.buf[this.pos] = tag
    this.view.setUint32(this.pos + 1, n)
    this.pos += 5
  }

  /**
   * Text as UTF-8. Returns false, with nothing written, when it holds a lone
   * surrogate. `rest` is kept free behind it.
   */
  text (s, rest) {
    const n = s.length
    this.reserve(5 + n * 3 + rest)
    const b = this.buf
    const start = this.pos
    if (n < SHORT) {
      let p = start
      b[p++] = 0xa0 | n
      let all = 0
      for (let i = 0; i < n; i++) {
        const c = s.charCodeAt(i)
        all |= c
        b[p++] = c
      }
      if (all < 0x80) {
        this.pos = p
        return true
      }
    }
    const bytes = utf8Write.call(b, s, start + 5)
    // As many bytes as characters: all ASCII, so nothing to check.
    if (bytes !== n && !s.isWellFormed()) return false
    b[start] = 0xdb
    this.view.setUint32(start + 1, bytes)
    this.pos = start + 5 + bytes
    return true
  }

  /** A blob: `u8` is copied. */
  bin (u8, rest) {
    const n = u8.length
    this.reserve(5 + n + rest)
    this.#header32(0xc6, n)
    this.buf.set(u8, this.pos)
    this.pos += n
  }

  /** Any number: safe integers as integers, others (and -0) as doubles. */
  number (n) {
    this.reserve(FIXED)
    const p = this.pos
    if (Number.isSafeInteger(n) && (n !== 0 || 1 / n > 0)) {
      if ((n | 0) === n) {
        this.buf[p] = 0xd2
        this.view.setInt32(p + 1, n)
        this.pos = p + 5
        return
      }
      if (n > 0 && n <= 0xffffffff) {
        this.buf[p] = 0xce
        this.view.setUint32(p + 1, n)
        this.pos = p + 5
        return
      }
      const high = Math.floor(n / 0x100000000)
      this.buf[p] = 0xd3
      this.view.setInt32(p + 1, high)
      this.view.setUint32(p + 5, n - high * 0x100000000)
    } else {
      this.buf[p] = 0xcb
      this.view.setFloat64(p + 1, n)
    }
    this.pos = p + 9
  }

  /**
   * The parameters of one statement: an array (positional), an object (named,
   * keys with or without their prefix) or nothing. Throws UC_PARAM_TYPE; what
   * was written before the bad value is the caller's to take back.
   */
  params (params) {
    if (params === undefined || params === null) {
      this.arrayHeader(0)
    } else if (Array.isArray(params)) {
      this.list(params)
    } else if (isNamed(params)) {
      this.#named(params)
    } else {
      throw new UndercroftError('UC_PARAM_TYPE', 'parameters: expected an array of values, or an object of ' +
        `named ones, got ${describe(params)}; parameters go in one array: get(sql, [1, 2])`, { outcome: 'not-sent' })
    }
  }

  list (list) {
    const n = list.length
    if (this.pos + 5 + n * FIXED > this.cap) this.reserve(5 + n * FIXED)
    if (n < 16) this.buf[this.pos++] = 0x90 | n
    else this.#header32(0xdd, n)
    let b = this.buf
    let p = this.pos
    for (let i = 0; i < n; i++) {
      const v = list[i]
      if (typeof v === 'number' && (v | 0) === v && (v !== 0 || 1 / v > 0)) {
        if (v >= 0) {
          if (v < 0x80) {
            b[p++] = v
          } else if (v < 0x10000) {
            b[p] = 0xcd
            b[p + 1] = v >>> 8
            b[p + 2] = v
            p += 3
          } else {
            b[p] = 0xce
            b[p + 1] = v >>> 24
            b[p + 2] = v >>> 16
            b[p + 3] = v >>> 8
            b[p + 4] = v
            p += 5
          }
        } else {
          b[p] = 0xd2
          b[p + 1] = v >>> 24
          b[p + 2] = v >>> 16
          b[p + 3] = v >>> 8
          b[p + 4] = v
          p += 5
        }
      } else {
        this.pos = p
        this.#value(v, (n - i) * FIXED, i)
        b = this.buf
        p = this.pos
      }
    }
    this.pos = p
  }

  #named (object) {
    const keys = Object.keys(object)
    const n = keys.length
    this.reserve(5 + n * FIXED)
    this.mapHeader(n)
    for (let i = 0; i < n; i++) {
      const key = keys[i]
      const rest = (n - i) * FIXED
      const first = key.charCodeAt(0)
      const bare = first === 0x3a || first === 0x40 || first === 0x24
        ? key.slice(1)
        : key
      if (!this.text(bare, rest)) {
        throw new UndercroftError('UC_PARAM_TYPE', 'a parameter name holds a lone surrogate')
      }
      const v = object[key]
      if (typeof v === 'number' && (v | 0) === v && v > 0) this.uint(v)
      else this.#value(v, rest, bare)
    }
  }

  // One value that `list` did not write itself; `at` is its index or name.
  #value (v, rest, at) {
    switch (typeof v) {
      case 'string':
        if (this.text(v, rest)) return
        throw paramError(at, 'well-formed text', 'text with a lone surrogate')
      case 'number':
        if (v !== v) throw paramError(at, VALUES, 'NaN') // eslint-disable-line no-self-compare
        this.number(v)
        return
      case 'bigint':
        if (v > INT64_MAX || v < INT64_MIN) {
          throw paramError(at, 'a bigint of at most 64 bits', `${v}n`)
        }
        this.reserve(FIXED)
        this.buf[this.pos] = 0xd3
        this.view.setBigInt64(this.pos + 1, v)
        this.pos += 9
        return
      case 'boolean':
        this.reserve(1)
        this.buf[this.pos++] = v ? 0xc3 : 0xc2
        return
      case 'object':
        if (v === null) {
          this.nil()
          return
        }
        if (this.#object(v, rest, at)) return
    }
    throw paramError(at, VALUES, notValue(v))
  }

  #object (v, rest, at) {
    if (ArrayBuffer.isView(v) || types.isAnyArrayBuffer(v)) {
      const bytes = bytesOf(v)
      if (bytes === null) throw paramError(at, 'a buffer', LOST_BYTES)
      this.bin(bytes, rest)
    } else if (types.isDate(v)) {
      const time = Date.prototype.getTime.call(v)
      if (Number.isNaN(time)) throw paramError(at, 'a valid Date', 'an invalid Date')
      this.text(new Date(time).toISOString(), rest)
    } else {
      return false
    }
    return true
  }

  /** The arguments of a request of routes: set, method, target, headers, body, facts. */
  request ([set, method, target, headers, body, { user, roles, ip, id, audit = false }]) {
    this.uint(set)
    this.#value(method, 0, 'method')
    this.#value(target, 0, 'target')
    this.texts(headers)
    this.#value(body, 0, 'body')
    // What is not there need not be said.
    this.mapHeader(1 + (user !== null ? 1 : 0) + (roles.length > 0 ? 1 : 0) + (ip !== null ? 1 : 0) + (audit ? 1 : 0))
    this.text('id', 0)
    this.#value(id, 0, 'id')
    if (user !== null) {
      this.text('user', 0)
      this.#value(user, 0, 'user')
    }
    if (roles.length > 0) {
      this.text('roles', 0)
      this.texts(roles)
    }
    if (ip !== null) {
      this.text('ip', 0)
      this.#value(ip, 0, 'ip')
    }
    if (!audit) return
    this.text('audit', 0)
    this.flag(true)
  }

  texts (list) {
    this.arrayHeader(list.length)
    for (const text of list) this.#value(text, 0, 'text')
  }

  /** Any plain value, nested: for operations that are not statements. */
  any (v) {
    if (Array.isArray(v)) {
      this.arrayHeader(v.length)
      for (const item of v) this.any(item)
    } else if (isNamed(v)) {
      const keys = Object.keys(v)
      this.mapHeader(keys.length)
      for (const key of keys) {
        this.#value(key, 0, key)
        this.any(v[key])
      }
    } else if (v === undefined) {
      this.nil()
    } else if (Object.is(v, 0) || (typeof v === 'number' && (v | 0) === v && v > 0)) {
      this.uint(v) // the core's counters and ids are unsigned
    } else {
      this.#value(v, 0, 'value')
    }
  }
}

const VALUES = 'null, a number, bigint, string, boolean, buffer or Date'

const LOST_BYTES = 'one whose memory has been transferred or shrunk away'
// Throws for an array whose bytes are not there any more.
const { keys: checkArray } = Object.getPrototypeOf(Uint8Array.prototype)

/** The bytes of a view or a buffer; null when they have gone: detached, or beyond the end of what was shrunk. */
function bytesOf (v) {
  if (v instanceof Uint8Array && v.length > 0) return v
  try {
    if (!ArrayBuffer.isView(v)) return new Uint8Array(v)
    if (!types.isDataView(v)) checkArray.call(v)
    return new Uint8Array(v.buffer, v.byteOffset, v.byteLength)
  } catch {
    return null
  }
}

/** Whether an object may be a parameter. */
function isValue (v) {
  return ArrayBuffer.isView(v) || types.isDate(v) || types.isAnyArrayBuffer(v)
}

/** What cannot be a parameter, and what to do with it. */
function notValue (v) {
  if (typeof v !== 'object') return describe(v)
  if (types.isPromise(v)) return 'a promise; await it first'
  return `${describe(v)}; JSON.stringify() makes text of it`
}

// An object of named parameters, not one that is a value itself.
function isNamed (v) {
  return typeof v === 'object' && v !== null && !ArrayBuffer.isView(v) &&
    !types.isAnyArrayBuffer(v) && !types.isDate(v) && !types.isPromise(v) &&
    !types.isMap(v) && !types.isSet(v)
}

/** "parameter 2" or "parameter :name", as messages and `error.param` name it. */
function paramError (at, wanted, got) {
  const param = typeof at === 'number' ? at + 1 : at
  const label = typeof at === 'number' ? `parameter ${at + 1}` : `parameter :${at}`
  return new UndercroftError('UC_PARAM_TYPE',
    `${label}: expected ${wanted}, got ${got}`, { param, outcome: 'not-sent' })
}

module.exports = { LOST_BYTES, VALUES, Writer, bytesOf, isValue, notValue }
