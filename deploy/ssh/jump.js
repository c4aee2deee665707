'use strict'
// The hosts on the way to a host, in the order in which they are passed.

const { DeployError } = require('../errors')

const MAX = 8

/**
 * host: { jump, … }; jump is null, { host, port, user, key, hostKey } or a list
 * of these. -> [{ host, port, user, … }], which take from the host what they do
 * not say themselves: key, agent, knownHosts, time-outs; not its hostKey.
 */
function hops (host) {
  const { jump, hostKey, name, folder, ...common } = host
  const list = [jump ?? []].flat()
  if (list.length > MAX) {
    throw new DeployError('UC_DEPLOY_CONNECT', `there are ${list.length} hosts on the way, more than ${MAX}`, { stage: 'connect', hint: 'correct `jump` in deploy.config.js' })
  }
  return list.map(hop => ({ ...common, port: 22, ...withoutNull(hop), jump: null, isJump: true }))
}

function withoutNull (object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== null))
}

module.exports = { hops }
