'use strict'

require('./ipc')(2, 3)
