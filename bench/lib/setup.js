'use strict'

// What only the benchmark needs and `npm run setup` leaves out: npm sqlite3, npm
// spdlog and npm libpq, which have no binary in their packages and are built from
// their source here, the C limit and the C++ mark of the log.
//
// For `--smoke`, which measures nothing, they may be built without optimizing,
// in a third of the time. A mark remembers it: no figure comes from such a build.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const build = require('../c/build')
const axum = require('./axum')
const { headers } = require('../../lib/cli/native')

const BENCH = path.join(__dirname, '..')
const ROOT = path.join(BENCH, '..')
const MARK = path.join(BENCH, 'build/not-optimized')
const PLAIN = '-O0 -U_FORTIFY_SOURCE'
// Both speak Node-API: one build serves every runtime.
const NATIVE = [
  { name: 'sqlite3', binary: 'build/Release/node_sqlite3.node' },
  { name: '@vscode/spdlog', binary: 'build/Release/spdlog.node' }
]

// The binding of pg-native is of V8's own interface, and compiles on Node 20 alone. It wants libpq-dev.
const LIBPQ = path.join(BENCH, 'node_modules/libpq')

/** Whether all of it is there, optimized. */
function isBuilt () {
  return isOptimized() && build.built() !== null &&
    NATIVE.every(({ name, binary }) => fs.existsSync(path.join(BENCH, 'node_modules', name, binary)))
}

function isOptimized () {
  return !fs.existsSync(MARK)
}

/**
 * @param {object} [options]
 * @param {boolean} [options.smoke] what is missing is built without optimizing
 * @param {string} [options.door] 'http': the rival in Rust too, whose packages come by apt
 */
function setup (say, { smoke = false, door } = {}) {
  const isPlain = smoke && !isBuilt()
  if (isPlain) {
    fs.mkdirSync(path.dirname(MARK), { recursive: true })
    fs.writeFileSync(MARK, 'npm run bench -- --setup builds it anew\n')
  } else if (!isOptimized()) {
    for (const { name } of NATIVE) fs.rmSync(path.join(BENCH, 'node_modules', name, 'build'), { recursive: true, force: true })
    fs.rmSync(path.dirname(MARK), { recursive: true })
  }
  const env = isPlain ? { ...process.env, CFLAGS: PLAIN, CXXFLAGS: PLAIN } : process.env
  const run = (command, args, cwd) => {
    say(`${[command, ...args].join(' ')}    # in ${path.relative(ROOT, cwd)}`)
    const { status, error } = spawnSync(command, args, { cwd, env, stdio: 'inherit' })
    if (error || status !== 0) throw new Error(`'${command} ${args.join(' ')}' failed`)
  }
  for (const { name, binary } of NATIVE) {
    const dir = path.join(BENCH, 'node_modules', name)
    if (fs.existsSync(path.join(dir, binary))) {
      say(`npm ${name} is built`)
      continue
    }
    // Their install scripts would first try to fetch a binary from elsewhere.
    if (!fs.existsSync(dir)) run('npm', ['ci', '--ignore-scripts'], BENCH)
    const nodedir = headers()
    run(process.execPath, [
      path.join(ROOT, 'node_modules/node-gyp/bin/node-gyp.js'), 'rebuild', ...(nodedir ? [`--nodedir=${nodedir}`] : [])
    ], dir)
  }
  buildLibpq(say)
  build.build(say, { plain: isPlain })
  say('the C limit is built')
  if (door === 'http' && !smoke) setupAxum(say)
  say(build.buildSpdlog({ plain: isPlain }) ? 'the C++ mark of the log is built' : 'the C++ mark of the log is not built: spdlog\'s headers or the compiler are missing')
}

function buildLibpq (say) {
  if (fs.existsSync(path.join(LIBPQ, 'build/Release/addon.node'))) return say('npm libpq is built')
  if (Number(process.versions.node.split('.')[0]) > 20) return say('npm libpq is not built: it compiles on Node 20 alone')
  if (spawnSync('pg_config', ['--version'], { stdio: 'ignore' }).status !== 0) return say('npm libpq is not built: apt-get install libpq-dev')
  const nodedir = headers()
  const { status } = spawnSync(process.execPath, [
    path.join(ROOT, 'node_modules/node-gyp/bin/node-gyp.js'), 'rebuild', ...(nodedir ? [`--nodedir=${nodedir}`] : [])
  ], { cwd: LIBPQ, stdio: ['ignore', 'ignore', 'inherit'] })
  say(status === 0 ? 'npm libpq is built' : 'npm libpq is not built: see above')
}

function setupAxum (say) {
  const reason = axum.missing()
  if (reason === null) axum.make(say)
  say(reason === null ? `axum is built: ${axum.versions()}` : `axum is not built: ${reason}`)
}

module.exports = { isBuilt, isOptimized, setup }
