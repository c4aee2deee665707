'use strict'
// The browser's half of the routes: one ES module, of which the first part is a file of its own.

const fs = require('node:fs')
const path = require('node:path')
const { namesOf } = require('./names')
const { text } = require('./types')

const HEAD = path.join(__dirname, '../templates/client.mjs')

/** @param {object[]} routes */
function client (routes) {
  const names = namesOf(routes)
  return fs.readFileSync(HEAD, 'utf8') + routes.map((route, i) => line(route, names[i])).join('')
}

function line ({ method, path, params }, name) {
  const own = params.filter((param) => param.in === 'header').map(({ name, header }) => `${name}: ${text(header)}`)
  return `export const ${name} = (params, options) => call('${method}', ${text(path)}, params, options${own.length > 0 ? `, { ${own.join(', ')} }` : ''})\n`
}

module.exports = { client }
