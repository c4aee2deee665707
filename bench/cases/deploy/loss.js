'use strict'

// 100 deployments in a row under a constant load through one nginx: what the checker of the
// tests counts, which is a process of its own and speaks HTTP by itself. Ours is the whole
// command line, over SSH; pm2's is `pm2 reload`, with nothing to upload.

const { startLoad } = require('../../../test/deploy/parts/load')
const { startSite } = require('../../../test/deploy/parts/site')
const { commandIn } = require('../../lib/hosts')
const { startPm2 } = require('../../lib/pm2')

const DEPLOYMENTS = 100
// Answered between two deployments, so that each release serves for a while.
const BETWEEN = 100
const LOAD = { keepAlive: 8, oneShot: 4, everyMs: 12 }
// In the ports mode the old release is asked until it stops listening, after half of drainMs.
const DRAIN_MS = 4000

/** `start(runtime)` -> { url, deploy(), numbers(), stop() } */
function deployments (start) {
  return async ({ scale }) => commandIn('nginx') ? { round: () => deployed(start, scale(DEPLOYMENTS)) } : { skip: 'there is no nginx' }
}

async function deployed (start, count) {
  const site = await start({ name: process.versions.bun ? 'bun' : 'node', path: process.execPath })
  let load = null
  try {
    await site.deploy()
    load = await startLoad({ url: site.url, ...LOAD })
    await load.goOn(BETWEEN)
    let spent = 0
    for (let i = 0; i < count; i++) {
      const began = performance.now()
      await site.deploy()
      spent += performance.now() - began
      await load.goOn(BETWEEN)
    }
    const { requests, failed, failures, twice, lost, double } = await load.stop(site.numbers)
    return { requests, failed, failures, twice, lost, double, deployments: count, seconds: spent / count / 1000 }
  } finally {
    load?.kill()
    await site.stop()
  }
}

const inMode = mode => deployments(runtime => startSite({ mode, runtime, config: { drainMs: DRAIN_MS } }))

const daemonBeside = deployments(runtime => startSite({ runtime, daemon: true, config: { drainMs: DRAIN_MS } }))

function rowsOf (name, what, ours, rivals, atMost) {
  const row = (measure, title, more) => ({ name: `${name}-${measure}`, title: `${what}: ${title}`, measure, ours, rivals, targets: {}, ...more })
  return [
    row('failed', 'requests that failed', { atMost }),
    row('twice', 'requests answered twice', { atMost }),
    row('lost', 'answered orders that are lost', { atMost }),
    row('double', 'orders that are there twice', { atMost }),
    row('requests', 'requests', { better: 'higher', rivals: {} }),
    row('seconds', 'seconds of a deployment', { unit: 's', rivals: {} })
  ]
}

const none = { node: 0, bun: 0 }

module.exports = {
  title: '100 deployments under load',
  unit: 'requests',
  better: 'lower',
  // What bounds a round: a deployment takes some seconds.
  roundMs: 200_000,
  once: true,
  opensItself: true,
  rows: [
    ...rowsOf('loss-socket', '100 deployments, `switch: \'socket\'`', 'socket', { pm2: 'reload' }, none),
    ...rowsOf('loss-daemon', '100 deployments, `switch: \'socket\'`, the database behind a daemon', 'daemon', {}, none),
    ...rowsOf('loss-ports', '100 deployments, `switch: \'ports\'`', 'ports', { pm2: 'reload' }, {})
  ],
  programs: {
    ours: { socket: inMode('socket'), daemon: daemonBeside, ports: inMode('ports') },
    pm2: { reload: deployments(startPm2) }
  }
}
