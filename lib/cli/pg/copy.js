'use strict'
// A database of one server to another: the schema by pg_dump and psql, the rows by COPY, all of one moment.
//
//   moment ──> schema ──> rows, several tables at once ──> sequences ──> indexes, keys, triggers ──> counts
//
// One transaction of the source exports its snapshot and stays open; pg_dump and each table's COPY read that snapshot.
// The target notes what it has, in the schema undercroft_copy, which goes at the end. Each note commits with what it is
// about, so that a kill at any point leaves no doubt. A copy that was interrupted trusts its notes only where the source is as it was,
// which the transactions that the snapshot sees tell; otherwise all rows are copied again.

const { createHash, randomUUID } = require('node:crypto')
const { open } = require('../../store')
const { CommandRefusal } = require('../refusal')
const { find, hold, run } = require('./programs')

// A COPY is one transaction, and a large table takes its time.
const HOUR_MS = 3600_000
// How often a table that takes long says how far it is.
const PROGRESS_MS = 10_000

const TABLES = `
  select c.oid::int8 as oid, n.nspname as schema, c.relname as name, pg_table_size(c.oid) as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'undercroft_copy')
     and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
   order by 4 desc, 2, 3`

const COLUMNS = "select attname as name from pg_attribute where attrelid = (?::int8)::oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum"

const SEQUENCES = `
  select schemaname as schema, sequencename as name, last_value::text as value from pg_sequences
   where schemaname !~ '^pg_' order by 1, 2`

// Of the source as it runs: numbers of transactions mean nothing beyond it.
const CLUSTER = `
  select concat_ws('/', (pg_control_system()).system_identifier, (pg_control_checkpoint()).timeline_id,
    extract(epoch from pg_postmaster_start_time()), (select oid from pg_database where datname = current_database())) as id`

const NOTES = `
  create schema undercroft_copy;
  create table undercroft_copy.copy(moment text not null, schema_hash text not null, finished boolean not null default false);
  create table undercroft_copy.tables(name text primary key, rows int8 not null);`

const quote = name => `"${name.replaceAll('"', '""')}"`
const nameOf = ({ schema, name }) => `${quote(schema)}.${quote(name)}`
const literal = text => `'${text.replaceAll("'", "''")}'`

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
    return await atOneMoment(from, source.db, async moment => {
      const schema = await readSchema(from, moment)
      const done = await makeSchema(to, target.db, moment, schema, say)
      const tables = await copyAll(source.db, target.db, moment, done, { jobs, say })
      const sequences = await copySequences(source.db, target.db)
      await finishSchema(to, target.db, moment, schema, say)
      await compareCounts(target.db, tables)
      await target.db.exec('drop schema undercroft_copy cascade')
      return { tables, rows: tables.reduce((sum, { rows }) => sum + rows, 0), sequences }
    })
  } finally {
    await Promise.all([source.close(), target.close()])
  }
}

// ---- the moment ----

// By psql, since it may stay for longer than a transaction of a store. It ends with this process, however that ends.
const HOLD = `
  set idle_in_transaction_session_timeout = 0;
  begin isolation level repeatable read, read only;
  select txid_current_snapshot() || ' ' || pg_export_snapshot();
`

