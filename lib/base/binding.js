'use strict'

// Finds what is compiled: the native addon, which is loaded on first use and never
// at require, and the daemon.

const { builtin } = require('./builtin')
const { existsSync, readFileSync } = builtin('node:fs')
const { createRequire } = builtin('node:module')
const path = builtin('node:path')
const { UndercroftError } = require('./errors')

// None in an ES module that a bundler has written: there is no package to look in.
const root = typeof __dirname === 'undefined' ? null : path.join(__dirname, '../..')
// What was built here comes first: who ran `npx undercroft build` did so because
// the packed binary is not for this machine (musl, another architecture).
const places = [
  'build/Release/undercroft.node',
  'build/Debug/undercroft.node',
  `prebuilds/${process.platform}-${process.arch}/undercroft.node`
]
const programs = [
  'build/Release/undercroftd',
  'build/Debug/undercroftd',
  `prebuilds/${process.platform}-${process.arch}/undercroftd`
]

let addon = null

/** The addon's exports. Throws UC_NO_ADDON when there is none for this platform. */
function load () {
  if (addon !== null) return addon
  const override = process.env.UNDERCROFT_ADDON
  const found = override !== undefined && override !== ''
    ? [path.resolve(override)]
    : inPackage(places)
  if (found.length === 0) {
    if (isBundled()) throw bundled('UC_NO_ADDON', 'addon', 'UNDERCROFT_ADDON')
    throw new UndercroftError('UC_NO_ADDON',
      `there is no compiled addon for ${process.platform}-${process.arch} in this installation; ` +
      'run npx undercroft build')
  }
  let failure = null
  for (const file of found) {
    try {
      // Not by the require of this file: a bundler puts its own in that place.
      addon = createRequire(file)(file)
      return addon
    } catch (cause) {
      failure ??= new UndercroftError('UC_NO_ADDON',
        `the addon ${file} does not load here (${cause.message}); run npx undercroft build`, { cause })
    }
  }
  throw failure
}

/** The path of the daemon's executable. Throws UC_NO_DAEMON when there is none. */
function daemonPath () {
  const override = process.env.UNDERCROFT_DAEMON
  if (override !== undefined && override !== '') return path.resolve(override)
  const found = inPackage(programs)[0]
  if (found === undefined) {
    if (isBundled()) throw bundled('UC_NO_DAEMON', 'daemon', 'UNDERCROFT_DAEMON')
    throw new UndercroftError('UC_NO_DAEMON',
      `there is no compiled daemon for ${process.platform}-${process.arch} in this installation; ` +
      'run npx undercroft build')
  }
  return found
}

function inPackage (names) {
  return root === null ? [] : names.map((name) => path.join(root, name)).filter((file) => existsSync(file))
}

// Inside of a bundle this file lies where the bundle does, and the package somewhere else.
function isBundled () {
  if (root === null) return true
  try {
    return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).name !== 'undercroft'
  } catch {
    return true
  }
}

function bundled (code, what, variable) {
  return new UndercroftError(code,
    `undercroft is part of a bundle, and a bundle holds no ${what}; leave the package out of it and installed ` +
    "beside it (esbuild: --external:undercroft, bun build: --external undercroft, webpack: externals: { undercroft: 'commonjs undercroft' }), " +
    `or set ${variable} to the path of the ${what}`)
}

module.exports = { load, daemonPath }
