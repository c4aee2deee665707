'use strict'
// npx undercroft pg <action>: what an operator of PostgreSQL does.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { isAddress, shown } = require('../../base/address')
const { table } = require('../../base/format')
const { nearest } = require('../../base/did-you-mean')
const { open } = require('../../store')
const { apply, compare } = require('../pg/apply')
const { copyDatabase } = require('../pg/copy')
const { backup, follow } = require('../pg/backup')
const { check, restore } = require('../pg/restore')
const { partition } = require('../pg/partition')
const { parseSpan } = require('../pg/span')
const { DISKS, WORKS, readMemory, settingsFor } = require('../pg/tune')
const { CommandRefusal, refusing } = require('../refusal')

// A table that is looked at row by row takes its time.
const HOUR_MS = 3600_000

const help = `
What an operator of a PostgreSQL server does:

  npx undercroft pg tune        settings for a machine and a kind of work, with the reason of each
  npx undercroft pg copy        a database from one server to another, tables in parallel
  npx undercroft pg backup      a server into a folder, once or all the time, with its log
  npx undercroft pg restore     it comes back, as it was at a moment; --check tries that, and reads every row
  npx undercroft pg partition   partitions of a table by time: those to come, and those that go

npx undercroft pg <action> --help says more of each.
`

const about = {
  tune: {
    usage: 'pg tune [--db postgres://…] [--memory 16GB] [--cores 8] [--disk ssd] [--for web] [--connections N] [--apply]',
    help: `
Says what the settings of a server should be, by the rules of pgtune, with the reason of each line.
With --db they are compared with those of the server; with --apply it gets them (ALTER SYSTEM),
and what wants a restart is named. Without --memory and --cores they are this machine's: that is
right where the server has it for itself.

  npx undercroft pg tune --memory 16GB --cores 8 --disk ssd --for web
  npx undercroft pg tune --db postgres://postgres@/shop --apply
`,
    options: {
      db: { type: 'string', help: 'the server: postgres://postgres@/shop' },
      memory: { type: 'string', help: 'that the server may use: 16GB' },
      cores: { type: 'string', help: 'processors: 8' },
      disk: { type: 'string', help: `${DISKS.join(', ')}; without it ssd` },
      for: { type: 'string', help: `the work: ${Object.entries(WORKS).map(([name, { about }]) => `${name} (${about})`).join(', ')}; without it web` },
      connections: { type: 'string', help: 'max_connections, when it is known' },
      apply: { type: 'boolean', help: 'change the settings of the server' }
    }
  },
  copy: {
    usage: 'pg copy --from postgres://… --to postgres://… [--jobs 4]',
    help: `
Copies a database to an empty one, on the same server or another: the schema by pg_dump, the rows of
its tables by COPY, several tables at once, the sequences, then indexes and constraints. All of it is of
one moment, while others go on writing. The rows of both are counted and compared.

A copy that was interrupted goes on where the source has not changed since: tables that are there are
left alone. Otherwise their rows are copied again. Until its end the target has a schema undercroft_copy.

  npx undercroft pg copy --from postgres://app@old/shop --to postgres://app@new/shop
`,
    options: {
      from: { type: 'string', help: 'the database that is there' },
      to: { type: 'string', help: 'the one that it is copied to' },
      jobs: { type: 'string', help: 'tables at once: 4' }
    }
  },
  backup: {
    usage: 'pg backup --db postgres://… --to DIR [--keep 7] [--every 1d]',
    help: `
Makes a backup of the whole server into DIR/base, checks it, and removes those that are too many. The
role wants REPLICATION. With --every it stays: it follows the log into DIR/wal, so that every moment
comes back, and makes a backup in each period. Run that by systemd, on another machine.

The log is kept by the slot undercroft_backup while this does not run: set max_slot_wal_keep_size.

  npx undercroft pg backup --db postgres://backup@db/postgres --to /backup/shop --every 1d --keep 7
`,
    options: {
      db: { type: 'string', help: 'any database of the server: postgres://backup@db/postgres' },
      to: { type: 'string', help: 'the folder' },
      keep: { type: 'string', help: 'backups: 7' },
      every: { type: 'string', help: 'stay, and make one in each: 1d, 1w' }
    }
  },
  restore: {
    usage: 'pg restore --from DIR (--to DATA | --check) [--at 2026-12-01T04:00:00Z] [--query SQL --database shop]',
    help: `
Brings a server back from a folder of backups, as it was at a moment or as late as the log goes.
--to DATA has its files afterwards: start a server on it. --check does it in a folder for a while:
it starts a server there that nobody else reaches, reads every row, and runs your query.
What was never restored is no backup: check it every month.

  npx undercroft pg restore --from /backup/shop --check
  npx undercroft pg restore --from /backup/shop --check --at '2026-12-01 04:00' --database shop --query 'select count(*) from orders'
`,
    options: {
      from: { type: 'string', help: 'the folder' },
      to: { type: 'string', help: 'a folder that is not there: its files' },
      check: { type: 'boolean', help: 'try it, and take it away again' },
      at: { type: 'string', help: 'the moment; without it as late as possible' },
      query: { type: 'string', help: 'what the check asks' },
      database: { type: 'string', help: 'that it asks: postgres' },
      user: { type: 'string', help: 'a role of the server that may read all: postgres' }
    }
  },
  partition: {
    usage: 'pg partition TABLE --db postgres://… --by COLUMN --every 1mo [--keep 24mo] [--ahead 3] [--detach] [--plan]',
    help: `
Keeps the partitions of a table by time. It makes those of now and of the next periods, and drops
those that ended before --keep. Run it every day: what is there already is left alone.

A table that is not divided yet becomes the first partition of a new one of its name. Its rows stay
where they are, and nobody waits longer than a moment. Without --db the address is that of DATABASE.

  npx undercroft pg partition orders --db postgres://app@db/shop --by created_at --every 1mo --keep 24mo
`,
    options: {
      db: { type: 'string', help: 'the database: postgres://app@db/shop' },
      by: { type: 'string', help: 'the column of time: timestamptz, timestamp or date, not null' },
      every: { type: 'string', help: 'of one partition: 1d, 1w, 1mo, 3mo, 1y; they begin at midnight, UTC' },
      keep: { type: 'string', help: 'how long rows are kept at least; without it all are' },
      ahead: { type: 'string', help: 'periods ahead: 3' },
      detach: { type: 'boolean', help: 'old partitions become tables of their own, and are not dropped' },
      plan: { type: 'boolean', help: 'show the statements, and run none' }
    }
  }
}

