'use strict'

// node-redis, the npm package redis; it pipelines the commands of a turn by
// itself.

const redis = require('../../lib/redis')

async function connect (socket) {
  const { createClient, RESP_TYPES } = require('redis')
  const client = createClient({ socket: { path: socket } })
  await client.connect()
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
  return {
    client,
    connect: () => connect(socket),
    get: key => client.get(key),
    getBytes: key => binary.get(key),
    close: () => client.close()
  }
}

async function open (file, settings, more, { socket }) {
  const lib = await connect(socket)
  await redis.fill((key, value) => lib.client.set(key, value))
  return lib
}

module.exports = {
  name: 'redis',
  family: 'kv',
  missing: redis.missing,
  about: redis.about,
  service: redis.service,
  open,
  version: () => require('redis/package.json').version
}
