'use strict'

// TechEmpower's multiple queries, 20 of them.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

const rivals = byHand(['axum', 'bun', 'node', 'fastify'])

module.exports = question({
  title: '20 queries',
  target: '/queries?queries=20',
  routes: 'techempower',
  check: byRule('queries'),
  rows: [
    ...rowsOf({
      name: 'queries-door',
      label: ['20 queries', 'C door'],
      title: '20 queries, C door',
      ours: 'door',
      rivals,
      targets: { 'axum + diesel': 3.5 }
    }),
    ...rowsOf({ name: 'queries-node', title: '20 queries, routes in node:http', ours: 'node', rivals: byHand(['node', 'fastify']) }),
    ...rowsOf({ name: 'queries-bun', title: '20 queries, routes in Bun.serve', ours: 'bun', rivals: byHand(['bun']) })
  ]
})
