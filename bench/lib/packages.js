'use strict'

// What is installed beside the benchmark.

const fs = require('node:fs')
const path = require('node:path')

/** The version of a package that does not export its package.json. */
function versionOf (name) {
  const file = path.join(__dirname, '../node_modules', name, 'package.json')
  return JSON.parse(fs.readFileSync(file, 'utf8')).version
}

module.exports = { versionOf }
