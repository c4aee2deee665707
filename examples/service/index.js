'use strict'

// A small HTTP service on the cities of the world.
//
//   node examples/service [file]     or     bun examples/service [file]
//
// The file is kept (default cities.db in the current folder); the first start loads it. A line for
// each request, and for statements that take long, goes to stdout, or into files with
// UNDERCROFT_LOG_DIR. SIGTERM and SIGINT end it: no new requests, those under way are answered,
// then the database and the log are closed.

const { open } = require('undercroft')
const { prepare } = require('./cities')
const { createHandler } = require('./handler')
const { listenFrom } = require('./server')

async function main (file = 'cities.db') {
  const store = open(file, { log: { dir: process.env.UNDERCROFT_LOG_DIR ?? null, slowMs: 100 } })
  const { log } = store
  await store.ready
  const loaded = await prepare(store.db)
  if (loaded > 0) log.info('loaded %d cities into %s', loaded, store.target)

  const server = await listenFrom(createHandler(store), Number(process.env.UNDERCROFT_PORT) || 4000, log)
  log.info('listening on http://127.0.0.1:%d', server.port)

  let stopping = false
  async function stop (signal) {
    if (stopping) return
    stopping = true
    log.info('%s: ending', signal)
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
