'use strict'

// What pages of other origins may do: those on the list, with credentials, and never `*`. The
// answer names the origin that asked, so it varies with it.

const MAX_AGE = '600'
// What a browser lets nobody set, or what needs no leave.
const NEVER_ASKED = new Set(['host', 'origin', 'sec-fetch-site', 'if-none-match'])

class Cors {
  #origins

  /** @param {string[]} origins */
  constructor (origins) {
    this.#origins = new Set(origins)
  }

  has (origin) {
    return origin !== undefined && this.#origins.has(origin)
  }

  /** The answer with what its reader's browser has to see. */
  dress (answer, exchange) {
    if (this.#origins.size === 0) return answer
    const origin = exchange.header('origin')
    const headers = answer.headers.concat('vary', 'origin')
    if (this.has(origin)) {
      headers.push('access-control-allow-origin', origin, 'access-control-allow-credentials', 'true',
        'access-control-expose-headers', 'x-request-id, etag')
    }
    return { ...answer, headers }
  }

  /** OPTIONS: what may be done at a path, and a preflight's answer. */
  options (exchange) {
    const { allow } = exchange.place
    const headers = ['allow', `${allow}, OPTIONS`]
    if (this.has(exchange.header('origin')) && exchange.header('access-control-request-method') !== undefined) {
      headers.push('access-control-allow-methods', allow,
        'access-control-allow-headers', allowed(exchange.set.names), 'access-control-max-age', MAX_AGE)
    }
    return { status: 204, type: '', headers, body: '' }
  }
}

function allowed (names) {
  return [...new Set(['content-type', 'idempotency-key', 'x-request-id', ...names])].filter((name) => !NEVER_ASKED.has(name)).join(', ')
}

module.exports = { Cors }
