'use strict'

const { start } = require('./start')

/**
 * Starts the release that served before, or the one that is named, without an upload: every file of it is
 * compared with its manifest first. Migrations do not run: there are none for the way back.
 * @param {object} config of load()
 * @param {object} options { host, release }
 * @param {object} io as for start
 */
async function rollback (config, options, io) {
  return start(config, { ...options, back: true, verify: true }, io)
}

module.exports = { rollback }
