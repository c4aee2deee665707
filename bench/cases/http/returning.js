'use strict'

// A person is added, and the row is the answer.

const { inserts } = require('../../lib/http-inserts')

module.exports = inserts({
  name: 'returning',
  title: 'Insert returning the row',
  what: 'Insert returning the row',
  target: '/dmail/user/ret',
  bodyOf: name => ({ name, age: 7 }),
  isAnswered: true,
  targets: {},
  atLeast: 2300
})
