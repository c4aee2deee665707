'use strict'

// A person is added, and the answer is empty.

const { inserts } = require('../../lib/http-inserts')

module.exports = inserts({
  name: 'insert',
  title: 'Insert',
  what: 'Insert',
  target: '/dmail/user/add',
  bodyOf: name => ({ name, age: 7 }),
  targets: { 'axum + diesel': 3 },
  fullTargets: { 'axum + diesel': 2 },
  // What the notes had on a VPS, as in the next two.
  atLeast: 2600
})
