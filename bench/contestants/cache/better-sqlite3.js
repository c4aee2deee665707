'use strict'

// better-sqlite3 as a cache: a table without a journal to wait for.

const { missing, version } = require('../better-sqlite3')

function open () {
  const Database = require('better-sqlite3')
  const db = new Database(':memory:')
  db.exec('create table cache (key text primary key, value text) without rowid')
  const select = db.prepare('select value from cache where key = ?').pluck()
  const insert = db.prepare('insert or replace into cache values (?, ?)')
  return {
    db: {
      get: key => select.get(key),
      put: (key, value) => insert.run(key, value)
    },
    close: async () => { db.close() }
  }
}

module.exports = {
  name: 'better-sqlite3',
  family: 'store',
  missing,
  about: () => 'a table in memory',
  open,
  version
}
