'use strict'

// A plugin of fastify (4 and 5). It lives in a context of its own: the application's parsers, hooks
// and error handler stay as they are, and its hooks hold for our routes as for its own.

const { copyOf } = require('../exchange')
const { NodeExchange, lingering } = require('./node')

class FastifyExchange extends NodeExchange {
  constructor (service, request, reply, prefix) {
    super(service, request.raw, reply.raw)
    this.request = request
    this.reply = reply
    // What it is registered under is not in the files.
    if (prefix !== '' && this.target.startsWith(prefix)) this.target = this.target.slice(prefix.length) || '/'
  }

  get raw () { return this.request }

  // Its hooks know bytes, or text in UTF-8.
  takeBody (b, from, to) {
    return copyOf(b, from, to)
  }

  send (answer) {
    const { reply, req } = this
    const { status, type, headers, body } = answer
    this.sent = this.method === 'HEAD' ? 0 : body.length
    for (let i = 0; i < headers.length; i += 2) {
      const [name, value] = [headers[i], headers[i + 1]]
      reply.header(name, name === 'vary' && reply.hasHeader(name) ? `${reply.getHeader(name)}, ${value}` : value)
    }
    reply.header('x-request-id', this.id)
    if (type !== '') reply.header('content-type', type)
    if (status === 413 && !req.complete) return this.#linger(status, body)
    reply.code(status)
    if (body.length === 0) return reply.send()
    return reply.send(typeof body === 'string' ? Buffer.from(body) : body)
  }

  // fastify ends an answer as soon as it is written.
  #linger (status, body) {
    const { reply, req, res } = this
    reply.hijack()
    res.writeHead(status, { ...reply.getHeaders(), 'content-length': Buffer.byteLength(body) })
    lingering(req, res, body)
    return reply
  }
}

/**
 * @param {RouteService} service
 * @returns a plugin; its option wildcard: true, the default, takes every path under its prefix, and
 *   hands on what is none of ours; false: each path that there is when the application gets ready
 */
function fastifyDoor (service) {
  return async function undercroftRoutes (app, { wildcard = true } = {}) {
    await service.ready
    // We read the bodies ourselves.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (request, payload, done) => done(null, undefined))
    const { prefix } = app
    const handler = (request, reply) => handle(new FastifyExchange(service, request, reply, prefix))
    for (const path of wildcard ? ['/*'] : service.sets.current.paths.all) app.all(path, handler)
  }
}

async function handle (exchange) {
  const { service, reply } = exchange
  if (service.access !== null) exchange.begin()
  const answer = service.claims(exchange) ? await service.answer(exchange) : null
  if (answer !== null) return exchange.send(answer)
  exchange.leave()
  reply.callNotFound()
  return reply
}

module.exports = { fastifyDoor }
