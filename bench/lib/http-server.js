'use strict'

// How the servers of the door `http` are started: those that are scripts of servers/http
// on a runtime, and all of them at a port of this machine.

const net = require('node:net')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { runtimes } = require('./runtimes')

const SERVERS = path.join(__dirname, '../servers/http')

// Of better-sqlite3 and of Undercroft, which run on all of them.
const NAMES = { node: 'node24', bun: 'bun' }

const found = {}

/** The runtime of that kind: { kind, version, exec, skip }. */
function runtimeOf (kind) {
  found[kind] ??= runtimes([NAMES[kind]])[0]
  return found[kind]
}

/** A port where nobody listens. */
function freePort () {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** The recipe of a server that is a script; see lib/service.js. */
async function scripted (script, kind, { file, settings, test, prof }) {
  const port = await freePort()
  const { exec } = runtimeOf(kind)
  const flags = prof && kind === 'node' ? ['--cpu-prof', `--cpu-prof-dir=${prof}`] : []
  const job = { port, file, settings, routes: test.routes }
  return {
    command: exec,
    args: [...flags, path.join(SERVERS, `${script}.js`), JSON.stringify(job)],
    env: { NODE_ENV: 'production' },
    port
  }
}

/** Why the runtime cannot be used, or a package that the script needs is not there; null: it can. */
function whyNot (kind, packages = []) {
  const { skip } = runtimeOf(kind)
  if (skip) return `${kind === 'bun' ? 'Bun' : 'Node 24'}: ${skip}`
  const lacking = packages.find(name => !isInstalled(name))
  return lacking === undefined ? null : `${lacking} is not installed`
}

function isInstalled (name) {
  try {
    require.resolve(`${name}/package.json`, { paths: [SERVERS] })
    return true
  } catch (err) {
    // It is there, and keeps that file to itself.
    return err.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
  }
}

/** 'Node 24.21.0, SQLite 3.53.1': what the script runs on. */
function about (kind) {
  const { exec, version } = runtimeOf(kind)
  const library = kind === 'bun' ? "new (require('bun:sqlite').Database)(':memory:')" : "new (require('better-sqlite3'))(':memory:')"
  const program = `process.stdout.write(Object.values(${library}.prepare('select sqlite_version()').get())[0])`
  const { stdout } = spawnSync(exec, ['-e', program], { encoding: 'utf8', cwd: SERVERS })
  return `${kind === 'bun' ? 'Bun' : 'Node'} ${version}, SQLite ${stdout}`
}

module.exports = { freePort, scripted, whyNot, about, runtimeOf }
