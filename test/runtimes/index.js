'use strict'
// The runtimes that tests and benchmarks run on: the machine's Node first, then
// those of test/runtimes/node_modules (installed by `npm run setup -- --full`).
//
//   runtimes() -> [{ name, kind: 'node' | 'bun', version, exec, skip? }]
//
// `skip` is the reason why a runtime cannot be used here; `version` and `exec`
// are then missing. `exec` is an absolute path; a script is its first argument.

const path = require('node:path')
const { execFileSync } = require('node:child_process')

const modules = path.join(__dirname, 'node_modules')
const { optionalDependencies } = require('./package.json')

const others = [
  { name: 'node24', kind: 'node', exec: path.join(modules, 'node24/bin/node') },
  { name: 'node26', kind: 'node', exec: path.join(modules, 'node26/bin/node') },
  { name: 'bun', kind: 'bun', exec: path.join(modules, 'bun/bin/bun') }
]

const facts = '(process.versions.bun || process.versions.node) + " " + process.execPath'

let cached

function runtimes () {
  cached ??= [machine(), ...others.map(probe)]
  return cached
}

// The Node of the machine, also when this runs under Bun or another Node.
function machine () {
  const own = !process.versions.bun && !process.execPath.startsWith(modules)
  const exec = own ? process.execPath : 'node'
  return probe({ name: 'node', kind: 'node', exec })
}

function probe (runtime) {
  try {
    const [version, exec] = execFileSync(runtime.exec, ['-p', facts], {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']
    }).trim().split(' ')
    return { ...runtime, version, exec }
  } catch (err) {
    const { name, kind } = runtime
    const wanted = optionalDependencies[name]
    const skip = err.code === 'ENOENT'
      ? `not installed: npm run setup -- --full (${wanted})`
      : `does not run here: ${err.code || err.status}`
    return { name, kind, skip }
  }
}

module.exports = { runtimes }
