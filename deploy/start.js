'use strict'

// Step two, seen from here: the agent does it on each host (agent/start/start.js).

const fs = require('node:fs')
const { DeployError } = require('./errors')
const { eachHost, tell } = require('./hosts')
const { hookHere } = require('./here')

/**
 * Starts a complete release on the chosen hosts.
 * @param {object} config of load()
 * @param {object} options { host, release, releases, verify, force, back }; releases: { host: id }, of a step one before
 * @param {object} io { report, signal, who, openSession }
 * @returns {Promise<Array<{ host: string, value: object }>>} value as agent/start/start.js has it
 */
async function start (config, options, io) {
  return eachHost(config, { host: options.host }, io, async ({ call, view, index, host, report }) => {
    const { releases = {}, verify = false, force = false, back = false } = options
    const release = releases[host] ?? options.release
    await hookHere(config, 'beforeStart', { host, release }, io)
    let failed = null
    const value = await call('start', {
      release,
      verify,
      force,
      back,
      migrate: view.migrations?.once !== 'first-host' || index === 0,
      gateway: gatewayOf(view)
    }, {
      async onEvent (event) {
        tell(report, host, event)
        // The release serves already: what a hook here has against it is told when the host is done.
        if (event.switched) await hookHere(config, 'afterSwitch', { host, release: event.switched }, io).catch((err) => { failed = err })
      }
    })
    if (failed !== null) throw served(failed, value)
    if (value.changed) await hookHere(config, 'afterStart', { host, release: value.release }, io).catch((err) => { throw served(err, value) })
    say(report, host, value)
    return value
  })
}

function served (err, { release }) {
  err.hint = `${release} serves all the same`
  return err
}

function gatewayOf ({ gateway }) {
  if (!gateway) return undefined
  try {
    return fs.readFileSync(gateway.file, 'utf8')
  } catch (cause) {
    throw new DeployError('UC_DEPLOY_CONFIG', `gateway.file: ${gateway.file} cannot be read: ${cause.code}`, { cause, hint: 'npx undercroft deploy init writes one' })
  }
}

function say (report, host, { release, before, changed, gateway, recovered, instances, drained, removed, ms }) {
  for (const what of recovered) report.say(host, `an earlier deployment was interrupted: ${what}`)
  if (gateway) report.say(host, 'the gateway has its new file')
  if (!changed) return report.say(host, `${release} serves already, with the same settings`)
  const where = instances.map(({ port }) => port).join(', ')
  report.say(host, `${release} serves on port ${where}${before !== null && before !== release ? `, before it ${before}` : ''} (${(ms / 1000).toFixed(1)} s)`)
  for (const { port, how, ms } of drained) if (how === 'exited') report.say(host, `the one before it on port ${port} ended by itself after ${ms} ms`)
  if (removed.length > 0) report.say(host, `removed ${removed.join(', ')}`)
}

module.exports = { start }
