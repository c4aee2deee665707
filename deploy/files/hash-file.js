'use strict'

// Reads files and says their sha256; as a worker all those it was given.

const crypto = require('node:crypto')
const fs = require('node:fs')
const { sha256 } = require('../agent/host/verify')
const { isMainThread, parentPort, workerData } = require('node:worker_threads')

const CHANGES = 'changes while it is being read'
const room = Buffer.allocUnsafe(2 ** 20)

/** -> { hash }, or { why }: what is wrong with a file that should have `size` bytes. */
function hashFile (file, size) {
  let fd
  try {
    fd = fs.openSync(file, 'r')
    if (size < room.length) {
      // One byte more than there should be: what has grown is seen.
      const count = fs.readSync(fd, room, 0, size + 1, null)
      return count === size ? { hash: sha256(room.subarray(0, size)) } : { why: CHANGES }
    }
    const digest = crypto.createHash('sha256')
    let seen = 0
    for (;;) {
      const count = fs.readSync(fd, room, 0, room.length, null)
      if (count === 0) break
      seen += count
      digest.update(room.subarray(0, count))
    }
    return seen === size ? { hash: digest.digest('hex') } : { why: CHANGES }
  } catch (err) {
    return { why: err.code === 'ENOENT' ? 'is gone since it was listed' : `cannot be read (${err.code})` }
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

if (!isMainThread && workerData?.files) {
  const { source, files } = workerData
  parentPort.postMessage(files.map(([name, size]) => hashFile(`${source}/${name}`, size)))
}

module.exports = { hashFile }
