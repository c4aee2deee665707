'use strict'

// The product: routes in files behind each door, and handlers by hand on its core.
// A case's program says which:
//   door          the daemon's own HTTP; `door-full` with synchronous = full
//   door-crowded, door-alone   with room for a crowd
//   node, bun     store.routes in node:http and in Bun.serve
//   node-by-hand, bun-by-hand

const path = require('node:path')
const { freePort, scripted, runtimeOf } = require('../../lib/http-server')
const ipc = require('../ipc/undercroft')

const ROOT = path.join(__dirname, '../../..')

async function door ({ file, socket, settings, test }) {
  const { daemonPath } = require(path.join(ROOT, 'lib/base/binding'))
  const port = await freePort()
  const set = Object.entries({
    synchronous: settings.synchronous,
    'pragmas.cache_size': -settings.cacheKiB,
    'pragmas.mmap_size': 0
  }).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  return {
    command: daemonPath(),
    args: ['--listen', `ipc://${socket}`, '--db', file, ...set, '--http', `127.0.0.1:${port}`, '--routes', test.routes],
    port
  }
}

const full = job => ({ ...job, settings: { ...job.settings, synchronous: 'full' } })

// Also the file descriptors that it may have are enough for a crowd then, or it does not begin.
async function roomy (job) {
  const found = await door(job)
  return { ...found, args: [...found.args, '--http-connections', '11000'] }
}

const servers = {
  door,
  'door-crowded': roomy,
  'door-alone': roomy,
  'door-full': job => door(full(job)),
  node: job => scripted('mount', 'node', job),
  bun: job => scripted('mount', 'bun', job),
  'node-by-hand': job => scripted('by-hand', 'node', job),
  'bun-by-hand': job => scripted('by-hand', 'bun', job)
}

module.exports = {
  name: 'undercroft',
  family: 'ours',
  missing: ipc.missing,
  about: () => `routes in files, by the daemon, Node ${runtimeOf('node').version} and Bun ${runtimeOf('bun').version}`,
  version: ipc.version,
  service: job => servers[job.program](job),
  open: () => ({ close () {} }),
  servers
}
