'use strict'

const { Store, open } = require('./lib/store')
const { UndercroftError } = require('./lib/base/errors')
const { graceful } = require('./lib/graceful')

module.exports = { open, graceful, Store, UndercroftError }
