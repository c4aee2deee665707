'use strict'

// A service that is made to be deployed, in Node and in Bun: it takes orders, see app.js.
//
// A deployment sets PORT, UNDERCROFT_SOCKET and UNDERCROFT_SHARED, the folder that outlives
// releases; with a daemon beside the service UNDERCROFT_TARGET is its address. On a laptop
// `node server.js` is enough: it listens on 127.0.0.1:4000, and the database is here.

const path = require('node:path')
const { graceful, open } = require('undercroft')
const { createServer } = require('./app')

const file = path.join(process.env.UNDERCROFT_SHARED ?? __dirname, 'shop.db')

async function main () {
  const store = open(process.env.UNDERCROFT_TARGET ?? file)
  // The old release still runs meanwhile: what a migration changes has to be right for both.
  await store.db.migrate(path.join(__dirname, 'migrations'))
  // Listens, answers GET /health, and ends rightly when the next release has taken over.
  await graceful(createServer(store), { store, log: store.log, health: '/health' })
}

main().catch(err => {
  console.error(err)
  process.exit(1)
})
