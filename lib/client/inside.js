'use strict'

// Which transactions the running code is inside of, innermost first. The storage is made with
// the first transaction: a program without any pays nothing.

const { builtin } = require('../base/builtin')

let storage = null

/** Runs fn(tx) inside of the transaction that `scope` is of. */
function enter (client, scope, fn, tx) {
  if (storage === null) {
    const { AsyncLocalStorage } = builtin('node:async_hooks')
    storage = new AsyncLocalStorage()
  }
  const outer = storage.getStore()
  return storage.run({ client, scope, outer }, fn, tx)
}

/** The scope of the innermost open transaction around the running code that matches, or null. */
function inside (match, from = scopes()) {
  for (let at = from; at !== undefined; at = at.outer) {
    if (!at.scope.ended && match(at)) return at.scope
  }
  return null
}

/** The transactions that the running code is inside of, for the two below. */
function scopes () {
  return storage === null ? undefined : storage.getStore()
}

/** Whether code that ran inside of these is in one of the client's that is open. */
function isInTransaction (client, from) {
  return from !== undefined && inside((at) => at.client === client, from) !== null
}

/** Runs `fn` inside of these and no others. */
function runInside (from, fn) {
  return storage === null ? fn() : storage.run(from, fn)
}

module.exports = { enter, inside, scopes, isInTransaction, runInside }
