'use strict'

// The levels and their numbers, which are pino's.

const { expected } = require('../errors')

const numbers = Object.freeze({ __proto__: null, trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: Infinity })
const names = Object.freeze({ __proto__: null, 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal', Infinity: 'silent' })

/**
 * The number of a level's name.
 *
 * @throws {UndercroftError} UC_OPTION
 */
function levelOf (name, what = 'level') {
  const number = typeof name === 'string' ? numbers[name] : undefined
  if (number === undefined) throw expected('UC_OPTION', what, `one of ${Object.keys(numbers).join(', ')}`, name)
  return number
}

module.exports = { numbers, names, levelOf }
