'use strict'

// TechEmpower's cached queries, 20 of them. Ours keeps rows by @cache, axum has a list of
// them; the rivals in JavaScript ask SQLite, whose pages are in memory.

const { question, rowsOf, byHand, byRule } = require('../../lib/http-case')

module.exports = question({
  title: '20 cached queries',
  target: '/cached-queries?count=20',
  routes: 'techempower',
  check: byRule('cached'),
  rows: rowsOf({
    name: 'cached-door',
    title: '20 cached queries, C door: rows kept by @cache, where axum has a list that no write changes',
    ours: 'door',
    rivals: byHand(['axum', 'bun', 'node', 'fastify'])
  })
})
