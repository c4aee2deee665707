'use strict'

const path = require('node:path')
const { graceful, open } = require('undercroft')

async function main () {
  const store = open(process.env.UNDERCROFT_TARGET ?? process.env.DB ?? path.join(__dirname, 'service.db'))
  await store.db.migrate(path.join(__dirname, 'migrations'))
  const routes = store.routes(path.join(__dirname, 'routes'), { watch: process.env.NODE_ENV !== 'production' })
  await routes.ready
  await graceful({ fetch: routes.fetch }, { store, log: store.log, health: '/health' })
}

main().catch((err) => {
  console.error(err.message)
  process.exit(1)
})
