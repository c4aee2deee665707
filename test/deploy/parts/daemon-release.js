'use strict'

// A release that has undercroft installed: with a daemon whose content nobody else has.

const fs = require('node:fs')
const path = require('node:path')
const { daemonPath } = require('../../../lib/base/binding')

/**
 * @param {object} found of parts/host.js
 * @param {string} mark two that differ make two daemons that differ
 * @param {string} [program] in place of the daemon
 * @param {object} [files] further ones of the release
 * @returns {string} its id
 */
function release (found, mark, program, files = {}) {
  const id = found.release({ 'v.js': mark, ...files })
  const folder = path.join(found.app.release(id), 'node_modules/undercroft')
  fs.mkdirSync(path.join(folder, 'lib/base'), { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), '{"name":"undercroft","version":"0.0.0"}')
  fs.writeFileSync(path.join(folder, 'lib/base/binding.js'), "module.exports = { daemonPath: () => require('node:path').join(__dirname, '../../undercroftd') }")
  const file = path.join(folder, 'undercroftd')
  if (program === undefined) {
    fs.copyFileSync(daemonPath(), file)
    fs.appendFileSync(file, mark) // an ELF file does not mind what is behind its end
  } else fs.writeFileSync(file, program)
  fs.chmodSync(file, 0o755)
  return id
}

module.exports = { release }
