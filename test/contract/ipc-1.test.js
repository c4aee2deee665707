'use strict'

require('./ipc')(0, 3)
