'use strict'

// What a request says of its caller, be it node:http's (Express's and fastify's have the same fields),
// a Request of fetch, or what store.routes() gives to its option user: { header(name), ip, raw }.
// Headers of a proxy are believed where the other end of the connection is one that is trusted.

const { builtin } = require('../../base/builtin')
const { BlockList, isIP } = builtin('node:net')

const AGENT_CHARACTERS = 200
const LOOPBACK = ['127.0.0.0/8', '::1/128']
// Proxies in a row: what is longer was not written by them.
const MOST_HOPS = 32

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
   * @param {{ peer: Function|null, trust: Trust }} options
   */
  constructor (req, { peer, trust }) {
    this.#req = req
    this.#raw = hasHeaders(req) ? req : req.raw
    this.#trust = trust
    /** The other end of the connection: an address, '' of a unix socket, null: nobody knows. */
    this.peer = (peer === null ? peerOf(this.#raw) : peer(this.#raw)) ?? null
  }

  /** Its address as text, or null. */
  get ip () {
    // Routes have looked already.
    if (!hasHeaders(this.#req)) return plainAddress(this.#req.ip)
    return this.#trust.addressOf(this.peer, this.#header('x-forwarded-for'))
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

function peerOf (raw) {
  const socket = raw?.socket
  if (typeof socket?.remoteAddress === 'string') return socket.remoteAddress
  // A connection that is closed has forgotten its address, and is none of a unix socket.
  return socket?.destroyed === false ? '' : null
}

// ---- proxies -------------------------------------------------------------------------

/** Whose headers about the caller are believed. */
class ProxyTrust {
  #isUnix = false
  #networks = new BlockList()

  /** @param {string[]} names 'unix', 'loopback', addresses and networks, all valid (isProxy) */
  constructor (names) {
    for (const name of names) {
      if (name === 'unix') this.#isUnix = true
      else for (const network of name === 'loopback' ? LOOPBACK : [name]) this.#add(network)
    }
  }

  #add (network) {
    const [address, bits] = network.split('/')
    const [family, most] = isIP(address) === 4 ? ['ipv4', 32] : ['ipv6', 128]
    this.#networks.addSubnet(address, Number(bits ?? most), family)
  }

  believes (peer) {
    return peer === '' ? this.#isUnix : this.#has(plainAddress(peer))
  }

  #has (address) {
    return address !== null && this.#networks.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }

  /** From the end of the list, which the next proxy has written, to the first that is no proxy of ours. */
  addressOf (peer, forwarded) {
    let address = plainAddress(peer)
    if (forwarded === null || !this.believes(peer)) return address
    for (const text of forwarded.split(',').slice(-MOST_HOPS).reverse()) {
      const hop = plainAddress(text)
      if (hop === null) break
      address = hop
      if (!this.#has(hop)) break
    }
    return address
  }
}

/** Whether it is a name that ProxyTrust takes. */
function isProxy (name) {
  if (name === 'unix' || name === 'loopback') return true
  const [, address, bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(name) ?? []
  const family = isIP(address ?? '')
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 4 ? 32 : 128))
}

// ---- addresses -----------------------------------------------------------------------

/** An address without its zone; IPv4 in IPv6 as IPv4. Null: it is none. */
function plainAddress (text) {
  const address = String(text ?? '').slice(0, 100).trim().replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(address) === 0 ? null : address
}

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

module.exports = { ProxyTrust, Visitor, isProxy, isRequest, networkOf, plainAddress }
