'use strict'

// TechEmpower's fortunes: a page of rows, one more, sorted and escaped.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

module.exports = question({
  title: 'Fortunes',
  target: '/fortunes',
  routes: 'techempower',
  check: byRule('fortunes'),
  rows: rowsOf({
    name: 'fortunes-door',
    label: ['Fortunes', 'C door'],
    title: 'fortunes, C door: the row that is added and the order are in the SQL',
    ours: 'door',
    rivals: byHand(['axum', 'bun', 'node', 'fastify']),
    targets: { 'axum + diesel': 1.2 }
  })
})
