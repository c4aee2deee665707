'use strict'

// What a server is told, and its end: the argument is
//   { port, file, routes, settings: { synchronous, cacheKiB } }

const HOST = '127.0.0.1'

const job = JSON.parse(process.argv[2])

/** `close` is called at SIGTERM, and the process ends when that is done. */
function endWith (close) {
  process.once('SIGTERM', async () => {
    await close()
    process.exit(0)
  })
}

module.exports = { job, HOST, endWith }
