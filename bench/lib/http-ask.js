'use strict'

// One request, and its answer whole: for checks, not for figures.

const http = require('node:http')

/** (target, { method, body }) -> a promise of { status, headers, body } of a server. */
function asker (url) {
  return (target, { method = 'GET', body } = {}) => new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const req = http.request(new URL(target, url), { method, headers, agent: false }, res => {
      const chunks = []
      res.on('data', chunk => { chunks.push(chunk) })
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() }))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end(body)
  })
}

module.exports = { asker }
