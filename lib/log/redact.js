'use strict'

// What must not stand in a line: paths such as 'password', 'user.card.*',
// '*.token' or 'headers["set-cookie"]', as a tree that is walked along with the
// value.

const { UndercroftError, expected, describe } = require('../base/errors')
const { known } = require('../base/did-you-mean')

const CENSOR = '[Redacted]'
const PATHS = 1000
const STEPS = 16

class Rule {
  #names = new Map()
  #any = null
  #merged = null

  constructor () {
    // What stands in place of the value that this rule is for, or null.
    this.censor = null
  }

  /** The rule for what lies under the name, or null. */
  at (name) {
    const own = this.#names.get(name)
    const any = this.#any
    if (own === undefined) return any
    return any === null ? own : this.#both(name, own, any)
  }

  // A field that both its name and a star stand for: made once, when first met.
  #both (name, own, any) {
    this.#merged ??= new Map()
    let both = this.#merged.get(name)
    if (both === undefined) {
      both = new Rule()
      both.take(any)
      both.take(own)
      this.#merged.set(name, both)
    }
    return both
  }

  /** What is written of a value under the name where it stands by itself; undefined: nothing. */
  instead (name, value) {
    const { censor, remove } = this.at(name)?.censor ?? { censor: () => value }
    if (remove) return undefined
    return typeof censor === 'function' ? censor(value, [name]) : censor
  }

  take (other) {
    if (other.censor !== null) this.censor = other.censor
    for (const [name, rule] of other.#names) this.#under(name).take(rule)
    if (other.#any !== null) this.#under('*').take(other.#any)
  }

  /** @param {string[]} steps */
  add (steps, censor) {
    let rule = this
    for (const step of steps) rule = rule.#under(step)
    rule.censor = censor
  }

  #under (name) {
    if (name === '*') return (this.#any ??= new Rule())
    let rule = this.#names.get(name)
    if (rule === undefined) this.#names.set(name, rule = new Rule())
    return rule
  }
}

/**
 * The option redact: an array of paths, or { paths, censor, remove }.
 *
 * @returns {Rule|null} null: nothing is to be redacted
 * @throws {UndercroftError} UC_OPTION
 */
function compile (value, what) {
  if (value === null) return null
  const { paths, censor = CENSOR, remove = false, ...others } = Array.isArray(value) ? { paths: value } : Object(value)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UndercroftError('UC_OPTION', `${what}: unknown ${describe(unknown)}; ${known(unknown, ['paths', 'censor', 'remove'])}`)
  if (!Array.isArray(paths) || paths.length > PATHS) throw expected('UC_OPTION', `${what}.paths`, `an array of at most ${PATHS} paths`, paths)
  if (typeof remove !== 'boolean') throw expected('UC_OPTION', `${what}.remove`, 'true or false', remove)
  if (paths.length === 0) return null
  const root = new Rule()
  for (const path of paths) {
    const steps = parse(path, what)
    root.add(steps, { censor, remove })
  }
  return root
}

// A name, a star, or either in brackets: a.b, a[0], a["b-c"], [*].d
const STEP = /(?:^|\.)([^.[\]"'*]+|\*)|\[(?:(\d+|\*)|"([^"]*)"|'([^']*)')\]/y

function parse (path, what) {
  const wrong = () => expected('UC_OPTION', `${what}.paths`, "paths such as 'user.password', '*.token' or 'headers[\"set-cookie\"]'", path)
  if (typeof path !== 'string' || path === '' || path[0] === '.') throw wrong()
  const steps = []
  STEP.lastIndex = 0
  while (STEP.lastIndex < path.length) {
    const match = STEP.exec(path)
    if (match === null || steps.length === STEPS) throw wrong()
    steps.push(match[1] ?? match[2] ?? match[3] ?? match[4])
  }
  return steps
}

/** Both rules as one; the second wins where they meet. */
function merge (a, b) {
  if (a === null || b === null) return a ?? b
  const both = new Rule()
  both.take(a)
  both.take(b)
  return both
}

module.exports = { compile, merge }
