'use strict'

// backup - a copy of the database while it is in use, and the way back.
//
// The core copies in steps of some pages, each a request of its own: between two of them other
// work has its turn, and the caller hears how far it is. The copy grows beside its destination
// and gets its name, in one step, when it is whole: what stands at the path is always a complete
// database or what stood there before.

const { builtin } = require('../base/builtin')
const { stat } = builtin('node:fs/promises')

const { UndercroftError, describe, expected } = require('../base/errors')
const { isFileUrl, readPlace } = require('../base/place')
const { instead } = require('../base/did-you-mean')
const { forget } = require('./table/schema')

const DEFAULTS = Object.freeze({ pagesPerStep: 1024 })
const OPTIONS = ['onProgress', 'pagesPerStep', 'signal']
const MAX_PAGES = 1 << 20

// A step may wait for the disk as long as it takes.
const UNHURRIED = Object.freeze({ timeoutMs: 0 })

const PLAIN = Object.freeze({ integers: 'number' })

function readPath (value, what) {
  const isPlace = value instanceof URL ? isFileUrl(value) : typeof value === 'string' && !value.includes('\0')
  const file = isPlace ? readPlace(value, what) : ''
  if (file === '' || file === ':memory:') throw expected('UC_OPTION', what, 'the path of a file', value)
  return file
}

function checkOptions (options, allowed, what) {
  if (options === null || typeof options !== 'object') throw expected('UC_OPTION', `${what}: options`, 'an object', options)
  for (const name of Object.keys(options)) {
    if (!allowed.includes(name)) {
      throw new UndercroftError('UC_OPTION', `${what}: unknown option ${describe(name)}; ${instead(name, allowed)}`)
    }
  }
}

function readOptions (options) {
  checkOptions(options, OPTIONS, 'backup')
  const { onProgress, pagesPerStep = DEFAULTS.pagesPerStep, signal } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw expected('UC_OPTION', 'backup: onProgress', 'a function', onProgress)
  }
  if (!Number.isInteger(pagesPerStep) || pagesPerStep < 1 || pagesPerStep > MAX_PAGES) {
    throw expected('UC_OPTION', 'backup: pagesPerStep', `a whole number from 1 to ${MAX_PAGES}`, pagesPerStep)
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw expected('UC_OPTION', 'backup: signal', 'an AbortSignal', signal)
  }
  return { onProgress, pagesPerStep, signal }
}

// A copy renamed over a file in use would leave its handles writing into nowhere.
async function refuseOwn (db, file, what) {
  const there = await stat(file, { bigint: true }).catch(() => null)
  if (there === null) return
  const own = await db.all("select file from pragma_database_list where file <> ''")
  for (const row of own) {
    for (const name of [row.file, `${row.file}-wal`, `${row.file}-shm`]) {
      const used = await stat(name, { bigint: true }).catch(() => null)
      if (used !== null && used.ino === there.ino && used.dev === there.dev) {
        throw new UndercroftError('UC_BACKUP', `${what}: ${file} is the database itself`, { outcome: 'not-run' })
      }
    }
  }
}

/**
 * Copies the database to a file.
 *
 * @param {Database} db
 * @param {string|URL} file an existing one is replaced when the copy is whole
 * @param {{ onProgress?: Function, pagesPerStep?: number, signal?: AbortSignal }} [options]
 *   onProgress gets { remaining, total, percent }, in pages; what it throws ends the backup
 * @returns {Promise<{ path: string, pages: number }>}
 */
async function backup (db, file, options = {}) {
  const { client } = db
  const { onProgress, pagesPerStep, signal } = readOptions(options)
  const target = readPath(file, 'backup')
  signal?.throwIfAborted()
  await refuseOwn(db, target, 'backup')
  const id = await client.call('backup_begin', [target], UNHURRIED)
  if (id === null) {
    // A database in memory has one connection, which cannot be held: it was copied at one go.
    const { pages } = await db.get('select page_count as pages from pragma_page_count', [], PLAIN)
    onProgress?.({ remaining: 0, total: pages, percent: 100 })
    return { path: target, pages }
  }
  const { epoch } = client
  try {
    for (;;) {
      signal?.throwIfAborted()
      const [remaining, total] = await client.call('backup_step', [id, pagesPerStep], { ...UNHURRIED, ...PLAIN }, null, epoch)
      onProgress?.({ remaining, total, percent: total === 0 ? 100 : (total - remaining) / total * 100 })
      if (remaining === 0) return { path: target, pages: total }
    }
  } catch (err) {
    // The failure to report is the first one; a closed handle has ended its backups itself.
    await client.call('backup_end', [id], UNHURRIED, null, epoch).catch(() => {})
    throw err
  }
}

/**
 * Replaces the content of the database by that of a file, which must be a SQLite database.
 *
 * @param {Database} db
 * @param {string|URL} file
 */
async function restore (db, file, options = {}) {
  checkOptions(options, [], 'restore')
  const source = readPath(file, 'restore')
  await refuseOwn(db, source, 'restore')
  try {
    await db.client.call('restore', [source], UNHURRIED)
  } finally {
    forget(db.client)
  }
}

module.exports = { backup, restore }
