'use strict'

// Pieces of a line as text: quoted strings, the time, the names of fields. All
// of it is on the path of every line.

// Up to here looking at each character costs less than a call of JSON.stringify.
const QUICK = 48
const MAX_KEYS = 2000
const MAX_KEY_LENGTH = 100

/** A string as JSON. A lone surrogate becomes an escape. */
function quote (s) {
  return isPlain(s) ? '"' + s + '"' : JSON.stringify(s)
}

/** Whether the string is its own JSON text and short enough to have been looked at. */
function isPlain (s) {
  const { length } = s
  if (length > QUICK) return false
  for (let i = 0; i < length; i++) {
    const c = s.charCodeAt(i)
    if (c < 0x20 || c === 0x22 || c === 0x5c || c >= 0xd800) return false
  }
  return true
}

// ---- numbers -------------------------------------------------------------------------

const small = Array.from({ length: 1000 }, (_, i) => String(i))
const digits = small.map((text) => text.padStart(3, '0'))
const fractions = digits.map((text) => '.' + text.replace(/0+$/, ''))

/** A number as JSON; what is none, such as NaN, as null. */
function number (v) {
  if (v >= 0 && v < 1000) {
    const whole = Math.floor(v)
    if (whole === v) return small[whole]
    // Durations, rounded to microseconds or not at all. A number that thousandths give
    // back exactly has those digits as its shortest text, which is what '' + v looks for.
    const thousandths = Math.round(v * 1000)
    if (thousandths / 1000 === v && thousandths < 1e6) return small[whole] + fractions[thousandths - whole * 1000]
  }
  return Number.isFinite(v) ? '' + v : 'null'
}

// ---- the beginning of a line ---------------------------------------------------------

let second = -1
let secondText = ''
let headTime = -1
const heads = { 10: '', 20: '', 30: '', 40: '', 50: '', 60: '' }

/** {"level":30,"time":1700000000000 : the lines of a millisecond share it. */
function head (level, now) {
  if (now !== headTime) {
    headTime = now
    heads[10] = heads[20] = heads[30] = heads[40] = heads[50] = heads[60] = ''
  }
  const known = heads[level]
  return known !== '' && known !== undefined ? known : makeHead(level, now)
}

function makeHead (level, now) {
  const text = '{"level":' + level + ',"time":' + timeText(now)
  if (level in heads) heads[level] = text
  return text
}

// A number of 13 digits costs as much as the rest of the beginning, one of 3 nothing.
function timeText (now) {
  // A clock that a test has set may say anything.
  if (!(now >= 1000) || !Number.isInteger(now)) return String(now)
  const s = Math.floor(now / 1000)
  if (s !== second) {
    second = s
    secondText = String(s)
  }
  return secondText + digits[now - s * 1000]
}

// ---- names of fields -----------------------------------------------------------------

// A field's name with what stands before and after it. `open`: the value before
// it was a string, whose closing quote is still to come; `Text`: a string follows.
// Fields follow each other in the same order again and again: `next` is the one
// that came after this one the last time, and saves looking for it.
const NOTHING = Symbol('nothing')

class Key {
  constructor (name) {
    const quoted = JSON.stringify(name)
    this.name = name
    this.plain = ',' + quoted + ':'
    this.plainText = ',' + quoted + ':"'
    this.open = '",' + quoted + ':'
    this.openText = '",' + quoted + ':"'
    // The same as `plain` for page.js, and the texts that often follow, from when a page
    // asks for them.
    this.piece = null
    this.values = null
    this.next = this
    // The message that ended the last line whose last field this was.
    this.said = NOTHING
    this.heard = NOTHING
    this.end = ''
    this.endOpen = ''
  }
}

/** The end of a line with a message; one that comes twice in a row is kept with its key. */
function ending (key, message, isOpen) {
  const text = isPlain(message) ? ',"msg":"' + message + '"}\n' : ',"msg":' + quote(message) + '}\n'
  if (message === key.heard) {
    key.said = message
    key.end = text
    key.endOpen = '"' + text
  } else {
    key.heard = message
  }
  return isOpen ? '"' + text : text
}

const keys = new Map()

/** The key of a name. */
function keyOf (name) {
  const known = keys.get(name)
  if (known !== undefined) return known
  const key = new Key(name)
  // Names that data has made are not kept for ever.
  if (keys.size < MAX_KEYS && name.length <= MAX_KEY_LENGTH) keys.set(name, key)
  return key
}

/** Where the chain of keys begins. */
const first = new Key('')

module.exports = { quote, isPlain, number, head, keyOf, first, ending }
