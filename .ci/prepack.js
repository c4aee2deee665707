'use strict'
// What the tarball holds beyond the repository: the compiled addon and daemon for
// this platform, and the sources that `npx undercroft build` needs elsewhere. None of
// it is ever committed; `--clean` (postpack) removes it again.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const binary = require('./binary')
const native = require('../lib/cli/native')
const { sqliteArchive } = require('./build')
const { checkDaemon, checkHttp } = require('../csrc/find-lib')

const root = path.join(__dirname, '..')
const vendor = path.join(root, 'csrc/vendor')
const prebuilds = path.join(root, 'prebuilds')
// The binary is compiled from a copy that holds no more than the tarball does:
// the developer's build stays as it is, and a source that was forgotten shows.
const workshop = path.join(root, '.pack')

const vendored = [
  ['node_modules/better-sqlite3/deps/sqlite3', 'sqlite3', ['sqlite3.c', 'sqlite3.h']],
  ['node_modules/node-addon-api', 'node-addon-api', ['napi.h', 'napi-inl.h', 'LICENSE.md']]
]

function clean () {
  fs.rmSync(vendor, { recursive: true, force: true })
  fs.rmSync(prebuilds, { recursive: true, force: true })
}

// npm compiles whatever has a binding.gyp in its first folder: `npm ci` takes what it knows of a
// package from the lock file, which does not keep "gypfile": false. So it travels elsewhere.
function copySources () {
  fs.mkdirSync(vendor, { recursive: true })
  copy(path.join(root, 'binding.gyp'), native.packedGyp)
  for (const [from, to, names] of vendored) {
    fs.mkdirSync(path.join(vendor, to), { recursive: true })
    for (const name of names) copy(path.join(root, from, name), path.join(vendor, to, name))
  }
}

// Times are kept: make compiles again only what has changed.
function copy (from, to) {
  fs.cpSync(from, to, { recursive: true, preserveTimestamps: true })
}

function versionOf (name) {
  return JSON.parse(fs.readFileSync(path.join(root, 'node_modules', name, 'package.json'))).version
}

function commandLine (file, ...args) {
  return execFileSync(file, args, { cwd: root, encoding: 'utf8' }).trim()
}

async function compile (defines) {
  fs.rmSync(path.join(workshop, 'csrc'), { recursive: true, force: true })
  for (const name of ['package.json', 'binding.gyp', 'csrc']) {
    copy(path.join(root, name), path.join(workshop, name))
  }
  for (const command of native.commands(defines)) {
    const { code, text } = await native.run(command, { quiet: true, cwd: workshop })
    if (code !== 0) throw new Error(`compiling the binary failed:\n${text.split('\n').slice(-40).join('\n')}`)
  }
  return name => path.join(workshop, path.relative(root, name))
}

async function packBinary () {
  const lacking = [...checkDaemon(), ...checkHttp()]
  if (lacking.length) throw new Error(`the daemon cannot be packed:\n  ${lacking.join('\n  ')}`)
  // The same source under the same flags, for which a compiler needs a minute and more.
  const sqlite = sqliteArchive()
  const built = await compile({ lto: 1, oldglibc: 1, ...(sqlite && { sqlite_archive: sqlite }) })
  const dir = path.join(prebuilds, `${process.platform}-${process.arch}`)
  const file = path.join(dir, 'undercroft.node')
  fs.mkdirSync(dir, { recursive: true })
  execFileSync('strip', ['--strip-unneeded', '-o', file, built(native.output)])
  const daemon = path.join(dir, 'undercroftd')
  execFileSync('strip', ['--strip-all', '-o', daemon, built(native.daemon)])

  const { glibc } = require('../package.json').undercroft
  const facts = binary.inspect(file)
  const faults = [...binary.faults(facts, { glibc }), ...binary.daemonFaults(daemon)]
  if (faults.length) throw new Error(`the binary cannot be published:\n  ${faults.join('\n  ')}`)

  fs.writeFileSync(path.join(dir, 'build.json'), JSON.stringify({
    sqlite: commandLine(process.execPath, 'csrc/find-lib.js', 'sqlite', '--version'),
    msgpack: commandLine(process.execPath, 'csrc/find-lib.js', 'msgpack', '--version'),
    zlib: commandLine(process.execPath, 'csrc/find-lib.js', 'zlib', '--version'),
    zstd: commandLine(process.execPath, 'csrc/find-lib.js', 'zstd', '--version'),
    jansson: commandLine(process.execPath, 'csrc/find-lib.js', 'jansson', '--version'),
    mbedtls: commandLine(process.execPath, 'csrc/find-lib.js', 'mbedtls', '--version'),
    utf8proc: commandLine(process.execPath, 'csrc/find-lib.js', 'utf8proc', '--version'),
    'c-ares': commandLine(process.execPath, 'csrc/find-lib.js', 'cares', '--version'),
    'node-addon-api': versionOf('node-addon-api'),
    nng: commandLine(process.execPath, 'csrc/find-lib.js', 'nng', '--version'),
    libuv: commandLine(process.execPath, 'csrc/find-lib.js', 'uv', '--version'),
    llhttp: commandLine(process.execPath, 'csrc/find-lib.js', 'llhttp', '--version'),
    compiler: commandLine(process.env.CXX || 'c++', '--version').split('\n')[0],
    glibc: facts.glibc,
    needs: facts.needs,
    sha256: sha256(file),
    daemon: { sha256: sha256(daemon) }
  }, null, 2) + '\n')
  console.error(`  packed ${path.relative(root, file)}: ${fs.statSync(file).size} bytes, glibc ${facts.glibc}`)
  console.error(`  packed ${path.relative(root, daemon)}: ${fs.statSync(daemon).size} bytes, static`)
}

function sha256 (file) {
  return crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex')
}

async function main (args) {
  clean()
  if (args.includes('--clean')) return
  if (!fs.existsSync(path.join(root, 'node_modules/better-sqlite3'))) {
    throw new Error('run `npm run setup` first: packing compiles the addon')
  }
  copySources()
  if (process.platform === 'linux' && process.arch === 'x64') await packBinary()
  else console.error(`  no binary is packed on ${process.platform}-${process.arch}: npx undercroft build makes one there`)
}

// stdout belongs to `npm pack --json`.
main(process.argv.slice(2)).catch(err => {
  console.error(err.message)
  process.exitCode = 1
})
