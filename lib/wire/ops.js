'use strict'

// The operations of the wire, from the core's own table (tables.js).

const { operations } = require('../base/tables')

const ops = Object.freeze(Object.fromEntries(Object.entries(operations).map(([name, { number }]) => [name, number])))

// Number -> the name the core uses (lower case).
const names = []
for (const [name, number] of Object.entries(ops)) names[number] = name.toLowerCase()

// Arrays by number, because the hot path asks them for each call.
function having (flag) {
  const out = new Array(names.length).fill(false)
  for (const { number, flags } of Object.values(operations)) out[number] = flags.includes(flag)
  return out
}

// It never waits for the writer: a batch of only these is not announced as a write.
const isRead = having('read')
// Asked again by ourselves after a lost connection.
const isRetried = having('retried')
// [op, id, meta, sid, shape, params]
const hasStatement = having('statement')
// It names something that ends with its connection.
const isBound = having('bound')
// It has no end of its own.
const isEndless = having('endless')

// The reply kinds.
const kinds = Object.freeze({ VALUE: 0, ERROR: 1, ROWS: 2, RUN: 3, BYTES: 4, MULTI: 5, ANSWER: 6 })

module.exports = { ops, names, isRead, isRetried, hasStatement, isBound, isEndless, kinds }
