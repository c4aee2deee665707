'use strict'
// The archives of a host's logs: lists them, reads them with their checksum,
// deletes those that somebody has verified. Only what the configuration names,
// and through no symbolic link.

const fs = require('node:fs')
const path = require('node:path')
const { createHash } = require('node:crypto')
const { DeployError } = require('../errors')
const { DAY_MS, hasDate, logDay } = require('./host/log-day')

const KINDS = ['application', 'gateway']
const MAX_DEPTH = 6
const MAX_ENTRIES = 100_000
const CHUNK = 256 * 1024
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants

// What is packed, has a date in its name, or a number as logrotate gives it:
// the files that are still written, and what else is there, are not archives.
const isArchive = name => !name.startsWith('.') && !name.endsWith('.part') &&
  (hasDate(name) || /\.(gz|zst|xz|bz2)$/.test(name) || /\.\d{1,4}$/.test(name))

// ---- where they are --------------------------------------------------------

/**
 * The folder of a place of the configuration and what of it is meant:
 * { base: absolute, without links; pattern: [segments] | null }. A place in the
 * app's folder has to stay in it: a service can write there, links too.
 */
function resolve (app, place) {
  const whole = path.resolve(app.folder, place)
  const segments = whole.split('/').slice(1)
  const first = segments.findIndex(segment => /[*?]/.test(segment))
  const isOne = first < 0 && fs.lstatSync(whole).isFile()
  const fixed = first < 0 ? (isOne ? segments.slice(0, -1) : segments) : segments.slice(0, first)
  const named = `/${fixed.join('/')}`
  const base = fs.realpathSync(named)
  if (isIn(named, path.resolve(app.folder)) && !isIn(base, fs.realpathSync(app.folder))) {
    throw new DeployError('UC_DEPLOY_LINK', `${named} leads out of ${app.folder}, to ${base}`, { hint: 'name the folder itself in `logs`' })
  }
  return { base, pattern: isOne ? segments.slice(-1) : first < 0 ? null : segments.slice(first) }
}

const isIn = (file, folder) => file === folder || file.startsWith(`${folder}/`)

// -> [{ dir, name, size, mtimeMs }] of the archives of a place.
function find ({ base, pattern }) {
  const found = []
  let entries = 0
  const visit = (dir, depth) => {
    const list = fs.readdirSync(dir, { withFileTypes: true })
    const current = list.some(entry => entry.name === 'current' && entry.isSymbolicLink()) ? path.basename(fs.readlinkSync(`${dir}/current`)) : null
    for (const entry of list) {
      if (++entries > MAX_ENTRIES) throw new DeployError('UC_DEPLOY_LIMIT', `there are more than ${MAX_ENTRIES} files in ${base}`, { hint: 'name a folder with fewer in `logs`' })
      if (pattern && !glob(pattern[depth]).test(entry.name)) continue
      const isLast = !pattern || depth === pattern.length - 1
      if (entry.isDirectory() && (pattern ? !isLast : depth < MAX_DEPTH)) visit(`${dir}/${entry.name}`, depth + 1)
      if (!entry.isFile() || !isLast || entry.name === current || !isArchive(entry.name)) continue
      const { size, mtimeMs } = fs.lstatSync(`${dir}/${entry.name}`)
      found.push({ dir, name: entry.name, rel: path.relative(base, `${dir}/${entry.name}`), size, mtimeMs: Math.floor(mtimeMs) })
    }
  }
  visit(base, 0)
  return found
}

function glob (segment) {
  return new RegExp(`^${segment.replace(/[.*+?^${}()|[\]\\]/g, c => ({ '*': '.*', '?': '.' }[c] ?? `\\${c}`))}$`, 's')
}

// ---- one file --------------------------------------------------------------

/**
 * Opens a folder that a place leads to, and gives the name under which a file in
 * it can be opened or removed: relative to the open folder, so that nobody can
 * put a link in the way in the meantime (/proc/self/fd, proc(5)).
 */
