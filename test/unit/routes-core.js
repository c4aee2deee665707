'use strict'
// The package as a project has it in its node_modules.

const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../helper')

/** Puts the package where a project of this folder finds it. */
async function install (dir) {
  const place = path.join(dir, 'node_modules/undercroft')
  fs.mkdirSync(place, { recursive: true })
  fs.writeFileSync(path.join(place, 'package.json'), '{ "name": "undercroft", "main": "index.js" }')
  fs.writeFileSync(path.join(place, 'index.js'), `module.exports = require(${JSON.stringify(root)})\n`)
}

module.exports = { install }
