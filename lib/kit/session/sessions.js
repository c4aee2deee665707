'use strict'

// Sessions: rows of the table `session` (migration.js), read through the cache.
//
//   browser ── cookie: token ──> sha-256 ──> id, and its first 64 bits: the row's key
//                                             │
//   of(req) ──> cache.wrap, tied to that row ─┴─> the row      a commit that changes it, in any
//                                                              process, drops what was cached
//
// The key is made of the id, so that the row is known before it has been read: what is cached is
// tied to this row alone, and a login drops nobody else's.
//
// Times are of the wall clock, since they outlive processes. It may be set: a row that was seen in the
// future is brought back to now, and so lives no longer than one of now.

const { builtin } = require('../../base/builtin')
const { createHash, randomBytes } = builtin('node:crypto')
const { UndercroftError } = require('../../../index.js')
const { TOKEN, nameOf, readToken, writeCookie } = require('./cookie')
const { Visitor, isRequest } = require('./request')
const { Limit } = require('./limit')
const { Passwords } = require('./password')

const TOKEN_BYTES = 32
const NAME_CHARACTERS = 200
const ROLES = 64
const ROLE_BYTES = 64
const USER_BYTES = 200
// A new session deletes so many that are over: the table shrinks faster than it grows, in small steps.
const SWEPT_BY_ONE = 4
const SWEPT_AT_ONCE = 500
// What cannot be written now is tried again after so long, not by each request.
const REST_MS = 1000
// What is cached is asked for by then, or read again.
const CACHED_MS = 10 * 60_000
// A process that is stopped while it reads a row does not hold up the others for longer.
const READ_MS = 5000

