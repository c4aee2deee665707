'use strict'

// migrate - brings a database to the state that a folder of numbered SQL files describes.
//
//   0001_users.sql  0002-orders.sql  0010_index.sql      in the order of their numbers; gaps are fine
//
// What has been applied stands in the table undercroft_migration with a checksum of its text. A
// folder that no longer tells the database's own history is refused before anything runs. Each
// file is one operation of the core (migrate_apply). On SQLite: foreign keys off, BEGIN IMMEDIATE,
// the file, its record, foreign_key_check, COMMIT, foreign keys as before; on PostgreSQL: BEGIN, an
// advisory lock, its record, the file, COMMIT. A file that begins with the comment `-- no
// transaction` runs statement by statement instead.
//
// A folder may have one for an engine in it, `pg/`: that is then taken in place of it on PostgreSQL.

const { builtin } = require('../base/builtin')
const { createHash } = builtin('node:crypto')
const { readdir, readFile, stat } = builtin('node:fs/promises')
const { setTimeout: sleep } = builtin('node:timers/promises')
const path = builtin('node:path')
const { fileURLToPath } = builtin('node:url')

const { UndercroftError, describe, expected } = require('../base/errors')
const { instead } = require('../base/did-you-mean')
const { readCall } = require('../base/options')
const { dialectOf } = require('./dialect')
const { forget } = require('./table/schema')

const TABLE = 'undercroft_migration'
const FILE = /^(\d{1,15})[_-].+\.sql$/
// How often a file is tried whose statements wait too long for a lock, and how long in between.
const LOCK_TRIES = 20
const LOCK_PAUSE_MS = 500

const OPTIONS = ['dryRun', 'onProgress', 'signal', 'timeoutMs']

// ---- the folder ------------------------------------------------------------------------

function fileError (file, message, cause) {
  return new UndercroftError('UC_MIGRATION_FILE', `migration ${file}: ${message}`, { cause })
}

// The same text on every machine: git may have changed the line ends.
function normaliseText (bytes, file) {
  let text
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw fileError(file, 'it is not UTF-8 text', cause)
  }
  if (text.includes('\0')) throw fileError(file, 'it holds a NUL character')
  return text.replaceAll('\r\n', '\n')
}

// One after the other, since a comment may hold what begins the other kind.
function isEmpty (text) {
  const blank = /[\s;]+|--[^\n]*|\/\*[^]*?(?:\*\/|$)/y
  while (blank.lastIndex < text.length) {
    if (!blank.test(text)) return false
  }
  return true
}

// The directive stands in a comment line before the first statement.
function isLoose (text) {
  for (const line of text.split('\n')) {
    const trimmed = line.trim()
    if (/^--\s*no transaction$/i.test(trimmed)) return true
    if (trimmed !== '' && !trimmed.startsWith('--')) return false
  }
  return false
}

/**
 * The migrations of a folder, sorted by version.
 *
 * @param {string} dir
 * @returns {Promise<{ version, name, file, sql, checksum, loose }[]>}
 */
async function readFolder (dir) {
  let names
  try {
    names = await readdir(dir)
  } catch (cause) {
    throw new UndercroftError('UC_MIGRATION_FILE', `migrate: the folder ${dir} cannot be read: ${cause.message}`, { cause })
  }
  const found = new Map()
  for (const file of names.filter((name) => name.endsWith('.sql')).sort()) {
    const match = FILE.exec(file)
    if (match === null) {
      throw fileError(file, 'expected a number, "_" or "-", a name and ".sql", such as 0001_users.sql')
    }
    const version = Number(match[1])
    const twin = found.get(version)
    if (twin !== undefined) throw fileError(file, `it has the number of ${twin.file}`)
    const sql = normaliseText(await readFile(path.join(dir, file)), file)
    if (isEmpty(sql)) throw fileError(file, 'it holds no statement')
    found.set(version, {
      version,
      name: file.slice(0, -'.sql'.length),
      file,
      sql,
      checksum: createHash('sha256').update(sql).digest('hex'),
      loose: isLoose(sql)
    })
  }
  return Array.from(found.values()).sort((a, b) => a.version - b.version)
}

// ---- the database ----------------------------------------------------------------------

async function readApplied (db, dialect, opts) {
  const table = await db.get(dialect.migrations.isThere, [TABLE], opts)
  if (table === undefined) return []
  return db.all(`select version, name, checksum from ${TABLE} order by version`, [], { ...opts, integers: 'number' })
}

// What is left to do, if the folder still begins with what the database has been through.
function compare (migrations, applied) {
  const byVersion = new Map(migrations.map((each) => [each.version, each]))
  for (const { version, name, checksum } of applied) {
    const own = byVersion.get(version)
    if (own === undefined) {
      throw new UndercroftError('UC_MIGRATION_MISSING',
        `migrate: ${name}.sql has been applied to this database, but is not in the folder`)
    }
    if (own.checksum !== checksum) {
      throw new UndercroftError('UC_MIGRATION_CHANGED',
        `migrate: ${own.file} has changed since it was applied; write the change as a new migration`)
    }
    byVersion.delete(version)
  }
  const current = applied.length === 0 ? null : applied.at(-1).version
  for (const { version, file } of byVersion.values()) {
    if (current !== null && version < current) {
      throw new UndercroftError('UC_MIGRATION_ORDER',
        `migrate: ${file} was never applied, but the later ${applied.at(-1).name}.sql was; give it a higher number`)
    }
  }
  return { current, pending: Array.from(byVersion.values()) }
}

