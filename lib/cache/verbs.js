'use strict'

// What the verbs of the cache share, whether they block or not.

const { builtin } = require('../base/builtin')
const { UndercroftError, expected } = require('../base/errors')
const { types } = builtin('node:util')
const { writeBin } = require('../wire/value/encode')

/** Pairs of key and value as an array. Throws UC_OPTION. */
function checkPairs (entries) {
  if (entries === null || typeof entries !== 'object' || typeof entries[Symbol.iterator] !== 'function') {
    throw expected('UC_OPTION', 'setMany', 'a Map, or an array of [key, value]', entries)
  }
  const out = [...entries]
  for (const pair of out) {
    if (!Array.isArray(pair) || pair.length !== 2) throw expected('UC_OPTION', 'setMany', '[key, value]', pair)
  }
  return out
}

function writePairs (w, pairs, maxBytes) {
  w.arrayHeader(pairs.length)
  for (const [key, value] of pairs) {
    w.arrayHeader(2)
    w.text(key, 0)
    writeBin(w, value, maxBytes)
  }
}

function writeKeys (w, keys) {
  w.arrayHeader(keys.length)
  for (const key of keys) w.text(key, 0)
}

/** What setBytes takes: bytes, or text, which is stored as its UTF-8 bytes. */
function checkBytes (bytes) {
  if (ArrayBuffer.isView(bytes) || types.isAnyArrayBuffer(bytes)) return bytes
  if (typeof bytes === 'string' && bytes.isWellFormed()) return Buffer.from(bytes)
  throw new UndercroftError('UC_CACHE_VALUE', 'setBytes: expected a buffer, or well-formed text', { kind: 'usage', outcome: 'not-sent' })
}

function bytesOf (value) {
  if (value === undefined || Buffer.isBuffer(value)) return value
  throw new UndercroftError('UC_CACHE_TYPE', 'getBytes: the value under this key is not bytes; read it with get')
}

function checkBy (by) {
  if (Number.isSafeInteger(by)) return by
  throw expected('UC_OPTION', 'incr', 'a safe integer', by)
}

function count (n) {
  return n
}

module.exports = { checkPairs, writePairs, writeKeys, checkBytes, bytesOf, checkBy, count }
