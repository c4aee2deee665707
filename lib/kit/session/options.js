'use strict'

// The options of sessions and of passwords, checked: each mistake is a sentence that names it.

const { UndercroftError } = require('../../../index.js')
const { ProxyTrust, isProxy } = require('../../base/peer')
const { isSound, kinds } = require('./phc')
const { hasArgon2 } = require('./password')

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const known = ['name', 'secure', 'trustProxy', 'peer', 'idleMs', 'absoluteMs', 'touchMs', 'perUser', 'cache', 'limit', 'passwords', 'log', 'now']
const knownPasswords = ['algorithm', 'argon2id', 'scrypt', 'minLength', 'running', 'waiting', 'timeoutMs', 'weakForTests']
const knownLimit = ['tries', 'triesOfName', 'triesOfIp', 'perMs', 'pauseMs', 'maxPauseMs']

/** @param {object} [given] see lib/types/session.d.ts */
function readOptions (given = {}) {
  checkNames('session', given, known)
  const { name = 'sid', secure = null, trustProxy = 'unix', peer = null, idleMs = 7 * DAY, perUser = 100, cache = true, limit, passwords, log = null, now = Date.now } = given
  const { touchMs = Math.min(5 * MINUTE, Math.floor(idleMs / 10)), absoluteMs = Math.max(30 * DAY, idleMs) } = given
  const isName = typeof name === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(name)
  return {
    name: check(name, 'session: name', isName, 'letters, digits, - and _'),
    secure: check(secure, 'session: secure', secure === null || typeof secure === 'boolean', 'true or false'),
    trust: readTrust(trustProxy),
    peer: check(peer, 'session: peer', peer === null || typeof peer === 'function', 'a function'),
    idleMs: whole(idleMs, 'session: idleMs', 1000, 400 * DAY),
    touchMs: whole(touchMs, 'session: touchMs', 0, Math.floor(idleMs / 2)),
    absoluteMs: whole(absoluteMs, 'session: absoluteMs', idleMs, 400 * DAY),
    perUser: whole(perUser, 'session: perUser', 1, 1000),
    isCached: check(cache, 'session: cache', typeof cache === 'boolean', 'true or false'),
    limit: limit === false ? null : readLimit(limit),
    passwords: readPasswords(passwords),
    log: check(log, 'session: log', log === null || typeof log.warn === 'function', 'a logger with warn(), such as store.log'),
    now: check(now, 'session: now', typeof now === 'function', 'a function')
  }
}

// As the option of routes.
function readTrust (value) {
  const names = value === false ? [] : [value].flat()
  if (names.every(isProxy)) return new ProxyTrust(names)
  throw new UndercroftError('UC_OPTION', "session: trustProxy: expected 'unix', 'loopback', a network such as '10.0.0.0/8', an array of them, or false")
}

function readLimit (given = {}) {
  checkNames('session: limit', given, knownLimit)
  const maxPauseMs = whole(given.maxPauseMs ?? 15 * MINUTE, 'session: limit.maxPauseMs', 1, DAY)
  return {
    tries: whole(given.tries ?? 5, 'session: limit.tries', 1, 1e6),
    triesOfName: whole(given.triesOfName ?? 50, 'session: limit.triesOfName', 1, 1e6),
    triesOfIp: whole(given.triesOfIp ?? 50, 'session: limit.triesOfIp', 1, 1e6),
    perMs: whole(given.perMs ?? Math.max(HOUR, maxPauseMs), 'session: limit.perMs', maxPauseMs, 7 * DAY),
    pauseMs: whole(given.pauseMs ?? 1000, 'session: limit.pauseMs', 1, maxPauseMs),
    maxPauseMs
  }
}

/**
 * @param {object} [given]
 * @returns {{ kind: string, params: object, minLength: number, running: number, waiting: number, timeoutMs: number }}
 */
function readPasswords (given = {}) {
  checkNames('passwords', given, knownPasswords)
  const kind = given.algorithm ?? (hasArgon2 ? 'argon2id' : 'scrypt')
  check(kind, 'passwords: algorithm', Object.hasOwn(kinds, kind), "'argon2id' or 'scrypt'")
  if (kind === 'argon2id' && !hasArgon2) throw new UndercroftError('UC_OPTION', 'passwords: this runtime has no argon2id (Node has it since 24.7)')
  const params = { ...kinds[kind].preset, ...given[kind] }
  checkNames(`passwords: ${kind}`, params, kinds[kind].names)
  if (!isSound(kind, params)) throw new UndercroftError('UC_OPTION', `passwords: these parameters of ${kind} are beyond what is computed`)
  if (!kinds[kind].isStrong(params) && !isTest(given.weakForTests)) {
    throw new UndercroftError('UC_OPTION', `passwords: these parameters of ${kind} are weaker than OWASP recommends; tests may say { weakForTests: true }`)
  }
  return {
    kind,
    params,
    minLength: whole(given.minLength ?? 8, 'passwords: minLength', 1, 64),
    // Of the four threads that Node has for this, for files and for names.
    running: whole(given.running ?? 2, 'passwords: running', 1, 64),
    waiting: whole(given.waiting ?? 100, 'passwords: waiting', 0, 10_000),
    timeoutMs: whole(given.timeoutMs ?? 10_000, 'passwords: timeoutMs', 1, 10 * MINUTE)
  }
}

// A setting of tests that was left behind is not to reach those who use the service.
function isTest (isWeak) {
  if (isWeak !== true) return false
  if (process.env.NODE_ENV !== 'production') return true
  throw new UndercroftError('UC_OPTION', 'passwords: weakForTests, and NODE_ENV is production')
}

function checkNames (what, given, names) {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new UndercroftError('UC_OPTION', `${what}: expected an object of options`)
  const wrong = Object.keys(given).find(name => !names.includes(name))
  if (wrong !== undefined) throw new UndercroftError('UC_OPTION', `${what}: there is no option '${wrong}'; there are ${names.join(', ')}`)
}

function check (value, what, isRight, wanted) {
  if (isRight) return value
  throw new UndercroftError('UC_OPTION', `${what}: expected ${wanted}`)
}

function whole (value, what, least, most) {
  return check(value, what, Number.isInteger(value) && value >= least && value <= most, `a whole number from ${least} to ${most}`)
}

module.exports = { readLimit, readOptions, readPasswords }
