'use strict'

// pm2 with its documented set-up for reloads without downtime: lib/pm2.js.

const { versionOf } = require('../../lib/packages')
const { whyNoHost } = require('../../lib/hosts')

module.exports = {
  name: 'pm2',
  family: 'pm2',
  missing: () => process.versions.bun ? 'its cluster mode is of Node' : whyNoHost(),
  version: () => versionOf('pm2'),
  about: () => 'cluster mode, two processes, wait_ready',
  async open () {
    return { close: async () => {} }
  }
}
