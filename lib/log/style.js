'use strict'

// What a line looks like where it is not as by default: pino's options timestamp,
// messageKey, errorKey, nestedKey, mixin and formatters. A logger has one only where
// an option asks for it; its lines go another way, and all others pay nothing.

const { expected, UndercroftError } = require('../base/errors')
const { Walk, unreadable } = require('./serialise')

const ROOM = 4096
const LEVEL = '"level":'

class Style {
  #levels = new Map()
  #isAsked = false

  /** @param {object} options those of `readStyle`, and { levels } */
  constructor (options) {
    this.options = options
    this.messageKey = options.messageKey
    this.errorKey = options.errorKey
    this.mixin = options.mixin
    this.formatLog = options.formatters.log
    this.message = `,${JSON.stringify(options.messageKey)}:`
    // What stands around the fields of a call.
    this.open = options.nestedKey === null ? '' : `,${JSON.stringify(options.nestedKey)}:{`
  }

  /** The same with other formatters, for a child. */
  with ({ level = this.options.formatters.level, log = this.options.formatters.log }) {
    return new Style({ ...this.options, formatters: { level, log } })
  }

  /** How a line begins, with a comma in front of each field. */
  begin (level) {
    let text = this.#levels.get(level)
    if (text === undefined) this.#levels.set(level, text = this.#level(level))
    return text + this.#time()
  }

  #level (number) {
    const { formatters, levels } = this.options
    if (formatters.level === undefined) return ',' + LEVEL + number
    return new Walk(ROOM).fields(Object(formatters.level(levels.names[number], number)), null)
  }

  #time () {
    const { timestamp } = this.options
    if (timestamp === true) return ',"time":' + Date.now()
    return timestamp === false ? '' : String(timestamp())
  }

  /**
   * What a line has as fields, after mixin and formatters.log. What throws says so in
   * a field of its name; what logs itself is not asked again for that line.
   */
  fieldsOf (object, level, log) {
    if (this.#isAsked) return object
    this.#isAsked = true
    let fields = object
    try {
      if (this.mixin !== null) fields = { ...this.mixin(object, level, log), ...object }
    } catch (err) {
      fields = { ...object, mixin: unreadable(err) }
    }
    try {
      return this.formatLog === undefined ? fields : Object(this.formatLog(fields))
    } catch (err) {
      return { ...fields, formatters: unreadable(err) }
    } finally {
      this.#isAsked = false
    }
  }

  /** Whether an object says what stands where messages do. */
  saysMessage (object) {
    try {
      return object[this.messageKey] !== undefined
    } catch {
      return true
    }
  }

  /** The fields of a call as text, in their place. */
  place (text) {
    return this.open === '' || text === '' ? text : this.open + text.slice(1) + '}'
  }
}

const isoTime = () => `,"time":"${new Date(Date.now()).toISOString()}"`

const PLAIN = Object.freeze({ timestamp: true, messageKey: 'msg', errorKey: 'err', nestedKey: null, mixin: null, formatters: Object.freeze({}) })

/**
 * The style that the options of a log ask for, or null.
 *
 * @param {object} options normalised
 * @param {object} serializers
 * @param {object|null} redact a Rule; for the message as well, it may be
 */
function styleOf (options, serializers, redact) {
  const { timestamp, messageKey, errorKey, nestedKey, mixin, levels } = options
  const { level, log } = options.formatters
  const own = { timestamp, messageKey, errorKey, nestedKey, mixin, formatters: { level, log }, levels }
  const isPlain = level === undefined && log === undefined &&
    ['timestamp', 'messageKey', 'errorKey', 'nestedKey', 'mixin'].every((name) => own[name] === PLAIN[name])
  const isSaid = serializers[messageKey] === undefined && (redact?.at(messageKey)?.censor ?? null) === null
  return isPlain && isSaid ? null : new Style(own)
}

/** That of a child with formatters, or with a serialiser or a rule for the message, whose parent may have none. */
function styleOfChild (style, levels, formatters, serializers, redact) {
  const { level, log } = formatters
  if (style !== null) return level === undefined && log === undefined ? style : style.with(formatters)
  return styleOf({ ...PLAIN, formatters, levels }, serializers, redact)
}

// ---- reading the options -------------------------------------------------------------

function readTimestamp (v, what) {
  if (typeof v === 'boolean') return v
  if (v === 'iso') return isoTime
  if (typeof v !== 'function') throw expected('UC_OPTION', what, "true, false, 'iso' or a function", v)
  const text = v()
  if (!isFields(text)) throw new UndercroftError('UC_OPTION', `${what} must return a field with a comma before it, such as ,"time":"2026-11-01"`)
  return v
}

function isFields (text) {
  if (text === '') return true
  if (typeof text !== 'string' || text[0] !== ',') return false
  try {
    JSON.parse(`{${text.slice(1)}}`)
    return true
  } catch {
    return false
  }
}

function readKey (v, what) {
  if (typeof v === 'string' && v !== '' && v.length <= 100) return v
  throw expected('UC_OPTION', what, 'a text of 1 to 100 characters', v)
}

function readNestedKey (v, what) {
  return v === null ? null : readKey(v, what)
}

function readFunction (v, what) {
  if (v === null || typeof v === 'function') return v
  throw expected('UC_OPTION', what, 'a function', v)
}

const FORMATTERS = ['level', 'bindings', 'log']

function readFormatters (v, what) {
  if (typeof v !== 'object' || v === null) throw expected('UC_OPTION', what, 'an object such as { level: (label, number) => ({ level: label }) }', v)
  const out = {}
  for (const [name, fn] of Object.entries(v)) {
    if (!FORMATTERS.includes(name)) throw new UndercroftError('UC_OPTION', `unknown ${what}.${name}; known are ${FORMATTERS.join(', ')}`)
    if (fn === undefined) continue
    if (typeof fn !== 'function') throw expected('UC_OPTION', `${what}.${name}`, 'a function', fn)
    out[name] = fn
  }
  return out
}

function readSerializers (v, what) {
  if (typeof v !== 'object' || v === null) throw expected('UC_OPTION', what, 'an object of functions', v)
  const out = { __proto__: null }
  for (const [name, convert] of Object.entries(v)) {
    if (typeof convert !== 'function') throw expected('UC_OPTION', `${what}.${name}`, 'a function', convert)
    out[name] = convert
  }
  return out
}

module.exports = { styleOf, styleOfChild, readTimestamp, readKey, readNestedKey, readFunction, readFormatters, readSerializers }
