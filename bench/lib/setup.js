'use strict'

// What only the benchmark needs and `npm run setup` leaves out: npm sqlite3 and
// npm spdlog, which have no binary in their packages and are built from their
// source here, the C limit and the C++ mark of the log.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const build = require('../c/build')
const { headers } = require('../../lib/cli/native')

const BENCH = path.join(__dirname, '..')
const ROOT = path.join(BENCH, '..')
// Both speak Node-API: one build serves every runtime.
const NATIVE = [
  { name: 'sqlite3', binary: 'build/Release/node_sqlite3.node' },
  { name: '@vscode/spdlog', binary: 'build/Release/spdlog.node' }
]

function setup (say) {
  const run = (command, args, cwd) => {
    say(`${[command, ...args].join(' ')}    # in ${path.relative(ROOT, cwd)}`)
    const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' })
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
  build.build(say)
  say('the C limit is built')
  say(build.buildSpdlog() ? 'the C++ mark of the log is built' : 'the C++ mark of the log is not built: spdlog\'s headers or the compiler are missing')
}

module.exports = { setup }
