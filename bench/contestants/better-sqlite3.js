'use strict'

// better-sqlite3 as its documentation recommends it: prepared statements, and
// db.transaction around what belongs together.

/** Why it cannot run in this process, or null. */
function missing () {
  // Its binary ends an older Node with a segmentation fault.
  const major = Number(process.versions.node.split('.')[0])
  if (process.versions.bun) return 'measured on Node only'
  if (major < 22) return 'better-sqlite3 13 needs Node 22'
  return null
}

function open (file, { synchronous, cacheKiB }) {
  const Database = require('better-sqlite3')
  const db = new Database(file)
  db.pragma('journal_mode = wal')
  db.pragma(`synchronous = ${synchronous}`)
  db.pragma(`cache_size = -${cacheKiB}`)
  db.pragma('mmap_size = 0')
  return {
    prepare: sql => db.prepare(sql),
    exec: sql => db.exec(sql),
    transaction: fn => db.transaction(fn),
    close: () => db.close()
  }
}

module.exports = {
  name: 'better-sqlite3',
  family: 'sync',
  missing,
  open,
  version: () => require('better-sqlite3/package.json').version
}
