'use strict'

// Any value as JSON text, whatever it is: cycles, getters that throw, BigInt,
// buffers, errors with their causes. Bounded in depth, entries and length, and
// it never throws.

const { builtin } = require('../base/builtin')
const { types } = builtin('node:util')
const { quote } = require('./text')
const { isError } = require('./realm')

const DEPTH = 8
const ITEMS = 1000
// Characters of a text that are shown, whatever the room; and what a field takes at least.
const LEAST = 64
const FIELD = 16
// Bytes of a buffer that are shown.
const SHOWN = 32

/**
 * One value on its way to text. A walk is used for one value and thrown away:
 * what it calls (getters, toJSON) may log itself.
 */
class Walk {
  #left
  #longest
  #stack = []
  #path = [] // the names that have led to a value for which there is a rule

  /** @param {number} room characters that the text may have, about */
  constructor (room) {
    this.#left = room
    this.#longest = Math.max(LEAST, room >> 2)
  }

  /** Whether the room was used up: something may have been left out. */
  get isSpent () { return this.#left <= 0 }

  /**
   * @param {*} value
   * @param {object|null} [rule] what to redact in it, see redact.js
   * @returns {string|undefined} undefined: it is nothing that JSON has
   */
  text (value, rule = null) {
    this.#left -= 4
    switch (typeof value) {
      case 'string': return this.#string(value)
      case 'number': return Number.isFinite(value) ? '' + value : 'null'
      case 'boolean': return value ? 'true' : 'false'
      case 'bigint': return Number.isSafeInteger(Number(value)) ? '' + value : `"${value}"`
      case 'symbol': return this.#string(String(value))
      case 'object': return value === null ? 'null' : this.#object(value, rule)
      default: return undefined
    }
  }

  #string (s) {
    const { length } = s
    const room = Math.min(this.#longest, Math.max(LEAST, this.#left))
    this.#left -= Math.min(length, room)
    return length > room ? quote(cut(s, room)) : quote(s)
  }

  #object (value, rule) {
    try {
      if (this.#stack.includes(value)) return '"[Circular]"'
      if (this.#stack.length >= DEPTH) return Array.isArray(value) ? '"[Array]"' : '"[Object]"'
      this.#stack.push(value)
      try {
        return this.#inside(value, rule)
      } finally {
        this.#stack.pop()
      }
    } catch (err) {
      return quote(unreadable(err))
    }
  }

  #inside (value, rule) {
    if (Array.isArray(value)) return this.#list(value, value.length, rule)
    if (isError(value)) return this.#error(value, rule)
    if (typeof value.toJSON === 'function' && !ArrayBuffer.isView(value)) {
      const other = value.toJSON()
      if (other !== value) return this.text(other, rule) ?? 'null'
    }
    if (ArrayBuffer.isView(value)) return bufferText(value)
    if (types.isMap(value)) return this.#map(value, rule)
    if (types.isSet(value)) return this.#list(value, value.size, rule)
    if (isRequest(value)) return '{' + this.fields({ method: value.method, url: value.url, remoteAddress: value.socket?.remoteAddress }, rule).slice(1) + '}'
    if (isResponse(value)) return '{' + this.fields({ statusCode: value.statusCode }, rule).slice(1) + '}'
    if (types.isRegExp(value)) return this.#string(String(value))
    if (types.isArrayBuffer(value)) return bufferText(new Uint8Array(value))
    if (types.isBoxedPrimitive(value)) return this.text(value.valueOf()) ?? 'null'
    return '{' + this.fields(value, rule).slice(1) + '}'
  }

  /** The own fields of an object, each with a comma before it. */
  fields (value, rule, skip = NONE) {
    let out = ''
    let n = 0
    for (const name of Object.keys(value)) {
      if (skip.includes(name)) continue
      if (n === ITEMS || this.#left <= 0) {
        out += `,"…":"[${Object.keys(value).length - n} more]"`
        break
      }
      const text = this.field(value, name, rule)
      if (text === undefined) continue
      n++
      out += ',' + this.#name(name) + ':' + text
    }
    return out
  }

  /**
   * The same with a share of the room for each field: those that need less are whole,
   * and what they leave is for the others.
   */
  shares (object, rule) {
    const names = Object.keys(object)
    const texts = []
    const large = []
    let room = this.#left
    const share = Math.max(FIELD, Math.floor(room / names.length))
    for (const name of names.slice(0, Math.ceil(room / FIELD))) {
      texts.push(this.#within(share, object, name, rule))
      if (this.isSpent) large.push(texts.length - 1)
      else room -= share - this.#left
    }
    let more = names.length - texts.length
    for (const [n, i] of large.entries()) {
      if (room > 0) {
        const share = Math.floor(room / (large.length - n))
        texts[i] = this.#within(share, object, names[i], rule)
        room -= share - this.#left
      } else {
        texts[i] = ''
        more++
      }
    }
    return texts.join('') + (more === 0 ? '' : `,"…":"[${more} more]"`)
  }

  #within (room, object, name, rule) {
    this.#left = room
    this.#longest = Math.max(LEAST, room)
    const quoted = this.#name(name)
    const text = this.field(object, name, rule)
    return text === undefined ? '' : ',' + quoted + ':' + text
  }

  /** One field of an object as text; a getter that throws becomes a text that says so. */
  field (object, name, rule) {
    const next = rule === null ? null : rule.at(name)
    try {
      const value = object[name]
      return next === null ? this.text(value) : this.#ruled(next, name, value)
    } catch (err) {
      return quote(unreadable(err))
    }
  }

  // A value for which, or for what is in it, there is a rule.
  #ruled (rule, name, value) {
    this.#path.push(name)
    try {
      return rule.censor !== null && value !== undefined ? this.#censored(rule, value) : this.text(value, rule)
    } finally {
      this.#path.pop()
    }
  }

