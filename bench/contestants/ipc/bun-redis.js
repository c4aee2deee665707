'use strict'

// The Redis client inside Bun, which pipelines by itself.

const redis = require('../../lib/redis')

function missing () {
  return process.versions.bun ? redis.missing() : 'measured on Bun only'
}

async function connect (socket) {
  const { RedisClient } = require('bun')
  const client = new RedisClient(`redis+unix://${socket}`)
  await client.connect()
  return {
    client,
    connect: () => connect(socket),
    get: key => client.get(key),
    getBytes: key => client.getBuffer(key),
    close: () => client.close()
  }
}

async function open (file, settings, more, { socket }) {
  const lib = await connect(socket)
  await redis.fill((key, value) => lib.client.set(key, value))
  return lib
}

module.exports = {
  name: 'bun:redis',
  family: 'kv',
  missing,
  about: redis.about,
  service: redis.service,
  open,
  version: () => process.versions.bun
}
