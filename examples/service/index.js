'use strict'

// A small HTTP service on the cities of the world: routes in SQL files, one handler beside them.
//
//   node examples/service [file]     or     bun examples/service [file]
//
// The file is kept (default cities.db in the current folder); the first start loads it. A line for
// each request, and for statements that take long, goes to stdout, or into files with
// UNDERCROFT_LOG_DIR. SIGTERM and SIGINT end it: those under way are answered, then the database
// and the log are closed.

const { open } = require('undercroft')
const { prepare } = require('./cities')
const { serve } = require('./service')

async function main (file = 'cities.db') {
  const store = open(file, { log: { dir: process.env.UNDERCROFT_LOG_DIR ?? null, slowMs: 100 } })
  await store.ready
  const loaded = await prepare(store.db)
  if (loaded > 0) store.log.info('loaded %d cities into %s', loaded, store.target)
  await serve(store, { port: Number(process.env.UNDERCROFT_PORT) || 4000 })
}

main(process.argv[2]).catch((err) => {
  console.error(err)
  process.exit(1)
})
