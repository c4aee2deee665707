'use strict'

// Who deploys: the name for audit lines, and the one that hosts are asked with when none is given.

const fs = require('node:fs')
const os = require('node:os')

/** The name of this process's user. Bun asks the environment alone and may know none; containers have users without a name. */
function userName () {
  const uid = process.getuid()
  try {
    const { username } = os.userInfo()
    if (username !== 'unknown') return username
    const line = fs.readFileSync('/etc/passwd', 'utf8').split('\n').find((line) => line.split(':')[2] === String(uid))
    if (line !== undefined) return line.split(':')[0]
  } catch {
    // There is no entry, or no such file.
  }
  return String(uid)
}

/** A CI job may say whom it works for. */
function who () {
  return process.env.UNDERCROFT_WHO || `${userName()}@${os.hostname()}`
}

module.exports = { userName, who }
