'use strict'

// The in-process door: the core in this process, reached through Node-API. The
// session object of the addon is what the client talks to; a transport is
// anything with the same methods:
//
//   submit(buf, length, count, write)  `count` request frames; copied
//   take(inbox) -> n                   replies [u32 LE length][frame]...; 0:
//                                      none; -n: needs an inbox of n bytes
//   ref(), unref(), destroy()
//   epoch                              counts connections, where there are any
//   framed                             true: requests come, and replies are lent,
//                                      as messages of transport/sp.js
//   endTurn(), attach(), sync(), syncTake(), func()   where blocking is possible

const { load } = require('../base/binding')
const { Writer } = require('../wire/encode')
const { toWire } = require('../base/options')

/**
 * @param {string} file absolute path or ':memory:'
 * @param {object} options normalised
 * @returns {Function} (wake, calls, statements, client) -> session
 */
function connector (file, options) {
  const addon = load()
  const w = new Writer(1024)
  w.any(toWire(options))
  const bytes = w.buf.subarray(0, w.pos)
  return (wake, calls, statements, client) => {
    client.memory = file === ':memory:'
    return addon.open(file, bytes, wake)
  }
}

module.exports = { connector }
