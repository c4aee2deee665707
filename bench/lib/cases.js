'use strict'

// The cases and what each needs: which contestants run which of its programs.

const fs = require('node:fs')
const path = require('node:path')

/**
 * The cases of a door whose file or row names contain one of the words; all for
 * no words.
 */
function select (door, words = []) {
  const place = name => door.order.includes(name) ? door.order.indexOf(name) : door.order.length
  return fs.readdirSync(door.cases)
    .filter(file => file.endsWith('.js'))
    .map(file => ({
      door, file: path.join(door.cases, file), name: path.basename(file, '.js'), ...require(path.join(door.cases, file))
    }))
    .filter(({ name, rows }) => words.length === 0 ||
      words.some(word => [name, ...rows.map(row => row.name)].some(it => it.includes(word))))
    .sort((a, b) => place(a.name) - place(b.name))
}

/** A row with the case's defaults filled in. */
function fullRow (test, row) {
  return {
    unit: test.unit,
    measure: test.measure || 'rate',
    better: test.better || 'higher',
    atMost: {},
    atLeast: {},
    targets: {},
    ...row
  }
}

/** [{ key, contestant }] that a row of a case compares ours with. */
function rivalsOf (test, row) {
  const out = []
  for (const [family, program] of Object.entries(row.rivals)) {
    for (const { name } of test.door.contestants.filter(it => it.family === family)) {
      out.push({ key: `${name}/${program}`, contestant: name })
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
    for (const { key } of rivalsOf(test, row)) keys.add(key)
    if (row.limit) keys.add(limitOf(row))
  }
  for (const key of test.also || []) keys.add(key)
  return [...keys]
}

module.exports = { select, entries, fullRow, rivalsOf, oursOf, limitOf }
