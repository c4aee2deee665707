'use strict'
// A PostgreSQL server for tests: a private cluster in a folder of its own, which ends with the test.
//
//   whyNot()                      -> why no server can be started here, or null
//   await start(t, options)       -> a server; ends with the test `t`
//     options.settings            of postgresql.conf, by name: { wal_level: 'replica' }
//     options.hba                 lines of pg_hba.conf; default: trust, for all
//     options.tcp                 also listen on 127.0.0.1, at a port that was free
//     options.dir                 where its folder is made; default: that for temporary files
//     options.fsync               default false: no suite but those of durability needs a disk
//
//   server.url(database, params)  'postgres://postgres@/name?host=…&port=…', of the socket
//   server.tcpUrl(database)       the same by 127.0.0.1, where options.tcp was given
//   server.fresh(t)               the URL of a new database; it is dropped with the test `t`
//   server.sql(text, database)    what psql prints for a script: rows by line, columns by '|'
//   server.nameOf(url)            the database of such a URL
//   server.bin(name)              the path of one of PostgreSQL's programs
//   await server.stop(how)        'smart', 'fast' (the default), 'immediate', or 'kill': SIGKILL
//   await server.again(settings)  starts it once more, with other settings
//   server.dir, .data, .port, .pid, .user, .log
//
// One cluster is started by each test program that wants one: initdb takes less than a second of a
// processor, and no program sees what another does to its server. Databases are made ahead, so that
// `fresh` does not wait; they come from template0 in the locale C.UTF-8.
//
// The server never runs as root, which it refuses: then it runs as `postgres` or `nobody`. It is a
// child of the test by setpriv, which becomes it. A shell beside it waits for the end of its input:
// that is how the server ends when the test is killed.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { execFileSync, spawn } = require('node:child_process')

const PROGRAMS = ['postgres', 'initdb', 'psql']

// A start of a fresh cluster takes a tenth of a second; a machine that is busy may take long.
const START_MS = 60_000

// How many databases are ready ahead. Each takes 8 MB of the disk.
const AHEAD = 4

const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' }

const DEFAULTS = {
  wal_level: 'logical',
  max_connections: 200,
  shared_buffers: '32MB',
  lc_messages: 'C',
  log_line_prefix: '%m [%p] %q%d '
}

const UNSAFE = { fsync: 'off', full_page_writes: 'off' }

// ---- what is installed -------------------------------------------------------------------

// Debian keeps the server's programs away from PATH, in a folder for each version: the newest.
function folders () {
  const debian = '/usr/lib/postgresql'
  const versions = fs.existsSync(debian) ? fs.readdirSync(debian).filter((name) => /^\d+$/.test(name)) : []
  return [
    ...(process.env.UNDERCROFT_POSTGRES ? [process.env.UNDERCROFT_POSTGRES] : []),
    ...versions.sort((a, b) => b - a).map((version) => path.join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(path.delimiter).filter(Boolean),
    '/usr/local/pgsql/bin'
  ]
}

let found
function binaries () {
  found ??= folders().find((dir) => PROGRAMS.every((name) => fs.existsSync(path.join(dir, name)))) ?? null
  return found
}

// The user that the server is to run as: null for who runs the test.
// -> { name, uid, gid } or null; throws when there is none
function serverUser () {
  if (process.getuid() !== 0) return null
  const users = fs.readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const user = users.find((fields) => fields[0] === name)
    if (user !== undefined) return { name, uid: Number(user[2]), gid: Number(user[3]) }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody')
}

function has (command) {
  return [...(process.env.PATH ?? '').split(path.delimiter), '/usr/bin'].some((dir) => fs.existsSync(path.join(dir, command)))
}

/** Why no server can be started here, for a skip; null: it can. */
function whyNot () {
  if (binaries() === null) {
    return 'no PostgreSQL server found: neither in /usr/lib/postgresql/*/bin nor in PATH, nor where UNDERCROFT_POSTGRES names a folder'
  }
  if (process.getuid() === 0 && !has('setpriv')) return 'PostgreSQL does not run as root, and there is no setpriv to become another user'
  return null
}

// ---- starting ------------------------------------------------------------------------------

// As the server's user: [command, arguments].
function as (user, command, args) {
  if (user === null) return [command, args]
  return ['setpriv', ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups', command, ...args]]
}

// Nothing of the caller's PG* variables: they would name another server.
function cleanEnv () {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name)))
}

