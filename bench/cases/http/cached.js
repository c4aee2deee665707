'use strict'

// TechEmpower's cached queries, 20 of them. The rivals in JavaScript and ours ask SQLite,
// whose pages are in memory; axum has a list of the rows.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

module.exports = question({
  title: '20 cached queries',
  target: '/cached-queries?count=20',
  routes: 'techempower',
  check: byRule('cached'),
  rows: rowsOf({
    name: 'cached-door',
    title: '20 cached queries, C door: the page cache of SQLite is the cache, where axum has the rows in a list',
    ours: 'door',
    rivals: byHand(['axum', 'bun', 'node', 'fastify'])
  })
})
