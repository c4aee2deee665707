'use strict'

// A processor for the server and another one for who loads it, by taskset: what one
// of them does is then not taken from the other, and a server has one core, not two.

const fs = require('node:fs')
const { spawnSync } = require('node:child_process')

/** The processors that this process may use: '0-3,8' -> [0, 1, 2, 3, 8]. */
function listed (text) {
  return text.trim().split(',').flatMap(part => {
    const [first, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

function allowed () {
  try {
    return listed(/^Cpus_allowed_list:\s*(\S+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1])
  } catch {
    return []
  }
}

let known

/** { server, client }, or null where there are not two processors or no taskset. */
function cores () {
  if (known === undefined) {
    const [server, client] = allowed()
    const isThere = client !== undefined && !spawnSync('taskset', ['--version'], { stdio: 'ignore' }).error
    known = isThere ? { server, client } : null
  }
  return known
}

/** [command, args] of the same program on the core of that side. */
function on (side, command, args) {
  const found = cores()
  // It becomes the program, whose process id is thus the one that was started.
  return found === null ? [command, args] : ['taskset', ['-c', String(found[side]), command, ...args]]
}

module.exports = { cores, on, listed }
