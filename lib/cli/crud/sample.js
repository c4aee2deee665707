'use strict'
// Values for the test that is written with the routes, and the rows that have to be there first.

const { paramType } = require('./columns')
const { sqlName } = require('./names')

const VALUES = { integer: 1, real: 1.5, boolean: true, uuid: '00000000-0000-7000-8000-000000000001', time: '2026-01-02T03:04:05.000Z', json: { a: 1 }, blob: 'AQID' }
const OTHERS = { integer: 2, real: 2.5, boolean: false, uuid: '00000000-0000-7000-8000-000000000002', time: '2026-01-03T03:04:05.000Z', json: { a: 2 }, blob: 'BAUG' }

/**
 * A value as a caller would give it.
 *
 * @param {string} type as a file has it
 * @param {boolean} [other] a second one
 */
function sample (type, other = false) {
  if (type.startsWith("'")) {
    const words = type.slice(1, -1).split("'|'")
    return words[other ? words.length - 1 : 0]
  }
  if (type === 'text 10..10') return other ? '2026-01-03' : '2026-01-02'
  const [word] = type.split(' ')
  if (word !== 'text') return (other ? OTHERS : VALUES)[word]
  const most = Number(/\.\.(\d+)/.exec(type)?.[1] ?? 10)
  return (other ? 'other' : 'some').slice(0, most)
}

// As the column has it then, in SQL.
function literal (type, value) {
  if (type === 'blob') return `x'${Buffer.from(value, 'base64').toString('hex')}'`
  if (typeof value === 'object') return `'${JSON.stringify(value)}'`
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(Number(value))
}

/**
 * The inserts of the rows that a row of the table has to refer to, and those of whom they refer to.
 *
 * @param {Table} table
 * @param {(name: string) => Promise<Table>} read
 * @param {string[]} [way] tables that wait for this one
 * @returns {Promise<string[]|null>} null: they refer to each other in a circle
 */
async function parentsOf (table, read, way = [table.name]) {
  const out = []
  for (const { table: name, from, to } of table.foreign) {
    if (!from.every((column) => isNeeded(columnOf(table, column)))) continue
    if (way.some((other) => other.toLowerCase() === name.toLowerCase())) return null
    const parent = await read(name)
    const above = await parentsOf(parent, read, [...way, parent.name])
    if (above === null) return null
    out.push(...above, insertOf(parent, to, from.map((column) => valueOf(columnOf(table, column), table))))
  }
  return [...new Set(out)]
}

const columnOf = (table, name) => table.columns.find((column) => column.name === name)

const isNeeded = (column) => column.notNull && !column.isRowid && column.preset === null && !column.isGenerated

const valueOf = (column, { words }) => {
  const type = paramType(column, words)
  return literal(type.split(' ')[0], sample(type))
}

// `to` has the values that are referred to.
function insertOf (parent, to, values) {
  const pairs = parent.columns.filter((column) => to.some((name) => same(name, column)) || isNeeded(column))
    .map((column) => {
      const at = to.findIndex((name) => same(name, column))
      return [sqlName(column.name), at < 0 ? valueOf(column, parent) : values[at]]
    })
  return `insert into ${sqlName(parent.name)} (${pairs.map(([name]) => name).join(', ')}) values (${pairs.map(([, value]) => value).join(', ')})`
}

const same = (name, column) => name.toLowerCase() === column.name.toLowerCase()

/** Whether what was given comes back as it was. */
const isPlain = (type) => /^(text|integer|real|uuid|')/.test(type)

module.exports = { isPlain, parentsOf, sample }
