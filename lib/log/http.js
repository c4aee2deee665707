'use strict'

// One line for each request, when it is over: method, url, status, milliseconds,
// bytes, the id of the request, and the trace that it belongs to.

const { Context, within, newTraceId, newSpanId, parseTraceparent } = require('../base/trace')
const { giveRequestId } = require('../base/request-id')
const { since } = require('./span')
const { expected } = require('../base/errors')
const { originForm } = require('../base/origin-form')

/**
 * @param {{ child: Function, within: Function }} make see Logger
 * @param {object} req whose headers are name -> value, or a Headers
 * @param {boolean} trace a trace begins here where the caller brings none
 * @returns {{ log: Logger, context: Context|null }}
 */
function begun (make, req, trace) {
  const { headers } = req
  const get = typeof headers.get === 'function' ? (name) => headers.get(name) : (name) => headers[name]
  const reqId = giveRequestId(req, get('x-request-id'))
  const outer = parseTraceparent(get('traceparent'))
  if (outer === null && !trace) return { log: make.child({ reqId }), context: null }
  const fields = outer === null ? { reqId } : { reqId, parentId: outer.parentId }
  const context = new Context(outer?.traceId ?? newTraceId(), newSpanId(), make.text(fields))
  return { log: make.within(context), context }
}

function done (log, fields, aborted) {
  if (aborted) log.warn(fields, 'request aborted')
  else if (fields.status >= 500) log.error(fields, 'request done')
  else log.info(fields, 'request done')
}

/** node:http: (req, res) -> { log, context }; the line is written when the response is closed. */
function request (make, req, res, trace) {
  const began = performance.now()
  const { socket } = req
  const before = socket?.bytesWritten
  const url = req.originalUrl ?? req.url
  const found = begun(make, req, trace)
  const { log } = found
  req.log = log
  res.once('close', () => {
    const fields = { method: req.method, url, status: res.statusCode, ms: since(began) }
    const bytes = socket?.bytesWritten - before
    if (bytes > 0) fields.bytes = bytes
    done(log, fields, !res.writableFinished)
  })
  return found
}

/**
 * log.http: (req, res) -> a logger for that request; (handler) -> a handler; (server)
 * -> the server, which is listened to.
 */
function http (make, target, second, third) {
  if (typeof target === 'function') {
    const { trace = false } = second ?? {}
    return function logged (req, res, ...rest) {
      const { context } = request(make, req, res, trace)
      if (context === null) return target.call(this, req, res, ...rest)
      return within(context, () => target.call(this, req, res, ...rest))
    }
  }
  if (typeof target?.listen === 'function' && typeof target.prependListener === 'function') {
    const { trace = false } = second ?? {}
    return target.prependListener('request', (req, res) => { request(make, req, res, trace) })
  }
  if (typeof target?.headers === 'object' && typeof second?.once === 'function') return request(make, target, second, third?.trace === true).log
  throw expected('UC_OPTION', 'log.http', 'a request and its response, a handler, or a server', target)
}

/** log.bun: a handler for Bun.serve's fetch -> one that logs. Its request has no room: the logger comes third. */
function bun (make, handler, { trace = false } = {}) {
  if (typeof handler !== 'function') throw expected('UC_OPTION', 'log.bun', 'a handler: (request, server, log) => response', handler)
  return function logged (req, server) {
    const began = performance.now()
    const { log, context } = begun(make, req, trace)
    const over = (status, bytes, err) => {
      const fields = { method: req.method, url: originForm(req.url), status, ms: since(began) }
      if (bytes > 0) fields.bytes = bytes
      if (err !== undefined) fields.err = err
      done(log, fields, false)
    }
    const answered = (response) => {
      // An upgraded connection has none.
      over(response?.status ?? 101, Number(response?.headers?.get('content-length')))
      return response
    }
    const failed = (err) => {
      over(500, 0, err)
      throw err
    }
    let response
    try {
      const call = () => handler.call(this, req, server, log)
      response = context === null ? call() : within(context, call)
    } catch (err) {
      return failed(err)
    }
    return typeof response?.then === 'function' ? response.then(answered, failed) : answered(response)
  }
}

module.exports = { http, bun }
