'use strict'

// What the configuration runs on this machine: the build, and hooks.

const { run, howItEnded, shown } = require('./agent/host/command')
const { DeployError } = require('./errors')
const { HOOK_MS } = require('./fields')

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
 * 'here'. A function gets { app, dir, hosts: [name…], signal, ...facts }; it
 * cannot be ended from outside, so it is left alone when its time is over.
 *
 * @throws UC_DEPLOY_HOOK; the reason of io.signal when that has ended it
 */
async function hookHere (config, name, facts, io, { timeoutMs = HOOK_MS } = {}) {
  const hook = config.hooks?.[name]
  if (!hook || hook.where === 'there') return
  io.report.stage(null, name)
  if (typeof hook !== 'function') return runHere(hook, config, io, { stage: name, code: 'UC_DEPLOY_HOOK' })
  io.signal?.throwIfAborted()
  const limit = limited(io.signal, timeoutMs)
  try {
    const { app, dir } = config
    await Promise.race([limit.over, (async () => hook({ app, dir, hosts: config.hosts.map(host => host.name), signal: limit.signal, ...facts }))()])
  } catch (err) {
    // What a hook makes of the signal is not why it has ended.
    if (io.signal?.aborted) throw io.signal.reason
    throw new DeployError('UC_DEPLOY_HOOK', `the hook ${name} ${limit.isLate ? `was not over after ${timeoutMs / 1000} s` : `failed: ${err?.message ?? err}`}`, {
      stage: name,
      cause: err,
      hint: limit.isLate ? 'nobody waits for it any more: let it end by itself when its argument\'s `signal` is aborted' : null
    })
  } finally {
    limit.end()
  }
}

// A signal that is aborted with another one and when the time is over; `over` rejects then.
function limited (outer, timeoutMs) {
  const controller = new AbortController()
  const { signal } = controller
  const stop = () => controller.abort(outer.reason)
  outer?.addEventListener('abort', stop, { once: true })
  const limit = { signal, isLate: false }
  const timer = setTimeout(() => {
    limit.isLate = true
    controller.abort(new DeployError('UC_DEPLOY_HOOK', `it was not over after ${timeoutMs / 1000} s`))
  }, timeoutMs)
  limit.over = new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  limit.over.catch(() => {}) // the hook may have been quicker
  limit.end = () => {
    clearTimeout(timer)
    outer?.removeEventListener('abort', stop)
  }
  return limit
}

module.exports = { runHere, hookHere }
