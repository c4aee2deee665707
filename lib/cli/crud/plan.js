'use strict'
// Which columns are in which route, before a line of SQL is written.

const { hasComputed, isBlob, isSecret, isUpdated, literalOf, nowOf, paramType } = require('./columns')
const { ParamNames, sqlName } = require('./names')
const { CommandRefusal } = require('../refusal')

// Of one route in a file (UC_ROUTE_PARAMS without the service's own).
const PARAMS_MOST = 50

/**
 * @typedef {{ name: string, sql: string, param: string, type: string, column: Column, preset: string|null, isRequired: boolean }} Field
 *   sql: the name as SQL has it; type: with its range; preset: behind `=`
 * @typedef {{ key: Field[], listed: Field[], shown: Field[], given: Field[], filled: [Field, string][], changed: Field[],
 *   touched: [Field, string][], foreign: Set<string>, secret: string[], notes: string[], canAdd: boolean }} Plan
 *   given, filled: of add, by the caller and by the service; changed, touched: the same of set
 */

// RFC 9562, version 7: the time in front, so that new rows come last.
const UUID = "lower(printf('%08x-%04x-7%s-%s%s-%s', :_now >> 16, :_now & 65535, substr(hex(randomblob(2)), 2),\n" +
  "    substr('89ab', 1 + (random() & 3), 1), substr(hex(randomblob(2)), 2), hex(randomblob(6))))"

/**
 * @param {Table} table see table.js
 * @param {{ id?: 'uuid' }} [options]
 * @returns {Plan}
 * @throws {CommandRefusal}
 */
function planOf (table, { id } = {}) {
  checkKey(table)
  const names = new ParamNames()
  const fields = table.columns.map((column) => fieldOf(column, table, names))
  const key = table.key.map((column) => fields.find((field) => field.column === column))
  if (id === 'uuid') checkUuid(table, key)
  const secret = fields.filter(({ name }) => isSecret(name))
  const shown = fields.filter((field) => !secret.includes(field))
  const plan = {
    key,
    shown,
    listed: shown.filter((field) => !isBlob(field.column) || key.includes(field)),
    ...writing(shown, key, id),
    foreign: new Set(table.foreign.flatMap(({ from }) => from)),
    secret: secret.map(({ name }) => name),
    canAdd: true,
    notes: []
  }
  return noted(plan, fields, secret, table)
}

// What add and set put in, and who gives it.
function writing (shown, key, id) {
  const writable = shown.filter(({ column }) => !column.isGenerated && !column.isRowid)
  const filled = writable.map((field) => [field, fillOf(field, id === 'uuid' && key.includes(field))]).filter(([, sql]) => sql !== null)
  const isFilled = (field) => filled.some(([other]) => other === field)
  return {
    filled,
    given: writable.filter((field) => !isFilled(field) && !hasComputed(field.column, field.type)),
    touched: writable.filter((field) => isTime(field) && isUpdated(field)).map((field) => [field, nowOf(field.column, field.type)]),
    changed: writable.filter((field) => !key.includes(field) && !isTime(field))
  }
}

function checkKey ({ name, key }) {
  if (key.length === 0) throw new CommandRefusal(`${name} has no primary key, by which a route could name a row`, 'give it one in a migration: id integer primary key', 'failed')
  const secret = key.find((column) => isSecret(column.name))
  if (secret !== undefined) throw new CommandRefusal(`${secret.name} is part of the primary key of ${name}, and looks like a secret: no route may show it`, `write the routes of ${name} by hand, or give it another key`, 'failed')
}

function checkUuid ({ name }, key) {
  const [field] = key
  if (key.length > 1) throw new CommandRefusal(`--id uuid is for a key of one column; that of ${name} has ${key.length}`, 'leave --id away: the caller gives the key')
  if (field.column.isRowid) throw new CommandRefusal(`${name}.${field.name} is an integer primary key, which the database numbers by itself`, `for --id uuid it has to be a text: ${field.sql} text primary key not null`)
  if (!/^(text|uuid)/.test(field.type)) throw new CommandRefusal(`--id uuid is for a text; ${name}.${field.name} is ${field.column.type || 'of no type'}`, `declare it so: ${field.sql} text primary key not null`)
  field.type = 'uuid'
}

function fieldOf (column, { words, key }, names) {
  const type = paramType(column, words)
  const preset = key.includes(column) ? null : literalOf(column, type)
  const isRequired = column.notNull || key.includes(column)
  return { name: column.name, sql: sqlName(column.name), param: names.take(column.name), type, column, preset, isRequired: isRequired && preset === null }
}

// What add puts in by itself.
function fillOf (field, isUuid) {
  if (isUuid) return UUID
  return hasComputed(field.column, field.type) ? null : nowOf(field.column, field.type)
}

const isTime = (field) => nowOf(field.column, field.type) !== null

// What whoever calls the command has to know, and what cannot be.
function noted (plan, fields, secret, { name }) {
  const note = (some, text) => {
    if (some.length > 0) plan.notes.push(text(some.map((field) => field.name).join(', '), some.length === 1))
  }
  note(secret, (names, isOne) => `left out everywhere, by ${isOne ? 'its name' : 'their names'}: ${names}`)
  note(fields.filter((field) => !field.column.isRowid && !secret.includes(field) && hasComputed(field.column, field.type)), (names) => `the database fills in: ${names}`)
  note(plan.shown.filter((field) => !plan.listed.includes(field)), (names) => `not in the list, but in one: ${names}`)
  const needed = secret.filter(({ column }) => column.notNull && column.preset === null && !column.isGenerated)
  note(needed, (names, isOne) => `there is no add: it would need ${names}, which ${isOne ? 'is' : 'are'} left out; write it by hand, with what makes such a value`)
  plan.canAdd = needed.length === 0
  if (plan.changed.length === 0) plan.notes.push(`there is no set: ${name} has no column that could be changed`)
  const most = Math.max(plan.given.length, plan.key.length + plan.changed.length)
  if (most > PARAMS_MOST) throw new CommandRefusal(`${name} has more columns than a route may have parameters, which are ${PARAMS_MOST}`, 'write its routes by hand, each with the columns that it is about', 'failed')
  return plan
}

module.exports = { planOf }
