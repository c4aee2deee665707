'use strict'

// Whose address is a request's, and whether what it says of another one is believed: only what a
// trusted proxy adds is, so a caller cannot choose an address. Routes and sessions ask here; the
// daemon's HTTP has the same in csrc/doors/http/caller.c.

const { builtin } = require('./builtin')
const { BlockList, isIP } = builtin('node:net')

const LOOPBACK = ['127.0.0.0/8', '::1/128']
// Proxies in a row: what is longer was not written by them.
const HOPS_MOST = 32
// What is longer is no address, nor one with a port.
const TEXT_MOST = 100
const FAMILY = { 4: 'ipv4', 6: 'ipv6' }
const BITS = { 4: 32, 6: 128 }

const UNIX = Object.freeze({ address: null, isUnix: true })
const UNKNOWN = Object.freeze({ address: null, isUnix: false })

/** Whose headers about the caller are believed. */
class ProxyTrust {
  #unix = false
  #networks = new BlockList()

  /** @param {string[]} names 'unix', 'loopback', addresses and networks, all valid (isProxy) */
  constructor (names) {
    for (const name of names) {
      if (name === 'unix') this.#unix = true
      else for (const network of name === 'loopback' ? LOOPBACK : [name]) this.#add(network)
    }
  }

  #add (network) {
    const [address, bits] = network.split('/')
    const family = isIP(address)
    this.#networks.addSubnet(address, Number(bits ?? BITS[family]), FAMILY[family])
  }

  /** @param {{ address: string|null, isUnix: boolean }} peer see peerAt */
  believes ({ address, isUnix }) {
    return isUnix ? this.#unix : address !== null && this.#covers(address)
  }

  #covers (address) {
    const family = isIP(address)
    return family !== 0 && this.#networks.check(address, FAMILY[family])
  }

  /**
   * The caller's address: from the end of the list, which the nearest proxy has written, to the first that is
   * no trusted proxy.
   *
   * @param {{ address: string|null, isUnix: boolean }} peer
   * @param {string} forwarded the header x-forwarded-for
   * @returns {string|null}
   */
  addressOf (peer, forwarded) {
    if (!this.believes(peer)) return peer.address
    let { address } = peer
    const hops = forwarded.split(',').slice(-HOPS_MOST)
    for (let i = hops.length - 1; i >= 0; i--) {
      const hop = plainAddress(hops[i])
      if (hop === null) break
      address = hop
      if (!this.#covers(hop)) break
    }
    return address
  }
}

/** Whether it is a name that ProxyTrust takes. @param {unknown} name */
function isProxy (name) {
  if (name === 'unix' || name === 'loopback') return true
  const [, address, bits] = (typeof name === 'string' && /^([^/]+)(?:\/(\d{1,3}))?$/.exec(name)) || []
  const family = isIP(address ?? '')
  return family !== 0 && (bits === undefined || Number(bits) <= BITS[family])
}

/**
 * The other end of a connection.
 *
 * @param {string|undefined|null} address as the runtime has it
 * @param {boolean} isUnix without one it is a unix socket, which has none
 */
function peerAt (address, isUnix) {
  if (!address) return isUnix ? UNIX : UNKNOWN
  return { address: withoutMap(address), isUnix: false }
}

// IPv4 in the clothes of IPv6.
function withoutMap (address) {
  return address.length > 7 && /^::ffff:\d+\./i.test(address) ? address.slice(7) : address
}

/** An address without port, brackets and zone, and as IPv4 where it is one; null: it is none. @param {unknown} text */
function plainAddress (text) {
  const given = String(text ?? '').slice(0, TEXT_MOST).trim()
  const [, bare = given] = /^\[([^\]]*)\](?::\d+)?$/.exec(given) ?? /^([\d.]+):\d+$/.exec(given) ?? []
  const address = withoutMap(bare.replace(/%.*$/, ''))
  return isIP(address) === 0 ? null : address
}

module.exports = { ProxyTrust, isProxy, peerAt, plainAddress }
