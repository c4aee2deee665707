'use strict'
// Partitions of a table by time: those to come are made, those that have had their time go.
//
//   what the server has ──> plan: steps, each a transaction or one statement ──> run them, or show them
//
// A plain table becomes the first partition of a new one that takes its name. Its rows stay where they are.

const { CommandRefusal } = require('../refusal')
const { before, floor, nameOf, next } = require('./span')

// Behind one who waits for a table all others wait as well: so it waits for moments, and tries again.
const LOCK_MS = 2000
const TRIES = 10
const RETRY_MS = 500

const TYPES = { 'timestamp with time zone': 'timestamptz', 'timestamp without time zone': 'timestamp', date: 'date' }

const quote = name => `"${name.replaceAll('"', '""')}"`
const literal = text => `'${text.replaceAll("'", "''")}'`
const full = (schema, name) => `${quote(schema)}.${quote(name)}`

const refuse = (cause, remedy) => { throw new CommandRefusal(cause, remedy, 'failed') }

// ---- what is there ----

const TABLE = `
  select c.oid::int8 as oid, n.nspname as schema, c.relname as name, c.relkind::text as kind, c.relowner::regrole::text as owner,
         pg_get_partkeydef(c.oid) as key,
         floor(extract(epoch from now()) * 1000)::int8 as now, current_setting('server_version_num')::int >= 140000 as concurrently
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass(?)`

const COLUMN = `
  select format_type(atttypid, atttypmod) as type, attnotnull as "notNull"
    from pg_attribute where attrelid = (?::int8)::oid and attname = ? and attnum > 0 and not attisdropped`

const PARTITIONS = `
  select n.nspname as schema, c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound,
         coalesce((to_jsonb(i) ->> 'inhdetachpending')::bool, false) as pending
    from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace
   where i.inhparent = (?::int8)::oid order by c.relname`

// What would not follow a plain table that becomes a partition; each says what it is.
const OBSTACLES = `
  select 'the key or unique index ' || i.indexrelid::regclass || ' does not contain ' || quote_ident(a.attname) as what, 'make it contain the column first' as remedy
    from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attname = $2
   where i.indrelid = ($1::int8)::oid and i.indisunique and not a.attnum = any(i.indkey::int2[])
  union all
  select 'the foreign key ' || quote_ident(conname) || ' of ' || conrelid::regclass || ' refers to it', 'drop that first: it needs a key without the column'
    from pg_constraint where contype = 'f' and confrelid = ($1::int8)::oid
  union all
  select 'it has the trigger ' || quote_ident(tgname), 'drop it, and create it again afterwards' from pg_trigger where tgrelid = ($1::int8)::oid and not tgisinternal
  union all
  select 'it has the rule ' || quote_ident(rulename), 'drop it first' from pg_rewrite where ev_class = ($1::int8)::oid and rulename <> '_RETURN'
  union all
  select distinct 'the view ' || r.ev_class::regclass || ' reads it', 'drop the view, and create it again afterwards'
    from pg_depend d join pg_rewrite r on r.oid = d.objid
   where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = ($1::int8)::oid and r.ev_class <> ($1::int8)::oid
  union all
  select 'it has the policy ' || quote_ident(polname), 'drop it, and create it again afterwards' from pg_policy where polrelid = ($1::int8)::oid
  union all
  select 'row security is switched on', 'switch it off, and on again afterwards' from pg_class where oid = ($1::int8)::oid and relrowsecurity
  union all
  select 'the publication ' || quote_ident(p.pubname) || ' names it', 'take it out, and put it back afterwards'
    from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where r.prrelid = ($1::int8)::oid
  union all
  select 'it inherits, or others inherit from it', 'only a table of its own can be divided'
    from (select from pg_inherits where inhrelid = ($1::int8)::oid or inhparent = ($1::int8)::oid limit 1) i`

const IDENTITIES = `
  select attname as name, pg_get_serial_sequence(attrelid::regclass::text, attname) as sequence
    from pg_attribute where attrelid = (?::int8)::oid and attidentity <> '' and not attisdropped`

