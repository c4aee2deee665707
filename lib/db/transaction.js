'use strict'

// Interactive transactions and snapshots: a scope that the calls of a callback
// share, begun before it and ended after it, whatever happens in it.

const { ops, names, isRead } = require('../wire/ops')
const { Scope } = require('./scope')
const { enter, inside } = require('../client/inside')
const { ReadVerbs, Verbs } = require('./verbs')
const { readCall, isPlain } = require('../base/options')
const { whenAborted, forget } = require('../base/abort')
const { UndercroftError, expected } = require('../base/errors')
const { committed } = require('./table/schema')
const { SCOPE } = require('./copy')

const SAVEPOINT_BEGIN = 0
const SAVEPOINT_RELEASE = 1
const SAVEPOINT_ROLLBACK = 2

const NEEDS_CONNECTION = new Set([ops.GET, ops.ALL, ops.JSON, ops.CURSOR_OPEN, ops.SNAP_BEGIN, ops.HEALTH])

class Transaction extends Verbs {
  #client
  #scope

  constructor (client, scope) {
    super(client, scope)
    this.#client = client
    this.#scope = scope
  }

  // For what is built of several calls within it: fn(scope).
  [SCOPE] (fn) {
    return fn(this.#scope)
  }

  /** A nested transaction: it can roll back alone. */
  transaction (fn, opts) {
    return nested(this.#client, this.#scope, fn, opts)
  }
}

// How many transactions a client has open. While it has any, its calls are
// checked for waiting on their own transaction: what certainly waits is refused
// here. Of a statement only the core can tell, so it is told of the transaction.
// In memory there is one connection: reads wait as well, and a snapshot holds it
// like a transaction.
const INSIDE = 'i'.charCodeAt(0)
const TRANSACTION = 'x'.charCodeAt(0)
const open = new WeakMap()

function opened (client) {
  const count = (open.get(client) ?? 0) + 1
  open.set(client, count)
  if (count > 1) return
  client.setGuard((op, sql) => {
    const waits = !isRead[op] || (client.memory && NEEDS_CONNECTION.has(op))
    if (!waits) return null
    if (inside((at) => at.client === client) === null) return null
    return new UndercroftError('UC_TX_SELF',
      `a call on the handle inside its own ${client.memory ? 'transaction or snapshot' : 'transaction'} would wait for that for ever; ` +
      'call it on the object that the callback was given', { sql, op: names[op], outcome: 'not-sent' })
  }, () => {
    const scope = inside((at) => at.client === client && at.scope.key === TRANSACTION)
    return scope === null ? null : { key: INSIDE, id: scope.id }
  })
}

function ended (client) {
  const count = open.get(client) - 1
  open.set(client, count)
  if (count === 0) client.setGuard(null)
}

/**
 * Runs `fn` in a transaction: commits when it returns, rolls back otherwise. What the server has
 * rolled back because it met another transaction is run again, as often as `retries` says.
 */
function transaction (client, fn, opts) {
  try {
    const { level, retries, rest } = readLevel(opts)
    const limits = read('transaction', fn, rest)
    // Without a frame of its own: a stack shows ten, and the caller's is to be among them.
    if (retries === 0) return attempt(client, fn, level, limits)
    return repeated(client, fn, level, limits, retries)
  } catch (err) {
    return Promise.reject(err)
  }
}

async function repeated (client, fn, level, limits, retries) {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt(client, fn, level, limits)
    } catch (err) {
      if (tries >= retries || !CONFLICTS.has(err?.sqlstate) || isOver(limits)) throw err
      // Those that met do not meet again at the same moment.
      await delay(Math.random() * Math.min(PAUSE_MS << tries, PAUSE_MOST_MS))
      if (isOver(limits)) throw err
    }
  }
}

async function attempt (client, fn, level, limits) {
  const begun = client.call(ops.TX_BEGIN, level, left(limits))
  // From here on: a handle that is closed in this very turn waits for the end.
  client.enter()
  try {
    return await running(client, await begun, limits, fn)
  } finally {
    client.leave()
  }
}

async function running (client, id, limits, fn) {
  const scope = new Scope('x', id, limits, null, client.epoch)
  const verbs = new Transaction(client, scope)
  opened(client)
  try {
    const value = await within(client, scope, fn, verbs, {
      commit: () => client.call(ops.TX_END, [id, true], undefined, scope),
      rollback: () => client.call(ops.TX_END, [id, false], undefined, scope)
    })
    committed(verbs, client)
    return value
  } finally {
    ended(client)
  }
}

