'use strict'

// What the tests of the kit share: a store with the table, quick passwords, and requests that no
// server has received.

const session = require('../../lib/kit/session')
const { addonDoor } = require('../helper')

// A hash takes a fraction of a millisecond.
const quick = { argon2id: { m: 8, t: 1 }, scrypt: { ln: 4 }, weakForTests: true }

const openAddon = addonDoor()

/** A store on a new file that has the table of sessions. */
async function withTable (t, options) {
  const store = openAddon(t, options)
  await store.db.exec(session.migration.sqlite)
  return store
}

/** A clock that stands, and is set by hand. */
function stopped (ms = Date.UTC(2026, 10, 30)) {
  const clock = () => clock.ms
  clock.ms = ms
  return clock
}

/** As node:http gives it. */
function request ({ token, cookie = token && `sid=${token}`, ip = '127.0.0.1', ...headers } = {}) {
  return {
    headers: { ...cookie && { cookie }, ...headers },
    socket: { remoteAddress: ip, destroyed: false },
    url: '/'
  }
}

module.exports = { quick, request, stopped, withTable }