const SERIALS = `
  select d.objid::regclass::text as sequence, a.attname as "column"
    from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S' join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
   where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = (?::int8)::oid and d.deptype = 'a'`

const GRANTS = `
  select case when x.grantee = 0 then 'public' else x.grantee::regrole::text end as grantee, x.privilege_type as privilege, x.is_grantable as more
    from pg_class c, aclexplode(c.relacl) x where c.oid = (?::int8)::oid and x.grantee <> c.relowner`

const FOREIGN = "select conname as name, pg_get_constraintdef(oid) as text from pg_constraint where contype = 'f' and conrelid = (?::int8)::oid order by 1"

/** The table as it is, or a refusal that says what is missing. */
async function look (db, table, column) {
  const found = await db.get(TABLE, [table])
  if (found === undefined) {
    refuse(`there is no table ${table}`, `create it: create table ${table}(…, ${column} timestamptz not null) partition by range (${column})`)
  }
  if (found.kind !== 'r' && found.kind !== 'p') refuse(`${table} is no table`, 'partitions are of tables')
  const at = await db.get(COLUMN, [found.oid, column])
  if (at === undefined) refuse(`${table} has no column ${column}`, 'name the column of time: --by created_at')
  const type = TYPES[at.type.replace(/\(\d\)/, '')]
  if (type === undefined) refuse(`${table}.${column} is ${at.type}`, 'partitions by time want timestamptz, timestamp or date')
  if (found.kind === 'p' && found.key.toLowerCase() !== `range (${quoteIdent(column)})`.toLowerCase()) {
    refuse(`${table} is divided by ${found.key}`, `this command keeps tables that are divided by range (${column})`)
  }
  if ((await db.get("select to_regclass('partman.part_config') is not null as there")).there &&
    await db.get('select from partman.part_config where parent_table = ?', [`${found.schema}.${found.name}`]) !== undefined) {
    refuse(`pg_partman keeps the partitions of ${table}`, 'set premake and retention in partman.part_config, and have partman.run_maintenance run')
  }
  const partitions = found.kind === 'p' ? (await db.all(PARTITIONS, [found.oid])).map(row => ({ ...row, ...boundsOf(row.bound) })) : []
  return { ...found, column, type, notNull: at.notNull, partitions }
}

// As pg_get_partkeydef writes it.
const quoteIdent = name => /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quote(name)

// "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO (MAXVALUE)", of a session in UTC -> { from, to } in ms, null: without an end
function boundsOf (bound) {
  if (bound === 'DEFAULT') return { isDefault: true, from: null, to: null }
  const [, from, to] = /^FOR VALUES FROM \((.*)\) TO \((.*)\)$/.exec(bound) ?? []
  const at = text => {
    if (/^(MINVALUE|MAXVALUE)$/.test(text)) return null
    const [, day, time = '00:00:00'] = /^'(\d{4,}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d+)?))?(?:\+00)?'$/.exec(text) ?? refuse(`a bound of a partition is not understood: ${bound}`)
    return Date.parse(`${day}T${time}Z`)
  }
  if (from === undefined) refuse(`a bound of a partition is not understood: ${bound}`)
  return { isDefault: false, from: at(from), to: at(to) }
}

// ---- the plan ----

const dayOf = ms => new Date(ms).toISOString().slice(0, 10)
// Periods begin at midnight, UTC.
const bound = (ms, type) => literal(type === 'date' ? dayOf(ms) : `${dayOf(ms)} 00:00:00${type === 'timestamptz' ? '+00' : ''}`)
const fitting = (name) => {
  if (Buffer.byteLength(name) > 63) refuse(`a partition would be called ${name}, and a name has 63 bytes at most`, 'give the table a shorter name')
  return name
}

