'use strict'

// Lines of the log's own: that others are missing.

const { builtin } = require('../base/builtin')
const os = builtin('node:os')

/**
 * @param {number} n how many lines were dropped
 * @param {string} why
 * @param {object} [more] fields
 */
function missing (n, why, more = undefined) {
  return JSON.stringify({
    level: 40,
    time: Date.now(),
    pid: process.pid,
    hostname: os.hostname(),
    ...more,
    msg: `${n} lines were dropped: ${why}`,
    dropped: n
  }) + '\n'
}

module.exports = { missing }