function within (ctx, { dir, name }, work) {
  if (typeof dir !== 'string' || typeof name !== 'string' || name.includes('/') || !isArchive(name) || !isAllowed(ctx, dir)) {
    throw new DeployError('UC_DEPLOY_LOGS', `${dir}/${name} is not among the logs of the configuration`)
  }
  const fd = fs.openSync(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  const close = () => fs.closeSync(fd)
  // The way through the open folder says nothing to anybody.
  const named = err => {
    if (typeof err.path === 'string' && err.path.startsWith('/proc/self/fd/')) {
      err.message = err.message.replace(err.path, `${dir}/${name}`)
      err.path = `${dir}/${name}`
    }
    return err
  }
  let result
  try {
    if (fs.readlinkSync(`/proc/self/fd/${fd}`) !== dir) throw new DeployError('UC_DEPLOY_LINK', `${dir} is not where it was`)
    result = work(`/proc/self/fd/${fd}/${name}`)
  } catch (err) {
    close()
    throw named(err)
  }
  if (typeof result?.then !== 'function') {
    close()
    return result
  }
  return result.catch(err => { throw named(err) }).finally(close)
}

function isAllowed (ctx, dir) {
  return KINDS.flatMap(kind => ctx.config.logs?.[kind] ?? []).some(place => {
    try {
      return isIn(dir, resolve(ctx.app, place).base)
    } catch {
      return false
    }
  })
}

/** Reads a file to its end: { size, mtimeMs, sha256 }; take(bytes) gets what is behind `offset`. */
function read (ctx, file, { offset = 0, take } = {}) {
  return within(ctx, file, async name => {
    const handle = await fs.promises.open(name, O_RDONLY | O_NOFOLLOW)
    try {
      if (!(await handle.stat()).isFile()) throw new DeployError('UC_DEPLOY_LINK', `${file.dir}/${file.name} is not a file`)
      const hash = createHash('sha256')
      let at = 0
      for (;;) {
        ctx.signal.throwIfAborted()
        const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, at)
        if (bytesRead === 0) break
        const bytes = buffer.subarray(0, bytesRead)
        hash.update(bytes)
        if (take && at + bytesRead > offset) await take(bytes.subarray(Math.max(0, offset - at)))
        at += bytesRead
      }
      const { mtimeMs } = await handle.stat()
      return { size: at, mtimeMs: Math.floor(mtimeMs), sha256: hash.digest('hex') }
    } finally {
      await handle.close()
    }
  })
}

// ---- ops -------------------------------------------------------------------

const ops = {
  /**
   * args: { today: day, olderThan: days }. -> { files: [{ kind, dir, name, rel,
   * size, mtimeMs, day }], problems: [{ kind, place, code, message, hint }] }
   */
  async 'logs.list' ({ today, olderThan }, ctx) {
    const files = []
    const problems = []
    for (const kind of KINDS) {
      for (const place of ctx.config.logs?.[kind] ?? []) {
        try {
          for (const file of find(resolve(ctx.app, place))) {
            const day = logDay(file.name, file.mtimeMs)
            if (today - day > olderThan) files.push({ kind, day, ...file })
          }
        } catch (err) {
          problems.push({ kind, place, ...problem(err) })
        }
      }
    }
    const seen = new Set()
    const once = files.filter(({ kind, dir, name }) => !seen.has(`${kind} ${dir}/${name}`) && seen.add(`${kind} ${dir}/${name}`))
    once.sort((a, b) => a.day - b.day || (a.rel < b.rel ? -1 : 1))
    return { files: once, problems }
  },

  'logs.hash': ({ dir, name }, ctx) => read(ctx, { dir, name }),

  'logs.read': ({ dir, name, offset }, ctx) => read(ctx, { dir, name }, { offset, take: bytes => ctx.chunk(bytes) }),

  /**
   * Deletes what is still what was verified, and is older than `olderThan` days
   * by its name and by its last change. args: { today, olderThan, came: { files,
   * bytes }, prune: [{ dir, name, day, size, sha256 }] }. -> { pruned: [path],
   * left: [{ path, why }] }
   */
  async 'logs.end' ({ today, olderThan, came, prune }, ctx) {
    const pruned = []
    const left = []
    for (const file of prune) {
      const name = `${file.dir}/${file.name}`
      try {
        const now = await read(ctx, file)
        const age = today - Math.max(logDay(file.name, now.mtimeMs), Math.floor(now.mtimeMs / DAY_MS))
        if (now.size !== file.size || now.sha256 !== file.sha256) left.push({ path: name, why: 'it has changed' })
        else if (age <= olderThan) left.push({ path: name, why: `it was changed in the last ${olderThan} days` })
        else {
          within(ctx, file, link => fs.unlinkSync(link))
          pruned.push(name)
        }
      } catch (err) {
        left.push({ path: name, why: problem(err).message })
      }
    }
    if (fs.existsSync(ctx.app.deploy)) await ctx.audit('logs', 'ok', { came, pruned: pruned.length })
    return { pruned, left }
  }
}

function problem (err) {
  if (err.code === 'ENOENT') return { code: 'UC_DEPLOY_LOGS', message: `there is no ${err.path}`, hint: 'correct `logs` in deploy.config.js; null says that there are none' }
  if (err.code === 'EACCES' || err.code === 'EPERM') {
    return { code: 'UC_DEPLOY_ACCESS', message: `permission denied: ${err.path}`, hint: 'let the user of the deployment read it: usermod -aG adm <user> for the logs of nginx; to delete there it has to own the folder' }
  }
  return { code: err.code ?? 'UC_DEPLOY_INTERNAL', message: err.message, hint: err.hint ?? null }
}

module.exports = { ops }
