'use strict'
// Where the build finds what it is made of, in one place; binding.gyp calls it:
//
//   node find-lib.js sqlite --dir         directory of sqlite3.c and sqlite3.h
//   node find-lib.js sqlite --defines     its options: NAME or NAME=VALUE
//   node find-lib.js sqlite --cflags      the same as -D flags (the C tests)
//   node find-lib.js napi --dir           directory of napi.h
//   node find-lib.js msgpack --cflags     compiler flags
//   node find-lib.js msgpack --libs       the static library, as a path
//   node find-lib.js zlib --cflags|--libs zlib, and zstd, jansson, mbedtls, utf8proc
//                                         and cares likewise
//   node find-lib.js core --cflags|--libs all seven of them
//   node find-lib.js nng --libs           the same, and what nng needs itself
//   node find-lib.js uv --cflags|--libs   libuv
//   node find-lib.js daemon --there       1 when undercroftd can be built, or 0
//   node find-lib.js llhttp --cflags|--libs|--sources
//                                         the parser of its HTTP door: a library,
//                                         or files that compile its sources
//   node find-lib.js http --there         1 when that door can be built, or 0
//   node find-lib.js NAME --version       what `prepack` notes down
//   node find-lib.js sources DIR EXT      every DIR/**/*.EXT, sorted
//   node find-lib.js check                the whole list of what is lacking
//   node find-lib.js check-daemon         the same for undercroftd
//   node find-lib.js check-http           and for its HTTP door
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
  const found = library({
    name: 'msgpack-c',
    header: 'msgpack/unpack.h',
    archives: [['libmsgpackc.a', 'libmsgpack-c.a']],
    advice: 'install it with `apt-get install libmsgpack-dev` ' +
      '(Fedora: msgpack-devel, Alpine: msgpack-c-dev, Homebrew: msgpack)'
  })
  return {
    ...found,
    version: versionIn(found.header, 'msgpack/version_master.h',
      ['MAJOR', 'MINOR', 'REVISION'].map(part => `MSGPACK_VERSION_${part}`))
  }
}

// What the log's archives are compressed with; static for the same reason, and
// because Node brings copies of both that are not for others to call.
function zlib () {
  const found = library({
    name: 'zlib',
    header: 'zlib.h',
    archives: [['libz.a']],
    advice: 'install it with `apt-get install zlib1g-dev` ' +
      '(Fedora: zlib-devel zlib-static, Alpine: zlib-dev zlib-static, Homebrew: zlib)'
  })
  return {
    ...found,
    version: defined(path.join(found.header, 'zlib.h'), /define ZLIB_VERSION "(.+)"/)
  }
}

function zstd () {
  const found = library({
    name: 'zstd',
    header: 'zstd.h',
    archives: [['libzstd.a']],
    advice: 'install it with `apt-get install libzstd-dev` ' +
      '(Fedora: libzstd-devel libzstd-static, Alpine: zstd-dev zstd-static, Homebrew: zstd)'
  })
  return {
    ...found,
    version: versionIn(found.header, 'zstd.h',
      ['MAJOR', 'MINOR', 'RELEASE'].map(part => `ZSTD_VERSION_${part}`))
  }
}

// The reader of JSON bodies. Debian's archive is not compiled for a shared object,
// and asks for one thing of libc that such an object may not have: compat/stdin.c.
function jansson () {
  const found = library({
    name: 'jansson',
    header: 'jansson.h',
    archives: [['libjansson.a']],
    advice: 'install it with `apt-get install libjansson-dev` ' +
      '(Fedora: jansson-devel jansson-static, Alpine: jansson-dev jansson-static, Homebrew: jansson)'
  })
  return {
    ...found,
    version: defined(path.join(found.header, 'jansson.h'), /define JANSSON_VERSION +"(.+)"/)
  }
}

