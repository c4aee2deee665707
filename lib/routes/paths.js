'use strict'

// Which paths are ours, and what may be done there: asked in front of every request, so that one
// that is none of ours goes on at once, with its body unread.

const { UndercroftError } = require('../base/errors')

// An address costs a look-up in Bun, and few want to know it: POSTs do, which are audited.
function asksIp ({ method, given, rate }) {
  return method === 'POST' || given === undefined || given.includes('ip') || rate?.by === 'ip'
}

// Of a GET or, sent to the wrong method, of a POST.
function secretsOf ({ params = [] }) {
  return params.filter(({ secret, header }) => secret === true && !header).map(({ name }) => name)
}

function decoded (text) {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

// One path: what is known of it, by method.
class Place {
  constructor (path) {
    this.path = path
    this.get = null
    this.post = null
    this.allow = ''
    // How many requests to go before the core is asked again to answer one at once, and how many it
    // was the last time that it would not.
    this.rest = 0
    this.pause = 0
    // Names of parameters that no line of a log shows.
    this.secrets = []
  }

  /** A target of this path as a line of a log may show it. */
  shown (target) {
    const question = target.indexOf('?')
    if (this.secrets.length === 0 || question < 0) return target
    const pairs = target.slice(question + 1).split('&').map((pair) => {
      const equals = pair.indexOf('=')
      const isSecret = equals > 0 && this.secrets.includes(decoded(pair.slice(0, equals)))
      return isSecret ? `${pair.slice(0, equals)}=[Redacted]` : pair
    })
    return target.slice(0, question + 1) + pairs.join('&')
  }

  /** The handler of one's own for a method, or null: the core's. */
  ownFor (method) {
    const route = method === 'POST' ? this.post : method === 'GET' || method === 'HEAD' ? this.get : null
    return route === null ? null : route.own
  }

  /** Whether the address of a GET's caller is asked for, or of any other's. */
  asksIp (method) {
    return (method !== 'GET' && method !== 'HEAD') || this.get === null || this.get.asksIp
  }

  /** No route of the core is here, so it is not asked. */
  get isOwn () {
    return (this.get === null || this.get.own !== null) && (this.post === null || this.post.own !== null)
  }
}

class Paths {
  #places = new Map()

  /**
   * @param {{ method: string, path: string }[]} routes of the core
   * @param {{ method: string, path: string }[]} own handlers
   * @throws {UndercroftError} UC_ROUTE where two are in one place
   */
  constructor (routes, own) {
    for (const route of routes) this.#add(route, null)
    for (const handler of own) this.#add(handler, handler)
    for (const place of this.#places.values()) place.allow = allowOf(place)
  }

  #add (route, own) {
    const { method, path } = route
    let place = this.#places.get(path)
    if (place === undefined) this.#places.set(path, place = new Place(path))
    const verb = method === 'POST' ? 'post' : 'get'
    if (place[verb] !== null) throw twice(method, path, place[verb].route)
    place.secrets.push(...secretsOf(route))
    place[verb] = { route, own, asksIp: asksIp(route) }
  }

  /**
   * As the core does: a path has one spelling, and so no escapes.
   *
   * @param {string} target
   * @returns {Place|undefined} undefined: none of ours
   */
  find (target) {
    const question = target.indexOf('?')
    const path = question < 0 ? target : target.slice(0, question)
    return this.#places.get(path)
  }

  get all () {
    return [...this.#places.keys()]
  }
}

function twice (method, path, { file, line }) {
  const other = file === undefined ? 'another handler of one\'s own' : `the route of ${file}:${line}`
  return new UndercroftError('UC_ROUTE', `routes: ${method} ${path}: the handler of one's own is in the place of ${other}`, { kind: 'usage', retryable: false })
}

function allowOf ({ get, post }) {
  if (post === null) return 'GET, HEAD'
  return get === null ? 'POST' : 'GET, HEAD, POST'
}

module.exports = { Paths }
