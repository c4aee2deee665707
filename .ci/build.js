'use strict'
// Compiles build/Release/undercroft.node, and undercroftd where the libraries
// for it are installed, if anything they are made of has changed since the last
// time.
//
//   node .ci/build.js [--force] [--sanitize=address,undefined] [--lto]
//
// CI=true turns warnings into errors.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const native = require('../lib/cli/native')
const { checkDaemon, checkHttp } = require('../csrc/find-lib')

const root = path.join(__dirname, '..')
const stamp = path.join(root, 'build/undercroft.stamp')
const lock = path.join(root, 'build.lock')

// A failure whose message says all there is to say.
class BuildError extends Error {}

// What the binary is made of, as one hash: the sources by content (a checkout
// changes times), SQLite and node-addon-api by their locked versions.
function fingerprint (defines) {
  const hash = crypto.createHash('sha256')
  const add = file => hash.update(file).update('\0').update(fs.readFileSync(path.join(root, file)))
  add('binding.gyp')
  for (const name of fs.readdirSync(path.join(root, 'csrc'), { recursive: true }).sort()) {
    if (/\.(c|cc|h|gypi|js|defines)$/.test(name) && !name.startsWith('vendor')) add(`csrc/${name}`)
  }
  for (const name of ['better-sqlite3', 'node-addon-api']) {
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'node_modules', name, 'package.json')))
    hash.update(`${name}@${version}`)
  }
  hash.update(JSON.stringify([process.version, process.arch, defines, checkDaemon(), checkHttp()]))
  return hash.digest('hex')
}

function isFresh (print) {
  try {
    return [native.output, ...(checkDaemon().length ? [] : [native.daemon])].every(file => fs.existsSync(file)) &&
      fs.readFileSync(stamp, 'utf8') === print
  } catch {
    return false
  }
}

// SQLite as the set-up has compiled it, for whoever wants the very same; null
// when build/ holds another build, or an old one.
function sqliteArchive () {
  const file = path.join(root, 'build/Release/sqlite3.a')
  const isOurs = [{}, { werror: 1 }].some(defines => isFresh(fingerprint(defines)))
  return isOurs && fs.existsSync(file) ? file : null
}

// Two builds in one directory would break each other's object files.
// -> a function that gives the lock back
async function takeLock () {
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return () => fs.rmSync(lock, { force: true })
    } catch (err) {
      if (err.code !== 'EEXIST') throw err
    }
    if (!isHeld()) fs.rmSync(lock, { force: true })
    else await new Promise(resolve => setTimeout(resolve, 200))
  }
}

function isHeld () {
  try {
    process.kill(Number(fs.readFileSync(lock, 'utf8')), 0)
    return true
  } catch (err) {
    return err.code === 'EPERM'
  }
}

// -> true when it compiled, false when there was nothing to do. `log` is told
// each command.
async function build (defines, { force = false, log = console.log } = {}) {
  if (!force && isFresh(fingerprint(defines))) return false
  const release = await takeLock()
  try {
    const print = fingerprint(defines)
    if (!force && isFresh(print)) return false
    fs.rmSync(stamp, { force: true })
    const started = Date.now()
    for (const command of native.commands(defines)) {
      log(`$ ${[path.basename(command[0]), ...command[1]].join(' ').replaceAll(root + path.sep, '')}`)
      const { code, text } = await native.run(command, { quiet: true })
      if (code !== 0) throw new BuildError(`the build failed:\n${excerpt(text)}`)
      for (const line of warnings(text)) log(line)
    }
    fs.writeFileSync(stamp, print)
    for (const line of checkDaemon()) log(`  undercroftd is left out: ${line}`)
    for (const line of checkDaemon().length ? [] : checkHttp()) log(`  undercroftd has no HTTP: ${line}`)
    log(`  built ${path.relative(root, native.output)} in ${Math.round((Date.now() - started) / 1000)} s`)
    return true
  } finally {
    release()
  }
}

// node-gyp prints a hundred lines about itself: keep what the compiler said.
function excerpt (text) {
  const lines = text.split('\n').filter(line => !/^gyp (info|verb|http)|^\s+(CC|CXX|COPY|SOLINK)/.test(line))
  const first = lines.findIndex(line => /error:|Error:|not there|ERR!/.test(line))
  return lines.slice(Math.max(0, first - 3)).slice(0, 60).join('\n')
}

function warnings (text) {
  return text.split('\n').filter(line => /warning:/.test(line))
}

// The gyp variables that the environment and the arguments ask for.
function settings (args, env = process.env) {
  const defines = {}
  if (env.CI === 'true') defines.werror = 1
  for (const arg of args) {
    const [name, value] = arg.replace(/^--/, '').split('=')
    if (name === 'sanitize' && value) defines.sanitize = value
    else if (name === 'lto') defines.lto = 1
    else if (name !== 'force') throw new Error(`unknown option ${arg}`)
  }
  return defines
}

module.exports = { BuildError, build, settings, sqliteArchive }

if (require.main === module) {
  const args = process.argv.slice(2)
  Promise.resolve().then(() => build(settings(args), { force: args.includes('--force') })).then(
    built => { if (!built) console.log('build/Release/undercroft.node is up to date') },
    err => {
      console.error(err.message)
      process.exitCode = 1
    })
}
