'use strict'
// Words for the one command line that a deployment sends to a host's shell.

const { DeployError } = require('./errors')

// Words of these characters mean themselves to every shell.
const plain = /^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/

/**
 * A string as one word of POSIX sh (2.2.2, single quotes: everything between
 * them is literal, and no way to write a single quote, which is why it leaves
 * them). Throws UC_DEPLOY_QUOTE for what no argument can hold: a NUL.
 */
function quote (word) {
  if (typeof word !== 'string') throw new TypeError(`quote: expected a string, not ${typeof word}`)
  if (word.includes('\0')) {
    throw new DeployError('UC_DEPLOY_QUOTE', 'a value for the command line contains a NUL character', { hint: 'remove it from deploy.config.js' })
  }
  return plain.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Several words, as one command line. */
function quoteAll (words) {
  return words.map(quote).join(' ')
}

module.exports = { quote, quoteAll }