// What PostgreSQL's passwords and connections need: hashes and TLS, and the normal
// forms of Unicode.
function mbedtls () {
  const found = library({
    name: 'mbedtls',
    header: 'mbedtls/ssl.h',
    archives: [['libmbedtls.a'], ['libmbedx509.a'], ['libmbedcrypto.a']],
    advice: 'install it with `apt-get install libmbedtls-dev` ' +
      '(Fedora: mbedtls-devel mbedtls-static, Alpine: mbedtls-dev mbedtls-static, Homebrew: mbedtls@2)'
  })
  return {
    ...found,
    version: versionIn(found.header, 'mbedtls/version.h',
      ['MAJOR', 'MINOR', 'PATCH'].map(part => `MBEDTLS_VERSION_${part}`))
  }
}

function utf8proc () {
  const found = library({
    name: 'utf8proc',
    header: 'utf8proc.h',
    archives: [['libutf8proc.a']],
    advice: 'install it with `apt-get install libutf8proc-dev` ' +
      '(Fedora: utf8proc-devel, Alpine: utf8proc-dev, Homebrew: utf8proc)'
  })
  return {
    ...found,
    version: versionIn(found.header, 'utf8proc.h',
      ['MAJOR', 'MINOR', 'PATCH'].map(part => `UTF8PROC_VERSION_${part}`))
  }
}

// Names of hosts, without a libc that would have to be loaded.
function cares () {
  const found = library({
    name: 'c-ares',
    header: 'ares.h',
    archives: [['libcares.a', 'libcares_static.a']],
    advice: 'install it with `apt-get install libc-ares-dev` ' +
      '(Fedora: c-ares-devel, Alpine: c-ares-dev c-ares-static, Homebrew: c-ares)'
  })
  return { ...found, version: defined(path.join(found.header, 'ares_version.h'), /define ARES_VERSION_STR "(.+)"/) }
}

// What the core itself is linked with, in one answer.
function core () {
  const all = [msgpack(), zlib(), zstd(), jansson(), mbedtls(), utf8proc(), cares()]
  return {
    cflags: [...new Set(all.map(found => found.cflags).filter(Boolean))].join(' '),
    libs: all.map(found => found.libs).join(' ')
  }
}

// The daemon's: nng with the TLS library that Debian builds it with, and libuv.
function nng () {
  const found = library({
    name: 'nng',
    header: 'nng/nng.h',
    archives: [['libnng.a'], ['libmbedtls.a'], ['libmbedx509.a'], ['libmbedcrypto.a']],
    advice: 'install it with `apt-get install libnng-dev libmbedtls-dev`'
  })
  return {
    ...found,
    version: versionIn(found.header, 'nng/nng.h',
      ['MAJOR', 'MINOR', 'PATCH'].map(part => `NNG_${part}_VERSION`))
  }
}

function uv () {
  const found = library({
    name: 'libuv',
    header: 'uv.h',
    archives: [['libuv_a.a', 'libuv.a']],
    advice: 'install it with `apt-get install libuv1-dev`'
  })
  return {
    ...found,
    version: versionIn(found.header, 'uv/version.h',
      ['MAJOR', 'MINOR', 'PATCH'].map(part => `UV_VERSION_${part}`))
  }
}

// What parses HTTP in the daemon. Debian 13 has the library; Debian 12 has the sources,
// in the package of Node's bindings.
function llhttp () {
  const dirs = prefixes.map(prefix => path.join(prefix, 'share'))
  const from = dirs.find(dir => ['llhttp/api.c', 'llhttp/http.c', 'llhttp/llhttp.c', 'include/llhttp/llhttp.h']
    .every(file => fs.existsSync(path.join(dir, file))))
  const found = from
    ? {
        header: path.join(from, 'include/llhttp'),
        cflags: ['include/llhttp', 'llhttp'].map(dir => `-isystem${path.join(from, dir)}`).join(' '),
        libs: '',
        sources: 'csrc/compat/llhttp.c\ncsrc/compat/llhttp_api.c'
      }
    : {
        ...library({
          name: 'llhttp',
          header: 'llhttp.h',
          archives: [['libllhttp.a']],
          advice: 'install it with `apt-get install libllhttp-dev` (Debian 12: node-llhttp)'
        }),
        sources: ''
      }
  return {
    ...found,
    version: versionIn(found.header, 'llhttp.h', ['MAJOR', 'MINOR', 'PATCH'].map(part => `LLHTTP_VERSION_${part}`))
  }
}

