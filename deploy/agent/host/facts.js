'use strict'
// What a deployer is told about the host when the agent starts.

const fs = require('node:fs')
const os = require('node:os')

function facts () {
  const { username, uid, homedir } = user()
  return {
    hostname: os.hostname(),
    user: username,
    uid,
    home: homedir,
    runtime: process.versions.bun
      ? { name: 'bun', version: process.versions.bun, path: process.execPath }
      : { name: 'node', version: process.versions.node, path: process.execPath },
    pid: process.pid,
    platform: process.platform,
    arch: process.arch,
    systemd: systemd(uid),
    now: Date.now()
  }
}

// Users without an entry in passwd exist: containers have them. Bun asks the
// environment, which need not say.
function user () {
  const uid = process.getuid()
  const entry = passwd().find(fields => fields[2] === String(uid))
  return { uid, username: entry?.[0] ?? String(uid), homedir: process.env.HOME || entry?.[5] || '/' }
}

// passwd(5). Users of a directory service are not in it: the environment tells them.
function passwd () {
  try {
    return fs.readFileSync('/etc/passwd', 'utf8').split('\n').map(line => line.split(':'))
      .concat([[process.env.USER, '', process.env.USER && String(process.getuid())]])
  } catch {
    return []
  }
}

// sd_booted(3): the folder exists when systemd is the host's init. Root's units
// are the system's; a user has a manager of their own while it runs.
function systemd (uid) {
  if (!fs.existsSync('/run/systemd/system')) return null
  if (uid === 0) return 'system'
  return fs.existsSync(`/run/user/${uid}/systemd/private`) ? 'user' : 'system'
}

module.exports = { facts }
