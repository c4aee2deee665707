'use strict'

// Everyone who takes part, in the order of the tables. `family` says which of a
// case's programs a contestant runs: the three synchronous libraries have the
// same methods and share one program, so that they do the same work.

module.exports = [
  require('./undercroft'),
  require('./better-sqlite3'),
  require('./node-sqlite'),
  require('./bun-sqlite'),
  require('./sqlite3')
]
