'use strict'

const { Store, open } = require('./lib/store')
const { UndercroftError } = require('./lib/base/errors')
const { graceful } = require('./lib/graceful')
const { uuidv7 } = require('./lib/base/uuid')

module.exports = { open, graceful, Store, UndercroftError, uuidv7 }