/**
 * The steps that bring a table to what is wanted, in order.
 *
 * @param {object} db in a transaction that is in UTC
 * @param {string} table as it is written in SQL
 * @param {{ by: string, every: Span, keep: Span|null, ahead: number, detach: boolean }} wanted
 * @returns {Promise<{ what: string, sql: string[], alone: boolean }[]>} alone: it may not be in a transaction
 * @throws {CommandRefusal}
 */
async function planPartitions (db, table, { by, every, keep, ahead, detach }) {
  const it = await look(db, table, by)
  const steps = []
  const step = (what, ...sql) => steps.push({ what, sql, alone: false })
  // Somebody was interrupted.
  for (const { schema, name, pending } of it.partitions) {
    if (pending) step(`${name}: end what was begun, and take it out`, `alter table ${full(it.schema, it.name)} detach partition ${full(schema, name)} finalize`)
  }
  const partitions = it.partitions.filter(({ pending }) => !pending)
  if (it.kind === 'r') partitions.push(await divide(db, it, every, step))
  add(it, partitions, { every, ahead }, step)
  if (keep !== null) retain(it, partitions, { keep, detach }, steps)
  return steps
}

// From a table to the first partition of one.
async function divide (db, it, every, step) {
  const { oid, schema, name, column, type } = it
  const obstacle = await db.get(OBSTACLES, [oid, column])
  if (obstacle !== undefined) refuse(`${name} cannot be divided as it is: ${obstacle.what}`, obstacle.remedy)
  const [parent, own] = [full(schema, name), quote(column)]
  if (!it.notNull) refuse(`${name}.${column} may be null, and such a row would be in no partition`, `alter table ${parent} alter column ${own} set not null`)
  const { ms } = await db.get(`select (extract(epoch from max(${own})) * 1000)::float8 as ms from ${parent}`)
  if (ms === Infinity) refuse(`${name}.${column} is infinity somewhere`, 'such a row would be in the last partition for ever: correct it')
  const to = next(floor(Math.max(it.now, ms ?? 0), every), every)
  const old = fitting(`${name}_before_${nameOf(to, every)}`)
  const part = full(schema, old)
  const check = quote('undercroft_partition')
  const [identities, serials, grants, foreign] = await Promise.all([IDENTITIES, SERIALS, GRANTS, FOREIGN].map(sql => db.all(sql, [oid])))
  // Each row is looked at while others read and write; the new table only wants to know that.
  step(`${name}: all rows are before ${dayOf(to)}`, `alter table ${parent} drop constraint if exists ${check}`, `alter table ${parent} add constraint ${check} check (${own} < ${bound(to, type)}) not valid`)
  step('the same of the rows that are there', `alter table ${parent} validate constraint ${check}`)
  step(`${name} becomes ${old}, the first partition of a new ${name}`,
    `alter table ${parent} rename to ${quote(old)}`,
    `create table ${parent} (like ${part} including all) partition by range (${own})`,
    `alter table ${parent} drop constraint ${check}`,
    ...identities.flatMap(({ name: of, sequence }) => [
      `select setval(pg_get_serial_sequence(${literal(parent)}, ${literal(of)}), last_value, is_called) from ${sequence}`,
      `alter table ${part} alter column ${quote(of)} drop identity`
    ]),
    ...serials.map(({ sequence, column: of }) => `alter sequence ${sequence} owned by ${parent}.${quote(of)}`),
    ...foreign.map(({ name: of, text }) => `alter table ${parent} add constraint ${quote(of)} ${text}`),
    `alter table ${parent} owner to ${it.owner}`,
    ...grants.map(({ grantee, privilege, more }) => `grant ${privilege} on ${parent} to ${grantee}${more ? ' with grant option' : ''}`),
    `alter table ${parent} attach partition ${part} for values from (minvalue) to (${bound(to, type)})`,
    `alter table ${part} drop constraint ${check}`)
  return { schema, name: old, from: null, to, isDefault: false }
}

