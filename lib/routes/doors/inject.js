'use strict'

// A request without a server: for tests of a service.

const { expected } = require('../../base/errors')
const { Exchange, asBytes } = require('../exchange')
const { JSON_TYPE } = require('../answers')
const { NOTHING, parsedBody } = require('../body')
const { readUser } = require('../service')

const HERE = Object.freeze({ address: '127.0.0.1', isUnix: false })

class InjectExchange extends Exchange {
  #headers
  #body

  constructor (service, method, target, headers, body, signal) {
    super(service, method, target)
    this.signal = signal
    this.#headers = headers
    this.#body = body
  }

  begin () {}

  get subject () { return this }
  get raw () { return this }
  get isEncrypted () { return false }
  get peer () { return HERE }
  get abortSignal () { return this.signal }

  header (name) {
    return this.#headers.get(name)
  }

  async body (most) {
    return this.#body === undefined ? NOTHING : parsedBody(this.#body, most)
  }
}

/**
 * @param {RouteService} service
 * @param {string} method
 * @param {string} target
 * @param {{ headers?: object, body?: string|Uint8Array|object, user?, roles?: string[], signal?: AbortSignal }} [options] body: an object is sent
 *   as JSON; user, roles: who asks, in place of what the option user would say; signal: the caller hangs up
 * @returns {Promise<{ status: number, type: string, headers: object, body: string }>}
 */
async function inject (service, method, target, { headers = {}, body, user, roles, signal = new AbortController().signal } = {}) {
  if (typeof method !== 'string') throw expected('UC_OPTION', 'inject: method', "a text such as 'GET'", method)
  if (typeof target !== 'string' || !target.startsWith('/')) throw expected('UC_OPTION', 'inject: target', "a path such as '/user?id=1'", target)
  const given = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]))
  const isObject = typeof body === 'object' && body !== null && !(body instanceof Uint8Array)
  if (isObject && !given.has('content-type')) given.set('content-type', JSON_TYPE)
  const exchange = new InjectExchange(service, method.toUpperCase(), target, given, isObject ? JSON.stringify(body) : body, signal)
  if (user !== undefined || roles !== undefined) exchange.known = { ...readUser({ user, roles }), ip: exchange.ip, id: exchange.id }
  const answer = await service.answer(exchange) ?? service.nowhere(exchange)
  const text = method.toUpperCase() === 'HEAD' ? '' : textOf(answer.body)
  if (service.access !== null) service.line(exchange, answer.status, text.length)
  return { status: answer.status, type: answer.type, headers: headersOf(answer, exchange.id), body: text }
}

function headersOf ({ headers }, id) {
  const out = { 'x-request-id': id }
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i], asBytes(headers[i + 1])]
    out[name] = out[name] === undefined ? value : `${out[name]}, ${value}`
  }
  return out
}

function textOf (body) {
  return typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.length).toString()
}

module.exports = { inject }
