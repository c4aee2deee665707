'use strict'

// A small HTTP service on the cities of the world.
//
//   node examples/service [file]     or     bun examples/service [file]
//
// The file is kept (default cities.db in the current folder); the first start loads it. SIGTERM
// and SIGINT end it: no new requests, those under way are answered, then the database is closed.

const { open } = require('undercroft')
const { prepare } = require('./cities')
const { createHandler } = require('./handler')
const { listenFrom } = require('./server')

async function main (file = 'cities.db') {
  const store = open(file)
  await store.ready
  const loaded = await prepare(store.db)
  if (loaded > 0) console.log(`loaded ${loaded.toLocaleString('en')} cities into ${store.target}`)

  const server = await listenFrom(createHandler(store), Number(process.env.UNDERCROFT_PORT) || 4000)
  console.log(`listening on http://127.0.0.1:${server.port}`)

  let stopping = false
  async function stop (signal) {
    if (stopping) return
    stopping = true
    console.log(`${signal}: ending`)
    await server.stop()
    await store.close()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

main(process.argv[2]).catch((err) => {
  console.error(err)
  process.exit(1)
})
