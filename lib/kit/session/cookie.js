'use strict'

// The session's cookie: read strictly, since whoever can set a cookie for a neighbour of this host
// (another subdomain, a page without TLS) can set one of our name beside ours.

// What Node takes as a whole header block is 16 KiB.
const MOST_CHARACTERS = 32 * 1024

// 32 bytes as base64url.
const TOKEN = /^[A-Za-z0-9_-]{43}$/

/**
 * The token under that name; null where there is none, where it is none of ours, or where there are
 * two of the name that differ: then nobody knows which of them is the user's.
 *
 * @param {string|null|undefined} header of name=value pairs between semicolons (RFC 6265, 4.2.1)
 * @param {string} name
 */
function readToken (header, name) {
  if (typeof header !== 'string' || header.length > MOST_CHARACTERS) return null
  let found = null
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at < 0 || trim(pair.slice(0, at)) !== name) continue
    const token = unquoted(trim(pair.slice(at + 1)))
    if (!TOKEN.test(token) || (found !== null && found !== token)) return null
    found = token
  }
  return found
}

// Blanks and tabs alone: what else String.trim takes is part of a value. By hand, since a pattern
// for the blanks of the end looks at each run of blanks many times.
function trim (text) {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text[from])) from++
  while (from < to && isBlank(text[to - 1])) to--
  return text.slice(from, to)
}

function isBlank (character) {
  return character === ' ' || character === '\t'
}

function unquoted (value) {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}

/**
 * The name in use: a browser takes one with __Host- from this host alone, over TLS and for all of its paths.
 *
 * @param {string} name
 * @param {boolean} isSecure
 */
function nameOf (name, isSecure) {
  return isSecure ? `__Host-${name}` : name
}

/** A Set-Cookie header. @param {number} seconds 0: the cookie is deleted */
function writeCookie (name, token, seconds, isSecure) {
  return `${nameOf(name, isSecure)}=${token}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
}

module.exports = { TOKEN, nameOf, readToken, writeCookie }
