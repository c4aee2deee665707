'use strict'
// A backup brought back: into a folder, or for a look at it.
//
//   the newest backup before the moment ──> a copy ──> the log up to the moment ──> a server ──> every row is read

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { open } = require('../../store')
const { CommandRefusal } = require('../refusal')
const { backupsIn, segmentOf } = require('./backup')
const { call, find } = require('./programs')

const refuse = (cause, remedy = null) => { throw new CommandRefusal(cause, remedy, 'failed') }
const shell = text => `'${text.replaceAll("'", "'\\''")}'`
const conf = text => `'${text.replaceAll("'", "''")}'`

/**
 * The files of a server as it was at a moment, ready to be started.
 *
 * @param {string} from folder of the backups
 * @param {string} to folder, which is not there or empty
 * @param {{ at: number|null, say: Function, log?: string }} options at: in ms, null: as late as there is something;
 *   log: where its server finds that
 * @returns {Promise<{ name: string, to: string, hasLog: boolean }>} name: of the backup
 * @throws {CommandRefusal} a file of the backup is not as it was, among others
 */
async function restore (from, to, { at, say, log = path.resolve(from, 'wal') }) {
  const all = backupsIn(from)
  if (all.length === 0) refuse(`${from} has no backups`, 'npx undercroft pg backup --db postgres://… --to DIR makes them')
  const base = all.findLast(one => at === null || one.at <= at)
  if (base === undefined) refuse(`the oldest backup is ${all[0].name}: there is nothing from before it`)
  const hasLog = segmentsIn(path.join(from, 'wal')).length > 0
  if (at !== null && !hasLog) refuse(`${from} has backups and no log: only the moments of the backups come back`, 'leave --at out; with --every the log is followed from now on')
  if (fs.existsSync(to) && fs.readdirSync(to).length > 0) refuse(`${to} is not empty`, 'name a folder that is not there')
  say(`from ${base.name}`)
  await call('pg_verifybackup', ['-q', base.dir])
  fs.mkdirSync(to, { recursive: true, mode: 0o700 })
  fs.chmodSync(to, 0o700)
  fs.cpSync(base.dir, to, { recursive: true, verbatimSymlinks: true, mode: fs.constants.COPYFILE_FICLONE })
  // Debian keeps them elsewhere.
  if (!fs.existsSync(path.join(to, 'postgresql.conf'))) fs.writeFileSync(path.join(to, 'postgresql.conf'), '')
  if (!fs.existsSync(path.join(to, 'pg_hba.conf'))) fs.writeFileSync(path.join(to, 'pg_hba.conf'), 'local all all peer\n')
  if (!fs.existsSync(path.join(to, 'pg_ident.conf'))) fs.writeFileSync(path.join(to, 'pg_ident.conf'), '')
  if (hasLog) {
    // The segment that is being written has another name.
    const command = `cp ${shell(log)}/%f %p || cp ${shell(log)}/%f.partial %p`.replaceAll(/%(?![fp])/g, '%%')
    fs.appendFileSync(path.join(to, 'postgresql.auto.conf'), [
      '# the restore', `restore_command = ${conf(command)}`, "recovery_target_timeline = 'latest'", "recovery_target_action = 'promote'",
      ...(at === null ? [] : [`recovery_target_time = ${conf(`${new Date(at).toISOString().slice(0, 23).replace('T', ' ')}+00`)}`]), ''
    ].join('\n'))
    fs.writeFileSync(path.join(to, 'recovery.signal'), '')
  }
  return { name: base.name, to, hasLog }
}

function segmentsIn (wal) {
  return fs.existsSync(wal) ? fs.readdirSync(wal).filter(name => /^[0-9A-F]{8}/.test(name)) : []
}

// The server of a check that root starts may not read the folder of the log.
function lend (from, to, first, who) {
  fs.mkdirSync(to)
  for (const name of segmentsIn(path.join(from, 'wal'))) {
    // Of any timeline.
    if (/^[0-9A-F]{24}/.test(name) && name.slice(8, 24) < first.slice(8)) continue
    fs.copyFileSync(path.join(from, 'wal', name), path.join(to, name), fs.constants.COPYFILE_FICLONE)
    fs.chownSync(path.join(to, name), who.uid, who.gid)
  }
  fs.chownSync(to, who.uid, who.gid)
}

