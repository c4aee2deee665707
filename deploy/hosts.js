'use strict'

// Work on several hosts: one after the other or all at once, each with a session of its own that is closed
// here. The first failure stops: hosts that have not begun are left as they are, those at work finish.

const { forAgent } = require('./config')
const { DeployError } = require('./errors')

// What is wrong here is wrong for every host.
const ours = ['UC_DEPLOY_CONFIG', 'UC_DEPLOY_SSH2', 'UC_DEPLOY_STOPPED']

const AGAIN = 'run the same command again: it finishes what was begun'

// Connections at once with order 'all'.
const AT_ONCE = 16

/**
 * The hosts that --host names, or all.
 *
 * @param {object} config of load()
 * @param {string[]} [names]
 * @returns {number[]} their places in config.hosts
 * @throws {DeployError} UC_DEPLOY_HOST
 */
function choose (config, names) {
  const all = config.hosts.map((_, i) => i)
  if (names === undefined || names.length === 0) return all
  for (const name of names) {
    if (config.hosts.some((host) => host.name === name)) continue
    throw new DeployError('UC_DEPLOY_HOST', `there is no host ${JSON.stringify(name)} in the configuration; there are ${config.hosts.map((host) => host.name).join(', ')}`)
  }
  return all.filter((i) => names.includes(config.hosts[i].name))
}

/**
 * Warns when the host that migrates is not among the chosen ones: then nobody does.
 *
 * @param {object} config of load()
 * @param {object} options { host: [name…] }
 * @param {Report} report
 */
function warnOfMigrations (config, options, report) {
  if (config.migrations?.once !== 'first-host' || choose(config, options.host).includes(0)) return
  const { name } = config.hosts[0]
  report.warn(null, `no migrations run: migrations.once is 'first-host', and ${name}, the first of the configuration, is not among the chosen hosts`)
}

/**
 * Runs work on each chosen host.
 *
 * @param {object} config of load()
 * @param {object} options
 * @param {string[]} [options.host] names; default: all
 * @param {boolean} [options.lock] take the hosts' locks: true
 * @param {boolean} [options.goOn] a host that fails does not stop the others: it is { host, error } in the result
 * @param {'one'|'all'} [options.order] default: the configuration's
 * @param {object} io { report, signal, who, action, ask, openSession }
 * @param {Function} work async ({ session, call, view, index, host, report, signal }) -> value. view: forHost(index);
 *   call: session.call, with stages, progress and what the agent says told to the report
 * @returns {Promise<Array<{ host: string, value }|{ host: string, error }>>} in the order of the configuration
 * @throws {DeployError} the first failure, with `done` and `left`: names of the hosts that are finished and
 *   of those that were not begun
 */
async function eachHost (config, options, io, work) {
  const { lock = true, goOn = false, order = config.order } = options
  const chosen = choose(config, options.host)
  const results = new Map()
  let failure = null
  const queue = [...chosen]
  const next = async () => {
    while (queue.length > 0 && failure === null && !io.signal?.aborted) {
      const index = queue.shift()
      const host = config.hosts[index].name
      try {
        results.set(index, { host, value: await onHost(config, index, { lock }, io, work) })
      } catch (err) {
        err.host ??= host
        if (err.code === 'UC_DEPLOY_CANCELLED') err.hint ??= AGAIN
        if (goOn && !ours.includes(err.code)) results.set(index, { host, error: err })
        else failure ??= err
      }
    }
  }
  const count = order === 'all' || goOn ? Math.min(AT_ONCE, chosen.length) : 1
  await Promise.all(Array.from({ length: count }, next))
  const names = (list) => list.map((i) => config.hosts[i].name)
  if (failure === null && queue.length > 0) failure = new DeployError('UC_DEPLOY_STOPPED', 'stopped before all hosts were done', { hint: AGAIN })
  if (failure !== null) {
    failure.done = names(chosen.filter((i) => results.has(i)))
    failure.left = names(queue)
    throw failure
  }
  return chosen.map((i) => results.get(i))
}

async function onHost (config, index, { lock }, io, work) {
  const { report, signal, who, action, ask } = io
  // Only now: without a host to speak to, ssh2 is not needed.
  const openSession = io.openSession ?? require('./session').openSession
  const view = config.forHost(index)
  const host = view.target.name
  const onWait = once((holder) => report.say(host, `waits for the deployment of ${holder?.who ?? 'somebody else'} to end`))
  const session = await openSession(view.target, forAgent(view), { lock, who, action, ask, signal, onWait })
  try {
    const onEvent = (event) => tell(report, host, event)
    const call = (op, args, options = {}) => session.call(op, args, { signal, onEvent, ...options })
    return await work({ session, call, view, index, host, report, signal })
  } finally {
    await session.close()
  }
}

/** An event of the agent, in the words of the report. */
function tell (report, host, event) {
  if (event.stage !== undefined) report.stage(host, event.stage, event.text)
  if (event.log !== undefined) report.say(host, event.log)
  if (event.line !== undefined) report.say(host, `| ${event.line}`)
  if (event.warning !== undefined) report.warn(host, event.warning)
  if (event.progress !== undefined) report.progress(host, event.progress)
}

function once (fn) {
  let called = false
  return (...args) => {
    if (!called) fn(...args)
    called = true
  }
}

module.exports = { choose, eachHost, tell, warnOfMigrations }