function add (it, partitions, { every, ahead }, step) {
  const { schema, name, column, type, now } = it
  const parent = full(schema, name)
  const taken = partitions.filter(({ isDefault }) => !isDefault).sort((a, b) => (a.from ?? -Infinity) - (b.from ?? -Infinity))
  for (let at = floor(now, every), i = 0; i <= ahead; i++, at = next(at, every)) {
    // What was made by another rule keeps its ends.
    let from = at
    for (const one of taken) if ((one.from ?? -Infinity) <= from && (one.to ?? Infinity) > from) from = one.to ?? Infinity
    const to = Math.min(next(at, every), ...taken.map(one => one.from ?? -Infinity).filter(start => start > from))
    if (from >= to) continue
    const own = fitting(`${name}_${nameOf(at, every)}`)
    if (partitions.some(one => one.name === own)) refuse(`${own} is there already, with other ends`, 'rename it')
    const part = full(schema, own)
    const check = quote('undercroft_partition')
    const inside = `${quote(column)} >= ${bound(from, type)} and ${quote(column)} < ${bound(to, type)}`
    // Made aside and attached: the table is read and written meanwhile. With the check nobody looks at rows.
    step(`${own}: from ${dayOf(from)} to ${dayOf(to)}`,
      `create table ${part} (like ${parent} including defaults including constraints including generated including storage)`,
      `alter table ${part} owner to ${it.owner}`,
      `alter table ${part} add constraint ${check} check (${inside})`,
      `alter table ${parent} attach partition ${part} for values from (${bound(from, type)}) to (${bound(to, type)})`,
      `alter table ${part} drop constraint ${check}`)
  }
}

function retain (it, partitions, { keep, detach }, steps) {
  const limit = before(it.now, keep)
  // Beside a default partition the server takes one out with a lock on the table.
  const isGentle = it.concurrently && it.kind === 'p' && !partitions.some(({ isDefault }) => isDefault)
  for (const one of partitions) {
    if (one.isDefault || one.to === null || one.to > limit) continue
    const part = full(one.schema, one.name)
    steps.push({
      what: `${one.name}: it ends at ${dayOf(one.to)}, and goes${detach ? ', as a table of its own' : ''}`,
      sql: [`alter table ${full(it.schema, it.name)} detach partition ${part}${isGentle ? ' concurrently' : ''}`],
      alone: isGentle
    })
    if (!detach) steps.push({ what: `drop ${one.name}`, sql: [`drop table ${part}`], alone: false })
  }
}

// ---- what is done ----

/**
 * @param {object} db
 * @param {string} table
 * @param {object} wanted as of planPartitions
 * @param {{ say: Function, dryRun: boolean }} options
 * @returns {Promise<{ steps: object[] }>}
 */
async function partition (db, table, wanted, { say, dryRun }) {
  const steps = await db.transaction(async tx => {
    await tx.exec("set local time zone 'UTC'")
    return planPartitions(tx, table, wanted)
  })
  if (!dryRun) {
    for (const step of steps) {
      say(step.what)
      await run(db, step)
    }
  }
  return { steps }
}

async function run (db, { what, sql, alone }) {
  for (let left = TRIES; ; left--) {
    try {
      if (alone) return await db.exec(sql[0])
      return await db.transaction(async tx => {
        await tx.exec(`set local time zone 'UTC'; set local lock_timeout = ${LOCK_MS}`)
        for (const one of sql) await tx.exec(one)
      })
    } catch (err) {
      if (err.sqlstate === '55P03' && left > 1) {
        await new Promise(resolve => setTimeout(resolve, RETRY_MS))
        continue
      }
      if (err.sqlstate === '55P03') refuse(`${what}: somebody holds a lock on the table`, 'what was done so far stays; end the transaction that has it (pg_stat_activity), and run this again')
      if (err.sqlstate === '23514' && /default partition/.test(err.message)) refuse(`${what}: the default partition has rows of that time`, 'move them out of it first: the server does not do that')
      if (err.sqlstate === '42501') refuse(`this user may not do that: ${err.message}`, 'give the address of the owner of the table')
      throw err
    }
  }
}

module.exports = { partition }