// Runs `work({ snapshot, id, tables })` while the source keeps that snapshot.
async function atOneMoment (from, db, work) {
  // Where the source does not tell which cluster it is, no later run can know the moment again.
  const cluster = await db.get(CLUSTER).then(({ id }) => id, () => randomUUID())
  const { line, end } = await hold('psql', from, ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'], HOLD)
  try {
    const [seen, snapshot] = line.split(' ')
    const tables = await withMoment(db, { snapshot }, tx => tx.all(TABLES))
    return await work({ snapshot, id: `${cluster}/${seen}`, tables })
  } finally {
    await end()
  }
}

// invalid_parameter_value, object_not_in_prerequisite_state, undefined_object, feature_not_supported
const NO_SNAPSHOT = ['22023', '55000', '42704', '0A000']

const noMoment = err => !NO_SNAPSHOT.includes(err.sqlstate)
  ? err
  : new CommandRefusal(`the source does not give several connections one moment: ${err.message}`,
    'a pooler that spreads connections over several servers cannot: name the server itself in --from', 'failed')

function withMoment (db, { snapshot }, work) {
  return db.transaction(async tx => {
    await tx.exec(`set transaction snapshot ${literal(snapshot)}`).catch(err => { throw noMoment(err) })
    // Rows that a policy hides are an error then, and not left out.
    await tx.exec('set local row_security = off')
    return work(tx)
  }, { isolation: 'repeatable read' })
}

// ---- the schema ----

const RESTORE = ['-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', '-']
const DUMP = ['--schema-only', '--no-owner', '--no-privileges', '--no-publications', '--no-subscriptions', '--exclude-schema=undercroft_copy']

async function readSchema (from, { snapshot }) {
  const dump = section => run('pg_dump', from, [...DUMP, `--snapshot=${snapshot}`, `--section=${section}`])
  const [before, after] = [await dump('pre-data'), await dump('post-data')]
  // Newer versions of pg_dump write a random word with each dump.
  const text = (before + after).replace(/^\\(un)?restrict .*$/gm, '')
  return { before, after, hash: createHash('sha256').update(text).digest('hex') }
}

// -> the tables that are there, name to rows
async function makeSchema (to, db, moment, { before, hash }, say) {
  const { isNoted } = await db.get("select to_regclass('undercroft_copy.copy') is not null as \"isNoted\"")
  if (!isNoted) {
    const there = await db.all(TABLES)
    if (there.length > 0) {
      throw new CommandRefusal(`the target has ${there.length} tables, and no copy was begun there: ${there.slice(0, 5).map(nameOf).join(', ')}`,
        'copy to an empty database', 'failed')
    }
    say('the schema')
    await run('psql', to, RESTORE, `${before}\n${NOTES}\ninsert into undercroft_copy.copy values (${literal(moment.id)}, ${literal(hash)});\n`)
    return new Map()
  }
  return db.transaction(async tx => {
    const noted = await tx.get('select moment, schema_hash as hash, finished from undercroft_copy.copy for update')
    if (noted.moment === moment.id && noted.hash === hash) {
      return new Map((await tx.all('select name, rows from undercroft_copy.tables')).map(({ name, rows }) => [name, rows]))
    }
    if (noted.finished) throw new CommandRefusal('the target has a whole copy, and the source has changed since', 'take it as it is, and drop the schema undercroft_copy there; or copy to an empty database', 'failed')
    if (noted.hash !== hash) throw new CommandRefusal('the target has a part of a copy, and the schema of the source has changed since', 'copy to an empty database', 'failed')
    say('the source has changed since the copy was interrupted: all rows are copied again')
    if (moment.tables.length > 0) await tx.exec(`truncate only ${moment.tables.map(nameOf).join(', only ')}`)
    await tx.exec('delete from undercroft_copy.tables')
    await tx.run('update undercroft_copy.copy set moment = ?', [moment.id])
    return new Map()
  })
}

// Indexes, keys and triggers come last: rows are faster without them, and in any order. All of them with their note, or none.
async function finishSchema (to, db, moment, { after }, say) {
  const { finished } = await db.get('select finished from undercroft_copy.copy')
  if (finished) return
  say('indexes, keys, triggers')
  await run('psql', to, RESTORE, `${mine(moment, 'update')}\n${after}\nupdate undercroft_copy.copy set finished = true;\n`)
}

// Another run of the command may have begun the copy again, from a moment of its own.
const mine = (moment, lock) => `
  do $undercroft$ begin
    perform 1 from undercroft_copy.copy where moment = ${literal(moment.id)} and not finished for ${lock};
    if not found then raise exception 'another pg copy to this database has taken over'; end if;
  end $undercroft$;`

// ---- the rows ----

async function copyAll (source, target, moment, there, { jobs, say }) {
  const { tables } = moment
  const done = []
  const left = tables.slice()
  let failed = null
  const worker = async () => {
    while (left.length > 0 && failed === null) {
      const table = left.shift()
      const name = nameOf(table)
      try {
        const result = there.has(name)
          ? { name, rows: there.get(name), copied: false }
          : { name, rows: await copyTable(source, target, moment, table, say), copied: true }
        done.push(result)
        say(`${done.length} of ${tables.length}  ${name}  ${result.rows.toLocaleString('en')} rows${result.copied ? '' : ', there already'}`)
      } catch (err) {
        failed ??= err
      }
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  if (failed !== null) throw failed
  return done.sort((a, b) => a.name < b.name ? -1 : 1)
}

// -> rows
function copyTable (source, target, moment, table, say) {
  const name = nameOf(table)
  return withMoment(source, moment, async from => {
    const columns = (await from.all(COLUMNS, [table.oid])).map(row => quote(row.name))
    const list = columns.length === 0 ? '' : `(${columns.join(', ')})`
    // The rows and their note in one transaction.
    const changes = await target.transaction(async tx => {
      await tx.exec(mine(moment, 'share'))
      const bytes = told(from.copyTo(`${name}${list}`, { format: 'binary' }), table, say)
      const { changes } = await tx.copyFrom(`${name}${list}`, bytes, { format: 'binary' })
      await tx.run('insert into undercroft_copy.tables values (?, ?)', [name, changes])
      return changes
    })
    const { n } = await from.get(`select count(*) as n from only ${name}`)
    if (n !== changes) throw new CommandRefusal(`${name} has ${n} rows there, and ${changes} were copied`, null, 'failed')
    return changes
  })
}

async function * told (stream, table, say) {
  let [bytes, last] = [0, Date.now()]
  const mb = n => Math.round(n / 1e6).toLocaleString('en')
  for await (const chunk of stream) {
    bytes += chunk.length
    if (Date.now() - last > PROGRESS_MS) {
      last = Date.now()
      say(`${nameOf(table)}  ${mb(bytes)} MB; on the source's disk it has ${mb(table.bytes)} MB`)
    }
    yield chunk
  }
}

// After the rows: a sequence goes on without regard to transactions, and is behind no row then.
async function copySequences (source, target) {
  const there = new Set((await target.all(SEQUENCES)).map(nameOf))
  const sequences = (await source.all(SEQUENCES)).filter(sequence => sequence.value !== null && there.has(nameOf(sequence)))
  for (const sequence of sequences) await target.get('select setval(?::regclass, ?::int8)', [nameOf(sequence), sequence.value])
  return sequences.length
}

async function compareCounts (target, tables) {
  for (const { name, rows } of tables) {
    const { n } = await target.get(`select count(*) as n from only ${name}`)
    if (n !== rows) throw new CommandRefusal(`${name} got ${rows} rows and has ${n}: something else writes to the target`, 'stop it, and copy to an empty database', 'failed')
  }
}

module.exports = { copyDatabase }
