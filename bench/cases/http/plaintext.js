'use strict'

// TechEmpower's plaintext, one request at a time a connection.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

module.exports = question({
  title: 'Plaintext',
  target: '/plaintext',
  routes: 'techempower',
  check: byRule('plaintext'),
  rows: rowsOf({
    name: 'plaintext-door',
    label: ['Plaintext', 'C door'],
    title: 'plaintext, C door',
    ours: 'door',
    rivals: byHand(['axum', 'bun', 'node', 'fastify']),
    targets: { 'axum + diesel': 1 }
  })
})
