'use strict'
// What the commands that ask a running daemon, or the server of a database, have in common.

const { isAddress, shown } = require('../base/address')
const { open } = require('../store')

const options = {
  target: { type: 'string', short: 't', help: 'the socket of the daemon: ipc:///run/app/undercroft.sock' },
  db: { type: 'string', help: 'the name of a database, when the daemon serves several' },
  timeout: { type: 'string', help: 'milliseconds to wait for an answer: 2000' }
}

const anyOptions = {
  ...options,
  target: { type: 'string', short: 't', help: 'the socket of the daemon: ipc:///run/app/undercroft.sock, or the address of a database: postgres://app@db/shop' }
}

const TIMEOUT_MS = 2000

/**
 * Runs ask(store, { timeoutMs }) on an open daemon and closes the connection.
 * What the command line or the daemon gets wrong is said in one line.
 *
 * @param {object} ctx of the command, see main.js
 * @param {Function} ask -> exit code or undefined
 * @param {{ servers?: boolean }} [takes] servers: also the address of a database
 */
async function withTarget (ctx, ask, { servers = false } = {}) {
  const { values, say, exitCodes } = ctx
  const target = values.target ?? process.env.UNDERCROFT_TARGET
  if (target === undefined) {
    say('which daemon? --target ipc:///run/app/undercroft.sock, or the environment variable UNDERCROFT_TARGET')
    return exitCodes.usage
  }
  const isServer = isAddress(target)
  if (isServer && !servers) {
    say(`UC_NOT_HERE: PostgreSQL has no daemon of ours to ask; --target is the socket of one, ipc:///…, not ${JSON.stringify(shown(target))}`)
    return exitCodes.usage
  }
  if (!isServer && !target.startsWith('ipc:')) {
    say(`--target is a daemon's socket, ipc:///…${servers ? ', or postgres://…' : ''}, not ${JSON.stringify(target)}`)
    return exitCodes.usage
  }
  const timeoutMs = Number(values.timeout ?? TIMEOUT_MS)
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1) {
    say(`--timeout is a number of milliseconds, not ${JSON.stringify(values.timeout)}`)
    return exitCodes.usage
  }
  let store
  try {
    const { db } = values
    store = isServer
      ? open(target, { log: false })
      : open(target, db === undefined
        ? { connectTimeoutMs: timeoutMs }
        : { connectTimeoutMs: timeoutMs, db })
    return await ask(store, { timeoutMs })
  } catch (err) {
    if (err.code === undefined) throw err
    say(`${err.code}: ${err.message}`)
    return err.kind === 'usage' ? exitCodes.usage : exitCodes.failed
  } finally {
    store?.destroy()
  }
}

module.exports = { anyOptions, options, withTarget }
