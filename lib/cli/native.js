'use strict'
// How the addon and the daemon are compiled: the one way for `npx undercroft build`, for the
// set-up of the repository and for packing.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')

const root = path.join(__dirname, '../..')
const output = path.join(root, 'build/Release/undercroft.node')
const daemon = path.join(root, 'build/Release/undercroftd')

// Where the tarball has binding.gyp: in its first folder npm would take it for an order to compile.
const packedGyp = path.join(root, 'csrc/vendor/undercroft.gyp')

/** Puts binding.gyp where node-gyp looks for it. -> a function that takes it away again */
function placeGyp () {
  const file = path.join(root, 'binding.gyp')
  if (fs.existsSync(file) || !fs.existsSync(packedGyp)) return () => {}
  fs.copyFileSync(packedGyp, file)
  return () => fs.rmSync(file, { force: true })
}

// The directory that holds include/node of the running Node, when its headers
// were installed with it: then node-gyp has nothing to download.
function headers () {
  const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)))
  const include = path.join(prefix, 'include/node')
  const whole = ['node_api.h', 'common.gypi', 'config.gypi']
    .every(name => fs.existsSync(path.join(include, name)))
  return whole ? prefix : null
}

// node-gyp's script: the repository's own, else the one inside the npm that
// started us, else the one inside the npm that came with this Node.
function findNodeGyp () {
  const inNpm = 'node_modules/node-gyp/bin/node-gyp.js'
  const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)))
  const places = [
    path.join(root, inNpm),
    process.env.npm_config_node_gyp,
    process.env.npm_execpath && path.join(path.dirname(process.env.npm_execpath), '..', inNpm),
    path.join(prefix, 'lib/node_modules/npm', inNpm),
    path.join(prefix, 'node_modules/npm', inNpm),
    path.join(prefix, 'share/nodejs/npm', inNpm),
    path.join(prefix, 'share/nodejs/node-gyp/bin/node-gyp.js')
  ]
  return places.find(place => place && fs.existsSync(place)) || null
}

// The commands that compile, each as [file, args]; `defines` are gyp variables,
// { werror: 1 }. Not `rebuild`, which would compile SQLite again every time.
// Null when there is no node-gyp.
function commands (defines = {}) {
  const script = findNodeGyp()
  if (!script) return null
  const nodedir = headers()
  const configure = [script, 'configure']
  if (nodedir) configure.push(`--nodedir=${nodedir}`)
  const pairs = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`)
  if (pairs.length) configure.push('--', ...pairs)
  const build = [script, 'build', `--jobs=${os.availableParallelism()}`]
  return [[process.execPath, configure], [process.execPath, build]]
}

// Runs one of them, in the package's root unless told otherwise. ->
// { code, text }: text is all it printed, which is also passed on to stderr
// unless `quiet`.
function run ([file, args], { quiet = false, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks = []
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        chunks.push(chunk)
        if (!quiet) process.stderr.write(chunk)
      })
    }
    child.on('error', reject)
    child.on('close', code => {
      resolve({ code: code ?? 1, text: Buffer.concat(chunks).toString() })
    })
  })
}

module.exports = { commands, daemon, findNodeGyp, headers, output, packedGyp, placeGyp, root, run }
