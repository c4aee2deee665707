'use strict'

// pg (node-postgres) with its pool: one query at a time on each connection.

const { openPool } = require('../../lib/pg-pool')

module.exports = max => ({
  name: `pg, ${max}`,
  family: 'pool',
  missing: () => null,
  about: () => `a pool of ${max}`,
  open: (file, settings, more, service) => openPool(require('pg'), max, service),
  version: () => require('pg/package.json').version
})
