'use strict'
// Whether the key that a host shows is the one it should have, and what people
// are told when it is not: an unknown key is never taken on trust.

const os = require('node:os')
const path = require('node:path')
const { DeployError } = require('../errors')
const { fingerprint, hostName, judge, keyType, lookUp, read } = require('./known-hosts')

// In the order in which a host is asked when nothing is known about it. SHA-1
// signatures (ssh-rsa) are not taken (RFC 8332 has what RSA keys do instead).
const algorithms = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512', 'rsa-sha2-256']
const algorithmsOf = type => type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]

// Where sshd keeps the key of a type.
const files = { 'ssh-ed25519': 'ed25519', 'ssh-rsa': 'rsa' }

/**
 * host: { host, port, hostKey, knownHosts }; hostKey pins one key or several,
 * 'SHA256:…' or 'type base64', and known_hosts is then not asked.
 */
class HostKeyCheck {
  #host
  #pins
  #known
  #bad
  #file

  constructor (host) {
    this.#host = host
    this.#pins = [host.hostKey ?? []].flat()
    const own = path.join(os.homedir(), '.ssh/known_hosts')
    const names = [host.knownHosts ?? own].flat().map(name => name.replace(/^~(?=\/)/, os.homedir()))
    this.#file = names[0]
    // The machine's own list belongs to the user's, as it does for ssh.
    const { entries, bad } = read(names.includes(own) ? [...names, '/etc/ssh/ssh_known_hosts'] : names)
    this.#known = lookUp(entries, host.host, host.port)
    this.#bad = bad
  }

  /** The algorithms to ask for: those of keys that can be recognised come first. */
  get algorithms () {
    const types = this.#pins.length
      ? this.#pins.filter(pin => !pin.startsWith('SHA256:')).map(pin => pin.split(' ')[0])
      : this.#known.keys.map(entry => entry.type)
    const first = types.flatMap(algorithmsOf).filter(name => algorithms.includes(name))
    return [...new Set([...first, ...algorithms])]
  }

  /** key: what the host shows. -> null when it is right, else the error. */
  verify (key) {
    if (this.#pins.length) return this.#pins.some(pin => fits(pin, key)) ? null : this.#notPinned(key)
    const { status, entry } = judge(this.#known, key)
    if (status === 'known') return null
    if (status === 'revoked') return this.#revoked(key, entry)
    return status === 'unknown' ? this.#unknown(key) : this.#changed(key, entry)
  }

  #error (message, hint, key, more) {
    return new DeployError('UC_DEPLOY_HOST_KEY', message, {
      stage: 'connect',
      hint,
      details: { fingerprint: fingerprint(key), type: keyType(key), line: this.#line(key), ...more }
    })
  }

  #line (key) {
    return `${this.#known.name} ${keyType(key)} ${key.toString('base64')}`
  }

  #how (key) {
    const file = `/etc/ssh/ssh_host_${files[keyType(key)] ?? 'ecdsa'}_key.pub`
    return `on the host itself (the console of its provider, not this network) run\n  ssh-keygen -lf ${file}\nit has to print ${fingerprint(key)}`
  }

  #unknown (key) {
    const authority = this.#known.authorities.length
      ? `\n${place(this.#known.authorities[0])} trusts an authority: certificates of hosts are not supported, the key itself has to be known`
      : ''
    const unread = this.#bad.map(bad => `\n${place(bad)} was skipped: ${bad.why}`).join('')
    return this.#error(`the host key of ${this.#known.name} is not known: ${keyType(key)} ${fingerprint(key)}`,
      `verify it: ${this.#how(key)}\nthen add this line to ${this.#file}:\n${this.#line(key)}${authority}${unread}`, key, { status: 'unknown' })
  }

  #changed (key, entry) {
    return this.#error(`WARNING: the host key of ${this.#known.name} has CHANGED: it shows ${keyType(key)} ${fingerprint(key)}, ` +
      `${place(entry)} has ${entry.type} ${fingerprint(entry.key)}. Somebody may be reading along between here and the host`,
    `if the host was installed anew: ${this.#how(key)}\nthen remove the old key: ssh-keygen -R '${this.#known.name}' -f ${entry.file}\nand add the line:\n${this.#line(key)}`,
    key, { status: 'changed' })
  }

  #revoked (key, entry) {
    return this.#error(`WARNING: the host key of ${this.#known.name} is revoked by ${place(entry)}: ${fingerprint(key)}. Somebody else may have this key`,
      'do not connect: give the host a new key, then add that one', key, { status: 'revoked' })
  }

  #notPinned (key) {
    return this.#error(`WARNING: ${hostName(this.#host.host, this.#host.port)} shows the key ${keyType(key)} ${fingerprint(key)}, and not the one of \`hostKey\``,
      `verify it: ${this.#how(key)}\nthen correct hostKey in deploy.config.js. A host has a key of each type: any of them can be listed`, key, { status: 'pinned' })
  }
}

function fits (pin, key) {
  if (pin.startsWith('SHA256:')) return pin.replace(/=+$/, '') === fingerprint(key)
  const [type, base64] = pin.split(' ')
  return type === keyType(key) && Buffer.from(base64, 'base64').equals(key)
}

function place ({ file, line }) {
  return line === null ? path.resolve(file) : `${file}:${line}`
}

module.exports = { HostKeyCheck }
