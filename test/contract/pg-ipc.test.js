'use strict'

const { ipcDoor } = require('../helper')

require('./pg')(ipcDoor(), 0, 1)
