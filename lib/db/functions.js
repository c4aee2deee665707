'use strict'

// SQL functions written in JavaScript. They run on this thread, inside the
// blocking calls of the handle that made them, and nowhere else.
//
// The addon keeps the functions made here for as long as the session lives.
// They must not refer to the client, which they would keep alive with it.

const { Writer } = require('../wire/encode')
const { valueAt } = require('../wire/decode')
const { UndercroftError, describe, expected } = require('../base/errors')
const { known } = require('../base/did-you-mean')
const { isPlain } = require('../base/options')

const STEP = 1
const FINAL = 2

const FLAGS = ['deterministic', 'directOnly', 'varargs']
const MAX_ARGUMENTS = 100

/** Registers fn(...args) -> value. */
function addFunction (native, name, opts, fn) {
  if (typeof opts === 'function' && fn === undefined) {
    fn = opts
    opts = {}
  }
  if (typeof fn !== 'function') throw expected('UC_OPTION', 'function', 'a function', fn)
  const flags = read('function', name, opts, [])
  const write = resultWriter(name)
  register(native, name, flags, fn.length, false, (step, group, args) =>
    write(fn(...argumentsOf(args))))
}

/**
 * Registers an aggregate: `start` is its first state, or a function that makes
 * it; step(state, ...args) returns the next state; result(state) the value.
 */
function addAggregate (native, name, opts) {
  const flags = read('aggregate', name, opts, ['start', 'step', 'result'])
  const { start, step, result } = opts
  if (typeof step !== 'function') throw expected('UC_OPTION', 'aggregate: step', 'a function', step)
  if (result !== undefined && typeof result !== 'function') {
    throw expected('UC_OPTION', 'aggregate: result', 'a function', result)
  }
  const first = () => typeof start === 'function' ? start() : start ?? null
  const states = new Map()
  const write = resultWriter(name)
  register(native, name, flags, step.length - 1, true, (what, group, args) => {
    if (what === STEP) {
      const state = states.has(group) ? states.get(group) : first()
      const next = step(state, ...argumentsOf(args))
      // A step that changes its state in place need not return it.
      states.set(group, next === undefined ? state : next)
      return undefined
    }
    if (what !== FINAL) return undefined
    const state = states.has(group) ? states.get(group) : first()
    states.delete(group)
    return write(result === undefined ? state : result(state))
  })
}

function register (native, name, flags, count, aggregate, fn) {
  const argc = Math.max(0, count)
  if (!flags.varargs && argc > MAX_ARGUMENTS) {
    throw new UndercroftError('UC_OPTION', `function ${name} has ${argc} arguments; SQLite takes ${MAX_ARGUMENTS}`)
  }
  try {
    native.func(name, { ...flags, argc, aggregate }, fn)
  } catch (cause) {
    throw new UndercroftError('UC_OPTION', `function ${name}: ${cause.message}`, { cause })
  }
}

function read (what, name, opts, others) {
  if (typeof name !== 'string' || name === '' || name.includes('\0') || !name.isWellFormed()) {
    throw expected('UC_OPTION', `${what}: name`, 'a name', name)
  }
  if (!isPlain(opts)) throw expected('UC_OPTION', `${what}: options`, 'an object', opts)
  const flags = { deterministic: false, directOnly: false, varargs: false }
  for (const key of Object.keys(opts)) {
    if (others.includes(key)) continue
    if (!FLAGS.includes(key)) {
      throw new UndercroftError('UC_OPTION',
        `${what}: unknown option ${describe(key)}; ${known(key, [...others, ...FLAGS])}`)
    }
    if (typeof opts[key] !== 'boolean') throw expected('UC_OPTION', `${what}: ${key}`, 'true or false', opts[key])
    flags[key] = opts[key]
  }
  return flags
}

// Integers that a number cannot hold come as BigInts.
function argumentsOf (bytes) {
  return valueAt(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
}

function resultWriter (name) {
  const w = new Writer(256)
  return function write (value) {
    w.pos = 0
    try {
      // A list of one: its header is a single byte.
      w.list([value === undefined ? null : value])
    } catch (err) {
      throw new UndercroftError('UC_PARAM_TYPE',
        `the result of the function ${name} is not a value of SQL: ${err.message}`)
    }
    return w.buf.subarray(1, w.pos)
  }
}

module.exports = { addFunction, addAggregate }
