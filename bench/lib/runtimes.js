'use strict'

// The JavaScript runtimes to measure: those that the tests bring along, or an
// executable that the command line names.

const path = require('node:path')
const { spawnSync } = require('node:child_process')

const BROUGHT = path.join(__dirname, '../../test/runtimes')
const MEASURED = ['node24', 'node26', 'bun']

/**
 * [{ name, kind: 'node' | 'bun', version, exec, skip }]; `skip` is the reason
 * why a runtime cannot be measured, else null.
 *
 * @param {string[] | null} wanted names, or name=executable; null for all
 */
function runtimes (wanted) {
  const brought = new Map()
  for (const { name, exec, skip } of fromTests()) {
    brought.set(name.replace(/\W/g, '').toLowerCase(), { exec, skip })
  }
  return (wanted || MEASURED).map(item => {
    const [name, exec] = item.split('=')
    if (exec) return identified(name, exec)
    const known = brought.get(name)
    if (!known) return { name, kind: kindOf(name), skip: 'no such runtime: npm run setup' }
    if (known.skip) return { name, kind: kindOf(name), skip: known.skip }
    return identified(name, known.exec)
  })
}

/** The Node that runs this very process. */
function thisNode () {
  const version = process.versions.node
  return {
    name: `node${version.split('.')[0]}`, kind: 'node', version, exec: process.execPath, skip: null
  }
}

function fromTests () {
  try {
    return require(BROUGHT).runtimes()
  } catch (err) {
    if (err.code === 'MODULE_NOT_FOUND') return []
    throw err
  }
}

function kindOf (name) {
  return name.startsWith('bun') ? 'bun' : 'node'
}

function identified (name, exec) {
  const { stdout, error } = spawnSync(exec, ['--version'], { encoding: 'utf8' })
  const kind = kindOf(name)
  if (error) return { name, kind, skip: error.message }
  return { name, kind, version: stdout.trim().replace(/^v/, ''), exec, skip: null }
}

module.exports = { runtimes, thisNode }
