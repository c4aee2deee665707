'use strict'

// What a value is, whichever realm made it. Under Jest, and in a vm's context, an
// Error or an Object of the runtime is none of the constructors that we see.

const { builtin } = require('../base/builtin')
const { types } = builtin('node:util')

const { prototype } = Object
const hasOwn = prototype.hasOwnProperty
// No class of errors is derived from so many others.
const ANCESTORS = 32

/** Whether it is an object literal of this realm, which is what is nearly always logged. */
function isLiteral (object) {
  return Object.getPrototypeOf(object) === prototype
}

/** @param {object} object */
function isError (object) {
  if (isLiteral(object)) return false
  return object instanceof Error || types.isNativeError(object) || isDerived(object)
}

// What inherits from an Error and was not made by its constructor, such as DOMException.
function isDerived (object) {
  let at = Object.getPrototypeOf(object)
  for (let i = 0; at !== null && at !== prototype && i < ANCESTORS; i++) {
    if (isErrorPrototype(at)) return true
    at = Object.getPrototypeOf(at)
  }
  return false
}

function isErrorPrototype (object) {
  return hasOwn.call(object, 'name') && object.name === 'Error' && hasOwn.call(object, 'message') && object.message === '' &&
    hasOwn.call(object, 'toString') && hasOwn.call(object, 'constructor')
}

module.exports = { isError, isLiteral }
