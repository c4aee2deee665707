'use strict'

const { DeployError } = require('../errors')
const { howItEnded, run, shown } = require('./command')

/**
 * Runs the migrations in the release's folder, with the service's environment. They are not stopped when
 * the deployer is lost: half of one is worse than one too many.
 * @param {object} ctx
 * @param {'before-start'|'before-switch'} when
 * @throws UC_DEPLOY_MIGRATION
 */
async function migrate (ctx, when, place) {
  const { migrations } = ctx.config
  if (!migrations || migrations.when !== when) return
  await ctx.stage('migrate')
  ctx.signal.throwIfAborted()
  const { command, timeoutMs } = migrations
  const result = await run(command, { ...place, timeoutMs, onLine: (line) => ctx.log(line) })
  if (result.ok) return
  throw new DeployError('UC_DEPLOY_MIGRATION', `the command of the migrations (${shown(command)}) ${howItEnded(result, timeoutMs)}`, {
    lines: result.lines,
    hint: 'what was migrated before it stays migrated; the release before has to work with it'
  })
}

module.exports = { migrate }
