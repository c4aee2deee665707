'use strict'

// What the tests of step two deploy: plain node:http on the port and the socket that the deployment names.

const fs = require('node:fs')
const http = require('node:http')

const { HOST, PORT, UNDERCROFT_SOCKET, UNDERCROFT_RELEASE } = process.env

const answer = (req, res) => {
  if (req.url === '/env') return res.end(JSON.stringify(process.env))
  res.end(UNDERCROFT_RELEASE)
}

const servers = [http.createServer(answer), http.createServer(answer)]
fs.rmSync(UNDERCROFT_SOCKET, { force: true })
servers[0].listen(Number(PORT), HOST)
servers[1].listen(UNDERCROFT_SOCKET)
process.on('SIGTERM', () => {
  let left = servers.length
  for (const server of servers) {
    server.close(() => { if (--left === 0) process.exit(0) })
    server.closeIdleConnections()
  }
})
