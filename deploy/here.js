'use strict'

// What the configuration runs on this machine: the build, and hooks.

const { run, howItEnded, shown } = require('./agent/command')
const { DeployError } = require('./errors')

/**
 * Runs a command of the configuration here, its output line by line to the report.
 *
 * @param {{ command: string[] | string, timeoutMs: number }} work
 * @param {object} config of load(): it runs in `dir`, the configuration's folder
 * @param {object} io { report, signal }
 * @param {{ stage: string, code: string }} what for the report and the error
 */
async function runHere ({ command, timeoutMs }, config, { report, signal }, { stage, code }) {
  const result = await run(command, { cwd: config.dir, timeoutMs, signal, onLine: line => report.say(null, line) })
  if (result.ok) return
  throw new DeployError(code, `'${shown(command)}' ${howItEnded(result, timeoutMs)} here`, {
    stage, lines: result.lines, hint: 'nothing has been changed on any host', details: { code: result.code, signal: result.signal }
  })
}

/**
 * Runs a hook if it is one of this machine: a function or a command with where
 * 'here'. A function gets { app, dir, hosts: [name…], ...facts }.
 *
 * @throws UC_DEPLOY_HOOK
 */
async function hookHere (config, name, facts, io) {
  const hook = config.hooks?.[name]
  if (!hook || hook.where === 'there') return
  io.report.stage(null, name)
  if (typeof hook !== 'function') return runHere(hook, config, io, { stage: name, code: 'UC_DEPLOY_HOOK' })
  try {
    await hook({ app: config.app, dir: config.dir, hosts: config.hosts.map(host => host.name), ...facts })
  } catch (err) {
    throw new DeployError('UC_DEPLOY_HOOK', `the hook ${name} failed: ${err?.message ?? err}`, { stage: name, cause: err })
  }
}

module.exports = { runHere, hookHere }
