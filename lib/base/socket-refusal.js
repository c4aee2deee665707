'use strict'

// Why a unix socket has refused a connection. ECONNREFUSED says that nobody listens, EAGAIN that
// as many connections wait to be accepted as may (connect(2), unix(7)). Bun 1.4 tells the second
// as the first, and who then takes the socket for one that was left behind takes it from somebody
// who serves; there the kernel's list of sockets tells them apart (proc_net(5)).

const { builtin } = require('./builtin')
const fs = builtin('node:fs')
const path = builtin('node:path')

const isBun = process.versions.bun !== undefined
// __SO_ACCEPTCON of linux/net.h: it listens.
const LISTENS = 0x10000

/**
 * The code of an error of connecting, as Node would have it.
 *
 * @param {string|undefined} code of the error
 * @param {string} socket its path
 * @returns {string|undefined} EAGAIN in place of the ECONNREFUSED of a socket on which somebody listens
 */
function refusal (code, socket) {
  return isBun && code === 'ECONNREFUSED' && isListenedOn(socket) ? 'EAGAIN' : code
}

/**
 * Whether a process of this network namespace listens on a unix socket. The list has each path
 * as it was given to bind(2): a relative one counts when its last part is the same.
 */
function isListenedOn (socket) {
  let text
  try {
    text = fs.readFileSync('/proc/net/unix', 'utf8')
  } catch {
    return false
  }
  const wanted = real(path.resolve(socket))
  return text.split('\n').some((line) => {
    // Num RefCount Protocol Flags Type St Inode Path
    const match = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\d+ (.+)$/.exec(line)
    if (match === null || (parseInt(match[1], 16) & LISTENS) === 0) return false
    const bound = match[2]
    if (path.basename(bound) !== path.basename(wanted)) return false
    return !path.isAbsolute(bound) || real(bound) === wanted
  })
}

// Without the symbolic links of the folder: a socket that is gone still has one.
function real (file) {
  try {
    return path.join(fs.realpathSync(path.dirname(file)), path.basename(file))
  } catch {
    return file
  }
}

module.exports = { refusal, isListenedOn }
