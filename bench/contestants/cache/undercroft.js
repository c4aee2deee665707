'use strict'

// The cache of the product: in this process, and behind its daemon.

const ipc = require('../ipc/undercroft')
const path = require('node:path')

const ROOT = path.join(__dirname, '../../..')
const MB = 1024 * 1024
const BYTES = 512 * MB

/** The daemon with as much room as the cache in the process. */
function service (context) {
  const { command, args } = ipc.service(context)
  return { command, args: [...args, '--set', `cacheBytes=${BYTES}`] }
}

async function open (file, settings, more, { socket, pid }) {
  const { open } = require(ROOT)
  return {
    open,
    serverPid: pid,
    target: `ipc://${socket}`,
    /** A cache in this process, without a database. */
    here: options => open({ cache: { bytes: BYTES, ...options } }),
    /** The daemon's. */
    there: async options => {
      const store = open(`ipc://${socket}`, { cache: options })
      await store.ready
      return store
    },
    close: async () => {}
  }
}

module.exports = { ...ipc, about: () => 'in the process, and in one daemon', service, open }
