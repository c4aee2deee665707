'use strict'

const path = require('node:path')
const { whyNoHost } = require('../../lib/hosts')

const ROOT = path.join(__dirname, '../../..')

module.exports = {
  name: 'undercroft',
  family: 'ours',
  missing: whyNoHost,
  version: () => require(path.join(ROOT, 'package.json')).version,
  about: () => `over ssh2 ${require(path.join(ROOT, 'node_modules/ssh2/package.json')).version}`,
  async open () {
    return { close: async () => {} }
  }
}
