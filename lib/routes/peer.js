'use strict'

// Whose address is a request's, and whether what it says of another one is believed: only what a
// trusted proxy adds is, so a caller cannot choose an address.

const { builtin } = require('../base/builtin')
const { BlockList, isIP } = builtin('node:net')
const { expected } = require('../base/errors')

const LOOPBACK = ['127.0.0.0/8', '::1/128']
// Proxies in a row: what is longer was not written by them.
const HOPS_MOST = 32
// IPv4 in the clothes of IPv6.
const MAPPED = '::ffff:'
const FAMILY = { 4: 'ipv4', 6: 'ipv6' }
const BITS = { 4: 32, 6: 128 }

class Trust {
  #unix = false
  #networks = new BlockList()

  /** @param {string[]} names 'loopback', 'unix', addresses and networks, all valid */
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

  /** @param {{ address: string|null, isUnix: boolean }} peer address null: not known */
  believes ({ address, isUnix }) {
    return isUnix ? this.#unix : address !== null && this.#covers(address)
  }

  #covers (address) {
    const family = isIP(address)
    return family !== 0 && this.#networks.check(address, FAMILY[family])
  }

  /**
   * The caller's address: from the end of the list to the first that is no trusted proxy.
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
      const hop = plain(hops[i].trim())
      if (hop === null) break
      address = hop
      if (!this.#covers(hop)) break
    }
    return address
  }
}

const UNIX = Object.freeze({ address: null, isUnix: true })
const UNKNOWN = Object.freeze({ address: null, isUnix: false })

/**
 * The other end of a connection.
 *
 * @param {string|undefined|null} address as the runtime has it
 * @param {boolean} isUnix it may be a unix socket, which has no address
 */
function peerAt (address, isUnix) {
  if (!address) return isUnix ? UNIX : UNKNOWN
  return { address: address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address, isUnix: false }
}

/**
 * An address without a port and as IPv4 where it is one; null for what is none.
 *
 * @param {string} text
 */
function plain (text) {
  const [, bare = text] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text) ?? []
  const address = bare.startsWith(MAPPED) && isIP(bare.slice(MAPPED.length)) === 4 ? bare.slice(MAPPED.length) : bare
  return isIP(address) === 0 ? null : address
}

function isNetwork (text) {
  const [, address, bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = address === undefined ? 0 : isIP(address)
  return family !== 0 && (bits === undefined || Number(bits) <= BITS[family])
}

/** The option trustProxy. */
function readTrust (v, what) {
  const names = v === false ? [] : Array.isArray(v) ? v : [v]
  for (const name of names) {
    if (name === 'loopback' || name === 'unix' || (typeof name === 'string' && isNetwork(name))) continue
    throw expected('UC_OPTION', what, "'loopback', 'unix', a network such as '10.0.0.0/8', a list of them, or false", name)
  }
  return new Trust(names)
}

module.exports = { Trust, peerAt, plain, readTrust }
