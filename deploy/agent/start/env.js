'use strict'

// The environment file of a release.

const fs = require('node:fs')
const releases = require('../host/releases')
const { DeployError } = require('../../errors')

/**
 * NAME=value a line; # begins a comment line, `export ` is passed over. A value may stand in single quotes,
 * as it is, or in double quotes, with \n, \" and \\. Nothing is expanded.
 * @returns {object} { NAME: value }
 * @throws UC_DEPLOY_ENV with the number of the line
 */
function parse (text, file) {
  const found = {}
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line)
    if (match === null) throw new DeployError('UC_DEPLOY_ENV', `${file}, line ${i + 1}: expected NAME=value`)
    found[match[1]] = valueOf(match[2])
  }
  return found
}

function valueOf (text) {
  const quoted = /^(['"])(.*)\1(?:\s+#.*)?$/.exec(text)
  if (quoted === null) return text.replace(/\s+#.*$/, '')
  return quoted[1] === "'" ? quoted[2] : quoted[2].replace(/\\([n"\\])/g, (_, sign) => sign === 'n' ? '\n' : sign)
}

/** What the environment file of a release says; {} when it has none. */
function of (app, id) {
  const file = releases.envOf(app, id)
  let text
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (err) {
    if (err.code === 'ENOENT') return {}
    throw err
  }
  return parse(text, file)
}

module.exports = { of, parse }
