'use strict'

// lru-cache, as its documentation sets it up for entries that expire.

const { versionOf } = require('../../lib/packages')

function open () {
  return { close: async () => {} }
}

module.exports = {
  name: 'lru-cache',
  family: 'lru',
  missing: () => null,
  about: () => 'a map in the heap',
  open,
  version: () => versionOf('lru-cache')
}
