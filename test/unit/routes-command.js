'use strict'
// A command of the CLI in this process: what it prints and says, and its exit code.

const { parseArgs } = require('node:util')
const { commands, exitCodes } = require('../../lib/cli/main')

/**
 * @param {string[]} args ['crud', 'person', '--public']
 * @param {object} [parts] what is injected
 * @returns {Promise<{ code: number, out: string, err: string }>}
 */
async function command ([name, ...args], parts) {
  const one = commands[name]()
  const { values, positionals } = parseArgs({ args, options: { json: { type: 'boolean' }, ...one.options }, allowPositionals: true })
  const out = []
  const err = []
  const code = await one.run({
    values,
    positionals,
    exitCodes,
    say: (text) => { err.push(text) },
    print: (value, text) => { out.push(values.json ? JSON.stringify(value) : text) }
  }, parts)
  return { code: code ?? exitCodes.ok, out: out.join('\n'), err: err.join('\n') }
}

module.exports = { command }
