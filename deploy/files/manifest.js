'use strict'

// The manifest of what is to be uploaded: the same files for every host, each
// with its own installation and runtime.

const path = require('node:path')
const { walk } = require('./walk')
const { addHashes } = require('./hashes')
const { textOf } = require('../agent/host/manifest')

/**
 * Walks and hashes the source of a configuration.
 *
 * @param {object} config { source, include, ignore, dir }; the index of hashes
 *   is kept in `dir`, the folder of the configuration
 * @returns {Promise<{ source, files: [path, size, mode, sha256][], links, bytes, read }>}
 */
async function survey (config) {
  const { files, links } = await walk(config.source, config)
  const read = await addHashes(config.source, files, path.join(config.dir ?? config.source, '.undercroft/hashes.json'))
  return {
    source: config.source,
    files: files.map(({ path, size, mode, hash }) => [path, size, mode, hash]),
    links,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    read
  }
}

/** { hash, text } for one host; `view` is its part of the configuration. */
function manifestFor ({ files, links }, view) {
  const { install = null, build = null, runtime } = view
  const there = build && build.where === 'there' ? build.command : null
  return textOf({
    files,
    links,
    install: install || there ? { install: install && install.command, build: there } : null,
    runtime: typeof runtime === 'string' ? runtime : runtime?.name
  })
}

module.exports = { survey, manifestFor }
