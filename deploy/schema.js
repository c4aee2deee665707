'use strict'

// Checks of values, put together to what a configuration may be. A check is a function
// (value, at) that returns the value as the program uses it; what is wrong it tells `at`, which
// collects: a user hears of all mistakes at once.

const { describe } = require('../lib/base/errors')
const { nearest } = require('../lib/base/did-you-mean')

/** A place in the value that is checked, and the list of what is wrong with it. */
class At {
  #path
  #faults

  /** @param {Array<{ path: string, text: string }>} faults is added to */
  constructor (path, faults) {
    this.#path = path
    this.#faults = faults
  }

  get path () {
    return this.#path
  }

  /** The place of a member: a name, or the number of an item. */
  in (key) {
    const step = typeof key === 'number' ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
    return new At((this.#path + step).replace(/^\./, ''), this.#faults)
  }

  /** -> undefined, so that a check can return it */
  expected (what, value) {
    return this.wrong(`expected ${what}, not ${show(value)}`)
  }

  wrong (text) {
    this.#faults.push({ path: this.#path, text })
  }

  get count () {
    return this.#faults.length
  }
}

function show (value) {
  if (typeof value === 'string' && value.length > 40) return JSON.stringify(`${value.slice(0, 37)}...`)
  if (value === undefined) return 'nothing'
  return describe(value)
}

function isPlain (value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const proto = Object.getPrototypeOf(value)
  // An object of another realm, too: a configuration may come through a loader.
  return proto === null || Object.getPrototypeOf(proto) === null
}

const whole = (min, max) => (value, at) =>
  Number.isInteger(value) && value >= min && value <= max ? value : at.expected(`a whole number from ${min} to ${max}`, value)

const flag = (value, at) => typeof value === 'boolean' ? value : at.expected('true or false', value)

const choice = (...words) => (value, at) =>
  words.includes(value) ? value : at.expected(`one of ${words.map((word) => `'${word}'`).join(', ')}`, value)

/** Text that fits `pattern` and holds neither NUL nor a line's end, which no field can mean. */
const text = (what, pattern = /[^]/, max = 4096) => (value, at) =>
  typeof value === 'string' && pattern.test(value) && !/[\0\r\n]/.test(value) && value.length <= max
    ? value
    : at.expected(what, value)

/** `check`, or one of the `others` as they are (null, false, 'auto'). */
const or = (check, ...others) => (value, at) => others.includes(value) ? value : check(value, at)

const list = (check, { min = 0, max = 1000, what = 'a list' } = {}) => (value, at) => {
  if (!Array.isArray(value) || value.length < min || value.length > max) {
    return at.expected(min > 0 ? `${what} with at least ${min === 1 ? 'one item' : `${min} items`}` : what, value)
  }
  // Array.from sees the holes of a sparse one, too.
  return Array.from(value, (item, i) => check(item, at.in(i)))
}

/** An object with any names that fit `names`. */
const map = (names, whatNames, check) => (value, at) => {
  if (!isPlain(value)) return at.expected('an object', value)
  const out = {}
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue
    if (!names.test(name)) at.in(name).wrong(`expected ${whatNames} as the name`)
    else out[name] = check(item, at.in(name))
  }
  return out
}

/**
 * An object of known fields. Each field is { check, value?, required? }: `value` is what it is when it is
 * not given, a constant or a function (the object as far as it is read) -> value.
 */
const object = (fields, { what = 'an object' } = {}) => (value, at) => {
  if (!isPlain(value)) return at.expected(what, value)
  refuseUnknown(value, Object.keys(fields), at)
  const out = {}
  for (const [name, field] of Object.entries(fields)) {
    if (value[name] !== undefined) out[name] = field.check(value[name], at.in(name))
    else if (field.required) at.in(name).wrong(`is required: ${field.required}`)
    else out[name] = typeof field.value === 'function' ? field.value(out) : field.value
  }
  return out
}

function refuseUnknown (value, known, at) {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    at.in(name).wrong(`there is no such field${near !== null ? `; did you mean '${near}'?` : `; known are ${known.join(', ')}`}`)
  }
}

module.exports = { At, choice, flag, isPlain, list, map, object, or, refuseUnknown, text, whole }
