'use strict'
// npx undercroft copy app.db postgres://…: a SQLite database into a PostgreSQL one.

const fs = require('node:fs')
const { isAddress, shown } = require('../../base/address')
const { open } = require('../../store')
const { quote, translate } = require('../pg/translate')
const { CommandRefusal, refusing } = require('../refusal')

const help = `
Copies the tables of a SQLite database to an empty PostgreSQL database: the schema translated, the rows
by COPY, then indexes and foreign keys. Types are those of the values: a column that holds others than it
was declared for becomes text, and that is said. So is what cannot be translated: CHECKs, triggers,
views, expressions. The rows of both are counted and compared. Others may use the file meanwhile: all
tables are copied as they are when it begins.

  npx undercroft copy app.db postgres://app@db/shop
  npx undercroft copy app.db postgres://app@db/shop --plan     what would be made, as SQL
`

const HOUR_MS = 3600_000

const TABLES = `
  select l.name, l.wr as "withoutRowid", l.type as kind, s.sql from pragma_table_list l join main.sqlite_schema s on s.name = l.name
   where l.schema = 'main' and l.type in ('table', 'virtual') and l.name not like 'sqlite\\_%' escape '\\' and l.name not like 'undercroft\\_%' escape '\\' order by l.name`
const OTHERS = "select type, name from main.sqlite_schema where type in ('view', 'trigger') order by type, name"

function run (ctx) {
  return refusing(ctx, async () => {
    const { values, positionals, say, print, exitCodes } = ctx
    const { from, to } = readPlaces(positionals)
    const source = open(from, { create: false, log: false, integers: 'auto', transactionTimeoutMs: HOUR_MS, timeoutMs: 0 })
    try {
      // What others write meanwhile is not seen: all tables are of one moment.
      return await source.db.snapshot(async moment => {
        const { tables, notes } = await read(moment)
        if (values.plan) {
          const sql = [...tables.map(({ create }) => create), ...tables.flatMap(({ after }) => after), ...tables.flatMap(({ foreign }) => foreign)]
          print({ sql, notes }, [...notes.map(note => `-- ${note}`), ...sql.map(text => `${text};`)].join('\n'))
          return exitCodes.ok
        }
        for (const note of notes) say(note)
        const counts = await write(moment, to, tables, say)
        const rows = counts.reduce((sum, { rows }) => sum + rows, 0)
        print({ tables: counts, rows, notes }, `${rows.toLocaleString('en')} rows of ${counts.length} tables: the counts agree`)
        return exitCodes.ok
      })
    } finally {
      await source.close()
    }
  })
}

function readPlaces ([from, to, ...others]) {
  if (from === undefined || to === undefined) throw new CommandRefusal('copy: from where to where?', 'npx undercroft copy app.db postgres://app@db/shop')
  if (others.length > 0) throw new CommandRefusal(`copy: there is a word too many: '${others[0]}'`)
  if (isAddress(from)) throw new CommandRefusal('copy takes a file of SQLite, and this is a server\'s database', 'npx undercroft pg copy --from … --to …')
  if (!isAddress(to)) throw new CommandRefusal(`the target is the address of a PostgreSQL database, postgres://…, not '${to}'`)
  if (!fs.existsSync(from)) throw new CommandRefusal(`there is no file ${from}`, null, 'failed')
  return { from, to }
}

async function read (db) {
  const found = await db.all(TABLES)
  const notes = (await db.all(OTHERS)).map(({ type, name }) => `the ${type} ${name} is left out: write it again`)
  const tables = []
  for (const table of found) {
    if (table.kind === 'virtual') {
      notes.push(`the virtual table ${table.name} is left out`)
      continue
    }
    const made = await translate(db, { ...table, withoutRowid: table.withoutRowid === 1 })
    notes.push(...made.notes)
    tables.push(made)
  }
  if (tables.length === 0) throw new CommandRefusal('the database has no tables', null, 'failed')
  return { tables, notes }
}

// All or nothing: one transaction, which nobody sees before it is complete.
async function write (source, to, tables, say) {
  const target = open(to, { log: false, transactionTimeoutMs: HOUR_MS, timeoutMs: 0 })
  try {
    const there = await target.db.all('select tablename as name from pg_tables where schemaname = current_schema() and tablename = any(string_to_array(?, chr(10)))', [tables.map(({ name }) => name).join('\n')])
    if (there.length > 0) {
      throw new CommandRefusal(`${shown(to)} has tables of these names already: ${there.map(({ name }) => name).slice(0, 5).join(', ')}`, 'copy to an empty database', 'failed')
    }
    return await target.db.transaction(async tx => {
      const counts = []
      for (const { create } of tables) await tx.run(create)
      for (const table of tables) {
        counts.push(await copyTable(source, tx, table))
        say(`${counts.length} of ${tables.length}  ${table.name}  ${counts.at(-1).rows.toLocaleString('en')} rows`)
      }
      for (const { after } of tables) for (const sql of after) await tx.get(sql).catch(err => { if (err.code !== 'UC_SQL_NO_ROWS') throw err; return tx.run(sql) })
      for (const { foreign } of tables) for (const sql of foreign) await tx.run(sql)
      return counts
    })
  } finally {
    await target.close()
  }
}

async function copyTable (source, tx, { name, columns }) {
  const list = columns.map(column => quote(column.name)).join(', ')
  const values = columns.map(column => column.value)
  const rows = async function * () {
    for await (const row of source.iterate(`select ${list} from ${quote(name)}`)) yield Object.values(row).map((value, i) => values[i](value))
  }
  await tx.copyFrom(`${quote(name)}(${list})`, rows())
  const count = `select count(*) as n from ${quote(name)}`
  const [{ n: wanted }, { n: there }] = [await source.get(count), await tx.get(count)]
  if (Number(wanted) !== Number(there)) throw new CommandRefusal(`${name} has ${wanted} rows in the file and ${there} on the server`, 'report this: nothing was copied', 'failed')
  return { name, rows: Number(there) }
}

module.exports = {
  name: 'copy',
  summary: 'a SQLite database into a PostgreSQL one',
  usage: 'copy app.db postgres://app@db/shop [--plan]',
  help,
  options: { plan: { type: 'boolean', help: 'the SQL that would be run, and what is left out' } },
  positionals: true,
  run
}
