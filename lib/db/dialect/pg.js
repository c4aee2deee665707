'use strict'

// PostgreSQL: its catalogue, and what its operators are called.
//
// There is no number of the schema that a statement could carry. A name that is wrong shows as an
// error, after which the schema is read again; what this process changes itself it forgets at once
// (`ownDdl`). What is left is a key that another process has moved to other columns which were
// there before: that is seen once this one reads the table again.

const { UndercroftError } = require('../../base/errors')
const { literal } = require('../copy-rows')
const { quote } = require('./names')

// Of an index or a sequence nothing: its kind is none of these.
const COLUMNS = `
  select n.nspname as schema, c.relname as "table", c.relkind::text as kind, c.oid::int8 as oid,
    pg_relation_is_updatable(c.oid, false) as updatable, a.attname as name, format_type(a.atttypid, -1) as type,
    t.typcategory::text as category, a.attnotnull as "notNull", a.attgenerated <> '' as generated,
    array_position(k.conkey, a.attnum) as pk
  from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.oid = coalesce(
    to_regclass(case when $2::text is null then '' else quote_ident($2) || '.' end || quote_ident($1::text)),
    case when $2::text is null and strpos($1, '.') > 1
      then to_regclass(quote_ident(split_part($1, '.', 1)) || '.' || quote_ident(substr($1, strpos($1, '.') + 1))) end)
  order by a.attnum`

const TABLES = `
  select distinct c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and
    case when $1::text is null then pg_table_is_visible(c.oid) and n.nspname not in ('pg_catalog', 'information_schema')
      else n.nspname = $1 end
  order by name`

// No such table, column or schema; it is a view, or generated; ON CONFLICT has no such key; the type of
// a column is another. All are said before anything has run.
const STALE = new Set(['42P01', '42703', '3F000', '42809', '55000', '428C9', '42P10', '42804', '42883'])

const OPERATORS = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' }

const INSERT = 8

function describe (rows) {
  const [first] = rows
  return {
    print: JSON.stringify(rows),
    name: first.table,
    sql: `${quote(first.schema)}.${quote(first.table)}`,
    isTable: first.kind !== 'v' && first.kind !== 'm',
    writable: first.kind !== 'm' && (Number(first.updatable) & INSERT) !== 0,
    columns: rows.map((row) => ({
      name: row.name,
      sql: quote(row.name),
      select: quote(row.name),
      nullable: !row.notNull,
      generated: row.generated,
      hidden: false,
      type: row.type,
      // Texts of all kinds.
      isText: row.category === 'S',
      isArray: row.category === 'A'
    })),
    primary: rows.filter((row) => row.pk !== null).sort((a, b) => a.pk - b.pk).map((row) => row.name),
    rowid: null,
    version: null,
    guard: null
  }
}

function asText ({ sql, isText }) {
  return isText ? sql : `${sql}::text`
}

module.exports = {
  name: 'postgres',
  columnsOf: (name, schema) => ({ sql: COLUMNS, params: [name, schema ?? null] }),
  tablesOf: (schema) => ({ sql: TABLES, params: [schema ?? null] }),
  describe,
  isStale: (err) => STALE.has(err.sqlstate),
  isOutdated: () => false,
  ownDdl: true,
  nullsFirst: false,
  maxColumns: 1664,

  compare (word, column, p) {
    switch (word) {
      // Letters of either case, and no character that escapes another, as on SQLite.
      case 'like': return `${asText(column)} ilike ${p} escape ''`
      case 'notLike': return `${asText(column)} not ilike ${p} escape ''`
      case 'startsWith': return `${asText(column)} ^@ ${p}`
      case 'glob':
      case 'match':
        throw new UndercroftError('UC_NOT_HERE', `where: the operator "${word}" of column "${column.name}" is not there on PostgreSQL; use ` +
          (word === 'glob' ? 'like or startsWith' : 'the full-text search of SQL'), { column: column.name, outcome: 'not-sent' })
      default: return `${column.sql} ${OPERATORS[word]} ${p}`
    }
  },

  among: ({ sql, type }, p) => `${sql} = any (array(select e::${type} from jsonb_array_elements_text(${p}::text::jsonb) e))`,

  // Which member of a UNION ALL comes first is not promised here: they are put in order once more, of
  // which each has at most as many rows as the page.
  union: ({ from, list, conditions, tail, limit }) => `select ${list} from (` +
    conditions.map((each) => `(select * from ${from} where ${each}${tail}${limit})`).join(' union all ') + `) p${tail}${limit}`,

  // A string for a document goes as it is: it is JSON already.
  document (column, value, fail) {
    if (column.type === 'json' || column.type === 'jsonb') return JSON.stringify(value)
    return column.isArray && Array.isArray(value) ? literal(value, fail) : undefined
  },

  bulk: {
    // A few as an array for each column; its elements may not be arrays themselves, which unnest()
    // would take apart.
    select: (entry, names) => {
      const columns = names.map((name) => entry.columns.get(name))
      if (columns.some((column) => column.isArray)) return null
      return `select * from unnest(${columns.map((column, i) => `?${i + 1}::${column.type}[]`).join(', ')})`
    },
    // From so many rows on by COPY, which there is for tables alone; not under row-level security.
    copyFrom: 1000,
    copies: (entry) => entry.isTable,
    isRefused: (err) => err.sqlstate === '0A000'
  },

  migrations: {
    folder: 'pg',
    isThere: 'select 1 as yes where to_regclass(?) is not null',
    // Locks of tables are waited for a while only: csrc/core/data/pg/migrate.c.
    isOthers: (err) => err.sqlstate === '55P03' && err.message.startsWith('another process migrates'),
    isLocked: (err) => err.sqlstate === '55P03'
  }
}