// The engine's error with the file's name and line in front. The core counts bytes of the text.
function blame (err, migration) {
  if (!(err instanceof UndercroftError)) return err
  let place = migration.file
  let offset
  if (err.offset >= 0) {
    const before = Buffer.from(migration.sql).toString('utf8', 0, err.offset)
    offset = before.length
    place += `, line ${before.split('\n').length}`
  }
  const rest = migration.loose ? ' (it runs without a transaction: what came before the error stays done)' : ''
  return new UndercroftError(err.code, `migration ${place}: ${err.message}${rest}`, {
    kind: err.kind,
    retryable: err.retryable,
    column: err.column,
    outcome: err.outcome,
    op: err.op,
    sql: migration.sql,
    offset,
    native: err.native,
    ...placesOf(err),
    cause: err
  })
}

function placesOf (err) {
  const { sqlstate, table, constraint, detail, hint } = err
  return { sqlstate, table, constraint, detail, hint }
}

function readOptions (options) {
  if (options === null || typeof options !== 'object') throw expected('UC_OPTION', 'migrate: options', 'an object', options)
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new UndercroftError('UC_OPTION', `migrate: unknown option ${describe(name)}; ${instead(name, OPTIONS)}`)
    }
  }
  const { dryRun = false, onProgress } = options
  if (typeof dryRun !== 'boolean') throw expected('UC_OPTION', 'migrate: dryRun', 'true or false', dryRun)
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw expected('UC_OPTION', 'migrate: onProgress', 'a function', onProgress)
  }
  const { timeoutMs, signal } = readCall({ timeoutMs: options.timeoutMs, signal: options.signal }, 0)
  return { dryRun, onProgress, limits: new MigrationLimits(timeoutMs, signal) }
}

// How long all of it may take. Without a deadline a rebuild of a large table takes as long as
// it takes.
class MigrationLimits {
  #deadline
  #signal

  constructor (timeoutMs, signal) {
    this.#deadline = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity
    this.#signal = signal
  }

  /** Throws once it has been aborted, or has lasted for too long. */
  check () {
    this.#signal?.throwIfAborted()
    if (performance.now() < this.#deadline) return
    throw new UndercroftError('UC_TIMEOUT', 'migrate: timeoutMs has passed', { outcome: 'not-run' })
  }

  /** The options of its next call. */
  get call () {
    const left = this.#deadline === Infinity ? 0 : Math.max(1, Math.ceil(this.#deadline - performance.now()))
    return { timeoutMs: left, signal: this.#signal ?? undefined }
  }

  /** Whether the call was ended by the signal, whose reason is the error. */
  hasEnded (err) {
    return this.#signal?.aborted === true && err === this.#signal.reason
  }
}

/**
 * Applies what is missing. Several processes may do this at once: a file that another one has
 * applied meanwhile is done.
 *
 * @param {Database} db
 * @param {string|URL} dir
 * @param {{ dryRun?: boolean, onProgress?: Function, signal?: AbortSignal, timeoutMs?: number }} [options]
 *   onProgress gets { version, name, index, count, ms }: before each file with ms null, and after;
 *   signal and timeoutMs end all of it: the file under way is undone, those before it stay
 * @returns {Promise<{ applied, current, pending }>} applied: by this call; current: the last
 *   version, null on a database without any; pending: what dryRun has left
 */
async function migrate (db, dir, options = {}) {
  const { dryRun, onProgress, limits } = readOptions(options)
  if (dir instanceof URL) dir = fileURLToPath(dir)
  if (typeof dir !== 'string' || dir === '') throw expected('UC_OPTION', 'migrate', 'a folder of .sql files', dir)
  limits.check()
  const dialect = await dialectOf(db.client)
  const migrations = await readFolder(await folderOf(dir, dialect))
  const { current, pending } = compare(migrations, await readApplied(db, dialect, limits.call))
  const result = { applied: [], current, pending: [] }
  if (dryRun) {
    result.pending = pending.map(({ version, name }) => ({ version, name }))
    return result
  }
  try {
    for (const [index, migration] of pending.entries()) {
      limits.check()
      const { version, name } = migration
      onProgress?.({ version, name, index, count: pending.length, ms: null })
      const ms = await apply(db, dialect, migrations, migration, limits)
      result.current = version
      if (ms === null) continue
      result.applied.push({ version, name, ms })
      onProgress?.({ version, name, index, count: pending.length, ms })
    }
  } finally {
    forget(db.client)
  }
  return result
}

// The engine's own folder, where there is one.
async function folderOf (dir, { migrations: { folder } }) {
  if (folder === null) return dir
  const own = path.join(dir, folder)
  try {
    return (await stat(own)).isDirectory() ? own : dir
  } catch {
    return dir
  }
}

// How long the file took, or null when another process has applied it.
async function apply (db, dialect, migrations, { version, name, checksum, sql, loose }, limits) {
  const began = performance.now()
  for (let tries = 1; ; tries++) {
    try {
      await db.client.call('migrate_apply', [version, name, checksum, sql, loose], limits.call)
      return Math.round(performance.now() - began)
    } catch (err) {
      if (limits.hasEnded(err)) throw err
      // Another process may have been faster: then the record is there, and it is ours.
      const applied = await readApplied(db, dialect)
      const { pending } = compare(migrations, applied)
      if (!pending.some((each) => each.version === version)) return null
      const isOthers = dialect.migrations.isOthers(err)
      if (!isOthers && (!dialect.migrations.isLocked(err) || tries >= LOCK_TRIES)) {
        throw blame(err, migrations.find((each) => each.version === version))
      }
      // As long as it takes the other one.
      if (isOthers) tries = 0
    }
    await sleep(LOCK_PAUSE_MS * Math.random() * 2)
    limits.check()
  }
}

module.exports = { migrate, readFolder }
