'use strict'

// TechEmpower's updates, 20 of them: each row is read and then gets another number. The
// rules have a GET; ours never writes, so everybody is sent a POST.

const { question, rowsOf, byHand, byRule, updatesOf } = require('../../lib/http-case')

module.exports = question({
  title: '20 updates',
  target: '/updates',
  body: '{"queries":20}',
  routes: 'techempower',
  check: byRule('updates', updatesOf),
  rows: [
    ...rowsOf({
      name: 'updates-door',
      label: ['20 updates', 'C door'],
      title: '20 updates, C door: a POST, where the rules have a GET',
      ours: 'door',
      rivals: byHand(['axum', 'bun', 'node', 'fastify']),
      targets: { 'axum + diesel': 2 }
    }),
    ...rowsOf({ name: 'updates-node', title: '20 updates, routes in node:http', ours: 'node', rivals: byHand(['node', 'fastify']) }),
    ...rowsOf({ name: 'updates-bun', title: '20 updates, routes in Bun.serve', ours: 'bun', rivals: byHand(['bun']) })
  ]
})