async function nested (client, parent, fn, opts) {
  for (const name of ['isolation', 'retries']) {
    if (opts?.[name] === undefined) continue
    throw new UndercroftError('UC_OPTION', `option ${name}: it is for the outer transaction, which a nested one is a part of`)
  }
  const limits = read('transaction', fn, opts)
  if (parent.nested !== null && inside((at) => at.scope === parent.nested) !== null) {
    throw new UndercroftError('UC_TX_SELF',
      'a nested transaction was begun on the outer one inside a nested one, which it would wait for; ' +
      'begin it on the transaction that the callback was given', { outcome: 'not-sent' })
  }
  // Savepoints are a stack: one nested transaction at a time, and none in the
  // middle of a stream of rows.
  while (parent.nestedEnd !== null) await parent.nestedEnd
  const scope = new Scope('x', parent.id, limits, parent, parent.epoch)
  const point = (kind) => client.call(ops.SAVEPOINT, [scope.id, kind, scope.depth], undefined, parent)
  const settled = parent.busy ? parent.settled() : null
  let finished
  parent.nestedEnd = new Promise((resolve) => { finished = resolve })
  parent.nested = scope
  try {
    if (settled !== null) await settled
    parent.enter()
    try {
      if (parent.isEnded()) throw parent.refusal(ops.SAVEPOINT)
      await point(SAVEPOINT_BEGIN)
      return await within(client, scope, fn, new Transaction(client, scope), {
        commit: () => point(SAVEPOINT_RELEASE),
        rollback: () => point(SAVEPOINT_ROLLBACK)
      })
    } finally {
      parent.leave()
    }
  } finally {
    parent.nested = null
    parent.nestedEnd = null
    finished()
  }
}

/** Several reads of one and the same state of the database. */
async function snapshot (client, fn, opts) {
  const limits = read('snapshot', fn, opts)
  const begun = client.call(ops.SNAP_BEGIN, [], opts)
  client.enter()
  if (client.memory) opened(client)
  try {
    const id = await begun
    const scope = new Scope('s', id, limits, null, client.epoch)
    const end = () => client.call(ops.SNAP_END, [id], undefined, scope)
    return await within(client, scope, fn, new ReadVerbs(client, scope), { commit: end, rollback: end })
  } finally {
    if (client.memory) ended(client)
    client.leave()
  }
}

// Runs the callback, then one of the two endings.
async function within (client, scope, fn, verbs, { commit, rollback }) {
  const stop = stopper(scope)
  let value
  try {
    const running = enter(client, scope, fn, verbs)
    value = await (stop === null ? running : Promise.race([running, stop.promise]))
    // Calls of several requests that nobody waited for end first; those of
    // one request are in front of the commit anyway.
    await scope.settled()
  } catch (err) {
    scope.ended = true
    await rollback().catch(ignore)
    throw err
  } finally {
    scope.ended = true
    if (stop !== null) stop.clear()
  }
  await commit()
  return value
}

// Rejects when the deadline of the whole passes or its signal aborts.
function stopper (scope) {
  const { signal, deadline } = scope
  if (!scope.limited) return null
  let reject
  const promise = new Promise((resolve, _reject) => { reject = _reject })
  promise.catch(ignore)
  const onAbort = () => reject(signal.reason)
  let timer
  if (signal !== null) {
    if (signal.aborted) onAbort()
    else whenAborted(signal, onAbort)
  }
  if (deadline !== Infinity) {
    timer = setTimeout(() => reject(new UndercroftError('UC_TIMEOUT',
      'the transaction did not end before its deadline and was rolled back',
      { outcome: 'not-run' })), Math.max(0, deadline - performance.now()))
  }
  return {
    promise,
    clear () {
      clearTimeout(timer)
      if (signal !== null) forget(signal, onAbort)
    }
  }
}

// ---- isolation -----------------------------------------------------------------

const LEVELS = ['read committed', 'repeatable read', 'serializable']
const RETRIES_MOST = 1000
// serialization_failure and deadlock_detected: nothing of the transaction is left.
const CONFLICTS = new Set(['40001', '40P01'])
const PAUSE_MS = 4
const PAUSE_MOST_MS = 200

// What only transactions take, apart from what calls take. The level is as the core is told it.
function readLevel (opts) {
  if (!isPlain(opts) || (opts.isolation === undefined && opts.retries === undefined)) return { level: [], retries: 0, rest: opts }
  const { isolation, retries = 0, ...rest } = opts
  if (isolation !== undefined && !LEVELS.includes(isolation)) {
    throw expected('UC_OPTION', 'option isolation', LEVELS.map((name) => `'${name}'`).join(', '), isolation)
  }
  if (!Number.isInteger(retries) || retries < 0 || retries > RETRIES_MOST) {
    throw expected('UC_OPTION', 'option retries', `a whole number from 0 to ${RETRIES_MOST}`, retries)
  }
  return { level: isolation === undefined ? [] : [LEVELS.indexOf(isolation) + 1], retries, rest }
}

function isOver ({ signal, deadline }) {
  return signal?.aborted === true || performance.now() >= deadline
}

// What is left of the limits of the whole, as options of a call.
function left ({ signal, deadline }) {
  const opts = {}
  if (signal !== null) opts.signal = signal
  if (deadline !== Infinity) opts.timeoutMs = Math.max(1, Math.ceil(deadline - performance.now()))
  return opts
}

function delay (ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

// ---- limits --------------------------------------------------------------------

function read (what, fn, opts) {
  if (typeof fn !== 'function') {
    throw expected('UC_OPTION', what, 'a function', fn)
  }
  const { timeoutMs, signal } = readCall(opts, 0)
  return { signal, deadline: timeoutMs > 0 ? performance.now() + timeoutMs : Infinity }
}

function ignore () {}

module.exports = { Transaction, transaction, snapshot }