// Who starts a server: it does not run as root.
function serverUser () {
  if (process.getuid() !== 0) return {}
  const users = fs.readFileSync('/etc/passwd', 'utf8').split('\n').map(line => line.split(':'))
  const user = ['postgres', 'nobody'].map(name => users.find(fields => fields[0] === name)).find(Boolean)
  if (user === undefined) refuse('PostgreSQL does not run as root, and there is no user postgres', 'run this as another user')
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

/**
 * Restores into a folder of its own, starts a server there that nobody else reaches, reads every row, and takes
 * all of it away again.
 *
 * @param {string} from
 * @param {{ at: number|null, query: string|null, database: string|null, user: string, say: Function, signal: AbortSignal }} options
 * @returns {Promise<{ name: string, until: string|null, databases: object[], rows: object[]|null }>}
 */
async function check (from, { at, query, database, user, say, signal }) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-restore-'))
  const data = path.join(dir, 'data')
  const who = serverUser()
  let server = null
  try {
    const { name, hasLog } = await restore(from, data, { at, say, ...(who.uid === undefined ? {} : { log: path.join(dir, 'wal') }) })
    fs.writeFileSync(path.join(dir, 'hba.conf'), 'local all all trust\n')
    if (who.uid !== undefined) {
      fs.chownSync(dir, who.uid, who.gid)
      if (hasLog) lend(from, path.join(dir, 'wal'), segmentOf(data), who)
      for (const entry of ['.', ...fs.readdirSync(data, { recursive: true })]) fs.lchownSync(path.join(data, entry), who.uid, who.gid)
    }
    server = await start(dir, data, who, { say, signal })
    if (hasLog && !server.hasLog()) refuse(`nothing of ${path.join(from, 'wal')} could be read: only the backup itself came back`)
    const address = (name) => `postgres://${encodeURIComponent(user)}@/${encodeURIComponent(name)}?host=${encodeURIComponent(dir)}&port=5432`
    const names = await ask(address(database ?? 'postgres'), db => db.all('select datname as name from pg_database where datallowconn order by 1'))
    const databases = []
    for (const { name } of names) {
      databases.push({ name, ...await ask(address(name), db => readAll(db, signal)) })
      say(`${name}: ${databases.at(-1).tables} tables, ${databases.at(-1).rows.toLocaleString('en')} rows`)
    }
    const rows = query === null ? null : await ask(address(database ?? 'postgres'), db => db.all(query, [], { signal }))
    return { name, until: server.until(), databases, rows }
  } catch (err) {
    if (signal.aborted) refuse('it was stopped')
    throw err
  } finally {
    await server?.stop()
    fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function ask (address, work) {
  const store = open(address, { log: false, readonly: true, timeoutMs: 0, poolMax: 4 })
  try {
    return await work(store.db)
  } finally {
    await store.close()
  }
}

const isOwn = name => name.startsWith('pg_catalog.')

// A page that cannot be read is found by reading it.
async function readAll (db, signal) {
  const tables = await db.all(`select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and c.relpersistence = 'p' and n.nspname !~ '^pg_(toast|temp)' and n.nspname <> 'information_schema'`)
  let rows = 0
  for (const { name } of tables) {
    // Its length wants all of a row, also what is kept aside of it.
    const { n } = await db.get(`select count(*) as n, sum(octet_length(t::text)) as length from only ${name} t`, [], { signal })
    if (!isOwn(name)) rows += n
  }
  return { tables: tables.filter(({ name }) => !isOwn(name)).length, rows }
}

// A server on a socket in its folder; it ends with this process, however that ends.
async function start (dir, data, who, { say, signal }) {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: dir,
    port: 5432,
    hba_file: path.join(dir, 'hba.conf'),
    archive_mode: 'off',
    hot_standby: 'off',
    ssl: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    lc_messages: 'C',
    log_min_messages: 'log',
    autovacuum: 'off',
    fsync: 'off',
    shared_preload_libraries: '',
    primary_conninfo: '',
    max_logical_replication_workers: 0,
    log_line_prefix: ''
  }
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const proc = spawn(find('postgres', fs.readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim()), args, { ...who, cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  const guard = spawn('sh', ['-c', 'read -r _ && exit; kill -s INT "$1"; sleep 5; rm -rf "$2"', 'sh', String(proc.pid), dir], { stdio: ['pipe', 'ignore', 'ignore'] })
  guard.stdin.on('error', () => {})
  let log = ''
  let hasLog = false
  let told = Date.now()
  const ended = new Promise(resolve => proc.on('close', resolve))
  const stop = async () => {
    proc.kill('SIGINT')
    await ended
    guard.stdin.end('over\n')
  }
  const halt = () => proc.kill('SIGINT')
  signal.addEventListener('abort', halt)
  try {
    await new Promise((resolve, reject) => {
      proc.on('error', reject)
      proc.on('close', () => reject(new CommandRefusal(`the server did not come up: ${whyOf(log)}`, null, 'failed')))
      proc.stderr.setEncoding('utf8').on('data', text => {
        log = (log + text).slice(-65536)
        hasLog ||= /restored log file/.test(log)
        if (/database system is ready to accept connections/.test(log)) return resolve()
        const segment = /restored log file "([0-9A-F]+)"/.exec(text)
        if (segment === null || Date.now() - told < 2000) return
        told = Date.now()
        say(`the log: ${segment[1]}`)
      })
    })
  } catch (err) {
    guard.stdin.end('over\n')
    throw err
  } finally {
    signal.removeEventListener('abort', halt)
  }
  return { stop, hasLog: () => hasLog, until: () => /last completed transaction was at log time ([^\n]+)/.exec(log)?.[1].trim() ?? null }
}

const whyOf = log => log.split('\n').filter(line => /^(FATAL|PANIC|ERROR|HINT)/.test(line)).slice(0, 3).join('; ') || log.trim().split('\n').at(-1)

module.exports = { check, restore }
