'use strict'

// The levels and their numbers, which are pino's, and those that a log has besides.

const { UndercroftError, expected } = require('../base/errors')

const numbers = Object.freeze({ __proto__: null, trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: Infinity })
const names = Object.freeze({ __proto__: null, 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal', Infinity: 'silent' })
const standard = Object.freeze({ numbers, names })
const CUSTOM = 100
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

/**
 * The number of a level, which may be given by its name, also in capitals, or as a number.
 *
 * @param {string|number} level
 * @param {string} [what] for the message
 * @param {{ numbers, names }} [levels] of the log
 * @throws {UndercroftError} UC_OPTION
 */
function levelOf (level, what = 'level', levels = standard) {
  const number = find(level, levels)
  if (number === undefined) throw expected('UC_OPTION', what, `one of ${Object.keys(levels.numbers).join(', ')}, or the number of one`, level)
  return number
}

/** The same; undefined: there is no such level. */
function find (level, { numbers, names } = standard) {
  if (typeof level === 'number') return names[level] === undefined ? undefined : level
  return typeof level === 'string' ? numbers[level] ?? numbers[level.toLowerCase()] : undefined
}

/**
 * The option customLevels: { audit: 35 }.
 *
 * @param {object|null} custom
 * @param {object} taken what a logger has already, by names
 * @returns {{ numbers, names }}
 * @throws {UndercroftError} UC_OPTION
 */
function levelsWith (custom, taken, what) {
  if (custom === null) return standard
  const own = { numbers: { __proto__: null, ...numbers }, names: { __proto__: null, ...names } }
  const entries = typeof custom === 'object' ? Object.entries(custom) : []
  if (typeof custom !== 'object' || Array.isArray(custom) || entries.length > CUSTOM) {
    throw expected('UC_OPTION', what, `an object of at most ${CUSTOM} levels such as { audit: 35 }`, custom)
  }
  for (const [name, number] of entries) {
    if (!NAME.test(name)) throw expected('UC_OPTION', what, 'names that are letters, digits and _', name)
    if (name in taken || own.numbers[name] !== undefined) throw new UndercroftError('UC_OPTION', `${what}.${name}: a logger has that name already`)
    if (!Number.isInteger(number) || number < 1 || number > 1000) throw expected('UC_OPTION', `${what}.${name}`, 'an integer from 1 to 1000', number)
    if (own.names[number] !== undefined) throw new UndercroftError('UC_OPTION', `${what}.${name}: ${number} is the number of ${own.names[number]}`)
    own.numbers[name] = number
    own.names[number] = name
  }
  return own
}

module.exports = { numbers, names, standard, levelOf, find, levelsWith }
