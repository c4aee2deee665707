'use strict'

// Password hashes as text, by the PHC string format:
//
//   $argon2id$v=19$m=19456,t=2,p=1$salt$hash      m in KiB
//   $scrypt$ln=17,r=8,p=1$salt$hash               N = 2^ln
//
// A hash comes from a database, and its parameters say how much memory and time are taken: those
// beyond MOST are refused before anything is computed.

const { UndercroftError } = require('../../../index.js')

const ARGON2_VERSION = 19
// More than the longest that is read.
const MOST_CHARACTERS = 400
const SALT_BYTES = [8, 64]
const HASH_BYTES = [16, 64]
const MOST_MEMORY = 1024 * 1024 * 1024

// OWASP's password storage cheat sheet (2023 and since) has a row of settings that are as good as each
// other: argon2id m=47104,t=1 down to m=7168,t=5; scrypt 2^17,8,1 down to 2^13,8,10. `preset` is
// the one it names first, `isStrong` holds for each of the row.
const kinds = {
  __proto__: null,
  argon2id: {
    names: ['m', 't', 'p'],
    ranges: { m: [8, 2 ** 20], t: [1, 64], p: [1, 16] },
    preset: { m: 19456, t: 2, p: 1 },
    fits: ({ m, p }) => m >= 8 * p,
    isStrong: ({ m, t }) => m >= 7168 && m * t >= 35840
  },
  scrypt: {
    names: ['ln', 'r', 'p'],
    ranges: { ln: [1, 20], r: [1, 64], p: [1, 32] },
    preset: { ln: 17, r: 8, p: 1 },
    fits: ({ ln, r }) => 128 * r * 2 ** ln <= MOST_MEMORY,
    isStrong: ({ ln, r, p }) => ln >= 13 && r >= 8 && 2 ** ln * r * p >= 655360
  }
}

/** Whether these are parameters of that kind, of a size that is computed here. */
function isSound (kind, params) {
  const { names, ranges, fits } = kinds[kind]
  return names.every(name => {
    const [least, most] = ranges[name]
    return Number.isInteger(params[name]) && params[name] >= least && params[name] <= most
  }) && fits(params)
}

/** @param {{ kind: string, params: object, salt: Buffer, hash: Buffer }} parts */
function format ({ kind, params, salt, hash }) {
  const version = kind === 'argon2id' ? `$v=${ARGON2_VERSION}` : ''
  const list = kinds[kind].names.map(name => `${name}=${params[name]}`).join(',')
  return `$${kind}${version}$${list}$${encode(salt)}$${encode(hash)}`
}

const PATTERN = /^\$(argon2id|scrypt)(?:\$v=(\d{1,3}))?\$([a-z0-9=,]+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

/**
 * @param {string} text
 * @returns {{ kind: string, params: object, salt: Buffer, hash: Buffer }}
 * @throws {UndercroftError} UC_OPTION. The text is not part of the message: it is a secret
 */
function parse (text) {
  const match = typeof text === 'string' && text.length <= MOST_CHARACTERS ? PATTERN.exec(text) : null
  if (match === null) throw wrong('expected a PHC string of argon2id or scrypt')
  const [, kind, version, list, salt, hash] = match
  if (version !== (kind === 'argon2id' ? String(ARGON2_VERSION) : undefined)) throw wrong(`this version of ${kind} is not known`)
  const parts = { kind, params: readParams(kind, list), salt: decode(salt), hash: decode(hash) }
  if (!isWithin(parts.salt, SALT_BYTES) || !isWithin(parts.hash, HASH_BYTES)) throw wrong('its salt or its hash is too short or too long')
  if (!isSound(kind, parts.params)) throw wrong(`its parameters (${list}) are beyond what is computed`)
  return parts
}

function readParams (kind, list) {
  const { names } = kinds[kind]
  const pairs = list.split(',')
  const params = {}
  for (const [i, name] of names.entries()) {
    const [, digits] = new RegExp(`^${name}=([1-9]\\d{0,9})$`).exec(pairs[i]) ?? []
    if (digits === undefined || pairs.length !== names.length) throw wrong(`the parameters of ${kind} are ${names.join(', ')}`)
    params[name] = Number(digits)
  }
  return params
}

function isWithin ({ length }, [least, most]) {
  return length >= least && length <= most
}

function encode (bytes) {
  return bytes.toString('base64').replace(/=+$/, '')
}

// One text for each hash: no bits are left over.
function decode (text) {
  const bytes = Buffer.from(text, 'base64')
  if (encode(bytes) !== text) throw wrong('its base64 is not the shortest')
  return bytes
}

function wrong (why) {
  return new UndercroftError('UC_OPTION', `the hash of a password: ${why}`)
}

module.exports = { format, isSound, kinds, parse }
