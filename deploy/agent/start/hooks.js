'use strict'

const { DeployError } = require('../../errors')
const { howItEnded, run, shown } = require('../host/command')

/**
 * Runs a hook of the configuration on the host, if there is one for it.
 * @param {object} ctx
 * @param {string} name
 * @param {{ env: object, cwd: string }} place the release's environment and folder
 * @throws UC_DEPLOY_HOOK
 */
async function hook (ctx, name, place) {
  const found = ctx.config.hooks?.[name]
  if (found === undefined || found === null) return
  const { command, timeoutMs } = found
  const result = await run(command, { ...place, timeoutMs, onLine: (line) => ctx.log(line) })
  if (result.ok) return
  throw new DeployError('UC_DEPLOY_HOOK', `the hook ${name} (${shown(command)}) ${howItEnded(result, timeoutMs)}`, { lines: result.lines })
}

module.exports = { hook }
