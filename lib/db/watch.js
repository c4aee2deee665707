'use strict'

// What has been committed, told as it happens: the number of the last answer is a generation.

const { ops } = require('../wire/ops')
const { expected } = require('../base/errors')
const { Standing } = require('./standing')

class Watch extends Standing {
  constructor (client, tables, opts) {
    super(client, {
      name: 'watch',
      op: ops.WATCH,
      argument: () => readTables(tables),
      read: ({ gen, tables }) => ({ since: gen, values: [{ tables, gen }] }),
      ahead: false
    }, opts)
  }
}

/** Names of tables; an empty list means all of them. */
function readTables (tables) {
  if (tables === undefined) return []
  const list = typeof tables === 'string' ? [tables] : tables
  if (!Array.isArray(list)) throw expected('UC_OPTION', 'watch', 'the name of a table, or an array of names', tables)
  for (const name of list) {
    if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
      throw expected('UC_OPTION', 'watch', 'the name of a table', name)
    }
  }
  return [...list]
}

module.exports = { Watch }
