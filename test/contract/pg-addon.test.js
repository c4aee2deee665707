'use strict'

const { addonDoor } = require('../helper')

require('./pg')(addonDoor(), 0, 1)
