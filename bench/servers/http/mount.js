'use strict'

// Routes in files, served in this process: node:http on Node, Bun.serve on Bun.

const http = require('node:http')
const { job, HOST, endWith } = require('./job')
const { open } = require('../../contestants/undercroft')

async function start () {
  const { store } = await open(job.file, job.settings)
  // None of the servers beside it writes lines.
  const routes = store.routes(job.routes, { audit: false })
  await routes.ready
  if (process.versions.bun) {
    const server = globalThis.Bun.serve({ port: job.port, hostname: HOST, fetch: routes.fetch })
    endWith(async () => {
      server.stop(true)
      await store.close()
    })
  } else {
    const server = http.createServer(routes.node())
    server.listen(job.port, HOST)
    endWith(async () => {
      server.closeAllConnections()
      await store.close()
    })
  }
}

start()
