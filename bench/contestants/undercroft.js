'use strict'

// The product itself, through its public entry only.

const path = require('node:path')

const ROOT = path.join(__dirname, '../..')

function missing () {
  return null
}

/** @param {object} more options of open() that a case wants besides */
async function open (file, { synchronous, cacheKiB }, more = {}) {
  const { open } = require(ROOT)
  const store = open(file, {
    synchronous,
    pragmas: { cache_size: -cacheKiB, mmap_size: 0 },
    ...more
  })
  await store.ready
  return {
    store,
    db: store.db,
    exec: sql => store.db.exec(sql),
    close: () => store.close()
  }
}

module.exports = {
  name: 'undercroft',
  family: 'ours',
  missing,
  open,
  version: () => require(path.join(ROOT, 'package.json')).version
}
