'use strict'

// What a request says of its caller, be it node:http's (fastify's has the same fields) or a Request
// of fetch. Headers of a proxy are believed where its end of the connection is one that is trusted.

const { builtin } = require('../../base/builtin')
const { isIP } = builtin('node:net')

const AGENT_CHARACTERS = 200

function header (req, name) {
  const { headers } = req
  const value = typeof headers?.get === 'function' ? headers.get(name) : headers?.[name]
  return typeof value === 'string' ? value : null
}

/** The other end of the connection: an address, '' of a unix socket, null: nobody knows. */
function peerOf ({ socket }) {
  if (typeof socket?.remoteAddress === 'string') return socket.remoteAddress
  // One that is closed has forgotten its address, and is none of a unix socket.
  return socket === undefined || socket === null || socket.destroyed !== false ? null : ''
}

class Requester {
  #req
  #isTrusted

  /**
   * @param {object} req
   * @param {{ peer: Function|null, proxy: Function }} options proxy: (address) -> whether it is one
   */
  constructor (req, { peer, proxy }) {
    this.#req = req
    this.peer = (peer === null ? peerOf(req) : peer(req)) ?? null
    this.#isTrusted = proxy(this.peer)
  }

  /** Its address as text, or null. */
  get ip () {
    // The last one is what the proxy itself has seen; what stands before it is the caller's word.
    const forwarded = this.#isTrusted ? plainAddress(header(this.#req, 'x-forwarded-for')?.split(',').at(-1)) : null
    return forwarded ?? plainAddress(this.peer)
  }

  get isSecure () {
    const { headers, socket, url } = this.#req
    if (socket?.encrypted === true) return true
    if (this.#isTrusted && header(this.#req, 'x-forwarded-proto') === 'https') return true
    // Of fetch it is the server's own; node:http's is what the caller wrote.
    return typeof headers?.get === 'function' && String(url).startsWith('https://')
  }

  get agent () {
    return header(this.#req, 'user-agent')?.slice(0, AGENT_CHARACTERS).toWellFormed().replaceAll('\0', '') ?? null
  }

  get cookies () {
    return header(this.#req, 'cookie')
  }
}

/** An address without its zone; IPv4 in IPv6 as IPv4. Null: it is none. */
function plainAddress (text) {
  const address = String(text ?? '').slice(0, 100).trim().replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(address) === 0 ? null : address
}

/** What one caller has: of IPv6 its /64, in which he may take any address. */
function networkOf (address) {
  if (address === null || isIP(address) !== 6) return address
  const [left, right] = address.toLowerCase().split('::').map(half => half === '' ? [] : half.split(':'))
  const gap = right === undefined ? [] : Array(8 - left.length - right.length).fill('0')
  const groups = [...left, ...gap, ...right ?? []].slice(0, 4)
  return groups.map(group => Number.parseInt(group, 16).toString(16)).join(':') + '::/64'
}

/** Peers that only a process of this machine can be. */
function isLocal (peer) {
  if (peer === '') return true
  const address = plainAddress(peer)
  return address !== null && (address === '::1' || (isIP(address) === 4 && address.startsWith('127.')))
}

module.exports = { Requester, isLocal, networkOf, plainAddress }
