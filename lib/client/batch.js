'use strict'

const { ops } = require('../wire/ops')
const { want } = require('./call')
const { NO_SHAPE } = require('../wire/shape')
const { UndercroftError, expected } = require('../base/errors')

/**
 * Several statements in one transaction: all of them happen, or none.
 *
 * @param {Array<[string, (Array|object)?]|string>} statements
 * @returns {Promise<Array>} for each statement { changes, lastInsertRowid },
 *   or its rows when it returns any
 */
function batch (client, scope, statements, opts) {
  try {
    const parts = read(statements)
    return client.send({
      op: ops.BATCH,
      want: want.MULTI,
      opts,
      scope,
      fields: 1,
      subject: () => prepareAll(client, parts),
      write: writeParts
    })
  } catch (err) {
    return Promise.reject(err)
  }
}

/** Checks the list; each item becomes [sql, params]. */
function read (statements) {
  if (!Array.isArray(statements)) {
    throw expected('UC_PARAM_TYPE', 'batch', 'an array of [sql, parameters]', statements)
  }
  return statements.map((item, i) => {
    if (typeof item === 'string') return [item, undefined]
    if (Array.isArray(item) && typeof item[0] === 'string' && item.length <= 2) return item
    throw expected('UC_PARAM_TYPE', `batch: statement ${i + 1}`, '[sql, parameters]', item)
  })
}

/**
 * Announces every statement in front of the request. None may lose its number
 * to a later one of the same batch, so they are pinned meanwhile.
 */
function prepareAll (client, parts) {
  const prepared = []
  try {
    for (const [sql] of parts) {
      const one = client.prepared(sql)
      one.pins++
      prepared.push(one)
    }
  } finally {
    for (const one of prepared) one.pins--
  }
  return { sql: undefined, shape: NO_SHAPE, parts: parts.map(([sql]) => sql), prepared, params: parts.map((part) => part[1]) }
}

function writeParts (w, { prepared, params }) {
  w.arrayHeader(prepared.length)
  for (let i = 0; i < prepared.length; i++) {
    w.arrayHeader(2)
    w.uint(prepared[i].sid)
    try {
      w.params(params[i])
    } catch (err) {
      if (err instanceof UndercroftError) {
        err.message = `statement ${i + 1}: ${err.message}`
        err.index = i
        err.sql = prepared[i].sql
      }
      throw err
    }
  }
}

module.exports = { batch, read, prepareAll, writeParts }
