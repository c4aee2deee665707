'use strict'
// What the commands that ask a running daemon have in common.

const { open } = require('../store')

const options = {
  target: { type: 'string', short: 't', help: 'the socket of the daemon: ipc:///run/app/undercroft.sock' },
  db: { type: 'string', help: 'the name of a database, when the daemon serves several' },
  timeout: { type: 'string', help: 'milliseconds to wait for an answer: 2000' }
}

const TIMEOUT_MS = 2000

/**
 * Runs ask(store, { timeoutMs }) on an open daemon and closes the connection.
 * What the command line or the daemon gets wrong is said in one line.
 *
 * @param {object} ctx of the command, see main.js
 * @param {Function} ask -> exit code or undefined
 */
async function withTarget (ctx, ask) {
  const { values, say, exitCodes } = ctx
  const target = values.target ?? process.env.UNDERCROFT_TARGET
  if (target === undefined) {
    say('which daemon? --target ipc:///run/app/undercroft.sock, or the environment variable UNDERCROFT_TARGET')
    return exitCodes.usage
  }
  if (!target.startsWith('ipc:')) {
    say(`--target is a daemon's socket, ipc:///…, not ${JSON.stringify(target)}`)
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
    store = open(target, db === undefined
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

/** Rows of [name, value] as two aligned columns. */
function pairs (rows) {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

/** A table with a head; numbers to the right. */
function table (head, rows) {
  const all = [head, ...rows.map(row => row.map(String))]
  const widths = head.map((_, i) => Math.max(...all.map(row => row[i].length)))
  const right = head.map((_, i) => rows.length > 0 && rows.every(row => typeof row[i] === 'number' || row[i] === '–'))
  return all.map(row => row.map((cell, i) => right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))
    .join('  ').trimEnd()).join('\n')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

function bytes (n) {
  let unit = 0
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024
    unit++
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${UNITS[unit]}`
}

function duration (ms) {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return `${Math.round(ms)} ms`
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86400)} days`
}

module.exports = { options, withTarget, pairs, table, bytes, duration }
