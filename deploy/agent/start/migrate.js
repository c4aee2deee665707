'use strict'

const proc = require('../host/proc')
const { DeployError } = require('../../errors')
const { howItEnded, run, shown } = require('../host/command')
const { within } = require('../host/wait')

// In the environment of a migration and of what it starts: it goes on when its agent is killed.
const MARK = 'UNDERCROFT_MIGRATES'

/**
 * Runs the migrations in the release's folder, with the service's environment. They are not stopped when
 * the deployer is lost: half of one is worse than one too many. One that an agent has left behind is waited for.
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
  await waitForOthers(ctx, timeoutMs)
  const env = { ...place.env, [MARK]: ctx.app.deploy }
  const result = await run(command, { ...place, env, timeoutMs, onLine: (line) => ctx.log(line) })
  if (result.ok) return
  throw new DeployError('UC_DEPLOY_MIGRATION', `the command of the migrations (${shown(command)}) ${howItEnded(result, timeoutMs)}`, {
    lines: result.lines,
    hint: 'what was migrated before it stays migrated; the release before has to work with it'
  })
}

async function waitForOthers (ctx, timeoutMs) {
  const others = () => proc.withVariable(MARK, ctx.app.deploy)
  const [first] = others()
  if (first === undefined) return
  ctx.log(`a migration that an interrupted deployment has left (pid ${first.pid}) still runs: waiting for its end`)
  if (await within(timeoutMs, () => ctx.signal.aborted || others().length === 0)) return ctx.signal.throwIfAborted()
  throw new DeployError('UC_DEPLOY_MIGRATION', `a migration that an interrupted deployment has left (pid ${first.pid}) was not over after ${timeoutMs / 1000} s`, {
    hint: 'look at what it does, end it, then run the same command again'
  })
}

module.exports = { migrate }
