'use strict'

const { DeployError } = require('../errors')

/** An error for the deployer to show; `more` as DeployError takes it. */
const fail = (code, message, more) => new DeployError(code, message, more)

module.exports = { fail }
