'use strict'

// How often a password may be guessed: counted in the cache, and so for all processes that share it, by
//
//   pair   one name from one network    few tries: who has forgotten his password
//   name   one name from anywhere       more: many who guess one password do not lock its owner out
//   ip     any names from one network   more: an office behind one address
//
// After so many tries each further one is followed by a pause, twice as long as the one before. A count
// begins anew some time after its first try, or one that never rests would never be forgiven. Both are
// lifetimes of entries, which end by the core's own clock: nobody sets it.

const { builtin } = require('../../base/builtin')
const { createHash } = builtin('node:crypto')
const { UndercroftError } = require('../../../index.js')
const { plainAddress } = require('../../base/peer')
const { networkOf } = require('./request')

class Limit {
  #cache
  #options

  /**
   * @param {object} cache store.cache
   * @param {object} options see lib/kit/session/options.js
   */
  constructor (cache, options) {
    this.#cache = cache.namespace('undercroft.login')
    this.#options = options
  }

  /**
   * Counts a try before it is made, so that many at once are counted as well.
   *
   * @param {{ name?: string|null, ip?: string|null }} who
   * @returns {Promise<Try>}
   * @throws {UndercroftError} UC_RATE with `retryAfterMs`
   */
  async take ({ name = null, ip = null }) {
    const scopes = this.#scopes(name, networkOf(plainAddress(ip)))
    const pauses = await Promise.all(scopes.map(({ key }) => this.#cache.ttl(`pause ${key}`)))
    const longest = Math.max(0, ...pauses.filter(ms => ms !== undefined))
    if (longest > 0) throw refusal(longest)
    const taken = []
    for (const scope of scopes) {
      const pauseMs = await this.#count(scope)
      taken.push(scope)
      if (pauseMs === 0) continue
      await this.#undo(taken)
      throw refusal(pauseMs)
    }
    return new Try(() => this.#forgive(scopes), () => this.#undo(scopes))
  }

  // -> how long it has to wait; 0: not at all
  async #count ({ key, tries }) {
    const { perMs, pauseMs, maxPauseMs } = this.#options
    const n = await this.#cache.incr(key, 1, { ttlMs: perMs })
    if (n < tries) return 0
    const ttlMs = Math.min(maxPauseMs, pauseMs * 2 ** Math.min(30, n - tries))
    // One of those who come at the same moment begins the pause, and is let through.
    if (await this.#cache.compareAndSet(`pause ${key}`, undefined, true, { ttlMs })) return 0
    return ttlMs
  }

  // It was right: the name is free again. A network is not, or one account of one's own would be
  // enough to guess others for ever.
  async #forgive (scopes) {
    for (const { key, isOfNetwork } of scopes) {
      if (isOfNetwork) await this.#cache.incr(key, -1, { ttlMs: this.#options.perMs })
      else await Promise.all([this.#cache.delete(key), this.#cache.delete(`pause ${key}`)])
    }
  }

  async #undo (scopes) {
    for (const { key } of scopes) await this.#cache.incr(key, -1, { ttlMs: this.#options.perMs })
  }

  #scopes (name, network) {
    const { tries, triesOfName, triesOfIp } = this.#options
    // As short as a key has to be, and one for what people take for the same name.
    const who = name === null ? null : digest(name.normalize('NFKC').trim().toLowerCase())
    return [
      who !== null && { key: `pair ${who} ${network ?? '-'}`, tries },
      who !== null && { key: `name ${who}`, tries: triesOfName },
      network !== null && { key: `ip ${network}`, tries: triesOfIp, isOfNetwork: true }
    ].filter(Boolean)
  }
}

/** A try that is counted. */
class Try {
  #forgive
  #undo

  constructor (forgive, undo) {
    this.#forgive = forgive
    this.#undo = undo
  }

  /** It was right. */
  succeed () {
    return this.#forgive()
  }

  /** It was none: nobody looked at the password. */
  undo () {
    return this.#undo()
  }
}

function digest (text) {
  return createHash('sha256').update(text.toWellFormed()).digest('base64url')
}

function refusal (ms) {
  const retryAfterMs = Math.ceil(ms)
  const err = new UndercroftError('UC_RATE', `too many tries: again in ${Math.ceil(retryAfterMs / 1000)} s`, { outcome: 'not-run' })
  err.retryAfterMs = retryAfterMs
  return err
}

module.exports = { Limit }
