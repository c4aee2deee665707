'use strict'

// rsync and scp as people deploy with them, over OpenSSH's client.

const { execFileSync } = require('node:child_process')
const { commandIn, whyNoHost } = require('../../lib/hosts')

// The cipher that ssh2 negotiates too: with the processor's AES it is OpenSSH's
// fastest.
const CIPHER = 'aes128-gcm@openssh.com'

function ssh ({ port, key, knownHosts }) {
  return ['-c', CIPHER, '-i', key, '-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '-o', `Port=${port}`]
}

function contestant (name, about, version, commandOf) {
  return {
    name,
    family: 'copy',
    missing: () => commandIn(name) ? whyNoHost() : `there is no ${name}`,
    version,
    about: () => about,
    /** -> { upload: [program, …arguments] of a source folder to a folder of the host } */
    async open () {
      return { commandOf, close: async () => {} }
    }
  }
}

module.exports = [
  contestant('rsync', '-a, over OpenSSH\'s client', () => /version (\S+)/.exec(execFileSync('rsync', ['--version'], { encoding: 'utf8' }))[1],
    (host, source, folder) => ['rsync', '-a', '-e', ['ssh', ...ssh(host)].join(' '), `${source}/`, `${host.user}@${host.host}:${folder}/`]),
  contestant('scp', '-r', () => /OpenSSH_([^ ,]+)/.exec(execFileSync('sh', ['-c', 'ssh -V 2>&1'], { encoding: 'utf8' }))[1],
    (host, source, folder) => ['scp', '-q', '-r', ...ssh(host), `${source}/.`, `${host.user}@${host.host}:${folder}`])
]
