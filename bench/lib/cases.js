'use strict'

// The cases and what each needs: which contestants run which of its programs.

const fs = require('node:fs')
const path = require('node:path')
const contestants = require('../contestants')

const DIR = path.join(__dirname, '../cases')

// The order of the report; a case that is not named here comes last.
const ORDER = [
  'point-get', 'point-get-turn', 'all-100', 'async-get', 'json-100', 'durable-insert',
  'insert-many', 'updates', 'http', 'loop-delay', 'lone-get', 'readers', 'memory-iterate',
  'memory-get', 'open'
]

/** Cases whose file or row names contain one of the words; all for no words. */
function select (words = []) {
  const place = name => ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length
  return fs.readdirSync(DIR)
    .filter(file => file.endsWith('.js'))
    .map(file => ({ file, name: path.basename(file, '.js'), ...require(path.join(DIR, file)) }))
    .filter(({ name, rows }) => words.length === 0 ||
      words.some(word => [name, ...rows.map(row => row.name)].some(it => it.includes(word))))
    .sort((a, b) => place(a.name) - place(b.name))
}

/** Contestants of a family; 'ours' is the product measured against itself. */
function family (name) {
  return contestants.filter(contestant => contestant.family === name)
}

/** A row with the case's defaults filled in. */
function fullRow (test, row) {
  return {
    unit: test.unit,
    measure: test.measure || 'rate',
    better: test.better || 'higher',
    atMost: {},
    ...row
  }
}

/** [{ key, contestant, label }] that a row compares ours with. */
function rivalsOf (row) {
  const out = []
  for (const [name, program] of Object.entries(row.rivals)) {
    for (const contestant of family(name)) {
      out.push({ key: `${contestant.name}/${program}`, contestant: contestant.name })
    }
  }
  return out
}

const oursOf = row => `undercroft/${row.ours}`
const limitOf = row => row.limit ? `c/${row.limit}` : null

/** Keys 'contestant/program' of all processes that a case needs. */
function entries (test) {
  const keys = new Set()
  for (const row of test.rows) {
    keys.add(oursOf(row))
    for (const { key } of rivalsOf(row)) keys.add(key)
    if (row.limit) keys.add(limitOf(row))
  }
  for (const key of test.also || []) keys.add(key)
  return [...keys]
}

module.exports = { select, entries, fullRow, rivalsOf, oursOf, limitOf }
