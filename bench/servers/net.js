'use strict'

// An echo over node:net: node net.js SOCKET. Ends with SIGTERM.

const net = require('node:net')

net.createServer(socket => {
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
}).listen(process.argv[2])
