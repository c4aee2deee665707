'use strict'

// The JavaScript runtimes to measure: those that the tests bring along, or an
// executable that the command line names.

const { spawnSync } = require('node:child_process')
const { runtimes: brought } = require('../../test/runtimes')

const MEASURED = ['node24', 'node26', 'bun']

/**
 * [{ name, kind: 'node' | 'bun', version, exec, skip }]; `skip` is the reason
 * why a runtime cannot be measured, else null.
 *
 * @param {string[] | null} wanted names, or name=executable; null for all
 */
function runtimes (wanted) {
  const known = new Map(brought().map(runtime => [runtime.name, runtime]))
  return (wanted || MEASURED).map(item => {
    const [name, exec] = item.split('=')
    if (exec) return identified(name, exec)
    const kind = kindOf(name)
    return { name, kind, skip: 'there is no such runtime', ...known.get(name) }
  }).map(runtime => runtime.exec ? { ...runtime, skip: null } : runtime)
}

/** The Node that runs this very process. */
function thisNode () {
  const version = process.versions.node
  return {
    name: `node${version.split('.')[0]}`, kind: 'node', version, exec: process.execPath, skip: null
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
