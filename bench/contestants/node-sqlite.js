'use strict'

// node:sqlite, the SQLite inside Node: prepared statements, transactions by hand.

function missing () {
  if (process.versions.bun) return 'measured on Node only'
  try {
    require('node:sqlite')
    return null
  } catch {
    return `Node ${process.versions.node} has no node:sqlite`
  }
}

function open (file, { synchronous, cacheKiB }) {
  const { DatabaseSync } = require('node:sqlite')
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = wal')
  db.exec(`pragma synchronous = ${synchronous}`)
  db.exec(`pragma cache_size = -${cacheKiB}`)
  db.exec('pragma mmap_size = 0')
  const begin = db.prepare('begin')
  const commit = db.prepare('commit')
  return {
    prepare: sql => db.prepare(sql),
    exec: sql => db.exec(sql),
    transaction: fn => arg => {
      begin.run()
      try {
        const result = fn(arg)
        commit.run()
        return result
      } catch (err) {
        db.exec('rollback')
        throw err
      }
    },
    close: () => db.close()
  }
}

module.exports = {
  name: 'node:sqlite',
  family: 'sync',
  missing,
  open,
  version: () => process.versions.node
}
