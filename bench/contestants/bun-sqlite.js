'use strict'

// bun:sqlite, the SQLite inside Bun: db.query keeps the prepared statement.

function missing () {
  return process.versions.bun ? null : 'bun:sqlite is part of Bun'
}

function open (file, { synchronous, cacheKiB }) {
  const { Database } = require('bun:sqlite')
  const db = new Database(file)
  db.run('pragma journal_mode = wal')
  db.run(`pragma synchronous = ${synchronous}`)
  db.run(`pragma cache_size = -${cacheKiB}`)
  db.run('pragma mmap_size = 0')
  return {
    prepare: sql => db.query(sql),
    exec: sql => db.run(sql),
    transaction: fn => db.transaction(fn),
    close: () => db.close()
  }
}

module.exports = {
  name: 'bun:sqlite',
  family: 'sync',
  missing,
  open,
  version: () => process.versions.bun
}
