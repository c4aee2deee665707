'use strict'

require('./ipc')(1, 3)
