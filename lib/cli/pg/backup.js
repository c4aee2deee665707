'use strict'
// Backups of a whole server into a folder, from which each moment comes back as long as the log is followed:
//
//   DIR/base/2026-12-01T042311.123Z/   its files, by pg_basebackup, checked by pg_verifybackup; named after its end
//   DIR/wal/                           the log since then, by pg_receivewal, through a slot of the server
//
// A folder that begins with a dot is a backup that has not come to its end, or that goes.

const fs = require('node:fs')
const path = require('node:path')
const { open } = require('../../store')
const { CommandRefusal } = require('../refusal')
const { call, split } = require('./programs')
const span = require('./span')

const SLOT = 'undercroft_backup'
// Between two tries, and two looks.
const LOG_MS = 5000
const BACKUP_MS = 60_000
const NAME = /^\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z$/

const nameOf = ms => new Date(ms).toISOString().replaceAll(':', '')
const timeOf = name => Date.parse(name.replace(/T(\d\d)(\d\d)(\d\d)/, 'T$1:$2:$3'))

/** The segment of the log that a backup begins in. */
function segmentOf (dir) {
  return /^START WAL LOCATION: .* \(file ([0-9A-F]{24})\)/m.exec(fs.readFileSync(path.join(dir, 'backup_label'), 'utf8'))[1]
}

/**
 * The backups of a folder, the oldest first.
 *
 * @returns {{ name: string, at: number, dir: string }[]} at: when it ended, in ms
 */
function backupsIn (to) {
  const base = path.join(to, 'base')
  if (!fs.existsSync(base)) return []
  return fs.readdirSync(base).filter(name => NAME.test(name)).sort().map(name => ({ name, at: timeOf(name), dir: path.join(base, name) }))
}

/**
 * One backup, checked, and those that are too many go.
 *
 * @param {string} address of any database of the server, with a role that may replicate
 * @param {string} to folder
 * @param {{ keep: number, say: Function, signal?: AbortSignal }} options keep: backups at least
 * @returns {Promise<{ name: string, bytes: number, removed: string[] }>}
 */
async function backup (address, to, { keep, say, signal }) {
  const base = path.join(to, 'base')
  fs.mkdirSync(base, { recursive: true, mode: 0o700 })
  for (const name of fs.readdirSync(base)) if (isLeft(name)) fs.rmSync(path.join(base, name), { recursive: true, force: true })
  const dir = path.join(base, `.new-${process.pid}`)
  const target = split(address)
  let told = Date.now()
  const onLine = line => {
    if (Date.now() - told < 2000 || !/kB/.test(line)) return
    told = Date.now()
    say(line)
  }
  try {
    await call('pg_basebackup', ['-d', target.address, '-D', dir, '-X', 'stream', '-c', 'fast', '-P', '-l', 'undercroft'], { env: target.env, signal, onLine })
    await call('pg_verifybackup', ['-q', dir], { signal })
  } catch (err) {
    fs.rmSync(dir, { recursive: true, force: true })
    throw err
  }
  const name = nameOf(Date.now())
  if (fs.existsSync(path.join(base, name))) throw new CommandRefusal(`there is a backup ${name} already: somebody makes another one into the same folder`, null, 'failed')
  fs.renameSync(dir, path.join(base, name))
  flush(base)
  const removed = await prune(to, keep)
  const bytes = sizeOf(path.join(base, name))
  say(`${name}: ${Math.ceil(bytes / 1024 ** 2)} MiB${removed.length > 0 ? `; ${removed.join(', ')} went` : ''}`)
  return { name, bytes, removed }
}

// Of one that was killed, and not of one that is under way.
function isLeft (name) {
  const [, pid] = /^\.new-(\d+)$/.exec(name) ?? []
  if (pid === undefined) return name.startsWith('.old-')
  try {
    process.kill(Number(pid), 0)
    return Number(pid) === process.pid
  } catch (err) {
    return err.code === 'ESRCH'
  }
}

function flush (dir) {
  const fd = fs.openSync(dir)
  try { fs.fsyncSync(fd) } finally { fs.closeSync(fd) }
}

function sizeOf (dir) {
  return fs.readdirSync(dir, { withFileTypes: true, recursive: true })
    .reduce((sum, entry) => sum + (entry.isFile() ? fs.statSync(path.join(entry.parentPath ?? entry.path, entry.name)).size : 0), 0)
}

// The oldest first; what the log has from before the oldest that stays is of use to nobody.
async function prune (to, keep) {
  const all = backupsIn(to)
  const removed = all.slice(0, Math.max(0, all.length - keep))
  for (const { name, dir } of removed) {
    const hidden = path.join(to, 'base', `.old-${name}`)
    fs.renameSync(dir, hidden)
    fs.rmSync(hidden, { recursive: true, force: true })
  }
  const wal = path.join(to, 'wal')
  const first = all[removed.length]
  if (first !== undefined && fs.existsSync(wal)) {
    await call('pg_archivecleanup', [wal, segmentOf(first.dir)])
  }
  return removed.map(({ name }) => name)
}

/**
 * Follows the log, and makes a backup in each period, until it is told to end.
 *
 * @param {{ every: Span, keep: number, say: Function, signal: AbortSignal }} options
 */
async function follow (address, to, { every, keep, say, signal }) {
  const wal = path.join(to, 'wal')
  fs.mkdirSync(wal, { recursive: true, mode: 0o700 })
  const target = split(address)
  const receive = ['-d', target.address, '-D', wal, '--slot', SLOT]
  // So that what has been written since is there, from before the first backup on.
  await call('pg_receivewal', [...receive, '--create-slot', '--if-not-exists'], { env: target.env, signal })
  const size = await segmentSize(address)
  const receiving = again(() => {
    clear(wal, size)
    return call('pg_receivewal', [...receive, '--synchronous', '--no-loop'], { env: target.env, signal })
  }, 'the log', LOG_MS, { say, signal })
  say(`the log goes to ${wal}`)
  await again(async () => {
    const last = backupsIn(to).at(-1)
    if (last === undefined || last.at <= span.before(Date.now(), every)) await backup(address, to, { keep, say, signal })
  }, 'a backup', BACKUP_MS, { say, signal })
  await receiving
}

async function segmentSize (address) {
  const store = open(address, { log: false, readonly: true })
  try {
    return (await store.db.get("select setting::int8 as bytes from pg_settings where name = 'wal_segment_size'")).bytes
  } finally {
    await store.close()
  }
}

// A segment is filled with zeros before anything is written to it. Killed at that it leaves a short file, which no
// later pg_receivewal goes on with; there is nothing in it.
function clear (wal, size) {
  for (const name of fs.readdirSync(wal).filter(name => name.endsWith('.partial'))) {
    const file = path.join(wal, name)
    if (![0, size].includes(fs.statSync(file).size)) fs.rmSync(file)
  }
}

// What ends is begun again: a server comes back, and a disk has room.
async function again (work, what, ms, { say, signal }) {
  while (!signal.aborted) {
    try {
      await work()
    } catch (err) {
      if (signal.aborted) return
      if (!(err instanceof CommandRefusal)) throw err
      say(`${what}: ${err.message}`)
    }
    await pause(ms, signal)
  }
}

const pause = (ms, signal) => new Promise(resolve => {
  const end = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
    resolve()
  }
  const timer = setTimeout(end, ms)
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
})

module.exports = { backup, backupsIn, follow, segmentOf }