const actions = { tune, copy, backup: backUp, restore: bringBack, partition: partitions }

function run (ctx) {
  return refusing(ctx, async () => {
    const [action, ...others] = ctx.positionals
    if (action === undefined) throw new CommandRefusal('pg: what is to be done?', `one of ${Object.keys(actions).join(', ')}: npx undercroft help pg`)
    if (!Object.hasOwn(actions, action)) {
      const near = nearest(action, Object.keys(actions))
      throw new CommandRefusal(`pg: there is no action '${action}'${near ? `: did you mean '${near}'?` : ''}`, `there are ${Object.keys(actions).join(', ')}`)
    }
    if (others.length > 0 && action !== 'partition') throw new CommandRefusal(`pg ${action}: there is a word too many: '${others[0]}'`)
    const alien = Object.keys(ctx.values).find(name => !['help', 'json'].includes(name) && about[action].options[name] === undefined)
    if (alien !== undefined) throw new CommandRefusal(`pg ${action} has no option --${alien}`, `npx undercroft pg ${action} --help`)
    return actions[action](ctx)
  })
}

// ---- tune ----

async function tune ({ values, print, exitCodes }) {
  const machine = readMachine(values)
  const wanted = settingsFor(machine)
  if (values.db === undefined) {
    if (values.apply) throw new CommandRefusal('--apply changes a server: which one?', '--db postgres://postgres@/shop')
    print({ machine, settings: wanted }, `${wanted.map(({ name, value, why }) => `# ${why}\n${name} = ${quoted(value)}`).join('\n')}`)
    return exitCodes.ok
  }
  const store = open(readAddress('--db', values.db), { log: false })
  try {
    const compared = await compare(store.db, wanted)
    const done = values.apply ? await apply(store.db, compared) : null
    print({ machine, settings: compared, ...done }, told(compared, done))
    return exitCodes.ok
  } finally {
    await store.close()
  }
}

function readMachine ({ memory, cores, disk = 'ssd', for: work = 'web', connections }) {
  if (!DISKS.includes(disk)) throw new CommandRefusal(`--disk is one of ${DISKS.join(', ')}, not '${disk}'`)
  if (!Object.hasOwn(WORKS, work)) throw new CommandRefusal(`--for is one of ${Object.keys(WORKS).join(', ')}, not '${work}'`)
  const bytes = memory === undefined ? memoryHere() : readMemory(memory)
  if (bytes === null || bytes < 256 * 1024 ** 2) throw new CommandRefusal(`--memory is at least 256MB, such as 16GB, not '${memory}'`)
  return { memory: bytes, cores: count('--cores', cores, os.availableParallelism()), disk, work, connections: count('--connections', connections, undefined) }
}

// What a container may use is less than what its machine has.
function memoryHere () {
  try {
    const most = Number(fs.readFileSync('/sys/fs/cgroup/memory.max', 'utf8'))
    return most > 0 ? Math.min(most, os.totalmem()) : os.totalmem()
  } catch {
    return os.totalmem()
  }
}

function count (name, text, otherwise) {
  if (text === undefined) return otherwise
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new CommandRefusal(`${name} is a number from 1, not '${text}'`)
  return Number(text)
}

const quoted = value => /^[\d.]+$/.test(value) ? value : `'${value}'`

function told (compared, done) {
  const rows = compared.map(({ name, now, value, changes, restart, unknown, why }) => [
    name, unknown ? '–' : now, unknown ? 'not there' : changes ? value : 'as it is', changes && restart ? 'restart' : '', why
  ])
  const text = table(['setting', 'now', done === null ? 'should be' : 'is set to', '', 'because'], rows)
  const changes = compared.filter(({ changes }) => changes).length
  if (done === null) return `${text}\n\n${changes === 0 ? 'nothing is to be changed' : `${changes} would change: --apply does it`}`
  return `${text}\n\n${done.applied.length === 0 ? 'nothing was to be changed' : `${done.applied.length} were set${done.pending.length > 0 ? `; after a restart of the server also ${done.pending.join(', ')}` : ''}`}`
}

// ---- copy ----

async function copy ({ values, say, print, exitCodes }) {
  const from = readAddress('--from', values.from)
  const to = readAddress('--to', values.to)
  if (from === to) throw new CommandRefusal('--from and --to are the same database')
  const result = await copyDatabase(from, to, { jobs: count('--jobs', values.jobs, 4), say })
  print(result, `${result.rows.toLocaleString('en')} rows of ${result.tables.length} tables: the counts agree`)
  return exitCodes.ok
}

// ---- backup, restore ----

async function backUp ({ values, say, print, exitCodes }) {
  const address = readAddress('--db', values.db)
  const to = readFolder('--to', values.to)
  const keep = count('--keep', values.keep, 7)
  const every = values.every === undefined ? null : readSpan('--every', values.every)
  return untilStopped(async signal => {
    if (every === null) print(await backup(address, to, { keep, say, signal }), '')
    else await follow(address, to, { every, keep, say, signal })
    return exitCodes.ok
  })
}

async function bringBack ({ values, say, print, exitCodes }) {
  const from = readFolder('--from', values.from)
  const at = readMoment(values.at)
  if (values.check === true && values.to !== undefined) throw new CommandRefusal('--to keeps what --check takes away: one of them')
  if (values.check !== true) {
    for (const name of ['query', 'database', 'user']) if (values[name] !== undefined) throw new CommandRefusal(`--${name} is for --check`)
    const { name, to } = await restore(from, readFolder('--to', values.to), { at, say })
    print({ name, to }, `${to} has ${name}: give it to the server's user, and start it: pg_ctl -D ${to} start`)
    return exitCodes.ok
  }
  return untilStopped(async signal => {
    const result = await check(from, { at, query: values.query ?? null, database: values.database ?? null, user: values.user ?? 'postgres', say, signal })
    const rows = result.databases.reduce((sum, one) => sum + one.rows, 0)
    const shown = result.rows === null || result.rows.length === 0 ? '' : `\n${table(Object.keys(result.rows[0]), result.rows.map(row => Object.values(row).map(String)))}`
    print(result, `it comes back${result.until === null ? '' : `, up to ${result.until}`}: ${rows.toLocaleString('en')} rows were read${shown}`)
    return exitCodes.ok
  })
}

// A signal ends what is under way, and what it has begun is cleared away.
async function untilStopped (work) {
  const stop = new AbortController()
  const end = () => stop.abort()
  process.on('SIGINT', end).on('SIGTERM', end)
  try {
    return await work(stop.signal)
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

function readFolder (name, text) {
  if (text === undefined || text === '' || isAddress(text)) throw new CommandRefusal(`${name} is missing: a folder`, `${name} /backup/shop`)
  return path.resolve(text)
}

function readMoment (text) {
  if (text === undefined) return null
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new CommandRefusal(`--at is a moment such as 2026-12-01T04:00:00Z, not '${text}'`)
  if (at > Date.now()) throw new CommandRefusal('--at is in the future')
  return at
}

// ---- partition ----

async function partitions ({ positionals: [, table, ...others], values, say, print, exitCodes }) {
  if (table === undefined) throw new CommandRefusal('pg partition: of which table?', 'npx undercroft pg partition orders --by created_at --every 1mo')
  if (others.length > 0) throw new CommandRefusal(`pg partition: there is a word too many: '${others[0]}'`)
  if (values.by === undefined) throw new CommandRefusal('--by is missing: the column of time', '--by created_at')
  const wanted = {
    by: values.by,
    every: readSpan('--every', values.every ?? ''),
    keep: values.keep === undefined ? null : readSpan('--keep', values.keep),
    ahead: count('--ahead', values.ahead, 3),
    detach: values.detach === true
  }
  if (wanted.detach && wanted.keep === null) throw new CommandRefusal('--detach is about old partitions: how old?', '--keep 24mo')
  const store = open(readAddress('--db', values.db ?? process.env.DATABASE), { log: false, timeoutMs: 0, transactionTimeoutMs: HOUR_MS })
  try {
    const { steps } = await partition(store.db, table, wanted, { say, dryRun: values.plan === true })
    print({ steps }, values.plan ? asScript(steps) : steps.length === 0 ? 'all is as it should be' : `${steps.length} steps were done`)
    return exitCodes.ok
  } finally {
    await store.close()
  }
}

const asScript = steps => steps.length === 0
  ? '-- all is as it should be'
  : steps.map(({ what, sql, alone }) => `-- ${what}\n${alone ? `${sql[0]};` : ['begin', ...sql, 'commit'].map(one => `${one};`).join('\n')}`).join('\n\n')

function readSpan (name, text) {
  const span = parseSpan(text)
  if (span === null) throw new CommandRefusal(`${name} is a span such as 1d, 1w, 1mo or 1y, not '${text}'`)
  return span
}

function readAddress (name, text) {
  if (text === undefined) throw new CommandRefusal(`${name} is missing`, `${name} postgres://app@db/shop`)
  if (!isAddress(text)) throw new CommandRefusal(`${name} is the address of a database, postgres://…, not '${shownOf(text)}'`)
  return text
}

const shownOf = text => isAddress(text) ? shown(text) : text

module.exports = {
  name: 'pg',
  summary: 'PostgreSQL: settings for a machine, copies, backups, partitions by time',
  usage: 'pg tune|copy|backup|restore|partition [options]',
  help,
  options: Object.assign({}, ...Object.values(about).map(({ options }) => options)),
  positionals: true,
  about: word => about[word],
  run
}
