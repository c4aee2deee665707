'use strict'

// The product through its daemon. The same entry as in the process: only the
// target differs.

const path = require('node:path')

const ROOT = path.join(__dirname, '../../..')

const binding = () => require(path.join(ROOT, 'lib/base/binding'))

function missing () {
  try {
    binding().daemonPath()
    return null
  } catch (err) {
    if (err.code === 'UC_NO_DAEMON') return err.message
    throw err
  }
}

function service ({ socket, file, settings }) {
  return {
    command: binding().daemonPath(),
    args: ['--listen', `ipc://${socket}`, '--db', file, '--set', `synchronous=${settings.synchronous}`]
  }
}

async function connect (socket) {
  const { open } = require(ROOT)
  const store = open(`ipc://${socket}`)
  await store.ready
  return store
}

async function open (file, settings, more, { socket, pid }) {
  const { ops } = require(path.join(ROOT, 'lib/wire/ops'))
  const store = await connect(socket)
  const { client } = store.db
  return {
    store,
    db: store.db,
    serverPid: pid,
    ping: () => client.call(ops.PING, []),
    connect: () => connect(socket),
    exec: sql => store.db.exec(sql),
    close: () => store.close()
  }
}

module.exports = {
  name: 'undercroft',
  family: 'ours',
  missing,
  about: () => 'one daemon',
  service,
  open,
  connect,
  version: () => require(path.join(ROOT, 'package.json')).version
}
