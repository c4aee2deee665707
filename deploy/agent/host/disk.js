'use strict'

// Files that are there whole or not at all, and trees that go away whatever
// their permissions are.

const fs = require('node:fs')
const path = require('node:path')

// What writeAtomic writes before the rename: <file>.<pid>.<number>.tmp
const TEMPORARY = /\.(\d+)\.\d+\.tmp$/

let count = 0

/**
 * Replaces a file by one rename; with `sync` (the default) it is on the disk,
 * with its name, when this returns.
 */
function writeAtomic (file, data, { mode = 0o644, sync = true } = {}) {
  const beside = `${file}.${process.pid}.${++count}.tmp`
  try {
    const fd = fs.openSync(beside, 'wx', mode)
    try {
      fs.writeFileSync(fd, data)
      // The umask may have taken away what others need to read it.
      fs.fchmodSync(fd, mode)
      if (sync) fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(beside, file)
  } catch (err) {
    fs.rmSync(beside, { force: true })
    throw err
  }
  if (sync) syncDirectory(path.dirname(file))
}

/**
 * Removes what processes that were killed in the middle of writeAtomic have left in
 * a folder. Those that live may be writing: theirs stays.
 *
 * @param {string} dir need not be there
 * @param {string} [prefix] only names that begin so, where the folder is not ours alone
 */
function sweepTemporary (dir, prefix = '') {
  let names
  try {
    names = fs.readdirSync(dir)
  } catch (err) {
    // What may not be listed may not be written either.
    if (err.code === 'ENOENT' || err.code === 'EACCES') return
    throw err
  }
  for (const name of names) {
    const [, pid] = (name.startsWith(prefix) && TEMPORARY.exec(name)) || []
    if (pid !== undefined && !isThere(Number(pid))) fs.rmSync(path.join(dir, name), { force: true })
  }
}

// This process writes one file after the other, and asks in between.
function isThere (pid) {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (err) {
    return err.code !== 'ESRCH' // of another user
  }
}

/** A name that was made, changed or removed is so after a power cut too. */
function syncDirectory (dir) {
  const fd = fs.openSync(dir, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** The JSON in a file; null when there is none or it is damaged. */
function readJson (file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch (err) {
    if (err.code === 'ENOENT' || err instanceof SyntaxError) return null
    throw err
  }
}

/** Removes a tree; what is not there is no error. Links are not followed. */
function removeTree (file) {
  try {
    fs.rmSync(file, { recursive: true, force: true })
  } catch (err) {
    if (err.code !== 'EACCES' && err.code !== 'ENOTEMPTY') throw err
    // An install command may leave directories that their owner cannot write.
    openUp(file)
    fs.rmSync(file, { recursive: true, force: true })
  }
}

function openUp (file) {
  if (!fs.lstatSync(file).isDirectory()) return
  fs.chmodSync(file, 0o700)
  for (const name of fs.readdirSync(file)) openUp(path.join(file, name))
}

module.exports = { writeAtomic, sweepTemporary, syncDirectory, readJson, removeTree }
