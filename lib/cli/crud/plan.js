'use strict'
// Which columns are in which route, before a line of SQL is written.

const { hasComputed, isBlob, isCreated, isSecret, isUpdated, literalOf, nowOf, paramType } = require('./columns')
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
  const isKey = (field) => key.includes(field)
  if (id === 'uuid') checkUuid(table, key)
  const secret = fields.filter(({ name }) => isSecret(name))
  const shown = fields.filter((field) => !secret.includes(field))
  const writable = shown.filter(({ column }) => !column.isGenerated && !column.isRowid)
  const filled = writable.map((field) => [field, fillOf(field, id === 'uuid' && isKey(field))]).filter(([, sql]) => sql !== null)
  const isFilled = (field) => filled.some(([other]) => other === field)
  const plan = {
    key,
    shown,
    listed: shown.filter((field) => !isBlob(field.column) || isKey(field)),
    filled,
    given: writable.filter((field) => !isFilled(field) && !hasComputed(field.column, field.type)),
    touched: writable.filter((field) => isUpdated(field) && nowOf(field.column, field.type) !== null).map((field) => [field, nowOf(field.column, field.type)]),
    changed: writable.filter((field) => !isKey(field) && !isTime(field)),
    secret: secret.map(({ name }) => name),
    foreign: new Set(table.foreign.flatMap(({ from }) => from)),
    canAdd: true,
    notes: []
  }
  return noted(plan, fields, secret, table)
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

const isTime = (field) => (isCreated(field) || isUpdated(field)) && nowOf(field.column, field.type) !== null

function noted (plan, fields, secret, { name }) {
  const { notes } = plan
  const listOf = (some) => some.map((field) => field.name).join(', ')
  if (secret.length > 0) notes.push(`left out everywhere, by ${secret.length === 1 ? 'its name' : 'their names'}: ${listOf(secret)}`)
  const computed = fields.filter((field) => !field.column.isRowid && !secret.includes(field) && hasComputed(field.column, field.type))
  if (computed.length > 0) notes.push(`the database fills in: ${listOf(computed)}`)
  const blobs = plan.shown.filter((field) => !plan.listed.includes(field))
  if (blobs.length > 0) notes.push(`not in the list, but in one: ${listOf(blobs)}`)
  const needed = secret.filter(({ column }) => column.notNull && column.preset === null && !column.isGenerated)
  if (needed.length > 0) {
    plan.canAdd = false
    notes.push(`there is no add: it would need ${listOf(needed)}, which ${needed.length === 1 ? 'is' : 'are'} left out; write it by hand, with what makes such a value`)
  }
  if (plan.changed.length === 0) notes.push(`there is no set: ${name} has no column that could be changed`)
  const most = Math.max(plan.given.length, plan.key.length + plan.changed.length)
  if (most > PARAMS_MOST) throw new CommandRefusal(`${name} has more columns than a route may have parameters, which are ${PARAMS_MOST}`, 'write its routes by hand, each with the columns that it is about', 'failed')
  return plan
}

module.exports = { planOf }
