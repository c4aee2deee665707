'use strict'

// An echo over zeromq.js: node zeromq.js SOCKET. Ends with SIGTERM.

const zmq = require('zeromq')

async function main () {
  const router = new zmq.Router({ linger: 0 })
  await router.bind(`ipc://${process.argv[2]}`)
  for await (const parts of router) await router.send(parts)
}

main()
