'use strict'

// bulk - insertMany where the engine takes many rows at once: a few as one statement with an array for
// each column, which is one round trip and one plan, more by COPY.

const { UndercroftError } = require('../../base/errors')
const { copyRows } = require('../copy')
const { item } = require('../copy-rows')
const write = require('./write')

// Why a value of that row is none.
function failOf (name, index) {
  return (message) => new UndercroftError('UC_PARAM_TYPE', `insertMany: row ${index + 1}: column "${name}": ${message}`,
    { column: name, index, outcome: 'not-sent' })
}

/**
 * The statement that inserts these rows at once, or null where it has to be done in another way.
 *
 * @param {TableSchema} entry
 * @param {{ names: string[], pick: Function }} form of the first row
 * @param {object[]} rows
 * @returns {{ sql: string, params: string[] }|null}
 */
function arraysStatement (entry, form, rows) {
  const { names } = form
  const select = entry.plan(`m${JSON.stringify(names)}`, () => ({ sql: entry.dialect.bulk.select(entry, names) }))
  if (select.sql === null) return null
  const lists = names.map(() => '')
  for (let index = 0; index < rows.length; index++) {
    const params = write.rowParams(form, rows[index], index)
    for (let i = 0; i < names.length; i++) {
      lists[i] += (index === 0 ? '{' : ',') + item(params[i], failOf(names[i], index))
    }
  }
  return { sql: `${write.insertInto(entry, names, 'insertMany')} ${select.sql}`, params: lists.map((list) => list + '}') }
}

// Arrays of parameters as an iterator that may be one of promises.
async function copied (verbs, client, entry, form, iterator, options) {
  const { names } = form
  const target = write.insertInto(entry, names, 'insertMany').slice('insert into '.length)
  const { timeoutMs, signal } = options ?? {}
  return { changes: await copyRows(verbs, client, target, names, iterator, { timeoutMs, signal }), lastInsertRowid: 0 }
}

module.exports = { arraysStatement, copied }
