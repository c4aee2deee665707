'use strict'

// What takes a Request and returns a Response: Bun.serve, Deno.serve, Hono.

const { Hangup } = require('../../base/abort')
const { originForm } = require('../../base/origin-form')
const { Exchange } = require('../exchange')
const { Lookout } = require('../lookout')
const { peerAt } = require('../../base/peer')
const { readRequest } = require('../body')

const lookout = new Lookout()

class FetchExchange extends Exchange {
  /**
   * @param {RouteService} service
   * @param {Request} request
   * @param {object} info who asks, see peerOf
   * @param {object} raw
   */
  constructor (service, request, info, raw) {
    super(service, request.method, originForm(request.url))
    this.request = request
    this.info = info
    this.raw = raw
    this.signal = null
  }

  /** From here on it is ours: a caller that hangs up is noticed. */
  begin () {
    if (this.signal === null) this.signal = lookout.watch(this.request)
  }

  get subject () { return this.request }
  get abortSignal () { return this.request.signal }
  get isEncrypted () { return this.request.url.startsWith('https:') }
  get peer () { return peerOf(this.request, this.info) }

  header (name) {
    return this.request.headers.get(name) ?? undefined
  }

  body (most) {
    return readRequest(this.request, most)
  }

  respond (answer) {
    this.signal?.over()
    const { status, body } = answer
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    const { access } = this.service
    if (access !== null) this.service.line(this, status, this.method === 'HEAD' ? 0 : length, this.signal?.aborted)
    const isHead = this.method === 'HEAD'
    // A body says by itself how long it is.
    const headers = answer.isTagged && length > 0 && !isHead
      ? taggedHeaders(answer, this.id)
      : headersOf(answer, this.id, isHead && status !== 304 ? length : -1)
    return new Response(length === 0 || isHead ? null : body, { status, headers })
  }
}

// An object is read faster than pairs, but for one of each name only.
function taggedHeaders ({ type, headers }, id) {
  if (headers.length !== 4 || type === '') return headersOf({ type, headers }, id, -1)
  return { 'x-request-id': id, 'content-type': type, etag: headers[1], 'cache-control': headers[3] }
}

function headersOf ({ type, headers }, id, length) {
  if (headers.length === 0 && length < 0 && type !== '') return { 'content-type': type, 'x-request-id': id }
  const out = [['x-request-id', id]]
  if (type !== '') out.push(['content-type', type])
  if (length >= 0) out.push(['content-length', String(length)])
  for (let i = 0; i < headers.length; i += 2) out.push([headers[i], headers[i + 1]])
  return out
}

/**
 * @param {Request} request
 * @param {object|undefined} info Bun's server; Deno's { remoteAddr }; of @hono/node-server { incoming }
 */
function peerOf (request, info) {
  if (typeof info?.requestIP === 'function') return peerAt(info.requestIP(request)?.address, info.url?.protocol === 'unix:')
  if (info?.remoteAddr !== undefined) return peerAt(info.remoteAddr.hostname, info.remoteAddr.transport === 'unix')
  const socket = info?.incoming?.socket
  return peerAt(socket?.remoteAddress, socket?.destroyed === false)
}

/** (request, info) => a promise of a Response. */
function fetchDoor (service) {
  return function fetch (request, info) {
    const exchange = new FetchExchange(service, request, info, request)
    const answer = service.claims(exchange) ? service.answer(exchange) : null
    return answer instanceof Promise ? later(exchange, answer) : exchange.respond(answer ?? service.nowhere(exchange))
  }
}

async function later (exchange, promise) {
  return exchange.respond(await promise ?? exchange.service.nowhere(exchange))
}

/** A handler of Hono, and a middleware: what is none of ours goes on. */
function honoDoor (service) {
  return async function undercroftRoutes (context, next) {
    const { raw } = context.req
    const { env } = context
    // Bun.serve({ fetch: app.fetch }) hands over its server as what Hono calls env, or in it.
    const info = env?.server ?? env
    const exchange = new HonoExchange(service, raw, info, context)
    if (!service.claims(exchange)) return leave(exchange, next)
    const answer = await service.answer(exchange)
    return answer === null ? leave(exchange, next) : exchange.respond(answer)
  }
}

function leave (exchange, next) {
  exchange.signal?.over()
  return next === undefined ? exchange.respond(exchange.service.nowhere(exchange)) : next()
}

class HonoExchange extends FetchExchange {
  // In Node the signal of a Request is made with all of the Request, at the cost of several of ours.
  begin () {
    const { outgoing } = this.info ?? {}
    if (outgoing === undefined) super.begin()
    else if (this.signal === null) this.signal = new NodeHangup(outgoing)
  }

  get abortSignal () {
    return this.signal.real
  }

  // A middleware in front may have read it, and Hono then has kept it.
  body (most) {
    if (this.request.bodyUsed) return this.raw.req.arrayBuffer().then(Buffer.from)
    return super.body(most)
  }
}

class NodeHangup extends Hangup {
  constructor (res) {
    super()
    res.once('close', () => { if (!res.writableFinished) this.abort() })
  }

  over () {}
}

module.exports = { fetchDoor, honoDoor }
