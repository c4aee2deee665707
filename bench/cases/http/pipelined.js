'use strict'

// TechEmpower's plaintext, 16 requests at a time a connection.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

module.exports = question({
  title: 'Plaintext, pipelined',
  target: '/plaintext',
  depth: 16,
  routes: 'techempower',
  check: byRule('plaintext'),
  rows: rowsOf({
    name: 'pipelined-door',
    label: ['Plaintext', 'pipelined ×16, C door'],
    title: 'plaintext, 16 requests at a time, C door',
    ours: 'door',
    rivals: byHand(['axum', 'bun', 'node', 'fastify']),
    targets: { 'axum + diesel': 3 }
  })
})
