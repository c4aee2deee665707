'use strict'

// One request on its way, whatever the door. A door's own class says how its headers, its body and
// its peer are read, and how the answer is written.

const { requestId } = require('../base/request-id')

/**
 * A door gives:
 *   header(name)   the value of a header of the request by its name in lower case, or undefined; of
 *                  several of one name all, with ', ' between them
 *   body(most)     a promise of the bytes of a POST; rejects with Refusal BODY_SIZE
 *   peer           { address: string|null, isUnix }, see peerAt
 *   isEncrypted    whether it came by TLS
 *   begin()        it has to be waited for: signal is there from now on. Nothing when it is called again
 *   signal         aborted when the caller hangs up
 *   takeBody       static: (buffer, from, to) -> the body of an answer, see answerOf of wire/decode.js
 *   subject        what stands for the request where others know it
 *   raw            what user() and handlers are given as such
 */
class Exchange {
  #id = ''
  // undefined: not asked for; null: not known.
  #ip = undefined

  /**
   * @param {RouteService} service
   * @param {string} method
   * @param {string} target /path?query
   */
  constructor (service, method, target) {
    this.service = service
    this.method = method
    this.target = target
    this.began = service.times(method) ? performance.now() : 0
    // Who asks, where that is known without asking: { user, roles, ip, id }.
    this.known = null
    // And who it was, once that is known.
    this.facts = null
    // What serves it, once that is known.
    this.set = null
    this.place = undefined
  }

  takeBody (b, from, to) {
    return copyOf(b, from, to)
  }

  get id () {
    if (this.#id === '') this.#id = requestId(this.subject, this.header('x-request-id'))
    return this.#id
  }

  get ip () {
    if (this.#ip === undefined) this.#ip = this.#address()
    return this.#ip
  }

  #address () {
    const { peer } = this
    const forwarded = this.header('x-forwarded-for')
    return forwarded === undefined ? peer.address : this.service.trust.addressOf(peer, forwarded)
  }

  /** The headers of these names, name and value in turn. */
  pick (names) {
    const out = []
    for (const name of names) {
      const value = name === 'host' ? this.host : this.header(name)
      if (value !== undefined) out.push(name, asBytes(value))
    }
    return out
  }

  /** As the caller has called us, where a proxy in front says it and is trusted. */
  get host () {
    const forwarded = this.header('x-forwarded-host')
    return forwarded !== undefined && this.service.trust.believes(this.peer) ? forwarded : this.header('host')
  }

  /** One was announced, whatever the method. */
  get hasBody () {
    const length = this.header('content-length')
    return (length !== undefined && length !== '0') || this.header('transfer-encoding') !== undefined
  }

  get isSecure () {
    return this.isEncrypted || (this.header('x-forwarded-proto') === 'https' && this.service.trust.believes(this.peer))
  }
}

function copyOf (b, from, to) {
  const copy = Buffer.allocUnsafe(to - from)
  b.copy(copy, 0, from, to)
  return copy
}

// HTTP's bytes, of which servers make a character each, are UTF-8 to the core.
function asBytes (text) {
  return BEYOND_ASCII.test(text) ? Buffer.from(text, 'latin1').toString() : text
}

const BEYOND_ASCII = /[\x80-\xff]/

/** What the option user is given: the same behind every door. */
class Requester {
  #exchange

  constructor (exchange) {
    this.#exchange = exchange
  }

  get method () { return this.#exchange.method }
  get target () { return this.#exchange.target }
  get ip () { return this.#exchange.ip }
  get id () { return this.#exchange.id }
  get isSecure () { return this.#exchange.isSecure }
  /** The request as the framework has it. */
  get raw () { return this.#exchange.raw }
  /** The value of a header by its name in lower case, or undefined. */
  header (name) { return this.#exchange.header(name) }
}

module.exports = { Exchange, Requester, asBytes, copyOf }
