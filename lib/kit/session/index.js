'use strict'

// undercroft/kit/session: passwords, logins and sessions for services on this package. It knows no more
// of the package than its users do.
//
//   sessions.js   rows and who asks      limit.js      how often a password may be guessed
//   cookie.js     the header's text      request.js    node:http and fetch, proxies
//   password.js   hashes, in a queue     phc.js        hashes as text
//   options.js    what is given          migration.js  the table

const { Passwords } = require('./password')
const { Sessions } = require('./sessions')
const { migration } = require('./migration')
const { readOptions, readPasswords } = require('./options')

/**
 * @param {Store} store whose database has the table of `migration`
 * @param {object} [options] see lib/types/session.d.ts
 * @returns {Sessions}
 * @throws {UndercroftError} UC_OPTION
 */
function session (store, options) {
  return new Sessions(store, readOptions(options))
}

/** hash() and verify() without a store. */
function passwords (options) {
  return new Passwords(readPasswords(options))
}

module.exports = session
module.exports.migration = migration
module.exports.passwords = passwords
