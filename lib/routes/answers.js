'use strict'

// What a request is answered with, and what becomes of an error. An answer is
//
//   { status, type, headers, body }
//
// type: the content-type, '' without a body. headers: the others, name and value in turn.
// body: bytes, or text that is sent as UTF-8.

const { UndercroftError } = require('../base/errors')

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
const NO_HEADERS = Object.freeze([])

// Why a request is not answered as it was meant: the status of the convention, and that of
// `statuses: 'fine'`. As in the core (UC_REFUSAL_MAP of routes/request.h).
const refusals = Object.freeze({
  __proto__: null,
  PARAMS: [400, 400],
  REFUSED: [400, 400],
  CONFLICT: [400, 409],
  NO_ROW: [400, 404],
  LOGIN: [400, 401],
  ROLE: [400, 403],
  ORIGIN: [400, 403],
  RATE: [400, 429],
  NO_ROUTE: [404, 404],
  METHOD: [405, 405],
  BODY_SIZE: [413, 413],
  BUSY: [503, 503],
  TIMEOUT: [500, 504],
  INTERNAL: [500, 500]
})

// The sentences, as the core has them. They tell a caller nothing of what is behind the door.
const sentences = Object.freeze({
  __proto__: null,
  LOGIN: 'not logged in',
  ROLE: 'not allowed',
  ORIGIN: 'origin: a page of another site may not post here',
  NO_ROUTE: 'not found',
  METHOD: 'method not allowed',
  BODY_SIZE: 'body: is too large',
  BUSY: 'busy',
  TIMEOUT: 'timed out',
  INTERNAL: 'internal error'
})

// What the kinds of errors (docs/errors.md) mean to a caller. Any other is INTERNAL.
const byKind = Object.freeze({
  __proto__: null,
  timeout: ['TIMEOUT'],
  busy: ['BUSY'],
  connection: ['BUSY'],
  closed: ['BUSY']
})

// A constraint, which names what it is about where that is a column. Never the message: it names tables.
const byConstraint = Object.freeze({
  __proto__: null,
  unique: ['CONFLICT', 'is taken'],
  'foreign-key': ['REFUSED', 'refers to nothing'],
  check: ['REFUSED', 'is not allowed'],
  'not-null': ['REFUSED', 'is missing'],
  constraint: ['REFUSED', 'is not allowed']
})

const byCode = Object.freeze({
  __proto__: null,
  UC_ONCE_CONFLICT: ['CONFLICT', 'idempotency-key: belongs to another request'],
  UC_REQUEST_TOO_LARGE: ['BODY_SIZE']
})

// Those whose messages are sentences for the caller.
const speaking = Object.freeze({ __proto__: null, UC_PASSWORD: 'PARAMS', UC_RATE: 'RATE' })

// HTTP's own, which the convention knows beside 400.
const OWN_STATUSES = [405, 408, 413, 414, 431]

/** Ends a request early: thrown by what looks at it, and never logged. */
class Refusal extends Error {
  /**
   * @param {string} why a key of `refusals`
   * @param {string} [text] for the caller, one problem a line
   * @param {string[]} [headers] name and value in turn
   */
  constructor (why, text = sentences[why], headers = NO_HEADERS) {
    super(text)
    this.why = why
    this.headers = headers
  }
}

function textAnswer (status, text, headers = NO_HEADERS) {
  return { status, type: TEXT, headers, body: text }
}

function statusOf (why, fine) {
  return refusals[why][fine ? 1 : 0]
}

/**
 * The answer for an error, which says nothing of SQL.
 *
 * @param {unknown} err
 * @param {boolean} fine the option statuses
 */
function answerFor (err, fine) {
  if (err instanceof Refusal) return textAnswer(statusOf(err.why, fine), err.message, err.headers)
  if (err instanceof UndercroftError) return ofDatabase(err, fine)
  // As http-errors have it, and what is built on them: a mistake of the caller, with a message for them.
  const status = err?.status ?? err?.statusCode
  if (err?.expose === true && status >= 400 && status < 500) {
    return textAnswer(fine || OWN_STATUSES.includes(status) ? status : 400, String(err.message))
  }
  const why = err?.name === 'TimeoutError' ? 'TIMEOUT' : 'INTERNAL'
  return textAnswer(statusOf(why, fine), sentences[why])
}

function ofDatabase (err, fine) {
  if (speaking[err.code] !== undefined) return textAnswer(statusOf(speaking[err.code], fine), err.message, retryAfter(err))
  const constraint = byConstraint[err.kind]
  if (constraint !== undefined) return textAnswer(statusOf(constraint[0], fine), `${columnOf(err)}: ${constraint[1]}`)
  const [why, text = sentences[why]] = err.outcome === 'unknown' && err.kind === 'connection'
    // It may have run: to be told "busy" would invite a repetition.
    ? ['INTERNAL']
    : byCode[err.code] ?? byKind[err.kind] ?? ['INTERNAL']
  return textAnswer(statusOf(why, fine), text)
}

// In Bun each error has a number of this name: where it was made.
function columnOf ({ column }) {
  return typeof column === 'string' ? column : 'value'
}

function retryAfter ({ retryAfterMs }) {
  return retryAfterMs > 0 ? ['retry-after', String(Math.ceil(retryAfterMs / 1000))] : NO_HEADERS
}

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const BEYOND_ASCII = /[^\0-\x7f]/

/**
 * The answer as it may be sent, whatever the door: data has become a header where this throws. Text
 * beyond ASCII goes as the bytes of its UTF-8, of which servers want a character each.
 */
function sendable (answer) {
  const headers = answer.headers.map((text, i) => i % 2 === 1 && BEYOND_ASCII.test(text) ? Buffer.from(text).toString('latin1') : text)
  const wrong = headers.findIndex((text, i) => !(i % 2 === 0 ? NAME : VALUE).test(text))
  if (wrong < 0) return { ...answer, headers }
  throw new Error(`routes: the header ${JSON.stringify(headers[wrong - wrong % 2].slice(0, 100))} of the answer cannot be sent`)
}

module.exports = { sendable, TEXT, JSON_TYPE, NO_HEADERS, Refusal, refusals, answerFor, textAnswer, statusOf }
