'use strict'

// From a request to its answer, the same behind every door:
//
//   place ── body ── who it is ──> the core, or a handler of one's own ──> answer
//
// Nothing here throws to a door: what goes wrong becomes an answer, and a line of the log.

const { expected } = require('../base/errors')
const { Refusal, answerFor, sendable } = require('./answers')
const { Cors } = require('./cors')
const { Requester } = require('./exchange')
const { runOwn } = require('./own')
const { Sets, closed } = require('./sets')

const NO_ROLES = Object.freeze([])
const ROLES_MOST = 1000
// Requests to a path.
const PAUSE_MOST = 15
// Answers on this thread in one turn of the event loop, before one comes by the next. From half of them
// on it is looked whether the turn is another one.
const AT_ONCE = 64

class RouteService {
  #core
  #cors
  #user
  #audits
  #options
  #timeoutMs
  #atOnce = 0
  #onTurn = () => { this.#atOnce = 0 }
  #files
  #ready = null
  // The first load failed for a reason that may have passed.
  #mayRetry = false
  // Errors that have their line.
  #logged = new WeakSet()

  /**
   * @param {{ send: Function, log: () => object|null }} core send(op, args, { timeoutMs, signal })
   *   brings the reply of an operation by its name; of request that is an answer
   * @param {Array} files see files.js
   * @param {object} options see options.js
   */
  constructor (core, files, options) {
    this.#core = core
    this.#files = files
    this.#options = options
    this.#user = options.user
    this.#audits = options.audit
    this.#cors = new Cors(options.origins)
    this.#timeoutMs = options.timeoutMs
    this.trust = options.trustProxy
    this.access = options.log === true ? core.log() : options.log
    const { bodyMost, origins, cacheBytes, check } = options
    this.sets = new Sets(core.send, options.inline ? core.now ?? null : null, { fine: this.isFine, bodyMost, origins, cacheBytes, check })
    this.#begin()
  }

  get isFine () { return this.#options.statuses === 'fine' }
  get bodyMost () { return this.#options.bodyMost }
  get log () { return this.access ?? this.#core.log() }
  get ready () { return this.#ready }
  get cors () { return this.#cors }

  #begin () {
    this.#mayRetry = false
    this.#ready = this.sets.load(this.#files)
    this.#ready.catch((err) => {
      this.#mayRetry = err.kind !== 'usage' && err.code !== 'UC_ROUTE'
      if (err.code !== 'UC_CLOSED') this.report(err, { msg: 'routes: not loaded' })
    })
  }

  /** Loads other files; the old ones go on until that is done, and when it cannot be. */
  async reload (files) {
    await this.sets.load(files)
    this.#files = files
  }

  get files () { return this.#files }

  // The set that serves, or a promise of it.
  #serving () {
    if (this.sets.isClosed) throw closed()
    if (this.sets.current === null && this.#mayRetry) this.#begin()
    return this.sets.current ?? this.#ready
  }

  /** false: it is known already that the target is none of ours. */
  claims (exchange) {
    const set = this.sets.current
    if (set === null) return true
    exchange.set = set
    exchange.place = set.paths.find(exchange.target)
    return exchange.place !== undefined
  }

  /**
   * @param {Exchange} exchange
   * @returns {object|null|Promise<object|null>} the answer, without a promise where nothing had to be
   *   waited for; null: there is no such route, and the body is unread
   */
  answer (exchange) {
    let answer
    try {
      if (exchange.set === null) return this.#later(this.#loaded(exchange), exchange)
      if (exchange.place === undefined) return null
      answer = this.#run(exchange)
    } catch (err) {
      return this.#over(exchange, null, err)
    }
    return answer instanceof Promise ? this.#later(answer, exchange) : this.#over(exchange, answer)
  }

  async #loaded (exchange) {
    exchange.begin()
    await this.#serving()
    return this.claims(exchange) ? this.#run(exchange) : null
  }

  async #later (promise, exchange) {
    let answer
    try {
      answer = await promise
    } catch (err) {
      return this.#over(exchange, null, err)
    }
    return answer === null ? null : this.#over(exchange, answer)
  }

  // The answer as the door is to send it.
  #over (exchange, answer, err) {
    if (answer?.status === 0) return null
    if (answer !== null && answer.headers.length > 0 && answer.isTagged !== true) {
      try {
        answer = sendable(answer)
      } catch (why) {
        answer = null
        err = why
      }
    }
    let audit = answer?.audit
    if (answer === null) {
      answer = this.failed(err, exchange)
      audit = err?.audit
    }
    if (exchange.method === 'POST' && this.#audits) this.#audit(exchange, answer.status, audit)
    return this.#cors.dress(answer, exchange)
  }

  #run (exchange) {
    const { method, place } = exchange
    if (method === 'OPTIONS') return this.#cors.options(exchange)
    const own = place.ownFor(method)
    if (own !== null) exchange.begin()
    if ((method === 'GET' || method === 'HEAD') && exchange.hasBody) throw new Refusal('PARAMS', 'body: a GET takes none')
    if (own === null && place.isOwn) throw new Refusal('METHOD', undefined, ['allow', place.allow])
    if (method !== 'POST' && this.#user === null && exchange.known === null) return this.#go(exchange, own, null, anonymous(exchange))
    return this.#prepare(exchange, own)
  }

  // What has to be waited for first.
  async #prepare (exchange, own) {
    exchange.begin()
    const body = exchange.method === 'POST' && exchange.place.post !== null ? await exchange.body(this.bodyMost) : null
    const facts = exchange.known ?? (this.#user === null ? anonymous(exchange) : await this.#identify(exchange))
    return this.#go(exchange, own, body, facts)
  }

  async #identify (exchange) {
    const found = await this.#user(new Requester(exchange))
    if (found === null || found === undefined || found === false) return anonymous(exchange)
    return { ...readUser(found), ip: addressOf(exchange), id: exchange.id }
  }

