'use strict'

// Passwords: their hashes, made and compared off the event loop. Nothing here puts a password, or a
// hash of one, into a message.

const { builtin } = require('../../base/builtin')
const crypto = builtin('node:crypto')
const { UndercroftError } = require('../../../index.js')
const { HashQueue } = require('./queue')
const { format, kinds, parse } = require('./phc')

const SALT_BYTES = 16
const HASH_BYTES = 32
// Of what is typed, in characters. NIST SP 800-63B wants at least 64 to be taken; more than this is no
// password but an attempt to keep us busy.
const MOST_CHARACTERS = 1024

// Since Node 24.7, in recent Bun, and not where Node was linked with an OpenSSL older than 3.2.
const hasArgon2 = (() => {
  try {
    crypto.argon2Sync('argon2id', { message: 'x', nonce: Buffer.alloc(8), parallelism: 1, tagLength: 16, memory: 8, passes: 1 })
    return true
  } catch {
    return false
  }
})()

const derivations = {
  __proto__: null,
  argon2id (message, { params: { m, t, p }, salt }, length, done) {
    crypto.argon2('argon2id', { message, nonce: salt, parallelism: p, tagLength: length, memory: m, passes: t }, done)
  },
  scrypt (message, { params: { ln, r, p }, salt }, length, done) {
    const N = 2 ** ln
    // What OpenSSL counts, and a little: its default would refuse what OWASP recommends.
    crypto.scrypt(message, salt, length, { N, r, p, maxmem: 128 * r * (N + p + 2) + 1024 }, done)
  }
}

function derive (message, parts, length) {
  return new Promise((resolve, reject) => {
    derivations[parts.kind](message, parts, length, (err, key) => err ? reject(err) : resolve(key))
  })
}

class Passwords {
  #options
  #queue

  /** @param {object} options what readPasswords (options.js) made of the caller's */
  constructor (options) {
    this.#options = options
    this.#queue = new HashQueue(options)
  }

  /**
   * A new hash of it, as PHC string.
   *
   * @param {string} password
   * @throws {UndercroftError} UC_PASSWORD with a sentence for who typed it; UC_BUSY, UC_TIMEOUT
   */
  async hash (password) {
    const { kind, params, minLength } = this.#options
    const problem = problemOf(password, minLength)
    if (problem !== null) throw new UndercroftError('UC_PASSWORD', `password: ${problem}`, { param: 'password' })
    const salt = crypto.randomBytes(SALT_BYTES)
    const hash = await this.#queue.run(() => derive(bytesOf(password), { kind, params, salt }, HASH_BYTES))
    return format({ kind, params, salt, hash })
  }

  /**
   * Whether it is the password; and whether its hash is to be made again, since it is weaker than
   * those that are made now.
   *
   * @param {string} password
   * @param {string} phc
   * @returns {Promise<{ ok: boolean, rehash: boolean }>}
   * @throws {UndercroftError} UC_OPTION for a hash that cannot be computed here; UC_BUSY, UC_TIMEOUT
   */
  async verify (password, phc) {
    const parts = parse(phc)
    if (parts.kind === 'argon2id' && !hasArgon2) {
      throw new UndercroftError('UC_OPTION', "the hash of a password: this runtime has no argon2id; where several share a database, give all of them { algorithm: 'scrypt' }")
    }
    if (problemOf(password, 1) !== null) return { ok: false, rehash: false }
    const found = await this.#queue.run(() => derive(bytesOf(password), parts, parts.hash.length))
    const ok = crypto.timingSafeEqual(found, parts.hash)
    return { ok, rehash: ok && this.#isWeaker(parts) }
  }

  /** A hash that no password has, and that takes as long to look at as a new one. */
  nobody () {
    const { kind, params } = this.#options
    return format({ kind, params, salt: crypto.randomBytes(SALT_BYTES), hash: crypto.randomBytes(HASH_BYTES) })
  }

  #isWeaker ({ kind, params }) {
    if (kind !== this.#options.kind) return true
    return kinds[kind].names.some(name => params[name] < this.#options.params[name])
  }
}

// Why it is none, as a sentence without it; null: it is one.
function problemOf (password, least) {
  if (typeof password !== 'string') return 'must be a text'
  if (password.length > 2 * MOST_CHARACTERS) return `must have at most ${MOST_CHARACTERS} characters`
  // A lone surrogate has no bytes: all of them would become the same replacement character.
  if (!password.isWellFormed()) return 'must be well-formed text'
  const { length } = Array.from(password)
  if (length < least) return `must have at least ${least} characters`
  return length > MOST_CHARACTERS ? `must have at most ${MOST_CHARACTERS} characters` : null
}

// NFKC, as NIST SP 800-63B has it: what two keyboards write differently and is read as the same text
// (é in one or two code points, full-width letters) is the same password.
function bytesOf (password) {
  return Buffer.from(password.normalize('NFKC'))
}

module.exports = { Passwords, hasArgon2 }
