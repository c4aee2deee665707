'use strict'
module.exports = { context: null }
