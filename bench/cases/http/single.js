'use strict'

// TechEmpower's single query: a random row of 10,000.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

module.exports = question({
  title: 'A single query',
  target: '/db',
  routes: 'techempower',
  check: byRule('db'),
  rows: [
    ...rowsOf({
      name: 'single-door',
      label: ['A single query', 'C door'],
      title: 'a single query, C door',
      ours: 'door',
      rivals: byHand(['axum', 'bun', 'node', 'fastify']),
      targets: { 'axum + diesel': 1.4 }
    }),
    ...rowsOf({
      name: 'single-node',
      label: ['A single query', 'routes in node:http'],
      title: 'a single query, routes in node:http',
      ours: 'node',
      rivals: { ...byHand(['node', 'fastify']), ours: 'node-by-hand' },
      targets: { 'node:http + better-sqlite3': 1 }
    }),
    ...rowsOf({
      name: 'single-bun',
      label: ['A single query', 'routes in Bun.serve'],
      title: 'a single query, routes in Bun.serve',
      ours: 'bun',
      rivals: { ...byHand(['bun']), ours: 'bun-by-hand' },
      targets: { 'Bun.serve + bun:sqlite': 1 }
    })
  ]
})
