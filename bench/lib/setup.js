'use strict'

// What only the benchmark needs and `npm run setup` leaves out: npm sqlite3,
// which has no binary in its package and is built from its source here, and the
// C limit.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const limit = require('../c/build')
const { headers } = require('../../lib/cli/native')

const BENCH = path.join(__dirname, '..')
const ROOT = path.join(BENCH, '..')
const SQLITE3 = path.join(BENCH, 'node_modules/sqlite3')
const BINARY = path.join(SQLITE3, 'build/Release/node_sqlite3.node')

function setup (say) {
  const run = (command, args, cwd) => {
    say(`${[command, ...args].join(' ')}    # in ${path.relative(ROOT, cwd)}`)
    const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' })
    if (error || status !== 0) throw new Error(`'${command} ${args.join(' ')}' failed`)
  }
  if (fs.existsSync(BINARY)) {
    say('npm sqlite3 is built')
  } else {
    // Its install script would first try to fetch a binary from elsewhere.
    if (!fs.existsSync(SQLITE3)) run('npm', ['ci', '--ignore-scripts'], BENCH)
    const nodedir = headers()
    run(process.execPath, [
      path.join(ROOT, 'node_modules/node-gyp/bin/node-gyp.js'), 'rebuild', ...(nodedir ? [`--nodedir=${nodedir}`] : [])
    ], SQLITE3)
  }
  limit.build(say)
  say('the C limit is built')
}

module.exports = { setup }
