'use strict'

// The id of a request: that of the caller where it is one, otherwise one of our own. Once it was
// given, the same request has the same id for whoever asks, so the log and the answer agree.

const { builtin } = require('./builtin')
const { randomBytes } = builtin('node:crypto')

const REQUEST_ID = Symbol.for('undercroft.request-id')

// It is written into lines and sent back: printable, without blanks, and short.
const SANE = /^[\x21-\x7e]{1,128}$/

// The ids of a process begin alike and differ from those of others.
const begin = randomBytes(5).toString('hex')
let last = 0

/**
 * @param {object} request what stands for it: a message of node:http, a Request
 * @param {string|null|undefined} given the header x-request-id
 * @returns {string}
 */
function requestId (request, given) {
  return request[REQUEST_ID] ?? (typeof given === 'string' && SANE.test(given) ? given : `${begin}-${(++last).toString(36)}`)
}

/** The same, for who comes first: from now on it is that. */
function giveRequestId (request, given) {
  const id = requestId(request, given)
  request[REQUEST_ID] = id
  return id
}

module.exports = { requestId, giveRequestId }
