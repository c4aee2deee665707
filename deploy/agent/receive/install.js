'use strict'

// The commands that run in a release before it is complete: the installation of
// its dependencies, and a build that the configuration wants there.

const path = require('node:path')
const { DeployError } = require('../../errors')
const { run, howItEnded, shown } = require('../host/command')

/**
 * @param {object} ctx of the op: `config` has `install`, `build`, `env.set`
 * @param {string} id the release
 * @returns {Promise<{ command, ms }[]>} what ran
 * @throws UC_DEPLOY_INSTALL, UC_DEPLOY_BUILD with the command's last lines
 */
async function prepare (ctx, id) {
  const { install, build } = ctx.config
  const done = []
  if (install) done.push(await step(ctx, id, 'install', install, 'UC_DEPLOY_INSTALL'))
  if (build && build.where === 'there') done.push(await step(ctx, id, 'build', build, 'UC_DEPLOY_BUILD'))
  return done
}

async function step (ctx, id, stage, { command, timeoutMs }, code) {
  await ctx.stage(stage)
  const result = await run(command, {
    cwd: ctx.app.release(id),
    env: environment(ctx, id),
    timeoutMs,
    signal: ctx.signal,
    onLine: line => ctx.log(line)
  })
  if (!result.ok) {
    throw new DeployError(code, `'${shown(command)}' ${howItEnded(result, timeoutMs)} in the new release`, {
      lines: result.lines,
      hint: result.missing
        ? 'SSH commands do not read .profile: name the program by its absolute path, or give the runtime\'s path'
        : 'nothing was started and the old release goes on; run the same command again when the cause is gone',
      details: { code: result.code, signal: result.signal, late: result.late }
    })
  }
  return { command: shown(command), ms: result.ms }
}

/** What a command sees: the agent's own environment, and the runtime's folder first in PATH. */
function environment ({ app, config }, id) {
  const bin = path.dirname(process.execPath)
  return {
    ...process.env,
    PATH: [bin, process.env.PATH || '/usr/local/bin:/usr/bin:/bin'].join(':'),
    ...config.env?.set,
    UNDERCROFT_RELEASE: id,
    UNDERCROFT_SHARED: app.shared
  }
}

const ops = {
  /** { name: 'beforeUpload' | 'afterUpload', release } -> null. A hook of the configuration that runs on the host. */
  'upload.hook': async ({ name, release }, ctx) => {
    const { command, timeoutMs } = ctx.config.hooks[name]
    await ctx.stage(name)
    const result = await run(command, {
      cwd: ctx.app.folder,
      env: environment(ctx, release ?? ''),
      timeoutMs,
      signal: ctx.signal,
      onLine: line => ctx.log(line)
    })
    if (result.ok) return null
    throw new DeployError('UC_DEPLOY_HOOK', `the hook ${name}, '${shown(command)}', ${howItEnded(result, timeoutMs)}`, { lines: result.lines })
  }
}

module.exports = { ops, prepare }
