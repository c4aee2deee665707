'use strict'

// SQLite: the rowid, pragmas as tables, and the number of the schema, which statements carry that
// depend on a table's key: the core refuses them once the schema has another
// (csrc/core/data/sqlite/cookie.c).

const { quote } = require('./names')

const COLUMNS = `
  select l.schema, l.name as "table", l.type as kind, l.wr, x.name, x.type, x."notnull", x.pk, x.hidden,
    exists (select 1 from pragma_index_list(l.name, l.schema) i where i.origin = 'pk') as "pkIndex",
    undercroft_schema(l.schema) as version
  from pragma_table_list(?1) l, pragma_table_xinfo(l.name, l.schema) x
  where l.name = ?1 collate nocase and (?2 is null or l.schema = ?2 collate nocase)
  order by l.schema <> 'temp', l.schema <> 'main', l.schema, x.cid`

const TABLES = `
  select distinct name from pragma_table_list
  where type <> 'shadow' and name not like 'sqlite\\_%' escape '\\' and (?1 is null or schema = ?1 collate nocase)
  order by name`

// What pragma_table_xinfo says in `hidden`.
const VIRTUAL = 2
const STORED = 3

const ROWID_NAMES = ['rowid', '_rowid_', 'oid']

// Where the engine says it, it failed to compile the statement, or has found before the first row
// that the schema is another: nothing has run, and it may be tried again.
const STALE = /no such (?:table|column|view)|has no column|because it is a view|generated column|schema has changed since it was read|ON CONFLICT clause does not match/
const OUTDATED = 'the schema has changed since it was read'

const OPERATORS = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=', like: 'like', notLike: 'not like', glob: 'glob', match: 'match' }

// Greater than every text that starts with what stands before it.
const LAST = '\u{10FFFF}\u{10FFFF}'

function describe (found) {
  const [first] = found
  const rows = found.filter((row) => row.schema === first.schema)
  const isTable = first.kind !== 'view'
  const columns = rows.map((row) => ({
    name: row.name,
    sql: quote(row.name),
    select: quote(row.name),
    // A WITHOUT ROWID table's key and a rowid alias are never null, whatever was declared.
    nullable: row.notnull === 0 && !(row.pk > 0 && (row.wr === 1 || row.pkIndex === 0)),
    generated: row.hidden === VIRTUAL || row.hidden === STORED,
    hidden: row.hidden === 1
  }))
  const guardSql = `undercroft_schema('${first.schema.replaceAll("'", "''")}', `
  return {
    print: JSON.stringify(rows.map(({ version, ...row }) => row)),
    name: first.table,
    sql: `${quote(first.schema)}.${quote(first.table)}`,
    writable: isTable,
    columns,
    primary: rows.filter((row) => row.pk > 0).sort((a, b) => a.pk - b.pk).map((row) => row.name),
    rowid: isTable && first.wr === 0 ? rowidOf(columns) : null,
    version: first.version,
    guard: (p) => `${guardSql}${p})`
  }
}

// rowid is a column too, unless another one has taken its name.
function rowidOf (columns) {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()))
  const free = ROWID_NAMES.find((name) => !taken.has(name))
  if (free === undefined) return null
  const sql = quote(free)
  // Named in every result: SQLite would call it by the name of the column it stands for.
  return { name: free, sql, select: `${sql} as ${sql}`, nullable: false, generated: false, hidden: true, rowid: true }
}

module.exports = {
  name: 'sqlite',
  columnsOf: (name, schema) => ({ sql: COLUMNS, params: [name, schema ?? null] }),
  tablesOf: (schema) => ({ sql: TABLES, params: [schema ?? null] }),
  describe,
  isStale: (err) => (err.code === 'SQLITE_ERROR' || err.code === 'SQLITE_SCHEMA') && STALE.test(err.message),
  isOutdated: (err) => err.message.startsWith(OUTDATED),
  ownDdl: false,
  nullsFirst: true,
  maxColumns: 2000,

  compare (word, { sql }, p) {
    // A range, which an index serves; `like` is one only in special cases.
    if (word === 'startsWith') return `${sql} between ${p} and ${p} || '${LAST}'`
    return `${sql} ${OPERATORS[word]} ${p}`
  },

  among: ({ sql }, p) => `${sql} in (select value from json_each(${p}))`,

  // SQLite runs the members of a UNION ALL one after another and stops at the outer LIMIT; the
  // standard does not promise that order, but the engine is the one compiled into this package, and
  // the tests hold it to it.
  union: ({ from, list, conditions, tail, limit }) =>
    conditions.map((each) => `select * from (select ${list} from ${from} where ${each}${tail}${limit})`).join(' union all ') + limit,

  document: () => undefined,

  bulk: null,

  migrations: {
    folder: null,
    isThere: "select 1 as yes from sqlite_schema where type = 'table' and name = ?",
    isLocked: () => false,
    isOthers: () => false
  }
}
