'use strict'

// Hosts for deployments: real OpenSSH servers on 127.0.0.1, as the tests have them.

const fs = require('node:fs')
const path = require('node:path')

function commandIn (name) {
  return [...(process.env.PATH || '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']
    .some(dir => dir && fs.existsSync(path.join(dir, name)))
}

/** Why there can be no host here, or null. */
function whyNoHost () {
  if (!commandIn('sshd')) return 'there is no sshd'
  try {
    require.resolve('ssh2')
    return null
  } catch {
    return 'ssh2 is not installed'
  }
}

/** As test/deploy/parts/sshd.js has it; `stop()` ends them, and so does the end of this process. */
async function startHosts (count) {
  // scp speaks SFTP, since OpenSSH 9.0.
  const hosts = await require('../../test/deploy/parts/sshd').startHosts(null, count, { config: ['Subsystem sftp internal-sftp'] })
  const end = () => hosts.forEach(({ pid }) => {
    try {
      process.kill(pid, 'SIGTERM')
    } catch {
      // It has ended by itself.
    }
  })
  process.once('exit', end)
  const { stop } = hosts
  hosts.stop = async () => {
    process.removeListener('exit', end)
    await stop()
  }
  return hosts
}

module.exports = { commandIn, whyNoHost, startHosts }
