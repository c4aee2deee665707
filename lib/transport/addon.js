'use strict'

// The in-process door: the core in this process, reached through Node-API. The
// session object of the addon is what the client talks to; a transport is
// anything with the same methods:
//
//   submit(buf, length, count, write)  `count` requests; copied
//   take(inbox) -> n                   replies [u32 LE length][frame]...; 0:
//                                      none; -n: needs an inbox of n bytes
//   ref(), unref(), destroy()
//   epoch                              counts connections, where there are any
//   engine                             what serves the database: 'sqlite' or 'postgres'; null
//                                      until there was a connection
//   endTurn(), attach(), sync(), syncTake(), func()   where blocking is possible
//
// A request is a frame. Where more than that goes over the wire, the session has
//
//   head                               bytes that each request leaves free in
//                                      front of its frame
//   seal(writer, start, id)            fills them in: the request begins at
//                                      `start` and ends where the writer is
//
// Where replies need not be copied:
//
//   lends                              true: take() -> n has them stay where they
//                                      came, n bytes at `at` in `buf` (`view`)
//                                      until the next take(), each frame `head`
//                                      bytes behind where its reply begins
//   endOf(view, p) -> end              of the reply that begins at `p`
//
// Where the core is in another process:
//
//   isRemote                           true: it has deadlines and a log itself,
//                                      and wants the ids of a trace with a call
//   maxRequest                         the most bytes of a request
//   isWaiting(id)                      whether the call has never left

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
