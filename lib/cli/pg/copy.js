'use strict'
// A database of one server to another: the schema by pg_dump and psql, the rows by COPY.
//
//   tables ──> rows, several tables at once ──> sequences ──> indexes, keys, triggers ──> counts
//
// Whatever is interrupted goes on: a schema that is there is left alone, and so is a table with as many
// rows as that which it is copied from; another one is emptied and copied again. Each table is copied at a
// moment of its own, and equal counts are not equal rows: the source has to be at rest, across all runs.

const { open } = require('../../store')
const { CommandRefusal } = require('../refusal')
const { find, run } = require('./programs')

// A COPY is one transaction, and a large table takes its time.
const HOUR_MS = 3600_000

const TABLES = `
  select c.oid::int8 as oid, n.nspname as schema, c.relname as name, pg_table_size(c.oid) as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
     and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
   order by 4 desc, 2, 3`

const COLUMNS = "select attname as name from pg_attribute where attrelid = (?::int8)::oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum"

const SEQUENCES = `
  select schemaname as schema, sequencename as name, last_value::text as value from pg_sequences
   where schemaname !~ '^pg_' and last_value is not null order by 1, 2`

const quote = name => `"${name.replaceAll('"', '""')}"`
const nameOf = ({ schema, name }) => `${quote(schema)}.${quote(name)}`

/**
 * @param {string} from address
 * @param {string} to address
 * @param {{ jobs: number, say: Function }} options
 * @returns {Promise<{ tables: { name: string, rows: number, copied: boolean }[], rows: number, sequences: number }>}
 */
async function copyDatabase (from, to, { jobs, say }) {
  // Before anything is written.
  find('pg_dump')
  find('psql')
  const options = { log: false, transactionTimeoutMs: HOUR_MS, timeoutMs: 0, poolMax: Math.max(10, jobs + 3) }
  const [source, target] = [open(from, options), open(to, options)]
  try {
    const tables = await source.db.all(TABLES)
    await makeSchema(from, to, target.db, tables, say)
    const done = await copyAll(source.db, target.db, tables, { jobs, say })
    const sequences = await copySequences(source.db, target.db)
    await finishSchema(from, to, source.db, target.db, say)
    await compareCounts(source.db, target.db, tables)
    return { tables: done, rows: done.reduce((sum, { rows }) => sum + rows, 0), sequences }
  } finally {
    await Promise.all([source.close(), target.close()])
  }
}

const RESTORE = ['-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', '-']
const DUMP = ['--schema-only', '--no-owner', '--no-privileges', '--no-publications', '--no-subscriptions']

async function makeSchema (from, to, db, tables, say) {
  const there = new Set((await db.all(TABLES)).map(nameOf))
  const missing = tables.filter(table => !there.has(nameOf(table)))
  if (missing.length === 0) return
  if (there.size > 0) {
    throw new CommandRefusal(`the target has ${there.size} tables, and ${missing.length} of the source's are not among them: ${missing.slice(0, 5).map(nameOf).join(', ')}`,
      'copy to an empty database', 'failed')
  }
  say('the schema')
  await run('psql', to, RESTORE, await run('pg_dump', from, [...DUMP, '--section=pre-data']))
}

// Others of pg_dump's post-data, where the source has no index to go by.
const OTHERS = `
  select (select count(*) from pg_trigger where not tgisinternal)
    + (select count(*) from pg_rules where schemaname !~ '^pg_')
    + (select count(*) from pg_policies)
    + (select count(*) from pg_statistic_ext) as n`

// Indexes, keys and triggers come last: rows are faster without them, and in any order. All of them or none.
async function finishSchema (from, to, source, target, say) {
  const indexes = "select count(*) as n from pg_indexes where schemaname !~ '^pg_'"
  const [wanted, there] = await Promise.all([source, target].map(async db => (await db.get(indexes)).n))
  if (there > 0 && there >= wanted) return
  if (wanted === 0 && (await target.get(OTHERS)).n > 0) return
  say('indexes, keys, triggers')
  await run('psql', to, RESTORE, await run('pg_dump', from, [...DUMP, '--section=post-data']))
}

async function copyAll (source, target, tables, { jobs, say }) {
  const done = []
  const left = tables.slice()
  let failed = null
  const worker = async () => {
    while (left.length > 0 && failed === null) {
      const table = left.shift()
      try {
        const result = await copyTable(source, target, table)
        done.push(result)
        say(`${done.length} of ${tables.length}  ${result.name}  ${result.rows.toLocaleString('en')} rows${result.copied ? '' : ', there already'}`)
      } catch (err) {
        failed ??= err
      }
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  if (failed !== null) throw failed
  return done.sort((a, b) => a.name < b.name ? -1 : 1)
}

const countOf = async (db, table) => (await db.get(`select count(*) as n from only ${nameOf(table)}`)).n

async function copyTable (source, target, table) {
  const name = nameOf(table)
  const [wanted, there] = await Promise.all([countOf(source, table), countOf(target, table)])
  if (wanted === there) return { name, rows: wanted, copied: false }
  const columns = (await source.all(COLUMNS, [table.oid])).map(row => quote(row.name))
  const list = columns.length === 0 ? '' : `(${columns.join(', ')})`
  // Both in one transaction: who looks meanwhile sees the table as it was.
  const { changes } = await target.transaction(async tx => {
    if (there > 0) await tx.run(`delete from only ${name}`)
    return tx.copyFrom(`${name}${list}`, source.copyTo(`${name}${list}`, { format: 'binary' }), { format: 'binary' })
  })
  return { name, rows: changes, copied: true }
}

async function copySequences (source, target) {
  const sequences = await source.all(SEQUENCES)
  for (const sequence of sequences) await target.get('select setval(?::regclass, ?::int8)', [nameOf(sequence), sequence.value])
  return sequences.length
}

async function compareCounts (source, target, tables) {
  for (const table of tables) {
    const [wanted, there] = await Promise.all([countOf(source, table), countOf(target, table)])
    if (wanted !== there) {
      throw new CommandRefusal(`${nameOf(table)} has ${wanted} rows there and ${there} here`,
        'something writes to the source: stop it, then run this again, which copies what differs', 'failed')
    }
  }
}

module.exports = { copyDatabase }
