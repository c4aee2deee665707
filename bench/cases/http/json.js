'use strict'

// TechEmpower's JSON serialization. Ours comes from a statement, as all that a route answers.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

module.exports = question({
  title: 'JSON',
  target: '/json',
  routes: 'techempower',
  check: byRule('json'),
  rows: rowsOf({
    name: 'json-door',
    label: ['JSON', 'C door'],
    title: 'JSON, C door',
    ours: 'door',
    rivals: byHand(['axum', 'bun', 'node', 'fastify']),
    targets: { 'axum + diesel': 1 }
  })
})
