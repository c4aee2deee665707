'use strict'

// Which of its two ports an instance gets, and whether somebody else has it.

const proc = require('../host/proc')
const { listenerOn, listenersOf } = require('../host/listeners')
const { DeployError } = require('../../errors')

/**
 * The port for each instance of a new release: of its two the one that the active release does not have.
 * @param {object} config { ports, instances }
 * @param {object|null} active the Side that serves
 * @returns {number[]}
 */
function choose ({ ports, instances }, active) {
  const used = new Set(active?.instances.map(({ port }) => port))
  return Array.from({ length: instances }, (_, i) => {
    const pair = ports.slice(2 * i, 2 * i + 2)
    const free = pair.find((port) => !used.has(port))
    if (free !== undefined) return free
    throw new DeployError('UC_DEPLOY_PORTS', `both ports of instance ${i}, ${pair.join(' and ')}, are used by the release that serves`, {
      hint: 'ports: keep the pairs of the release that serves when you change them, or take new ones for all instances'
    })
  })
}

/** @throws UC_DEPLOY_PORT_TAKEN, with who it is as far as it can be seen */
function refuseTaken (ports) {
  for (const port of ports) {
    const found = listenerOn(port)
    if (found === null) continue
    throw new DeployError('UC_DEPLOY_PORT_TAKEN', `port ${port} is taken by ${nameOf(found)}, which is not part of this application`, {
      hint: `end it, or name other ports in the configuration (ports), then run the same command again; on the host: ss -ltnp 'sport = :${port}'`,
      details: { port, pid: found.pid, command: found.command, uid: found.uid, address: found.address }
    })
  }
}

function nameOf ({ pid, command, uid }) {
  return pid === null ? `a process of user ${uid}` : `pid ${pid}${command === '' ? '' : ` (${command})`}`
}

/**
 * Where a service and all it has started listen: nowhere but on loopback, and on its own port.
 * @param {{ port: number }} instance
 * @param {number[]} pids of the service
 */
function refuseExposed ({ port }, pids) {
  const found = listenersOf(pids)
  const open = found.find(({ loopback }) => !loopback)
  if (open !== undefined) {
    throw new DeployError('UC_DEPLOY_EXPOSED', `the release listens on ${open.address} port ${open.port} (pid ${open.pid}, ${proc.command(open.pid)}), where others than the gateway reach it`, {
      hint: 'listen on 127.0.0.1: server.listen(process.env.PORT, process.env.HOST), or graceful() of undercroft',
      details: { listeners: found }
    })
  }
  if (!found.some((one) => one.port === port)) {
    const stranger = listenerOn(port)
    throw new DeployError('UC_DEPLOY_PORT_TAKEN', stranger === null
      ? `the release does not listen on port ${port}`
      : `port ${port} was taken by ${nameOf(stranger)} while the release started`, {
      hint: 'the service listens on process.env.PORT', details: { port, listeners: found, pid: stranger?.pid }
    })
  }
}

module.exports = { choose, refuseExposed, refuseTaken }