  #censored (rule, value) {
    const { censor, remove } = rule.censor
    if (remove) return undefined
    if (typeof censor !== 'function') return this.text(censor)
    return this.text(censor(value, this.#path.slice()))
  }

  #name (name) {
    this.#left -= name.length
    return name.length > 1000 ? quote(cut(name, 1000)) : quote(name)
  }

  #list (items, length, rule) {
    let out = ''
    let n = 0
    for (const item of items) {
      if (n === ITEMS || this.#left <= 0) {
        out += `,"…[${length - n} more]"`
        break
      }
      const next = rule === null ? null : rule.at(String(n))
      out += ',' + ((next === null ? this.text(item) : this.#ruled(next, String(n), item)) ?? 'null')
      n++
    }
    return '[' + out.slice(1) + ']'
  }

  // An object where all names are texts, and a list of pairs elsewhere.
  #map (map, rule) {
    const object = Object.create(null)
    for (const [key, value] of map) {
      if (typeof key !== 'string') return this.#pairs(map, rule)
      object[key] = value
    }
    return '{' + this.fields(object, rule).slice(1) + '}'
  }

  #pairs (map, rule) {
    let out = ''
    let n = 0
    for (const [key, value] of map) {
      if (n === ITEMS || this.isSpent) {
        out += `,"…[${map.size - n} more]"`
        break
      }
      n++
      // What only a star stands for may be in a key that is an object, too.
      const name = typeof key === 'object' || typeof key === 'function' ? '' : String(key)
      const next = rule === null ? null : rule.at(name)
      const text = (next === null ? this.text(value) : this.#ruled(next, name, value)) ??
        (next?.censor?.remove ? undefined : 'null')
      if (text !== undefined) out += `,[${this.text(key, next) ?? 'null'},${text}]`
    }
    return '[' + out.slice(1) + ']'
  }

  // { type, message, stack, its own fields, cause, aggregateErrors }
  #error (err, rule) {
    let out = ',"type":' + this.#string(typeOf(err))
    for (const name of ['message', 'stack']) {
      const text = this.field(err, name, rule)
      if (text !== undefined) out += `,"${name}":${text}`
    }
    out += this.fields(err, rule, ERROR_FIELDS)
    const cause = this.field(err, 'cause', rule)
    if (cause !== undefined) out += ',"cause":' + cause
    const errors = hasErrors(err) ? this.field(err, 'errors', rule) : undefined
    if (errors !== undefined) out += ',"aggregateErrors":' + errors
    return '{' + out.slice(1) + '}'
  }
}

const NONE = []
const ERROR_FIELDS = ['type', 'message', 'stack', 'cause', 'errors']

function typeOf (err) {
  try {
    const { name } = err.constructor
    return typeof name === 'string' && name !== '' ? name : 'Error'
  } catch {
    return 'Error'
  }
}

function hasErrors (err) {
  try {
    return Array.isArray(err.errors)
  } catch {
    // The field says why.
    return true
  }
}

// Of node:http: what is behind them is no matter of a log, and there is much of it.
function isRequest (value) {
  return typeof value.method === 'string' && typeof value.headers === 'object' && typeof value.socket === 'object' && typeof value.on === 'function'
}

function isResponse (value) {
  return typeof value.setHeader === 'function' && typeof value.writeHead === 'function'
}

function bufferText (view) {
  const bytes = Buffer.from(view.buffer, view.byteOffset, Math.min(view.byteLength, SHOWN))
  const more = view.byteLength - bytes.length
  return `"[${view.byteLength} bytes: ${bytes.toString('hex')}${more > 0 ? '…' : ''}]"`
}

/** The string with a mark of what was left out: at most n characters of it. */
function cut (s, n) {
  // Not between the halves of a pair.
  const last = s.charCodeAt(n - 1)
  const end = last >= 0xd800 && last < 0xdc00 ? n - 1 : n
  return `${s.slice(0, end)}…[${s.length - end} more]`
}

/** Stands in place of what cannot be read. */
function unreadable (err) {
  return `[unreadable: ${reason(err)}]`
}

// What was thrown may be anything, also something that throws again.
function reason (err) {
  try {
    const text = isError(err) ? err.message : String(err)
    return String(text).slice(0, 200)
  } catch {
    return 'it throws'
  }
}

/** Object.assign(to, from) that never throws. */
function assign (to, from) {
  if (from === undefined || from === null) return to
  try {
    for (const name of Object.keys(from)) {
      try {
        to[name] = from[name]
      } catch (err) {
        to[name] = unreadable(err)
      }
    }
  } catch (err) {
    to.err = unreadable(err)
  }
  return to
}

module.exports = { Walk, cut, unreadable, assign, isRequest, isResponse }
