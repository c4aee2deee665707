'use strict'

// ioredis with auto-pipelining, which sends the commands of a turn together.

const redis = require('../../lib/redis')

function connect (socket) {
  const { Redis } = require('ioredis')
  const client = new Redis({ path: socket, enableAutoPipelining: true })
  return {
    client,
    connect: () => connect(socket),
    get: key => client.get(key),
    getBytes: key => client.getBuffer(key),
    close: () => client.quit()
  }
}

async function open (file, settings, more, { socket }) {
  const lib = connect(socket)
  await redis.fill((key, value) => lib.client.set(key, value))
  return lib
}

module.exports = {
  name: 'ioredis',
  family: 'kv',
  missing: redis.missing,
  about: redis.about,
  service: redis.service,
  open,
  version: () => require('ioredis/package.json').version
}
