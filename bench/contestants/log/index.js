'use strict'

// Everyone who writes lines to a file. Families: 'pino' pino by itself; 'other'
// the other loggers; 'roll' pino with files that rotate. spdlog in C++ is the
// native mark beside them: c/spdlog.cc.

module.exports = [
  require('./undercroft'),
  ...require('./pino'),
  require('./winston'),
  ...require('./spdlog'),
  ...require('./pino-roll')
]
