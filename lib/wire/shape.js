'use strict'

// Decoders generated per list of columns. `new Function` lets V8 see one
// object literal with constant keys, which is what makes building rows here
// faster than building them through Node-API. Where code generation is
// switched off, a generic loop takes its place.
//
// A decoder is rows(b, dv, p, n, s, t, out, k): reads `n` rows of cells from
// b[p..], cutting text out of `s` from index `t` on, into out[k..]. Where it
// stopped is left in `at.p` and `at.t`; the caller compares both with the
// lengths the frame promised, so a hostile frame ends in an error.
// one(b, dv, p, s, t) is the same for a single row, which it returns.

const { at, cells } = require('./cell')

const OBJECTS = 0
const ARRAYS = 1

// Rows of more columns use a loop: generated code this long no longer optimises.
const MAX_GENERATED = 120
// The first replies of a list of columns are read by the loop: making code takes
// longer than that, and V8 keeps it for a while after nobody needs it.
const SELDOM = 2
// Decoders are shared by all statements with the same columns.
const MAX_SHARED = 2000
const shared = new Map()

class Columns {
  constructor (names) {
    this.names = names
    this.decoders = [null, null, null, null, null, null, null, null]
    this.ones = [null, null, null, null]
    this.uses = 0
  }

  /** False while the columns have been seen too seldom to be worth code. */
  #worthCode () {
    return this.uses > SELDOM || ++this.uses > SELDOM
  }

  /** The decoder of a single row, as an object. */
  one (ints) {
    const known = this.ones[ints]
    if (known !== null) return known
    if (!this.#worthCode()) return single(generic(this.names, OBJECTS, cells[ints]))
    const made = generate(this.names, OBJECTS, ints, true)
    this.ones[ints] = made
    return made
  }

  /** @param {number} form OBJECTS or ARRAYS  @param {number} ints index of integers mode */
  decoder (form, ints) {
    const i = form * 4 + ints
    const known = this.decoders[i]
    if (known !== null) return known
    if (this.names.length > 0 && !this.#worthCode()) return generic(this.names, form, cells[ints])
    const made = generate(this.names, form, ints, false)
    this.decoders[i] = made
    return made
  }
}

/** A shape id of the core with what the client knows of it. */
class Shape {
  constructor (id, columns) {
    this.id = id
    this.columns = columns
    this.count = columns.names.length
  }
}

/** The Columns of a list of names; equal lists share one. */
function columnsOf (names) {
  const key = JSON.stringify(names)
  let columns = shared.get(key)
  if (columns === undefined) {
    if (shared.size >= MAX_SHARED) shared.delete(shared.keys().next().value)
    columns = new Columns(names)
    shared.set(key, columns)
  }
  return columns
}

const NO_SHAPE = new Shape(0, new Columns([]))

let mayGenerate = true

function generate (names, form, ints, isOne) {
  if (names.length === 0) return none
  if (mayGenerate && names.length <= MAX_GENERATED) {
    try {
      // eslint-disable-next-line no-new-func
      return new Function('cell', 'at', source(names, form, ints, isOne))(cells[ints], at)
    } catch (err) {
      if (!(err instanceof EvalError)) throw err
      mayGenerate = false
    }
  }
  const rows = generic(names, form, cells[ints])
  return isOne ? single(rows) : rows
}

function single (rows) {
  return function one (b, dv, p, s, t) {
    const out = []
    rows(b, dv, p, 1, s, t, out, 0)
    return out[0]
  }
}

function source (names, form, ints, isOne) {
  const body = names.map((name, i) => read(`v${i}`, name, ints)).join('\n')
  const vars = names.map((name, i) => `v${i}`).join(', ')
  // A duplicate name: the last one wins, and is written once.
  const last = new Map(names.map((name, i) => [name, i]))
  // The computed form for __proto__ only, which would set the prototype.
  const literal = form === ARRAYS
    ? `[${vars}]`
    : '{ ' + [...last].map(([name, i]) =>
      `${name === '__proto__' ? '["__proto__"]' : JSON.stringify(name)}: v${i}`).join(', ') + ' }'
  if (isOne) {
    return `'use strict'
return function one (b, dv, p, s, t) {
  let c = 0, ${vars}
${body}
  at.p = p
  at.t = t
  return ${literal}
}`
  }
  return `'use strict'
return function rows (b, dv, p, n, s, t, out, k) {
  let c = 0, ${vars}
  for (let i = 0; i < n; i++) {
${body}
    out[k++] = ${literal}
  }
  at.p = p
  at.t = t
}`
}

function read (v, name, ints) {
  const text = `c > 0x9f && c < 0xc0) ${v} = s.substring(t, t += c - 0xa0)`
  const other = `else { at.t = t; ${v} = cell(b, dv, p, c, s, ${JSON.stringify(name)}); p = at.p; t = at.t }`
  if (ints === 1 || ints === 2) return `    c = b[p++]; if (${text}\n    ${other}`
  return `    c = b[p++]; if (c < 0x80) ${v} = c
    else if (${text}
    else if (c === 0xcd) { ${v} = b[p] << 8 | b[p + 1]; p += 2 }
    else if (c === 0xce) { ${v} = dv.getUint32(p); p += 4 }
    ${other}`
}

function generic (names, form, cell) {
  const count = names.length
  return function rows (b, dv, p, n, s, t, out, k) {
    at.p = p
    at.t = t
    for (let i = 0; i < n; i++) {
      const row = form === ARRAYS ? new Array(count) : {}
      for (let j = 0; j < count; j++) {
        const v = cell(b, dv, at.p + 1, b[at.p], s, names[j])
        if (form === ARRAYS) row[j] = v
        else if (names[j] !== '__proto__') row[names[j]] = v
        else Object.defineProperty(row, '__proto__', { value: v, writable: true, enumerable: true, configurable: true })
      }
      out[k++] = row
    }
  }
}

function none (b, dv, p, n, s, t) {
  at.p = p
  at.t = t
}

module.exports = { Shape, NO_SHAPE, OBJECTS, ARRAYS, columnsOf, generic }
