'use strict'

// What takes a Request and returns a Response: Bun.serve, Deno.serve, Hono.

const { Exchange, originForm } = require('../exchange')
const { peerAt } = require('../peer')
const { readRequest } = require('../body')

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
  }

  get subject () { return this.request }
  get signal () { return this.request.signal }
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
    const { status, body } = answer
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    const { access } = this.service
    if (access !== null) this.service.line(this, status, this.method === 'HEAD' ? 0 : length, this.signal.aborted)
    const headers = headersOf(answer, this.id)
    // A body says by itself how long it is.
    if (this.method === 'HEAD' && status !== 304) headers.push(['content-length', String(length)])
    return new Response(length === 0 || this.method === 'HEAD' ? null : body, { status, headers })
  }
}

function headersOf ({ type, headers }, id) {
  const out = [['x-request-id', id]]
  if (type !== '') out.push(['content-type', type])
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
  return async function fetch (request, info) {
    const exchange = new FetchExchange(service, request, info, request)
    return exchange.respond(await service.answer(exchange) ?? service.nowhere(exchange))
  }
}

/** A handler of Hono, and a middleware: what is none of ours goes on. */
function honoDoor (service) {
  return async function undercroftRoutes (context, next) {
    const { raw } = context.req
    const { env } = context
    // Bun.serve({ fetch: app.fetch }) hands over its server as what Hono calls env, or in it.
    const info = env?.server ?? env
    const exchange = new HonoExchange(service, raw, info, context)
    const answer = service.claims(exchange) ? await service.answer(exchange) : null
    if (answer === null) return next === undefined ? exchange.respond(service.nowhere(exchange)) : next()
    return exchange.respond(answer)
  }
}

class HonoExchange extends FetchExchange {
  // A middleware in front may have read it, and Hono then has kept it.
  body (most) {
    if (this.request.bodyUsed) return this.raw.req.arrayBuffer().then(Buffer.from)
    return super.body(most)
  }
}

module.exports = { fetchDoor, honoDoor }
