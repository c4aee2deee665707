'use strict'

// lmdb, a memory-mapped store of keys and values, without its own cache.

const { versionOf } = require('../../lib/packages')

function missing () {
  try {
    require('lmdb')
    return null
  } catch (err) {
    return `lmdb has no binary for this runtime (${err.message.split('\n')[0]})`
  }
}

function open (file) {
  const { open } = require('lmdb')
  const db = open({ path: `${file}.lmdb`, encoding: 'string', noSync: true })
  return { db, close: () => db.close() }
}

module.exports = {
  name: 'lmdb',
  family: 'store',
  missing,
  about: () => 'mapped into the process',
  open,
  version: () => versionOf('lmdb')
}
