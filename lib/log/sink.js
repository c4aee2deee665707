'use strict'

// Where lines go. A sink is an object with
//
//   write(line, level)   one whole line that ends in \n; never throws. What `survives`
//                        says has happened when it returns
//   page                 memory for a line as bytes, see page.js; undefined: it takes text only
//   flush({ sync, timeoutMs }) -> Promise     all lines are where they belong; sync: on disk
//   flushSync({ sync, timeoutMs }) -> boolean the same, blocking, as far as it can
//   reopen(), rotate()   of files; elsewhere nothing
//   stats() -> Promise   { sink: 'stdout' | 'ring' | 'daemon' | 'stream', lines, dropped, ... }
//   close() -> Promise   flushes; idempotent. Lines after it are the logger's business
//   survives             'sigkill', 'turn' (of the event loop) or 'nothing'
//   setLevel(number|null) -> Promise          for all processes; null: each its own. Only a
//                        sink that reaches others has it
//   onLevel              null, or a function that is called with a level that others have set
//
// and, where processes are reached through a daemon that keeps no log, it hands what
// it was given to another sink.

const { stdoutSink, streamSink } = require('./sinks/stdout')

/**
 * The sink for the options of a log.
 *
 * @param {object} options normalised, see options.js
 * @param {Client|null} client of a daemon, or null
 */
function makeSink (options, client) {
  const { dir, destination } = options
  if (dir !== null) return require('./sinks/ring').ringSink(options)
  const plain = () => destination !== null && typeof destination === 'object' ? streamSink(destination, options) : stdoutSink(destination ?? 1, options)
  if (client === null || destination !== null) return plain()
  return require('./sinks/daemon').daemonSink(client, options, plain)
}

module.exports = { makeSink }
