'use strict'
// The database that routes are read against: a file, a server's, a daemon's, or what the migrations make
// of an empty one in memory, which needs no file at all.

const fs = require('node:fs')
const path = require('node:path')
const { isAddress } = require('../base/address')
const { open } = require('../store')
const { CommandRefusal } = require('./refusal')

const options = {
  db: { type: 'string', help: 'the database: app.db, postgres://app@db/shop, or ipc:///run/app/undercroft.sock' },
  migrations: { type: 'string', help: 'instead of a database, the folder of its migrations: migrations' }
}

/**
 * @param {{ db?: string, migrations?: string }} values of the command line
 * @param {string} dir of the routes; beside it migrations are looked for
 * @returns {{ db: string|null, migrations: string|null }} one of them is null
 * @throws {CommandRefusal}
 */
function readTarget ({ db, migrations }, dir) {
  if (db !== undefined && migrations !== undefined) {
    throw new CommandRefusal('--db and --migrations exclude each other', 'give the one that has the tables of the routes')
  }
  if (db !== undefined) return { db: existing(db), migrations: null }
  if (migrations !== undefined) return { db: null, migrations: folder(migrations) }
  const beside = path.join(path.dirname(path.resolve(dir)), 'migrations')
  if (isFolder(beside)) return { db: null, migrations: beside }
  throw new CommandRefusal('which database? routes are read against its tables',
    '--db app.db names a file, --migrations migrations a folder of which a database is made in memory')
}

// A daemon's, or a server's.
function isServed (db) {
  return db.startsWith('ipc:') || isAddress(db)
}

// Opening it would make an empty one.
function existing (db) {
  if (!isServed(db) && !fs.existsSync(db)) {
    throw new CommandRefusal(`there is no file ${db}`, '--db names a database that is there; --migrations migrations needs none', 'failed')
  }
  return db
}

function folder (dir) {
  if (!isFolder(dir)) throw new CommandRefusal(`there is no folder ${dir}`, '--migrations names the folder of *.sql files', 'failed')
  return path.resolve(dir)
}

function isFolder (dir) {
  return fs.statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true
}

/**
 * Runs use(store) on the open database, and closes it.
 *
 * @param {{ db: string|null, migrations: string|null }} target
 * @param {Function} use
 */
async function withDatabase ({ db, migrations }, use) {
  // What is wrong is the command's to say, once, and its output is the answer alone.
  const log = false
  const store = migrations !== null ? open(':memory:', { log }) : isServed(db) ? open(db, { log }) : open(db, { create: false, log })
  try {
    if (migrations !== null) await store.db.migrate(migrations)
    return await use(store)
  } finally {
    await store.close()
  }
}

module.exports = { options, readTarget, withDatabase }
