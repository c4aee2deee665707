'use strict'
// Where the build finds what it is made of, in one place; binding.gyp calls it:
//
//   node find-lib.js sqlite --dir         directory of sqlite3.c and sqlite3.h
//   node find-lib.js sqlite --defines     its options: NAME or NAME=VALUE
//   node find-lib.js sqlite --cflags      the same as -D flags (the C tests)
//   node find-lib.js napi --dir           directory of napi.h
//   node find-lib.js msgpack --cflags     compiler flags
//   node find-lib.js msgpack --libs       the static library, as a path
//   node find-lib.js NAME --version       what `prepack` notes down
//   node find-lib.js sources DIR EXT      every DIR/**/*.EXT, sorted
//   node find-lib.js check                the whole list of what is lacking
//
// A build from the repository takes SQLite and node-addon-api out of
// node_modules; one from the published tarball out of csrc/vendor, which
// `prepack` fills.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync, spawnSync } = require('node:child_process')

const root = path.join(__dirname, '..')

// UNDERCROFT_SYSROOT lets a test pretend that a library is not installed.
const prefixes = process.env.UNDERCROFT_SYSROOT
  ? [path.join(process.env.UNDERCROFT_SYSROOT, 'usr')]
  : ['/usr', '/usr/local', '/opt/homebrew']

class Missing extends Error {}

function firstWith (name, directories) {
  return directories.find(dir => fs.existsSync(path.join(dir, name)))
}

function run (command, args) {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']
    }).trim()
  } catch {
    return ''
  }
}

function sqlite () {
  const dir = firstWith('sqlite3.c', [
    path.join(root, 'node_modules/better-sqlite3/deps/sqlite3'),
    path.join(root, 'csrc/vendor/sqlite3')
  ])
  if (!dir) {
    throw new Missing('SQLite\'s source is not there: run `npm ci` first')
  }
  const defines = options('csrc/sqlite.defines')
  return {
    dir: path.relative(root, dir),
    version: defined(path.join(dir, 'sqlite3.h'), /define SQLITE_VERSION +"(.+)"/),
    defines: defines.join('\n'),
    cflags: defines.map(define => `-D${define}`).join(' ')
  }
}

function defined (file, pattern) {
  return pattern.exec(fs.readFileSync(file, 'utf8'))?.[1]
}

// Lines of a file without comments; those after [linux] only on Linux.
function options (file) {
  const [common, linux] = fs.readFileSync(path.join(root, file), 'utf8')
    .split('[linux]')
  return (process.platform === 'linux' ? common + linux : common)
    .split('\n').map(line => line.replace(/#.*/, '').trim()).filter(Boolean)
}

function napi () {
  const dir = firstWith('napi.h', [
    path.join(root, 'node_modules/node-addon-api'),
    path.join(root, 'csrc/vendor/node-addon-api')
  ])
  if (!dir) {
    throw new Missing('node-addon-api is not there: run `npm ci` first')
  }
  return { dir: path.relative(root, dir) }
}

// msgpack-c's C half. Its pkg-config name differs between versions and
// distributions, and only the shared library is listed there; we link the
// static one, so that the addon needs nothing but libc at run time.
function msgpack () {
  const advice = 'install it with `apt-get install libmsgpack-dev` ' +
    '(Fedora: msgpack-devel, Alpine: msgpack-c-dev, Homebrew: msgpack)'
  const header = prefixes.map(prefix => path.join(prefix, 'include'))
    .find(dir => fs.existsSync(path.join(dir, 'msgpack/unpack.h')))
  if (!header) throw new Missing(`msgpack-c's headers (msgpack.h) are not there: ${advice}`)
  const triplet = run(process.env.CC || 'cc', ['-print-multiarch'])
  const dirs = prefixes.flatMap(prefix => [
    triplet && path.join(prefix, 'lib', triplet),
    path.join(prefix, 'lib64'),
    path.join(prefix, 'lib')
  ]).filter(Boolean)
  for (const name of ['libmsgpackc.a', 'libmsgpack-c.a']) {
    const dir = firstWith(name, dirs)
    if (dir) {
      return {
        // /usr/include is searched anyway, and naming it breaks #include_next.
        cflags: header === '/usr/include' ? '' : `-I${header}`,
        libs: path.join(dir, name),
        version: ['MAJOR', 'MINOR', 'REVISION'].map(part => defined(
          path.join(header, 'msgpack/version_master.h'),
          new RegExp(`MSGPACK_VERSION_${part} +(\\d+)`))).join('.')
      }
    }
  }
  throw new Missing(`msgpack-c's static library (libmsgpackc.a) is not there: ${advice}`)
}

// Relative to the root and sorted: the order of a directory must not change
// the binary.
function sources (dir, ext) {
  return fs.readdirSync(path.join(root, dir), { recursive: true })
    .filter(name => name.endsWith(`.${ext}`))
    .map(name => `${dir}/${name.split(path.sep).join('/')}`)
    .sort()
}

function tool (command, args, advice) {
  if (spawnSync(command, args, { stdio: 'ignore' }).status !== 0) {
    throw new Missing(`${command} is not there or does not run: ${advice}`)
  }
}

// Everything a build lacks, as sentences; empty when it can start.
function check () {
  const apt = packages => `install it with \`apt-get install ${packages}\``
  const steps = [
    sqlite,
    napi,
    msgpack,
    () => tool(process.env.CC || 'cc', ['--version'], apt('build-essential')),
    () => tool(process.env.CXX || 'c++', ['--version'], apt('build-essential')),
    () => tool('make', ['--version'], apt('build-essential')),
    () => tool(process.env.PYTHON || 'python3', ['--version'], apt('python3'))
  ]
  const lacking = []
  for (const step of steps) {
    try {
      step()
    } catch (err) {
      if (!(err instanceof Missing)) throw err
      lacking.push(err.message)
    }
  }
  return lacking
}

function main ([name, ...args]) {
  if (name === 'check') {
    const lacking = check()
    for (const line of lacking) console.error(line)
    return lacking.length ? 1 : 0
  }
  if (name === 'sources') {
    console.log(sources(...args).join('\n'))
    return 0
  }
  const found = { sqlite, napi, msgpack }[name]
  const field = (args[0] || '').replace(/^--/, '')
  if (!found || !field) {
    console.error('usage: find-lib.js sqlite --dir|--defines|--cflags|--version,\n' +
      '       napi --dir, msgpack --cflags|--libs|--version, sources DIR EXT, check')
    return 2
  }
  try {
    console.log(found()[field])
    return 0
  } catch (err) {
    if (!(err instanceof Missing)) throw err
    console.error(err.message)
    return 1
  }
}

module.exports = { check, sources }

if (require.main === module) process.exitCode = main(process.argv.slice(2))
