'use strict'

// The notes' own URL: a page of ten of 400,000 people by name, age and the last id.

const { question, rowsOf, byHand } = require('../../lib/http-case')

const TARGET = '/dmail/user/q?name=2---&ps=10&id=354757&age=4'
const TARGETS = { 'Bun.serve + bun:sqlite': 1.7, 'Hono + bun:sqlite': 1.7, 'Elysia + bun:sqlite': 1.7 }
// Routes are at most 10 % dearer than a handler by hand.
const BY_HAND = { undercroft: 1 / 1.1 }

module.exports = question({
  title: "The notes' URL",
  target: TARGET,
  routes: 'people',
  async check (ask) {
    const { status, headers, body } = await ask(TARGET)
    const wrong = await ask('/dmail/user/q?name=2---&ps=10&id=354757')
    return [status, headers['content-type'].split(';')[0], body, wrong.status >= 400 && wrong.status < 500]
  },
  rows: [
    ...rowsOf({
      name: 'notes-door',
      label: ["The notes' URL", 'routes in files, C door'],
      title: "the notes' URL, `undercroft serve --http`",
      ours: 'door',
      rivals: byHand(['axum', 'bun', 'node', 'fastify']),
      targets: { 'axum + diesel': 1.6, 'Bun.serve + bun:sqlite': 3, 'fastify + better-sqlite3': 7 },
      // What the notes had on a VPS.
      atLeast: 43_000
    }),
    ...rowsOf({
      name: 'notes-node',
      label: ["The notes' URL", 'routes in node:http'],
      title: "the notes' URL, routes in node:http",
      ours: 'node',
      rivals: byHand(['node', 'fastify']),
      targets: { 'fastify + better-sqlite3': 2.5 }
    }),
    ...rowsOf({
      name: 'notes-bun',
      label: ["The notes' URL", 'routes in Bun.serve'],
      title: "the notes' URL, routes in Bun.serve",
      ours: 'bun',
      rivals: byHand(['bun', 'hono', 'elysia']),
      targets: TARGETS
    }),
    ...rowsOf({
      name: 'notes-node-by-hand',
      title: 'routes in node:http, against a handler by hand on our own core',
      ours: 'node',
      rivals: { ours: 'node-by-hand' },
      targets: BY_HAND
    }),
    ...rowsOf({
      name: 'notes-bun-by-hand',
      title: 'routes in Bun.serve, against a handler by hand on our own core',
      ours: 'bun',
      rivals: { ours: 'bun-by-hand' },
      targets: BY_HAND
    })
  ]
})
