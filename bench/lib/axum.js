'use strict'

// The rival axum + diesel: rust/, built with the crates of Debian 13 (librust-*-dev) and
// the SQLite source and options of our own build. The crates are taken by apt through a
// root of their own with Debian 13's list, so that the system's packages stay as they are.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const build = require('../c/build')

const RUST = path.join(__dirname, '../rust')
const OUT = path.join(__dirname, '../build/axum')
const CRATES = path.join(OUT, 'crates')
const PROGRAM = path.join(OUT, 'target/release/bench-axum')
const STAMP = path.join(OUT, 'built.json')

const SUITE = 'trixie'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
// diesel binds LIMIT, and without this SQLite would prepare the statement again each time.
const MORE_DEFINES = ['SQLITE_ENABLE_QPSG']
const WANTED = [
  'librust-axum-dev', 'librust-tokio-dev', 'librust-serde-dev', 'librust-serde-json-dev', 'librust-diesel-dev',
  'librust-diesel+sqlite-dev', 'librust-diesel+r2d2-dev'
]

const has = command => !spawnSync(command, ['--version'], { stdio: 'ignore' }).error

/** Why it cannot be built here, or null. */
function missing () {
  const lacking = ['cargo', 'apt-get', 'dpkg-deb'].find(command => !has(command))
  return lacking === undefined ? null : `there is no ${lacking}`
}

/** What the program is made of, to see whether it is the newest. */
function recipe () {
  const sources = ['Cargo.toml', ...fs.readdirSync(path.join(RUST, 'src')).sort().map(name => path.join('src', name))]
  return JSON.stringify({
    sources: sources.map(name => [name, fs.readFileSync(path.join(RUST, name), 'utf8')]),
    sqlite: [...build.recipe().defines, ...MORE_DEFINES]
  })
}

/** The path of the program when it is built and up to date, else null. */
function built () {
  try {
    return fs.readFileSync(STAMP, 'utf8') === recipe() && fs.existsSync(PROGRAM) ? PROGRAM : null
  } catch {
    return null
  }
}

/** 'axum 0.7.9, diesel 2.2.7', of the crates that are there. */
function versions () {
  const names = fs.readdirSync(CRATES)
  return ['axum', 'diesel', 'tokio'].map(name => {
    const found = names.map(each => new RegExp(`^${name}-(\\d.*)$`).exec(each)).find(Boolean)
    return `${name} ${found ? found[1] : '?'}`
  }).join(', ')
}

/** Where this machine takes its Debian packages from: Debian 13 is there as well. */
function mirror () {
  const { stdout, error } = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'], { encoding: 'utf8' })
  const found = (error ? '' : stdout).split('\n').find(uri => /\/debian\/?$/.test(uri))
  if (found === undefined) throw new Error('no mirror of Debian is among the sources of apt: axum is not built')
  return found
}

/** apt with files of its own: lists, caches and a state without installed packages. */
function aptIn (dir) {
  for (const name of ['etc/apt/preferences.d', 'lists/partial', 'archives/partial']) fs.mkdirSync(path.join(dir, name), { recursive: true })
  fs.writeFileSync(path.join(dir, 'status'), '')
  fs.writeFileSync(path.join(dir, 'etc/apt/sources.list'), `deb [signed-by=${KEYRING}] ${mirror()} ${SUITE} main\n`)
  const options = {
    Dir: dir,
    'Dir::Etc': path.join(dir, 'etc/apt'),
    'Dir::State::status': path.join(dir, 'status'),
    'Dir::State::lists': path.join(dir, 'lists'),
    'Dir::Cache': dir,
    'Dir::Cache::archives': path.join(dir, 'archives'),
    'Acquire::Languages': 'none',
    // Its own user could not read a folder of ours.
    'APT::Sandbox::User': 'root'
  }
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

function run (say, command, args, more = {}) {
  say(`${command} ${args.filter(arg => !arg.includes('=') && arg !== '-o').slice(0, 8).join(' ')}`)
  const { status, error, stdout } = spawnSync(command, args, { stdio: ['ignore', more.read ? 'pipe' : 'inherit', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 26, ...more })
  if (error || status !== 0) throw new Error(`'${command}' failed: axum is not built`)
  return stdout
}

/** The crates, unpacked: what librust-*-dev needs of its own kind, and nothing else. */
function fetchCrates (say) {
  const dir = path.join(OUT, 'apt')
  const apt = aptIn(dir)
  run(say, 'apt-get', [...apt, 'update', '-qq'])
  const plan = run(say, 'apt-get', [...apt, 'install', '--simulate', '--no-install-recommends', ...WANTED], { read: true })
  const names = Array.from(plan.matchAll(/^Inst (librust-\S+)/gm), ([, name]) => name)
  const packages = path.join(OUT, 'packages')
  fs.mkdirSync(packages, { recursive: true })
  run(say, 'apt-get', [...apt, 'download', '-qq', ...names], { cwd: packages })
  const root = path.join(OUT, 'root')
  for (const file of fs.readdirSync(packages)) run(() => {}, 'dpkg-deb', ['-x', path.join(packages, file), root])
  fs.rmSync(CRATES, { recursive: true, force: true })
  fs.renameSync(path.join(root, 'usr/share/cargo/registry'), CRATES)
  for (const done of [packages, root, dir]) fs.rmSync(done, { recursive: true, force: true })
}

/** A static SQLite where libsqlite3-sys looks for one. */
function makeSqlite (say) {
  const dir = path.join(OUT, 'sqlite')
  const library = path.join(dir, 'libsqlite3.a')
  const object = path.join(dir, 'sqlite3.o')
  fs.rmSync(library, { force: true })
  fs.mkdirSync(dir, { recursive: true })
  build.compileSqlite(say, object, MORE_DEFINES)
  run(say, 'ar', ['rcs', library, object])
  return dir
}

/** Builds it when it is not up to date; some minutes. Throws where that is not possible. */
function make (say) {
  if (built()) return
  if (!fs.existsSync(CRATES)) fetchCrates(say)
  const config = `source.crates-io.replace-with = "debian"\nsource.debian.directory = ${JSON.stringify(CRATES)}\n`
  fs.writeFileSync(path.join(OUT, 'cargo.toml'), config)
  // Where these are given, the system's SQLite is not asked for by pkg-config.
  const sqlite = { SQLITE3_LIB_DIR: makeSqlite(say), SQLITE3_INCLUDE_DIR: build.recipe().dir, SQLITE3_STATIC: '1', SQLITE3_NO_PKG_CONFIG: '1' }
  run(say, 'cargo', [
    'build', '--release', '--offline', '--manifest-path', path.join(RUST, 'Cargo.toml'),
    '--target-dir', path.join(OUT, 'target'), '--config', path.join(OUT, 'cargo.toml')
  ], { env: { ...process.env, ...sqlite } })
  fs.writeFileSync(STAMP, recipe())
}

module.exports = { missing, built, make, versions }

if (require.main === module) make(console.log)
