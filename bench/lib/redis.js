'use strict'

// What the clients of Redis have in common: its server, one for each of them,
// and what is in it.

const { spawnSync } = require('node:child_process')
const data = require('./data')

const WORLD = 'world:'
const VALUE = 'value:'
const LOADED_AT_ONCE = 1000

/** Why there can be no server, or null. */
function missing () {
  const { error } = spawnSync('redis-server', ['--version'], { stdio: 'ignore' })
  return error ? 'redis-server is not installed (Debian: apt-get install redis-server)' : null
}

/** 'Redis 7.0.15' */
function about () {
  const { stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  return `Redis ${/v=(\S+)/.exec(stdout)[1]}`
}

/** On a unix socket only, in memory only. */
function service ({ socket, dir }) {
  return {
    command: 'redis-server',
    args: [
      '--port', '0', '--unixsocket', socket, '--dir', dir,
      '--save', '', '--appendonly', 'no', '--daemonize', 'no', '--loglevel', 'warning'
    ]
  }
}

/** Fills the server: a world is found under its key, as a service would keep it. */
async function fill (set) {
  for (let first = 1; first <= data.WORLDS; first += LOADED_AT_ONCE) {
    const sets = []
    for (let i = first; i < first + LOADED_AT_ONCE; i++) {
      sets.push(set(WORLD + i, JSON.stringify(data.world(i))))
    }
    await Promise.all(sets)
  }
  await set(`${VALUE}1`, data.value(1).body)
}

module.exports = { missing, about, service, fill, WORLD, VALUE }
