'use strict'

// The path of a unix socket before somebody listens on it. A process that was killed
// leaves its socket file behind, and bind(2) then fails with EADDRINUSE as if somebody
// were there; the difference shows when one connects.

const { builtin } = require('../base/builtin')
const fs = builtin('node:fs')
const net = builtin('node:net')
const { UndercroftError } = require('../base/errors')
const { refusal } = require('../base/socket-refusal')

/**
 * Removes what a process that is gone has left at `path`.
 *
 * @throws {UndercroftError} EADDRINUSE when somebody listens there, or when it is no socket
 */
async function clearStale (path) {
  const before = look(path)
  if (before === null) return
  if (!before.isSocket()) {
    throw new UndercroftError('EADDRINUSE', `${path} is there and is no socket: remove it, or set another path`, { kind: 'usage' })
  }
  const code = await connectOnce(path)
  if (code === 'ENOENT') return
  // ECONNREFUSED alone says that nobody listens. A full queue (EAGAIN) or a lack of rights says that somebody may.
  if (code !== 'ECONNREFUSED') {
    throw new UndercroftError('EADDRINUSE', `somebody else listens on ${path}${code ? ` (${code})` : ''}: end that process, or set another path`, { kind: 'busy' })
  }
  // Somebody may have been quicker, and listens on a file of the same name by now.
  const now = look(path)
  if (now !== null && now.ino === before.ino) fs.rmSync(path, { force: true })
}

function look (path) {
  try {
    return fs.lstatSync(path)
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw err
  }
}

// -> null when somebody answered, else the code of the error
function connectOnce (path) {
  return new Promise(resolve => {
    const socket = net.connect(path)
    socket.on('connect', () => { socket.destroy(); resolve(null) })
    socket.on('error', err => { socket.destroy(); resolve(refusal(err.code, path) ?? 'unknown') })
  })
}

module.exports = { clearStale }
