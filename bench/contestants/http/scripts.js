'use strict'

// The rivals in JavaScript, handlers by hand as their users write them, at their best:
// literal limits, statements prepared once, transactions.

const fs = require('node:fs')
const path = require('node:path')
const { scripted, whyNot, about, runtimeOf } = require('../../lib/http-server')

const MODULES = ['../../node_modules', '../../../node_modules'].map(dir => path.join(__dirname, dir))

/** The version of an installed package; it may not export its package.json. */
function versionOf (name) {
  const file = MODULES.map(dir => path.join(dir, name, 'package.json')).find(fs.existsSync)
  return JSON.parse(fs.readFileSync(file, 'utf8')).version
}

function script ({ name, family, file, kind, packages }) {
  return {
    name,
    family,
    missing: () => whyNot(kind, packages),
    about: () => about(kind),
    version: () => packages.length > 0 ? packages.map(versionOf).join(' and ') : runtimeOf(kind).version,
    service: job => scripted(file, kind, job),
    open: () => ({ close () {} })
  }
}

module.exports = [
  { name: 'Bun.serve + bun:sqlite', family: 'bun', file: 'bun', kind: 'bun', packages: [] },
  { name: 'Hono + bun:sqlite', family: 'hono', file: 'hono', kind: 'bun', packages: ['hono'] },
  { name: 'Elysia + bun:sqlite', family: 'elysia', file: 'elysia', kind: 'bun', packages: ['elysia'] },
  { name: 'node:http + better-sqlite3', family: 'node', file: 'node', kind: 'node', packages: ['better-sqlite3'] },
  { name: 'fastify + better-sqlite3', family: 'fastify', file: 'fastify', kind: 'node', packages: ['fastify', 'better-sqlite3'] }
].map(script)
