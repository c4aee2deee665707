'use strict'

// The files of a directory of routes, as they are handed to the core: all *.sql and the templates
// beside them. What is hidden, and node_modules, is passed over; symbolic links are followed.

const { builtin } = require('../base/builtin')
const fs = builtin('node:fs')
const path = builtin('node:path')
const { fileURLToPath } = builtin('node:url')
const { UndercroftError, expected } = require('../base/errors')

const WANTED = /\.(sql|mustache|html)$/
const FILES_MOST = 4096
const DEPTH_MOST = 8
// As the core has it (UC_ROUTES_BYTES).
const BYTES_MOST = 4 * 1024 * 1024
// An editor writes a file in several steps.
const SETTLE_MS = 50
// Of a directory that has gone nobody says that it is back.
const LOOK_AGAIN_MS = 500

/**
 * @param {string} dir an absolute path
 * @returns {{ files: [string, string][], dirs: string[] }} name relative to dir, with /, and text, sorted;
 *   and each directory that was looked into
 * @throws {UndercroftError} UC_ROUTE, which names the path
 */
function readFiles (dir) {
  const found = { files: [], dirs: [], bytes: 0 }
  walk(dir, '', [], found)
  if (!found.files.some(([name]) => name.endsWith('.sql'))) throw faulty(dir, 'there is no *.sql in it')
  found.files.sort(([a], [b]) => a < b ? -1 : 1)
  return { files: found.files, dirs: found.dirs }
}

// `above`: the real paths of the directories that this one is in, so that a link to one of them ends.
function walk (dir, prefix, above, found) {
  const real = attempt(dir, () => fs.realpathSync(dir))
  if (above.includes(real)) return
  if (above.length > DEPTH_MOST) throw faulty(dir, `deeper than ${DEPTH_MOST} directories`)
  found.dirs.push(dir)
  for (const name of attempt(dir, () => fs.readdirSync(dir))) {
    if (name.startsWith('.') || name === 'node_modules') continue
    const file = path.join(dir, name)
    const stat = attempt(file, () => fs.statSync(file))
    if (stat.isDirectory()) walk(file, `${prefix}${name}/`, [...above, real], found)
    else if (stat.isFile() && WANTED.test(name)) read(file, prefix + name, stat.size, found)
  }
}

function read (file, name, size, found) {
  if (found.files.length >= FILES_MOST) throw faulty(file, `more than ${FILES_MOST} files`)
  // Before it is in memory.
  if (found.bytes + size > BYTES_MOST) throw faulty(file, `all files together are larger than ${BYTES_MOST} bytes`)
  const bytes = attempt(file, () => fs.readFileSync(file))
  found.bytes += bytes.length
  found.files.push([name, textOf(bytes, file)])
}

function textOf (bytes, file) {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw faulty(file, 'not valid UTF-8')
  }
}

function attempt (file, fn) {
  try {
    return fn()
  } catch (err) {
    throw faulty(file, err.code === 'ENOENT' ? 'there is no such file or directory' : err.message, err)
  }
}

function faulty (file, why, cause = undefined) {
  return new UndercroftError('UC_ROUTE', `routes: ${file}: ${why}`, { kind: 'usage', retryable: false, cause })
}

// A directory that was replaced by another of its name is watched again, which may have its number.
function keyOf (dir) {
  const { ino, birthtimeMs } = fs.statSync(dir, { throwIfNoEntry: false }) ?? {}
  return `${ino} ${birthtimeMs} ${dir}`
}

/** The argument dir of store.routes as an absolute path. */
function readDir (dir) {
  if (dir instanceof URL && dir.protocol === 'file:') return fileURLToPath(dir)
  if (typeof dir === 'string' && dir !== '' && !dir.includes('\0')) return path.resolve(dir)
  throw expected('UC_OPTION', 'routes: dir', 'the path of a directory', dir)
}

/** Says when a file of the directories has changed. Keeps no process alive. */
class DirWatch {
  #changed
  #watchers = new Map()
  #timer = null

  /** @param {() => void} changed called once for changes that come together */
  constructor (changed) {
    this.#changed = changed
  }

  /** Looks at these directories from now on, and at no others. */
  follow (dirs) {
    const wanted = new Map(dirs.map((dir) => [keyOf(dir), dir]))
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue
      watcher.close()
      this.#watchers.delete(key)
    }
    for (const [key, dir] of wanted) if (!this.#watchers.has(key)) this.#add(key, dir)
  }

  #add (key, dir) {
    try {
      const watcher = fs.watch(dir, { persistent: false }, () => this.#soon())
      this.#watchers.set(key, watcher)
      watcher.on('error', () => {
        watcher.close()
        this.#watchers.delete(key)
        this.#soon()
      })
    } catch {
      // It has gone again: the one around it says so.
    }
  }

  #soon () {
    if (this.#timer === null) this.#in(SETTLE_MS)
  }

  /** Where the directories cannot be read: says so once more after a while. */
  lookAgain () {
    this.follow([])
    clearTimeout(this.#timer)
    this.#in(LOOK_AGAIN_MS)
  }

  #in (ms) {
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#changed()
    }, ms)
    this.#timer.unref()
  }

  end () {
    clearTimeout(this.#timer)
    this.follow([])
  }
}

module.exports = { readFiles, readDir, DirWatch }
