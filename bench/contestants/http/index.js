'use strict'

// Everyone who serves over HTTP, in the order of the tables. Each is a server of its
// own; what it runs on belongs to its name. Each family has one of them, since each has
// questions of its own.

module.exports = [
  require('./undercroft'),
  require('./axum'),
  ...require('./scripts')
]
