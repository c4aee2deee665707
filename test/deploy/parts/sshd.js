'use strict'
// Real OpenSSH servers on 127.0.0.1, each with a host key and a configuration
// of its own: the "hosts" of the tests. They run as whoever runs the tests and
// let in only that user, with a key made for them.
//
//   const hosts = await startHosts(t, 3)
//   hosts[0] -> { name, host, port, user, key, knownHosts, agent: false, folder,
//                 fingerprint, publicKey, sessions(), drop(), stop(), log() }
//
// hosts.dir is a folder for the test's own files; hosts.userKey the private key
// that lets in, hosts.knownHosts the file. All of it is ended and removed by
// t.teardown; pass null for t and call hosts.stop() otherwise.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { execFileSync, spawn } = require('node:child_process')

const WAIT_MS = 60_000
const sshd = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'].find(file => fs.existsSync(file))

/**
 * count servers; options: { config: further lines for each sshd_config,
 * keyType: of the host keys, 'ed25519' }.
 */
async function startHosts (t, count, { config = [], keyType = 'ed25519' } = {}) {
  if (!sshd) throw new Error('these tests need sshd: npm run setup -- --full')
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  const hosts = []
  hosts.dir = dir
  hosts.stop = async () => {
    await Promise.all(hosts.map(host => host.stop()))
    fs.rmSync(dir, { recursive: true, force: true })
  }
  t?.teardown(hosts.stop)
  // sshd as root wants this folder for its unprivileged half, as an init script makes it.
  if (process.getuid() === 0) fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  hosts.userKey = makeKey(path.join(dir, 'user'))
  hosts.knownHosts = path.join(dir, 'known_hosts')
  fs.copyFileSync(`${hosts.userKey}.pub`, path.join(dir, 'authorized_keys'))
  for (let i = 0; i < count; i++) hosts.push(await startHost(dir, i + 1, { config, keyType, knownHosts: hosts.knownHosts, userKey: hosts.userKey }))
  writeKnownHosts(hosts.knownHosts, hosts)
  return hosts
}

async function startHost (base, number, { config, keyType, knownHosts, userKey }) {
  const dir = path.join(base, String(number))
  fs.mkdirSync(dir)
  const hostKey = makeKey(path.join(dir, 'host'), { type: keyType })
  const log = path.join(dir, 'log')
  const file = path.join(dir, 'sshd_config')
  let child
  let port
  for (let attempt = 0; ; attempt++) {
    port = await freePort()
    fs.writeFileSync(file, [
      `Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${hostKey}`, `PidFile ${dir}/pid`,
      `AuthorizedKeysFile ${base}/authorized_keys`, 'StrictModes no', 'UsePAM no', 'UseDNS no',
      'PasswordAuthentication no', 'PermitRootLogin prohibit-password', 'MaxStartups 100', 'LogLevel VERBOSE',
      'PermitUserEnvironment no', ...config, ''
    ].join('\n'))
    child = spawn(sshd, ['-D', '-f', file, '-E', log], { stdio: 'ignore' })
    if (await listening(child, port)) break
    if (attempt === 5) throw new Error(`sshd does not start: ${fs.existsSync(log) ? fs.readFileSync(log, 'utf8') : 'it says nothing'}`)
  }
  const folder = path.join(dir, 'app')
  const publicKey = fs.readFileSync(`${hostKey}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
  return {
    name: `host${number}`,
    host: '127.0.0.1',
    port,
    user: os.userInfo().username,
    key: userKey,
    agent: false,
    knownHosts,
    hostKey: null,
    jump: null,
    connectTimeoutMs: 10_000,
    keepaliveMs: 10_000,
    folder,
    dir,
    pid: child.pid,
    publicKey,
    fingerprint: execFileSync('ssh-keygen', ['-lf', `${hostKey}.pub`], { encoding: 'utf8' }).split(' ')[1],
    log: () => fs.readFileSync(log, 'utf8'),
    /** pids of the processes that serve connections. */
    sessions: () => descendants(child.pid).filter(pid => isSshd(pid)),
    /** Cuts the connections, as a network does: what the host runs goes on. */
    drop () {
      for (const pid of descendants(child.pid).filter(isSshd)) kill(pid, 'SIGKILL')
    },
    /** Ends the server, its connections, and what they started if `all`. */
    async stop ({ all = true } = {}) {
      const left = descendants(child.pid).filter(pid => all || isSshd(pid))
      kill(child.pid, 'SIGTERM')
      for (const pid of left) kill(pid, 'SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await new Promise(resolve => child.once('exit', resolve))
    }
  }
}

// ---- keys ------------------------------------------------------------------

/** -> the private key's file; the public one is beside it as .pub. */
function makeKey (file, { type = 'ed25519', passphrase = '' } = {}) {
  const bits = type === 'rsa' ? ['-b', '2048'] : []
  // -a: one round of the function that makes keys from passphrases slow to guess.
  execFileSync('ssh-keygen', ['-q', '-t', type, ...bits, '-a', '1', '-N', passphrase, '-C', 'test', '-f', file])
  return file
}

function writeKnownHosts (file, hosts) {
  fs.writeFileSync(file, hosts.map(({ host, port, publicKey }) => `[${host}]:${port} ${publicKey}\n`).join(''))
}

// ---- processes -------------------------------------------------------------

function kill (pid, signal) {
  try {
    process.kill(pid, signal)
  } catch (err) {
    if (err.code !== 'ESRCH') throw err
  }
}

// /proc/<pid>/stat (proc(5)): the name is in parentheses, and may contain some.
function stat (pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return { name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')), ppid: Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]) }
  } catch {
    return null
  }
}

function isSshd (pid) {
  return stat(pid)?.name.startsWith('sshd') ?? false
}

function descendants (root) {
  const parents = new Map(fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(pid => [Number(pid), stat(pid)?.ppid]))
  const found = []
  const visit = pid => {
    for (const [child, parent] of parents) {
      if (parent !== pid) continue
      found.push(child)
      visit(child)
    }
  }
  visit(root)
  return found
}

// ---- ports -----------------------------------------------------------------

function freePort () {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

// -> whether the server answers; false when it has ended, as one does whose
// port was taken in between.
async function listening (child, port) {
  const deadline = Date.now() + WAIT_MS
  while (Date.now() < deadline && child.exitCode === null) {
    const is = await new Promise(resolve => {
      const socket = net.connect(port, '127.0.0.1')
      socket.once('data', () => { socket.destroy(); resolve(true) })
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
    })
    if (is) return true
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  kill(child.pid, 'SIGKILL')
  return false
}

module.exports = { startHosts, makeKey, writeKnownHosts, freePort, descendants }
