'use strict'

// 20 people are added by one request.

const { inserts } = require('../../lib/http-inserts')

module.exports = inserts({
  name: 'batch',
  title: 'Insert 20 at a time',
  what: 'Insert 20 at a time',
  target: '/dmail/user/batch',
  bodyOf: name => ({ people: Array.from({ length: 20 }, () => ({ name, age: 7 })) }),
  targets: {},
  atLeast: 1200
})
