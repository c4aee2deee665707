'use strict'

// pg over libpq, by its binding, which does not compile on Node 24.

const fs = require('node:fs')
const path = require('node:path')
const { versionOf } = require('../../lib/packages')
const { openPool } = require('../../lib/pg-pool')

const BINARY = path.join(__dirname, '../../node_modules/libpq/build/Release/addon.node')

function missing () {
  if (process.versions.bun || Number(process.versions.node.split('.')[0]) > 20) return 'measured on Node 20 alone'
  return fs.existsSync(BINARY) ? null : 'libpq\'s binding is not built: npm run bench -- --setup'
}

module.exports = max => ({
  name: `pg-native, ${max}`,
  family: 'pool',
  missing,
  about: () => `libpq, a pool of ${max}`,
  open: (file, settings, more, service) => openPool(require('pg').native, max, service, { isNative: true }),
  version: () => versionOf('pg-native')
})
