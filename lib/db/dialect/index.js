'use strict'

// dialect - what the SQL that this package writes itself looks like on each engine.
//
// A dialect is an object; nothing else in lib/db asks which engine it is.
//
//   name                      the core's word for the engine
//   columnsOf(name, schema)   { sql, params }: a row for each column of a table
//   tablesOf(schema)          { sql, params }: the names of the tables there are
//   describe(rows)            what rows of columnsOf say: { name, sql, kind, writable, columns, primary,
//                             rowid, version, guard }, see table/schema.js
//   isStale(err)              the error may come from knowing an older schema, and nothing has run
//   isOutdated(err)           and its schema has changed since it was read: it says so
//   ownDdl                    whether what is known is to be dropped after a statement that may change
//                             a schema, since no later statement would show that
//   nullsFirst                ascending, nulls come before everything, and otherwise behind it
//   maxColumns                of the rows of a result
//   compare(word, column, p)  the SQL of an operator of `where`; p: the parameter
//   among(column, p)          the column is in a JSON array
//   union(parts)              the SQL of ranges that follow each other, see table/select.js
//   document(column, value, fail)  the text of an object or array as a value of the column; undefined:
//                             it is none there
//   bulk                      how many rows are inserted at once, see table/bulk.js; null: one by one
//   migrations                see migrate.js

const { ops } = require('../../wire/ops')
const sqlite = require('./sqlite')
const postgres = require('./pg')

/**
 * @param {Client} [client] none: verbs of somebody's own, which are taken for SQLite's
 * @returns {object|Promise<object>} a promise only until a daemon has said what it serves
 */
function dialectOf (client) {
  if (client === undefined) return sqlite
  if (client.engine === null) return client.call(ops.PING, []).then(() => named(client.engine))
  return named(client.engine)
}

function named (engine) {
  return engine === 'postgres' ? postgres : sqlite
}

const DDL = /\b(?:create|alter|drop|rename)\b/i

/** Whether a text may change a schema, on an engine where no later statement would show that. */
function hidesChange (client, sql) {
  return client.engine !== null && named(client.engine).ownDdl && typeof sql === 'string' && DDL.test(sql)
}

module.exports = { dialectOf, hidesChange }
