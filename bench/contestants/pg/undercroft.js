'use strict'

// Undercroft at the server itself, or (ipc://) through a daemon.

const { open } = require('../../..')

module.exports = {
  name: 'undercroft',
  family: 'ours',
  missing: () => null,
  about: () => 'protocol 3 in C, 10 connections at most',
  open: async (file, settings, more, { url }) => {
    const store = open(url, { log: false, ...more })
    await store.ready
    return store
  },
  version: () => require('../../../package.json').version
}
