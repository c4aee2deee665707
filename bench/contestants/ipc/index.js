'use strict'

// Everyone who takes part behind a socket, a pipe or a port, in the order of the
// tables. Families: 'kv' clients of a Redis server; 'echo' a message there and
// back; 'thread' SQLite in a thread of its own; 'processes' SQLite in several
// processes on one file.

module.exports = [
  require('./undercroft'),
  require('./ioredis'),
  require('./redis'),
  require('./bun-redis'),
  require('./zeromq'),
  ...require('./child-process'),
  require('./worker-threads'),
  require('./net'),
  ...require('./sqlite-thread'),
  ...require('./sqlite-processes')
]