function freePort () {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function start (t, options = {}) {
  const reason = whyNot()
  if (reason !== null) throw new Error(reason)
  const server = new Server(options)
  t.teardown(() => server.end())
  server.port = options.tcp ? await freePort() : 5432
  server.init()
  await server.again()
  return server
}

class Server {
  #options
  #proc = null
  #guard = null
  #ended = null
  #maker = null
  #ready = []
  #wanted = 0
  #count = 0

  constructor (options) {
    this.#options = options
    this.user = serverUser()
    this.dir = fs.mkdtempSync(path.join(options.dir ?? os.tmpdir(), 'undercroft-pg-'))
    this.data = path.join(this.dir, 'data')
    this.settings = { ...DEFAULTS, ...(options.fsync ? {} : UNSAFE), ...options.settings }
    this.log = ''
    this.port = 5432
    // Everybody may use the socket.
    fs.chmodSync(this.dir, 0o755)
    if (this.user !== null) fs.chownSync(this.dir, this.user.uid, this.user.gid)
  }

  bin (name) {
    return path.join(binaries(), name)
  }

  init () {
    const args = ['-D', this.data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions']
    const [command, rest] = as(this.user, this.bin('initdb'), args)
    execFileSync(command, rest, { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.dir, env: cleanEnv() })
    if (this.#options.hba !== undefined) fs.writeFileSync(path.join(this.data, 'pg_hba.conf'), `${this.#options.hba.join('\n')}\n`)
  }

  get pid () {
    return this.#proc?.pid ?? null
  }

  /** Starts the server, which is stopped; resolves when it takes connections. */
  async again (settings = {}) {
    Object.assign(this.settings, settings)
    const all = {
      ...this.settings,
      listen_addresses: this.#options.tcp ? '127.0.0.1' : '',
      unix_socket_directories: this.dir,
      port: this.port
    }
    const args = ['-D', this.data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
    const [command, rest] = as(this.user, this.bin('postgres'), args)
    const proc = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.dir, env: cleanEnv() })
    this.#proc = proc
    const from = this.log.length
    const ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`PostgreSQL was not ready within ${START_MS / 1000} s:\n${this.log.slice(from)}`)), START_MS)
      proc.stderr.setEncoding('utf8').on('data', (text) => {
        this.log += text
        if (!/ready to accept (read-only )?connections/.test(this.log.slice(from))) return
        clearTimeout(timer)
        resolve()
      })
      this.#ended = new Promise((resolve) => proc.on('close', (code, signal) => {
        if (this.#proc === proc) this.#proc = null
        clearTimeout(timer)
        reject(new Error(`PostgreSQL ended with ${signal ?? code}:\n${this.log.slice(from)}`))
        resolve()
      }))
      proc.on('error', reject)
    })
    // An end without a line is that of the test.
    const guard = 'read -r _ && exit; kill -s QUIT "$1" 2>&1; for i in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 "$1" 2>&1 || break; sleep 0.5; done; rm -rf "$2"'
    this.#guard = spawn('sh', ['-c', guard, 'sh', String(proc.pid), this.dir], { stdio: ['pipe', 'ignore', 'ignore'] })
    this.#guard.stdin.on('error', () => {})
    await ready
  }

  /** Resolves when the server has ended. */
  async stop (how = 'fast') {
    const proc = this.#proc
    this.#endMaker()
    if (proc !== null) proc.kill(SIGNALS[how])
    await this.#ended
    this.#guard?.stdin.end('stop\n')
    this.#guard = null
  }

  async end () {
    if (this.#proc !== null) await this.stop('immediate')
    this.#guard?.stdin.end('stop\n')
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 })
  }

  // ---- databases ---------------------------------------------------------------------------

  url (database = 'postgres', params = {}) {
    const query = new URLSearchParams({ host: this.dir, port: this.port, ...params })
    return `postgres://postgres@/${database}?${query}`
  }

  tcpUrl (database = 'postgres', params = {}) {
    const query = Object.keys(params).length > 0 ? `?${new URLSearchParams(params)}` : ''
    return `postgres://postgres@127.0.0.1:${this.port}/${database}${query}`
  }

  nameOf (url) {
    return decodeURIComponent(/^postgres(?:ql)?:\/\/[^/]*\/([^?]*)/.exec(url)[1])
  }

  sql (text, database = 'postgres') {
    return execFileSync(this.bin('psql'), this.#psql(database, '-c', text), {
      encoding: 'utf8', env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe']
    }).trimEnd()
  }

  #psql (database, ...rest) {
    return ['-qAtX', '-v', 'ON_ERROR_STOP=1', '-h', this.dir, '-p', String(this.port), '-U', 'postgres', '-d', database, ...rest]
  }

  /** The URL of a database that nobody has seen; dropped with the test. Never waits when one is ready. */
  fresh (t) {
    let name = this.#ready.shift()
    if (name === undefined) {
      name = this.#name()
      this.sql(`create database ${name} template template0`)
    } else this.#wanted--
    while (this.#proc !== null && this.#wanted < AHEAD) this.#make()
    t?.teardown(() => { if (this.#maker !== null) this.#maker.stdin.write(`drop database if exists ${name} with (force);\n`) })
    return this.url(name)
  }

  #name () {
    return `t${++this.#count}`
  }

  #make () {
    const name = this.#name()
    this.#wanted++
    this.#maker ??= this.#startMaker()
    this.#maker.stdin.write(`create database ${name} template template0;\n\\echo ${name}\n`)
  }

  // A psql that stays: it makes databases and drops them while the tests go on.
  #startMaker () {
    const maker = spawn(this.bin('psql'), this.#psql('postgres'), { stdio: ['pipe', 'pipe', 'ignore'], env: cleanEnv() })
    let rest = ''
    maker.stdin.on('error', () => {})
    maker.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      if (this.#maker === maker) this.#ready.push(...lines)
    })
    return maker
  }

  #endMaker () {
    this.#maker?.stdin.end()
    this.#maker = null
    this.#wanted = this.#ready.length
  }
}

module.exports = { start, whyNot }
