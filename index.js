'use strict'

const { Store, open } = require('./lib/store')
const { UndercroftError } = require('./lib/errors')

module.exports = { open, Store, UndercroftError }
