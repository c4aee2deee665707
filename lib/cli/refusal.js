'use strict'
// What a command refuses to do: the cause, what helps, and the exit code.

/** A command line or a folder that a command can do nothing with; thrown in a command's run. */
class CommandRefusal extends Error {
  /**
   * @param {string} cause
   * @param {string} [remedy] what to do about it
   * @param {'usage'|'failed'} [exit] a key of exitCodes
   */
  constructor (cause, remedy = null, exit = 'usage') {
    super(remedy === null ? cause : `${cause}\n  ${remedy}`)
    this.exit = exit
  }
}

/**
 * Runs the work of a command. What it refuses, and what the core says, is told in a line or two; any
 * other error is a mistake of ours and is thrown on.
 *
 * @param {object} ctx of the command, see main.js
 * @param {Function} work -> exit code or undefined
 */
async function refusing ({ say, exitCodes }, work) {
  try {
    return await work()
  } catch (err) {
    if (err instanceof CommandRefusal) {
      say(err.message)
      return exitCodes[err.exit]
    }
    if (typeof err.code !== 'string') throw err
    // The message of the core names file and line by itself.
    say(err.code === 'UC_ROUTE' ? err.message : `${err.code}: ${err.message}`)
    return err.code === 'UC_NO_ADDON' ? exitCodes.lacking : exitCodes.failed
  }
}

module.exports = { CommandRefusal, refusing }
