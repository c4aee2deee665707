'use strict'

// node:http, and what is built on it: Express, Connect.

const { Hangup } = require('../../base/abort')
const { originForm } = require('../../base/origin-form')
const { peerAt } = require('../../base/peer')
const { Exchange, asBytes, copyOf } = require('../exchange')
const { readMessage, parsedBody } = require('../body')

// Bytes of a body that is sent as text.
const TEXT_MOST = 16 * 1024

const EXCHANGE = Symbol('undercroft.exchange')

// How long somebody may go on sending what will not be read, to read the answer then.
const LINGER_MS = 10_000

class NodeExchange extends Exchange {
  constructor (service, req, res) {
    super(service, req.method, asBytes(originForm(req.url)))
    this.req = req
    this.res = res
    this.signal = null
  }

  get subject () { return this.req }
  get raw () { return this.req }
  // For the log: Express takes off what it is mounted under.
  get url () { return this.req.originalUrl ?? this.req.url }

  header (name) {
    return this.req.headers[name]
  }

  // HTTP/2 has another name for it.
  get host () {
    return super.host ?? this.req.headers[':authority']
  }

  get isEncrypted () {
    return this.req.socket.encrypted === true
  }

  get peer () {
    const { socket } = this.req
    // A unix socket has no addresses; a TCP one that is closed has lost its own.
    return peerAt(socket.remoteAddress, !socket.destroyed)
  }

  // One write of head and body takes a third of two, and text a third of bytes: a character each.
  takeBody (b, from, to) {
    return to - from > TEXT_MOST ? copyOf(b, from, to) : b.toString('latin1', from, to)
  }

  body (most) {
    const { req } = this
    if (!req.readableEnded) return readMessage(req, most)
    // A parser in front has read it.
    if (req.body === undefined) throw new Error('routes: the body of the request was read by what is in front of them, and is not in req.body')
    return parsedBody(req.body, most)
  }

  /** From here on it is ours: a caller that hangs up is noticed. */
  begin () {
    if (this.signal !== null) return
    const { res } = this
    this.signal = new Hangup()
    res[EXCHANGE] = this
    res.on('close', onClose)
    if (res.destroyed) this.signal.abort()
  }

  /** It is somebody else's after all. */
  leave () {
    if (this.signal !== null) this.res.off('close', onClose)
  }

  closed () {
    const { res, service } = this
    // Of HTTP/2 a stream that was cut has finished all the same.
    const isCut = !res.writableEnded || !res.writableFinished
    if (isCut) this.signal.abort()
    if (service.access !== null) service.line(this, res.statusCode, this.sent, isCut)
  }

  get abortSignal () {
    return this.signal.real
  }

  write (answer) {
    const { res, req } = this
    // The client has gone, or somebody else was quicker.
    if (res.destroyed || res.headersSent) return
    const { status, body, encoding } = answer
    const length = typeof body === 'string' ? Buffer.byteLength(body, encoding) : body.length
    this.sent = this.method === 'HEAD' ? 0 : length
    res.writeHead(status, headersOf(answer, length, this.id, res))
    if (length === 0 || this.method === 'HEAD') res.end()
    else if (status === 413 && !req.complete) lingering(req, res, body)
    else res.end(body, encoding)
  }
}

// Where the application has set headers already, writeHead puts one in the place of all of its name: not
// of these. Nor does HTTP/2 keep several.
const ADDED = ['vary', 'set-cookie']

// Name and value in turn. 204 and 304 have no length (RFC 9110, section 8.6).
function headersOf ({ status, type, headers }, length, id, res) {
  const out = headers.length === 0 || isPlain(res) ? headers.slice() : merged(headers, res)
  if (type !== '') out.push('content-type', type)
  if (status !== 204 && status !== 304) out.push('content-length', String(length))
  out.push('x-request-id', id)
  return out
}

function isPlain (res) {
  return res.stream === undefined && res.getHeaderNames().length === 0
}

function merged (headers, res) {
  const out = []
  for (let i = 0; i < headers.length; i += 2) {
    if (ADDED.includes(headers[i])) res.appendHeader(headers[i], headers[i + 1])
    else out.push(headers[i], headers[i + 1])
  }
  return out
}

// The answer is out at once. The connection is closed or goes on when the caller has stopped sending.
function lingering (req, res, body) {
  res.write(body)
  const timer = setTimeout(() => req.destroy(), LINGER_MS)
  timer.unref?.()
  const over = () => {
    clearTimeout(timer)
    res.end()
  }
  req.once('end', over)
  req.once('close', over)
  req.resume()
}

function onClose () {
  this[EXCHANGE].closed()
}

/**
 * @param {RouteService} service
 * @param {((req, res) => void)|null} next who has what is none of ours; null: 404
 * @returns {(req, res, pass?: Function) => void} pass: of Express and Connect
 */
function nodeDoor (service, next = null) {
  return function routes (req, res, pass) {
    const exchange = new NodeExchange(service, req, res)
    if (!service.claims(exchange)) return leave(exchange, next, pass)
    // The line of a request is written when its answer is out.
    if (service.access !== null) exchange.begin()
    const answer = service.answer(exchange)
    if (answer instanceof Promise) later(answer, exchange, next, pass)
    else end(answer, exchange, next, pass)
  }
}

async function later (promise, exchange, next, pass) {
  end(await promise, exchange, next, pass)
}

function end (answer, exchange, next, pass) {
  if (answer !== null) return exchange.write(answer)
  exchange.leave()
  leave(exchange, next, pass)
}

function leave (exchange, next, pass) {
  if (typeof pass === 'function') return pass()
  if (next !== null) return next(exchange.req, exchange.res)
  exchange.begin()
  exchange.write(exchange.service.nowhere(exchange))
}

module.exports = { NodeExchange, nodeDoor, headersOf, lingering }
