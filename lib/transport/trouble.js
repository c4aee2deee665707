'use strict'

// What is wrong with a connection, in sentences that say what to do. The
// results are { code, message, kind?, retryable? }, as in the daemon's errors.

const { UndercroftError } = require('../base/errors')

/** Whether trying again would bring the same answer. */
function isFinal (cause) {
  return cause instanceof UndercroftError && !cause.retryable && cause.code !== 'UC_CLOSED'
}

/**
 * Why there is no connection.
 *
 * @param {Error|null} cause of the last attempt
 * @param {{ path: string, url: string }} target
 * @param {Connection|null} connection an attempt that has not ended
 * @param {boolean} spawns a daemon is started where there is none
 */
function connectError (cause, target, connection, spawns = false) {
  if (cause instanceof UndercroftError && cause.code !== 'UC_FRAME') {
    const { code, message, kind, retryable } = cause
    return { code, message, kind, retryable }
  }
  return { code: 'UC_CONNECT', message: `${target.url}: ${sentence(cause, target, connection, spawns)}` }
}

function sentence (cause, target, connection, spawns) {
  const longer = 'allow it more time, by connectTimeoutMs and by the timeoutMs of the call'
  // One that has ended, or could not be started, has told why by an error of its own.
  const isStarting = spawns && (cause ? cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED' : connection !== null && !connection.connected)
  if (isStarting) return `the daemon is being started (spawn) and was not ready in time; ${longer}`
  const start = `start the daemon with npx undercroft serve --listen ${target.url} --db FILE, or open with the option spawn`
  if (cause === null || cause === undefined) {
    if (connection !== null && !connection.connected) return `no connection was made in time; ${longer}`
    return connection !== null
      ? 'a daemon holds the socket but does not answer; it may be stopped or overloaded'
      : 'the connection was closed before the daemon had answered'
  }
  switch (cause.code) {
    case 'ENOENT': return `nobody serves it: there is no socket; ${start}`
    case 'ECONNREFUSED': return `nobody serves it: the socket is what a daemon left behind; ${start}`
    case 'EACCES':
    case 'EPERM': return 'this user may not use the socket; run as the user of the daemon, or start it with --mode 0660 --group GROUP'
    case 'EAGAIN': return 'more processes are connecting than the daemon comes to accept; try again'
    case 'ENOTDIR': return `${target.path} leads through a file that is no directory`
    case 'EPROTOTYPE': return 'the socket is not one of the stream kind, so it is not that of an undercroft daemon'
    case 'UC_FRAME': return `what serves the socket does not speak as an undercroft daemon does (${cause.message})`
    case 'ECONNRESET':
    case 'EPIPE': return 'the connection was closed before the daemon had answered'
  }
  return cause.message
}

/** What becomes of calls whose connection has ended. */
function lostError (cause) {
  let why = ''
  if (cause instanceof UndercroftError) why = `: ${cause.message}`
  else if (cause !== null && cause.code !== 'ECONNRESET' && cause.code !== 'EPIPE') why = ` (${cause.message})`
  return { code: 'UC_CONNECTION_LOST', message: `the connection to the daemon was lost while the call was in flight${why}` }
}

module.exports = { isFinal, connectError, lostError }