const sql = {
  read: 'select "user", roles, created, seen, expires from session where key = ? and id = ?',
  insert: 'insert into session(key, id, "user", roles, created, seen, expires, ip, agent) values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  touch: `update session set seen = :now, created = min(created, :now), expires = min(:now + :idle, min(created, :now) + :absolute)
    where key = :key and id = :id and (seen <= :now - :touch or seen > :now)`,
  list: 'select lower(hex(id)) as id, created, seen, expires, ip, agent from session where "user" = ? and expires > ? order by seen desc, key limit ?',
  crowd: 'delete from session where "user" = :user and key not in (select key from session where "user" = :user order by seen desc, key limit :most)',
  end: 'delete from session where key = ? and id = ?',
  endOf: 'delete from session where key = ? and id = ? and "user" = ?',
  endOthers: 'delete from session where "user" = ? and key <> ?',
  endAll: 'delete from session where "user" = ?',
  setRoles: 'update session set roles = ? where "user" = ?',
  sweep: 'delete from session where key in (select key from session where expires <= ? order by expires limit ?)'
}

class Sessions {
  #db
  #cache
  #options
  #passwords
  #touching = new Set()
  #restsUntil = 0

  /**
   * @param {Store} store
   * @param {object} options what readOptions made of the caller's
   */
  constructor (store, options) {
    this.#db = store.db
    this.#cache = store.cache
    this.#options = options
    this.#passwords = new Passwords(options.passwords)
    /** How often a password may be guessed; null: as often as one likes. */
    this.limit = options.limit === null ? null : new Limit(store.cache, options.limit)
  }

  // ---- passwords ---------------------------------------------------------------

  hash (password) {
    return this.#passwords.hash(password)
  }

  verify (password, phc) {
    return this.#passwords.verify(password, phc)
  }

  // ---- login and logout --------------------------------------------------------

  /**
   * A new session for who knows the password; null: the name or the password is wrong, and nobody is
   * told which.
   *
   * @param {object} req of node:http or of fetch
   * @param {{ name: unknown, password: unknown }} credentials as they came
   * @param {(name: string) => object|null|undefined} find { user, roles?, hash, save? } of a name, or
   *   a promise of it; save(phc) is called when the hash is to be a stronger one
   * @throws {UndercroftError} UC_RATE, UC_BUSY, UC_TIMEOUT
   */
  async login (req, credentials, find) {
    const { name, password } = credentials ?? {}
    if (typeof find !== 'function') throw new UndercroftError('UC_OPTION', 'login: the third argument is a function that finds the user of a name')
    const isName = typeof name === 'string' && name !== '' && name.length <= NAME_CHARACTERS && name.isWellFormed()
    const attempt = await this.limit?.take({ name: isName ? name : null, ip: this.#visitor(req).ip })
    if (!isName) return null
    let account
    try {
      account = await find(name) ?? null
      // Who is not there takes the same time.
      const { ok, rehash } = await this.verify(password, account?.hash ?? this.#passwords.nobody())
      if (!ok) return null
      if (rehash && typeof account.save === 'function') await this.#strengthen(password, account)
    } catch (err) {
      await attempt?.undo().catch(ignore)
      throw err
    }
    await attempt?.succeed()
    return this.create({ user: account.user, roles: account.roles }, req)
  }

  // The password was right: what goes wrong here keeps nobody out.
  async #strengthen (password, account) {
    try {
      await account.save(await this.#passwords.hash(password))
    } catch (err) {
      this.#warn(err, 'session: the hash of a password stays as weak as it is')
    }
  }

  /**
   * A new session, with a new token. The one that the request came with ends: who planted it, or has
   * seen it, does not have the new one.
   *
   * @param {{ user: string|number, roles?: string[] }} who
   * @param {object} [req] whose address and agent are kept
   * @returns {Promise<{ token: string, cookie: string, id: string, user, roles: string[], expires: number }>}
   */
  async create ({ user, roles = [] }, req = null) {
    checkUser(user)
    checkRoles(roles)
    const { idleMs, absoluteMs, perUser } = this.#options
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const place = placeOf(token)
    const visitor = req === null ? null : this.#visitor(req)
    const old = req === null ? null : this.#tokenOf(req)
    const now = this.#now()
    const expires = now + Math.min(idleMs, absoluteMs)
    await this.#db.batch([
      [sql.sweep, [now, SWEPT_BY_ONE]],
      ...old === null ? [] : [[sql.end, [placeOf(old).key, placeOf(old).id]]],
      [sql.crowd, { user, most: perUser - 1 }],
      [sql.insert, [place.key, place.id, user, JSON.stringify(roles), now, now, expires, visitor?.ip ?? null, visitor?.agent ?? null]]
    ])
    return { token, cookie: this.cookie(token, req), id: place.text, user, roles: [...roles], expires }
  }

  /** Ends the session of the request, and gives the Set-Cookie header that deletes its cookie. */
  async logout (req) {
    const token = this.#tokenOf(req)
    if (token !== null) await this.#end(placeOf(token))
    return this.clearing(req)
  }

  // ---- who asks ----------------------------------------------------------------

  /**
   * Who is logged in: for handlers, and for the option `user` of store.routes(), which calls it
   * without this object.
   *
   * @param {object} req
   * @returns {Promise<{ user: string|number, roles: readonly string[], id: string } | null>}
   */
  of = async (req) => {
    const token = this.#tokenOf(req)
    if (token === null) return null
    const place = placeOf(token)
    const row = await this.#find(place)
    if (row === null) return null
    const now = this.#now()
    if (now >= row.expires) return null
    if (now - row.seen >= this.#options.touchMs || row.seen > now) this.#touch(place, now)
    return { user: row.user, roles: row.roles, id: place.text }
  }

  async #find (place) {
    if (!this.#options.isCached) return this.#read(place)
    try {
      return await this.#cache.wrap(`undercroft.session ${place.text}`, async ({ skip }) => {
        // A token that somebody has made up takes no room.
        return await this.#read(place) ?? skip(null)
      }, { rows: { session: place.key }, ttlMs: CACHED_MS, timeoutMs: READ_MS })
    } catch (err) {
      if (err?.code !== 'UC_NO_CACHE') throw err
      return this.#read(place)
    }
  }

  async #read ({ key, id }) {
    const row = await this.#db.get(sql.read, [key, id])
    return row === undefined ? null : { ...row, roles: Object.freeze(JSON.parse(row.roles)) }
  }

  // Nobody waits for it: a session is not worth more than the request that it came with.
  #touch ({ key, id, text }, now) {
    if (this.#touching.has(text) || performance.now() < this.#restsUntil) return
    this.#touching.add(text)
    const { idleMs: idle, absoluteMs: absolute, touchMs: touch } = this.#options
    this.#db.run(sql.touch, { key, id, now, idle, absolute, touch }).catch(err => {
      this.#restsUntil = performance.now() + REST_MS
      this.#warn(err, 'session: the end of a session could not be moved')
    }).finally(() => this.#touching.delete(text))
  }

  // ---- the sessions of a user --------------------------------------------------

  /** His sessions, the one that was used last before the others. */
  list (user) {
    return this.#db.all(sql.list, [checkUser(user), this.#now(), this.#options.perUser])
  }

  /**
   * Ends a session, everywhere at once.
   *
   * @param {string} id of list() or of of()
   * @param {string|number} [user] only if it is his: for an id that a client has sent
   * @returns {Promise<boolean>} whether it was there
   */
  end (id, user) {
    const place = placeOfId(id)
    if (place === null) return Promise.resolve(false)
    return this.#end(place, user)
  }

  async #end ({ key, id }, user) {
    const { changes } = user === undefined
      ? await this.#db.run(sql.end, [key, id])
      : await this.#db.run(sql.endOf, [key, id, checkUser(user)])
    return changes > 0
  }

  /** Ends all of the user's but this one. @param {{ user, id: string }} session what of() gave */
  async endOthers ({ user, id }) {
    const place = placeOfId(id)
    if (place === null) throw new UndercroftError('UC_OPTION', 'endOthers: expected what of() gives: { user, id }')
    const { changes } = await this.#db.run(sql.endOthers, [checkUser(user), place.key])
    return changes
  }

  /** Ends all of the user's: he is locked out, or has a new password. */
  async endAll (user) {
    const { changes } = await this.#db.run(sql.endAll, [checkUser(user)])
    return changes
  }

  /** Gives his sessions other roles, everywhere at once. */
  async setRoles (user, roles) {
    const { changes } = await this.#db.run(sql.setRoles, [JSON.stringify(checkRoles(roles)), checkUser(user)])
    return changes
  }

  /** Deletes what is over, some rows a transaction; how many they were. create() does so with a few. */
  async sweep () {
    let sum = 0
    for (;;) {
      const { changes } = await this.#db.run(sql.sweep, [this.#now(), SWEPT_AT_ONCE])
      sum += changes
      if (changes < SWEPT_AT_ONCE) return sum
    }
  }

  // ---- cookies -----------------------------------------------------------------

  /** The Set-Cookie header of a token. */
  cookie (token, req = null) {
    if (typeof token !== 'string' || !TOKEN.test(token)) throw new UndercroftError('UC_OPTION', 'cookie: expected the token of create()')
    return writeCookie(this.#options.name, token, Math.floor(this.#options.absoluteMs / 1000), this.#isSecure(req))
  }

  /** The Set-Cookie header that deletes the cookie. */
  clearing (req = null) {
    return writeCookie(this.#options.name, '', 0, this.#isSecure(req))
  }

  #tokenOf (req) {
    return readToken(this.#visitor(req).cookies, nameOf(this.#options.name, this.#isSecure(req)))
  }

  #isSecure (req) {
    return this.#options.secure ?? (req !== null && this.#visitor(req).isSecure)
  }

  #visitor (req) {
    if (isRequest(req)) return new Visitor(req, this.#options)
    throw new UndercroftError('UC_OPTION', 'session: expected a request of node:http or of fetch')
  }

  // ---- besides -----------------------------------------------------------------

  #now () {
    return Math.floor(this.#options.now())
  }

  #warn (err, text) {
    this.#options.log?.warn({ err }, text)
  }
}

// ---- places ----------------------------------------------------------------------

function placeOf (token) {
  return place(createHash('sha256').update(token).digest())
}

/** Null: it is no id. */
function placeOfId (id) {
  return typeof id === 'string' && /^[0-9a-f]{64}$/.test(id) ? place(Buffer.from(id, 'hex')) : null
}

function place (id) {
  return { key: id.readBigInt64BE(0), id, text: id.toString('hex') }
}

function ignore () {}

// ---- what is given -----------------------------------------------------------------

function checkUser (user) {
  if (Number.isSafeInteger(user)) return user
  if (typeof user === 'string' && user !== '' && user.isWellFormed() && Buffer.byteLength(user) <= USER_BYTES) return user
  throw new UndercroftError('UC_OPTION', `session: user: expected an integer, or a text of 1 to ${USER_BYTES} bytes`)
}

function checkRoles (roles) {
  const isRole = role => typeof role === 'string' && role !== '' && role.isWellFormed() && Buffer.byteLength(role) <= ROLE_BYTES
  if (Array.isArray(roles) && roles.length <= ROLES && roles.every(isRole)) return roles
  throw new UndercroftError('UC_OPTION', `session: roles: expected an array of at most ${ROLES} words of 1 to ${ROLE_BYTES} bytes`)
}

module.exports = { Sessions }