// A library with its headers; `archives`: the static libraries, each under the
// names that it has somewhere.
function library ({ name, header, archives, advice }) {
  const include = prefixes.map(prefix => path.join(prefix, 'include'))
    .find(dir => fs.existsSync(path.join(dir, header)))
  if (!include) throw new Missing(`${name}'s headers (${header}) are not there: ${advice}`)
  const triplet = run(process.env.CC || 'cc', ['-print-multiarch'])
  const dirs = prefixes.flatMap(prefix => [
    triplet && path.join(prefix, 'lib', triplet),
    path.join(prefix, 'lib64'),
    path.join(prefix, 'lib')
  ]).filter(Boolean)
  const libs = archives.map(names => {
    const found = names.flatMap(file => dirs.map(dir => path.join(dir, file)))
      .find(file => fs.existsSync(file))
    if (!found) throw new Missing(`${name}'s static library (${names[0]}) is not there: ${advice}`)
    return found
  })
  return {
    header: include,
    // /usr/include is searched anyway, and naming it breaks #include_next.
    cflags: include === '/usr/include' ? '' : `-I${include}`,
    libs: libs.join(' ')
  }
}

function versionIn (include, header, names) {
  return names.map(name => defined(path.join(include, header),
    new RegExp(`define ${name} +(\\d+)`))).join('.')
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
    zlib,
    zstd,
    jansson,
    mbedtls,
    utf8proc,
    cares,
    () => tool(process.env.CC || 'cc', ['--version'], apt('build-essential')),
    () => tool(process.env.CXX || 'c++', ['--version'], apt('build-essential')),
    () => tool('make', ['--version'], apt('build-essential')),
    () => tool(process.env.PYTHON || 'python3', ['--version'], apt('python3'))
  ]
  return missing(steps)
}

// The same for the daemon, which an addon does without.
function checkDaemon () {
  return process.platform === 'linux'
    ? missing([nng, uv])
    : [`undercroftd needs Linux, this is ${process.platform}`]
}

// And for its HTTP door, which the daemon does without.
function checkHttp () {
  return missing([llhttp])
}

function missing (steps) {
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
  const checks = { check, 'check-daemon': checkDaemon, 'check-http': checkHttp }
  if (checks[name]) {
    const lacking = checks[name]()
    for (const line of lacking) console.error(line)
    return lacking.length ? 1 : 0
  }
  if (name === 'sources') {
    console.log(sources(...args).join('\n'))
    return 0
  }
  const daemon = () => ({ there: checkDaemon().length ? 0 : 1 })
  const http = () => ({ there: checkHttp().length ? 0 : 1 })
  const found = { sqlite, napi, msgpack, zlib, zstd, jansson, mbedtls, utf8proc, cares, core, nng, uv, daemon, llhttp, http }[name]
  const field = (args[0] || '').replace(/^--/, '')
  if (!found || !field) {
    console.error('usage: find-lib.js sqlite --dir|--defines|--cflags|--version,\n' +
      '       napi --dir, msgpack|zlib|zstd|jansson|mbedtls|utf8proc|cares|nng|uv --cflags|--libs|--version,\n' +
      '       llhttp --cflags|--libs|--sources|--version,\n' +
      '       core --cflags|--libs, daemon|http --there,\n' +
      '       sources DIR EXT, check, check-daemon, check-http')
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

module.exports = { check, checkDaemon, checkHttp, sources }

if (require.main === module) process.exitCode = main(process.argv.slice(2))
