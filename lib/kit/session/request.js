'use strict'

// What a request says of its caller, be it node:http's (Express's and fastify's have the same fields),
// a Request of fetch, or what store.routes() gives to its option user: { header(name), ip, raw }.
// Headers of a proxy are believed where the other end of the connection is one that is trusted.

const { builtin } = require('../../base/builtin')
const { isIP } = builtin('node:net')
const { peerAt, plainAddress } = require('../../base/peer')

const AGENT_CHARACTERS = 200

/** Whether it is something that a Visitor can be made of. */
function isRequest (req) {
  return typeof req === 'object' && req !== null && (typeof req.header === 'function' || (typeof req.headers === 'object' && req.headers !== null))
}

/** Who has sent a request. */
class Visitor {
  #req
  #trust
  // What is behind it: the message of a server, with its connection.
  #raw

  /**
   * @param {object} req
   * @param {{ peer: Function|null, trust: ProxyTrust }} options
   */
  constructor (req, { peer, trust }) {
    this.#req = req
    this.#raw = hasHeaders(req) ? req : req.raw
    this.#trust = trust
    /** The other end of the connection. */
    this.peer = peerOf(peer === null ? addressOf(this.#raw) : peer(this.#raw))
  }

  /** Its address as text, or null. */
  get ip () {
    // Routes have looked already.
    if (!hasHeaders(this.#req)) return plainAddress(this.#req.ip)
    const forwarded = this.#header('x-forwarded-for')
    return forwarded === null ? this.peer.address : this.#trust.addressOf(this.peer, forwarded)
  }

  get isSecure () {
    // Routes have looked at that, too.
    if (typeof this.#req.isSecure === 'boolean') return this.#req.isSecure
    if (this.#raw?.socket?.encrypted === true) return true
    if (this.#trust.believes(this.peer) && this.#header('x-forwarded-proto') === 'https') return true
    // Of fetch it is the server's own; node:http's is what the caller wrote.
    return typeof this.#raw?.headers?.get === 'function' && String(this.#raw.url).startsWith('https://')
  }

  get agent () {
    return this.#header('user-agent')?.slice(0, AGENT_CHARACTERS).toWellFormed().replaceAll('\0', '') ?? null
  }

  get cookies () {
    return this.#header('cookie')
  }

  #header (name) {
    const value = readHeader(this.#req, name)
    return typeof value === 'string' ? value : null
  }
}

function hasHeaders ({ headers }) {
  return typeof headers === 'object' && headers !== null
}

function readHeader (req, name) {
  if (!hasHeaders(req)) return req.header(name)
  return typeof req.headers.get === 'function' ? req.headers.get(name) : req.headers[name]
}

// '': a unix socket; null: nobody knows.
function peerOf (address) {
  return peerAt(plainAddress(address), address === '')
}

function addressOf (raw) {
  const socket = raw?.socket
  if (typeof socket?.remoteAddress === 'string') return socket.remoteAddress
  // A connection that is closed has forgotten its address, and is none of a unix socket.
  return socket?.destroyed === false ? '' : null
}

// ---- addresses -----------------------------------------------------------------------

/**
 * What one caller has: of IPv6 its /64, in which he may take any address. Null for those of this
 * machine: behind a gateway that is not trusted all the world would be one caller.
 */
function networkOf (address) {
  if (address === null || address === '::1' || address.startsWith('127.')) return null
  if (isIP(address) !== 6) return address
  const [left, right] = address.toLowerCase().split('::').map(half => half === '' ? [] : half.split(':'))
  const gap = right === undefined ? [] : Array(8 - left.length - right.length).fill('0')
  const groups = [...left, ...gap, ...right ?? []].slice(0, 4)
  return groups.map(group => Number.parseInt(group, 16).toString(16)).join(':') + '::/64'
}

module.exports = { Visitor, isRequest, networkOf }
