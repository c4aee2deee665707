'use strict'

// axum + diesel: lib/axum.js builds it.

const axum = require('../../lib/axum')
const { freePort } = require('../../lib/http-server')

function missing () {
  if (axum.built()) return null
  const reason = axum.missing()
  return `not built: ${reason ?? 'npm run bench -- --setup --door http'}`
}

module.exports = {
  name: 'axum + diesel',
  family: 'axum',
  missing,
  about: () => 'tokio with one thread, our SQLite with QPSG',
  version: axum.versions,
  async service ({ file, settings }) {
    const port = await freePort()
    return { command: axum.built(), args: [JSON.stringify({ port, file, settings })], port }
  },
  open: () => ({ close () {} })
}