  #go (exchange, own, body, facts) {
    exchange.facts = facts
    if (own !== null) return runOwn(own, exchange, body, facts)
    const { method, target, set } = exchange
    if (method === 'POST' && this.#audits) facts = { ...facts, audit: true }
    // HEAD is GET but for the body, which the door leaves out.
    const args = [null, method === 'HEAD' ? 'GET' : method, target, exchange.pick(method === 'POST' ? set.names : set.namesOfGet), body, facts]
    if (method !== 'POST') {
      const answer = this.#now(exchange, args)
      if (answer !== null) return answer
    }
    exchange.begin()
    const { signal } = exchange
    return this.sets.request(set, args, this.#timeoutMs === undefined ? { signal } : { timeoutMs: this.#timeoutMs, signal })
  }

  // What takes no time the core answers on this thread. Where it did not it is not asked for a while.
  // Nor is it always: who awaits one answer after the other never comes back to the event loop when
  // all of them are there at once, and its timers and sockets would wait for ever.
  #now ({ place, set, takeBody }, args) {
    if (place.rest > 0) {
      place.rest--
      return null
    }
    if (++this.#atOnce > AT_ONCE) {
      this.#atOnce = 0
      return null
    }
    if (this.#atOnce === AT_ONCE / 2) setImmediate(this.#onTurn)
    const answer = this.sets.requestNow(set, args, this.#timeoutMs, takeBody)
    place.pause = answer === null ? Math.min(2 * place.pause + 1, PAUSE_MOST) : 0
    place.rest = place.pause
    return answer
  }

  /** The answer where there is no route. */
  nowhere (exchange) {
    return this.#cors.dress(answerFor(new Refusal('NO_ROUTE'), this.isFine), exchange)
  }

  /** The answer for an error, which has its line then. */
  failed (err, exchange) {
    const answer = answerFor(err, this.isFine)
    const isLate = exchange?.signal?.aborted === true
    if (answer.status >= 500 && !isLate) {
      const { id, method } = exchange ?? {}
      this.report(err, { reqId: id, method, url: exchange === undefined ? undefined : shown(exchange), msg: 'request failed', isMinor: answer.status === 503 })
    }
    return answer
  }

  /** A line for an error, once. */
  report (err, { msg, isMinor = false, ...fields }) {
    if (typeof err === 'object' && err !== null) {
      if (this.#logged.has(err)) return
      this.#logged.add(err)
    }
    const { log } = this
    if (log === null) return
    if (isMinor) log.warn({ ...fields, err }, msg)
    else log.error({ ...fields, err }, msg)
  }

  /** Whether it matters how long a request takes. */
  times (method) {
    return this.access !== null || (method === 'POST' && this.#audits)
  }

  // A line for a POST: who did what. The core knows it best; of a handler of one's own what was sent
  // is not known, since nothing says what of it is secret.
  #audit (exchange, status, text) {
    const { log } = this
    if (log === null || exchange.place?.post == null) return
    const { route, user = exchange.facts?.user ?? null, params, changes } = text === undefined ? { route: exchange.place.path } : JSON.parse(text)
    log.info({ reqId: exchange.id, route, user, ip: exchange.ip, params, status, changes, ms: since(exchange) }, 'audit')
  }

  /** A line for a request that is over, as log.http writes them. */
  line (exchange, status, bytes, aborted = false) {
    const { access } = this
    const ms = since(exchange)
    const fields = { reqId: exchange.id, method: exchange.method, url: shown(exchange), status, ms }
    if (bytes > 0) fields.bytes = bytes
    if (aborted) access.warn(fields, 'request aborted')
    else if (status >= 500) access.error(fields, 'request done')
    else access.info(fields, 'request done')
  }
}

function shown ({ place, url, target }) {
  const whole = url ?? target
  return place === undefined ? whole : place.shown(whole)
}

function since ({ began }) {
  return Math.round((performance.now() - began) * 1000) / 1000
}

function anonymous (exchange) {
  return { user: null, roles: NO_ROLES, ip: addressOf(exchange), id: exchange.id }
}

function addressOf (exchange) {
  return exchange.place.asksIp(exchange.method) ? exchange.ip : null
}

/** { user, roles } as the core takes them. */
function readUser ({ user = null, roles = NO_ROLES }) {
  const isUser = user === null || typeof user === 'string' || Number.isSafeInteger(user) || typeof user === 'bigint'
  if (!isUser) throw expected('UC_OPTION', 'routes: user', 'a text, an integer or null', user)
  if (!Array.isArray(roles) || roles.length > ROLES_MOST || !roles.every((role) => typeof role === 'string')) {
    throw expected('UC_OPTION', 'routes: roles', `a list of at most ${ROLES_MOST} texts`, roles)
  }
  return { user, roles }
}

module.exports = { RouteService, readUser }
