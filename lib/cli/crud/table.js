'use strict'
// A table as its routes need it, read from the database itself.

const { instead } = require('../../base/did-you-mean')
const { CommandRefusal } = require('../refusal')

const TABLES = `
  select name, type as kind, strict, wr as "withoutRowid" from pragma_table_list
   where schema = 'main' and name not like 'sqlite\\_%' escape '\\' order by name`

const COLUMNS = `
  select x.cid, x.name, x.type, x."notnull", x.dflt_value as preset, x.pk, x.hidden
    from pragma_table_xinfo(?1, 'main') x order by x.cid`

const FOREIGN_KEYS = `
  select id, seq, "table", "from", "to" from pragma_foreign_key_list(?1, 'main') order by id, seq`

const UNIQUE = `
  select l.name, l.origin, l.partial, i.name as "column" from pragma_index_list(?1, 'main') l, pragma_index_info(l.name, 'main') i
   where l."unique" order by l.seq desc, i.seqno`

const SQL = "select type, sql from main.sqlite_schema where tbl_name = ?1 and type in ('table', 'index', 'trigger') and sql is not null order by type desc, rowid"

// What pragma_table_xinfo says in `hidden`.
const GENERATED = [2, 3]

/**
 * @typedef {{ name: string, type: string, notNull: boolean, preset: string|null, isGenerated: boolean, isRowid: boolean }} Column
 *   preset: the text behind `default`; isRowid: the database gives its values
 * @typedef {{ name: string, columns: Column[], key: Column[], strict: boolean, withoutRowid: boolean,
 *   foreign: { table: string, from: string[], to: string[] }[], unique: string[][], words: Map<string, string[]>,
 *   sql: string[] }} Table
 */

/**
 * @param {object} db
 * @param {string} name in any case
 * @returns {Promise<Table>}
 * @throws {CommandRefusal}
 */
async function readTable (db, name) {
  const tables = await db.all(TABLES)
  const found = tables.find((table) => table.name === name) ?? tables.find((table) => table.name.toLowerCase() === name.toLowerCase())
  if (found === undefined) {
    const names = tables.filter(({ kind }) => kind === 'table').map((table) => table.name)
    throw new CommandRefusal(`there is no table ${name}: ${instead(name, names)}`, names.length > 0 ? null : 'the database has no tables yet: run its migrations first', 'failed')
  }
  if (found.kind !== 'table') {
    throw new CommandRefusal(`${found.name} is a ${found.kind === 'virtual' ? 'virtual table' : found.kind}: routes are written for tables`, `write those of ${found.name} by hand, in the same format`, 'failed')
  }
  return readKnown(db, found, tables.filter(({ kind }) => kind === 'table').map((table) => table.name.toLowerCase()))
}

async function readKnown (db, { name, strict, withoutRowid }, tables) {
  const rows = (await db.all(COLUMNS, [name])).filter(({ hidden }) => hidden !== 1)
  const primary = rows.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
  const unique = group(await db.all(UNIQUE, [name]), 'name')
  // An INTEGER PRIMARY KEY is the rowid, and has no index; every other key has one.
  const isAlias = primary.length === 1 && withoutRowid === 0 && !unique.some(([{ origin }]) => origin === 'pk')
  const columns = rows.map((row) => ({
    name: row.name,
    type: row.type,
    notNull: row.notnull === 1 || (row.pk > 0 && (withoutRowid === 1 || isAlias)),
    preset: row.preset,
    isGenerated: GENERATED.includes(row.hidden),
    isRowid: isAlias && row.pk > 0
  }))
  const sql = (await db.all(SQL, [name])).map((row) => row.sql)
  return {
    name,
    columns,
    key: primary.map((row) => columns.find((column) => column.name === row.name)),
    strict: strict === 1,
    withoutRowid: withoutRowid === 1,
    foreign: await readForeign(db, name, columns, tables),
    // An index on an expression has a column without a name.
    unique: unique.filter(([{ origin, partial }]) => origin !== 'pk' && partial === 0).map((index) => index.map(({ column }) => column)).filter((names) => !names.includes(null)),
    words: wordsOf(sql[0], columns),
    sql
  }
}

async function readForeign (db, name, columns, tables) {
  const real = (column) => columns.find((each) => each.name.toLowerCase() === column.toLowerCase())?.name ?? column
  const out = []
  for (const rows of group(await db.all(FOREIGN_KEYS, [name]), 'id')) {
    const [{ table, from }] = rows
    // SQLite compiles no write to a table that refers to nothing.
    if (!tables.includes(table.toLowerCase())) {
      throw new CommandRefusal(`${name}.${real(from)} refers to ${table}, which is no table: nothing can be written to ${name}`, `make ${table} in a migration first`, 'failed')
    }
    // Without columns it refers to the key of that table.
    const to = rows[0].to === null ? await primaryOf(db, table) : rows.map((row) => row.to)
    if (to.length === rows.length) out.push({ table, from: rows.map((row) => real(row.from)), to })
  }
  return out
}

async function primaryOf (db, table) {
  const rows = await db.all(COLUMNS, [table])
  return rows.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk).map(({ name }) => name)
}

// Rows of one thing, which follow each other or not.
function group (rows, by) {
  const groups = new Map()
  for (const row of rows) groups.set(row[by], [...groups.get(row[by]) ?? [], row])
  return [...groups.values()]
}

// check (status in ('new', 'paid')): the one form of a check that is read.
function wordsOf (sql, columns) {
  const found = new Map()
  for (const [, quoted, plain, list] of sql.matchAll(/\bcheck\s*\(\s*(?:"([^"]+)"|(\w+))\s+in\s*\(((?:\s*'[^']*'\s*,?)+)\)\s*\)/gi)) {
    const column = columns.find(({ name }) => name.toLowerCase() === (quoted ?? plain).toLowerCase())
    const words = [...list.matchAll(/'([^']*)'/g)].map(([, word]) => word)
    if (column !== undefined && words.every((word) => word !== '' && Buffer.byteLength(word) <= 64)) found.set(column.name, words)
  }
  return found
}

module.exports = { readTable }
