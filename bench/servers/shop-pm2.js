'use strict'

// The service of examples/deployed under pm2, with what its documentation asks for
// (pm2.keymetrics.io/docs/usage/signals-clean-restart): it says 'ready' when it listens, and
// on SIGINT ends the server, then the database, then itself.

const path = require('node:path')
const { open } = require('../..')
const { createServer } = require('../../examples/deployed/app')

async function main () {
  const store = open(process.env.SHOP_DB)
  await store.db.migrate(path.join(__dirname, '../../examples/deployed/migrations'))
  const server = createServer(store)
  process.on('SIGINT', () => {
    server.close(async err => {
      await store.close()
      process.exit(err ? 1 : 0)
    })
  })
  server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send('ready'))
}

main().catch(err => {
  console.error(err)
  process.exit(1)
})
