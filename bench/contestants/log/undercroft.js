'use strict'

// The log of the product with a directory of its own: no daemon, no database.

const fs = require('node:fs')
const path = require('node:path')
const { MESSAGE, fields } = require('../../lib/log-lines')
const { missing } = require('../undercroft')

const FLUSH_MS = 60000
const ROOT = path.join(__dirname, '../../..')

/** The log of `dir`, as contestants of this door look. */
function inDirectory (dir, options) {
  const { open } = require(ROOT)
  return contestantOf(open({ log: { dir, ...options } }), dir)
}

/** The log of a daemon that keeps its files in `dir`. */
async function overDaemon (target, dir, options) {
  const { open } = require(ROOT)
  const store = open(target, { log: { ...options } })
  await store.ready
  return contestantOf(store, dir)
}

function contestantOf (store, dir) {
  const logger = store.log
  return {
    store,
    logger,
    log: i => logger.info(fields(i), MESSAGE),
    files: () => filesOf(dir),
    flush: () => logger.flush({ sync: true, timeoutMs: FLUSH_MS }),
    close: () => store.close()
  }
}

/** The log files and archives of a directory, oldest first. */
function filesOf (dir) {
  const number = name => Number(/\.(\d+)\.log/.exec(name)[1])
  return fs.readdirSync(dir)
    .filter(name => /\.\d+\.log(\.gz)?$/.test(name))
    .sort((a, b) => number(a) - number(b))
    .map(name => path.join(dir, name))
}

module.exports = {
  name: 'undercroft',
  family: 'ours',
  missing,
  about: () => 'a directory of its own',
  version: () => require(path.join(ROOT, 'package.json')).version,
  open: async (file, settings, { rotateBytes = 0 } = {}) =>
    inDirectory(`${file}.logs`, { rotate: { bytes: rotateBytes, daily: rotateBytes > 0 } }),
  inDirectory,
  overDaemon,
  filesOf
}
