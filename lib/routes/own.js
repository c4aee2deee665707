'use strict'

// Handlers of one's own beside the routes of files: the same checks, the same answers. What they take
// is described by a schema that speaks Standard Schema (standardschema.dev).

const { UndercroftError, expected, describe } = require('../base/errors')
const { known } = require('../base/did-you-mean')
const { JSON_TYPE, NO_HEADERS, Refusal } = require('./answers')

const PROBLEMS_MOST = 100
const DEPTH_MOST = 8
const METHODS = { get: 'GET', post: 'POST' }

/**
 * @param {'get'|'post'} verb
 * @param {string} path
 * @param {{ schema?, public?, auth?, about? }} options
 * @param {Function} fn (value, context) -> what is answered
 */
function readOwn (verb, path, options, fn) {
  const what = `routes.${verb}`
  if (typeof path !== 'string' || !/^\/[^?#\s]*$/.test(path)) throw expected('UC_OPTION', `${what}: path`, "a path such as '/user/photo'", path)
  if (typeof fn !== 'function') throw expected('UC_OPTION', `${what}: handler`, 'a function: (value, context) => answer', fn)
  if (typeof options !== 'object' || options === null) throw expected('UC_OPTION', `${what}: options`, 'an object', options)
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw new UndercroftError('UC_OPTION', `${what}: unknown option ${describe(name)}; ${known(name, OPTIONS)}`)
  }
  const { schema = null, about = '' } = options
  if (schema !== null && typeof schema['~standard']?.validate !== 'function') throw expected('UC_OPTION', `${what}: option schema`, 'what speaks Standard Schema', schema)
  return { method: METHODS[verb], path, about, schema, fn, ...readAuth(what, options) }
}

const OPTIONS = ['schema', 'public', 'auth', 'about']

// As in a file, one of both has to be said.
function readAuth (what, { auth, public: isPublic = false }) {
  if (typeof isPublic !== 'boolean') throw expected('UC_OPTION', `${what}: option public`, 'true or false', isPublic)
  const roles = auth === true ? [] : auth
  if (isPublic === (roles !== undefined)) {
    throw new UndercroftError('UC_OPTION', `${what}: say who may: { public: true }, { auth: true } for anybody who is logged in, or { auth: ['editor'] }; and one of them`)
  }
  if (!isPublic && (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string'))) throw expected('UC_OPTION', `${what}: option auth`, 'true or a list of roles', auth)
  return { isPublic, roles: roles ?? [] }
}

/** The answer of a handler. Throws what the handler does, and Refusal. */
async function runOwn (own, exchange, body, facts) {
  if (exchange.method === 'POST') checkPost(exchange)
  admit(own, facts)
  const given = exchange.method === 'POST' ? readJson(body) : readQuery(exchange.target)
  const value = own.schema === null ? given : await validated(own.schema, given)
  const added = []
  const answer = await toAnswer(await own.fn(value, new HandlerContext(exchange, facts, added)))
  return added.length === 0 ? answer : { ...answer, headers: answer.headers.concat(added) }
}

function admit ({ isPublic, roles }, { user, roles: has }) {
  if (isPublic) return
  if (user === null) throw new Refusal('LOGIN')
  if (roles.length > 0 && !roles.some((role) => has.includes(role))) throw new Refusal('ROLE')
}

// As the core admits a POST: a page of another site can send one with our cookies, but neither of this
// type, without asking, nor with these headers as it likes.
function checkPost (exchange) {
  if (!isFromHere(exchange)) throw new Refusal('ORIGIN')
  if (!JSON_ONLY.test(exchange.header('content-type') ?? '')) throw new Refusal('PARAMS', 'content-type: must be application/json')
}

const JSON_ONLY = /^application\/json[ \t]*(;[ \t]*charset=("utf-8"|utf-8)[ \t]*)?$/i

function isFromHere (exchange) {
  const origin = exchange.header('origin')
  if (exchange.service.cors.has(origin)) return true
  const site = exchange.header('sec-fetch-site')
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  return origin === undefined || (/^https?:\/\//.test(origin) && hostOf(origin) === exchange.host)
}

function hostOf (origin) {
  return origin.slice(origin.indexOf('://') + 3)
}

function readJson (body) {
  if (body === null || body.length === 0) return {}
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new Refusal('PARAMS', 'body: not valid JSON')
  }
}

// Text alone; of several of one name a list.
function readQuery (target) {
  const out = { __proto__: null }
  const question = target.indexOf('?')
  if (question < 0) return out
  for (const [name, value] of new URLSearchParams(target.slice(question))) {
    const before = out[name]
    out[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value]
  }
  return out
}

async function validated (schema, given) {
  const result = await schema['~standard'].validate(given)
  if (result.issues === undefined) return result.value
  throw new Refusal('PARAMS', result.issues.slice(0, PROBLEMS_MOST).map(problem).join('\n'))
}

// `name: sentence`, on one line.
function problem ({ message, path = [] }) {
  const name = path.slice(0, DEPTH_MOST).map((part) => typeof part === 'object' && part !== null ? part.key : part).map(String).join('.')
  return `${name === '' ? '' : `${name}: `}${message}`.replace(/\s*[\r\n]+\s*/g, ' ')
}

async function toAnswer (value) {
  if (value === undefined) return { status: 200, type: '', headers: NO_HEADERS, body: '' }
  if (value instanceof Reply) return value
  if (value instanceof Response) return ofResponse(value)
  return { status: 200, type: JSON_TYPE, headers: NO_HEADERS, body: JSON.stringify(value) ?? 'null' }
}

async function ofResponse (response) {
  const { status, headers } = response
  return {
    status,
    type: headers.get('content-type') ?? '',
    headers: [...headers].filter(([name]) => name !== 'content-type' && name !== 'content-length').flat(),
    body: Buffer.from(await response.arrayBuffer())
  }
}

// An answer that is no JSON, made by a handler.
class Reply {
  constructor (body, { status = 200, type = 'application/octet-stream', headers = {} } = {}) {
    if (typeof type !== 'string' || !/^[\x20-\x7e]*$/.test(type)) throw expected('UC_OPTION', 'reply: option type', "a content type such as 'image/png'", type)
    if (!Number.isInteger(status) || status < 200 || status > 599) throw expected('UC_OPTION', 'reply: option status', 'an integer from 200 to 599', status)
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw expected('UC_OPTION', 'reply: body', 'a text or bytes', body)
    this.status = status
    this.type = type
    this.headers = Object.entries(headers).flatMap(([name, values]) => [values].flat().flatMap((value) => [name.toLowerCase(), String(value)]))
    this.body = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.length)
  }
}

/** What a handler knows of its request. */
class HandlerContext {
  #exchange
  #facts
  #added

  constructor (exchange, facts, added) {
    this.#exchange = exchange
    this.#facts = facts
    this.#added = added
  }

  get user () { return this.#facts.user }
  get roles () { return this.#facts.roles }
  get ip () { return this.#exchange.ip }
  get id () { return this.#facts.id }
  get method () { return this.#exchange.method }
  get target () { return this.#exchange.target }
  /** The caller's side is https, as far as we are told by who is trusted. */
  get isSecure () { return this.#exchange.isSecure }
  /** The request as the framework has it. */
  get raw () { return this.#exchange.raw }
  /** An AbortSignal: aborted when the caller hangs up. For calls, and for fetch. */
  get signal () { return this.#exchange.abortSignal }
  /** The value of a header by its name in lower case, or undefined. */
  header (name) { return this.#exchange.header(name) }

  /** One more header of the answer, such as a cookie. */
  set (name, value) {
    this.#added.push(String(name).toLowerCase(), String(value))
  }

  /** Ends it with 400 and this text. */
  refuse (text) {
    throw new Refusal('REFUSED', String(text))
  }

  /** Other than JSON: ctx.reply(bytes, { type: 'image/png' }). */
  reply (body, options) {
    return new Reply(body, options)
  }
}

module.exports = { readOwn, runOwn }
